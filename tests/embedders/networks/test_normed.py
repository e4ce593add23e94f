"""Convolution and normalisation in one: the same as one after the other, in evaluation only."""

import pytest
import torch
from torch import nn

from gaitkit.embedders import embedder_class
from gaitkit.embedders.networks.normed import normed


def _varied(network: nn.Module) -> nn.Module:
    """With other running statistics, scales and shifts than a new network has."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                for tensor in (module.running_var, module.weight):
                    tensor.uniform_(0.5, 2.0, generator=generator)
                for tensor in (module.running_mean, module.bias):
                    tensor.uniform_(-1.0, 1.0, generator=generator)
    return network


def test_a_normalisation_goes_into_weight_and_bias():
    convolution, norm = nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2, eps=0).eval()
    with torch.no_grad():
        convolution.weight[:, 0, 0, 0] = torch.tensor([3.0, 5.0])
        norm.running_mean[:] = torch.tensor([1.0, 2.0])
        norm.running_var[:] = torch.tensor([4.0, 9.0])
        norm.weight[:] = torch.tensor([2.0, 6.0])
        norm.bias[:] = torch.tensor([10.0, 20.0])
    # (3 · 2 - 1) / 2 · 2 + 10, and (5 · 2 - 2) / 3 · 6 + 20
    found = normed(convolution, norm, torch.full((1, 1, 1, 1), 2.0))
    assert found.flatten().tolist() == [15.0, 36.0]


@pytest.mark.parametrize("stride", [1, 2])
def test_rows_stride_and_padding_are_those_of_the_convolution(stride: int):
    convolution = nn.Conv2d(3, 4, (3, 5), stride, padding=(1, 2), bias=False)
    norm = _varied(nn.BatchNorm2d(4)).eval()
    maps = torch.rand(2, 3, 8, 6)
    torch.testing.assert_close(normed(convolution, norm, maps), norm(convolution(maps)))


def test_a_training_normalises_by_the_batch_and_moves_the_statistics():
    convolution, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1)
    found = normed(convolution, norm, torch.arange(8.0).view(2, 1, 2, 2))
    assert found.mean().item() == pytest.approx(0, abs=1e-6)
    assert norm.num_batches_tracked.item() == 1
    assert norm.running_mean.item() != 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gei-parts", {"width": 2}),
        ("gei-parts", {"width": 2, "form": 1}),
        ("gaitset", {"width": 2, "norm": "batch"}),
        ("gaitset", {"width": 2, "norm": "none"}),
        ("gaitbase", {"width": 2}),
        ("gaitbase", {"width": 2, "stem": "half"}),
    ],
)
def test_networks_compute_what_their_layers_do_one_after_the_other(
    name: str, settings: dict[str, object]
):
    model = embedder_class(name)(**settings, subjects=2, device="cpu")
    network = _varied(model.network).eval()
    frames = torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        together = network.maps(frames)
        norms = [
            (module, child)
            for module in network.modules()
            for child, layer in module.named_children()
            if isinstance(layer, nn.BatchNorm2d)
        ]
        for module, child in norms:
            # Within another layer it stays on its own.
            setattr(module, child, nn.Sequential(getattr(module, child)))
        apart = network.maps(frames)
    assert bool(norms) == (settings.get("norm") != "none")
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
