"""The training loop. It knows steps, history, samples and random states, and no system by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.errors import DamagedArtifactError, OptionError
from gaitkit.training.best import Best
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.capture import Steps
from gaitkit.training.health import (
    check_finite,
    check_spread,
    device_failures_told,
    warn_of_equal_images,
)
from gaitkit.training.history import History
from gaitkit.training.images import from_network
from gaitkit.training.options import TrainingOptions
from gaitkit.training.randomness import GlobalRandomStates
from gaitkit.training.sampling import TripleSampler
from gaitkit.translators.validation import Validation, hold_out

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.translators.base import Translator

__all__ = ["Callbacks", "Training", "TrainingOptions", "fit"]

_SAMPLES_SEED = 20170721  # Any number: it fixes which GEIs the sample sheets show.


class Training:
    """A translator in training: where it stands, and everything needed to go on from there.

    Parameters
    ----------
    translator : Translator
        The system; its weights are changed.
    geis : GeiSet
        The training people's GEIs, of the size in its config.
    options : TrainingOptions
        How to train.
    length : int, optional
        Of the training whose course this one follows: the iterations that falling step sizes and
        the like are parts of. By default its own.

    Raises
    ------
    OptionError
        When the GEIs have another size, or other views or conditions, than the networks.
    TrainingError
        When fewer than two people have a target, or too few can be held out for validation.

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
        translator: Translator[Any],
        geis: GeiSet,
        options: TrainingOptions,
        *,
        length: int | None = None,
    ) -> None:
        runtime = translator.runtime
        translator.config.check_data(geis, options)
        translator.world.check_batch_size(options.batch_size)
        self.translator = translator
        translator.training = self
        translator.preprocessing = dict(geis.preprocessing)
        self.options = options
        self.geis = geis
        self.history = History()
        self.held_out: tuple[str, ...] = ()
        self.validation: Validation | None = None
        self.best: Best | None = None
        if options.validation_subjects:
            self.held_out = hold_out(
                geis.labels,
                options.validation_subjects,
                target_view=options.target_view,
                target_condition=options.target_condition,
                seed=options.seed,
            )
            self.validation = Validation(geis, self.held_out, options.target_condition)
        learned = geis.of_subjects(set(geis.labels.subjects()) - set(self.held_out))
        self.sampler = TripleSampler(
            learned.images,
            learned.labels,
            target_view=options.target_view,
            target_condition=options.target_condition,
            balanced=options.balanced,
            shift=options.shift,
            warp=options.warp,
            seed=options.seed,
            device=runtime.device,
            dtype=runtime.dtype,
            # Of everybody, also those held out: the networks were built for these labels.
            domains=(geis.labels.views(), geis.labels.conditions()),
            dataset=learned.dataset_index,
            positives=translator.wants_positive,
            need_targets=translator.needs_targets(),
        )
        translator.meet(self.sampler, length or options.iterations)
        self._random = GlobalRandomStates(options.seed, runtime.device)

    @property
    def step(self) -> int:
        """Iterations done."""
        return self.translator.steps_done

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
        with (
            device_failures_told(lambda: self.step),
            self.translator.runtime.active(training=True),
            self._random.active(),
        ):
            self._loop(calls)
        return self.finished

    def _loop(self, calls: Callbacks) -> None:
        steps = Steps(self.translator)
        stop = calls.stop_requested or (lambda: False)
        while not self.finished and not self.translator.world.any(stop()):
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
        batch = self.translator.world.share_of(self.sampler.draw(self.options.batch_size))
        values = self.translator.agree(steps(batch))
        self.translator.steps_done += 1
        # Summed on the device: reading a loss would make the host wait for it.
        self.history.add(values)

    def _log(self, calls: Callbacks) -> None:
        values = self._window()
        # The last window of a training may be a part of one: more iterations would fill it.
        if self.step % self.options.log_every == 0:
            self.history.close_window(self.step, values)
            check_spread(self.history.names, self.history.steps, self.history.losses)
        if self.finished and self.translator.world.is_main:
            warn_of_equal_images(values)
        if calls.on_progress is not None:
            calls.on_progress(self.step, self.options.iterations, values)

    def _window(self) -> dict[str, float]:
        values = self.history.window_means()
        check_finite(values, self.step)
        return values

    def _validate(self, calls: Callbacks) -> None:
        if self.validation is None:
            return
        self._window()
        score = self.validation.score(self.translator)
        self.history.add_validation(self.step, score.mean, score.rates)
        mean = self.translator.world.from_main(score.mean)
        if self.best is None or mean > self.best.score:
            self.best = Best.of(self.translator, mean)
        if calls.on_validation is not None:
            calls.on_validation(self.step, score.mean, score.rates)

    def _checkpoint(self, calls: Callbacks) -> None:
        # A state that is lost already must not replace the last good one.
        self._window()
        if calls.on_checkpoint is not None:
            calls.on_checkpoint(self)

    def _show(self, calls: Callbacks) -> None:
        generator = torch.Generator(self.translator.runtime.device).manual_seed(_SAMPLES_SEED)
        batch = self.sampler.draw(self.options.sample_count, generator, varied=False)
        sources, targets = _grey(batch.source), _grey(batch.target)
        generated = np.rint(self.translator.translate(sources)).astype(np.uint8)
        if self.step % self.options.sample_every == 0:
            self.history.add_samples(self.step, sources, generated, targets)
        if calls.on_samples is not None:
            calls.on_samples(self.step, sources, generated, targets)

    def arrays(self) -> dict[str, NDArray[Any] | list[str]]:
        """Everything needed to go on: weights, optimisers, step, random states, history."""
        arrays: dict[str, NDArray[Any] | list[str]] = dict(self.translator.state_arrays())
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
                hint="Add --restart to train from the start.",
            )
        step = int(np.asarray(arrays["step"]).reshape(-1)[0])
        if step > self.options.iterations:
            raise OptionError(
                f"{step} iterations are done already, but {self.options.iterations} were asked for",
                hint="Give at least as many --iterations, or add --restart to train from the "
                "start.",
            )
        self.translator.load_state_arrays(arrays)
        self.translator.steps_done = step
        self.sampler.load_state_array(arrays["random/sampler"])
        self._random.load_arrays(arrays)
        self.best = Best.from_arrays(arrays)
        self.history = History.from_arrays(arrays, self.translator.runtime.device)


def fit(
    translator: Translator[Any],
    geis: GeiSet,
    *,
    callbacks: Callbacks | None = None,
    **options: Any,
) -> Training:
    """Train a translator on GEIs in memory.

    With `validation_subjects` the translator ends with its last weights; those that scored highest
    are in the training's `best`, are saved as well, and are what `load` takes.

    Parameters
    ----------
    translator : Translator
        Freshly built; its weights are changed.
    geis : GeiSet
        The training people's GEIs, of the size in its config.
    callbacks : Callbacks, optional
        Progress, samples, checkpoints.
    **options
        Fields of `TrainingOptions`; the seed is the translator's and the rest the system's defaults
        unless given.

    Returns
    -------
    Training
        With the history.

    Raises
    ------
    OptionError
        When the GEIs have another size than the networks.
    TrainingError
        When fewer than two people have a target, or the training goes wrong.
    DeviceError
        When the device fails.
    """
    chosen = {"seed": translator.seed, **translator.default_training, **options}
    training = Training(translator, geis, TrainingOptions(**chosen))
    training.run(callbacks)
    return training


def _grey(images: torch.Tensor) -> NDArray[np.uint8]:
    return from_network(images).round().to(torch.uint8).cpu().numpy()
