"""The training loop. It knows steps, history, samples and random states, and no model by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.display import html_table
from gaitkit.errors import DamagedArtifactError, OptionError
from gaitkit.printable import counted
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.capture import Steps
from gaitkit.training.health import check_finite, device_failures_told
from gaitkit.training.history import History
from gaitkit.training.options import TrainingOptions
from gaitkit.training.state import Best, GlobalRandomStates, is_step

if TYPE_CHECKING:
    from gaitkit.training.data import TrainingData
    from gaitkit.training.model import Model

__all__ = ["Callbacks", "Training", "TrainingOptions"]


class Training:
    """A model in training: where it stands, and everything needed to go on from there.

    Parameters
    ----------
    model : Model
        Its weights are changed.
    data : TrainingData
        The training people's images, of the size in its config.
    options : TrainingOptions
        How to train.
    length : int, optional
        Of the training whose course this one follows: the iterations that falling step sizes and
        the like are parts of. By default its own.

    Raises
    ------
    OptionError
        When the images have another size, or other labels, than the networks.
    TrainingError
        When too few people can be learned from, or held out for validation.

    Attributes
    ----------
    step : int
        Iterations done.
    history : History
        Losses, health, validation scores and samples so far.
    held_out : tuple of str
        People who are not learned from; the training is scored on them.
    best : Best or None
        The weights that scored highest.
    """

    def __init__(
        self,
        model: Model[Any],
        data: TrainingData,
        options: TrainingOptions,
        *,
        length: int | None = None,
    ) -> None:
        options = model.options_class.taking(options)
        model.config.check_form()
        model.config.check_data(data, options)
        model.world.check_batch_size(options.batch_size)
        self.model = model
        model.training = self
        model.preprocessing = dict(data.preprocessing)
        self.options = options
        self.data = data
        self.history = History()
        self.scorer = model.scorer_for(data, options)
        self.held_out: tuple[str, ...] = () if self.scorer is None else self.scorer.subjects
        self.best: Best | None = None
        learned = data.of_subjects(set(data.labels.subjects()) - set(self.held_out))
        self.sampler = model.sampler_for(learned, data, options)
        model.meet(self.sampler, length or options.iterations)
        self._random = GlobalRandomStates(options.seed, model.runtime.device)

    @property
    def step(self) -> int:
        """Iterations done."""
        return self.model.steps_done

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.step >= self.options.iterations

    def run(self, callbacks: Callbacks | None = None) -> bool:
        """Train until all iterations are done or a stop is requested.

        Returns
        -------
        bool
            Whether all iterations are done.

        Raises
        ------
        TrainingError
            When a loss or gradient is not a finite number, or the images have collapsed into one.
        DeviceError
            When the device fails.
        """
        calls = callbacks or Callbacks()
        with device_failures_told(lambda: self.step):
            if self.step == 0:
                self.model.fit_fixed(self.sampler)
            with self.model.runtime.active(training=True), self._random.active():
                self._loop(calls)
        return self.finished

    def _loop(self, calls: Callbacks) -> None:
        steps = Steps(self.model)
        stop = calls.stop_requested or (lambda: False)
        while not self.finished and not self.model.world.any(stop()):
            self._one_step(steps)
            if calls.on_step is not None:
                calls.on_step(self.step, self.options.iterations)
            if self._due(self.options.log_every):
                self._log(calls)
            if self._due(self.options.validate_every):
                self._validate(calls)
            if self._due(self.options.sample_every):
                self._show(calls)
            if self._due(calls.checkpoint_every) and not self.finished:
                self._checkpoint(calls)
        if not self.finished:
            self._checkpoint(calls)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.finished

    def _one_step(self, steps: Steps) -> None:
        # All processes draw the same batch, and each computes on its part of it.
        batch = self.model.world.share_of(self.sampler.draw(self.options.batch_size))
        values = self.model.agree(steps(batch))
        self.model.steps_done += 1
        # Summed on the device: reading a loss would make the host wait for it.
        self.history.add(values)

    def _log(self, calls: Callbacks) -> None:
        values = self._window()
        # The last window of a training may be a part of one: more iterations would fill it.
        if self.step % self.options.log_every == 0:
            self.history.close_window(self.step, values)
            self.model.check_course(self.history)
        if self.finished and self.model.world.is_main:
            self.model.warn_at_end(values)
        if calls.on_progress is not None:
            calls.on_progress(self.step, self.options.iterations, values)

    def _window(self) -> dict[str, float]:
        values = self.history.window_means()
        check_finite(values, self.step)
        return values

    def _validate(self, calls: Callbacks) -> None:
        if self.scorer is None:
            return
        self._window()
        score = self.scorer.score(self.model)
        self.history.add_validation(self.step, score.mean, score.rates)
        mean = self.model.world.from_main(score.mean)
        if self.best is None or mean > self.best.score:
            used = {name: self.model.networks[name] for name in self.model.used_networks()}
            self.best = Best.of(self.step, mean, used)
        if calls.on_validation is not None:
            calls.on_validation(self.step, score.mean, score.rates)

    def _checkpoint(self, calls: Callbacks) -> None:
        # A state that is lost already must not replace the last good one.
        self._window()
        if calls.on_checkpoint is not None:
            calls.on_checkpoint(self)

    def _show(self, calls: Callbacks) -> None:
        samples = self.model.samples(self.sampler, self.options.sample_count)
        if samples is None:
            return
        if self.step % self.options.sample_every == 0:
            self.history.add_samples(self.step, samples)
        if calls.on_samples is not None:
            calls.on_samples(self.step, *samples)

    def arrays(self) -> dict[str, NDArray[Any] | list[str]]:
        """Everything needed to go on: weights, optimisers, step, random states, history."""
        arrays: dict[str, NDArray[Any] | list[str]] = dict(self.model.state_arrays())
        arrays["step"] = np.array(self.step, dtype=np.int64)
        arrays["random/sampler"] = self.sampler.state_array()
        best = {} if self.best is None else self.best.arrays()
        return arrays | self._random.arrays() | best | self.history.arrays()

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from what `arrays` gave.

        Raises
        ------
        DamagedArtifactError
            When an array is missing, left over, or not of its shape and type.
        OptionError
            When more iterations are done than are asked for.
        """
        missing = {"step", "random/sampler", *self._random.names} - set(arrays)
        if missing:
            raise DamagedArtifactError(
                f"The checkpoint cannot be continued: the array {min(missing)} is missing.",
                hint="Add `restart=True` to train from the start.",
            )
        step = _whole_step(np.asarray(arrays["step"]))
        if step > self.options.iterations:
            raise OptionError(
                f"{counted(step, 'iteration is', 'iterations are')} done already, but "
                f"{counted(self.options.iterations, 'was', 'were')} asked for",
                hint="Give at least as many `iterations`, or add `restart=True` to train from the "
                "start.",
            )
        self.model.load_state_arrays(arrays)
        self.model.steps_done = step
        self.sampler.load_state_array(arrays["random/sampler"])
        self._random.load_arrays(arrays)
        self.best = Best.from_arrays(arrays)
        self.history = History.from_arrays(arrays, self.model.runtime.device)

    def __repr__(self) -> str:
        best = (
            ""
            if self.best is None
            else f", best score {self.best.score:.1f} % at {self.best.step:,}"
        )
        return (
            f"Training of {type(self.model).__name__}: {self.step:,} of "
            f"{counted(self.options.iterations, 'iteration')} on "
            f"{counted(len(self.sampler.subjects), 'person')}{best}"
        )

    def _repr_html_(self) -> str:
        best = "not scored" if self.best is None else f"{self.best.score:.1f} %, {self.best.step:,}"
        last = self.history.losses[-1] if self.history.losses else []
        means = zip(self.history.names, last, strict=False)
        return html_table(
            f"Training of {type(self.model).__name__}",
            [
                ("iterations", f"{self.step:,} of {self.options.iterations:,}"),
                ("people", f"{len(self.sampler.subjects):,}, {len(self.held_out):,} held out"),
                ("best score, iterations", best),
                ("last", ", ".join(f"{name} {value:.3g}" for name, value in means)),
            ],
        )


def _whole_step(found: NDArray[Any]) -> int:
    if not is_step(found):
        told = f"shape {found.shape}" if found.shape else str(found)
        raise DamagedArtifactError(
            "The checkpoint cannot be continued: the array step must be one whole number of 0 or "
            f"more, got {told}.",
            hint="Add `restart=True` to train from the start.",
        )
    return int(found)
