"""A part of an embedding that no gradient teaches: discriminant analysis, view by view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from gaitkit.embedders.networks.parts import crop_width

__all__ = ["LinearPart", "LinearSizes", "seen_pixels"]

SEEN_HEIGHT = 64
"""Larger images are averaged over squares, down to about this height."""


@dataclass(frozen=True)
class LinearSizes:
    """How large the matrices of a `LinearPart` are.

    Attributes
    ----------
    pixels : int
        Pixels of an image as it is seen.
    components : int
        Principal components.
    changing : int
        How many of them, the first ones, have matrices that change with the view; 0 where no views
        are told apart.
    views, values : int
        Views that are told apart; values of the part.
    """

    pixels: int
    components: int
    changing: int
    views: int
    values: int


class LinearPart(nn.Module):
    """Discriminants of an image, by a matrix that depends on the view, as one vector of length 1.

    ``c = (image - mean) @ components``; ``share = softmax(c @ tell + bias)``; ``out = c @ shared +
    sum over v of share[v] * (c[:changing] @ change[v]) - offset``, divided by its length. What the
    numbers are is computed once, from all training images (`gaitkit.embedders.linear.fit_linear`);
    before that the part is 0.

    Parameters
    ----------
    sizes : LinearSizes
        Of the matrices.
    """

    mean: torch.Tensor
    components: torch.Tensor
    shared: torch.Tensor
    offset: torch.Tensor
    tell: torch.Tensor
    bias: torch.Tensor
    change: torch.Tensor
    fixed = True
    """Nothing in a training moves the buffers: all processes have the same ones."""

    def __init__(self, sizes: LinearSizes) -> None:
        super().__init__()
        count, views = sizes.components, sizes.views
        shapes = {
            "mean": (sizes.pixels,),
            "components": (sizes.pixels, count),
            "shared": (count, sizes.values),
            "offset": (sizes.values,),
        }
        if views:
            shapes |= {
                "tell": (count, views),
                "bias": (views,),
                "change": (views, sizes.changing, sizes.values),
            }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.sizes = sizes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, channels, height, width), in [0, 1], to (n, values)."""
        components = (seen_pixels(images) - self.mean) @ self.components
        found: torch.Tensor = components @ self.shared - self.offset
        if self.sizes.views:
            share = (components @ self.tell + self.bias).softmax(dim=1)
            first = components[:, : self.sizes.changing]
            weighed = (share[:, :, None] * first[:, None]).flatten(1)
            found = found + weighed @ self.change.flatten(0, 1)
        return functional.normalize(found, dim=1)


def seen_pixels(images: torch.Tensor) -> torch.Tensor:
    """What a `LinearPart` sees of images of shape (n, channels, height, width): (n, pixels).

    Examples
    --------
    >>> seen_pixels(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 2816])
    >>> seen_pixels(torch.zeros(2, 1, 128, 128)).shape
    torch.Size([2, 2816])
    """
    seen = crop_width(images)
    square = max(1, images.shape[2] // SEEN_HEIGHT)
    if square > 1:
        seen = functional.avg_pool2d(seen, square)
    return seen.flatten(1)
