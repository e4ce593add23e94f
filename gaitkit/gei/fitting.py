"""Ready-made GEIs brought to another size: padded where that is enough, scaled otherwise."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["Fit", "fit_gei", "fit_of"]


class Fit(NamedTuple):
    """How images of one size become images of another.

    Attributes
    ----------
    how : {"kept", "padded", "scaled"}
        Padded with black columns on both sides where the height is the same and the width smaller.
        Scaled otherwise, without a change of the body's shape, and what is left is black.
    height, width : int
        Of the image before anything is added to it, pixels.
    """

    how: Literal["kept", "padded", "scaled"]
    height: int
    width: int


def fit_of(given: tuple[int, int], wanted: tuple[int, int]) -> Fit:
    """How images of one size become images of another.

    Parameters
    ----------
    given, wanted : tuple of int
        Height and width, pixels, each at least 1.

    Examples
    --------
    >>> fit_of((128, 88), (128, 96))
    Fit(how='padded', height=128, width=88)
    >>> fit_of((128, 88), (64, 64))
    Fit(how='scaled', height=64, width=44)
    """
    if given == wanted:
        return Fit("kept", *given)
    if given[0] == wanted[0] and given[1] < wanted[1]:
        return Fit("padded", *given)
    factor = min(wanted[0] / given[0], wanted[1] / given[1])
    height, width = (max(1, round(side * factor)) for side in given)
    return Fit("scaled", min(height, wanted[0]), min(width, wanted[1]))


def fit_gei(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A GEI in another size, as `fit_of` says.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Greys 0 to 255.
    size : tuple of int
        Height and width of the result, pixels.

    Returns
    -------
    ndarray of uint8, shape `size`
        The person stands in the middle. The image itself where it has that size.

    Examples
    --------
    >>> fit_gei(np.full((2, 1), 200, np.uint8), (2, 4))
    array([[  0, 200,   0,   0],
           [  0, 200,   0,   0]], dtype=uint8)
    """
    given = (image.shape[0], image.shape[1])
    fit = fit_of(given, size)
    if fit.how == "kept":
        return image
    if fit.how == "scaled":
        smaller = fit.height < given[0]
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (fit.width, fit.height), interpolation=way), np.uint8)
    result = np.zeros(size, np.uint8)
    top, left = (size[0] - fit.height) // 2, (size[1] - fit.width) // 2
    result[top : top + fit.height, left : left + fit.width] = image
    return result
