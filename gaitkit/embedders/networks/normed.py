"""Convolutions with batch normalisation behind them, which are one convolution once trained.

With running statistics a batch normalisation multiplies each channel by one number and adds
another. Both can be done to the weights, once a batch, instead of to maps of all images.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from gaitkit.embedders.networks.recomputing import behind_convolution

__all__ = ["NormedSequential", "normed"]


def normed(
    convolution: nn.Conv2d, norm: nn.Module, maps: torch.Tensor, *, sparing: bool = False
) -> torch.Tensor:
    """Maps, convolved and normalised; in one step where the statistics stand still.

    Parameters
    ----------
    convolution : Conv2d
        Without a bias of its own, and padded by zeros.
    norm : Module
        A `BatchNorm2d` of its channels, with scale and shift; of anything else what it makes of
        what is convolved is given.
    maps : Tensor, shape (n, channels, rows, columns)
    sparing : bool
        Whether a training spares memory at the cost of some time (`behind_convolution`).

    Examples
    --------
    >>> convolution, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0).eval()
    >>> for tensor, value in ((convolution.weight, 6), (norm.running_mean, 4), (norm.bias, 1)):
    ...     _ = nn.init.constant_(tensor, value)
    >>> _ = nn.init.constant_(norm.running_var, 4)
    >>> normed(convolution, norm, torch.ones(1, 1, 1, 1)).item()  # (6 - 4) / 2 + 1
    2.0
    """
    if (
        not isinstance(norm, nn.BatchNorm2d)
        or norm.training
        or norm.running_mean is None
        or norm.running_var is None
    ):
        if sparing:
            return behind_convolution(maps, convolution, norm)
        found: torch.Tensor = norm(convolution(maps))
        return found
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return functional.conv2d(
        maps,
        convolution.weight * scale[:, None, None, None],
        norm.bias - norm.running_mean * scale,
        convolution.stride,
        convolution.padding,
    )


class NormedSequential(nn.Sequential):
    """Layers one after the other, with `normed` for each convolution that has a layer behind it.

    Parameters
    ----------
    *layers : Module
    sparing : bool
        See `normed`.

    Examples
    --------
    >>> layers = nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU()
    >>> maps = torch.rand(4, 1, 8, 8)
    >>> together = NormedSequential(*layers).eval()(maps)
    >>> torch.allclose(together, nn.Sequential(*layers).eval()(maps), atol=1e-6)
    True
    """

    def __init__(self, *layers: nn.Module, sparing: bool = False) -> None:
        super().__init__(*layers)
        self.sparing = sparing

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """What the last layer makes of them."""
        layers = iter(self)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                norm = next(layers, nn.Identity())
                maps = normed(layer, norm, maps, sparing=self.sparing)
            else:
                maps = layer(maps)
        return maps
