"""What the caller of a training wants to be told, and asked, while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gaitkit.display import Bar, progress_bar
from gaitkit.errors import OptionError
from gaitkit.parallel import Progress
from gaitkit.training.health import losses_by_network

if TYPE_CHECKING:
    from gaitkit.training.loop import Training

__all__ = ["Callbacks", "with_progress"]


@dataclass(frozen=True)
class Callbacks:
    """What the caller wants to be told, and asked; none of it has an influence on the weights.

    Attributes
    ----------
    on_step : callable, optional
        ``(step, total)`` after every step, without waiting for the device.
    on_progress : callable, optional
        ``(step, total, values)`` with every row of the history: losses and health by name.
    on_validation : callable, optional
        ``(step, score, rates)`` when held-out people were identified: the mean rank-1 rate and
        that of each condition, per cent.
    on_samples : callable, optional
        ``(step, sources, generated, targets)``, arrays of uint8, shape (k, height, width).
    on_checkpoint : callable, optional
        ``(training)`` every `checkpoint_every` steps and when stopped.
    checkpoint_every : int
        Steps.
    stop_requested : callable, optional
        Asked after every step; on a true answer the training ends with a checkpoint.
    """

    on_step: Callable[[int, int], None] | None = None
    on_progress: Callable[[int, int, dict[str, float]], None] | None = None
    on_validation: Callable[[int, float, dict[str, float]], None] | None = None
    on_samples: Callable[[int, NDArray[Any], NDArray[Any], NDArray[Any]], None] | None = None
    on_checkpoint: Callable[[Training], None] | None = None
    checkpoint_every: int = 500
    stop_requested: Callable[[], bool] | None = None

    def moving(self, bar: Bar | None) -> Callbacks:
        """These, and a progress bar that moves, with the losses and the last score beside it."""
        if bar is None:
            return self
        note = {"losses": "", "score": ""}

        def step(done: int, total: int) -> None:
            bar(done, total, "  ".join(filter(None, note.values())))
            if self.on_step is not None:
                self.on_step(done, total)

        def losses(done: int, total: int, values: dict[str, float]) -> None:
            sums = losses_by_network(values)
            note["losses"] = " ".join(f"{name} {value:.2f}" for name, value in sums.items())
            if self.on_progress is not None:
                self.on_progress(done, total, values)

        def score(done: int, mean: float, rates: dict[str, float]) -> None:
            note["score"] = f"rank-1 {mean:.1f} %"
            if self.on_validation is not None:
                self.on_validation(done, mean, rates)

        return replace(self, on_step=step, on_progress=losses, on_validation=score)


@contextmanager
def with_progress(
    callbacks: Callbacks | None, progress: bool | Progress | None
) -> Iterator[Callbacks]:
    """Callbacks that also show how far a training is.

    Parameters
    ----------
    callbacks : Callbacks, optional
        What else the caller wants to be told.
    progress : bool or callable, optional
        A bar (`True`), none (`False`), a function that is called with the number of finished
        iterations and their total, or by default a bar where somebody sees it.
    """
    given = Callbacks() if callbacks is None else callbacks
    if not isinstance(given, Callbacks):
        raise OptionError(
            f"`callbacks` must be a Callbacks, got a {type(given).__name__}.",
            hint="`Callbacks(on_step=…)`; a function that is told the progress is `progress=…`.",
        )
    if callable(progress):
        tell = progress

        def bar(done: int, total: int, note: str = "") -> None:
            tell(done, total)

        yield given.moving(bar)
        return
    with progress_bar("train", "iterations", shown=progress) as shown:
        yield given.moving(shown)
