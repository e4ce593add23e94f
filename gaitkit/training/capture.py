"""Training steps recorded once on the GPU and replayed, each with a single launch.

A step of GaitGAN is more than a thousand short kernels, and Python starts them one by one more
slowly than a large GPU computes them. A CUDA graph holds them all. It was preferred to
``torch.compile``, which also fuses the element-wise operations but spends its time where GaitGAN
spends it least (nearly all of it goes into convolutions, which are cuDNN's either way), needs a
compiler on the machine and minutes to begin, and computes other last bits than the uncompiled step.
A graph replays the very kernels of the step it was recorded from.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch

from gaitkit.training.sampling import TensorBatch

if TYPE_CHECKING:
    from gaitkit.training.model import Model

__all__ = ["WARM_UP_STEPS", "CudaGraphs", "Recorder", "Steps", "Values"]

_log = logging.getLogger(__name__)

WARM_UP_STEPS = 3
"""Steps of each kind that are done before one is recorded: libraries choose their algorithms and
optimisers make their state in them."""

Values = dict[str, torch.Tensor]


class Recorder(Protocol):
    """What records a step; `CudaGraphs` but in tests."""

    def beside(self, step: Callable[[], Values]) -> Values:
        """Do a step where later ones will be recorded."""

    def record(self, step: Callable[[], Values]) -> tuple[Values, Callable[[], None]]:
        """Record a step without doing it: its results, and what does it."""


class Steps:
    """The training steps of one model, replayed from recordings where its runtime says so.

    Warm-up steps are training steps like any other. When a step cannot be recorded, a line in the
    log says so and the training goes on without: recording does nothing to the state.

    Recordings hold the addresses of weights and optimiser states: after
    `Model.load_state_arrays`, make new `Steps`.

    Parameters
    ----------
    model : Model
        Its weights are changed by each call.
    recorder : Recorder, optional
        `CudaGraphs` when left out.
    """

    def __init__(self, model: Model[Any], recorder: Recorder | None = None) -> None:
        self._model = model
        self._recorder = recorder
        self._done: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, _Recording] = {}

    def __call__(self, batch: TensorBatch) -> Values:
        """Do one step; what `Model.train_step` returns, valid until the next call."""
        model = self._model
        model.before_step()
        if model.runtime.mode == "eager":
            return model.train_step(batch)
        if self._recorder is None:
            self._recorder = CudaGraphs()
        kind = model.step_kind()
        self._done[kind] += 1
        if self._done[kind] <= WARM_UP_STEPS:
            return self._recorder.beside(lambda: model.train_step(batch))
        if kind not in self._recordings:
            recording = self._try_to_record(self._recorder, batch)
            if recording is None:
                return model.train_step(batch)
            self._recordings[kind] = recording
        return self._recordings[kind](batch)

    def _try_to_record(self, recorder: Recorder, batch: TensorBatch) -> _Recording | None:
        model = self._model
        place = batch.copy()
        try:
            with _optimizers_on_device(model.optimizers):
                values, replay = recorder.record(lambda: model.train_step(place))
        except Exception as error:
            # Whatever it was: the step itself follows at once, unrecorded, and raises what is an
            # error of the step and not of its recording.
            reason = str(error).partition("\n")[0]
            _log.warning("a step cannot be recorded and is done without: %s", reason)
            for optimizer in model.optimizers.values():
                optimizer.zero_grad(set_to_none=True)
            self._recordings.clear()
            model.runtime = replace(model.runtime, mode="eager")
            return None
        return _Recording(place, values, replay)


@dataclass(frozen=True)
class _Recording:
    """A recorded step: where it reads its batch, where it leaves its values."""

    batch: TensorBatch
    values: Values
    replay: Callable[[], None]

    def __call__(self, batch: TensorBatch) -> Values:
        self.batch.take(batch)
        self.replay()
        return self.values


class CudaGraphs:
    """Records on a stream of its own; all recordings share one pool of memory."""

    def __init__(self) -> None:
        stream: Callable[[], torch.cuda.Stream] = torch.cuda.Stream
        self._stream = stream()
        self._pool = torch.cuda.graph_pool_handle()

    def beside(self, step: Callable[[], Values]) -> Values:
        """Do a step on the stream that recordings use."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            values = step()
        current.wait_stream(self._stream)
        return values

    def record(self, step: Callable[[], Values]) -> tuple[Values, Callable[[], None]]:
        """Record a step in a CUDA graph."""
        graph = torch.cuda.CUDAGraph()
        with (
            _failure_undone(),
            torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ),
        ):
            values = step()
        return values, graph.replay


@contextmanager
def _failure_undone() -> Iterator[None]:
    """Put back what `torch.cuda.graph` leaves behind when it fails.

    The recording's stream stays the current one, and the random generator believes that it is
    still recorded.
    """
    stream = torch.cuda.current_stream()
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    kept = generator.clone_state()
    try:
        yield
    except BaseException:
        torch.cuda.set_stream(stream)
        generator.graphsafe_set_state(kept)
        raise


@contextmanager
def _optimizers_on_device(optimizers: Mapping[str, torch.optim.Optimizer]) -> Iterator[None]:
    """Tell optimisers that they are recorded.

    The fused ones count their steps on the device in any case, but ask to be told, and complain
    when told outside a recording.
    """
    groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
    groups = [group for group in groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    try:
        for group in groups:
            group["capturable"] = True
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value
