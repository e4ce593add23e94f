"""`train` over artefacts: validated, refitted, trained on, and what a failure leaves behind."""

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
from full_disk import largest_file
from trained_once import once

from gaitkit.artifacts import TrainedOn, open_artifact, write_artifact
from gaitkit.errors import DeviceError, OptionError, OutputError, OutputExistsError, StoppedError
from gaitkit.training.loop import Callbacks
from gaitkit.training.store import load_history, recorded_model, refuse_resuming, training_summary
from gaitkit.translators import GaitGAN, GaitGANConfig, load, train, translate
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.registry import TRANSLATOR

Write = Callable[..., Path]
SUBJECTS = ("001", "002", "003", "004")
OPTIONS = TranslatorOptions(iterations=6, batch_size=4, log_every=4, sample_every=4, sample_count=2)
VALIDATED = replace(OPTIONS, validation_subjects=2, validate_every=2)


def train_small(geis: Path, output: Path, **changes: Any) -> str:
    how: dict[str, Any] = {
        "subjects": SUBJECTS,
        "config": {"width": 2},
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


def test_a_validated_model_keeps_its_best_and_its_last_weights(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    trained(geis, output, options=VALIDATED)
    history = load_history(output)
    with open_artifact(output, "translator") as model:
        held_out = model.parameters["training"]["held_out"]
        assert len(held_out) == 2
        roles = {row.subject: row.role for row in model.trained_on}
        assert roles == {
            name: "validation" if name in held_out else "training" for name in SUBJECTS
        }
        best = int(model.read("best/step"))
        assert float(model.read("best/score")) == max(history.validation_scores)
        kernel = "G/encoder.conv1.weight"
        wanted = {
            "best": model.read(f"best/weights/{kernel}"),
            "last": model.read(f"weights/{kernel}"),
        }
    for weights, step in (("best", best), ("last", 6), (None, best)):
        loaded = load(output, device="cpu", weights=weights)
        assert loaded.steps_done == step
        found = loaded.networks["G"].state_dict()["encoder.conv1.weight"].numpy()
        assert np.array_equal(found, wanted[weights or "best"])


def test_translations_say_which_weights_they_are_from(tmp_path: Path, write_geis: Write) -> None:
    geis, model = write_geis(), tmp_path / "model.h5"
    trained(geis, model, options=VALIDATED)
    for weights in ("best", "last", None):
        output = tmp_path / f"{weights}.h5"
        translate(geis, model, output, device="cpu", weights=weights)
        with open_artifact(output) as made:
            assert made.parameters["translator"]["weights"] == (weights or "best")
            expected = load(model, device="cpu", weights=weights).translate(
                np.asarray(open_artifact(geis).read("gei"))
            )
            assert np.array_equal(made.read("gei"), expected)


def test_the_best_weights_of_a_model_without_validation_are_refused(
    tmp_path: Path, write_geis: Write
) -> None:
    output = tmp_path / "model.h5"
    trained(write_geis(), output)
    with pytest.raises(OptionError, match="has no best weights"):
        load(output, device="cpu", weights="best")
    with pytest.raises(OptionError, match="weights must be best or last, got 'first'"):
        load(output, device="cpu", weights="first")


def test_a_refit_is_a_plain_training_of_the_best_length(tmp_path: Path, write_geis: Write) -> None:
    geis, output, plain = write_geis(), tmp_path / "refit.h5", tmp_path / "plain.h5"
    digest = train_small(geis, output, options=VALIDATED, refit=True)
    with open_artifact(output, "translator") as model:
        refit = dict(model.parameters["refit"])
        steps = refit["best_step"]
        assert (refit["iterations"], refit["validate_every"]) == (6, 2)
        assert set(refit["held_out"]) < set(SUBJECTS)
        assert model.trained_on == [TrainedOn("drawn", name, "training") for name in SUBJECTS]
        assert model.parameters["training"]["iterations"] == steps
    assert train_small(geis, plain, options=replace(OPTIONS, iterations=steps)) == digest
    trained(geis, tmp_path / "validated.h5", options=VALIDATED)
    told = training_summary(tmp_path / "validated.h5", TRANSLATOR)["validation"]
    assert (told["best_step"], told["best_score"]) == (steps, refit["best_score"])
    assert told["subjects"] == refit["held_out"]
    assert sorted(item.name for item in tmp_path.glob("refit*")) == ["refit.h5"]


def test_a_refit_takes_the_course_of_the_training_that_was_validated(
    tmp_path: Path, write_geis: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes by parts of a training, as falling step sizes, is not pressed together."""
    lengths = []
    meet = GaitGAN.meet

    def told(self: GaitGAN, sampler: Any, iterations: int) -> None:
        lengths.append(iterations)
        meet(self, sampler, iterations)

    monkeypatch.setattr(GaitGAN, "meet", told)
    output = tmp_path / "refit.h5"
    train_small(write_geis(), output, options=VALIDATED, refit=True)
    assert lengths == [6, 6]


def test_a_refit_stopped_in_either_phase_continues_to_the_same_bytes(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, whole, output = write_geis(), tmp_path / "whole.h5", tmp_path / "model.h5"
    trained(geis, whole, options=VALIDATED, refit=True)
    for steps in (1, 4, 2):
        with pytest.raises(StoppedError):
            train_small(geis, output, options=VALIDATED, refit=True, callbacks=stop_after(steps))
    assert sorted(item.name for item in (tmp_path / "model.h5.parts").iterdir()) == [
        "checkpoint.h5",
        "refit.h5",
    ]
    train_small(geis, output, options=VALIDATED, refit=True, precision="auto", threads=None)
    assert output.read_bytes() == whole.read_bytes()


def test_a_refit_needs_validation(tmp_path: Path, write_geis: Write) -> None:
    with pytest.raises(OptionError, match="A refit needs a validated training") as caught:
        train_small(write_geis(), tmp_path / "model.h5", refit=True)
    assert "`validation_subjects`" in str(caught.value.hint)


@pytest.mark.parametrize("first", [3, 4, 7])
def test_a_finished_model_is_trained_on_to_the_same_bytes(
    tmp_path: Path, write_geis: Write, first: int
) -> None:
    geis, whole, output = write_geis(), tmp_path / "whole.h5", tmp_path / "model.h5"
    trained(geis, whole, options=replace(OPTIONS, iterations=9))
    trained(geis, output, options=replace(OPTIONS, iterations=first))
    finished = output.read_bytes()
    more = {"options": replace(OPTIONS, iterations=9), "resume": True}
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(1), **more)
    assert output.read_bytes() == finished
    train_small(geis, output, precision="auto", threads=None, **more)
    assert output.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "model.h5.parts").exists()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"options": VALIDATED},
        {"options": VALIDATED, "refit": True},
        {"precision": "auto", "threads": None},
    ],
    ids=["plain", "validated", "refit", "as it was"],
)
def test_a_finished_training_is_known_as_finished(
    tmp_path: Path, write_geis: Write, how: dict[str, Any]
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(2), **how)
    parts = tmp_path / "model.h5.parts"
    left = shutil.copytree(parts, tmp_path / "left")
    digest = train_small(geis, output, **how)
    before = output.stat()
    left.rename(parts)  # As if it had been killed just before these were removed.
    assert train_small(geis, output, **how) == digest
    assert (output.stat().st_ino, parts.exists()) == (before.st_ino, False)
    for change in (
        {"options": replace(how.get("options", OPTIONS), seed=1)},
        {"options": replace(how.get("options", OPTIONS), iterations=8)},
        {"config": {"width": 3}},
        {"subjects": SUBJECTS[:-1]},
        {"precision": "fp64"},
        {"refit": not how.get("refit", False), "options": VALIDATED},
    ):
        with pytest.raises(OutputExistsError):
            train_small(geis, output, **{**how, **change})
    assert output.stat().st_ino == before.st_ino


def test_files_from_before_a_setting_was_there_are_gone_on_from(
    tmp_path: Path, write_geis: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    geis = write_geis()
    later = {"linear_share", "views", "directions"}
    with monkeypatch.context() as before:
        known = GaitGANConfig.as_parameters
        before.setattr(
            GaitGANConfig,
            "as_parameters",
            lambda self: {name: value for name, value in known(self).items() if name not in later},
        )
        finished = train_small(geis, tmp_path / "model.h5")
        with pytest.raises(StoppedError):
            train_small(geis, tmp_path / "stopped.h5", callbacks=stop_after(2))
    with open_artifact(tmp_path / "model.h5") as artifact:
        assert not later & set(artifact.parameters["translator"]["config"])
    # What was finished is left as it is; what was stopped ends as a training of today does.
    assert train_small(geis, tmp_path / "model.h5") == finished
    train_small(geis, tmp_path / "stopped.h5")
    train_small(geis, tmp_path / "today.h5")
    assert (tmp_path / "stopped.h5").read_bytes() == (tmp_path / "today.h5").read_bytes()


def test_a_training_on_that_is_done_is_known_by_what_it_left(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    trained(geis, output)
    more = {"options": replace(OPTIONS, iterations=9), "resume": True}
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(1), **more)
    left = shutil.copytree(tmp_path / "model.h5.parts", tmp_path / "left")
    digest = train_small(geis, output, **more)
    left.rename(tmp_path / "model.h5.parts")
    assert train_small(geis, output, **more) == digest
    assert sorted(item.name for item in tmp_path.iterdir()) == [geis.name, "model.h5"]


def test_a_folder_of_the_users_own_is_no_place_for_checkpoints(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, own = write_geis(), tmp_path / "model.h5.parts"
    own.mkdir()
    (own / "thesis.tex").write_text("years of work")
    for restart in (False, True):
        with pytest.raises(OutputError, match="was not made by gaitkit"):
            train_small(geis, tmp_path / "model.h5", restart=restart)
    assert [item.name for item in own.iterdir()] == ["thesis.tex"]


def test_a_validated_model_is_trained_on_with_its_best(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    trained(geis, output, options=VALIDATED)
    before = load_history(output).validation_scores
    train_small(geis, output, options=replace(VALIDATED, iterations=8), resume=True)
    after = load_history(output)
    assert after.validation_steps == [2, 4, 6, 8]
    assert after.validation_scores[:3] == before
    with open_artifact(output) as model:
        assert float(model.read("best/score")) == max(after.validation_scores)


@pytest.mark.parametrize("training", [{}, {"training": {"iterations": "six"}}])
def test_a_model_that_does_not_say_how_long_it_learned_is_not_trained_on(
    tmp_path: Path, training: dict[str, Any]
) -> None:
    model = tmp_path / "model.h5"
    write_artifact(
        model,
        kind="translator",
        arrays={"step": np.array(6)},
        parameters={"translator": {"name": "gaitgan"}, **training},
        dataset="made-up",
    )
    with pytest.raises(OptionError, match="does not tell for how many iterations"):
        refuse_resuming(model, TRANSLATOR, 9, refit=False)


def test_training_on_in_another_way_is_refused_by_name(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    trained(geis, output)
    before = output.read_bytes()
    changes: list[tuple[dict[str, Any], str]] = [
        ({"config": {"width": 3}}, r"translator\.config\.width was 2, now it is 3"),
        ({"options": replace(OPTIONS, iterations=9, seed=1)}, r"training\.seed was 0"),
        ({"options": replace(VALIDATED, iterations=9)}, r"training\.validate_every was 500"),
        ({"precision": "bf16"}, r"runtime\.precision was fp32, now it is bf16"),
        ({"options": OPTIONS}, "has been trained for 6 iterations, and 6 were asked for"),
        ({"options": VALIDATED, "refit": True}, "A refit cannot be resumed"),
    ]
    for change, message in changes:
        options = {"options": replace(OPTIONS, iterations=9), **change}
        with pytest.raises(OptionError, match=message):
            train_small(geis, output, resume=True, **options)
    with pytest.raises(OptionError, match="there is no finished training to resume"):
        train_small(geis, tmp_path / "none.h5", resume=True)
    assert output.read_bytes() == before


def test_a_file_says_how_it_was_trained(tmp_path: Path, write_geis: Write) -> None:
    output = tmp_path / "model.h5"
    trained(write_geis(), output)
    recorded = recorded_model(output, TRANSLATOR)
    assert (recorded.name, recorded.subjects) == ("gaitgan", list(SUBJECTS))
    assert TranslatorOptions(**recorded.options) == OPTIONS
    assert recorded.config["width"] == 2
    summary = training_summary(output, TRANSLATOR)
    assert (summary["iterations"], summary["validation"], summary["refit"]) == (6, None, None)
    assert {"D.target", "G.A"} <= set(summary["last"])


def test_a_lost_device_leaves_the_last_checkpoint(
    tmp_path: Path, write_geis: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    geis, whole, output = write_geis(), tmp_path / "whole.h5", tmp_path / "model.h5"
    trained(geis, whole)
    step = GaitGAN.train_step

    def fail(self: GaitGAN, batch: Any) -> Any:
        if self.steps_done == 5:
            raise RuntimeError("CUDA error: the launch timed out and was terminated")
        return step(self, batch)

    monkeypatch.setattr(GaitGAN, "train_step", fail)
    with pytest.raises(DeviceError, match="The device failed at iteration 6") as caught:
        train_small(geis, output, callbacks=Callbacks(checkpoint_every=2))
    assert "checkpoint.h5, is whole: the same command continues" in str(caught.value.hint)
    with open_artifact(tmp_path / "model.h5.parts" / "checkpoint.h5", "checkpoint") as last:
        assert int(last.read("step")) == 4
    monkeypatch.undo()
    train_small(geis, output)
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("left", [0, 4_000, 60_000])
def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, write_geis: Write, left: int
) -> None:
    geis, whole, output = write_geis(), tmp_path / "whole.h5", tmp_path / "model.h5"
    trained(geis, whole)
    with pytest.raises(StoppedError):
        train_small(geis, output, callbacks=stop_after(2))
    checkpoint = tmp_path / "model.h5.parts" / "checkpoint.h5"
    before = checkpoint.read_bytes()
    assert len(before) > left
    with largest_file(left), pytest.raises(OutputError, match="cannot be written") as caught:
        train_small(geis, output, callbacks=Callbacks(checkpoint_every=2))
    assert "is whole: the same command continues" in str(caught.value.hint)
    assert checkpoint.read_bytes() == before
    assert [item.name for item in checkpoint.parent.iterdir()] == ["checkpoint.h5"]
    train_small(geis, output)
    assert output.read_bytes() == whole.read_bytes()


def test_a_full_disk_leaves_no_empty_folder(tmp_path: Path, write_geis: Write) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    with largest_file(4_000), pytest.raises(OutputError, match="cannot be written") as caught:
        train_small(geis, output)
    assert "There is no checkpoint yet" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == [geis]


def refit_with_checkpoints(geis: Path, output: Path) -> None:
    options = TranslatorOptions(
        iterations=60, batch_size=4, log_every=10, validation_subjects=2, validate_every=15
    )
    train(
        geis,
        output,
        subjects=("001", "002", "003", "004"),
        refit=True,
        config={"width": 2},
        options=options,
        device="cpu",
        precision="fp32",
        threads=1,
        callbacks=Callbacks(checkpoint_every=4),
    )


@pytest.mark.slow
def test_a_refit_killed_in_both_phases_continues_to_the_same_bytes(
    tmp_path: Path, write_geis: Write
) -> None:
    geis, output = write_geis(), tmp_path / "model.h5"
    assert ended(start(refit_with_checkpoints, geis, tmp_path / "whole.h5")) == 0
    folder = tmp_path / "model.h5.parts"
    generator = np.random.default_rng(3)
    killed: set[str] = set()
    for name in ("checkpoint.h5", "checkpoint.h5", "refit.h5", "refit.h5"):
        checkpoint = folder / name
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        child = start(refit_with_checkpoints, geis, output)
        # Let it write at least one more checkpoint of this phase, so that every round gets further.
        while child.is_alive():
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                time.sleep(generator.uniform(0.0, 0.15))
                break
            time.sleep(0.005)
        child.kill()
        if ended(child) == -signal.SIGKILL:
            killed.add(name)
        if output.exists():
            break
    assert killed == {"checkpoint.h5", "refit.h5"}
    if not output.exists():
        assert ended(start(refit_with_checkpoints, geis, output)) == 0
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert sorted(item.name for item in tmp_path.glob("model*")) == ["model.h5"]
