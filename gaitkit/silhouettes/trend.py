"""Frames far from the running trend of a sequence's height and area.

One median for the whole sequence would not do: people who approach the camera grow steadily. Nor
would the frame before: area swings with the legs. So a straight line is fitted to the logarithms
within a window of about one gait cycle around each frame, robustly, so that outliers do not bend
the line by which they are judged. Somebody who walks up to the camera grows faster and faster, and
then no line through logarithms fits; but 1 over the height falls along a line, whatever the speed.

References
----------
H. Theil, "A rank-invariant method of linear and polynomial regression analysis", 1950: the
incomplete method, whose slope is the median over pairs that are half a window apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["deviations", "off_trend", "running_trend"]

_FEWEST = 5
_OUTLIER_SIGMAS = 4.5
_MAD_TO_SIGMA = 1.4826
_WIDEST = 2.0


def running_trend(
    position: NDArray[np.floating], values: NDArray[np.floating], window: int
) -> NDArray[np.float64]:
    """Value of the local robust line at each frame.

    Parameters
    ----------
    position : ndarray of float, shape (n,)
        Strictly increasing frame numbers; gaps are allowed.
    values : ndarray of float, shape (n,)
        What was measured.
    window : int
        Frames in the window; at the ends of the sequence it does not shrink but lies on one side.

    Returns
    -------
    ndarray of float64, shape (n,)
        The trend.

    Examples
    --------
    >>> import numpy as np
    >>> running_trend(np.arange(7), np.array([1.0, 2, 3, 9, 5, 6, 7]), 5).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    n = len(values)
    size = min(window, n)
    lag = size // 2
    x, y = np.asarray(position, np.float64), np.asarray(values, np.float64)
    if lag == 0:
        return y.copy()
    slopes = (y[lag:] - y[:-lag]) / (x[lag:] - x[:-lag])
    first = np.clip(np.arange(n) - size // 2, 0, n - size)
    pairs = first[:, None] + np.arange(size - lag)
    slope = np.median(slopes[pairs], axis=1)
    inside = first[:, None] + np.arange(size)
    level = np.median(y[inside] - slope[:, None] * (x[inside] - x[:, None]), axis=1)
    return np.asarray(level, np.float64)


def deviations(
    position: NDArray[np.floating], sizes: NDArray[np.floating], window: int
) -> NDArray[np.float64]:
    """Logarithm of each size over its running trend.

    Parameters
    ----------
    position, window
        As in `running_trend`.
    sizes : ndarray of float, shape (n,)
        Positive heights or areas, pixels.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 on the trend, 0.1 about 10 % above it.

    Examples
    --------
    >>> import numpy as np
    >>> heights_px = np.array([100.0, 100, 100, 120, 100, 100, 100])
    >>> deviations(np.arange(7), heights_px, 5).round(2).tolist()
    [0.0, 0.0, 0.0, 0.18, 0.0, 0.0, 0.0]
    """
    logs = np.log(sizes)
    return np.asarray(logs - running_trend(position, logs, window))


def off_trend(
    position: NDArray[np.floating],
    sizes: NDArray[np.floating],
    window: int,
    tolerance: float,
    *,
    power: float | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float]:
    """Which frames are too far from the running trend.

    The limit is `tolerance`, or 4.5 robust standard deviations of this sequence's own swing if
    that is more, but at most twice the tolerance: otherwise a sequence that is bad throughout
    would excuse itself.

    Parameters
    ----------
    position, sizes, window
        As in `deviations`. Fewer than five frames have no trend; none of them is off it.
    tolerance : float
        Deviation that is always accepted, as a fraction.
    power : float, optional
        Of sizes that this power makes proportional to a height, 1 for heights and 0.5 for areas,
        also the trend of 1 over the height is asked; a frame is off only if it is off both.

    Returns
    -------
    off : ndarray of bool, shape (n,)
        True where the frame is too far off.
    ratio : ndarray of float64, shape (n,)
        Size over trend: 0.8 is a fifth below it.
    limit : float
        The largest ratio that was accepted; the smallest is its inverse.

    Examples
    --------
    >>> import numpy as np
    >>> heights_px = np.array([100.0, 100, 100, 120, 100, 100, 100])
    >>> off, ratio, limit = off_trend(np.arange(7), heights_px, 5, 0.1)
    >>> np.flatnonzero(off), round(ratio[3], 2), round(limit, 2)
    (array([3]), np.float64(1.2), 1.1)
    """
    if len(sizes) < _FEWEST:
        return np.zeros(len(sizes), bool), np.ones(len(sizes)), 1 + tolerance
    deviation = deviations(position, sizes, window)
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(deviation)))
    limit = float(
        np.clip(_OUTLIER_SIGMAS * sigma, np.log1p(tolerance), np.log1p(_WIDEST * tolerance))
    )
    off = np.abs(deviation) > limit
    if power is not None and off.any():
        inverse = np.asarray(sizes, np.float64) ** -power
        nearing = running_trend(position, inverse, window)
        there = nearing > 0
        apart = np.abs(np.log(inverse[there] / nearing[there])) / power
        off[there] &= apart > limit
    return off, np.exp(deviation), float(np.exp(limit))
