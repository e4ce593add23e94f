"""Which way a person walks, from the body's track across the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["walking_direction"]

_LEAST_PATH_IN_HEIGHTS = 0.25


def walking_direction(track_x_px: NDArray[np.float32], height_px: NDArray[np.float32]) -> int:
    """Tell the walking direction across the frame.

    Parameters
    ----------
    track_x_px : ndarray of float32, shape (frames,)
        Column of the body's centre in the source frames, pixels, in order of time.
    height_px : ndarray of float32, shape (frames,)
        Height of the body in the source frames, pixels.

    Returns
    -------
    int
        1 to the right, −1 to the left, 0 when the body moves by less than a quarter of its height
        between the first and the last quarter of the frames (medians of the quarters, so that a
        few misplaced frames do not matter).
    """
    if len(track_x_px) < 2:
        return 0
    quarter = max(1, len(track_x_px) // 4)
    path = float(np.median(track_x_px[-quarter:]) - np.median(track_x_px[:quarter]))
    if abs(path) < _LEAST_PATH_IN_HEIGHTS * float(np.median(height_px)):
        return 0
    return 1 if path > 0 else -1
