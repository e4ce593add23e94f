"""What changes in the course of a training: step sizes, and a moving average of the weights.

The exponential moving average of a network often does better than its last state.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

__all__ = ["average_of", "average_weight", "decayed", "one_cycle", "update_average"]


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


def average_of(network: nn.Module) -> nn.Module:
    """A copy that is never trained, to be moved by `update_average`."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def average_weight(decay: float, step: int) -> float:
    """Weight of the newest state in the average, 1 - d.

    Parameters
    ----------
    decay : float
        In [0, 1).
    step : int
        Iterations done, the one included that leads to the newest state, from 1. The first ones
        count more, d = min(decay, step / (step + 10)), so that the random start is soon forgotten.
    """
    return 1.0 - min(decay, step / (step + 10.0))


def update_average(average: nn.Module, network: nn.Module, weight: torch.Tensor) -> None:
    """Move the average towards the network: a ← (1 - w)·a + w·v.

    Running statistics are averaged like weights: those of the last few batches belong to the last
    few states of the weights, not to their average.

    Parameters
    ----------
    average, network : Module
        The average, and the network that was just trained.
    weight : Tensor, shape ()
        w, from `average_weight`, on the networks' device and of their type.
    """
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    with torch.no_grad():
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)


def one_cycle(step: int, iterations: int, *, rise: float = 0.3, start: float = 0.04) -> float:
    """Factor of the step sizes: up for a share of the iterations, then down to nearly 0.

    Both by half a cosine (Smith and Topin, arXiv 1708.07120).

    Parameters
    ----------
    step : int
        Iterations done.
    iterations : int
        Iterations in all; 0 outside of a training.
    rise : float
        Share of the iterations after which the largest step size is reached.
    start : float
        Factor at the beginning.

    Examples
    --------
    >>> [round(one_cycle(step, 100), 3) for step in (0, 15, 30, 65, 100)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    top = rise * iterations
    if step < top:
        return start + (1.0 - start) * 0.5 * (1.0 - math.cos(math.pi * step / top))
    if step >= iterations:
        return 0.0 if iterations else 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - top) / (iterations - top)))
