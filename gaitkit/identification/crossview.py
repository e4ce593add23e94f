"""The cross-view tables: one gallery view at a time, one probe view at a time.

The probes of one view are searched in the gallery of one view, for every pair of views. Rules:

- a probe whose subject is not in that gallery counts as an error, as in the usual evaluators;
- a cell without probes or without a gallery is empty: NaN, never zero, and no part of any mean;
- a rate is the share of correct probes of its cell; means are over cells, unrounded, so that a
  view with fewer probes weighs as much as the others.

Where views are not known there is one gallery of all rows, and one cell: a row or column whose view
is NaN holds the sequences of all views, known or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.matching import Observer, search
from gaitkit.identification.metrics import DEFAULT_METRIC, Metric, get_metric
from gaitkit.labels import Labels, format_view
from gaitkit.printable import counted

__all__ = [
    "RANKED",
    "ROUNDINGS",
    "CrossViewTable",
    "ViewMatches",
    "at_view",
    "cell_rates",
    "counts_identical",
    "cross_view_rates",
    "cross_view_table",
    "different_views",
    "headline_cells",
    "in_views",
    "match_views",
    "mean_of_cells",
    "mean_rank1",
    "view_columns",
    "view_name",
    "vote",
]

RANKED = ("people", "rows")
"""What a rank counts: people (ISO/IEC 19795-1), or gallery rows (torchreid, OpenGait)."""

ROUNDINGS = ("none", "opengait")
"""How the cells of a table are rounded before averaging."""


@dataclass(frozen=True, eq=False, repr=False)
class ViewMatches:
    """Every probe's fixed outcome against the gallery of each view.

    Attributes
    ----------
    gallery_views : ndarray of float64, shape (g,)
        Degrees, ascending; NaN alone where there is one gallery of all views.
    probe_rows : ndarray of int64, shape (p,)
        Rows of the artefact that were searched, ascending.
    probe_views : ndarray of float64, shape (p,)
        Their views, degrees.
    nearest_row : ndarray of int64, shape (p, g)
        Row of the artefact that is nearest; -1 where the gallery of that view is empty.
    distance, mate_distance : ndarray of float64, shape (p, g)
        To the nearest row, and to the nearest of the probe's own subject (NaN where absent).
    rank : ndarray of int64, shape (p, g)
        Place of the probe's subject among the subjects, 1 for first; 0 where it is absent. With a
        vote of k neighbours, subjects come by their votes, then by distance.
    average_precision : ndarray of float64, shape (p, g)
        Of the probe's ranking of the gallery rows; 0 where its subject is absent, NaN where the
        gallery of that view is empty. `None` where it was not asked for.
    neighbours : ndarray of int64, shape (p, g, t)
        Rows of the artefact, the nearest first; -1 past the end of a small gallery. `None` where
        they were not asked for.
    neighbour_distances : ndarray of float64, shape (p, g, t)
        Their distances; NaN past the end.
    inverse_negative_penalty : ndarray of float64, shape (p, g)
        As `average_precision`.
    """

    gallery_views: NDArray[np.float64]
    probe_rows: NDArray[np.int64]
    probe_views: NDArray[np.float64]
    nearest_row: NDArray[np.int64]
    distance: NDArray[np.float64]
    mate_distance: NDArray[np.float64]
    rank: NDArray[np.int64]
    average_precision: NDArray[np.float64] | None = None
    neighbours: NDArray[np.int64] | None = None
    neighbour_distances: NDArray[np.float64] | None = None
    inverse_negative_penalty: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        probes, views = self.rank.shape
        return (
            f"<ViewMatches of {counted(probes, 'probe')} with the galleries of "
            f"{counted(views, 'view')}>"
        )

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the nearest row is of the probe's own subject, shape (p, g)."""
        return np.equal(self.rank, 1)


@dataclass(frozen=True, eq=False, repr=False)
class CrossViewTable:
    """Rank-k identification rates of one probe set.

    Attributes
    ----------
    gallery_views : ndarray of float64, shape (g,)
        Degrees; rows of the matrices. NaN is the row of all views together.
    probe_views : ndarray of float64, shape (v,)
        Degrees; columns, likewise.
    rate : ndarray of float64, shape (g, v)
        Per cent; NaN in empty cells.
    probes : ndarray of int64, shape (g, v)
        Probes behind each cell; 0 in empty cells.
    """

    gallery_views: NDArray[np.float64]
    probe_views: NDArray[np.float64]
    rate: NDArray[np.float64]
    probes: NDArray[np.int64]

    def __repr__(self) -> str:
        views = " and ".join(
            f"{len(angles)} {role} views"
            for angles, role in ((self.gallery_views, "gallery"), (self.probe_views, "probe"))
        )
        mean = self.mean_excluding_identical
        told = "none" if mean is None else f"{mean:.1f}"
        return f"<CrossViewTable of {views}: mean over different views {told} per cent>"

    @property
    def identical(self) -> NDArray[np.bool_]:
        """Cells whose gallery and probe view are equal, shape (g, v)."""
        return ~different_views(self.gallery_views[:, None], self.probe_views)

    @property
    def empty_cells(self) -> list[tuple[float, float]]:
        """(gallery view, probe view) of the empty cells."""
        return [
            (float(self.gallery_views[row]), float(self.probe_views[column]))
            for row, column in np.argwhere(self.probes == 0)
        ]

    @property
    def mean_excluding_identical(self) -> float | None:
        """Mean over the non-empty cells of different views; `None` when there are none."""
        return mean_of_cells(self.rate[~self.identical])

    @property
    def mean_identical(self) -> float | None:
        """Mean over the non-empty cells of equal views."""
        return mean_of_cells(self.rate[self.identical])

    @property
    def mean_all(self) -> float | None:
        """Mean over all non-empty cells."""
        return mean_of_cells(self.rate)

    @property
    def pooled(self) -> bool:
        """Whether a row or column is of all views together, so that no two views are compared."""
        return bool(np.isnan(self.gallery_views).any() or np.isnan(self.probe_views).any())

    def headline(self, *, identical_view: bool) -> float | None:
        """The mean that a protocol asks for: over all cells, or those of different views.

        Over all there are, where there is one view only.
        """
        counted = headline_cells(
            self.gallery_views, self.probe_views, identical_view=identical_view
        )
        return mean_of_cells(self.rate[counted])

    def per_probe_view(self, *, identical_view: bool = False) -> dict[float, float | None]:
        """Mean over the gallery views of each probe view, without the equal one by default."""
        used = np.full(self.rate.shape, True) if identical_view else ~self.identical
        return {
            float(view): mean_of_cells(self.rate[used[:, column], column])
            for column, view in enumerate(self.probe_views)
        }

    def per_gallery_view(self, *, identical_view: bool = False) -> dict[float, float | None]:
        """Mean over the probe views of each gallery view, without the equal one by default."""
        used = np.full(self.rate.shape, True) if identical_view else ~self.identical
        return {
            float(view): mean_of_cells(self.rate[row, used[row]])
            for row, view in enumerate(self.gallery_views)
        }


def match_views(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    probe: NDArray[np.bool_],
    *,
    metric: Metric,
    gallery_views: NDArray[np.float64] | None = None,
    top: int = 1,
    k: int = 1,
    rank_by: str = "people",
    walks: NDArray[np.int64] | None = None,
    observe: Observer | None = None,
    threads: int | None = None,
) -> ViewMatches:
    """Search every probe in the gallery of each view.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features; finite in the rows that are used.
    labels : Labels
        Key columns, n rows; the views of the used rows are known.
    gallery, probe : ndarray of bool, shape (n,)
        Enrolled and searched rows.
    metric : Metric
        How distance is measured.
    gallery_views : ndarray of float64, shape (g,), optional
        Views to enrol, one gallery each; by default those of the gallery's rows.
    top : int
        How many neighbours are kept.
    k : int
        How many of them vote, see `vote`.
    rank_by : {"people", "rows"}
        What `rank` counts: people by their nearest row, or gallery rows.
    walks : ndarray of int64, shape (n,), optional
        A number for each walk: rows of the same one are not compared with each other.
    observe : callable, optional
        Told of all distances, by place among the gallery's and the probes' rows.
    threads : int, optional
        Does not change the result.

    Returns
    -------
    ViewMatches
        Without average precision, which a search for the nearest does not know.
    """
    gallery_rows, probe_rows = np.flatnonzero(gallery), np.flatnonzero(probe)
    if gallery_views is None:
        gallery_views = np.unique(labels.view[gallery_rows])
    people = np.unique(labels.subject.astype(str), return_inverse=True)[1].astype(np.int64)
    groups = [np.flatnonzero(at_view(labels.view[gallery_rows], view)) for view in gallery_views]
    found = search(
        vectors[gallery_rows],
        people[gallery_rows],
        vectors[probe_rows],
        people[probe_rows],
        metric=metric,
        groups=groups,
        top=max(top, k),
        rank_by=rank_by,
        apart=None if walks is None else (walks[gallery_rows], walks[probe_rows]),
        observe=observe,
        threads=threads,
    )
    neighbours = np.where(found.neighbours < 0, -1, gallery_rows[found.neighbours])
    rank = found.rank
    if k > 1:
        voters = np.where(neighbours < 0, -1, people[neighbours])[:, :, :k]
        rank = vote(voters, people[probe_rows], rank)
    return ViewMatches(
        gallery_views=gallery_views,
        probe_rows=probe_rows,
        probe_views=labels.view[probe_rows],
        nearest_row=neighbours[:, :, 0],
        distance=found.distance,
        mate_distance=found.mate_distance,
        rank=rank,
        neighbours=neighbours[:, :, :top],
        neighbour_distances=found.neighbour_distances[:, :, :top],
    )


def vote(
    voters: NDArray[np.int64], own: NDArray[np.int64], rank: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ranks after a vote of the k nearest neighbours.

    People come by the votes they have, those with equally many by their nearest row. Who has no
    vote stays where they were: everybody with a vote was nearer.

    Parameters
    ----------
    voters : ndarray of int64, shape (p, g, k)
        Whose row each neighbour is, the nearest first; -1 where there is none.
    own : ndarray of int64, shape (p,)
        Whose probe it is.
    rank : ndarray of int64, shape (p, g)
        By distance alone; 0 where the probe's person is not enrolled.

    Returns
    -------
    ndarray of int64, shape (p, g)
    """
    mine = voters == own[:, None, None]
    votes, place = mine.sum(axis=2), mine.argmax(axis=2)
    better = np.zeros(rank.shape, dtype=np.int64)
    for position in range(voters.shape[2]):
        candidate = voters[:, :, position, None]
        theirs = (voters == candidate).sum(axis=2)
        is_first = ~(voters[:, :, :position] == candidate).any(axis=2)
        ahead = (theirs > votes) | ((theirs == votes) & (position < place))
        better += is_first & ahead & ~mine[:, :, position] & (candidate[:, :, 0] >= 0)
    return np.where(votes > 0, better + 1, rank)


def cross_view_table(
    matches: ViewMatches,
    probe: NDArray[np.bool_],
    probe_views: NDArray[np.float64],
    *,
    rank: int = 1,
    failed_views: NDArray[np.float64] | None = None,
    rounding: str = "none",
) -> CrossViewTable:
    """Rank-k identification rates of one probe set, gallery view by probe view.

    Parameters
    ----------
    matches : ViewMatches
        The outcomes.
    probe : ndarray of bool, shape (n,)
        Rows of the artefact that belong to the probe set.
    probe_views : ndarray of float64, shape (v,)
        Columns of the table.
    rank : int
        A probe counts when its subject is among this many first ones.
    failed_views : ndarray of float64, optional
        Views of probes that were never acquired and count as errors.
    rounding : {"none", "opengait"}
        ``opengait`` rounds each cell to two decimals, before any mean is taken, so that the
        figures which that toolkit prints can be matched.

    Returns
    -------
    CrossViewTable
    """
    member = probe[matches.probe_rows]
    right = (matches.rank >= 1) & (matches.rank <= rank)
    searched = matches.nearest_row >= 0
    shape = (len(matches.gallery_views), len(probe_views))
    counts, hits = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for column, view in enumerate(probe_views):
        rows = member & at_view(matches.probe_views, view)
        counts[:, column] = searched[rows].sum(axis=0)
        hits[:, column] = (right & searched)[rows].sum(axis=0)
        if failed_views is not None:
            failures = np.count_nonzero(at_view(failed_views, view))
            counts[:, column] += failures * searched.any(axis=0)
    rate = cell_rates(hits, counts, rounding=rounding)
    return CrossViewTable(matches.gallery_views, probe_views, rate, counts)


def headline_cells(
    gallery_views: NDArray[np.float64], probe_views: NDArray[np.float64], *, identical_view: bool
) -> NDArray[np.bool_]:
    """Cells that count in a protocol's headline, shape (g, v): all, or those of different views.

    Where there are none of different views (there is one view), the headline is over what there is.
    A view that is not known (NaN) is not known to be equal to another.

    Examples
    --------
    >>> headline_cells(np.array([0.0, 90.0]), np.array([90.0]), identical_view=False).tolist()
    [[True], [False]]
    >>> headline_cells(np.array([-30.0, 90.0]), np.array([330.0]), identical_view=False).tolist()
    [[False], [True]]
    >>> headline_cells(np.array([90.0]), np.array([90.0]), identical_view=False).tolist()
    [[True]]
    """
    different = different_views(gallery_views[:, None], probe_views)
    if counts_identical(gallery_views, probe_views, identical_view=identical_view):
        return np.ones_like(different)
    return different


def counts_identical(
    gallery_views: NDArray[np.float64], probe_views: NDArray[np.float64], *, identical_view: bool
) -> bool:
    """Whether cells of equal views count: where the protocol says so, or there are no others."""
    return identical_view or not bool(different_views(gallery_views[:, None], probe_views).any())


def different_views(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether views differ, one by one and broadcast: -30 and 330 degrees are one direction.

    Examples
    --------
    >>> different_views(np.array([-30.0, 90.0, np.nan]), np.array([330.0])).tolist()
    [False, True, True]
    """
    different: NDArray[np.bool_] = (one - other) % 360.0 != 0
    return different


def at_view(views: NDArray[np.float64], view: float) -> NDArray[np.bool_]:
    """Which sequences belong to a row or column of a table, by their views.

    Parameters
    ----------
    views : ndarray of float64, shape (n,)
        Degrees; NaN where unknown.
    view : float
        That of the row or column; NaN for all views together.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> at_view(np.array([0.0, 90.0, np.nan]), 90.0).tolist()
    [False, True, False]
    >>> at_view(np.array([0.0, 90.0, np.nan]), np.nan).tolist()
    [True, True, True]
    """
    if np.isnan(view):
        return np.ones(len(views), dtype=bool)
    same: NDArray[np.bool_] = np.equal(views, view)
    return same


def in_views(views: NDArray[np.float64], table_views: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which sequences belong to any row or column of a table, shape (n,)."""
    if np.isnan(table_views).any():
        return np.ones(len(views), dtype=bool)
    return np.isin(views, table_views)


def view_columns(table_views: NDArray[np.float64], views: NDArray[np.float64]) -> NDArray[np.int64]:
    """The column (or row) of a table to which each sequence belongs, shape (n,).

    Parameters
    ----------
    table_views : ndarray of float64, shape (v,)
        Degrees, ascending; or NaN alone.
    views : ndarray of float64, shape (n,)
        Of sequences that belong to one.
    """
    if np.isnan(table_views).any():
        return np.zeros(len(views), dtype=np.int64)
    return np.searchsorted(table_views, views).astype(np.int64)


def view_name(view: float) -> str:
    """What to call a row or column of a table: its view, or ``all``.

    Examples
    --------
    >>> view_name(54.0), view_name(float("nan"))
    ('054', 'all')
    """
    return "all" if np.isnan(view) else format_view(view)


def cell_rates(
    hits: NDArray[Any], counts: NDArray[Any], *, rounding: str = "none"
) -> NDArray[np.float64]:
    """The rate of each cell: the one place where hits become per cent.

    Parameters
    ----------
    hits, counts : ndarray, any shape
        Searches of each cell that were right, and all of them.
    rounding : {"none", "opengait"}
        ``opengait`` rounds each rate to two decimals.

    Returns
    -------
    ndarray of float64
        Per cent; NaN where there are no searches.

    Examples
    --------
    >>> cell_rates(np.array([1, 0]), np.array([3, 0]), rounding="opengait").tolist()
    [33.33, nan]
    """
    rates = np.full(np.shape(counts), np.nan)
    np.divide(100.0 * hits, counts, out=rates, where=counts > 0)
    return np.round(rates, 2) if rounding == "opengait" else rates


def mean_of_cells(rates: NDArray[np.float64]) -> float | None:
    """The mean of the cells that are not empty, each with the same weight; `None` without any."""
    filled = rates[~np.isnan(rates)]
    return float(filled.mean()) if filled.size else None


def cross_view_rates(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    probes: Mapping[str, NDArray[np.bool_]],
    *,
    metric: Metric | None = None,
    threads: int | None = None,
) -> dict[str, float]:
    """Match, and take the mean rank-1 over different views of each probe set.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features.
    labels : Labels
        Their key columns; the views of the used rows are known.
    gallery : ndarray of bool, shape (n,)
        Enrolled rows.
    probes : mapping of str to ndarray of bool, shape (n,)
        Searched rows of each set.
    metric : Metric, optional
        How distance is measured; by default `DEFAULT_METRIC`.
    threads : int, optional
        Of the search; does not change the result.

    Returns
    -------
    dict of str to float
        Per cent: the mean over the non-empty pairs of different views. NaN for a set that has no
        such pair.
    """
    if not probes:
        return {}
    searched = np.logical_or.reduce(list(probes.values()))
    matches = match_views(
        vectors,
        labels,
        gallery,
        searched,
        metric=get_metric(DEFAULT_METRIC) if metric is None else metric,
        threads=threads,
    )
    views = np.unique(labels.view[searched])
    tables = {name: cross_view_table(matches, rows, views) for name, rows in probes.items()}
    means = {name: table.mean_excluding_identical for name, table in tables.items()}
    return {name: np.nan if mean is None else mean for name, mean in means.items()}


def mean_rank1(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    probe: NDArray[np.bool_],
    *,
    metric: Metric | None = None,
    threads: int | None = None,
) -> float:
    """`cross_view_rates` of one probe set: its rate, per cent; NaN where there is none."""
    rates = cross_view_rates(
        vectors, labels, gallery, {"probe": probe}, metric=metric, threads=threads
    )
    return rates["probe"]
