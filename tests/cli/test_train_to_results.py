"""train-gan, translate, evaluate, run, demo: run for real, the files they wrote reopened."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_people import draw_tree
from forked import ended, run_command, start_command

from gaitkit.artifacts import open_artifact
from gaitkit.errors import OutputExistsError

SMALL = ["--width", 2, "--batch-size", 4, "--device", "cpu"]
TRAIN = [*SMALL, "--iterations", 6, "--protocol", "halves", "--threads", 1]


@pytest.fixture(scope="module")
def geis(tiny_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from gaitkit.cli.main import cli

    path = tmp_path_factory.mktemp("geis") / "gei.h5"
    ran = CliRunner().invoke(cli, ["make-gei", str(tiny_tree), "-o", str(path), "--workers", "1"])
    assert ran.exit_code == 0, ran.output
    return path


@pytest.fixture(scope="module")
def model(geis: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from gaitkit.cli.main import cli

    path = tmp_path_factory.mktemp("model") / "gaitgan.h5"
    arguments = ["train-gan", geis, "-o", path, *TRAIN]
    ran = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert ran.exit_code == 0, ran.output
    return path


def test_the_model_says_whom_it_has_seen(model: Path, geis: Path) -> None:
    with open_artifact(model, "translator") as artifact, open_artifact(geis) as source:
        seen = [(row.subject, row.role) for row in artifact.trained_on]
        assert seen == [("001", "training"), ("002", "training")]
        assert artifact.inputs == (source.ref(),)
        assert artifact.parameters["preprocessing"]["gei"] == source.parameters["gei"]
    assert not model.with_name("gaitgan.h5.parts").exists()


def test_the_same_seed_gives_the_same_bytes(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    assert gaitkit("train-gan", geis, "-o", tmp_path / "again.h5", *TRAIN).code == 0
    assert (tmp_path / "again.h5").read_bytes() == model.read_bytes()
    ran = gaitkit("train-gan", geis, "-o", tmp_path / "other.h5", *TRAIN, "--seed", 1)
    assert ran.code == 0
    assert (tmp_path / "other.h5").read_bytes() != model.read_bytes()


def test_from_model_to_table(gaitkit: Callable, geis: Path, model: Path, tmp_path: Path) -> None:
    translated, results = tmp_path / "translated.h5", tmp_path / "results.h5"
    assert gaitkit("translate", geis, "--model", model, "-o", translated).code == 0
    with open_artifact(translated, "gei") as artifact, open_artifact(geis) as source:
        assert artifact.dtype("gei") == np.float32
        assert artifact.labels.keys() == source.labels.keys()
        assert {row.subject for row in artifact.trained_on} == {"001", "002"}
    ran = gaitkit(
        "evaluate", translated, "--protocol", "halves", "--json", "--truth", geis, "-o", results
    )
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["protocol"], told["feature"], told["metric"]) == ("halves", "pixels", "euclidean")
    assert told["gallery_views"] == [0, 54, 90]
    matrix = told["conditions"]["nm"]["matrix"]
    assert [len(row) for row in matrix] == [3, 3, 3]
    assert told["conditions"]["nm"]["probes"] == [[4, 4, 4]] * 3
    off_diagonal = [matrix[g][p] for g in range(3) for p in range(3) if g != p]
    assert told["conditions"]["nm"]["mean_excluding_identical"] == pytest.approx(
        np.mean(off_diagonal)
    )
    with open_artifact(results, "identification") as artifact:
        assert artifact.inputs[0].kind == "gei"
    picture = tmp_path / "matrices.png"
    assert gaitkit("show", results, "-o", picture).code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_samples_need_a_folder(
    gaitkit: Callable, geis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    model, samples = tmp_path / "gaitgan.h5", tmp_path / "file" / "samples"
    ran = gaitkit("train-gan", geis, "-o", model, *SMALL, "--samples", samples)
    assert ran.code == 1
    assert "The folder of --samples, " in ran.stderr
    assert "cannot be made: " in ran.stderr
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "locked")
    ran = gaitkit("train-gan", geis, "-o", model, *SMALL, "--samples", tmp_path / "locked")
    assert ran.code == 1
    assert f"no permission to write into {tmp_path / 'locked'}" in ran.stderr
    assert not list(tmp_path.glob("gaitgan.h5*"))


def test_losses_and_samples_are_drawn(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    model = tmp_path / "gaitgan.h5"
    options = [*SMALL, "--iterations", 100, "--sample-every", 50, "--protocol", "halves"]
    ran = gaitkit("train-gan", geis, "-o", model, *options, "--samples", tmp_path / "samples")
    assert ran.code == 0, ran.stderr
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["step-000050.png", "step-000100.png"]
    assert gaitkit("show", model, "-o", tmp_path / "a.png").code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_probe_view_has_the_published_figures_beside_it(gaitkit: Callable, geis: Path) -> None:
    ran = gaitkit("evaluate", geis, "--protocol", "halves", "--probe-view", 54)
    assert ran.code == 0
    assert ran.stdout.count("published, CASIA-B") >= 3
    assert "64.5" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 100


def test_people_whom_the_model_has_seen_are_refused(
    gaitkit: Callable, geis: Path, model: Path, tmp_path: Path
) -> None:
    translated = tmp_path / "translated.h5"
    gaitkit("translate", geis, "--model", model, "-o", translated)
    ran = gaitkit("evaluate", translated, "--protocol", "casia-b-74-50")
    assert ran.code == 1
    assert ran.stdout == ""


def test_geis_made_otherwise_are_refused(
    gaitkit: Callable, tiny_tree: Path, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.h5"
    gaitkit("make-gei", tiny_tree, "-o", other, "--workers", 1, "--alignment", "opengait")
    ran = gaitkit("translate", other, "--model", model, "-o", tmp_path / "t.h5")
    assert ran.code == 1
    assert "alignment is opengait here, person there" in ran.stderr
    assert not (tmp_path / "t.h5").exists()


@pytest.mark.usefixtures("without_curves")
def test_run_does_only_what_is_missing(gaitkit: Callable, tmp_path: Path) -> None:
    work = tmp_path / "work"
    tree = draw_tree(tmp_path / "tree", range(1, 5), ["nm-01", "nm-05", "bg-01", "cl-01"])
    arguments = ["run", tree, "-o", work, *SMALL, "--iterations", 3, "--workers", 1]
    first = gaitkit(*arguments)
    assert first.code == 0, first.stderr
    assert first.stderr.endswith(f"The report, for any browser: {work / 'report.html'}\n")
    names = ["gei.h5", "gaitgan.h5", "translated.h5", "results-raw.h5", "results.h5", "report.html"]
    for name in names:
        assert f"{work / name} is up to date" not in first.stderr
    before = {name: (work / name).read_bytes() for name in names}
    second = gaitkit(*arguments)
    assert second.stdout == first.stdout
    for name in names:
        assert f"{work / name} is up to date" in second.stderr
    (work / "translated.h5").unlink()
    third = gaitkit(*arguments)
    assert f"{work / 'gaitgan.h5'} is up to date" in third.stderr
    assert "Translating" in third.stderr
    assert {name: (work / name).read_bytes() for name in names} == before
    fourth = gaitkit(*arguments, "--embedder", "gei-parts", "--embedder-iterations", 2)
    assert fourth.code == 0, fourth.stderr
    assert f"{work / 'translated.h5'} is up to date" in fourth.stderr
    assert "\nembedded, vectors " in fourth.stdout
    with open_artifact(work / "embedded.h5", "embedding") as artifact:
        assert artifact.parameters["embedder"]["name"] == "gei-parts"


@pytest.mark.slow
@pytest.mark.usefixtures("without_curves")
def test_run_keeps_silhouettes_for_an_embedder_that_reads_them(
    gaitkit: Callable, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    tree = draw_tree(tmp_path / "tree", range(1, 5), ["nm-01", "nm-05"])
    arguments = ["run", tree, "-o", work, *SMALL, "--iterations", 3, "--workers", 1]
    assert gaitkit(*arguments).code == 0
    more = ("--embedder", "gait-phases", "--embedder-iterations", 1)
    ran = gaitkit(*arguments, *more)
    assert ran.code == 0, ran.stderr
    # The same GEIs, made of the silhouettes that the embedder reads: nothing else is done again.
    assert "Normalising silhouettes" in ran.stderr
    assert f"{work / 'gaitgan.h5'} is up to date" in ran.stderr
    with open_artifact(work / "embedded.h5", "embedding") as artifact:
        assert artifact.parameters["embedder"]["name"] == "gait-phases"
    refused = gaitkit("run", work / "gei.h5", "-o", tmp_path / "other", *more)
    assert refused.code == 2
    assert "reads silhouettes" in refused.stderr


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gaitkit", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 0.8, 1.5, 2.5])
def test_a_killed_make_gei_continues_to_the_same_bytes(
    tiny_tree: Path, tmp_path: Path, geis: Path, delay: float
) -> None:
    output = tmp_path / "gei.h5"
    arguments = command("make-gei", tiny_tree, "-o", output, "--workers", 2, "-q")
    root = Path(__file__).parents[2]
    running = subprocess.Popen(arguments, cwd=root, start_new_session=True)
    time.sleep(delay)
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    # A fast machine may be done by then: what has the output's name is whole at any time.
    finished = output.exists()
    if not finished:
        subprocess.run(arguments, cwd=root, check=True)
    assert output.read_bytes() == geis.read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"gei.h5"} or (finished and left == {"gei.h5", "gei.h5.parts"})


LONGER = ["--width", 4, "--batch-size", 8, "--iterations", 40, "--device", "cpu"]
LONGER += ["--threads", 1, "--protocol", "halves", "-q"]


@pytest.fixture(scope="module")
def whole(geis: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training gives that nothing stops."""
    path = tmp_path_factory.mktemp("whole") / "whole.h5"
    assert run_command(["train-gan", geis, "-o", path, *LONGER]) == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_training_continues_to_the_same_bytes(
    geis: Path, whole: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    broken, said = tmp_path / "broken.h5", tmp_path / "said.txt"
    arguments = ["train-gan", geis, "-o", broken, *LONGER, "--checkpoint-every", 5]
    running = start_command(arguments, said)
    checkpoint = tmp_path / "broken.h5.parts" / "checkpoint.h5"
    while not checkpoint.exists() and running.is_alive():
        time.sleep(0.02)
    assert running.pid is not None
    os.kill(running.pid, stop)
    assert ended(running) == (130 if stop == signal.SIGTERM else -stop)
    assert not broken.exists()
    if stop == signal.SIGTERM:
        assert "Give the same command again to continue." in said.read_text(encoding="utf-8")
    assert run_command(arguments) == 0
    assert broken.read_bytes() == whole.read_bytes()


def test_the_demo_leaves_a_folder_of_somebody_alone(gaitkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("written in a year")
    ran = gaitkit("demo", "-o", tmp_path)
    assert ran.code == OutputExistsError.exit_code
    assert f"{tmp_path} exists, is not empty and holds no demo" in ran.stderr
    # Walkers that are none of ours are refused likewise.
    (tmp_path / "walkers").mkdir()
    (tmp_path / "walkers" / "dog.png").write_text("a good one")
    assert gaitkit("demo", "-o", tmp_path).code == OutputExistsError.exit_code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex", "walkers"]


@pytest.mark.slow
def test_the_demo_runs_from_nothing_to_the_table(gaitkit: Callable, tmp_path: Path) -> None:
    ran = gaitkit("demo", "-o", tmp_path / "d", "--subjects", 8, "--iterations", 5, "--workers", 2)
    assert ran.code == 0, ran.stderr
    assert "raw, pixels" in ran.stdout
    assert "translated, lda" in ran.stdout
    assert (tmp_path / "d" / "embedded.h5").is_file()
    assert (tmp_path / "d" / "gei.png").is_file()
    assert ran.stderr.endswith(f"The report, for any browser: {tmp_path / 'd' / 'report.html'}\n")
    listed = ran.stdout.partition(f"In {tmp_path / 'd'}:\n")[2].splitlines()
    assert {line.split()[0].rstrip("/") for line in listed} < {
        path.name for path in (tmp_path / "d").iterdir()
    }
    assert max(map(len, listed)) <= 80
