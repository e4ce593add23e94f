"""The gait energy image (GEI)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gait_energy_image"]


def gait_energy_image(silhouettes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average normalised silhouettes into a gait energy image.

    The sum is exact (integers) and rounded once, halves up, so the result depends neither on the
    order of the frames nor on how they were grouped.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (frames, height, width)
        Normalised silhouettes, 0 to 255, at least one.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        The mean, 0 to 255.

    Raises
    ------
    ValueError
        There is no frame, or the array is not uint8 of three dimensions.

    References
    ----------
    Han and Bhanu, "Individual recognition using gait energy image", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 28(2), 2006, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> gait_energy_image(np.array([[[0, 255]], [[255, 255]]], dtype=np.uint8))
    array([[128, 255]], dtype=uint8)
    """
    if silhouettes.dtype != np.uint8 or silhouettes.ndim != 3 or len(silhouettes) == 0:
        raise ValueError(
            "expected uint8 silhouettes of shape (frames, height, width) with at least one frame, "
            f"got {silhouettes.dtype} {silhouettes.shape}"
        )
    frames = len(silhouettes)
    total = silhouettes.sum(axis=0, dtype=np.uint64)
    return ((2 * total + frames) // (2 * frames)).astype(np.uint8)
