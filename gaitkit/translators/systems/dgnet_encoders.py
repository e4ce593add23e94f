"""DG-Net's two encoders: who it is, in four stripes, and how it is laid out, from a poor image.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019, section 3. Its appearance code, which is what identifies, stands here
for the proportions of the body; its structure code for the view, the clothes and what is carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from gaitkit.translators.networks.blocks import LEAKY_SLOPE

__all__ = ["LAYOUT_FACTOR", "STRIPES", "Identity", "IdentityEncoder", "LayoutEncoder", "shrink"]

STRIPES = 4
"""Parts of the identity code: head, trunk, thighs and shanks of a body that fills the image."""

LAYOUT_FACTOR = 4
"""How many times smaller than the image that the layout is read from, and the layout code, are."""

_STEEPNESS = 4.0
_STRIDES = (1, 2, 2, 2)
_DROPOUTS = (0.5, 0.75)
_DILATIONS = (3, 6, 9)


class Identity(NamedTuple):
    """What `IdentityEncoder` sees in n images.

    Attributes
    ----------
    code : Tensor, shape (n, 4, 16 · width)
        The identity code, stripe by stripe from the head down; what the generator takes.
    features : list of Tensor, each of shape (n, 16 · width)
        Each head's embedding.
    scores : list of Tensor, each of shape (n, classes)
        Each head's logits.
    """

    code: torch.Tensor
    features: list[torch.Tensor]
    scores: list[torch.Tensor]


class IdentityEncoder(nn.Module):
    """A small residual network that tells people apart.

    Four residual blocks of 2w, 4w, 8w and 16w channels, the last three halving the image; the
    largest value of each channel in each of four stripes; heads on the largest value of all: a
    linear layer, batch normalisation, dropout, and the logits.

    Parameters
    ----------
    width : int
        w; 16 gives the 32 to 256 channels of the default.
    classes : sequence of int
        Logits of each head; one head or two.
    """

    def __init__(self, width: int, classes: Sequence[int]) -> None:
        super().__init__()
        channels = [1, *(2 * width * 2**level for level in range(len(_STRIDES)))]
        self.blocks = nn.Sequential(
            *(
                _NormalisedBlock(inside, out, stride)
                for inside, out, stride in zip(channels, channels[1:], _STRIDES)
            )
        )
        self.heads = nn.ModuleList(
            _Head(channels[-1], number, dropout) for number, dropout in zip(classes, _DROPOUTS)
        )

    def forward(self, images: torch.Tensor) -> Identity:
        """Codes, embeddings and logits of images of shape (n, 1, height, width)."""
        found = self.blocks(images)
        stripes = found.reshape(*found.shape[:2], STRIPES, -1).amax(dim=3)
        whole = stripes.amax(dim=2)
        heads = [head(whole) for head in self.heads]
        return Identity(
            stripes.transpose(1, 2), [each[0] for each in heads], [each[1] for each in heads]
        )


class LayoutEncoder(nn.Module):
    """The layout of a body: where the silhouette is, and nothing finer.

    Instance normalisation and leaky ReLU after every convolution but the last: 3×3 to w channels,
    halving; 3×3 to 2w, twice; 3×3 to 4w, halving; four residual blocks; a pyramid of dilations; 1×1
    to 8w.

    Buffer ``layouts``, shape (views, conditions, height / 4, width / 4): the mean small image of
    each domain of the training data, of which the encoder makes the layout that a translation is
    asked for. Kept as images and not as codes, they fit the encoder's weights at any time.

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    image_size : tuple of int
        Height and width of the images.
    domains : tuple of int
        How many views and conditions there are.
    """

    layouts: torch.Tensor

    def __init__(self, width: int, image_size: tuple[int, int], domains: tuple[int, int]) -> None:
        super().__init__()
        side = (image_size[0] // LAYOUT_FACTOR, image_size[1] // LAYOUT_FACTOR)
        self.register_buffer("layouts", torch.zeros(*domains, *side))
        self.layers = nn.Sequential(
            _convolution(1, width, 3, stride=2),
            _convolution(width, 2 * width, 3),
            _convolution(2 * width, 2 * width, 3),
            _convolution(2 * width, 4 * width, 3, stride=2),
            *(_InstanceBlock(4 * width) for _ in range(4)),
            _Pyramid(4 * width),
            nn.Conv2d(8 * width, 8 * width, 1),
        )

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        """Layout codes of small images.

        Parameters
        ----------
        small : Tensor, shape (n, 1, height / 4, width / 4)
            In [-1, 1], from `shrink`. Grey values are pushed towards black and white, so that they
            cannot tell how far an arm swings, then brought to the image's size again.

        Returns
        -------
        Tensor, shape (n, 8 · width, height / 4, width / 4)
        """
        poor = torch.tanh(_STEEPNESS * small)
        wide = functional.interpolate(poor, scale_factor=LAYOUT_FACTOR, mode="bilinear")
        code: torch.Tensor = self.layers(wide)
        return code

    def asked(self, view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Layout codes of domains, given as indices of shape (n,)."""
        code: torch.Tensor = self(self.layouts[view, condition].unsqueeze(1))
        return code


def shrink(images: torch.Tensor) -> torch.Tensor:
    """Images a quarter as high and wide, each pixel the mean of sixteen."""
    return functional.avg_pool2d(images, LAYOUT_FACTOR)


class _NormalisedBlock(nn.Module):
    """Two 3×3 convolutions with batch normalisation beside a shortcut, 1×1 where sizes differ."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inside, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.stride = stride
        self.shortcut = nn.Sequential(nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        # Pixels are left out here, not by a strided 1×1 convolution: oneDNN's for float32, channels
        # last, writes beyond its memory where there are few channels (torch 2.13, 8 to 16).
        kept = values[:, :, :: self.stride, :: self.stride]
        return functional.relu(self.layers(values) + self.shortcut(kept))


class _Head(nn.Module):
    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(channels, channels, bias=False), nn.BatchNorm1d(channels)
        )
        self.score = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedded = self.embed(values)
        return embedded, self.score(embedded)


def _convolution(inside: int, out: int, kernel: int, *, stride: int = 1) -> nn.Module:
    """A convolution with reflected borders, instance normalisation, leaky ReLU.

    No bias: the normalisation would take it away again.
    """
    return nn.Sequential(
        nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False, padding_mode="reflect"),
        nn.InstanceNorm2d(out),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    )


class _InstanceBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(channels, channels, 3),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = values + self.layers(values)
        return result


class _Pyramid(nn.Module):
    """Four views of the map from near to far, each of half its channels, one behind the other.

    Chen, Papandreou, Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image
    Segmentation", 2017. Borders are zeros: a reflection cannot reach nine pixels into a small map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.near = _convolution(channels, half, 1)
        self.far = nn.ModuleList(
            nn.Sequential(
                _convolution(channels, half, 1),
                nn.Conv2d(half, half, 3, 1, dilation, dilation, bias=False),
                nn.InstanceNorm2d(half),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            )
            for dilation in _DILATIONS
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.near(values), *(branch(values) for branch in self.far)], dim=1)
