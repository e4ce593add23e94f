"""Layers that translators share: strided 4×4 convolutions down, transposed ones up.

All are without biases: what follows is a batch normalisation with its own shift, or an output
whose constant the data fix.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

__all__ = ["DEPTH", "LEAKY_SLOPE", "Critic", "decoder", "encoder", "init_normal"]

DEPTH = 4
"""Halvings of the image from input to code: 64×64 becomes 4×4."""

LEAKY_SLOPE = 0.2


def encoder(in_channels: int, width: int, *, momentum: float = 0.1) -> OrderedDict[str, nn.Module]:
    """Four layers that each halve the image: w, 2w, 4w, 8w channels.

    Convolution 4×4, stride 2, padding 1; batch normalisation (not after the first); leaky ReLU.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    width : int
        Channels of the first layer.
    momentum : float
        Weight of the newest batch in the running statistics.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for level in range(DEPTH):
        out = width * 2**level
        layers[f"conv{level + 1}"] = nn.Conv2d(channels, out, 4, 2, 1, bias=False)
        if level > 0:
            layers[f"norm{level + 1}"] = nn.BatchNorm2d(out, momentum=momentum)
        layers[f"act{level + 1}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        channels = out
    return layers


def decoder(out_channels: int, width: int, *, momentum: float = 0.1) -> OrderedDict[str, nn.Module]:
    """The mirror image of `encoder`: 8w channels to 4w, 2w, w and the image, which ends in tanh."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = width * 2 ** (DEPTH - 1)
    for level in reversed(range(DEPTH)):
        out = width * 2 ** (level - 1) if level > 0 else out_channels
        layers[f"up{level + 1}"] = nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False)
        if level > 0:
            layers[f"upnorm{level + 1}"] = nn.BatchNorm2d(out, momentum=momentum)
            layers[f"upact{level + 1}"] = nn.ReLU(inplace=True)
        channels = out
    layers["tanh"] = nn.Tanh()
    return layers


class Critic(nn.Module):
    """A discriminator: the encoder, then one convolution over all that remains, giving a logit.

    Parameters
    ----------
    in_channels : int
        Channels of the image: 1, or 2 for a pair.
    width : int
        Channels of the first layer.
    image_size : tuple of int
        Height and width, multiples of 16; the last kernel covers a sixteenth of each.
    """

    def __init__(self, in_channels: int, width: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        kernel = (image_size[0] // 2**DEPTH, image_size[1] // 2**DEPTH)
        top = nn.Conv2d(width * 2 ** (DEPTH - 1), 1, kernel, bias=False)
        self.layers = nn.Sequential(OrderedDict(encoder(in_channels, width), logit=top))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n,) for images of shape (n, in_channels, height, width)."""
        logits: torch.Tensor = self.layers(image)
        return logits.flatten()


def init_normal(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the starting weights: convolutions N(0, 0.02), gains N(1, 0.02), shifts 0.

    Drawn on the CPU, in the order of the modules, so that a seed gives the same start on every
    device.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.weight.normal_(0.0, 0.02, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, 0.02, generator=generator)
                module.bias.zero_()
