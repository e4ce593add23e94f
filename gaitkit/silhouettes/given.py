"""Silhouettes that somebody else has aligned: used as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.silhouettes.body import Rejected
from gaitkit.silhouettes.masks import as_frame

__all__ = ["AsGiven", "given_silhouette"]


class AsGiven(NamedTuple):
    """A frame that is left as it is.

    Attributes
    ----------
    silhouette : ndarray of uint8, shape (height, width)
        Greys.
    centre_px : float
        The middle of the frame: where the person was before is not known.
    height_px : int
        Rows between the first and the last that are not all zero, inclusive.
    """

    silhouette: NDArray[Any]
    centre_px: float
    height_px: int


def given_silhouette(frame: NDArray[Any], height: int, width: int) -> AsGiven | Rejected:
    """Take one frame as it is.

    Parameters
    ----------
    frame : ndarray, shape (height, width)
        Greys as bytes, or a mask of another kind that `gaitkit.silhouettes.as_mask` knows.
    height, width : int
        The size that it should have.

    Returns
    -------
    AsGiven or Rejected
        The frame, or ``other-size``, or ``empty`` where all of it is 0.

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((64, 44), bool)
    >>> given_silhouette(frame, 64, 64)
    Rejected(reason='other-size', detail='64x44 px, 64x64 expected')
    >>> frame[2:60, 10:30] = True
    >>> given_silhouette(frame, 64, 44).height_px
    58
    """
    frame = as_frame(frame)
    if frame.shape != (height, width):
        found = f"{frame.shape[0]}x{frame.shape[1]}"
        return Rejected("other-size", f"{found} px, {height}x{width} expected")
    rows = cv2.boundingRect(frame)[3]
    if rows == 0:
        return Rejected("empty", "all pixels are 0")
    return AsGiven(frame, width / 2, rows)
