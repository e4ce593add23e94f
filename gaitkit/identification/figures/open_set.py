"""Open-set figures of one probe set, for the question "who is it, if anybody?".

The people of the gallery are divided into folds by a seed. Each fold in turn is left out of the
gallery: its probes become searches for people who are not enrolled (non-mated), all others remain
mated ones. So every probe is a non-mated search once, and a mated one in all other folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.comparison_scores import Scores
from gaitkit.identification.figures.bootstrap import NOTHING, Interval, interval, mean_over_cells
from gaitkit.identification.figures.rates import open_set_curve, rate_at, supports

__all__ = ["FOLDS", "FPIR_POINTS", "OpenSet", "Searches", "open_set", "open_set_searches"]

FPIR_POINTS = (0.01,)
"""False positive identification rates at which the true positive identification rate is given."""


FOLDS = 5
"""Folds of people that are left out in turn."""

_POINTS = np.geomspace(1e-3, 1.0, 61)
_AROUND = np.geomspace(1 / 16, 16, 33)


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


@dataclass(frozen=True, eq=False)
class Searches:
    """Searches with and without a mate, all folds together.

    Attributes
    ----------
    mate_probe, mate_view : ndarray of int64, shape (a,)
        Probe and gallery view of each mated search.
    mate : ndarray of float32, shape (a,)
        Distance of the searched person.
    first : ndarray of bool, shape (a,)
        Whether nobody else is as near.
    probe, view : ndarray of int64, shape (b,)
        Probe and gallery view of each non-mated search.
    nearest : ndarray of float32, shape (b,)
        Distance of the nearest person.
    """

    mate_probe: NDArray[np.int64]
    mate_view: NDArray[np.int64]
    mate: NDArray[np.float32]
    first: NDArray[np.bool_]
    probe: NDArray[np.int64]
    view: NDArray[np.int64]
    nearest: NDArray[np.float32]


def open_set_searches(scores: Scores, *, seed: int = 0) -> Searches | None:
    """Leave each fold of people out of the gallery in turn.

    Parameters
    ----------
    scores : Scores
        All comparisons.
    seed : int
        Of the folds.

    Returns
    -------
    Searches or None
        `None` with fewer than four people: nobody would be left to be mistaken for.
    """
    people = len(scores.people)
    if people < 4:
        return None
    count = min(FOLDS, people // 2)
    folds = np.random.default_rng(seed).permutation(np.arange(people) % count)
    mates = scores.mates
    known = np.asarray(mates.any(axis=1))
    column = mates.argmax(axis=1)
    every = np.arange(len(mates))
    own = np.where(known[:, None], scores.distance[every, :, column], np.inf)
    others = np.where(mates[:, None, :], np.inf, scores.distance)
    mated, non_mated = [], []
    for fold in range(count):
        nearest = others[:, :, folds != fold].min(axis=2)
        left_out = known & (folds[column] == fold)
        rows, views = np.nonzero(~left_out[:, None] & np.isfinite(own))
        mated.append((rows, views, own[rows, views], own[rows, views] < nearest[rows, views]))
        # Somebody who was never enrolled is searched once.
        searched = left_out | (~known & (fold == 0))
        rows, views = np.nonzero(searched[:, None] & np.isfinite(nearest))
        non_mated.append((rows, views, nearest[rows, views]))
    one = [np.concatenate(parts) for parts in zip(*mated, strict=True)]
    other = [np.concatenate(parts) for parts in zip(*non_mated, strict=True)]
    return Searches(one[0], one[1], one[2], one[3], other[0], other[1], other[2])


def open_set(
    searches: Searches,
    member: NDArray[np.bool_],
    person: NDArray[np.int64],
    view: NDArray[np.int64],
    cells: NDArray[np.bool_],
    drawn: NDArray[np.float64],
) -> OpenSet | None:
    """Identification rates by threshold of one probe set, with intervals.

    Parameters
    ----------
    searches : Searches
        From `open_set_searches`.
    member : ndarray of bool, shape (p,)
        Probes of the set.
    person, view : ndarray of int64, shape (p,)
        Numbers of the probes' people, 0 to people - 1, and columns of their views.
    cells : ndarray of bool, shape (g, v)
        Cells that count.
    drawn : ndarray of float64, shape (draws, people)
        Draws of the tested people; the gallery stays whole.

    Returns
    -------
    OpenSet or None
        `None` where there are no mated or no non-mated searches.
    """
    columns = np.cumsum(cells).reshape(cells.shape) - 1

    def of_set(
        probe: NDArray[np.int64], gallery_view: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        used = member[probe] & cells[gallery_view, view[probe]]
        return used, columns[gallery_view, view[probe]][used]

    mated, mate_cell = of_set(searches.mate_probe, searches.mate_view)
    non_mated, cell = of_set(searches.probe, searches.view)
    if not mated.any() or not non_mated.any():
        return None
    mate = np.where(searches.first, searches.mate, np.inf)[mated]
    nearest = searches.nearest[non_mated]
    curve = open_set_curve(
        searches.mate[mated],
        searches.first[mated],
        nearest,
        mate_weight=1.0 / np.bincount(mate_cell)[mate_cell],
        non_mated_weight=1.0 / np.bincount(cell)[cell],
    )
    shape = (drawn.shape[1], int(cells.sum()))
    found = (person[searches.mate_probe[mated]], mate_cell, mate)
    accepted = (person[searches.probe[non_mated]], cell, nearest)
    tpir_at, threshold_at = {}, {}
    for point in FPIR_POINTS:
        if not supports(len(nearest), point):
            tpir_at[point], threshold_at[point] = NOTHING, np.nan
            continue
        thresholds = np.quantile(nearest, np.minimum(1.0, point * _AROUND))
        fpir = np.stack([_drawn(accepted, limit, shape, drawn) for limit in thresholds], axis=1)
        tpir = np.stack([_drawn(found, limit, shape, drawn) for limit in thresholds], axis=1)
        estimate = 1.0 - float(rate_at(curve.fpir, curve.fnir, point))
        tpir_at[point] = interval(
            100.0 * estimate,
            100.0 * np.asarray(rate_at(fpir, tpir, point)),
            len(np.unique(accepted[0])),
        )
        # The last threshold whose rate is not above the point.
        place = int(np.searchsorted(curve.fpir, point, side="right")) - 1
        threshold_at[point] = float(curve.threshold[place])
    return OpenSet(
        tpir_at=tpir_at,
        threshold_at=threshold_at,
        fpir=100.0 * _POINTS,
        tpir=100.0 * (1.0 - np.asarray(rate_at(curve.fpir, curve.fnir, _POINTS))),
        mated=int(mated.sum()),
        non_mated=int(non_mated.sum()),
    )


def _drawn(
    searches: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]],
    limit: float,
    shape: tuple[int, int],
    drawn: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The mean over cells of the share of searches within the threshold, in each draw."""
    person, cell, distance = searches
    place = person * shape[1] + cell
    size = shape[0] * shape[1]
    hits = np.bincount(place[distance <= limit], minlength=size).astype(np.float64)
    counts = np.bincount(place, minlength=size).astype(np.float64)
    return mean_over_cells(drawn, hits.reshape(shape), counts.reshape(shape))
