"""Comparison scores: the distance of every probe to every enrolled person, view by view.

Identification decides by the exact search of `gaitkit.identification.matching`; error rates need
all distances and not only the nearest. These are the estimates behind that search, in single
precision, far closer to the true ones than any rate can show. Average precision is of the list of
rows as that search would make it: where estimates leave open which of two rows comes first, both
distances are computed directly, and of equal ones the first row comes first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import at_view
from gaitkit.identification.distances import Estimate
from gaitkit.identification.figures.rates import average_precision, inverse_negative_penalty
from gaitkit.identification.metrics import Metric
from gaitkit.labels import Labels

__all__ = ["MOST", "ScoreKeeper", "Scores"]

_log = logging.getLogger(__name__)

_PAIRS_AT_ONCE = 256

MOST = 1 << 29
"""Comparisons that are kept: two gibibytes. CASIA-B's 62 people make 2.8 million."""


@dataclass(frozen=True, eq=False)
class Scores:
    """All comparisons of p probes with s people in the galleries of g views.

    Attributes
    ----------
    people : ndarray of int64, shape (s,)
        Numbers of the enrolled people, ascending.
    probe_people : ndarray of int64, shape (p,)
        The same numbering.
    distance : ndarray of float32, shape (p, g, s)
        To the person's nearest row at that view: a person's biometric reference is all their rows
        there. Infinite where they have none.
    average_precision : ndarray of float64, shape (p, g)
        Of the list of gallery rows; 0 where the probe's person has none, NaN where nobody has.
    enrolled : int
        The most people at one view.
    inverse_negative_penalty : ndarray of float64, shape (p, g)
        Likewise.
    """

    people: NDArray[np.int64]
    probe_people: NDArray[np.int64]
    distance: NDArray[np.float32]
    average_precision: NDArray[np.float64]
    enrolled: int
    inverse_negative_penalty: NDArray[np.float64]

    @property
    def mates(self) -> NDArray[np.bool_]:
        """Whether person and probe are the same, shape (p, s)."""
        same: NDArray[np.bool_] = self.probe_people[:, None] == self.people
        return same


class ScoreKeeper:
    """Collects the scores from the distances of a search: the `observe` of `match_views`.

    Parameters
    ----------
    labels : Labels
        Key columns, n rows.
    gallery, probe : ndarray of bool, shape (n,)
        Enrolled and searched rows.
    metric : Metric
        How distance is measured.
    gallery_views : ndarray of float64, shape (g,)
        Views that are enrolled, one gallery each.
    walks : ndarray of int64, shape (n,), optional
        A number for each walk: rows of the same one are not compared with each other.
    vectors : ndarray, shape (n, d), optional
        What is compared. Without it, average precision is of the estimates as they are.
    most : int
        Comparisons that are kept; with more, only average precision is.
    """

    def __init__(
        self,
        labels: Labels,
        gallery: NDArray[np.bool_],
        probe: NDArray[np.bool_],
        *,
        metric: Metric,
        gallery_views: NDArray[np.float64],
        walks: NDArray[np.int64] | None = None,
        vectors: NDArray[Any] | None = None,
        most: int = MOST,
    ) -> None:
        people = np.unique(labels.subject.astype(str), return_inverse=True)[1].astype(np.int64)
        enrolled, probe_people = people[gallery], people[probe]
        views = labels.view[gallery]
        numbers = np.unique(enrolled)
        shape = (len(probe_people), len(gallery_views))
        if shape[0] * shape[1] * len(numbers) > most:
            _log.warning(
                "%s probes × %s views × %s people are too many comparisons to keep: no "
                "verification and no open-set rates",
                *(f"{count:,}" for count in (*shape, len(numbers))),
            )
            numbers = numbers[:0]
        self.scores = Scores(
            numbers,
            probe_people,
            np.full((*shape, len(numbers)), np.inf, dtype=np.float32),
            np.full(shape, np.nan),
            max(
                (len(np.unique(enrolled[at_view(views, view)])) for view in gallery_views),
                default=0,
            ),
            np.full(shape, np.nan),
        )
        self._metric, self._whose = metric, enrolled
        self._walks = None if walks is None else (walks[gallery], walks[probe])
        self._sizes = [int(at_view(views, view).sum()) for view in gallery_views]
        self._vectors = vectors
        self._rows_of = (np.flatnonzero(gallery), np.flatnonzero(probe))
        self._held: list[tuple[NDArray[np.int64], slice, NDArray[np.float64]]] = []
        self._bounds: NDArray[np.float64] = np.zeros(len(probe_people))

    def __call__(self, view: int, rows: NDArray[np.int64], part: slice, estimate: Estimate) -> None:
        """One block: these gallery rows, sorted by person, and these probes."""
        values = estimate.values + estimate.offset[:, None]
        distance = self._metric.finish(np.maximum(values, 0.0)).astype(np.float32)
        whose = self._whose[rows]
        if self._walks is not None:
            # As far as can be, and no mate (see `_rank`): the list of rows ends before it.
            same = self._walks[1][part, None] == self._walks[0][rows]
            values[same] = distance[same] = np.inf
        if len(self.scores.people):
            starts = np.flatnonzero(np.diff(whose, prepend=whose[0] - 1))
            columns = np.searchsorted(self.scores.people, whose[starts])
            nearest = np.minimum.reduceat(distance, starts, axis=1)
            # Views by an integer and columns by an array would trade places.
            at_view = self.scores.distance[part, view]
            at_view[:, columns] = np.minimum(at_view[:, columns], nearest)
        if len(rows) == self._sizes[view]:
            self._rank(view, part, values, rows, estimate.bound)
            return
        # Precision needs all rows of the gallery, and this one comes in several blocks.
        self._held.append((rows, part, values))
        self._bounds[part] = np.maximum(self._bounds[part], estimate.bound)
        if part.stop == len(self.scores.probe_people):
            self._rank_held(view)

    def _rank(
        self,
        view: int,
        part: slice,
        distance: NDArray[np.float64],
        rows: NDArray[np.int64],
        bound: NDArray[np.float64],
    ) -> None:
        """Average precision of some probes, from distances in the metric's comparing scale."""
        order = np.argsort(rows)
        distance, rows = distance[:, order], rows[order]
        mates = self.scores.probe_people[part, None] == self._whose[rows]
        if self._walks is not None:
            mates &= self._walks[1][part, None] != self._walks[0][rows]
        if self._vectors is not None and bound.any():
            probe, column = _left_open(distance, mates, bound)
            for start in range(0, len(probe), _PAIRS_AT_ONCE):
                some = slice(start, start + _PAIRS_AT_ONCE)
                enrolled = self._vectors[self._rows_of[0][rows[column[some]]]]
                searched = self._vectors[self._rows_of[1][part][probe[some]]]
                distance[probe[some], column[some]] = self._metric.direct(enrolled, searched)
        self.scores.average_precision[part, view] = average_precision(distance, mates)
        penalty = inverse_negative_penalty(distance, mates)
        self.scores.inverse_negative_penalty[part, view] = penalty

    def _rank_held(self, view: int) -> None:
        parts = {(part.start, part.stop) for _, part, _ in self._held}
        pieces = {
            edges: [item for item in self._held if (item[1].start, item[1].stop) == edges]
            for edges in parts
        }
        if any(sum(len(item[0]) for item in p) < self._sizes[view] for p in pieces.values()):
            return
        for edges, blocks in pieces.items():
            rows = np.concatenate([item[0] for item in blocks])
            distance = np.concatenate([item[2] for item in blocks], axis=1)
            part = slice(*edges)
            self._rank(view, part, distance, rows, self._bounds[part])
        self._held.clear()
        self._bounds[:] = 0.0


def _left_open(
    distance: NDArray[np.float64], mates: NDArray[np.bool_], bound: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs whose estimates do not tell whether a mate or another's row is nearer.

    Mates among themselves may trade places: precision stays.
    """
    every = np.arange(len(distance))
    order = np.argsort(np.where(mates, distance, np.inf), axis=1, kind="stable")
    rows, still_open = mates.sum(axis=1), np.zeros(distance.shape, dtype=bool)
    others = np.where(mates, np.inf, distance)
    for place in range(int(rows.max(initial=0))):
        column = order[:, place]
        with np.errstate(invalid="ignore"):
            gap = np.abs(others - distance[every, column][:, None])
        close = (gap <= 2.0 * bound[:, None]) & (place < rows)[:, None]
        still_open |= close
        still_open[every, column] |= close.any(axis=1)
    found, columns = np.nonzero(still_open)
    return found, columns
