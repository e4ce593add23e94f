"""Identification and verification rates, in the words of ISO/IEC 19795-1:2021.

Pure functions on arrays; rates are shares from 0 to 1. Comparison scores are *distances*: small
means similar, and a comparison matches when its distance is at most the threshold.

A *mated* (genuine) comparison is of two samples of one person, a *non-mated* (impostor) one of two
people. Rates by threshold form a curve whose points are every threshold at which something
changes; between two neighbouring points it is a straight line, as if one flipped a coin between the
two thresholds. Points where several thresholds give equal rates on one axis are kept apart, and at
such a point the better value of the other axis is read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ErrorCurve",
    "OpenSetCurve",
    "average_precision",
    "cumulative_matches",
    "equal_error_rate",
    "error_curve",
    "identification_rate",
    "inverse_negative_penalty",
    "open_set_curve",
    "rate_at",
    "supports",
]


class ErrorCurve(NamedTuple):
    """False match and false non-match rate by threshold (a DET curve; ROC: 1 - FNMR).

    Attributes
    ----------
    threshold : ndarray of float64, shape (n,)
        Distances, ascending; the first, -inf, accepts nothing.
    fmr : ndarray of float64, shape (n,)
        False match rate: the share of non-mated comparisons that match. Ascending from 0 to 1.
    fnmr : ndarray of float64, shape (n,)
        False non-match rate: the share of mated comparisons that do not match. Descending from
        1 to 0.
    """

    threshold: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


class OpenSetCurve(NamedTuple):
    """Open-set identification by threshold.

    Attributes
    ----------
    threshold : ndarray of float64, shape (n,)
        Distances, ascending; the first, -inf, accepts nothing.
    fpir : ndarray of float64, shape (n,)
        False positive identification rate: the share of searches for people who are not enrolled
        that return somebody within the threshold.
    fnir : ndarray of float64, shape (n,)
        False negative identification rate: the share of searches for enrolled people that do not
        return the right one first and within the threshold. The true positive identification
        rate (TPIR) is 1 - FNIR.
    """

    threshold: NDArray[np.float64]
    fpir: NDArray[np.float64]
    fnir: NDArray[np.float64]


def identification_rate(rank: NDArray[np.int64], k: int) -> float:
    """Identification rate at rank k: searches that return the right person among the first k.

    Parameters
    ----------
    rank : ndarray of int64
        Place of the right person of each search, 1 for first; 0 where they are not enrolled, which
        counts as an error.
    k : int
        At least 1.

    Returns
    -------
    float
        NaN without searches.
    """
    return float(np.mean((rank >= 1) & (rank <= k))) if rank.size else float("nan")


def cumulative_matches(rank: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """Cumulative match characteristic (CMC): the identification rate at ranks 1 to `length`.

    Parameters
    ----------
    rank : ndarray of int64
        As for `identification_rate`.
    length : int
        The last rank.

    Returns
    -------
    ndarray of float64, shape (length,)
        NaN without searches.
    """
    if rank.size == 0:
        return np.full(length, np.nan)
    counts = np.bincount(np.clip(rank.ravel(), 0, length + 1), minlength=length + 2)
    share: NDArray[np.float64] = np.cumsum(counts[1 : length + 1]) / rank.size
    return share


def average_precision(
    distances: NDArray[np.floating], mates: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Average precision of each search's list of gallery rows, nearest first.

    The mean, over the rows of the searched person, of the share of their rows among all down to
    that one. Of equal distances the first row comes first (see `gaitkit.identification.matching`).
    Not interpolated: where no distances are equal, scikit-learn's `average_precision_score` of the
    negative distances.

    Parameters
    ----------
    distances : ndarray of floats, shape (p, n)
        Each search by gallery row.
    mates : ndarray of bool, shape (p, n)
        Whether the row is of the searched person.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 where the searched person has no row.
    """
    order = np.argsort(np.where(mates, distances, np.inf), axis=1, kind="stable")
    rows = mates.sum(axis=1)
    total = np.zeros(len(distances))
    for place in range(int(rows.max(initial=0))):
        column = order[:, place]
        within = _down_to(distances, column)
        precision = (within & mates).sum(axis=1) / np.maximum(1, within.sum(axis=1))
        total += np.where(place < rows, precision, 0.0)
    mean: NDArray[np.float64] = total / np.maximum(1, rows)
    return mean


def _down_to(distances: NDArray[np.floating], column: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which rows of each list stand before that column or at it, nearest and then first."""
    reach = distances[np.arange(len(distances)), column][:, None]
    before = np.arange(distances.shape[1]) <= column[:, None]
    found: NDArray[np.bool_] = (distances < reach) | ((distances == reach) & before)
    return found


def inverse_negative_penalty(
    distances: NDArray[np.floating], mates: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Inverse negative penalty of each search: how far down its hardest mate stands.

    The number of the searched person's gallery rows, divided by the place of the last of them among
    all rows, nearest first (Ye et al., "Deep Learning for Person Re-identification: A Survey and
    Outlook", TPAMI 2021, section IV: 1 - NP). Of equal distances the first row comes first.

    Parameters
    ----------
    distances : ndarray of floats, shape (p, n)
        Each search by gallery row.
    mates : ndarray of bool, shape (p, n)
        Whether the row is of the searched person.

    Returns
    -------
    ndarray of float64, shape (p,)
        1 where all mates come first; 0 where the searched person has no row.

    Examples
    --------
    >>> near = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> inverse_negative_penalty(near, np.array([[True, False, False, True]])).tolist()
    [0.5]
    """
    rows = mates.sum(axis=1)
    if not distances.shape[1]:
        return np.zeros(len(distances))
    # The last of equal ones: the first one of the reversed row.
    backwards = np.where(mates, distances, -np.inf)[:, ::-1]
    hardest = distances.shape[1] - 1 - backwards.argmax(axis=1)
    place = _down_to(distances, hardest).sum(axis=1)
    share: NDArray[np.float64] = rows / np.maximum(1, place)
    return share


def error_curve(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> ErrorCurve:
    """False match rate (FMR) and false non-match rate (FNMR) at every threshold.

    Parameters
    ----------
    genuine : ndarray of floats, shape (a,)
        Distances of mated comparisons, at least one.
    impostor : ndarray of floats, shape (b,)
        Distances of non-mated comparisons, at least one.

    Returns
    -------
    ErrorCurve

    Raises
    ------
    ValueError
        One of the two is empty: the rates are not defined.
    """
    if not genuine.size or not impostor.size:
        raise ValueError("error rates need mated and non-mated comparisons")
    threshold, within, beyond = _counts(impostor, genuine)
    return ErrorCurve(threshold, within / impostor.size, beyond / genuine.size)


def open_set_curve(
    mate: NDArray[np.floating],
    first: NDArray[np.bool_],
    non_mated: NDArray[np.floating],
    *,
    mate_weight: NDArray[np.float64] | None = None,
    non_mated_weight: NDArray[np.float64] | None = None,
) -> OpenSetCurve:
    """False positive (FPIR) and false negative (FNIR) identification rate at every threshold.

    Parameters
    ----------
    mate : ndarray of floats, shape (a,)
        Of each mated search, the distance of the searched person's nearest row.
    first : ndarray of bool, shape (a,)
        Whether nobody else is as near.
    non_mated : ndarray of floats, shape (b,)
        Of each non-mated search, the distance of the nearest row.
    mate_weight, non_mated_weight : ndarray of float64, shapes (a,) and (b,), optional
        How much each search counts, all equally by default. One over the searches of its cell
        makes the rates means over cells.

    Returns
    -------
    OpenSetCurve

    Raises
    ------
    ValueError
        There are no mated or no non-mated searches.
    """
    if not mate.size or not non_mated.size:
        raise ValueError("open-set rates need mated and non-mated searches")
    found = np.where(first, mate, np.inf)
    threshold, within, beyond = _counts(non_mated, found)
    if mate_weight is None or non_mated_weight is None:
        return OpenSetCurve(threshold, within / non_mated.size, beyond / mate.size)
    false = _cumulative(non_mated, non_mated_weight)
    true = _cumulative(found, mate_weight)
    return OpenSetCurve(threshold, false[within], 1.0 - true[mate.size - beyond])


def equal_error_rate(
    fmr: NDArray[np.float64], fnmr: NDArray[np.float64]
) -> float | NDArray[np.float64]:
    """Equal error rate (EER): where the false match and the false non-match rate are equal.

    Between the last point with FMR < FNMR and the next one both are taken as straight lines.

    Parameters
    ----------
    fmr, fnmr : ndarray of float64, shape (..., n)
        Along ascending thresholds, from (0, 1) to (1, 0).

    Returns
    -------
    float or ndarray of float64, shape (...)
    """
    difference = fmr - fnmr
    after = np.maximum(1, np.argmax(difference >= 0, axis=-1))[..., None]
    low = np.take_along_axis(difference, after - 1, axis=-1)
    high = np.take_along_axis(difference, after, axis=-1)
    step = high - low
    share = np.divide(-low, step, out=np.zeros_like(low), where=step > 0)
    start = np.take_along_axis(fmr, after - 1, axis=-1)
    rate = start + share * (np.take_along_axis(fmr, after, axis=-1) - start)
    return _plain(rate[..., 0])


def rate_at(
    x: NDArray[np.float64], y: NDArray[np.float64], at: float | NDArray[np.float64]
) -> float | NDArray[np.float64]:
    """One rate where another has a given value: FNMR at an FMR, FNIR at an FPIR.

    Parameters
    ----------
    x : ndarray of float64, shape (..., n)
        Ascending, from 0.
    y : ndarray of float64, shape (..., n)
        The other rate, along the same thresholds.
    at : float, or ndarray of float64 of shape (m,) where x has one axis
        Values of x, 0 to 1. Where several points have it, the last one is read; between points,
        a straight line.

    Returns
    -------
    float or ndarray of float64, shape (...), or (m,)
    """
    last = x.shape[-1] - 1
    if isinstance(at, np.ndarray):
        x, y = np.broadcast_to(x, (len(at), last + 1)), np.broadcast_to(y, (len(at), last + 1))
        index = np.maximum(0, np.searchsorted(x[0], at, side="right") - 1)[:, None]
        at = at[:, None]
    else:
        index = np.maximum(0, (x <= at).sum(axis=-1) - 1)[..., None]
    after = np.minimum(index + 1, last)
    here, there = np.take_along_axis(x, index, axis=-1), np.take_along_axis(x, after, axis=-1)
    share = np.divide(at - here, there - here, out=np.zeros_like(here), where=there > here)
    low, high = np.take_along_axis(y, index, axis=-1), np.take_along_axis(y, after, axis=-1)
    return _plain((low + share * (high - low))[..., 0])


def supports(comparisons: int, rate: float) -> bool:
    """Whether so many comparisons can show so small a rate: at least 3 / rate of them.

    The "rule of 3" (ISO/IEC 19795-1, annex B): with none of n wrong, the rate is below 3 / n with
    95 % confidence.
    """
    return comparisons * rate >= 3.0 * (1.0 - 1e-12)


def _counts(
    accepted: NDArray[np.floating], rejected: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Thresholds, and how many of the first are within and of the second beyond each."""
    one, other = np.sort(accepted), np.sort(rejected)
    # Stable sorting merges two sorted runs in linear time.
    both = np.sort(np.concatenate([one, other[np.isfinite(other)]]), kind="stable")
    distinct = both[np.diff(both, prepend=-np.inf) > 0]
    threshold = np.concatenate([[-np.inf], distinct]).astype(np.float64)
    within = np.searchsorted(one, threshold, side="right")
    beyond = len(other) - np.searchsorted(other, threshold, side="right")
    return threshold, within, beyond


def _cumulative(values: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the weight of the n smallest values, for n = 0 to all; shape (len + 1,)."""
    total = np.concatenate([[0.0], np.cumsum(weights[np.argsort(values, kind="stable")])])
    share: NDArray[np.float64] = total / total[-1]
    return share


def _plain(values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(values) if values.ndim == 0 else values
