"""The mean of a sequence's aligned silhouettes, which is its gait energy image.

`gaitkit.gait_energy_image` takes masks as they were recorded and aligns them first; this is the
plain mean.

References
----------
J. Han and B. Bhanu, "Individual recognition using gait energy image", IEEE TPAMI 28(2), 2006,
equation 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.silhouettes.masks import as_greys

__all__ = ["mean_silhouette"]


def mean_silhouette(silhouettes: ArrayLike) -> NDArray[np.uint8]:
    """Mean of silhouettes that are aligned, exact: integer sums, one rounding, halves up.

    Parameters
    ----------
    silhouettes : array_like, shape (n, height, width)
        At least one silhouette, aligned; their order does not matter. Bytes from 0 to 255, or
        another kind that `gaitkit.silhouettes.as_greys` knows: booleans, 0 and 1, floats.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 to 255.

    Raises
    ------
    OptionError
        There is no silhouette, or what is given is none.

    Examples
    --------
    >>> import numpy as np
    >>> mean_silhouette(np.array([[[0, 255]], [[1, 255]]], np.uint8))
    array([[  1, 255]], dtype=uint8)
    """
    greys = as_greys(silhouettes)
    total = greys.sum(axis=0, dtype=np.int64)
    count = len(greys)
    return np.asarray((2 * total + count) // (2 * count), np.uint8)
