"""What the caller of a training wants to be told, and asked, while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from gaitkit.training.loop import Training

__all__ = ["Callbacks"]


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
