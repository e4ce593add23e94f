"""The gait period, from the silhouettes themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gait_period", "leg_spread", "whole_cycles"]

_SHORTEST_STEP_FRAMES = 4
_LEAST_CORRELATION = 0.25


def leg_spread(silhouettes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far apart the legs are in each frame.

    The mean horizontal distance of the lower third's mass from its own centre: largest when the
    feet are furthest apart, smallest when the legs pass each other. It is the same whichever leg
    is in front, so it repeats every *step* in every view where it changes at all.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (frames, height, width)
        Normalised silhouettes, 0 to 255.

    Returns
    -------
    ndarray of float64, shape (frames,)
        Pixels; 0 where the lower third is empty.
    """
    legs = silhouettes[:, silhouettes.shape[1] * 2 // 3 :].sum(axis=1, dtype=np.int64)
    mass = np.maximum(legs.sum(axis=1), 1)
    columns = np.arange(legs.shape[1])
    centre = (legs * columns).sum(axis=1) / mass
    distance = np.abs(columns[None] - centre[:, None])
    spread: NDArray[np.float64] = (legs * distance).sum(axis=1) / mass
    return spread


def gait_period(silhouettes: NDArray[np.uint8]) -> float | None:
    """Estimate the gait period: the frames of one cycle, two steps.

    The spread of the legs is detrended and smoothed; the first clear peak of its autocorrelation
    is the step, which is refined by a parabola through the peak and its neighbours; two steps are
    a cycle. The lower body's periodic change as the source of the period goes back to Sarkar et
    al., "The HumanID gait challenge problem", IEEE TPAMI 27(2), 2005, section 3.1 (who count its
    pixels and measure between minima).

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (frames, height, width)
        Normalised silhouettes in order of time, without gaps that matter.

    Returns
    -------
    float or None
        Frames of one gait cycle; `None` when there are less than two steps of at least four
        frames, or no clear rhythm, as often in views from the front and from behind.
    """
    frames = len(silhouettes)
    if frames < 4 * _SHORTEST_STEP_FRAMES:
        return None
    signal = leg_spread(silhouettes)
    time = np.arange(frames)
    signal = signal - np.polyval(np.polyfit(time, signal, 1), time)
    signal = np.convolve(signal, [0.25, 0.5, 0.25], mode="same")
    power = float(signal @ signal)
    if power < 1e-9 * frames:
        return None
    lags = np.arange(frames // 2 + 1)
    # Unbiased: a lag of half the sequence is averaged over half as many products.
    correlation = np.array(
        [signal[: frames - lag] @ signal[lag:] / (frames - lag) for lag in lags]
    ) / (power / frames)
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:]))
    peaks = peaks[(peaks >= _SHORTEST_STEP_FRAMES) & (correlation[peaks] > _LEAST_CORRELATION)]
    if not len(peaks):
        return None
    # Unequal steps make the second peak, the cycle, a little higher than the first, the step.
    step = int(peaks[correlation[peaks] >= 0.6 * correlation[peaks].max()][0])
    before, at, after = correlation[step - 1 : step + 2]
    curvature = before - 2 * at + after
    shift = 0.0 if curvature >= 0 else 0.5 * (before - after) / curvature
    return 2 * (step + float(np.clip(shift, -0.5, 0.5)))


def whole_cycles(frames: int, period_frames: float) -> int:
    """How many of the first frames make the most whole gait cycles.

    Parameters
    ----------
    frames : int
        Frames there are.
    period_frames : float
        Frames of one gait cycle.

    Returns
    -------
    int
        0 when there is not one whole cycle.

    Examples
    --------
    >>> whole_cycles(60, 25.5), whole_cycles(20, 25.5)
    (51, 0)
    """
    cycles = int(frames / period_frames)
    return round(cycles * period_frames)
