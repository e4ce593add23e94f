"""How sure the rates are: 95 % bootstrap intervals over people.

Sequences of one person are not independent, so people are redrawn and not sequences (the subset
bootstrap of Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems", CVIU
2004): a person who is drawn twice brings all their fixed outcomes twice, across views and
conditions together. In identification the gallery stays whole, because redrawing it would remove
impostors and flatter the result. An interval answers: had other people been tested, how different
could the figure be? It does not contain the variance of training; for that, train with several
seeds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "NOTHING", "Interval", "draw_people", "interval", "mean_over_cells"]

DRAWS = 1000
"""Bootstrap draws of every interval."""

_PERCENTILES = (2.5, 97.5)


class Interval(NamedTuple):
    """A figure and its 95 % interval over people.

    Attributes
    ----------
    estimate : float
        The figure itself, from all people; NaN where it cannot be computed.
    low, high : float
        The 2.5th and 97.5th percentile over draws of people; NaN where there are too few to say.
        Where nobody differs (everybody is always found) the two are equal, which is no certainty.
    """

    estimate: float
    low: float
    high: float


NOTHING = Interval(float("nan"), float("nan"), float("nan"))
"""A figure that cannot be computed."""


def draw_people(people: int, *, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """How often each person is drawn, `people` times with replacement.

    Parameters
    ----------
    people : int
        At least one.
    draws : int
        How many draws.
    seed : int
        Equal seeds give equal draws, which is what makes two results comparable in pairs.

    Returns
    -------
    ndarray of float64, shape (draws, people)
        Whole numbers; each row adds up to `people`.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(people, np.full(people, 1.0 / people), size=draws).astype(np.float64)


def mean_over_cells(
    drawn: NDArray[np.float64], hits: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean of the cells' rates in each draw.

    Parameters
    ----------
    drawn : ndarray of float64, shape (draws, people)
        From `draw_people`.
    hits, counts : ndarray of float64, shape (people, cells)
        Each person's hits and searches in each cell.

    Returns
    -------
    ndarray of float64, shape (draws,)
        Shares. A cell without searches in a draw is no part of its mean; NaN where none has any.
    """
    searched = drawn @ counts
    rates = np.divide(drawn @ hits, searched, out=np.zeros_like(searched), where=searched > 0)
    cells = (searched > 0).sum(axis=1)
    mean = np.full(len(drawn), np.nan)
    np.divide(rates.sum(axis=1), cells, out=mean, where=cells > 0)
    return mean


def interval(estimate: float, values: NDArray[np.float64], people: int) -> Interval:
    """An estimate with the percentiles of its bootstrap draws.

    Parameters
    ----------
    estimate : float
        From all people.
    values : ndarray of float64, shape (draws,)
        The same figure in each draw; draws in which it does not exist are NaN and left out.
    people : int
        How many are drawn from; with fewer than two there is no interval.

    Returns
    -------
    Interval
    """
    values = values[~np.isnan(values)]
    if np.isnan(estimate) or people < 2 or not values.size:
        return Interval(float(estimate), float("nan"), float("nan"))
    low, high = np.percentile(values, _PERCENTILES)
    return Interval(float(estimate), float(low), float(high))
