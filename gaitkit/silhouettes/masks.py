"""What counts as foreground: the one rule for masks of every kind.

Masks come as booleans, as 0 and 1, as 0 and 255, in 16 bits, as signed integers of a labelling
step, or as floating-point shares. A mistake here is not seen until much later, as a black image or
as one in which everything is foreground; so every way into gaitkit asks this module.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.errors import OptionError
from gaitkit.printable import counted

__all__ = [
    "as_array",
    "as_frame",
    "as_greys",
    "as_mask",
    "as_mask_stack",
    "full_scale",
    "refuse_colours",
]

_COLOURS = (3, 4)
_LEAST_PX = 8
_KINDS = "buif"
_WHITE = 255
# Resizing leaves values a rounding outside of 0 to 1.
_SLACK = 1e-3


def as_mask(frames: ArrayLike, *, threshold: float = 0.5) -> NDArray[np.uint8]:
    """Foreground of masks of any kind, as 0 and 255.

    Of **booleans**, True is foreground. Of **integers** of any size, a pixel is foreground if it
    is brighter than `threshold` times the brightest pixel of its frame, so that 0 and 1, 0 and
    255, and 0 and 65535 mean the same. **Floats** are shares from 0 to 1, or greys from 0 to 255
    where a value is 2 or more; a pixel is foreground above `threshold` times 1, or 255, so that
    the faint output of a network that sees nobody is nobody.

    Parameters
    ----------
    frames : array_like, shape (height, width) or (frames, height, width)
        One mask or the masks of several frames: booleans, integers from 0 up, or floats. An array,
        or a list of frames of one size.
    threshold : float
        From 0 to below 1.

    Returns
    -------
    ndarray of uint8, the shape of `frames`
        0 background, 255 foreground. A frame without foreground is all 0.

    Raises
    ------
    OptionError
        It is no array of numbers or of another shape (a colour picture, nothing at all, frames of
        different sizes), or it holds negative values, NaN, or floats above 255.

    Examples
    --------
    >>> import numpy as np
    >>> as_mask(np.array([[False, True]]))
    array([[  0, 255]], dtype=uint8)
    >>> as_mask(np.array([[0, 1]])).tolist() == as_mask(np.array([[0.0, 0.9]])).tolist()
    True
    """
    if not (isinstance(threshold, int | float) and 0 <= threshold < 1):
        raise OptionError(f"`threshold` must be from 0 to below 1, got {threshold!r}.")
    array = _sized(frames, "masks")
    if array.ndim not in (2, 3):
        raise OptionError(f"Expected masks of shape (frames, height, width), found {array.shape}.")
    if array.dtype.kind == "b":
        above = array
    elif array.dtype.kind == "f":
        above = array > threshold * full_scale(array)
    else:
        _refuse_negative(array)
        brightest = array.max(axis=(-2, -1), keepdims=True).astype(np.float64)
        # Whole numbers: above the product is above what it is rounded down to.
        above = array > np.floor(brightest * threshold).astype(array.dtype)
    return np.where(above, np.uint8(_WHITE), np.uint8(0))


def as_mask_stack(frames: ArrayLike, *, threshold: float = 0.5) -> NDArray[np.uint8]:
    """The masks of one walk: `as_mask`, for several frames and nothing else.

    Parameters
    ----------
    frames, threshold
        As for `as_mask`, of shape (frames, height, width).

    Returns
    -------
    ndarray of uint8, shape (frames, height, width)
        0 background, 255 foreground.

    Raises
    ------
    OptionError
        As for `as_mask`, or for a single frame.

    Examples
    --------
    >>> import numpy as np
    >>> as_mask_stack(np.eye(4, dtype=bool)[None]).shape
    (1, 4, 4)
    """
    masks = as_mask(frames, threshold=threshold)
    if masks.ndim == 2:
        raise OptionError(
            f"The masks of a walk have the shape (frames, height, width), found one frame of "
            f"shape {masks.shape}.",
            hint="A walk of one frame is `frame[np.newaxis]`.",
        )
    return masks


def as_frame(frame: ArrayLike, *, threshold: float = 0.5) -> NDArray[np.uint8]:
    """One frame as the array core takes it: bytes as they are, every other kind by `as_mask`.

    Parameters
    ----------
    frame, threshold
        As for `as_mask`, of shape (height, width).

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Greys of any scale.

    Raises
    ------
    OptionError
        As for `as_mask`, or for several frames.

    Examples
    --------
    >>> import numpy as np
    >>> as_frame(np.array([[False, True]]))
    array([[  0, 255]], dtype=uint8)
    """
    if (
        isinstance(frame, np.ndarray)
        and frame.dtype == np.uint8
        and frame.ndim == 2
        and frame.size > 0
    ):
        return frame
    mask = as_mask(frame, threshold=threshold)
    if mask.ndim != 2:
        raise OptionError(
            f"Expected one frame of shape (height, width), found the shape {mask.shape}.",
            hint="Several frames are normalised by `gaitkit.normalize_silhouettes`.",
        )
    return mask


def as_greys(silhouettes: ArrayLike, what: str = "silhouettes") -> NDArray[np.uint8]:
    """Aligned silhouettes of any kind as greys from 0 to 255, soft edges kept.

    Parameters
    ----------
    silhouettes : array_like, shape (n, height, width)
        Booleans; integers whose brightest is 1 (masks), at most 255, or at most 65535 (16 bits);
        floats from 0 to 1 or from 0 to 255.
    what : str
        What they are called in an error.

    Returns
    -------
    ndarray of uint8, shape (n, height, width)
        Bytes are returned as they are, unless their brightest is 1.

    Raises
    ------
    OptionError
        It is no array of numbers, of another shape, empty, or of values outside these ranges.

    Examples
    --------
    >>> import numpy as np
    >>> as_greys(np.array([[[0.0, 0.5, 1.0]]]))
    array([[[  0, 128, 255]]], dtype=uint8)
    """
    array = _sized(silhouettes, what)
    if array.ndim != 3:
        raise OptionError(f"Expected {what} of shape (n, height, width), found {array.shape}.")
    if array.dtype.kind == "f":
        greys = array * (_WHITE / full_scale(array)) + 0.5
        return np.clip(greys, 0, _WHITE).astype(np.uint8)
    if array.dtype.kind != "b":
        _refuse_negative(array)
        brightest = int(array.max())
        if brightest > 65535:
            raise OptionError(f"Expected {what} of 0 to 255, found values up to {brightest}.")
        if brightest > _WHITE:
            return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
        if brightest != 1:
            return array.astype(np.uint8, copy=False)
    return array.astype(np.uint8) * np.uint8(_WHITE)


def as_array(value: Any, what: str) -> NDArray[Any]:
    """An array of numbers, from whatever holds one.

    Parameters
    ----------
    value : array_like
        An array, a tensor in host memory, a picture, or a list of such of one size.
    what : str
        What it is called in an error.

    Returns
    -------
    ndarray
        Booleans, integers or finite floats of any shape.

    Raises
    ------
    OptionError
        A path, text, `None`, parts of different sizes, or NaN.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "numbers").shape
    (2, 2)
    """
    if isinstance(value, str | bytes | os.PathLike):
        raise OptionError(
            f"Expected an array of {what}, found the path or text {value!r}.",
            hint="Files are read by the stages: `gaitkit.stages`, or gaitkit make-gei.",
        )
    if isinstance(value, list | tuple) and value and not np.isscalar(value[0]):
        parts = _parts(value, what)
        for number, part in enumerate(parts):
            if part.shape != parts[0].shape:
                raise OptionError(
                    f"Expected {what} of one size, found {parts[0].shape} first and {part.shape} "
                    f"at place {number}.",
                    hint="Frames of one walk show the same picture: give them uncut, or fill "
                    "smaller ones up with background.",
                )
        return np.stack(parts)
    try:
        array = np.asarray(value)
    except Exception as error:
        raise OptionError(f"Expected an array of {what}, found {_name(value)}: {error}") from error
    if array.dtype.kind not in _KINDS:
        raise OptionError(
            f"Expected an array of {what}: booleans, integers or floats, found {_name(value)}"
            f"{f' of {array.dtype}' if isinstance(value, np.ndarray) else ''}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OptionError(
            f"Expected {what} of finite numbers, found NaN or infinity in "
            f"{np.count_nonzero(~np.isfinite(array)):,} of {counted(array.size, 'value')}."
        )
    return array


def _parts(value: list[Any] | tuple[Any, ...], what: str) -> list[NDArray[Any]]:
    try:
        return [as_array(part, what) for part in value]
    except RecursionError:
        raise OptionError(f"Expected an array of {what}, found lists without end.") from None


def _sized(value: Any, what: str) -> NDArray[Any]:
    """An array that is not empty and no colour picture."""
    array = as_array(value, what)
    refuse_colours(array, what)
    if array.size == 0:
        raise OptionError(
            f"Expected {what} of shape (frames, height, width), at least one, found none: the "
            f"shape is {array.shape}."
        )
    return array


def refuse_colours(array: NDArray[Any], what: str) -> None:
    """Refuse colour pictures.

    Parameters
    ----------
    array : ndarray
        Of any shape.
    what : str
        What it should be, for the error.

    Raises
    ------
    OptionError
        Its last axis looks like three or four channels.

    Examples
    --------
    >>> refuse_colours(np.zeros((5, 64, 44)), "masks")
    """
    pictures = array.ndim > 3 or (array.ndim == 3 and array.shape[1] >= _LEAST_PX)
    if pictures and array.shape[-1] in _COLOURS:
        raise OptionError(
            f"Expected {what} of shape (frames, height, width), found {array.shape}, which looks "
            f"like a colour picture of {array.shape[-1]} channels.",
            hint="gaitkit starts from silhouettes, white people on black; segment the people "
            "first. Of masks that were saved in colour take one channel: `masks[..., 0]`.",
        )


def full_scale(array: NDArray[Any]) -> float:
    """What white is in an array of floats: 1 or 255.

    Raises
    ------
    OptionError
        Its values are neither from 0 to 1 nor from 0 to 255; or the brightest lies between 1 and
        2, where nobody can tell which of the two was meant.

    Examples
    --------
    >>> full_scale(np.array([0.0, 0.9])), full_scale(np.array([0.0, 200.0]))
    (1.0, 255.0)
    """
    darkest, brightest = float(array.min()), float(array.max())
    if darkest >= -_SLACK:
        if brightest <= 1 + _SLACK:
            return 1.0
        if 2 <= brightest <= _WHITE + _SLACK:
            return float(_WHITE)
    raise OptionError(
        f"Expected floats from 0 to 1, or from 0 to 255, found {darkest:g} to {brightest:g}.",
        hint="Scale them first; integers may have any scale.",
    )


def _refuse_negative(array: NDArray[Any]) -> None:
    if array.dtype.kind == "i" and array.min() < 0:
        raise OptionError(
            f"Expected 0 for the background and more for the foreground, found {array.min()} "
            f"among the {array.dtype} values.",
            hint="Bytes that were read as signed become right by `masks.view(np.uint8)`; otherwise "
            "give `masks > 0`.",
        )


def _name(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
