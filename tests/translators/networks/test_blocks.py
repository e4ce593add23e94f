"""The deepest layer's convolution is a convolution; judging leaves a network as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaitkit.translators.networks.blocks import DeepConv2d, frozen, judging

Layers = tuple[nn.Conv2d, DeepConv2d]


@pytest.fixture(params=[torch.channels_last, torch.contiguous_format])
def layers(request: pytest.FixtureRequest) -> Layers:
    torch.manual_seed(0)
    plain, deep = nn.Conv2d(6, 9, 4, 2, 1, bias=False), DeepConv2d(6, 9, 4, 2, 1, bias=False)
    deep.load_state_dict(plain.state_dict())
    return plain.to(memory_format=request.param), deep.to(memory_format=request.param)


def test_gradients_in_bfloat16_are_those_of_a_convolution(layers: Layers) -> None:
    image = torch.randn(3, 6, 8, 10, requires_grad=True)
    found = []
    for layer in layers:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = layer(image)
        assert result.dtype == torch.bfloat16
        loss = result.float().square().sum()
        found.append([result, *torch.autograd.grad(loss, [image, layer.weight])])
    for expected, value in zip(*found, strict=True):
        # bfloat16 has eight bits; only the order of summation differs.
        largest = expected.abs().max().item()
        torch.testing.assert_close(value, expected, rtol=2**-7, atol=2**-7 * largest)
        assert value.dtype == expected.dtype


def test_the_gradients_of_gradients_exist(layers: Layers) -> None:
    image = torch.randn(3, 6, 8, 10, requires_grad=True)
    found = []
    for layer in layers:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = layer(image)
        (slope,) = torch.autograd.grad(result.float().square().sum(), image, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), layer.weight)[0])
    torch.testing.assert_close(*found, rtol=2**-5, atol=2**-5 * found[0].abs().max().item())


def test_without_bfloat16_it_is_the_very_same(layers: Layers) -> None:
    image = torch.randn(3, 6, 8, 10)
    assert torch.equal(*(layer(image) for layer in layers))


def test_frozen_weights_are_asked_for_no_gradient(layers: Layers) -> None:
    _, deep = layers
    image = torch.randn(3, 6, 8, 10, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16), frozen(deep):
        result = deep(image)
    assert deep.weight.requires_grad
    result.float().sum().backward()
    assert deep.weight.grad is None
    assert image.grad is not None


def test_judging_takes_running_statistics_unless_the_batch_s_own_are_asked_for() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5))
    with judging(network):
        assert [module.training for module in network] == [False, False]
    with judging(network, own_statistics=True):
        assert [module.training for module in network] == [True, False]
    assert all(module.training for module in network.modules())
