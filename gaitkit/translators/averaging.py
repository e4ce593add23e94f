"""An exponential moving average of a network, which translates better than its last state."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["average_of", "update_average"]


def average_of(network: nn.Module) -> nn.Module:
    """A copy that is never trained, to be moved by `update_average`."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network: a ← d·a + (1 - d)·w.

    Running statistics are averaged like weights: those of the last few batches belong to the last
    few states of the weights, not to their average.

    Parameters
    ----------
    average, network : Module
        The average, and the network that was just trained.
    decay : float
        d, in [0, 1).
    step : int
        Iterations done, from 1. The first ones count more, d = min(decay, step / (step + 10)), so
        that the random start is soon forgotten.
    """
    weight = 1.0 - min(decay, step / (step + 10.0))
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    means = [mean for mean, _ in pairs if mean.is_floating_point()]
    values = [value for _, value in pairs if value.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_(means, values, weight)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)
