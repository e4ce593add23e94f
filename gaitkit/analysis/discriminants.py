"""Parts of an embedding that no gradient teaches: discriminant analysis, view by view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from gaitkit.training.images import crop_width, seen_columns

__all__ = [
    "UNKNOWN_VIEW",
    "Discriminants",
    "LinearPart",
    "LinearSizes",
    "halved",
    "seen_images",
    "seen_size",
    "strips_of",
]

UNKNOWN_VIEW = -1
"""Stands for the number of a view that is not known."""

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
    def vectors(self) -> int:
        """How many an image has: one of the whole, and one of each strip."""
        return 1 + sum(self.strips)

    def of_strip(self, count: int) -> LinearSizes:
        """What is left of them for one of so many strips.

        Examples
        --------
        >>> LinearSizes((1, 64, 44), 120, 120, views=11, values=128, strips=(8,)).of_strip(8)
        LinearSizes(shape=(1, 8, 44), components=120, changing=120, views=11, values=128, strips=())
        """
        channels, height, width = self.shape
        if self.strips and _is_coarse(height, width, count):
            height, width = height // 2, width // 2
        components = min(self.components, channels * (height // count) * width)
        return replace(
            self,
            shape=(channels, height // count, width),
            components=components,
            changing=min(self.changing, components),
            strips=(),
        )


class Discriminants(nn.Module):
    """Discriminants of some pixels, by a matrix that depends on the view.

    ``c = (pixels - mean) @ components``; ``out = c @ shared + sum over v of share[v] *
    (c[:changing] @ change[v]) - offset``.

    Of several strips of one size each has its own matrices, and everything a first axis.

    Parameters
    ----------
    sizes : LinearSizes
        Of the matrices.
    strips : int, optional
        How many strips; without it there is no such axis.
    """

    mean: torch.Tensor
    components: torch.Tensor
    shared: torch.Tensor
    offset: torch.Tensor
    change: torch.Tensor
    fixed = True
    """Nothing in a training moves the buffers: all processes have the same ones."""

    def __init__(self, sizes: LinearSizes, strips: int | None = None) -> None:
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
        several = () if strips is None else (strips,)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(several + shape))
        self.sizes = sizes

    def reduced(self, pixels: torch.Tensor) -> torch.Tensor:
        """The components of pixels of shape ([strips,] n, pixels)."""
        return (pixels - self.mean[..., None, :]) @ self.components

    def vectors(self, components: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
        """Vectors of shape ([strips,] n, values), of components, and of how likely each view is."""
        found: torch.Tensor = components @ self.shared - self.offset[..., None, :]
        if share is not None:
            first = components[..., : self.sizes.changing]
            weighed = (share[:, :, None] * first[..., None, :]).flatten(-2)
            found = found + weighed @ self.change.flatten(-3, -2)
        return found


class LinearPart(Discriminants):
    """Discriminants of an image, and of each of its horizontal strips, as vectors of length 1.

    How likely each view is, ``softmax(c @ tell + bias)``, is told from the whole image, for all of
    them. What the numbers are is computed once, from all training images
    (`gaitkit.analysis.fitting.fit_linear`); before that all vectors are 0.

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
        self.averaged = bool(sizes.strips)
        self.strips = nn.ModuleDict(
            {str(count): Discriminants(sizes.of_strip(count), count) for count in sizes.strips}
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, channels, height, width), in [0, 1], to (n, vectors, values)."""
        pixels = self.pixels(seen_images(images))
        components = self.reduced(pixels(1)[0])
        share = None
        if self.sizes.views:
            share = (components @ self.tell + self.bias).softmax(dim=1)
        found = [self.vectors(components, share)[None]]
        for count, strips in self.each_count():
            found.append(strips.vectors(strips.reduced(pixels(count)), share))
        return functional.normalize(torch.cat(found), dim=2).transpose(0, 1)

    def each_count(self) -> Iterator[tuple[int, Discriminants]]:
        """The numbers of strips, and what sees those."""
        for count, strips in self.strips.items():
            yield int(count), cast(Discriminants, strips)

    def pixels(self, seen: torch.Tensor) -> Callable[[int], torch.Tensor]:
        """Of what `seen_images` gives: the pixels of so many strips, shape (strips, n, pixels)."""
        half = halved(seen) if self.averaged else None
        return lambda count: strips_of(seen, half, count).flatten(2)


def seen_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of what `seen_images` gives of images of a height and width.

    Examples
    --------
    >>> seen_size(128, 128)
    (64, 44)
    """
    columns = seen_columns(height, width)
    square = _square(height)
    return height // square, (columns.stop - columns.start) // square


def _square(height: int) -> int:
    """The side of the squares that images of a height are averaged over."""
    return max(1, height // SEEN_HEIGHT)


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
    square = _square(images.shape[2])
    return functional.avg_pool2d(seen, square) if square > 1 else seen


def halved(seen: torch.Tensor) -> torch.Tensor | None:
    """Images at half their resolution; `None` of those that have one row or column only."""
    return functional.avg_pool2d(seen, 2) if min(seen.shape[2:]) >= 2 else None


def _is_coarse(height: int, width: int, count: int) -> bool:
    """Whether so many strips of what is seen are taken from it at half its resolution."""
    return count <= COARSE and min(height, width) >= 2 and height // 2 % count == 0


def strips_of(seen: torch.Tensor, half: torch.Tensor | None, count: int) -> torch.Tensor:
    """Horizontal strips of images, from top to bottom, at half the resolution where they are large.

    Parameters
    ----------
    seen : Tensor, shape (n, channels, height, width)
        What `seen_images` gives; `count` divides the height.
    half : Tensor, optional
        What `halved` gives of them; not taken where a row of it would lie in two strips, nor of
        more than `COARSE` strips.
    count : int
        How many strips.

    Returns
    -------
    Tensor, shape (count, n, channels, rows, columns)

    Examples
    --------
    >>> seen = torch.arange(4.0).repeat_interleave(4).reshape(1, 1, 4, 4)
    >>> strips_of(seen, halved(seen), 4)[3].tolist()
    [[[[3.0, 3.0, 3.0, 3.0]]]]
    >>> strips_of(seen, halved(seen), 2)[1].tolist()
    [[[[2.5, 2.5]]]]
    """
    if half is not None and _is_coarse(seen.shape[2], seen.shape[3], count):
        seen = half
    # Not len(seen), which would be a constant where a network is traced to be exported.
    number, channels, rows, columns = seen.shape
    cut = seen.reshape(number, channels, count, rows // count, columns)
    return cut.permute(2, 0, 1, 3, 4)
