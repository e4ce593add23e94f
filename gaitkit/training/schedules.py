"""How step sizes change in the course of a training."""

from __future__ import annotations

__all__ = ["decayed"]


def decayed(step: int, iterations: int, start: float) -> float:
    """Factor of the step sizes: 1, and from a share of the iterations on linearly towards 0.

    What StarGAN's official implementation means, not what it does: there the subtraction happens
    once in a thousand iterations, so that next to nothing is subtracted.

    Parameters
    ----------
    step : int
        Iterations done.
    iterations : int
        Iterations in all; 0 outside of a training.
    start : float
        Share of the iterations after which the fall begins.
    """
    begin = start * iterations
    if step <= begin or begin >= iterations:
        return 1.0
    return max(0.0, (iterations - step) / (iterations - begin))
