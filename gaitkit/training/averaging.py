"""An exponential moving average of a network, which translates better than its last state."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["average_of", "average_weight", "update_average"]


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
