"""Closed-set figures of one probe set: rank-k, CMC and mean average precision, with intervals.

Each figure is a mean over cells (gallery view × probe view) of the mean over the cell's probes, so
each is a sum of per-probe outcomes by person and cell; redrawing people redraws those sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import cell_rates, mean_of_cells
from gaitkit.identification.figures.bootstrap import Interval, interval, mean_over_cells
from gaitkit.identification.figures.rates import cumulative_matches

__all__ = ["FIGURES", "ClosedSet", "Outcomes", "closed_set", "headline", "headline_draws"]

FIGURES = ("rank1", "rank5", "rank10", "mean_ap")
"""Names of the headline figures."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The fixed outcomes of one probe set's searches in the gallery of each view.

    Attributes
    ----------
    person : ndarray of int64, shape (n,)
        Numbers 0 to people - 1.
    view : ndarray of int64, shape (n,)
        Column of the table.
    searched : ndarray of bool, shape (n, g)
        Whether the gallery of that view has anybody.
    rank : ndarray of int64, shape (n, g)
        Place of the right person, 0 where there is none.
    average_precision : ndarray of float64, shape (n, g)
        NaN where the gallery is empty.
    cells : ndarray of bool, shape (g, v)
        Cells that count in the headline.
    inverse_negative_penalty : ndarray of float64, shape (n, g), or None
        As `average_precision`; `None` where it is not known.
    """

    person: NDArray[np.int64]
    view: NDArray[np.int64]
    searched: NDArray[np.bool_]
    rank: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    cells: NDArray[np.bool_]
    inverse_negative_penalty: NDArray[np.float64] | None = None

    @property
    def used(self) -> NDArray[np.bool_]:
        """Searches that belong to a cell of the headline, shape (n, g)."""
        return self.searched & self.cells[:, self.view].T

    def sums(self, values: NDArray[Any], people: int) -> NDArray[np.float64]:
        """Some outcome added up by person and cell of the headline.

        Parameters
        ----------
        values : ndarray, shape (n, g)
            One value per search; those outside `used` do not matter.
        people : int
            How many persons there are.

        Returns
        -------
        ndarray of float64, shape (people, cells)
        """
        views = self.cells.shape[1]
        place = self.person * views + self.view
        out = np.empty((people, *self.cells.shape))
        for row in range(len(self.cells)):
            weights = np.where(self.searched[:, row], values[:, row], 0.0)
            total = np.bincount(place, weights, minlength=people * views)
            out[:, row] = total.reshape(people, views)
        return out[:, self.cells]

    def figure(self, name: str) -> NDArray[Any]:
        """The values behind a figure, shape (n, g).

        ``rank1`` (5, 10, …), ``mean_ap`` or ``mean_inp``.
        """
        if name == "mean_ap":
            return self.average_precision
        if name == "mean_inp":
            unknown = np.full(self.rank.shape, np.nan)
            known = self.inverse_negative_penalty
            return unknown if known is None else known
        hits: NDArray[np.bool_] = (self.rank >= 1) & (self.rank <= int(name.removeprefix("rank")))
        return hits


@dataclass(frozen=True, eq=False)
class ClosedSet:
    """Headline figures by name, pooled ones, and the CMC; per cent."""

    headline: dict[str, Interval]
    pooled: dict[str, float]
    cmc: NDArray[np.float64]
    pooled_cmc: NDArray[np.float64]


def headline_draws(
    outcomes: Outcomes, name: str, drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A headline figure in each draw of people, per cent, shape (draws,)."""
    people = drawn.shape[1]
    counts = outcomes.sums(np.ones_like(outcomes.rank), people)
    return 100.0 * mean_over_cells(drawn, outcomes.sums(outcomes.figure(name), people), counts)


def headline(outcomes: Outcomes, name: str, people: int, *, rounding: str = "none") -> float:
    """A headline figure from all people: the mean of the non-empty cells, per cent.

    `rounding` ``opengait`` rounds each cell to two decimals before the mean, as that toolkit does.
    """
    counts = outcomes.sums(np.ones_like(outcomes.rank), people).sum(axis=0)
    hits = outcomes.sums(outcomes.figure(name), people).sum(axis=0)
    mean = mean_of_cells(cell_rates(hits, counts, rounding=rounding))
    return float("nan") if mean is None else mean


def closed_set(
    outcomes: Outcomes,
    drawn: NDArray[np.float64],
    *,
    enrolled: int,
    rounding: str = "none",
    more: Sequence[str] = (),
) -> ClosedSet:
    """All closed-set figures of one probe set.

    Parameters
    ----------
    outcomes : Outcomes
        Of the set's searches.
    drawn : ndarray of float64, shape (draws, people)
        Draws of the tested people.
    enrolled : int
        The most people at one gallery view: length of the CMC.
    rounding : {"none", "opengait"}
        Of the cells behind the estimates; intervals and the CMC are never rounded.
    more : sequence of str
        Figures beside `FIGURES`: ``rank20``, ``mean_inp``.

    Returns
    -------
    ClosedSet
    """
    people = drawn.shape[1]
    present = len(np.unique(outcomes.person))
    used = outcomes.used
    pooled = {}
    for name in FIGURES:
        values = outcomes.figure(name)[used]
        pooled[name] = 100.0 * float(values.mean()) if values.size else float("nan")
    return ClosedSet(
        headline={
            name: interval(
                headline(outcomes, name, people, rounding=rounding),
                headline_draws(outcomes, name, drawn),
                present,
            )
            for name in (*FIGURES, *more)
        },
        pooled=pooled,
        cmc=_cell_cmc(outcomes, enrolled),
        pooled_cmc=100.0 * cumulative_matches(outcomes.rank[used], enrolled),
    )


def _cell_cmc(outcomes: Outcomes, length: int) -> NDArray[np.float64]:
    curves = []
    for row, column in np.argwhere(outcomes.cells):
        inside = outcomes.searched[:, row] & (outcomes.view == column)
        if inside.any():
            curves.append(cumulative_matches(outcomes.rank[inside, row], length))
    mean: NDArray[np.float64] = np.mean(curves, axis=0) if curves else np.full(length, np.nan)
    return 100.0 * mean
