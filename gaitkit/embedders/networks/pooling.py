"""What is taken of maps: maxima over a set's frames and over small squares, strips, every pixel.

A batch of sets is hundreds of frames, whose maps decide how much memory a training takes. PyTorch
keeps the pooled maps as they were, and 64-bit places beside them; here only places are kept. And it
goes back through each operation on its own, over all maps; here that is done at once, with the same
numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

__all__ = ["every_pixel", "halved", "mean_and_maximum", "set_maximum"]


def set_maximum(maps: torch.Tensor, frames: int) -> torch.Tensor:
    """The maximum over the frames of each set (set pooling: GaitSet, section 3.2).

    Parameters
    ----------
    maps : Tensor, shape (sets · frames, channels, rows, columns)
        Set by set.
    frames : int
        Of each set.

    Returns
    -------
    Tensor, shape (sets, channels, rows, columns)
        Where several frames have the maximum, one of them has the gradient.

    Examples
    --------
    >>> set_maximum(torch.tensor([1.0, 3.0, 2.0, 0.0]).view(4, 1, 1, 1), 2).flatten().tolist()
    [3.0, 2.0]
    """
    if frames == 1:
        return maps
    if not torch.is_grad_enabled():
        return _by_set(maps, frames).amax(dim=1)
    found: torch.Tensor = _SetMaximum.apply(maps, frames)  # type: ignore[no-untyped-call]
    return found


def _by_set(maps: torch.Tensor, frames: int) -> torch.Tensor:
    return maps.view(len(maps) // frames, frames, *maps.shape[1:])


class _SetMaximum(torch.autograd.Function):
    """Keeps the places of the maxima, and not all the maps."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, frames: int) -> torch.Tensor:
        found, places = _by_set(maps, frames).max(dim=1)
        ctx.save_for_backward(places)
        ctx.frames = frames
        _remember(ctx, maps)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (places,) = ctx.saved_tensors
        found = _room(ctx, gradients[0]).zero_()
        _by_set(found, ctx.frames).scatter_(1, places[:, None], gradients[0][:, None])
        return found, None


def halved(maps: torch.Tensor) -> torch.Tensor:
    """The maximum of every two by two values; a last odd row or column is left out.

    Parameters
    ----------
    maps : Tensor, shape (n, channels, rows, columns)

    Returns
    -------
    Tensor, shape (n, channels, rows / 2, columns / 2)

    Examples
    --------
    >>> halved(torch.arange(16.0).view(1, 1, 4, 4)).flatten().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    if not torch.is_grad_enabled() or maps[0, 0].numel() > torch.iinfo(torch.int16).max:
        return functional.max_pool2d(maps, 2)
    found: torch.Tensor = _Halved.apply(maps)  # type: ignore[no-untyped-call]
    return found


class _Halved(torch.autograd.Function):
    """Max-pooling that keeps places in 16 bits, and neither maps nor places in 64."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor) -> torch.Tensor:
        found, places = functional.max_pool2d(maps, 2, return_indices=True)
        ctx.save_for_backward(places.to(torch.int16))
        _remember(ctx, maps)
        result: torch.Tensor = found
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (places,) = ctx.saved_tensors
        (gradient,) = gradients
        rows, columns = ctx.shape[2:]
        found = _room(ctx, gradient)
        if rows % 2 or columns % 2:
            found.zero_()
        # Where in its square the maximum is: 0 or 1 of the first row, or as many columns later.
        down = torch.arange(0, rows - 1, 2, dtype=places.dtype, device=places.device)
        across = torch.arange(0, columns - 1, 2, dtype=places.dtype, device=places.device)
        places = places - (down[:, None] * columns + across)
        nothing = gradient.new_zeros(())
        for row in range(2):
            for column in range(2):
                here = found[..., row : rows // 2 * 2 : 2, column : columns // 2 * 2 : 2]
                torch.where(places == row * columns + column, gradient, nothing, out=here)
        return found


def _remember(ctx: Any, maps: torch.Tensor) -> None:
    """For `_room`, on the way back."""
    ctx.shape = maps.shape
    ctx.channels_last = maps.is_contiguous(memory_format=torch.channels_last)


def _room(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
    """Room for the gradient of what came in: of its shape, laid out as it was."""
    laid_out = torch.channels_last if ctx.channels_last else torch.contiguous_format
    return torch.empty(
        ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=laid_out
    )


def mean_and_maximum(values: torch.Tensor) -> torch.Tensor:
    """The mean over the third axis and the maximum over it, added.

    Parameters
    ----------
    values : Tensor, shape (n, parts, pixels, channels)

    Returns
    -------
    Tensor, shape (n, parts, channels)
        Where several pixels have the maximum, they share its gradient.

    Examples
    --------
    >>> mean_and_maximum(torch.tensor([1.0, 2.0, 6.0]).view(1, 1, 3, 1)).item()
    9.0
    """
    if not torch.is_grad_enabled():
        return values.mean(dim=2) + values.amax(dim=2)
    found: torch.Tensor = _MeanAndMaximum.apply(values)  # type: ignore[no-untyped-call]
    return found


class _MeanAndMaximum(torch.autograd.Function):
    """The way back in two passes over the values, and not in six."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        largest = values.amax(dim=2)
        ctx.save_for_backward(values, largest)
        return values.mean(dim=2) + largest

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        values, largest = ctx.saved_tensors
        (gradient,) = gradients
        among = values == largest[:, :, None]
        of_mean = gradient / values.shape[2]
        # In 32 bits: every truth value is made a number of that size to be added.
        count = among.sum(dim=2, dtype=torch.int32)
        of_largest = of_mean + gradient / count
        return torch.where(among, of_largest[:, :, None], of_mean[:, :, None])


def every_pixel(maps: torch.Tensor, stride: int) -> torch.Tensor:
    """Every so many pixels of maps, in both directions.

    Parameters
    ----------
    maps : Tensor, shape (n, channels, rows, columns)
    stride : int

    Examples
    --------
    >>> every_pixel(torch.arange(9.0).view(1, 1, 3, 3), 2).flatten().tolist()
    [0.0, 2.0, 6.0, 8.0]
    """
    if stride == 1 or not torch.is_grad_enabled():
        return maps[..., ::stride, ::stride]
    found: torch.Tensor = _EveryPixel.apply(maps, stride)  # type: ignore[no-untyped-call]
    return found


class _EveryPixel(torch.autograd.Function):
    """The way back in one step, and not rows after columns."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, stride: int) -> torch.Tensor:
        ctx.stride = stride
        _remember(ctx, maps)
        return maps[..., ::stride, ::stride]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        found = _room(ctx, gradient).zero_()
        found[..., :: ctx.stride, :: ctx.stride] = gradient
        return found, None
