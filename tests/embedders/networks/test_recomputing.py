"""What is computed twice gives the same, to the last bit, and is counted once."""

from __future__ import annotations

import copy

import torch
from torch import nn

from gaitkit.embedders.networks.recomputing import recomputed


def test_results_slopes_and_statistics_are_those_of_the_layers_themselves() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    twin = copy.deepcopy(layers)
    maps = torch.randn(3, 1, 8, 8)
    found, expected = recomputed(layers, maps), twin(maps)
    assert torch.equal(found, expected)
    own = torch.autograd.grad(found.square().sum(), list(layers.parameters()))
    theirs = torch.autograd.grad(expected.square().sum(), list(twin.parameters()))
    for one, other in zip(own, theirs, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(layers.buffers(), twin.buffers(), strict=True):
        assert torch.equal(one, other)


def test_only_what_goes_in_is_kept() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(4, 1, 3))
    maps = torch.randn(3, 1, 8, 8)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        recomputed(layers, maps)
    assert sum(kept) <= maps.nbytes
