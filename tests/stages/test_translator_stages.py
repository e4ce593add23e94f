"""`train` and `translate` over artefacts: what they write, refuse, and go on with."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import ended, start
from trained_once import once

from gaitkit.artifacts import TrainedOn, open_artifact, write_artifact
from gaitkit.errors import (
    ArtifactError,
    DamagedArtifactError,
    MixtureError,
    OptionError,
    OutputExistsError,
    StoppedError,
    TrainingError,
    WrongKindError,
)
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.loop import Callbacks, TrainingOptions
from gaitkit.training.store import load_history
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet, load, train, translate

Write = Callable[..., Path]
SUBJECTS = ("001", "002", "003")
OPTIONS = TrainingOptions(iterations=6, batch_size=4, log_every=2, sample_every=3, sample_count=2)
CONFIG = {"width": 2, "ema_decay": 0.5}


def train_small(geis: Path, output: Path, **changes: Any) -> str:
    how: dict[str, Any] = {
        "subjects": SUBJECTS,
        "config": CONFIG,
        "options": OPTIONS,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
    }
    return train(geis, output, **(how | changes))


trained = once(train_small)


def stop_after(steps: int) -> Callbacks:
    asked = iter(range(steps))
    return Callbacks(stop_requested=lambda: next(asked, None) is None)


def test_train_writes_everything_that_is_needed(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    digest = train_small(geis, output)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["gei.h5", "model.h5"]
    with open_artifact(output, "translator") as model, open_artifact(geis) as source:
        assert model.content_sha256 == digest
        assert model.recompute_content_sha256() == digest
        assert model.inputs == (source.ref(),)
        assert model.trained_on == [TrainedOn("drawn", name, "training") for name in SUBJECTS]
        assert model.parameters["translator"]["name"] == "gaitgan"
        assert model.parameters["translator"]["config"]["image_size"] == [32, 32]
        assert model.parameters["training"]["iterations"] == 6
        assert model.parameters["training"]["subjects"] == list(SUBJECTS)
        assert model.parameters["preprocessing"] == source.parameters
        assert model.parameters["runtime"] == {
            "device": "cpu",
            "precision": "fp32",
            "threads": 1,
            "mode": "eager",
            "processes": 1,
        }
        assert (model.dataset, model.seed, int(model.read("step"))) == ("drawn", 0, 6)
        assert model.shape("history/losses") == (3, *model.shape("history/names"))
        assert model.read("samples/generated").shape == (2, 2, 32, 32)
        first = "encoder.conv1.weight"
        assert model.shape(f"weights/G_average/{first}") == (2, 1, 4, 4)
        assert model.shape(f"optimizer/A/exp_avg_sq/A/layers.{'conv1.weight'}") == (2, 2, 4, 4)
    assert load_history(output).steps == [2, 4, 6]


def test_training_twice_gives_the_same_bytes(tmp_path: Path, write_geis: Write) -> None:
    geis = write_geis()
    for name in ("a.h5", "b.h5"):
        train_small(geis, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_stopped_training_continues_to_the_same_bytes(
    tmp_path: Path, write_geis: Write, steps: int
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    trained(geis, tmp_path / "whole.h5")
    with pytest.raises(StoppedError, match=rf"Stopped after {steps} of 6 iterations"):
        train_small(geis, output, callbacks=stop_after(steps))
    assert not output.exists()
    train_small(geis, output, precision="auto", threads=None)
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not (tmp_path / "model.h5.parts").exists()


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"config": {**CONFIG, "l1_weight": 5.0}}, r"translator\.config\.l1_weight was 0\.0"),
    ({"subjects": ("001", "002")}, r"training\.subjects was \['001', '002', '003'\]"),
    ({"precision": "bf16"}, r"runtime\.precision was fp32, now it is bf16"),
    ({"threads": 2}, r"runtime\.threads was 1, now it is 2"),
    ({"options": TrainingOptions(**{**vars(OPTIONS), "seed": 1})}, r"training\.seed was 0"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_changed_option_is_refused_by_name(
    tmp_path: Path, write_geis: Write, change: dict[str, Any], message: str
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(2))
    with pytest.raises(OptionError, match=message):
        train_small(geis, output, **change)


def test_restart_discards_the_checkpoint(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(2), config={"width": 3})
    train_small(geis, output, restart=True)
    trained(geis, tmp_path / "whole.h5")
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_other_geis_are_not_trained_on(tmp_path: Path, write_geis: Write) -> None:
    output = tmp_path / "model.h5"
    with pytest.raises(StoppedError):
        train_small(write_geis(), output, callbacks=stop_after(2))
    with open_artifact(tmp_path / "gei.h5") as artifact:
        changed = 255 - artifact.read("gei")
    arrays = {"gei": changed, "frames_used": np.zeros(len(changed), dtype=np.int64)}
    with pytest.raises(OptionError, match="input was [0-9a-f]{12}, now it is"):
        train_small(write_geis("other.h5", arrays=arrays), output)


def test_a_finished_output_is_kept(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    digest = train_small(geis, output)
    before = output.read_bytes()
    assert train_small(geis, output) == digest  # Nothing is left to do.
    with pytest.raises(OutputExistsError):
        train_small(geis, output, options=replace(OPTIONS, seed=5))
    assert output.read_bytes() == before
    train_small(geis, output, overwrite=True)
    assert output.read_bytes() == before


def test_nobody_to_train_on_is_an_error(tmp_path: Path, write_geis: Write) -> None:
    with pytest.raises(TrainingError, match="None of the training people is in"):
        train_small(write_geis(), tmp_path / "model.h5", subjects=("099",))
    with pytest.raises(TrainingError, match="at least two people"):
        train_small(write_geis("b.h5"), tmp_path / "model.h5", subjects=("001",))
    assert not (tmp_path / "model.h5").exists()
    assert not (tmp_path / "model.h5.parts").exists()


def test_translate_writes_geis_with_all_that_is_known_of_them(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, model, output = write_geis(), tmp_path / "model.h5", tmp_path / "translated.h5"
    trained(geis, model)
    digest = translate(geis, model, output, device="cpu")
    with open_artifact(output, "gei") as made, open_artifact(geis) as source:
        assert made.content_sha256 == digest == made.recompute_content_sha256()
        expected = load(model, device="cpu").translate(source.read("gei"))
        assert made.dtype("gei") == np.float32
        assert np.array_equal(made.read("gei"), expected)
        assert made.labels.keys() == source.labels.keys()
        assert made.dropped == source.dropped
        for name in ("frames_used", "mirrored"):
            assert np.array_equal(made.read(name), source.read(name))
        with open_artifact(model) as used:
            assert made.inputs == (source.ref(), used.ref())
            assert made.parameters["translator"] == {
                "name": "gaitgan",
                "mode": "faithful",
                "content_sha256": used.content_sha256,
                "weights": "last",
            }
            assert set(made.trained_on) == {*source.trained_on, *used.trained_on}
        assert {name: made.parameters[name] for name in source.parameters} == source.parameters
    assert not (tmp_path / "translated.h5.parts").exists()


def test_geis_of_90_degrees_are_translated_too(tmp_path: Path, write_geis: Write) -> None:
    geis, model, output = write_geis(), tmp_path / "model.h5", tmp_path / "translated.h5"
    trained(geis, model)
    translate(geis, model, output, device="cpu")
    with open_artifact(output) as made, open_artifact(geis) as source:
        side = source.labels.view == 90.0
        difference = np.abs(made.read("gei") - source.read("gei"))[side]
        assert (difference.max(axis=(1, 2)) > 1).all()


def test_a_stopped_translation_continues_from_its_pieces(
    tmp_path: Path, write_geis: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    geis, model, output = write_geis(), tmp_path / "model.h5", tmp_path / "translated.h5"
    trained(geis, model)
    monkeypatch.setattr("gaitkit.stages.translate._GEIS_PER_PIECE", 8)
    translate(geis, model, tmp_path / "whole.h5", device="cpu")

    def stop(done: int, total: int) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate(geis, model, output, device="cpu", progress=stop)
    assert not output.exists()
    pieces = tmp_path / "translated.h5.parts"
    times = {item.name: item.stat().st_mtime_ns for item in pieces.iterdir()}
    assert len(times) == 3
    shutil.copytree(pieces, tmp_path / "kept")
    translate(geis, model, output, device="cpu")
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not pieces.exists()
    # Killed when the output had just got its name, and given again.
    before = output.stat()
    shutil.copytree(tmp_path / "kept", pieces)
    translate(geis, model, output, device="cpu")
    assert (output.stat().st_ino, pieces.exists()) == (before.st_ino, False)
    train_small(geis, model, options=replace(OPTIONS, seed=3), overwrite=True)
    with pytest.raises(OutputExistsError):
        translate(geis, model, output, device="cpu")
    assert output.stat().st_ino == before.st_ino


def other(**changes: Any) -> dict[str, Any]:
    return {
        "silhouettes": {"alignment": "person", "height": 32, "width": 32, **changes},
        "gei": {"min_frames": 5},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parameters": other(alignment="opengait")},
            "silhouettes.alignment is opengait here, person there",
        ),
        ({"parameters": {}}, "gei is nothing here"),
        (
            {"parameters": {**other(), "gei": {"min_frames": 9, "cycles": "whole"}}},
            "gei.cycles is whole here",
        ),
        ({"size": (48, 32)}, "size is 48×32 here, 32×32 there"),
    ],
)
def test_geis_made_in_another_way_are_refused(
    tmp_path: Path, write_geis: Write, changes: dict[str, Any], message: str
) -> None:
    model, output = tmp_path / "model.h5", tmp_path / "translated.h5"
    trained(write_geis(), model)
    with pytest.raises(MixtureError, match=message):
        translate(write_geis("other.h5", **changes), model, output, device="cpu")
    assert not output.exists()
    assert not (tmp_path / "translated.h5.parts").exists()


def test_translated_geis_are_neither_translated_nor_trained_on(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, model, output = write_geis(), tmp_path / "model.h5", tmp_path / "translated.h5"
    trained(geis, model)
    translate(geis, model, output, device="cpu")
    with pytest.raises(MixtureError, match="holds translated GEIs"):
        translate(output, model, tmp_path / "twice.h5", device="cpu")
    with pytest.raises(MixtureError, match="holds translated GEIs"):
        train_small(output, tmp_path / "again.h5")


def test_files_of_another_kind_are_refused(tmp_path: Path, write_geis: Write) -> None:
    geis, model = write_geis(), tmp_path / "model.h5"
    trained(geis, model)
    with pytest.raises(WrongKindError):
        translate(geis, geis, tmp_path / "a.h5", device="cpu")
    with pytest.raises(WrongKindError):
        translate(model, model, tmp_path / "a.h5", device="cpu")


def rewrite(path: Path, output: Path, *, arrays: Any = None, translator: Any = None) -> Path:
    """A model file with a consistent digest but another content, as a stranger could make it."""
    with open_artifact(path, "translator") as model:
        content = {name: model.read(name) for name in model.names() if "trained_on" not in name}
        parameters = {**model.parameters}
    parameters["translator"] = {**parameters["translator"], **(translator or {})}
    content |= arrays or {}
    write_artifact(
        output, kind="translator", arrays=content, parameters=parameters, dataset="drawn"
    )
    return output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"translator": {"name": "os:system"}}, "there is no translator"),
        ({"translator": {"config": {"width": 10**9}}}, r"width must be in \[1, 512\]"),
        ({"translator": {"config": {**CONFIG, "width": 512}}}, "has shape|is missing"),
        ({"translator": {"config": [1]}}, "settings are malformed"),
        ({"translator": {"config": {**CONFIG, "image_size": [96, 96]}}}, "has shape"),
        ({"arrays": {"weights/G/extra": np.zeros(3)}}, "belongs to no network"),
        ({"arrays": {"step": np.zeros(3, dtype=np.int64)}}, "must be one whole number"),
        ({"arrays": {"step": np.array(-1)}}, "the array step must be 0 or more, got -1"),
    ],
)
def test_a_hostile_model_is_refused(
    tmp_path: Path, write_geis: Write, changes: dict[str, Any], message: str
) -> None:
    model = tmp_path / "model.h5"
    trained(write_geis(), model)
    with pytest.raises(DamagedArtifactError, match=message):
        load(rewrite(model, tmp_path / "hostile.h5", **changes), device="cpu")


def test_a_model_is_saved_and_loaded_from_python(tmp_path: Path) -> None:
    keys = [SequenceKey(s, "nm", take, v) for s in "abc" for take in (1, 2) for v in (0.0, 90.0)]
    images = np.random.default_rng(0).integers(0, 256, (len(keys), 64, 64), dtype=np.uint8)
    geis = GeiSet(images, Labels.from_keys(keys))
    config = GaitGANConfig(width=2)
    model = GaitGAN(config, device="cpu").fit(geis, iterations=3, batch_size=4)
    translated = model.translate(geis)
    model.save(tmp_path / "model.h5")
    again = GaitGAN.load(tmp_path / "model.h5", device="cpu")
    assert np.array_equal(again.translate(geis.images), translated)
    assert (again.config, again.steps_done) == (config, 3)
    with pytest.raises(TrainingError, match="Only a trained translator"):
        GaitGAN(config, device="cpu").save(tmp_path / "untrained.h5")


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (np.zeros((2, 8, 8), dtype=np.float32), "must be uint8"),
        (np.zeros((3, 8, 8), dtype=np.uint8), "3 GEIs but 2 labels"),
    ],
)
def test_arrays_that_are_not_geis_are_refused(images: Any, error: str) -> None:
    labels = Labels.from_keys([SequenceKey("a", "nm", take, 90.0) for take in (1, 2)])
    with pytest.raises(OptionError, match=error):
        GeiSet(images, labels)


def train_with_checkpoints(geis: Path, output: Path) -> None:
    train(
        geis,
        output,
        subjects=("001", "002", "003"),
        config={"width": 2},
        options=TrainingOptions(iterations=80, batch_size=4, log_every=10),
        device="cpu",
        threads=1,
        callbacks=Callbacks(checkpoint_every=7),
    )


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_bytes(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    assert ended(start(train_with_checkpoints, geis, tmp_path / "whole.h5")) == 0
    checkpoint = tmp_path / "model.h5.parts" / "checkpoint.h5"
    kills = 0
    for pause in np.random.default_rng(0).uniform(0.0, 0.5, 4):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        child = start(train_with_checkpoints, geis, output)
        # Let it write at least one more checkpoint, so that every round gets further.
        while child.is_alive():
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                time.sleep(pause)
                break
            time.sleep(0.01)
        child.kill()
        kills += ended(child) == -signal.SIGKILL
        if output.exists():
            break
    assert kills >= 1
    if not output.exists():
        assert ended(start(train_with_checkpoints, geis, output)) == 0
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert sorted(item.name for item in tmp_path.glob("model*")) == ["model.h5"]


def test_a_damaged_checkpoint_says_so(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(2))
    checkpoint = tmp_path / "model.h5.parts" / "checkpoint.h5"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match=r"checkpoint\.h5 is cut short"):
        train_small(geis, output)
    train_small(geis, output, restart=True)
