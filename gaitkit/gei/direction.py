"""Which way somebody walks across the frame, and the view after mirroring.

A person who walks to the left at view v looks like one who walks to the right at 360 - v degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["folded_view", "walking_direction"]

_SHORTEST_WAY = 0.25


def walking_direction(
    track_x_px: NDArray[np.floating],
    height_px: NDArray[np.floating],
    frame_index: NDArray[np.integer] | None = None,
) -> int:
    """Direction of the body's track: +1 to the right, -1 to the left, 0 if it cannot be told.

    The way is the median velocity over pairs of frames half a sequence apart (Theil's incomplete
    method, 1950) times the duration, so that a few wrong positions do not matter.

    Parameters
    ----------
    track_x_px : ndarray of float, shape (n,)
        Horizontal position of the body in the frame, pixels.
    height_px : ndarray of float, shape (n,)
        Height of the person in the frame, pixels.
    frame_index : ndarray of int, shape (n,), optional
        Number of each frame, strictly increasing.

    Returns
    -------
    int
        0 where the way is shorter than a quarter of the person's median height: somebody who walks
        towards the camera, or a recording cut around the person.

    Examples
    --------
    >>> import numpy as np
    >>> walking_direction(np.array([90.0, 60.0, 30.0, 0.0]), np.full(4, 70.0))
    -1
    """
    n = len(track_x_px)
    if n < 2:
        return 0
    x = np.asarray(track_x_px, np.float64)
    time = np.arange(n) if frame_index is None else np.asarray(frame_index, np.int64)
    lag = n // 2
    velocity = float(np.median((x[lag:] - x[:-lag]) / (time[lag:] - time[:-lag])))
    way = velocity * float(time[-1] - time[0])
    if abs(way) < _SHORTEST_WAY * float(np.median(height_px)):
        return 0
    return 1 if way > 0 else -1


def folded_view(view: float) -> float:
    """View v as 0 to 180 degrees: 360 - v above 180.

    Examples
    --------
    >>> folded_view(270.0), folded_view(90.0), folded_view(-18.0)
    (90.0, 90.0, 18.0)
    """
    turned = view % 360.0
    return 360.0 - turned if turned > 180.0 else turned
