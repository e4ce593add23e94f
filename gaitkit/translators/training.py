"""The training loop. It knows steps, history, samples and random states, and no system by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.errors import DamagedArtifactError, OptionError, TrainingError
from gaitkit.translators.history import History
from gaitkit.translators.images import from_network
from gaitkit.translators.options import TrainingOptions
from gaitkit.translators.sampling import TripleSampler, set_generator_state

if TYPE_CHECKING:
    from gaitkit.translators.base import Translator
    from gaitkit.translators.geis import GeiSet

__all__ = ["Callbacks", "Training", "TrainingOptions", "fit"]

_SAMPLES_SEED = 20170721  # Any number: it fixes which GEIs the sample sheets show.


@dataclass(frozen=True)
class Callbacks:
    """What the caller wants to be told, and asked, while training.

    Attributes
    ----------
    on_progress : callable, optional
        ``(step, total, losses)`` with every row of the history.
    on_samples : callable, optional
        ``(step, sources, generated, targets)``, arrays of uint8, shape (k, height, width).
    on_checkpoint : callable, optional
        ``(training)`` every `checkpoint_every` steps and when stopped.
    checkpoint_every : int
        Steps; has no influence on the results.
    stop_requested : callable, optional
        Asked after every step; on a true answer the training ends with a checkpoint.
    """

    on_progress: Callable[[int, int, dict[str, float]], None] | None = None
    on_samples: Callable[[int, NDArray[Any], NDArray[Any], NDArray[Any]], None] | None = None
    on_checkpoint: Callable[[Training], None] | None = None
    checkpoint_every: int = 500
    stop_requested: Callable[[], bool] | None = None


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

    Raises
    ------
    OptionError
        When the GEIs have another size than the networks.
    TrainingError
        When fewer than two people have a target.

    Attributes
    ----------
    step : int
        Iterations done.
    history : History
        Losses and samples so far.
    """

    def __init__(self, translator: Translator[Any], geis: GeiSet, options: TrainingOptions) -> None:
        runtime = translator.runtime
        expected = translator.config.image_size
        if geis.image_size != expected:
            raise OptionError(
                f"The networks take GEIs of {expected} pixels, these have {geis.image_size}.",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )
        self.translator = translator
        translator.training = self
        translator.preprocessing = dict(geis.preprocessing)
        self.options = options
        self.geis = geis
        self.history = History()
        self.sampler = TripleSampler(
            geis.images,
            geis.labels,
            target_view=options.target_view,
            target_condition=options.target_condition,
            balanced=options.balanced,
            seed=options.seed,
            device=runtime.device,
            dtype=runtime.dtype,
        )
        self._random = {"cpu": torch.Generator().manual_seed(options.seed).get_state()}
        if runtime.device == "cuda":
            on_gpu = torch.Generator("cuda").manual_seed(options.seed)
            self._random["cuda"] = on_gpu.get_state()

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
            When a loss is not a finite number.
        """
        calls = callbacks or Callbacks()
        stop = calls.stop_requested or (lambda: False)
        with self.translator.runtime.active(), self._own_random_states():
            while not self.finished and not stop():
                self._one_step()
                if self.step % self.options.log_every == 0 or self.finished:
                    self._log(calls)
                if self.step % self.options.sample_every == 0 or self.finished:
                    self._show(calls)
                if self.step % calls.checkpoint_every == 0 and not self.finished:
                    self._checkpoint(calls)
            if not self.finished:
                self._checkpoint(calls)
        return self.finished

    def _one_step(self) -> None:
        batch = self.sampler.draw(self.options.batch_size)
        self.translator.before_step()
        losses = self.translator.train_step(batch)
        self.translator.steps_done += 1
        # Summed on the device: reading a loss would make the host wait for it.
        self.history.add(losses)

    def _log(self, calls: Callbacks) -> None:
        losses = self._finite(self.history.window_means())
        if self.step % self.options.log_every == 0:
            self.history.close_window(self.step, losses)
        if calls.on_progress is not None:
            calls.on_progress(self.step, self.options.iterations, losses)

    def _checkpoint(self, calls: Callbacks) -> None:
        # A state that is lost already must not replace the last good one.
        self._finite(self.history.window_means())
        if calls.on_checkpoint is not None:
            calls.on_checkpoint(self)

    def _finite(self, losses: dict[str, float]) -> dict[str, float]:
        for name, value in losses.items():
            if not np.isfinite(value):
                raise TrainingError(
                    f"Training failed before iteration {self.step}: the loss {name} is {value}.",
                    hint="Use --precision fp32, a lower learning rate or a larger batch; the last "
                    "checkpoint, if there is one, is from before.",
                )
        return losses

    def _show(self, calls: Callbacks) -> None:
        generator = torch.Generator(self.translator.runtime.device).manual_seed(_SAMPLES_SEED)
        batch = self.sampler.draw(self.options.sample_count, generator)
        sources, targets = _grey(batch.source), _grey(batch.target)
        generated = np.rint(self.translator.translate(sources)).astype(np.uint8)
        if self.step % self.options.sample_every == 0:
            self.history.add_samples(self.step, sources, generated, targets)
        if calls.on_samples is not None:
            calls.on_samples(self.step, sources, generated, targets)

    @contextmanager
    def _own_random_states(self) -> Iterator[None]:
        # Layers such as dropout draw from torch's global generators; the caller's stay untouched.
        with torch.random.fork_rng(devices=[0] if "cuda" in self._random else []):
            torch.set_rng_state(self._random["cpu"])
            if "cuda" in self._random:
                torch.cuda.set_rng_state(self._random["cuda"])
            try:
                yield
            finally:
                self._random = self._current_random_states()

    def _current_random_states(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if "cuda" in self._random:
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def arrays(self, *, running: bool = False) -> dict[str, NDArray[Any] | list[str]]:
        """Everything needed to go on: weights, optimisers, step, random states, history.

        Parameters
        ----------
        running : bool
            Whether `run` is in progress (in a checkpoint callback).
        """
        states = self._current_random_states() if running else self._random
        arrays: dict[str, NDArray[Any] | list[str]] = dict(self.translator.state_arrays())
        arrays["step"] = np.array(self.step, dtype=np.int64)
        arrays["random/sampler"] = self.sampler.state_array()
        for name, values in states.items():
            arrays[f"random/{name}"] = values.numpy().copy()
        return arrays | self.history.arrays()

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from what `arrays` gave.

        Raises
        ------
        DamagedArtifactError
            When an array is missing, left over, or not of its shape and type.
        OptionError
            When more iterations are done than are asked for.
        """
        missing = {"step", "random/sampler", *(f"random/{name}" for name in self._random)} - set(
            arrays
        )
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
        for name in self._random:
            generator = torch.Generator(name)
            set_generator_state(generator, arrays[f"random/{name}"])
            self._random[name] = generator.get_state()
        self.history = History.from_arrays(arrays, self.translator.runtime.device)


def fit(
    translator: Translator[Any],
    geis: GeiSet,
    *,
    callbacks: Callbacks | None = None,
    **options: Any,
) -> Training:
    """Train a translator on GEIs in memory.

    Parameters
    ----------
    translator : Translator
        Freshly built; its weights are changed.
    geis : GeiSet
        The training people's GEIs, of the size in its config.
    callbacks : Callbacks, optional
        Progress, samples, checkpoints.
    **options
        Fields of `TrainingOptions`; the seed is the translator's unless given.

    Returns
    -------
    Training
        With the history.

    Raises
    ------
    OptionError
        When the GEIs have another size than the networks.
    TrainingError
        When fewer than two people have a target, or a loss is not a finite number.
    """
    training = Training(translator, geis, TrainingOptions(**{"seed": translator.seed, **options}))
    training.run(callbacks)
    return training


def _grey(images: torch.Tensor) -> NDArray[np.uint8]:
    return from_network(images).round().to(torch.uint8).cpu().numpy()
