"""All figures of one probe set: closed set, verification, open set, failures, with intervals.

Every rate here is in per cent; operating points (the keys ``0.01`` and ``0.001``) are shares, as
one says "FNMR at FMR 1e-2". Unless a name begins with ``pooled_``, a rate is computed in each cell
(gallery view × probe view) of the protocol's headline and then averaged over the cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.figures.bootstrap import Interval

__all__ = ["FMR_POINTS", "FPIR_POINTS", "Failures", "Numbers", "OpenSet", "Verification"]

FMR_POINTS = (0.01, 0.001)
"""False match rates at which the false non-match rate is given."""

FPIR_POINTS = (0.01,)
"""False positive identification rates at which the true positive identification rate is given."""


@dataclass(frozen=True, eq=False)
class Verification:
    """Is it the claimed person? A probe against one enrolled person: their nearest row.

    Attributes
    ----------
    eer : Interval
        Equal error rate: where false match and false non-match rate are equal.
    fnmr_at : mapping of float to Interval
        False non-match rate at each of `FMR_POINTS`. NaN where a cell has fewer than 3 / FMR
        impostor comparisons, which cannot support the rate.
    pooled_eer : float
        With one threshold for the scores of all cells.
    pooled_fnmr_at : mapping of float to float
        Likewise.
    fmr, fnmr : ndarray of float64, shape (n,)
        DET points: the mean false non-match rate of the cells at each false match rate, ascending.
    edges : ndarray of float64, shape (b + 1,)
        Edges of the histograms, in distances.
    genuine, impostor : ndarray of int64, shape (b,)
        Comparisons with the probe's own person, and with others, in each bin; over all cells.
    """

    eer: Interval
    fnmr_at: Mapping[float, Interval]
    pooled_eer: float
    pooled_fnmr_at: Mapping[float, float]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    edges: NDArray[np.float64]
    genuine: NDArray[np.int64]
    impostor: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OpenSet:
    """Who is it, if anybody? Folds of people are left out of the gallery in turn.

    A fold's own probes are non-mated searches, those of the others mated ones. One threshold holds
    for all cells; the rates at it are computed per cell and averaged.

    Attributes
    ----------
    tpir_at : mapping of float to Interval
        True positive identification rate (mate at rank 1 and within the threshold) at each of
        `FPIR_POINTS`. NaN where there are fewer than 3 / FPIR non-mated searches.
    threshold_at : mapping of float to float
        The distance up to which a candidate is accepted there.
    fpir, tpir : ndarray of float64, shape (n,)
        Points of the curve, ascending in FPIR.
    mated, non_mated : int
        Searches, over all cells and folds.
    """

    tpir_at: Mapping[float, Interval]
    threshold_at: Mapping[float, float]
    fpir: NDArray[np.float64]
    tpir: NDArray[np.float64]
    mated: int
    non_mated: int


@dataclass(frozen=True)
class Failures:
    """Failures to acquire: probe sequences that were dropped before matching.

    Attributes
    ----------
    count : int
        Dropped sequences of the probe set.
    of : int
        All sequences of the probe set, the dropped ones included.
    counted : bool
        Whether they count as errors in the identification rates.
    """

    count: int
    of: int
    counted: bool = False


@dataclass(frozen=True, eq=False)
class Numbers:
    """The figures of one probe set; rates in per cent, NaN where they cannot be computed.

    Attributes
    ----------
    rank1, rank5, rank10 : Interval
        Identification rate at that rank: the protocol's headline mean over the cells.
    mean_ap : Interval
        Mean average precision: each probe ranks the *rows* of the gallery view, those of its own
        person are relevant; mean over the probes of a cell, then over the cells. (OpenGait's
        column mAP belongs to another protocol.)
    pooled_rank1, pooled_rank5, pooled_rank10, pooled_mean_ap : float
        Over all searches of these cells alike, so that full cells weigh more.
    cmc, pooled_cmc : ndarray of float64, shape (n,)
        Cumulative match characteristic: identification rate at ranks 1 to n, n the most people
        enrolled at one view.
    verification : Verification or None
        `None` where there are no genuine or no impostor comparisons, or too many to keep.
    open_set : OpenSet or None
        `None` with fewer than four people in the gallery, or too many comparisons to keep.
    failures_to_acquire : Failures
        Dropped probes.
    """

    rank1: Interval
    rank5: Interval
    rank10: Interval
    mean_ap: Interval
    pooled_rank1: float
    pooled_rank5: float
    pooled_rank10: float
    pooled_mean_ap: float
    cmc: NDArray[np.float64]
    pooled_cmc: NDArray[np.float64]
    verification: Verification | None
    open_set: OpenSet | None
    failures_to_acquire: Failures
