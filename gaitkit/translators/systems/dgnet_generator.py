"""DG-Net's generator and critic: a layout is drawn in the manner of an identity, and judged.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019, section 3 and its supplement.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from gaitkit.translators.networks.blocks import LEAKY_SLOPE
from gaitkit.translators.networks.losses import gradient_penalty
from gaitkit.translators.systems.dgnet_encoders import STRIPES

__all__ = ["SCALES", "Composer", "DoublingConv2d", "ScalesCritic"]

SCALES = 3
"""Sizes at which the critic looks at an image: whole, half and a quarter."""


class Composer(nn.Module):
    """The generator G: a layout code, coloured block by block by an identity code.

    Four residual blocks of 8w channels, each normalised to the mean and spread that its stripe of
    the identity code asks for (AdaIN); twice doubled, 5×5 to 4w and 2w channels; two 3×3; 1×1 to
    the image, which tanh keeps in [-1, 1] (the original's output is linear).

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    identity_width : int
        v, that of the identity encoder.
    """

    def __init__(self, width: int, identity_width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _DrivenBlock(8 * width, 16 * identity_width) for _ in range(STRIPES)
        )
        self.up = nn.Sequential(
            *_doubled(8 * width, 4 * width),
            *_doubled(4 * width, 2 * width),
            *_plain(2 * width, 2 * width, 3),
            *_plain(2 * width, 2 * width, 3),
            nn.Conv2d(2 * width, 1, 1),
        )

    def forward(self, identity: torch.Tensor, layout: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, 1, height, width).

        Parameters
        ----------
        identity : Tensor, shape (n, 4, 16 · identity_width)
            From `IdentityEncoder`.
        layout : Tensor, shape (n, 8 · width, height / 4, width / 4)
            From `LayoutEncoder`.
        """
        values = layout
        for stripe, block in enumerate(self.blocks):
            values = block(values, identity[:, stripe])
        return torch.tanh(self.up(values))


class ScalesCritic(nn.Module):
    """The critic D: one small network for each of three sizes, each giving a map of scores.

    1×1 to 2w channels; 3×3, at 2w, 2w (halving), 2w and 4w (halving); four residual blocks; 1×1 to
    the scores. No normalisation.

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Sequential(
                *_plain(1, 2 * width, 1),
                *_plain(2 * width, 2 * width, 3),
                *_plain(2 * width, 2 * width, 3, stride=2),
                *_plain(2 * width, 2 * width, 3),
                *_plain(2 * width, 4 * width, 3, stride=2),
                *(_PlainBlock(4 * width) for _ in range(4)),
                nn.Conv2d(4 * width, 1, 1),
            )
            for _ in range(SCALES)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """A map of scores for each size."""
        scores = []
        for scale in self.scales:
            scores.append(scale(images))
            images = _halved(images)
        return scores

    def gradient_penalty(self, images: torch.Tensor) -> torch.Tensor:
        """Squared gradient of each scale's summed map at the images, at their full size.

        Its batch mean, summed over the scales. To be called outside autocast.
        """
        penalties = [
            gradient_penalty(_after(k, scale), images) for k, scale in enumerate(self.scales)
        ]
        return torch.stack(penalties).sum()


def _after(halvings: int, scale: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """A scale's scores of images at their full size."""

    def scores(images: torch.Tensor) -> torch.Tensor:
        for _ in range(halvings):
            images = _halved(images)
        found: torch.Tensor = scale(images)
        return found

    return scores


def _halved(images: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(images, 3, 2, 1, count_include_pad=False)


class DoublingConv2d(nn.Conv2d):
    """A 5×5 convolution of an image that is first doubled by repeating its pixels.

    Computed without doubling: a pixel of the result sees each pixel of the small image through
    one, two or four places of the kernel, whose weights are added first. What is left are four
    convolutions 3×3, one for each of the four pixels that one becomes, and 9 products in place of
    25. Beyond the borders the image goes on as its last pixels.

    Parameters
    ----------
    inside, out : int
        Channels.
    """

    places: torch.Tensor

    def __init__(self, inside: int, out: int) -> None:
        super().__init__(inside, out, 5)
        # Which places of five meet the small image's pixel before, the same, the one behind, for
        # the first and for the second of the two pixels that it becomes.
        first = [[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
        second = [[1.0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
        self.register_buffer("places", torch.tensor([first, second]), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From (n, inside, height, width) to (n, out, 2·height, 2·width)."""
        places = self.places
        weight = torch.einsum("oiab,pxa,qyb->opqixy", self.weight, places, places)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
        convolved = functional.conv2d(padded, weight.flatten(0, 2), bias)
        shuffled: torch.Tensor = functional.pixel_shuffle(convolved, 2)
        return shuffled


class _DrivenBlock(nn.Module):
    def __init__(self, channels: int, stripe: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        # Each gives the values of both convolutions.
        self.scale = _perceptron(stripe, 4 * channels, 2 * channels)
        self.shift = _perceptron(stripe, 4 * channels, 2 * channels)

    def forward(self, values: torch.Tensor, stripe: torch.Tensor) -> torch.Tensor:
        scales = self.scale(stripe)[:, :, None, None].chunk(2, dim=1)
        shifts = self.shift(stripe)[:, :, None, None].chunk(2, dim=1)
        # Around 1, so that a block passes on something from the first step.
        inner = functional.instance_norm(self.first(values)) * (1.0 + scales[0]) + shifts[0]
        inner = functional.leaky_relu(inner, LEAKY_SLOPE)
        inner = functional.instance_norm(self.second(inner)) * (1.0 + scales[1]) + shifts[1]
        result: torch.Tensor = values + inner
        return result


class _PlainBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_plain(channels, channels, 3), nn.Conv2d(channels, channels, 3, 1, 1)
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = values + self.layers(values)
        return result


def _perceptron(inside: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inside, hidden),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        nn.Linear(hidden, out),
    )


def _doubled(inside: int, out: int) -> list[nn.Module]:
    return [
        DoublingConv2d(inside, out),
        # One group: the mean and spread of all of an image's values.
        nn.GroupNorm(1, out),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    ]


def _plain(inside: int, out: int, kernel: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, out, kernel, stride, kernel // 2),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    ]
