"""Nearest neighbours and ranks, exact and independent of how the work is cut into blocks.

A block of approximate distances with an error bound (`gaitkit.identification.metrics`) shows which
pairs can matter for a decision. Those are computed again directly in float64, and the decision is
made among them; equal distances go to the lowest gallery row.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.metrics import Metric
from gaitkit.parallel import available_cores

__all__ = ["Matches", "search"]

_BLOCK_ENTRIES = 1 << 21
_DIRECT_PAIRS = 64


@dataclass(frozen=True, eq=False)
class Matches:
    """What a search of p probes in each of g galleries found.

    Attributes
    ----------
    nearest : ndarray of int64, shape (p, g)
        Gallery row of the nearest neighbour, the lowest among equals; -1 where a gallery is empty.
    distance : ndarray of float64, shape (p, g)
        Its distance; NaN where a gallery is empty.
    mate_distance : ndarray of float64, shape (p, g)
        Distance of the nearest gallery row of the probe's own subject; NaN where it is absent.
    rank : ndarray of int64, shape (p, g)
        Identification rank (ISO/IEC 19795-1): the place of the probe's subject in the list of
        *subjects* by their nearest row, 1 for first; 0 where the subject is not in that gallery.
    """

    nearest: NDArray[np.int64]
    distance: NDArray[np.float64]
    mate_distance: NDArray[np.float64]
    rank: NDArray[np.int64]


def search(
    gallery: NDArray[Any],
    gallery_subjects: NDArray[np.int64],
    probes: NDArray[Any],
    probe_subjects: NDArray[np.int64],
    *,
    metric: Metric,
    groups: Sequence[NDArray[np.int64]] | None = None,
    block_entries: int = _BLOCK_ENTRIES,
    threads: int | None = None,
) -> Matches:
    """Search probes in one or several galleries.

    Parameters
    ----------
    gallery : ndarray, shape (n, d)
        Enrolled vectors; uint8 or floats, finite.
    gallery_subjects : ndarray of int64, shape (n,)
        A number per person.
    probes : ndarray, shape (p, d)
        Searched vectors.
    probe_subjects : ndarray of int64, shape (p,)
        The same numbering.
    metric : Metric
        How distance is measured.
    groups : sequence of ndarray of int64, optional
        Rows of `gallery` that form one gallery each; by default one gallery of all rows.
    block_entries : int
        Distances held at a time; bounds the memory, does not change the result.
    threads : int, optional
        By default one per core; does not change the result.

    Returns
    -------
    Matches
        One column per group.
    """
    if groups is None:
        groups = [np.arange(len(gallery))]
    groups = [np.sort(np.asarray(rows, dtype=np.int64)) for rows in groups]
    shape = (len(probes), len(groups))
    found = Matches(
        nearest=np.full(shape, -1, dtype=np.int64),
        distance=np.full(shape, np.nan),
        mate_distance=np.full(shape, np.nan),
        rank=np.zeros(shape, dtype=np.int64),
    )
    if len(probes) == 0 or all(len(rows) == 0 for rows in groups):
        return found
    approximation = metric.prepare(gallery, probes)
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        for column, rows in enumerate(groups):
            step = max(1, block_entries // max(1, len(rows)))
            for start in range(0, len(probes) if len(rows) else 0, step):
                block = slice(start, min(start + step, len(probes)))
                same = probe_subjects[block, None] == gallery_subjects[rows]
                distances, bound = approximation(block, rows, pool)
                near = _near(distances, bound, same)
                if bound.any():
                    _refine(distances, near, gallery, rows, probes[block], metric, pool)
                outcome = _decide(distances, near, same, gallery_subjects[rows])
                found.nearest[block, column] = rows[outcome.nearest[:, 0]]
                found.distance[block, column] = metric.finish(outcome.distance[:, 0])
                found.mate_distance[block, column] = metric.finish(outcome.mate_distance[:, 0])
                found.rank[block, column] = outcome.rank[:, 0]
    return found


def _near(
    distances: NDArray[np.float64], bound: NDArray[np.float64], same: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Where a decision could depend on the difference between approximate and direct distance.

    With e the bound, every row whose approximate distance is within 2 e of the smallest may be the
    nearest, and every row within 2 e of the nearest mate may be before or behind it. All others
    are on the right side of both as they are.
    """
    reach = 2.0 * bound[:, None]
    near: NDArray[np.bool_] = distances <= distances.min(axis=1, keepdims=True) + reach
    mate = np.where(same, distances, np.inf).min(axis=1, keepdims=True)
    near |= np.abs(distances - mate) <= reach
    return near


def _refine(
    distances: NDArray[np.float64],
    near: NDArray[np.bool_],
    gallery: NDArray[Any],
    rows: NDArray[np.int64],
    probes: NDArray[Any],
    metric: Metric,
    pool: ThreadPoolExecutor,
) -> None:
    """Replace the distances where `near` is true by direct ones."""
    probe_rows, columns = np.nonzero(near)

    def direct(start: int) -> NDArray[np.float64]:
        part = slice(start, start + _DIRECT_PAIRS)
        return metric.direct(gallery[rows[columns[part]]], probes[probe_rows[part]])

    pieces = pool.map(direct, range(0, len(columns), _DIRECT_PAIRS))
    distances[probe_rows, columns] = np.concatenate(list(pieces))


def _decide(
    distances: NDArray[np.float64],
    near: NDArray[np.bool_],
    same: NDArray[np.bool_],
    subjects: NDArray[np.int64],
) -> Matches:
    """Nearest row, nearest mate and rank of each probe; rows are columns of the block here."""
    every = np.arange(len(distances))
    nearest = np.where(near, distances, np.inf).argmin(axis=1)
    mates = np.where(same, distances, np.inf)
    mate = mates.argmin(axis=1)
    mate_distance = mates[every, mate]
    before = distances < mate_distance[:, None]
    before |= (distances == mate_distance[:, None]) & (np.arange(len(subjects)) < mate[:, None])
    before &= ~same
    by_subject = np.argsort(subjects, kind="stable")
    starts = np.flatnonzero(np.diff(subjects[by_subject], prepend=subjects[by_subject[0]] - 1))
    better = np.logical_or.reduceat(before[:, by_subject], starts, axis=1).sum(axis=1)
    enrolled = same.any(axis=1)
    return Matches(
        nearest=nearest[:, None],
        distance=distances[every, nearest][:, None],
        mate_distance=np.where(enrolled, mate_distance, np.nan)[:, None],
        rank=np.where(enrolled, better + 1, 0)[:, None],
    )
