"""The loop: stops and goes on bit for bit, notices NaN, and needs to know no system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from gaitkit.errors import DamagedArtifactError, DeviceError, OptionError, TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.health import panel_of
from gaitkit.training.history import History
from gaitkit.training.loop import Callbacks, Training, TrainingOptions
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet
from gaitkit.translators.aim import Aim
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig, setting
from gaitkit.translators.sampling import Batch

OPTIONS = {"iterations": 7, "batch_size": 4, "log_every": 3, "sample_every": 4, "sample_count": 2}


def small_geis(size: tuple[int, int] = (32, 32)) -> GeiSet:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), *size), dtype=np.uint8)
    return GeiSet(images, Labels.from_keys(keys), "drawn")


def small_gan(**changes: Any) -> GaitGAN:
    config = GaitGANConfig(width=2, image_size=(32, 32), ema_decay=0.5, **changes)
    return GaitGAN(config, device="cpu", threads=1)


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_a_stopped_training_goes_on_bit_for_bit(stop_at: int) -> None:
    whole = small_gan().fit(small_geis(), **OPTIONS)
    kept: dict[str, Any] = {}
    first = Training(small_gan(), small_geis(), TrainingOptions(**OPTIONS))
    stopped = first.run(
        Callbacks(
            on_checkpoint=lambda training: kept.update(training.arrays()),
            stop_requested=lambda: first.step >= stop_at,
        )
    )
    assert (stopped, first.step) == (False, stop_at)
    second = Training(small_gan(), small_geis(), TrainingOptions(**OPTIONS))
    second.load_arrays(kept)
    assert second.run()
    assert whole.training is not None
    assert same(second.arrays(), whole.training.arrays())


def test_more_iterations_go_on_bit_for_bit() -> None:
    whole = small_gan().fit(small_geis(), **OPTIONS)
    short = Training(small_gan(), small_geis(), TrainingOptions(**{**OPTIONS, "iterations": 4}))
    short.run()
    longer = Training(small_gan(), small_geis(), TrainingOptions(**OPTIONS))
    longer.load_arrays(short.arrays())
    longer.run()
    assert whole.training is not None
    assert same(longer.arrays(), whole.training.arrays())


def test_the_interval_of_checkpoints_does_not_matter() -> None:
    results = []
    for every in (1, 100):
        training = Training(small_gan(), small_geis(), TrainingOptions(**OPTIONS))
        training.run(Callbacks(on_checkpoint=lambda _: None, checkpoint_every=every))
        results.append(training.arrays())
    assert same(*results)


def test_fewer_iterations_than_done_are_refused() -> None:
    done = small_gan().fit(small_geis(), **OPTIONS)
    assert done.training is not None
    other = Training(small_gan(), small_geis(), TrainingOptions(**{**OPTIONS, "iterations": 5}))
    with pytest.raises(OptionError, match="7 iterations are done already, but 5 were asked for"):
        other.load_arrays(done.training.arrays())


def test_history_holds_window_means_and_samples() -> None:
    calls: list[tuple[int, int, dict[str, float]]] = []
    sheets: list[tuple[int, tuple[int, ...]]] = []
    callbacks = Callbacks(
        on_progress=lambda *row: calls.append(row),
        on_samples=lambda step, source, *_: sheets.append((step, source.shape)),
    )
    training = small_gan().fit(small_geis(), callbacks=callbacks, **OPTIONS).training
    assert training is not None
    history = training.history
    critic = ["target", "unrelated", "generated"]
    losses = [name for name in history.names if panel_of(name) == "loss"]
    assert losses == [*(f"D.{x}" for x in critic), *(f"A.{x}" for x in critic), "G.D", "G.A"]
    assert {"accuracy.D.target", "gradient.G", "spread.G"} <= set(history.names)
    assert history.steps == [3, 6]
    assert [(step, total) for step, total, _ in calls] == [(3, 7), (6, 7), (7, 7)]
    assert list(calls[0][2].values()) == history.losses[0]
    assert history.sample_steps == [4]
    assert sheets == [(4, (2, 32, 32)), (7, (2, 32, 32))]
    again = History.from_arrays(dict(training.history.arrays()))
    assert (again.steps, again.losses) == (history.steps, history.losses)


def test_samples_are_of_the_same_person() -> None:
    training = small_gan().fit(small_geis(), **OPTIONS).training
    assert training is not None
    history, geis = training.history, small_geis()

    def owners(images: Any) -> list[str]:
        rows = [int(np.flatnonzero((geis.images == image).all((1, 2)))[0]) for image in images]
        return [str(geis.labels.subject[row]) for row in rows]

    assert owners(history.sources) == owners(history.targets)


def test_the_callers_random_state_and_threads_are_left_alone() -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    small_gan().fit(small_geis(), **OPTIONS)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_nan_stops_with_advice_and_writes_no_checkpoint() -> None:
    model = small_gan()
    training = Training(model, small_geis(), TrainingOptions(**OPTIONS))
    with torch.no_grad():
        model.networks["D"].layers.conv1.weight[0, 0, 0, 0] = torch.nan
    written: list[int] = []
    with pytest.raises(TrainingError, match=r"the loss D\.target is nan") as caught:
        training.run(
            Callbacks(checkpoint_every=1, on_checkpoint=lambda done: written.append(done.step))
        )
    assert "lower learning rate" in str(caught.value.hint)
    assert written == []


VALIDATED = {**OPTIONS, "validation_subjects": 2, "validate_every": 2}


def more_geis() -> GeiSet:
    keys = [
        SequenceKey(subject, condition, take, view)
        for subject in "abcde"
        for condition, take in (("nm", 1), ("nm", 2), ("cl", 1))
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(2).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return GeiSet(images, Labels.from_keys(keys), "drawn")


def test_validation_scores_every_so_often_and_keeps_the_best() -> None:
    training = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    told: list[tuple[int, float]] = []
    states: dict[int, Any] = {}

    def keep(step: int, score: float, rates: dict[str, float]) -> None:
        told.append((step, score))
        states[step] = training.model.state_arrays()
        assert list(rates) == ["cl", "nm"]

    training.run(Callbacks(on_validation=keep))
    history, best = training.history, training.best
    assert history.validation_steps == [2, 4, 6, 7]
    assert told == list(zip(history.validation_steps, history.validation_scores, strict=True))
    assert np.mean(history.validation_rates, axis=1).tolist() == history.validation_scores
    assert best is not None
    assert best.score == max(history.validation_scores)
    assert best.step == told[history.validation_scores.index(best.score)][0]
    assert {name.split("/")[1] for name in best.weights} == {"G_average"}
    for name, array in best.weights.items():
        assert np.array_equal(array, states[best.step][name])


def test_held_out_people_leave_no_trace_in_the_weights() -> None:
    validated = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    validated.run()
    others = set("abcde") - set(validated.held_out)
    plain = small_gan().fit(more_geis().of_subjects(others), **OPTIONS)
    assert same(validated.model.state_arrays(), plain.state_arrays())


@pytest.mark.parametrize("stop_at", [1, 2, 5])
def test_a_stopped_validated_training_goes_on_bit_for_bit(stop_at: int) -> None:
    options = TrainingOptions(**VALIDATED)
    whole = Training(small_gan(), more_geis(), options)
    whole.run()
    first = Training(small_gan(), more_geis(), options)
    first.run(Callbacks(stop_requested=lambda: first.step >= stop_at))
    second = Training(small_gan(), more_geis(), options)
    second.load_arrays(first.arrays())
    second.run()
    assert same(second.arrays(), whole.arrays())


@pytest.mark.parametrize("name", ["best/step", "best/score", "validation/rates"])
def test_an_incomplete_score_is_refused(name: str) -> None:
    done = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    done.run()
    arrays = done.arrays()
    del arrays[name]
    again = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    with pytest.raises(DamagedArtifactError, match="not well-formed"):
        again.load_arrays(arrays)


@pytest.mark.parametrize(
    "name",
    [
        "step",
        "best/step",
        "history/step",
        "history/window_count",
        "samples/step",
        "validation/step",
        "optimizer/G/step/",
    ],
)
def test_a_step_below_0_is_refused(name: str) -> None:
    done = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    done.run()
    arrays = done.arrays()
    for full in [full for full in arrays if full.startswith(name)]:
        arrays[full] = np.full_like(arrays[full], -1)
    again = Training(small_gan(), more_geis(), TrainingOptions(**VALIDATED))
    with pytest.raises(DamagedArtifactError, match=r"0 or more|below 0"):
        again.load_arrays(arrays)


@pytest.mark.parametrize("name", ["step", "random/sampler", "random/cpu"])
def test_an_incomplete_checkpoint_is_refused(name: str) -> None:
    done = small_gan().fit(small_geis(), **OPTIONS)
    assert done.training is not None
    arrays = done.training.arrays()
    del arrays[name]
    other = Training(small_gan(), small_geis(), TrainingOptions(**OPTIONS))
    with pytest.raises(DamagedArtifactError, match=f"the array {name} is missing"):
        other.load_arrays(arrays)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be a whole number in"),
        ({"batch_size": 1}, "batch_size must be a whole number in"),
        ({"log_every": 2.5}, "log_every must be a whole number in"),
    ],
)
def test_options_are_bounded(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TrainingOptions(**options)


def test_geis_of_another_size_are_refused() -> None:
    with pytest.raises(OptionError, match=r"take GEIs of \(32, 32\) pixels, these have \(64, 64\)"):
        small_gan().fit(small_geis((64, 64)), **OPTIONS)


@dataclass(frozen=True)
class BlurConfig(TranslatorConfig):
    rate: float = setting(0.1, 0, 1, "step size")


class Blur(Translator[BlurConfig]):
    """A system that the loop has never heard of: one kernel, dropout, plain descent."""

    name: ClassVar[str] = "blur"
    config_class: ClassVar[type[TranslatorConfig]] = BlurConfig

    @staticmethod
    def build_networks(config: BlurConfig) -> dict[str, nn.Module]:
        kernel = nn.Conv2d(1, 1, 5, padding=2)
        return {"blur": nn.Sequential(nn.Dropout(0.2), kernel)}

    def init_weights(self, generator: torch.Generator) -> None:
        for weight in self.networks["blur"].parameters():
            weight.data.normal_(0, 0.1, generator=generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        weights = self.networks["blur"].parameters()
        return {"blur": torch.optim.SGD(weights, self.config.rate, momentum=0.9)}

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        loss = (self.networks["blur"](batch.source) - batch.target).square().mean()
        self.update("blur", loss)
        return {"square": loss.detach()}

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        return self.networks["blur"](images).clamp(-1, 1)


def test_another_system_trains_and_goes_on_bit_for_bit() -> None:
    config = BlurConfig(image_size=(32, 32))
    options = TrainingOptions(**{**OPTIONS, "iterations": 40})
    whole = Training(Blur(config, device="cpu", threads=1), small_geis(), options)
    whole.run()
    assert whole.history.losses[-1][0] < whole.history.losses[0][0]
    half = Training(Blur(config, device="cpu", threads=1), small_geis(), options)
    half.run(Callbacks(stop_requested=lambda: half.step == 17))
    rest = Training(Blur(config, device="cpu", threads=1), small_geis(), options)
    rest.load_arrays(half.arrays())
    rest.run()
    assert same(rest.arrays(), whole.arrays())


class Flat(Blur):
    """Gives everybody the same image, and says so."""

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {**super().train_step(batch), "spread.blur": torch.tensor(0.01)}


def test_a_collapse_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitkit.training.health.SETTLING_STEPS", 4)
    training = Training(
        Flat(BlurConfig(image_size=(32, 32)), device="cpu"),
        small_geis(),
        TrainingOptions(**{**OPTIONS, "iterations": 40, "log_every": 2}),
    )
    with pytest.raises(TrainingError, match="Training has collapsed by iteration 14"):
        training.run()
    assert training.step == 14


def test_one_image_for_all_is_told_at_the_end_of_a_short_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for system in (Blur, Flat):
        model = system(BlurConfig(image_size=(32, 32)), device="cpu")
        Training(model, small_geis(), TrainingOptions(**OPTIONS)).run()
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == (system is Flat)
    assert "differ from each other 1.0 % as much as the true ones (spread.blur)" in told[0]


class Lost(Blur):
    """Its device goes away in the fourth step."""

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self.steps_done == 3:
            raise RuntimeError(self.reason)
        return super().train_step(batch)

    reason = "CUDA error: unspecified launch failure"


class Faulty(Lost):
    """Its author made a mistake."""

    reason = "mat1 and mat2 shapes cannot be multiplied"


def test_a_lost_device_is_no_fault_of_the_program() -> None:
    config, options = BlurConfig(image_size=(32, 32)), TrainingOptions(**OPTIONS)
    with pytest.raises(DeviceError, match="The device failed at iteration 4: CUDA error"):
        Training(Lost(config, device="cpu"), small_geis(), options).run()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        Training(Faulty(config, device="cpu"), small_geis(), options).run()
