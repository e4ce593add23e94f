"""Maxima, strips and every second pixel equal PyTorch's own, forwards and back."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gaitkit.embedders.networks.pooling import (
    every_pixel,
    halved,
    mean_and_maximum,
    set_maximum,
)

LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])


def drawn(shape: tuple[int, ...], layout: torch.memory_format) -> torch.Tensor:
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return maps.to(memory_format=layout).requires_grad_()


@LAYOUTS
@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_halved_is_max_pooling(size: tuple[int, int], layout: torch.memory_format) -> None:
    maps = drawn((3, 4, *size), layout)
    found, expected = halved(maps), functional.max_pool2d(maps, 2)
    assert torch.equal(found, expected)
    slope = torch.randn_like(expected)
    (own,) = torch.autograd.grad(found, maps, slope)
    (theirs,) = torch.autograd.grad(expected, maps, slope)
    assert torch.equal(own, theirs)
    assert own.stride() == maps.stride()


@LAYOUTS
def test_the_maximum_over_a_set_is_amax(layout: torch.memory_format) -> None:
    maps = drawn((6, 4, 3, 5), layout)
    found, expected = set_maximum(maps, 3), maps.view(2, 3, 4, 3, 5).amax(dim=1)
    assert torch.equal(found, expected)
    slope = torch.randn_like(expected)
    (own,) = torch.autograd.grad(found, maps, slope)
    (theirs,) = torch.autograd.grad(expected, maps, slope)
    assert torch.equal(own, theirs)


def test_a_set_of_one_frame_is_that_frame() -> None:
    maps = torch.randn(4, 2, 3, 3)
    assert set_maximum(maps, 1) is maps


def test_halving_keeps_an_eighth_of_what_it_took() -> None:
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    maps = drawn((2, 4, 8, 8), torch.channels_last)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        halved(maps)
    assert sum(one.nbytes for one in kept) == maps.nbytes // 8


def test_mean_and_maximum_have_the_gradient_of_both_to_the_bit() -> None:
    values = torch.randint(0, 3, (2, 4, 22, 5), generator=torch.Generator().manual_seed(1))
    values = values.float().requires_grad_()
    found, expected = mean_and_maximum(values), values.mean(dim=2) + values.amax(dim=2)
    assert torch.equal(found, expected)
    slope = torch.randn_like(expected)
    (own,) = torch.autograd.grad(found, values, slope)
    (theirs,) = torch.autograd.grad(expected, values, slope)
    assert torch.equal(own, theirs)


def test_equal_maxima_share_the_gradient() -> None:
    values = torch.tensor([2.0, 5.0, 5.0, 0.0]).view(1, 1, 4, 1).requires_grad_()
    mean_and_maximum(values).backward()
    assert values.grad is not None
    assert values.grad.flatten().tolist() == [0.25, 0.75, 0.75, 0.25]


@LAYOUTS
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_pixel_is_a_slice(stride: int, layout: torch.memory_format) -> None:
    maps = drawn((3, 4, 5, 7), layout)
    found, expected = every_pixel(maps, stride), maps[..., ::stride, ::stride]
    assert torch.equal(found, expected)
    slope = torch.randn_like(expected)
    (own,) = torch.autograd.grad(found, maps, slope)
    (theirs,) = torch.autograd.grad(expected, maps, slope)
    assert torch.equal(own, theirs)
    assert own.stride() == maps.stride() or stride == 1
