"""The phases of a step: frames of a walk sorted by how far apart the legs are, and averaged.

A gait energy image averages all frames, and what the body looks like at each moment of a step is
lost in it. The moment can be seen in the silhouette itself: legs are together or apart. Means of
frames at about the same moment keep what the mean of all blurs (as chrono-gait images do by
colours: Wang et al., TPAMI 2012), and a set of frames in any order is enough for them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaitkit.training.images import seen_columns

__all__ = ["leg_spread", "phase_images"]

_LEGS = 5 / 8
"""Where the legs begin, as a share of the height of an aligned silhouette."""


def leg_spread(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far apart the legs are: the variance across of what lies in the lowest three eighths.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n, height, width)
        Aligned silhouettes, 0 the background and 255 the person.

    Returns
    -------
    ndarray of float64, shape (n,)
        Square pixels; 0 where there is nothing.

    Examples
    --------
    >>> frames = np.zeros((2, 8, 8), dtype=np.uint8)
    >>> frames[0, :, 3:5] = frames[1, :, [1, 6]] = 255
    >>> leg_spread(frames).tolist()
    [0.25, 6.25]
    """
    legs = frames[:, round(_LEGS * frames.shape[1]) :]
    columns = legs.sum(axis=1, dtype=np.int64).astype(np.float64)
    total = np.maximum(columns.sum(axis=1), 1.0)
    # Whole numbers: a sum of them is exact, in whatever order it is made.
    across = np.arange(frames.shape[2], dtype=np.float64)
    mean = columns @ across / total
    found: NDArray[np.float64] = np.maximum(columns @ across**2 / total - mean**2, 0.0)
    return found


def phase_images(frames: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Means of frames with the legs about equally far apart, from together to farthest.

    Every phase has the same share of the frames; one at the border of two is in both, by shares.
    The order of the frames does not matter, nor whether all of them are there twice.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n, height, width)
        Aligned silhouettes of one sequence, one at least.
    count : int
        How many phases.

    Returns
    -------
    ndarray of uint8, shape (count, height, width)
        Whole grey values, as of a GEI.

    Examples
    --------
    >>> frames = np.zeros((4, 8, 8), dtype=np.uint8)
    >>> for frame, columns in zip(frames, ([1, 6], [3, 4], [2, 5], [3, 4]), strict=True):
    ...     frame[:, columns] = 255
    >>> together, apart = phase_images(frames, 2)
    >>> together[7].tolist()
    [0, 0, 0, 255, 255, 0, 0, 0]
    >>> apart[7].tolist()
    [0, 128, 128, 0, 0, 128, 128, 0]
    """
    total = len(frames)
    # What no network sees does not decide, either.
    seen = frames[:, :, seen_columns(*frames.shape[1:])]
    # Of frames that are equally far apart, any order would do, but always the same one.
    pixels = seen[0].size
    marks = seen.reshape(total, pixels) @ np.arange(1, pixels + 1, dtype=np.int64)
    order = np.lexsort((marks, leg_spread(seen)))
    flat = frames.reshape(total, -1)
    found = np.empty((count, flat.shape[1]), dtype=np.uint8)
    for phase in range(count):
        # In units of 1/count of a frame, so that all shares are whole numbers and sums exact.
        start, end = phase * total, (phase + 1) * total
        rows = np.arange(start // count, -(-end // count))
        shares = np.minimum(end, (rows + 1) * count) - np.maximum(start, rows * count)
        found[phase] = np.rint(shares @ flat[order[rows]] / total)
    return found.reshape(count, *frames.shape[1:])
