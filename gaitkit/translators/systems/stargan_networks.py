"""StarGAN's two networks: one generator for all labels, one critic that also reads the label.

Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: Unified Generative Adversarial Networks for Multi-Domain
Image-to-Image Translation", CVPR 2018, sections 3 and 7.2. Layers are the paper's, for images of
one channel; the number of the critic's halvings is a setting, for images smaller than 128×128.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

__all__ = ["ClassifyingCritic", "LabelledGenerator", "ResidualBlock"]

LEAKY_SLOPE = 0.01


class ResidualBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))), both convolutions 3×3.

    Padded with zeros, as all of the generator: with a mirrored border, instance normalisation
    would subtract the constant label maps again.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The same shape as `image`."""
        changed: torch.Tensor = image + self.layers(image)
        return changed


class LabelledGenerator(nn.Module):
    """An image and the label that is asked for, to the image with that label.

    A 7×7 convolution, two that halve the image, residual blocks, two that double it, a 7×7
    convolution and tanh. Instance normalisation has no running statistics: an image's translation
    depends on nothing beside it, in training as later.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    labels : int
        Views and conditions.
    residual_blocks : int
        How many.
    datasets : int
        With more than one, the label vector ends with which one it is (the paper's mask vector),
        and the buffer `known`, int64 of shape (datasets, labels), says which labels each has.
    """

    known: torch.Tensor

    def __init__(
        self, width: int, labels: int, *, residual_blocks: int = 6, datasets: int = 1
    ) -> None:
        super().__init__()
        maps = labels if datasets == 1 else labels + datasets
        if datasets > 1:
            self.register_buffer("known", torch.ones(datasets, labels, dtype=torch.int64))
        down: OrderedDict[str, nn.Module] = OrderedDict()
        down["first"] = nn.Conv2d(1 + maps, width, 7, 1, 3, bias=False)
        down |= _norm_act("0", width)
        for level in (1, 2):
            out = width * 2**level
            down[f"down{level}"] = nn.Conv2d(out // 2, out, 4, 2, 1, bias=False)
            down |= _norm_act(str(level), out)
        for block in range(residual_blocks):
            down[f"residual{block + 1}"] = ResidualBlock(width * 4)
        up: OrderedDict[str, nn.Module] = OrderedDict()
        for level in (2, 1):
            out = width * 2 ** (level - 1)
            up[f"up{level}"] = nn.ConvTranspose2d(out * 2, out, 4, 2, 1, bias=False)
            up |= _norm_act(str(level), out)
        up["last"] = nn.Conv2d(width, 1, 7, 1, 3, bias=False)
        self.encoder = nn.Sequential(down)
        self.decoder = nn.Sequential(up)

    def encode(self, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The bottleneck, shape (n, 4 · width, height / 4, width / 4).

        Parameters
        ----------
        image : Tensor, shape (n, 1, height, width)
            In [-1, 1].
        label : Tensor, shape (n, labels), or (n, labels + datasets)
            What is asked for; each number becomes a constant map.
        """
        maps = label[:, :, None, None].expand(-1, -1, image.shape[2], image.shape[3])
        code: torch.Tensor = self.encoder(torch.cat([image, maps.to(image.dtype)], dim=1))
        return code

    def forward(self, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, 1, height, width) in [-1, 1]; parameters as of `encode`."""
        return torch.tanh(self.decoder(self.encode(image, label)))


class ClassifyingCritic(nn.Module):
    """Halving convolutions; one map of how real each patch is, and the logits of the labels.

    No normalisation, as the gradient penalty is of each image by itself; with biases.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    depth : int
        Halvings, each doubling the channels: 5 leave 2×2 of 64×64 pixels.
    labels : int
        Number of logits.
    image_size : tuple of int
        Height and width; none may be halved away.
    """

    def __init__(self, width: int, depth: int, labels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 1
        for level in range(depth):
            out = width * 2**level
            layers[f"conv{level + 1}"] = nn.Conv2d(channels, out, 4, 2, 1)
            layers[f"act{level + 1}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
            channels = out
        remaining = (image_size[0] // 2**depth, image_size[1] // 2**depth)
        self.trunk = nn.Sequential(layers)
        self.patches = nn.Conv2d(channels, 1, 3, 1, 1, bias=False)
        self.classes = nn.Conv2d(channels, labels, remaining, bias=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How real, shape (n, 1, patch rows, patch columns), and logits of shape (n, labels)."""
        code = self.trunk(image)
        return self.patches(code), self.classes(code).flatten(1)

    def reality(self, image: torch.Tensor) -> torch.Tensor:
        """The map of how real each patch is, alone."""
        patches: torch.Tensor = self.patches(self.trunk(image))
        return patches


def _norm_act(level: str, channels: int) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        [
            (f"norm{level}", nn.InstanceNorm2d(channels, affine=True)),
            (f"act{level}", nn.ReLU(inplace=True)),
        ]
    )
