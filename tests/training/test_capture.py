"""Recorded steps give what unrecorded ones give, and one that cannot be recorded does no harm."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.capture import WARM_UP_STEPS, Steps, Values
from gaitkit.translators import GaitGAN, GaitGANConfig
from gaitkit.translators.sampling import TripleSampler

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Pretended:
    """Records like a GPU: nothing is done until the replay, which reads and writes in place."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.recorded = 0

    def beside(self, step: Callable[[], Values]) -> Values:
        return step()

    def record(self, step: Callable[[], Values]) -> tuple[Values, Callable[[], None]]:
        self.recorded += 1
        if self.error is not None:
            raise self.error
        values: Values = {}
        return values, lambda: values.update(step())


class Alternating(GaitGAN):
    """Has two kinds of steps."""

    def step_kind(self) -> Hashable:
        return self.steps_done % 2


def make_sampler(device: str = "cpu") -> TripleSampler:
    keys = [
        SequenceKey(subject, "nm", take, view)
        for subject in ("a", "b", "c")
        for take in (1, 2)
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return TripleSampler(images, Labels.from_keys(keys), device=device)


def make_model(system: type[GaitGAN] = GaitGAN, mode: str = "cuda-graph") -> GaitGAN:
    config = GaitGANConfig(width=2, image_size=(32, 32), ema_decay=0.5)
    model = system(config, device="cpu", precision="fp32", threads=1)
    model.runtime = replace(model.runtime, mode=mode)
    return model


def train(model: GaitGAN, recorder: Pretended | None, count: int = 9) -> list[dict[str, float]]:
    sampler, steps = make_sampler(), Steps(model, recorder)
    rows = []
    for _ in range(count):
        values = steps(sampler.draw(4))
        rows.append({name: value.item() for name, value in values.items()})
        model.steps_done += 1
    return rows


def same(first: GaitGAN, second: GaitGAN) -> bool:
    one, other = first.state_arrays(), second.state_arrays()
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_replayed_steps_give_what_unrecorded_ones_give() -> None:
    plain, recorded, recorder = make_model(mode="eager"), make_model(), Pretended()
    assert train(recorded, recorder) == train(plain, None)
    assert same(recorded, plain)
    assert recorder.recorded == 1
    assert recorded.runtime.mode == "cuda-graph"


def test_every_kind_of_step_is_recorded_by_itself() -> None:
    recorder = Pretended()
    train(make_model(Alternating), recorder, 2 * WARM_UP_STEPS)
    assert recorder.recorded == 0
    plain, recorded = make_model(mode="eager"), make_model(Alternating)
    assert train(recorded, recorder) == train(plain, None)
    assert recorder.recorded == 2
    assert same(recorded, plain)


def test_a_step_that_cannot_be_recorded_is_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plain, recorded = make_model(mode="eager"), make_model()
    recorder = Pretended(RuntimeError("operation not permitted\nwhen stream is capturing"))
    assert train(recorded, recorder) == train(plain, None)
    assert same(recorded, plain)
    assert recorder.recorded == 1
    assert recorded.runtime.as_parameters()["mode"] == "eager"
    expected = "a step cannot be recorded and is done without: operation not permitted"
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_optimisers_are_told_only_while_they_are_recorded() -> None:
    seen: list[Any] = []

    class Looks(Pretended):
        def record(self, step: Callable[[], Values]) -> tuple[Values, Callable[[], None]]:
            seen.append(model.optimizers["G"].param_groups[0]["capturable"])
            return super().record(step)

    model = make_model()
    train(model, Looks())
    assert seen == [True]
    assert not model.optimizers["G"].param_groups[0]["capturable"]


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cuda_graph_gives_what_the_eager_step_gives(precision: str) -> None:
    config = GaitGANConfig(width=16, image_size=(32, 32), ema_decay=0.5)
    models = [
        GaitGAN(config, device="cuda", precision=precision, mode=mode)
        for mode in ("eager", "cuda-graph")
    ]
    for model in models:
        sampler, steps = make_sampler("cuda"), Steps(model)
        with model.runtime.active(training=True):
            for _ in range(10):
                steps(sampler.draw(8))
                model.steps_done += 1
        assert torch.rand(1, device="cuda").isfinite().all()
    eager, graph = models
    assert graph.runtime.mode == "cuda-graph"
    # The weights move by about 1e-4 in each step; cuDNN may add up in another order.
    for name, expected in eager.state_arrays().items():
        if name.startswith("weights/G/") and "tracked" not in name:
            np.testing.assert_allclose(graph.state_arrays()[name], expected, atol=2e-4, rtol=1e-2)


@pytest.mark.cuda
@needs_cuda
def test_a_failed_recording_on_a_gpu_leaves_it_usable() -> None:
    class Waits(GaitGAN):
        def train_step(self, batch: Any) -> Values:
            values = super().train_step(batch)
            values["G.D"].item()  # Not allowed while recording.
            torch.rand(1, device="cuda")
            return values

    config = GaitGANConfig(width=4, image_size=(32, 32))
    model = Waits(config, device="cuda", precision="fp32", mode="cuda-graph")
    sampler, steps = make_sampler("cuda"), Steps(model)
    stream = torch.cuda.current_stream()
    for _ in range(6):
        values = steps(sampler.draw(4))
        model.steps_done += 1
    assert model.runtime.mode == "eager"
    assert torch.cuda.current_stream() == stream
    assert values["G.D"].isfinite()
