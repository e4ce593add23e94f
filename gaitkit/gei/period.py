"""The gait period, and the frames that make up whole periods.

The legs' horizontal spread repeats with every step where the camera sees them from the side, and
with every gait cycle (two steps) from other views, where the left step looks different from the
right one. Its autocorrelation peaks accordingly, and the two cases have to be told apart. A peak is
taken for a step only if half-way to it the legs are in the opposite phase, apart against together,
and if they swing as far as legs do that are seen from the side; from the front and from behind the
spread swings in the opposite phase too, but hardly at all. Every other peak is a cycle.

References
----------
C. BenAbdelkader, R. Cutler and L. Davis, "Stride and cadence as a biometric in automatic person
identification and verification", FG 2002: period from the autocorrelation of the silhouette's
width.
S. Sarkar et al., "The HumanID gait challenge problem", IEEE TPAMI 27(2), 2005, section 3.2.2: the
leg region carries the signal, and a cycle is two of its periods.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError

__all__ = ["autocorrelation", "gait_period", "leg_spread", "whole_cycles"]

_LEG_PART = 0.25
_SHORTEST_STEP = 4
_WEAKEST_PEAK = 0.4
_FIRST_PEAK = 0.9
_LONGEST_LAG = 0.65
_OPPOSITE_PHASE = -0.5
# Of the silhouette's height, between the 10th and 90th percentile. Seen from the side, people swing
# by 0.10 to 0.13; from 18 degrees off the front or the back by at most 0.06.
_SIDE_SWING = 0.075
_FEWEST_PAIRS = 6


def leg_spread(silhouettes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the horizontal position of the lowest quarter's mass.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        Aligned silhouettes.

    Returns
    -------
    ndarray of float64, shape (n,)
        Pixels; 0 where the quarter is empty.

    Examples
    --------
    >>> import numpy as np
    >>> silhouettes = np.zeros((2, 8, 6), np.uint8)
    >>> silhouettes[0, :, 2:4] = silhouettes[1, :, [1, 4]] = 255
    >>> leg_spread(silhouettes)
    array([0.5, 1.5])
    """
    check_stack(silhouettes)
    height, width = silhouettes.shape[1:]
    rows = max(1, round(height * _LEG_PART))
    columns = silhouettes[:, height - rows :].sum(axis=1, dtype=np.float64)
    x = np.arange(width) - (width - 1) / 2
    mass = np.maximum(columns.sum(axis=1), 1e-9)
    mean = columns @ x / mass
    return np.asarray(np.sqrt(np.maximum(columns @ x**2 / mass - mean**2, 0)), np.float64)


def autocorrelation(
    signal: NDArray[np.floating], frame_index: NDArray[np.integer], longest_lag: int
) -> NDArray[np.float64]:
    """Autocorrelation of a signal with missing frames, its straight trend removed.

    Parameters
    ----------
    signal : ndarray of float, shape (n,)
        One value per frame.
    frame_index : ndarray of int, shape (n,)
        Strictly increasing frame numbers.
    longest_lag : int
        Frames.

    Returns
    -------
    ndarray of float64, shape (longest_lag + 1,)
        -1 to 1 for each lag; over the pairs of frames that exist, NaN where they are too few.

    Examples
    --------
    >>> import numpy as np
    >>> time = np.arange(40)
    >>> autocorrelation(np.sin(np.pi * time / 5), time, 10)[[0, 5, 10]].round()
    array([ 1., -1.,  1.])
    """
    time = np.asarray(frame_index, np.int64) - int(frame_index[0])
    line = np.polynomial.Polynomial.fit(time, signal, 1)(time)
    values = np.zeros(int(time[-1]) + 1)
    there = np.zeros(values.shape, bool)
    values[time], there[time] = signal - line, True
    result = np.full(longest_lag + 1, np.nan)
    for lag in range(min(longest_lag, len(values) - 1) + 1):
        early, late = slice(0, len(values) - lag), slice(lag, None)
        pairs = there[early] & there[late]
        a, b = values[early][pairs], values[late][pairs]
        power = float(np.sqrt((a @ a) * (b @ b)))
        if len(a) >= _FEWEST_PAIRS and power > 0:
            result[lag] = float(a @ b) / power
    return result


def gait_period(
    silhouettes: NDArray[np.uint8], frame_index: NDArray[np.integer] | None = None
) -> float | None:
    """Frames per gait cycle (two steps), estimated from aligned silhouettes.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        Aligned silhouettes in order of time.
    frame_index : ndarray of int, shape (n,), optional
        Number of each frame, strictly increasing; given where frames were dropped between.

    Returns
    -------
    float or None
        Frames, with a fraction; `None` where the sequence is too short (one cycle seen from the
        side, one and a half from other views) or the legs' spread does not repeat clearly.

    Raises
    ------
    OptionError
        These are no silhouettes of one size.

    Examples
    --------
    >>> import gaitkit
    >>> walker = gaitkit.walkers.WalkerOptions(frames=48, seed=1)
    >>> masks = gaitkit.walkers.render_sequence(walker, 0, "nm", 1, 90.0)
    >>> aligned = gaitkit.normalize_silhouettes(masks)
    >>> period_frames = gait_period(aligned.silhouettes, aligned.frame_index)
    >>> 20 < period_frames < 35
    True
    """
    check_stack(silhouettes)
    if len(silhouettes) < 2 * _SHORTEST_STEP:
        return None
    index = np.arange(len(silhouettes)) if frame_index is None else frame_index
    span = int(index[-1]) - int(index[0]) + 1
    signal = leg_spread(silhouettes)
    if float(np.ptp(signal)) == 0:
        return None
    correlation = autocorrelation(signal, index, int(span * _LONGEST_LAG))
    peaks = [lag for lag in _peaks(correlation) if correlation[lag] >= _WEAKEST_PEAK]
    if not peaks:
        return None
    highest = max(float(correlation[lag]) for lag in peaks)
    first = min(lag for lag in peaks if correlation[lag] >= _FIRST_PEAK * highest)
    exact = first + _summit(correlation[first - 1 : first + 2])
    half_way = float(np.interp(exact / 2, np.arange(len(correlation)), correlation))
    low, high = np.quantile(signal, [0.1, 0.9])
    from_the_side = high - low >= _SIDE_SWING * silhouettes.shape[1]
    is_step = half_way < _OPPOSITE_PHASE and from_the_side
    cycle = 2 * exact if is_step else exact
    return cycle if cycle <= span else None


def check_stack(silhouettes: NDArray[Any]) -> None:
    """Refuse what is no stack of silhouettes.

    Raises
    ------
    OptionError
        Not three axes.

    Examples
    --------
    >>> import numpy as np
    >>> check_stack(np.zeros((2, 8, 6), np.uint8))
    """
    if not isinstance(silhouettes, np.ndarray) or silhouettes.ndim != 3:
        shape = getattr(silhouettes, "shape", f"a {type(silhouettes).__name__}")
        raise OptionError(f"Expected silhouettes of shape (n, height, width), found {shape}.")


def _peaks(correlation: NDArray[np.float64]) -> list[int]:
    """Lags of the local maxima, from the shortest possible step on."""
    inner = correlation[1:-1]
    high = (inner > correlation[:-2]) & (inner >= correlation[2:])
    return [lag for lag in (np.flatnonzero(high) + 1).tolist() if lag >= _SHORTEST_STEP]


def _summit(three: NDArray[np.float64]) -> float:
    """Where the parabola through three neighbours peaks, from the middle one."""
    before, middle, after = (float(value) for value in three)
    bend = before - 2 * middle + after
    return 0.0 if bend == 0 else 0.5 * (before - after) / bend


def whole_cycles(frame_index: NDArray[np.integer], period_frames: float) -> slice:
    """The frames of as many whole gait periods as fit, from the middle of the sequence.

    Both ends are shortened alike, since people enter and leave the picture there.

    Parameters
    ----------
    frame_index : ndarray of int, shape (n,)
        Number of each frame, strictly increasing.
    period_frames : float
        Frames per gait cycle.

    Returns
    -------
    slice
        Which of the n frames; empty if not one period fits.

    Examples
    --------
    >>> import numpy as np
    >>> whole_cycles(np.arange(60), 25.0)
    slice(5, 55, None)
    """
    first, span = int(frame_index[0]), int(frame_index[-1]) - int(frame_index[0]) + 1
    length = round(int(span / period_frames) * period_frames)
    start = first + (span - length) // 2
    low, high = np.searchsorted(frame_index, [start, start + length]).tolist()
    return slice(low, high)
