"""The basic block of a ResNet (He et al., CVPR 2016), as the embedders have it."""

from __future__ import annotations

import torch
from torch import nn

from gaitkit.embedders.networks.normed import NormedSequential, normed
from gaitkit.embedders.networks.pooling import every_pixel
from gaitkit.embedders.networks.recomputing import bent, between_convolutions

__all__ = ["Residual"]


class Residual(nn.Module):
    """Two convolutions, and what goes past them added: itself, or by a convolution of 1x1.

    Parameters
    ----------
    channels_in, channels_out : int
        Before and after.
    stride : int
        Of the first convolution.
    slope : float
        Of the ReLUs below 0.
    sparing : bool
        Whether a training spares memory at the cost of some time (`between_convolutions`).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        stride: int = 1,
        *,
        slope: float = 0.0,
        sparing: bool = False,
    ) -> None:
        super().__init__()
        self.slope, self.sparing = slope, sparing
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.beside: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels_out:
            self.beside = NormedSequential(
                # Of every second pixel, and not with a stride: by that, oneDNN (torch 2.13) writes
                # beyond its memory where channels are few and lie last.
                _EveryPixel(stride),
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
                nn.BatchNorm2d(channels_out),
                sparing=sparing,
            )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps of shape (n, channels, rows, columns), by the stride smaller."""
        if self.sparing and self.training:
            first = self.conv1(maps)
            found = self.norm2(between_convolutions(first, self.norm1, self.slope, self.conv2))
        else:
            found = bent(normed(self.conv1, self.norm1, maps), self.slope)
            found = normed(self.conv2, self.norm2, found)
        found += self.beside(maps)
        return bent(found, self.slope)


class _EveryPixel(nn.Module):
    """`every_pixel`, as a layer."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return every_pixel(maps, self.stride)
