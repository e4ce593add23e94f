"""train-embedding, embed, evaluate, show, export: run for real on drawn people; what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from forked import ended, run_command, start_command
from numpy.typing import NDArray

from gaitkit.artifacts import TrainedOn, open_artifact, write_artifact
from gaitkit.artifacts.envelope import seal
from gaitkit.embedders import load
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.embed import embed

MADE = {"silhouettes": {"alignment": "person"}, "gei": {"min_frames": 5}}
HOW = ("--protocol", "halves", "--device", "cpu", "--threads", 1)
SMALL = (
    *HOW,
    "--width",
    2,
    "--set",
    "values=4",
    "--set",
    "part_count=4",
    "--people",
    2,
    "--batch-size",
    8,
)
TRAIN = (*SMALL, "--iterations", 6)
VALIDATED = ("--validation-subjects", 2, "--validate-every", 3)


def keys_of(people: int) -> list[SequenceKey]:
    return [
        SequenceKey(f"{person:03d}", *walk, view)
        for person in range(1, people + 1)
        for walk in (("nm", 1), ("nm", 5), ("cl", 1))
        for view in (0.0, 90.0)
    ]


def write(path: Path, people: int = 8, size: int = 16, **changes: object) -> Path:
    """GEIs of people who are wide here and narrow there, with noise over them."""
    keys = keys_of(people)
    generator = np.random.default_rng(5)
    across = np.abs(np.arange(size) - (size - 1) / 2)
    own = {key.subject: generator.uniform(0.5, size / 2, 4) for key in keys}
    images: list[NDArray[np.uint8]] = []
    for key in keys:
        body = 60 * (across < np.repeat(own[key.subject], -(-size // 4))[:size, None])
        images.append((body + generator.integers(0, 195, (size, size))).astype(np.uint8))
    options = {
        "kind": "gei",
        "arrays": {"gei": np.array(images)},
        "labels": Labels.from_keys(keys),
        "dropped": [],
        "parameters": MADE,
        "dataset": "drawn",
    }
    write_artifact(path, **(options | changes))
    return path


@pytest.fixture(scope="module")
def geis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("geis") / "gei.h5")


@pytest.fixture(scope="module")
def model(geis: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was validated, as the command makes it."""
    from click.testing import CliRunner

    from gaitkit.cli.main import cli

    path = tmp_path_factory.mktemp("model") / "parts.h5"
    words = ("train-embedding", geis, "-o", path, *TRAIN, *VALIDATED)
    ran = CliRunner().invoke(cli, list(map(str, words)))
    assert ran.exit_code == 0, ran.output
    return path


def test_from_geis_to_people_who_are_found(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    with open_artifact(model, "embedder") as artifact, open_artifact(geis) as source:
        seen = {(row.subject, row.role) for row in artifact.trained_on}
        assert {name for name, _ in seen} == {"001", "002", "003", "004"}
        assert sorted(role for _, role in seen) == ["training"] * 2 + ["validation"] * 2
        assert artifact.inputs == (source.ref(),)
        assert artifact.parameters["embedder"]["name"] == "gei-parts"
    embedded = tmp_path / "embedded.h5"
    ran = gaitkit("embed", geis, "--model", model, "-o", embedded)
    assert ran.code == 0, ran.stderr
    with open_artifact(embedded, "embedding") as artifact, open_artifact(geis) as source:
        vectors = artifact.read("vectors")
        assert (vectors.shape, vectors.dtype) == ((48, 19, 4), np.float32)
        assert artifact.labels.keys() == source.labels.keys()
        assert {row.subject for row in artifact.trained_on} == {"001", "002", "003", "004"}
        np.testing.assert_array_equal(vectors, load(model, device="cpu").embed(geis))
    ran = gaitkit("evaluate", embedded, "--protocol", "halves", "--json")
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout)["metric"] == "parts"
    # Another protocol tests people whom the model has seen.
    ran = gaitkit("evaluate", embedded, "--protocol", "casia-b-74-50")
    assert (ran.code, ran.stdout) == (1, "")


def test_the_end_of_a_training_is_told_in_words_and_in_json(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    words = ("train-embedding", geis, "-o", tmp_path / "m.h5", *TRAIN, *VALIDATED)
    ran = gaitkit(*words)
    assert ran.code == 0, ran.stderr
    assert ran.stdout == ""
    for told in (
        "6 iterations on 2 people",
        "last loss       E.triplet ",
        "last gradient   E ",
        "last triplets   nonzero ",
        "last distance   same ",
        "rank-1",
        "held out: ",
    ):
        assert told in ran.stderr
    # The same once more is done already.
    before = (tmp_path / "m.h5").read_bytes()
    ran = gaitkit(*words, "--json")
    assert (ran.code, (tmp_path / "m.h5").read_bytes()) == (0, before)
    told = json.loads(ran.stdout)
    assert told["subjects"] == ["001", "002", "003", "004"]
    assert set(told["last"]) >= {"triplets.nonzero", "distance.same", "distance.others"}
    assert set(told["validation"]["best_rates"]) == {"cl", "nm"}


def test_options_go_into_the_file(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    given = {"shear": 0.1, "stretch": 0.2, "shift": 1.0, "rotate": 5.0, "erase": 0.4, "warp": 0.5}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    path = tmp_path / "m.h5"
    ran = gaitkit(
        *("train-embedding", geis, "-o", path, "--model", "gei-parts", *TRAIN, *words),
        *("--balanced", "--set", "margin=0.3", "--seed", 4),
    )
    assert ran.code == 0, ran.stderr
    with open_artifact(path, "embedder") as artifact:
        config, options = (artifact.parameters[key] for key in ("embedder", "training"))
        config = config["config"]
    assert (config["width"], config["values"], config["margin"]) == (2, 4, 0.3)
    assert given.items() <= options.items()
    assert (options["balanced"], options["seed"], options["people"]) == (True, 4, 2)


def test_a_refit_learns_from_everybody(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    ran = gaitkit("train-embedding", geis, "-o", path, *TRAIN, *VALIDATED, "--refit", "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["iterations"] == told["refit"]["best_step"] in (3, 6)
    with open_artifact(path, "embedder") as artifact:
        assert {row.role for row in artifact.trained_on} == {"training"}
    ran = gaitkit("train-embedding", geis, "-o", path, *TRAIN, "--refit", "--overwrite")
    assert ran.code == 2
    assert "Give --validation-subjects" in ran.stderr


def test_a_finished_model_is_trained_on_without_repeating_its_options(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    path, whole = tmp_path / "m.h5", tmp_path / "whole.h5"
    options = (*SMALL, "--set", "margin=0.3", "--seed", 3)
    assert gaitkit("train-embedding", geis, "-o", path, *options, "--iterations", 4).code == 0
    again = ("train-embedding", geis, "-o", path, "--resume", "--device", "cpu")
    for words, message in (
        ((), "4 were asked for"),
        (
            ("--iterations", 6, "--set", "margin=0.4"),
            "embedder.config.margin was 0.3, now it is 0.",
        ),
    ):
        ran = gaitkit(*again, *words)
        assert ran.code == 2
        assert message in ran.stderr
    assert gaitkit(*again, "--iterations", 6).code == 0
    with open_artifact(path, "embedder") as artifact:
        assert int(artifact.read("step")) == 6
    changed = tmp_path / "changed.h5"
    for before, after in (
        (b'"metric":"parts"', b'"metric":"frogs"'),
        (b"gei-parts", b"gei-party"),
    ):
        changed.write_bytes(path.read_bytes().replace(before, after))
        assert changed.read_bytes() != path.read_bytes()
        seal(changed)
        again = ("train-embedding", geis, "-o", changed, "--resume", "--iterations", 8)
        ran = gaitkit(*again, "--set", "margin=0.3", "--device", "cpu")
        assert ran.code == 1
        assert f"{changed} is not a model that this gaitkit can use: " in ran.stderr
    ran = gaitkit("train-embedding", geis, "-o", whole, "--resume", *TRAIN)
    assert ran.code == 2
    assert "there is no finished training to resume" in ran.stderr


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_bytes(geis: Path, tmp_path: Path) -> None:
    def command(output: Path) -> list[object]:
        words = ("train-embedding", geis, "-o", output, *SMALL, "--iterations", 20, "-q")
        return [*words, "--checkpoint-every", 5]

    whole, broken = tmp_path / "whole.h5", tmp_path / "broken.h5"
    assert run_command(command(whole)) == 0
    running = start_command(command(broken))
    checkpoint = tmp_path / "broken.h5.parts" / "checkpoint.h5"
    while not checkpoint.exists() and running.is_alive():
        time.sleep(0.01)
    running.kill()
    assert ended(running) != 0
    assert checkpoint.exists()
    assert not broken.exists()
    assert run_command(command(broken)) == 0
    assert broken.read_bytes() == whole.read_bytes()


def test_a_stop_leaves_a_checkpoint_that_the_same_command_goes_on_from(
    gaitkit: Callable, geis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    from gaitkit.cli import training_runs

    whole, stopped = tmp_path / "whole.h5", tmp_path / "stopped.h5"
    assert gaitkit("train-embedding", geis, "-o", whole, *TRAIN).code == 0

    @contextmanager
    def after_a_step():
        yield lambda: True

    with monkeypatch.context() as patched:
        patched.setattr(training_runs, "stop_on_signal", after_a_step)
        ran = gaitkit("train-embedding", geis, "-o", stopped, *TRAIN)
    assert ran.code == 130
    assert " of 6 iterations" in ran.stderr
    assert "Give the same command again to continue." in ran.stderr
    # A checkpoint is no model yet.
    checkpoint = tmp_path / "stopped.h5.parts" / "checkpoint.h5"
    ran = gaitkit("embed", geis, "--model", checkpoint, "-o", tmp_path / "e.h5")
    assert (ran.code, "unfinished" in ran.stderr or "checkpoint" in ran.stderr) == (1, True)
    assert gaitkit("show", checkpoint, "-o", tmp_path / "c.png").code == 1  # No row of it yet.
    assert gaitkit("train-embedding", geis, "-o", stopped, *TRAIN).code == 0
    assert stopped.read_bytes() == whole.read_bytes()


def silhouettes(path: Path) -> Path:
    keys = keys_of(4)
    frames = np.random.default_rng(0).integers(0, 2, (2 * len(keys), 16, 16), dtype=np.uint8) * 255
    arrays = {
        "frames": frames,
        "start": np.arange(0, len(frames), 2),
        "length": np.full(len(keys), 2),
    }
    write_artifact(
        path,
        kind="silhouettes",
        arrays=arrays,
        labels=Labels.from_keys(keys),
        dropped=[],
        parameters={"silhouettes": MADE["silhouettes"]},
        dataset="drawn",
    )
    return path


def test_what_cannot_be_learned_from_is_refused(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    def refused(source: Path, *words: object) -> str:
        ran = gaitkit("train-embedding", source, "-o", tmp_path / "m.h5", *TRAIN, *words)
        assert ran.code in (1, 2), ran.stderr
        assert not (tmp_path / "m.h5").exists()
        return " ".join(ran.stderr.split())

    frames = silhouettes(tmp_path / "s.h5")
    said = refused(frames, "--model", "gei-parts")
    assert "reads gait energy images" in said
    assert "gaitkit make-gei" in said
    assert "holds a trained embedder" in refused(model)
    assert "4 people cannot be held out" in refused(geis, "--validation-subjects", 4)
    told = refused(geis, "--batch-size", 5)
    assert "batch_size must be a multiple of people" in told
    assert "Give --batch-size 4" in told
    assert "Did you mean 'margin'?" in refused(geis, "--set", "margn=1")
    assert "not both" in refused(geis, "--set", "width=3")
    told = refused(write(tmp_path / "odd.h5", size=18))
    assert "sides that are multiples of 4" in told
    assert "again with --size 64 64, or other multiples" in told
    told = refused(write(tmp_path / "small.h5", size=8))
    assert "image_size must be in [16, 512], got (8, 8)" in told
    assert "again with --size 64 64, or others" in told
    lonely = write(tmp_path / "one.h5", people=2)
    assert "Found 1 person" in refused(lonely)
    ran = gaitkit("train-embedding", geis, "-o", tmp_path / "m.h5", "--model", "nobody")
    assert (ran.code, "'gei-parts'" in ran.stderr) == (2, True)


def test_what_was_made_otherwise_is_not_embedded(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    def refused(source: Path, by: Path) -> str:
        ran = gaitkit("embed", source, "--model", by, "-o", tmp_path / "e.h5", "--device", "cpu")
        assert ran.code == 1, ran.stderr
        assert not (tmp_path / "e.h5").exists()
        return " ".join(ran.stderr.split())

    assert "size is 32×32 here, 16×16 there" in refused(write(tmp_path / "l.h5", size=32), model)
    parameters = {**MADE, "silhouettes": {"alignment": "opengait"}}
    other = write(tmp_path / "o.h5", parameters=parameters)
    assert "alignment is opengait here, person there" in refused(other, model)
    assert "reads gait energy images" in refused(silhouettes(tmp_path / "s.h5"), model)
    assert "holds gait energy images" in refused(geis, geis)
    damaged = tmp_path / "damaged.h5"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert "damaged.h5" in refused(geis, damaged)


def test_spoilt_weights_give_no_embedding(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt.h5"
    spoilt.write_bytes(model.read_bytes())
    with h5py.File(spoilt, "r+") as file:
        weights = file["best/weights/E_average/matrices.shared.weight"]
        weights[0, 0, 0] = np.nan
    seal(spoilt)
    ran = gaitkit("embed", geis, "--model", spoilt, "-o", tmp_path / "e.h5")
    assert ran.code == 1
    assert "holds values that are not numbers" in ran.stderr
    assert not (tmp_path / "e.h5").exists()


def translated(path: Path) -> Path:
    """GEIs as a translator that has seen person 007 shows them."""
    told = {"name": "gaitgan", "content_sha256": "0" * 64, "weights": "last"}
    with open_artifact(write(path.with_name("measured.h5"))) as measured:
        images = measured.read("gei").astype(np.float32)
    return write(
        path,
        arrays={"gei": images},
        parameters={**MADE, "translator": told},
        trained_on=[TrainedOn("drawn", "007", "training")],
    )


def test_frames_are_not_drawn_of_geis(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    ran = gaitkit("train-embedding", geis, "-o", tmp_path / "m.h5", *TRAIN, "--frames", 3)
    assert ran.code == 2
    assert "reads GEIs, each of which is one image" in ran.stderr
    assert "Leave out --frames" in ran.stderr


def test_geis_as_a_translator_shows_them(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    source, model = translated(tmp_path / "translated.h5"), tmp_path / "after.h5"
    assert gaitkit("train-embedding", source, "-o", model, *TRAIN).code == 0
    embedded = tmp_path / "e.h5"
    embed(source, model, embedded, device="cpu")
    for path in (model, embedded):
        # Whom the translator has seen, the embedder's own people, and nobody twice.
        with open_artifact(path) as artifact:
            seen = [row.subject for row in artifact.trained_on]
        assert sorted(seen) == ["001", "002", "003", "004", "007"]
    ran = gaitkit("evaluate", embedded, "--protocol", "halves")
    assert (ran.code, "007" in ran.stderr) == (1, True)
    # Measured ones are another thing.
    ran = gaitkit("embed", geis, "--model", model, "-o", tmp_path / "m.h5")
    assert ran.code == 1
    assert "was made differently from what the model learned: translator is nothing" in ran.stderr
    assert "{" not in ran.stderr


def test_several_data_sets_teach_one_model(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.h5", people=3, dataset="other")
    model = tmp_path / "both.h5"
    ran = gaitkit("train-embedding", geis, "--also", other, "-o", model, *TRAIN)
    assert ran.code == 0, ran.stderr
    with open_artifact(model, "embedder") as artifact:
        seen = sorted((row.dataset, row.subject) for row in artifact.trained_on)
    assert seen == [("drawn", f"00{n}") for n in range(1, 5)] + [
        ("other", f"00{n}") for n in range(1, 4)
    ]


def test_models_lists_embedders_beside_translators(gaitkit: Callable) -> None:
    ran = gaitkit("models")
    assert ran.code == 0
    assert "translators, for gaitkit train-gan --model NAME" in ran.stdout
    assert "embedders, for gaitkit train-embedding --model NAME" in ran.stdout
    ran = gaitkit("models", "gei-parts")
    for word in ("reads GEIs", "margin", "part_count", "trained with iterations"):
        assert word in ran.stdout
    assert "translators" not in ran.stdout
    told = json.loads(gaitkit("models", "gei-parts", "--json").stdout)
    assert (told["systems"], told["recipes"], [*told["embedders"]]) == ({}, {}, ["gei-parts"])
    assert {"summary", "source", "reads", "training", "settings", "recipes"} == set(
        told["embedders"]["gei-parts"]
    )
    assert json.loads(gaitkit("models", "gaitgan", "--json").stdout)["embedders"] == {}
    ran = gaitkit("models", "gei-part")
    assert (ran.code, "Did you mean 'gei-parts'?" in ran.stderr) == (2, True)


def test_a_model_is_inspected_and_its_history_drawn(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    told = gaitkit("inspect", model).stdout
    for words in (
        "embedder (a trained embedder)",
        "embedder.name = gei-parts",
        "training.people = 2",
        "training.held_out = 001,003",
        "drawn, validation: 2",
    ):
        assert words in told
    assert "weights/" not in told
    assert gaitkit("show", model, "-o", tmp_path / "history.png").code == 0
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_model_becomes_an_onnx_file(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    output = tmp_path / "parts.onnx"
    ran = gaitkit("export", model, "-o", output)
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", f"Wrote {output}.\n")
    with open_artifact(geis) as artifact:
        images = artifact.read("gei")
    session = onnxruntime.InferenceSession(output)
    (found,) = session.run(None, {"geis": images.astype(np.float32)})
    np.testing.assert_allclose(found, load(model, device="cpu").embed(images), atol=1e-4)
    ran = gaitkit("export", model, "-o", tmp_path / "folder")
    assert ran.code == 2
    assert "A model becomes a file that ends in .onnx" in ran.stderr
