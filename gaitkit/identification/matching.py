"""Nearest neighbours and ranks, exact and independent of how the work is cut into blocks.

The gallery is read block by block and may be larger than the memory. A block of approximate
distances with an error bound (`gaitkit.identification.distances`) shows which pairs can matter for
a decision. Those are computed again directly in float64, and the decision is made among them.
Whatever an estimate with its bound decides is taken from it; whatever it leaves open is computed
directly.

**One rule for ties**: of equal distances, the row that was enrolled first (the lowest gallery row)
comes first. It holds for the nearest row, ranks, the CMC, average precision, the inverse negative
penalty and the names that are given in `identify`. A person comes where their first row comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.distances import Approximation, Estimate
from gaitkit.identification.metrics import Metric
from gaitkit.parallel import available_cores

__all__ = ["Best", "Matches", "Observer", "PeopleAhead", "Vectors", "search"]

_BLOCK_ENTRIES = 1 << 22
_BLOCK_BYTES = 32 << 20
_SEEN_ENTRIES = 1 << 28
_DIRECT_PAIRS = 64

Observer = Callable[[int, NDArray[np.int64], slice, Estimate], None]
"""Told of every block of distances, once: the group, the gallery rows, the probes, the estimate."""

Direct = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]
"""Direct distances of pairs, given as rows and columns of a block of estimates."""


class Vectors(Protocol):
    """Enrolled vectors: an array, a memory map, or anything that gives some rows at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the rows."""
        ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        """Some rows, shape (len(rows), d)."""
        ...


@dataclass(frozen=True, eq=False)
class Matches:
    """What a search of p probes in each of g galleries found.

    Attributes
    ----------
    neighbours : ndarray of int64, shape (p, g, k)
        Gallery rows of the k nearest neighbours, the lowest first among equals; -1 where a gallery
        has fewer.
    neighbour_distances : ndarray of float64, shape (p, g, k)
        Their distances; NaN where there are fewer.
    mate_distance : ndarray of float64, shape (p, g)
        Distance of the nearest gallery row of the probe's own subject; NaN where it is absent.
    rank : ndarray of int64, shape (p, g)
        Identification rank (ISO/IEC 19795-1): the place of the probe's subject in the list of
        *subjects* by their nearest row, 1 for first; 0 where the subject is not in that gallery.
        By rows, the place of the subject's nearest row among all rows of the gallery.
    """

    neighbours: NDArray[np.int64]
    neighbour_distances: NDArray[np.float64]
    mate_distance: NDArray[np.float64]
    rank: NDArray[np.int64]

    @property
    def nearest(self) -> NDArray[np.int64]:
        """Gallery row of the nearest neighbour, shape (p, g); -1 where a gallery is empty."""
        return self.neighbours[:, :, 0]

    @property
    def distance(self) -> NDArray[np.float64]:
        """Its distance, shape (p, g); NaN where a gallery is empty."""
        return self.neighbour_distances[:, :, 0]


def search(
    gallery: Vectors,
    gallery_subjects: NDArray[np.int64] | None,
    probes: NDArray[Any],
    probe_subjects: NDArray[np.int64] | None,
    *,
    metric: Metric,
    groups: Sequence[NDArray[np.int64]] | None = None,
    top: int = 1,
    rank_by: str = "people",
    apart: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    observe: Observer | None = None,
    block_entries: int = _BLOCK_ENTRIES,
    block_rows: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Matches:
    """Search probes in one or several galleries.

    Parameters
    ----------
    gallery : Vectors, shape (n, d)
        Enrolled vectors; uint8 or floats, finite. Read block by block; twice where it is searched
        for the ranks of known subjects and is larger than one block.
    gallery_subjects, probe_subjects : ndarray of int64, shapes (n,) and (p,), or None
        A number per person; without them there are no mates and no ranks.
    probes : ndarray, shape (p, d)
        Searched vectors.
    metric : Metric
        How distance is measured.
    groups : sequence of ndarray of int64, optional
        Rows of `gallery` that form one gallery each; by default one gallery of all rows.
    top : int
        How many nearest rows are wanted.
    rank_by : {"people", "rows"}
        What `Matches.rank` counts.
    apart : tuple of ndarray of int64, shapes (n,) and (p,), optional
        A number for each gallery row and each probe: those of equal numbers are not compared, as
        if the row were not there for this probe.
    observe : callable, optional
        For who needs all distances and not only the nearest.
    block_entries : int
        Distances held at a time; bounds the memory, does not change the result.
    block_rows : int, optional
        Gallery rows held at a time; likewise.
    threads : int, optional
        By default one per core; does not change the result.
    device : {"cpu", "cuda"}
        Where matrices are multiplied; does not change the result.

    Returns
    -------
    Matches
        One column per group.

    Raises
    ------
    OptionError
        The device cannot be used, or not by this metric.
    """
    if groups is None:
        groups = [np.arange(gallery.shape[0])]
    else:
        groups = [np.sort(np.asarray(rows, dtype=np.int64)) for rows in groups]
    shape = (len(probes), len(groups))
    found = Matches(
        neighbours=np.full((*shape, top), -1, dtype=np.int64),
        neighbour_distances=np.full((*shape, top), np.nan),
        mate_distance=np.full(shape, np.nan),
        rank=np.zeros(shape, dtype=np.int64),
    )
    if len(probes) == 0 or all(len(rows) == 0 for rows in groups):
        return found
    approximation = metric.approximation(
        probes, np.result_type(gallery.dtype, probes.dtype), device
    )
    held = block_rows or max(1, _BLOCK_BYTES // (4 * max(1, probes.shape[1])))
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        for column, rows in enumerate(groups):
            if not len(rows):
                continue
            one = _OneGallery(
                gallery, rows, gallery_subjects, probes, metric, approximation, held, pool
            )
            one.by_rows = rank_by == "rows"
            one.apart = apart
            whose = None if gallery_subjects is None else probe_subjects
            watch = None if observe is None else partial(observe, column)
            plain = whose is None and watch is None and apart is None
            if plain and len(rows) == gallery.shape[0]:
                nearest = _on_device(gallery, probes, metric, approximation, top, device)
                if nearest is not None:
                    found.neighbours[:, column], distances = nearest
                    kept = np.isfinite(distances)
                    found.neighbour_distances[:, column][kept] = metric.finish(distances[kept])
                    continue
            best, mates, rank = one.search(whose, top, max(1, block_entries // one.width), watch)
            found.neighbours[:, column] = best.row
            there = best.row >= 0
            found.neighbour_distances[:, column][there] = metric.finish(best.distance[there])
            enrolled = mates.row[:, 0] >= 0
            found.mate_distance[enrolled, column] = metric.finish(mates.distance[enrolled, 0])
            found.rank[:, column] = rank
    return found


def _on_device(
    gallery: Vectors,
    probes: NDArray[Any],
    metric: Metric,
    approximation: Approximation,
    top: int,
    device: str,
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Nearest rows found on a GPU from end to end; `None` where that cannot be."""
    held_there = hasattr(gallery, "moved")
    form = getattr(approximation, "device_form", None)
    if form is None or not (held_there or (device != "cpu" and isinstance(gallery, np.ndarray))):
        return None
    if not {gallery.dtype, probes.dtype} <= {np.dtype(t) for t in (np.uint8, "f2", "f4")}:
        return None
    # Imports torch, which a search on the processor does not need.
    from gaitkit.identification import device_search

    chosen = vars(device_search)[form]
    if held_there and gallery.form is not chosen:  # type: ignore[attr-defined]
        return None

    def direct(row: NDArray[np.int64], probe: NDArray[np.int64]) -> NDArray[np.float64]:
        return metric.direct(gallery[row], probes[probe])

    return device_search.nearest_rows(
        gallery,  # type: ignore[arg-type]
        probes,
        chosen,
        direct,
        top,
        device=device,
    )


class _Block(NamedTuple):
    """Some gallery rows, sorted by person."""

    rows: NDArray[np.int64]
    people: NDArray[np.int64]
    vectors: NDArray[Any]
    estimate: Callable[[slice], Estimate]


class _OneGallery:
    """The search in one gallery, block by block."""

    def __init__(
        self,
        gallery: Vectors,
        rows: NDArray[np.int64],
        subjects: NDArray[np.int64] | None,
        probes: NDArray[Any],
        metric: Metric,
        approximation: Approximation,
        held: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._gallery, self._rows, self._probes = gallery, rows, probes
        self._metric, self._approximation, self._pool = metric, approximation, pool
        self._held = held
        self.by_rows = False
        self.apart: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self.width = min(held, len(rows))
        self._subjects: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self._people = np.zeros(len(rows), dtype=np.int64)
        if subjects is not None:
            self._subjects, self._people = np.unique(subjects[rows], return_inverse=True)

    def search(
        self,
        whose: NDArray[np.int64] | None,
        top: int,
        step: int,
        watch: Callable[[NDArray[np.int64], slice, Estimate], None] | None = None,
    ) -> tuple[Best, Best, NDArray[np.int64]]:
        """The nearest rows, the nearest mate and the rank of each probe, `step` at a time."""
        total = len(self._probes)
        best, mates = Best(total, top), Best(total, 1)
        rank = np.zeros(total, dtype=np.int64)
        own = self._numbers(whose)
        # Without subjects all probes go through the gallery together; with them, as many as the
        # table of people ahead has room for.
        size = total if own is None else max(1, _SEEN_ENTRIES // len(self._subjects))
        for start in range(0, total, size):
            batch = slice(start, min(start + size, total))
            ahead = None if own is None else PeopleAhead(mates, batch, len(self._subjects))
            at_once = self.width == len(self._rows)
            for block, part in self._pieces(batch, step):
                estimate, direct = block.estimate(part), self._direct(block, part)
                if watch is not None:
                    watch(block.rows, part, estimate)
                compared = self._compared(block, part)
                best.update(part, estimate, block.rows, direct, compared)
                if own is None or ahead is None:
                    continue
                same = own[part, None] == block.people
                if compared is not None:
                    same &= compared
                mates.update(part, estimate, block.rows, direct, same)
                if at_once:
                    ahead.update(part, estimate, block.rows, block.people, direct, compared)
            if own is None or ahead is None:
                continue
            if not at_once:
                # Who is ahead of the nearest mate can be told when that is known.
                for block, part in self._pieces(batch, step):
                    estimate, direct = block.estimate(part), self._direct(block, part)
                    compared = self._compared(block, part)
                    ahead.update(part, estimate, block.rows, block.people, direct, compared)
            # Who has no row but those that are not compared is not in this gallery.
            enrolled = np.where(mates.row[batch, 0] >= 0, own[batch], -1)
            rank[batch] = ahead.ranks(enrolled, by_rows=self.by_rows)
        return best, mates, rank

    def _compared(self, block: _Block, part: slice) -> NDArray[np.bool_] | None:
        """Which pairs of a block count, shape (p, r); `None` where all do."""
        if self.apart is None:
            return None
        rows, probes = self.apart
        different: NDArray[np.bool_] = probes[part, None] != rows[block.rows]
        return different

    def _numbers(self, whose: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """The gallery's numbers of the probes' subjects; -1 for those who are not enrolled."""
        if whose is None:
            return None
        places = np.minimum(np.searchsorted(self._subjects, whose), len(self._subjects) - 1)
        return np.where(self._subjects[places] == whose, places, -1)

    def _pieces(self, batch: slice, step: int) -> Iterator[tuple[_Block, slice]]:
        for first in range(0, len(self._rows), self._held):
            part = slice(first, first + self._held)
            order = np.argsort(self._people[part], kind="stable")
            rows = self._rows[part][order]
            vectors = self._gallery[rows]
            estimate = self._approximation(vectors, self._pool)
            block = _Block(rows, self._people[part][order], vectors, estimate)
            for start in range(batch.start, batch.stop, step):
                yield block, slice(start, min(start + step, batch.stop))

    def _direct(self, block: _Block, part: slice) -> Direct:
        """Direct distances of pairs of one block."""

        def pairs(probe: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.float64]:
            def few(start: int) -> NDArray[np.float64]:
                some = slice(start, start + _DIRECT_PAIRS)
                return self._metric.direct(
                    block.vectors[column[some]], self._probes[part][probe[some]]
                )

            return np.concatenate(list(self._pool.map(few, range(0, len(probe), _DIRECT_PAIRS))))

        return pairs


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
        self._merge(probe + part.start, distance, rows[column])

    def _merge(
        self, probe: NDArray[np.intp], distance: NDArray[np.float64], row: NDArray[np.int64]
    ) -> None:
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
        self._rows = np.zeros(batch.stop - batch.start, dtype=np.int64)

    def update(
        self,
        part: slice,
        estimate: Estimate,
        rows: NDArray[np.int64],
        people: NDArray[np.int64],
        direct: Direct,
        eligible: NDArray[np.bool_] | None = None,
    ) -> None:
        """Look at one block, whose columns are sorted by person; see `Best.update`.

        Parameters
        ----------
        people : ndarray of int64, shape (r,)
            Who the columns are.
        part, estimate, rows, direct, eligible
            As there.
        """
        values, offset, bound = estimate
        distance, row = self._mates.distance[part, 0], self._mates.row[part, 0]
        gap = values - (distance - offset)[:, None]
        ahead = gap < -bound[:, None]
        still_open = np.abs(gap) <= bound[:, None]
        if eligible is not None:
            ahead &= eligible
            still_open &= eligible
        probe, column = np.nonzero(still_open)
        # A mate's own column is among the open ones, and needs no computing.
        other = rows[column] != row[probe]
        probe, column = probe[other], column[other]
        if len(probe):
            exact = direct(probe, column) if bound.any() else distance[probe]
            tie = (exact == distance[probe]) & (rows[column] < row[probe])
            ahead[probe, column] = (exact < distance[probe]) | tie
        first = np.flatnonzero(np.diff(people, prepend=-1))
        here = slice(part.start - self._start, part.stop - self._start)
        self._rows[here] += np.count_nonzero(ahead, axis=1)
        self._ahead[here, people[first]] |= np.logical_or.reduceat(ahead, first, axis=1)

    def ranks(self, own: NDArray[np.int64], *, by_rows: bool = False) -> NDArray[np.int64]:
        """Place of each probe's subject among the people, 1 for first.

        Parameters
        ----------
        own : ndarray of int64, shape (p,)
            Number of the probe's subject; -1 where it is not in the gallery.
        by_rows : bool
            Place of the subject's nearest row among the rows instead.

        Returns
        -------
        ndarray of int64, shape (p,)
            0 where the subject is not in the gallery.
        """
        enrolled = np.flatnonzero(own >= 0)
        self._ahead[enrolled, own[enrolled]] = False
        ranks = np.zeros(len(own), dtype=np.int64)
        if by_rows:
            # None of the subject's own rows is before its nearest one.
            ranks[enrolled] = 1 + self._rows[enrolled]
            return ranks
        ranks[enrolled] = 1 + self._ahead[enrolled].sum(axis=1)
        return ranks
