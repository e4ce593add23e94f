"""What a search keeps of each block of estimated distances: the nearest rows, the people ahead.

Whatever an estimate with its bound decides is taken from it; whatever it leaves open is computed
directly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.products import Estimate

__all__ = ["Best", "Direct", "PeopleAhead"]

Direct = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]
"""Direct distances of pairs, given as rows and columns of a block of estimates."""


class Best:
    """The k nearest gallery rows so far of each probe, by distance and then by row.

    Parameters
    ----------
    probes : int
        How many are searched.
    k : int
        How many rows are kept of each.

    Attributes
    ----------
    distance : ndarray of float64, shape (probes, k)
        In the comparing scale; infinite where there are fewer rows.
    row : ndarray of int64, shape (probes, k)
        -1 where there are fewer.
    """

    def __init__(self, probes: int, k: int) -> None:
        self.distance = np.full((probes, k), np.inf)
        self.row = np.full((probes, k), -1, dtype=np.int64)

    def update(
        self,
        part: slice,
        estimate: Estimate,
        rows: NDArray[np.int64],
        direct: Direct,
        eligible: NDArray[np.bool_] | None = None,
    ) -> None:
        """Look at one block.

        Parameters
        ----------
        part : slice
            Its probes.
        estimate : Estimate
            Of the block.
        rows : ndarray of int64, shape (r,)
            Gallery rows of its columns.
        direct : Direct
            Distances of single pairs.
        eligible : ndarray of bool, shape (p, r), optional
            Which pairs count.
        """
        values, offset, bound = estimate
        if eligible is not None:
            values = np.where(eligible, values, np.inf)
        # k rows are no further than the k-th estimate and its error: whatever is nearer than that
        # is estimated at no more than two errors above it. And it must be nearer than those found.
        k = min(self.row.shape[1], values.shape[1])
        kth = values.min(axis=1) if k == 1 else np.partition(values, k - 1, axis=1)[:, k - 1]
        worst = self.distance[part, -1] - offset + bound
        # Soon few probes find anything nearer in a block; only those are looked at.
        some = np.flatnonzero((values.min(axis=1) if k > 1 else kth) <= worst)
        limit = np.minimum(kth + 2.0 * bound, worst)[some]
        close = values[some] <= limit[:, None]
        if eligible is not None:
            close &= eligible[some]
        probe, column = np.nonzero(close)
        probe = some[probe]
        if not len(probe):
            return
        if bound.any():
            distance = direct(probe, column)
        else:
            distance = values[probe, column] + offset[probe]
        self.merge(probe + part.start, distance, rows[column])

    def merge(
        self, probe: NDArray[np.intp], distance: NDArray[np.float64], row: NDArray[np.int64]
    ) -> None:
        """Take in pairs of probes and gallery rows, at least one, with their distances."""
        k = self.row.shape[1]
        touched = np.unique(probe)
        probe = np.concatenate([np.repeat(touched, k), probe])
        distance = np.concatenate([self.distance[touched].ravel(), distance])
        row = np.concatenate([self.row[touched].ravel(), row])
        order = np.lexsort((row, distance, probe))
        first = np.searchsorted(probe[order], touched)
        kept = order[first[:, None] + np.arange(k)]
        self.distance[touched], self.row[touched] = distance[kept], row[kept]


class PeopleAhead:
    """Who has a row before the nearest one of the probe's own subject.

    Parameters
    ----------
    mates : Best
        The nearest row (k = 1) of each probe's own subject.
    batch : slice
        The probes that are looked at.
    people : int
        Number of people in the gallery, who are numbered from 0.
    """

    def __init__(self, mates: Best, batch: slice, people: int) -> None:
        self._mates = mates
        self._start = batch.start
        self._ahead = np.zeros((batch.stop - batch.start, people), dtype=bool)

    def update(
        self,
        part: slice,
        estimate: Estimate,
        rows: NDArray[np.int64],
        people: NDArray[np.int64],
        direct: Direct,
    ) -> None:
        """Look at one block, whose columns are sorted by person; see `Best.update`.

        Parameters
        ----------
        people : ndarray of int64, shape (r,)
            Who the columns are.
        part, estimate, rows, direct
            As there.
        """
        values, offset, bound = estimate
        distance, row = self._mates.distance[part, 0], self._mates.row[part, 0]
        gap = values - (distance - offset)[:, None]
        ahead = gap < -bound[:, None]
        probe, column = np.nonzero(np.abs(gap) <= bound[:, None])
        # A mate's own column is among the open ones, and needs no computing.
        other = rows[column] != row[probe]
        probe, column = probe[other], column[other]
        if len(probe):
            exact = direct(probe, column) if bound.any() else distance[probe]
            tie = (exact == distance[probe]) & (rows[column] < row[probe])
            ahead[probe, column] = (exact < distance[probe]) | tie
        first = np.flatnonzero(np.diff(people, prepend=-1))
        here = slice(part.start - self._start, part.stop - self._start)
        self._ahead[here, people[first]] |= np.logical_or.reduceat(ahead, first, axis=1)

    def ranks(self, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of each probe's subject among the people, 1 for first.

        Parameters
        ----------
        own : ndarray of int64, shape (p,)
            Number of the probe's subject; -1 where it is not in the gallery.

        Returns
        -------
        ndarray of int64, shape (p,)
            0 where the subject is not in the gallery.
        """
        enrolled = np.flatnonzero(own >= 0)
        self._ahead[enrolled, own[enrolled]] = False
        ranks = np.zeros(len(own), dtype=np.int64)
        ranks[enrolled] = 1 + self._ahead[enrolled].sum(axis=1)
        return ranks
