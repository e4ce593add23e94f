"""The gait energy image: the mean of a sequence's aligned silhouettes.

References
----------
J. Han and B. Bhanu, "Individual recognition using gait energy image", IEEE TPAMI 28(2), 2006,
equation 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gait_energy_image"]


def gait_energy_image(silhouettes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean silhouette, exact: integer sums and one rounding at the end, halves up.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        At least one silhouette, 0 to 255; their order does not matter.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 to 255.

    Raises
    ------
    ValueError
        There is no silhouette.

    Examples
    --------
    >>> import numpy as np
    >>> gait_energy_image(np.array([[[0, 255]], [[1, 255]]], np.uint8))
    array([[  1, 255]], dtype=uint8)
    """
    if silhouettes.ndim != 3 or len(silhouettes) == 0:
        raise ValueError(f"silhouettes of shape (n, height, width), got {silhouettes.shape}")
    total = silhouettes.sum(axis=0, dtype=np.int64)
    count = len(silhouettes)
    return np.asarray((2 * total + count) // (2 * count), np.uint8)
