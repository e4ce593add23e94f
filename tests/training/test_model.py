"""How weights lie in memory: no value changes."""

import torch
from torch import nn

from gaitkit.training.model import lay_out


def test_weights_lie_with_their_channels_last() -> None:
    layer = nn.Conv2d(3, 8, 4)
    before = layer.weight.detach().clone()
    lay_out(layer, "cpu")
    assert layer.weight.stride() == (48, 1, 12, 3)
    assert torch.equal(layer.weight, before)


def test_a_network_with_instance_normalisation_stays_channels_first_on_a_gpu() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 4), nn.InstanceNorm2d(8))
    lay_out(network, "cuda")
    assert network[0].weight.stride() == (48, 16, 4, 1)


def test_only_convolutions_have_channels_that_could_lie_last() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.change = nn.Parameter(torch.zeros(2, 3, 4, 5))
            self.body = nn.ConvTranspose2d(3, 8, 4)

    network = Turned()
    lay_out(network, "cpu")
    assert network.change.is_contiguous()
    assert network.body.weight.stride() == (128, 1, 32, 8)
