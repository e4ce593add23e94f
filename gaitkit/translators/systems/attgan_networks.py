"""AttGAN's networks: an encoder, a decoder that is told the attributes, a critic with two heads.

He, Zuo, Kan, Shan, Chen, "AttGAN: Facial Attribute Editing by Only Changing What You Want", IEEE
TIP 28(11), 2019, table I, made for images of 64×64: one layer fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from gaitkit.translators.networks.blocks import LEAKY_SLOPE
from gaitkit.translators.networks.convolution import DeepConv2d

__all__ = ["AttributeCritic", "EncoderDecoder"]


class EncoderDecoder(nn.Module):
    """The generator: a code of the image, decoded with the attributes that it shall have.

    Encoder: convolutions 4×4, stride 2, with w, 2w, 4w, … channels, batch normalisation, leaky
    ReLU. Decoder: transposed ones of the same size with …, 4w, 2w channels, batch normalisation,
    ReLU; the last one gives the image.

    Parameters
    ----------
    width : int
        w, channels of the first layer.
    layers : int
        How often the image is halved.
    attributes : int
        Length of the attribute vector.
    shortcut : int
        Decoder layers, the first one not counted, that also see the encoder's layer of their size.
    inject : int
        Decoder layers, the first one not counted, that are also told the attributes.
    """

    def __init__(
        self, width: int, layers: int, attributes: int, *, shortcut: int, inject: int
    ) -> None:
        super().__init__()
        self.shortcut, self.inject = shortcut, inject
        down = [1, *(width * 2**level for level in range(layers))]
        self.encoder = nn.ModuleList(
            _down(inside, out, nn.BatchNorm2d(out), deepest=out == down[-1])
            for inside, out in pairwise(down)
        )
        self.decoder = nn.ModuleList()
        channels = down[-1]
        for level in range(layers):
            told = attributes if level <= inject else 0
            seen = down[-1 - level] if 0 < level <= shortcut else 0
            # The first decoder layer keeps the code's channels, the others halve them.
            out = down[-1 - level] if level < layers - 1 else 1
            self.decoder.append(_up(channels + told + seen, out, last=level == layers - 1))
            channels = out

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Every layer's output for images (n, 1, height, width); the last one is the code."""
        found = []
        for layer in self.encoder:
            image = layer(image)
            found.append(image)
        return found

    def decode(self, codes: Sequence[torch.Tensor], attributes: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1] from what `encode` gave and attributes of shape (n, attributes)."""
        image = codes[-1]
        for level, layer in enumerate(self.decoder):
            parts = [image]
            if 0 < level <= self.shortcut:
                parts.append(codes[-1 - level])
            if level <= self.inject:
                size = (-1, -1, image.shape[2], image.shape[3])
                parts.append(attributes.to(image.dtype)[:, :, None, None].expand(size))
            image = layer(torch.cat(parts, dim=1) if len(parts) > 1 else image)
        return torch.tanh(image)

    def forward(self, image: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """The images, with these attributes."""
        return self.decode(self.encode(image), attributes)


class AttributeCritic(nn.Module):
    """One trunk with two heads: how real an image is, and which attributes it has.

    Trunk: the encoder's convolutions with instance normalisation, which unlike a batch's keeps
    each image's gradient its own. Heads: two full layers each, 16w values between them.

    Parameters
    ----------
    width : int
        w, channels of the first layer.
    layers : int
        How often the image is halved.
    attributes : int
        Length of the attribute vector.
    image_size : tuple of int
        Height and width.
    """

    def __init__(
        self, width: int, layers: int, attributes: int, image_size: tuple[int, int]
    ) -> None:
        super().__init__()
        down = [1, *(width * 2**level for level in range(layers))]
        self.trunk = nn.Sequential(
            *(
                _down(inside, out, nn.InstanceNorm2d(out, affine=True), deepest=out == down[-1])
                for inside, out in pairwise(down)
            )
        )
        places = (image_size[0] >> layers) * (image_size[1] >> layers)
        self.realism = _head(places * down[-1], 16 * width, 1)
        self.attributes = _head(places * down[-1], 16 * width, attributes)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of shape (n,), and logits of the attributes of shape (n, attributes)."""
        seen = self.features(image)
        return self.realism(seen).flatten(), self.attributes(seen)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the heads see, shape (n, d)."""
        seen: torch.Tensor = self.trunk(image).flatten(1)
        return seen

    def realness(self, image: torch.Tensor) -> torch.Tensor:
        """The scores alone."""
        score: torch.Tensor = self.realism(self.features(image))
        return score.flatten()


def _down(inside: int, out: int, norm: nn.Module, *, deepest: bool) -> nn.Sequential:
    kind = DeepConv2d if deepest else nn.Conv2d
    convolution = kind(inside, out, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, norm, nn.LeakyReLU(LEAKY_SLOPE, inplace=True))


def _up(inside: int, out: int, *, last: bool) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inside, out, 4, 2, 1, bias=last)
    if last:
        return nn.Sequential(convolution)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _head(inside: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inside, hidden), nn.LeakyReLU(LEAKY_SLOPE, inplace=True), nn.Linear(hidden, out)
    )
