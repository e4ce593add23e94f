"""Scoring a model on people who are held out of its learning: who they are, and how they do.

They are training people, never tested ones. What a model makes of them is identified across views,
as an evaluation would do with the tested people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import cross_view_rates as mean_rates
from gaitkit.identification.metrics import Metric
from gaitkit.labels import Labels

__all__ = [
    "Score",
    "chosen_people",
    "cross_view_rates",
    "enrolled_rows",
    "searchable_people",
]

_CASIA_B_GALLERY = (1, 2, 3, 4)


@dataclass(frozen=True)
class Score:
    """How well held-out people are recognised across views by what a model makes of them.

    Attributes
    ----------
    rates : dict of str to float
        Rank-1 identification rate of each condition, per cent: the mean over the non-empty pairs
        of different views. NaN for a condition that has no such pair.
    """

    rates: dict[str, float]

    @property
    def mean(self) -> float:
        """The score: the mean over the conditions that have a rate, per cent."""
        return float(np.nanmean(list(self.rates.values())))


def enrolled_rows(labels: Labels, condition: str) -> NDArray[np.bool_]:
    """Which rows are the gallery: the first takes of the normal walk.

    Takes 1 to 4 where the data have these and later ones, as in the protocols of CASIA-B;
    otherwise the first half of each person's takes, rounded up.

    Parameters
    ----------
    labels : Labels
        Key columns, n rows.
    condition : str
        The normal walk.

    Returns
    -------
    ndarray of bool, shape (n,)
        Rows of an unknown view are never enrolled.
    """
    rows = np.asarray(labels.condition == condition, dtype=bool) & ~np.isnan(labels.view)
    takes = set(labels.take[rows].tolist())
    if takes > set(_CASIA_B_GALLERY):
        first: NDArray[np.bool_] = rows & np.isin(labels.take, _CASIA_B_GALLERY)
        return first
    enrolled = np.zeros(len(labels), dtype=bool)
    for subject in labels.subjects():
        own = rows & np.asarray(labels.subject == subject, dtype=bool)
        walks = np.unique(labels.take[own])
        enrolled |= own & np.isin(labels.take, walks[: (len(walks) + 1) // 2])
    return enrolled


def searchable_people(labels: Labels, condition: str) -> tuple[str, ...]:
    """Who can be both enrolled and searched in another view; sorted.

    Parameters
    ----------
    labels : Labels
        Key columns, n rows.
    condition : str
        The normal walk, see `enrolled_rows`.
    """
    enrolled = enrolled_rows(labels, condition)
    views = _views_by_subject(labels, enrolled)
    searched = _views_by_subject(labels, ~enrolled & ~np.isnan(labels.view))
    return tuple(
        name
        for name in labels.subjects()
        if any(g != p for g in views.get(name, ()) for p in searched.get(name, ()))
    )


def chosen_people(usable: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """So many of some people, drawn by a seed; sorted."""
    chosen = np.random.default_rng(seed).permutation(len(usable))[:count]
    return tuple(sorted(usable[index] for index in chosen))


def _views_by_subject(labels: Labels, rows: NDArray[np.bool_]) -> dict[str, set[float]]:
    views: dict[str, set[float]] = {}
    for subject, view in zip(labels.subject[rows], labels.view[rows], strict=True):
        views.setdefault(str(subject), set()).add(float(view))
    return views


def cross_view_rates(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    *,
    metric: Metric | None = None,
    threads: int | None = None,
) -> dict[str, float]:
    """Rank-1 identification rates over different views, of each searched condition.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features.
    labels : Labels
        Their key columns; all views are known.
    gallery : ndarray of bool, shape (n,)
        Enrolled rows; all others are searched.
    metric : Metric, optional
        How distance is measured; Euclidean when left out.
    threads : int, optional
        Of the search; does not change the result.

    Returns
    -------
    dict of str to float
        As `Score.rates`.
    """
    conditions = labels.select(~gallery).conditions()
    probes = {
        name: ~gallery & np.asarray(labels.condition == name, dtype=bool) for name in conditions
    }
    return mean_rates(vectors, labels, gallery, probes, metric=metric, threads=threads)
