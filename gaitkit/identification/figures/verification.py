"""Verification figures of one probe set, for the question "is it the claimed person?".

A cell (gallery view × probe view) compares each of its probes with each person enrolled at that
view. Error rates are computed per cell and averaged; the interval redraws people, who bring both
their probes and their references: a mated comparison counts as often as its person is drawn, a
non-mated one as often as the product of its two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.comparison_scores import Scores
from gaitkit.identification.figures.bootstrap import DRAWS, NOTHING, Interval, draw_people, interval
from gaitkit.identification.figures.rates import (
    ErrorCurve,
    equal_error_rate,
    error_curve,
    rate_at,
    supports,
)

__all__ = ["FMR_POINTS", "PairDraws", "Verification", "verification"]

FMR_POINTS = (0.01, 0.001)
"""False match rates at which the false non-match rate is given."""

_BINS = 60
_DET_POINTS = np.geomspace(1e-4, 1.0, 81)
_UNITS = 256
_AROUND = np.geomspace(1 / 8, 8, 7)
_NEAR = np.geomspace(1 / 2.5, 2.5, 9)


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


class PairDraws:
    """Draws of people, and how often each pair of them is compared in each draw.

    Parameters
    ----------
    people : ndarray of int64
        Everybody who is enrolled or searched, distinct.
    draws : int
        How many.
    seed : int
        Of the draws.

    Attributes
    ----------
    units : ndarray of int64, shape (people,)
        What is drawn as a whole: a person, or, with more than 256, a random group of them, since
        the pairs grow with the square.
    of_unit : ndarray of float32, shape (draws, units)
        How often each is drawn.
    of_pair : ndarray of float32, shape (draws, pairs)
        The product for each pair of units, in either order.
    pair : ndarray of int64, shape (units, units)
        Column of `of_pair` of two units.
    """

    def __init__(self, people: NDArray[np.int64], *, draws: int = DRAWS, seed: int = 0) -> None:
        count = min(len(people), _UNITS)
        self.people = people
        self.units = np.arange(len(people)) % count
        if count < len(people):
            self.units = np.random.default_rng(seed).permutation(self.units)
        self.of_unit = draw_people(count, draws=draws, seed=seed).astype(np.float32)
        first, second = np.triu_indices(count)
        self.of_pair = self.of_unit[:, first] * self.of_unit[:, second]
        self.pair = np.zeros((count, count), dtype=np.int64)
        self.pair[first, second] = self.pair[second, first] = np.arange(len(first))

    def unit_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The units of some people, given by number."""
        units: NDArray[np.int64] = self.units[np.searchsorted(self.people, numbers)]
        return units


@dataclass(frozen=True, eq=False)
class _Cell:
    """Comparisons of one cell: a row per probe, a column per enrolled person."""

    distance: NDArray[np.float32]
    mates: NDArray[np.bool_]
    probe_people: NDArray[np.int64]
    people: NDArray[np.int64]

    @property
    def genuine(self) -> NDArray[np.float32]:
        return self.distance[self.mates]

    @property
    def impostor(self) -> NDArray[np.float32]:
        return self.distance[~self.mates]


def verification(
    scores: Scores,
    member: NDArray[np.bool_],
    view: NDArray[np.int64],
    cells: NDArray[np.bool_],
    draws: PairDraws,
) -> Verification | None:
    """Error rates of one probe set with their intervals.

    Parameters
    ----------
    scores : Scores
        All comparisons.
    member : ndarray of bool, shape (p,)
        Probes of the set.
    view : ndarray of int64, shape (p,)
        Column of each probe's view.
    cells : ndarray of bool, shape (g, v)
        Cells that count.
    draws : PairDraws
        Of the people.

    Returns
    -------
    Verification or None
        `None` where no cell has both mated and non-mated comparisons.
    """
    estimates: dict[float, list[float]] = {0.0: [], **{point: [] for point in FMR_POINTS}}
    drawn = {point: np.zeros(len(draws.of_unit)) for point in estimates}
    det = np.zeros_like(_DET_POINTS)
    genuine, impostor, smallest = [], [], np.inf
    for cell in _cells(scores, member, view, cells):
        curve = error_curve(cell.genuine, cell.impostor)
        eer = float(equal_error_rate(curve.fmr, curve.fnmr))
        estimates[0.0].append(eer)
        for point in FMR_POINTS:
            estimates[point].append(float(rate_at(curve.fmr, curve.fnmr, point)))
        det += rate_at(curve.fmr, curve.fnmr, _DET_POINTS)
        for point, values in _redrawn(cell, eer, draws).items():
            drawn[point] += values
        genuine.append(cell.genuine)
        impostor.append(cell.impostor)
        smallest = min(smallest, impostor[-1].size)
    if not genuine:
        return None
    count, people = len(genuine), len(draws.people)
    figures = {
        point: interval(100.0 * float(np.mean(values)), 100.0 * drawn[point] / count, people)
        for point, values in estimates.items()
    }
    all_genuine, all_impostor = np.concatenate(genuine), np.concatenate(impostor)
    pooled = error_curve(all_genuine, all_impostor)
    shown = _DET_POINTS * smallest >= 1.0
    edges = _edges(all_genuine, all_impostor)
    return Verification(
        eer=figures[0.0],
        fnmr_at={p: figures[p] if supports(int(smallest), p) else NOTHING for p in FMR_POINTS},
        pooled_eer=100.0 * float(equal_error_rate(pooled.fmr, pooled.fnmr)),
        pooled_fnmr_at={p: _pooled_at(pooled, p, all_impostor.size) for p in FMR_POINTS},
        fmr=100.0 * _DET_POINTS[shown],
        fnmr=100.0 * det[shown] / count,
        edges=edges,
        genuine=np.histogram(all_genuine, edges)[0].astype(np.int64),
        impostor=np.histogram(all_impostor, edges)[0].astype(np.int64),
    )


def _pooled_at(curve: ErrorCurve, point: float, comparisons: int) -> float:
    if not supports(comparisons, point):
        return float("nan")
    return 100.0 * float(rate_at(curve.fmr, curve.fnmr, point))


def _cells(
    scores: Scores, member: NDArray[np.bool_], view: NDArray[np.int64], cells: NDArray[np.bool_]
) -> Iterator[_Cell]:
    """Cells with mated and non-mated comparisons."""
    mates = scores.mates
    for row, column in np.argwhere(cells):
        rows = np.flatnonzero(member & (view == column))
        if not len(rows):
            continue
        enrolled = np.isfinite(scores.distance[rows[0], row])
        cell = _Cell(
            scores.distance[rows, row][:, enrolled],
            mates[rows][:, enrolled],
            scores.probe_people[rows],
            scores.people[enrolled],
        )
        if cell.mates.any() and not cell.mates.all():
            yield cell


def _redrawn(cell: _Cell, eer: float, draws: PairDraws) -> dict[float, NDArray[np.float64]]:
    """EER (under the key 0) and FNMR at the FMR points in each draw.

    Both rates are counted at some thirty thresholds where the answers lie, and read on the lines
    between them.
    """
    threshold = _thresholds(cell, eer)
    steps = len(threshold) + 1
    within = np.searchsorted(threshold, cell.distance)
    probe_unit, unit = draws.unit_of(cell.probe_people), draws.unit_of(cell.people)
    pairs = draws.pair[probe_unit[:, None], unit]
    other = ~cell.mates
    non_mated = _cumulated(pairs[other], within[other], draws.of_pair.shape[1], steps)
    own = np.broadcast_to(probe_unit[:, None], cell.mates.shape)[cell.mates]
    mated = _cumulated(own, within[cell.mates], draws.of_unit.shape[1], steps)
    fmr = _shares(draws.of_pair @ non_mated)
    fnmr = 1.0 - _shares(draws.of_unit @ mated)
    exists = ~np.isnan(fmr[:, -1] + fnmr[:, -1])
    out = {}
    for point in (0.0, *FMR_POINTS):
        values = np.full(len(fmr), np.nan)
        if point:
            values[exists] = rate_at(fmr[exists], fnmr[exists], point)
        else:
            values[exists] = equal_error_rate(fmr[exists], fnmr[exists])
        out[point] = values
    return out


def _thresholds(cell: _Cell, eer: float) -> NDArray[np.float32]:
    """Around the equal error rate and the FMR points, ascending."""
    shares = np.concatenate([eer * _NEAR, *(point * _AROUND for point in FMR_POINTS)])
    by_impostor = np.quantile(cell.impostor, np.minimum(1.0, shares))
    by_genuine = np.quantile(cell.genuine, 1.0 - np.minimum(1.0, eer * _NEAR[::2]))
    return np.sort(np.concatenate([by_impostor, by_genuine])).astype(np.float32)


def _cumulated(
    unit: NDArray[np.int64], step: NDArray[np.int64], units: int, steps: int
) -> NDArray[np.float32]:
    """Comparisons within each threshold, by unit; the last column is all of them."""
    counts = np.bincount(unit * steps + step, minlength=units * steps).reshape(units, steps)
    within: NDArray[np.float32] = np.cumsum(counts, axis=1, dtype=np.float32)
    return within


def _shares(within: NDArray[Any]) -> NDArray[np.float64]:
    """Counts by threshold to shares of the last column, 0 put in front; NaN where there is none."""
    total = within[:, -1:].astype(np.float64)
    shares = np.divide(within, total, out=np.full(within.shape, np.nan), where=total > 0)
    return np.concatenate([np.zeros_like(total), shares], axis=1)


def _edges(genuine: NDArray[np.float32], impostor: NDArray[np.float32]) -> NDArray[np.float64]:
    low = float(min(genuine.min(), impostor.min()))
    high = float(max(genuine.max(), impostor.max()))
    return np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
