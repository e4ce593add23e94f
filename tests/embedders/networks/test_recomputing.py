"""What is computed twice gives the same, to the last bit, and is counted once."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gaitkit.embedders.networks.recomputing import (
    behind_convolution,
    bent,
    between_convolutions,
)

SLOPES = pytest.mark.parametrize("slope", [0.0, 0.1])


def _layers(stride: int = 1) -> nn.ModuleList:
    torch.manual_seed(0)
    return nn.ModuleList(
        [
            nn.Conv2d(2, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 3, 3, stride, padding=1, bias=False),
        ]
    ).to(memory_format=torch.channels_last)


def _bend(maps: torch.Tensor, slope: float | None) -> torch.Tensor:
    return maps if slope is None else nn.functional.leaky_relu(maps, slope)


def _overwritten(maps: torch.Tensor, slope: float | None) -> torch.Tensor:
    return maps if slope is None else bent(maps, slope)


def _same(
    layers: nn.ModuleList,
    own: Callable[[nn.ModuleList, torch.Tensor], torch.Tensor],
    plain: Callable[[nn.ModuleList, torch.Tensor], torch.Tensor],
) -> None:
    """Results, slopes and statistics, to the bit; of the maps as well."""
    twin = copy.deepcopy(layers)
    maps = torch.randn(3, 2, 8, 6).to(memory_format=torch.channels_last).requires_grad_()
    found, expected = own(layers, maps), plain(twin, maps)
    assert torch.equal(found, expected)
    of_own = [maps, *(one for one in layers.parameters() if one.requires_grad)]
    of_twin = [maps, *(one for one in twin.parameters() if one.requires_grad)]
    mine = torch.autograd.grad(found.square().sum(), of_own)
    theirs = torch.autograd.grad(expected.square().sum(), of_twin)
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(layers.buffers(), twin.buffers(), strict=True):
        assert torch.equal(one, other)


@SLOPES
@pytest.mark.parametrize("stride", [1, 2])
def test_between_two_convolutions(slope: float, stride: int) -> None:
    _same(
        _layers(stride),
        lambda layers, maps: between_convolutions(layers[0](maps), layers[1], slope, layers[2]),
        lambda layers, maps: layers[2](_bend(layers[1](layers[0](maps)), slope)),
    )


@SLOPES
def test_behind_a_last_convolution(slope: float) -> None:
    _same(
        _layers()[:2],
        lambda layers, maps: between_convolutions(layers[0](maps), layers[1], slope, None),
        lambda layers, maps: _bend(layers[1](layers[0](maps)), slope),
    )


@pytest.mark.parametrize("slope", [None, 0.0, 0.1])
def test_behind_a_small_convolution(slope: float | None) -> None:
    _same(
        _layers()[:2],
        lambda layers, maps: _overwritten(behind_convolution(maps, layers[0], layers[1]), slope),
        lambda layers, maps: _bend(layers[1](layers[0](maps)), slope),
    )


def test_without_a_normalisation_nothing_is_computed_twice() -> None:
    layers = _layers()
    layers[1] = nn.Identity()
    _same(
        layers,
        lambda own, maps: between_convolutions(own[0](maps), own[1], 0.1, own[2]),
        lambda own, maps: own[2](_bend(own[0](maps), 0.1)),
    )


def test_frames_that_ask_for_no_slope_get_none() -> None:
    convolution, norm, _ = _layers()
    found = bent(behind_convolution(torch.randn(3, 2, 8, 8), convolution, norm), 0.0)
    (slopes,) = torch.autograd.grad(found.sum(), [convolution.weight])
    assert slopes.shape == convolution.weight.shape


def test_only_what_the_first_convolution_gave_is_kept() -> None:
    first, norm, second = _layers()
    maps = first(torch.randn(3, 2, 8, 8)).detach().requires_grad_()

    def kept(compute: Callable[[], torch.Tensor]) -> int:
        found: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.numel() >= maps.numel():
                found[tensor.data_ptr()] = tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            compute()
        return sum(found.values())

    assert kept(lambda: between_convolutions(maps, norm, 0.1, second)) == maps.nbytes
    assert kept(lambda: second(nn.functional.leaky_relu(norm(maps), 0.1))) == 3 * maps.nbytes
