"""Parts of an embedding that no gradient teaches: discriminant analysis, view by view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from gaitkit.embedders.networks.parts import crop_width

__all__ = ["Discriminants", "LinearPart", "LinearSizes", "seen_images", "strip_of"]

SEEN_HEIGHT = 64
"""Larger images are averaged over squares, down to about this height."""

COARSE = 2
"""The largest number of strips that are seen at half of that, and the whole: what they tell apart
is large, and an analysis of fewer pixels is quicker and tells more (by folds of real people)."""


@dataclass(frozen=True)
class LinearSizes:
    """How large the matrices of a `LinearPart` are.

    Attributes
    ----------
    shape : tuple of int
        Channels, height and width of an image as it is seen.
    components : int
        Principal components, at most.
    changing : int
        How many of them, the first ones, have matrices that change with the view, at most; 0 where
        no views are told apart.
    views, values : int
        Views that are told apart; values of each vector.
    strips : tuple of int
        Into how many strips the image is cut, one after the other: each number divides the height.
        Where there are none, as in models of before, only the whole is seen, and not averaged.
    """

    shape: tuple[int, int, int]
    components: int
    changing: int
    views: int
    values: int
    strips: tuple[int, ...] = ()

    @property
    def pixels(self) -> int:
        """Of all channels."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def pieces(self) -> tuple[tuple[int, int], ...]:
        """Number and count of each strip, after the whole: of how many it is which.

        Examples
        --------
        >>> LinearSizes((1, 64, 44), 100, 100, views=11, values=128, strips=(2, 4)).pieces
        ((0, 1), (0, 2), (1, 2), (0, 4), (1, 4), (2, 4), (3, 4))
        """
        return tuple((number, count) for count in (1, *self.strips) for number in range(count))

    def of_strip(self, count: int) -> LinearSizes:
        """What is left of them for one of so many strips.

        Examples
        --------
        >>> LinearSizes((1, 64, 44), 120, 120, views=11, values=128, strips=(8,)).of_strip(8)
        LinearSizes(shape=(1, 8, 44), components=120, changing=120, views=11, values=128, strips=())
        """
        seen = strip_of(torch.zeros(1, *self.shape, device="meta"), 0, count, bool(self.strips))
        channels, height, width = seen.shape[1:]
        components = min(self.components, channels * height * width)
        return replace(
            self,
            shape=(channels, height, width),
            components=components,
            changing=min(self.changing, components),
            strips=(),
        )


class Discriminants(nn.Module):
    """Discriminants of some pixels, by a matrix that depends on the view, as vectors of length 1.

    ``c = (pixels - mean) @ components``; ``out = c @ shared + sum over v of share[v] *
    (c[:changing] @ change[v]) - offset``, divided by its length.

    Parameters
    ----------
    sizes : LinearSizes
        Of the matrices.
    """

    mean: torch.Tensor
    components: torch.Tensor
    shared: torch.Tensor
    offset: torch.Tensor
    change: torch.Tensor
    fixed = True
    """Nothing in a training moves the buffers: all processes have the same ones."""

    def __init__(self, sizes: LinearSizes) -> None:
        super().__init__()
        count, views = sizes.components, sizes.views
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (sizes.pixels,),
            "components": (sizes.pixels, count),
            "shared": (count, sizes.values),
            "offset": (sizes.values,),
        }
        if views:
            shapes["change"] = (views, sizes.changing, sizes.values)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.sizes = sizes

    def reduced(self, pixels: torch.Tensor) -> torch.Tensor:
        """The components of pixels of shape (n, pixels)."""
        return (pixels - self.mean) @ self.components

    def vectors(self, components: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
        """Vectors of shape (n, values), of components, and of how likely each view is."""
        found: torch.Tensor = components @ self.shared - self.offset
        if share is not None:
            first = components[:, : self.sizes.changing]
            weighed = (share[:, :, None] * first[:, None]).flatten(1)
            found = found + weighed @ self.change.flatten(0, 1)
        return functional.normalize(found, dim=1)


class LinearPart(Discriminants):
    """Discriminants of an image, and of each of its horizontal strips.

    How likely each view is, ``softmax(c @ tell + bias)``, is told from the whole image, for all of
    them. What the numbers are is computed once, from all training images
    (`gaitkit.embedders.linear.fit_linear`); before that all vectors are 0.

    Parameters
    ----------
    sizes : LinearSizes
        Of an image and its strips.
    """

    tell: torch.Tensor
    bias: torch.Tensor

    def __init__(self, sizes: LinearSizes) -> None:
        super().__init__(sizes.of_strip(1))
        if sizes.views:
            self.register_buffer("tell", torch.zeros(self.sizes.components, sizes.views))
            self.register_buffer("bias", torch.zeros(sizes.views))
        self.pieces = sizes.pieces
        self.averaged = bool(sizes.strips)
        self.strips = nn.ModuleList(
            Discriminants(sizes.of_strip(count)) for _, count in self.pieces[1:]
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, channels, height, width), in [0, 1], to (n, vectors, values)."""
        seen = seen_images(images)
        components = self.reduced(self.piece(seen, 0))
        share = None
        if self.sizes.views:
            share = (components @ self.tell + self.bias).softmax(dim=1)
        found = [self.vectors(components, share)]
        for place, strip in enumerate(self.strips, start=1):
            strip = cast(Discriminants, strip)
            found.append(strip.vectors(strip.reduced(self.piece(seen, place)), share))
        return torch.stack(found, dim=1)

    def piece(self, seen: torch.Tensor, place: int) -> torch.Tensor:
        """The pixels, shape (n, pixels), of the whole or a strip of what `seen_images` gives."""
        return strip_of(seen, *self.pieces[place], self.averaged).flatten(1)


def seen_images(images: torch.Tensor) -> torch.Tensor:
    """What a `LinearPart` sees of images of shape (n, channels, height, width).

    Examples
    --------
    >>> seen_images(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 1, 64, 44])
    >>> seen_images(torch.zeros(2, 4, 128, 128)).shape
    torch.Size([2, 4, 64, 44])
    """
    seen = crop_width(images)
    square = max(1, images.shape[2] // SEEN_HEIGHT)
    return functional.avg_pool2d(seen, square) if square > 1 else seen


def strip_of(seen: torch.Tensor, number: int, count: int, averaged: bool) -> torch.Tensor:
    """One of so many horizontal strips of images, at half the resolution where it is large.

    Parameters
    ----------
    seen : Tensor, shape (n, channels, height, width)
        What `seen_images` gives; `count` divides the height.
    number, count : int
        Which strip, from the top, counted from 0; of how many.
    averaged : bool
        Whether large strips, and those only that have two rows and columns, are averaged.

    Examples
    --------
    >>> seen = torch.arange(4.0).repeat_interleave(4).reshape(1, 1, 4, 4)
    >>> strip_of(seen, 3, 4, averaged=True).tolist()
    [[[[3.0, 3.0, 3.0, 3.0]]]]
    >>> strip_of(seen, 1, 2, averaged=True).tolist()
    [[[[2.5, 2.5]]]]
    """
    rows = seen.shape[2] // count
    strip = seen[:, :, number * rows : (number + 1) * rows]
    if averaged and count <= COARSE and min(strip.shape[2:]) >= 2:
        strip = functional.avg_pool2d(strip, 2)
    return strip
