"""Comparison scores: the distance of every probe to every enrolled person, view by view.

Identification decides by the exact search of `gaitkit.identification.matching`; error rates need
all distances and not only the nearest. These are the estimates behind that search, in single
precision, far closer to the true ones than any rate can show.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.metrics import Metric
from gaitkit.identification.rates import average_precision
from gaitkit.labels import Labels
from gaitkit.parallel import available_cores

__all__ = ["Scores", "compare_views"]

_PROBES = 1024


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
    """

    people: NDArray[np.int64]
    probe_people: NDArray[np.int64]
    distance: NDArray[np.float32]
    average_precision: NDArray[np.float64]

    @property
    def enrolled(self) -> int:
        """The most people at one view."""
        return int(np.isfinite(self.distance).any(axis=0).sum(axis=1).max(initial=0))

    @property
    def mates(self) -> NDArray[np.bool_]:
        """Whether person and probe are the same, shape (p, s)."""
        same: NDArray[np.bool_] = self.probe_people[:, None] == self.people
        return same


def compare_views(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    probe: NDArray[np.bool_],
    *,
    metric: Metric,
    gallery_views: NDArray[np.float64],
    threads: int | None = None,
) -> Scores:
    """Compare every probe with every enrolled person at every gallery view.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features; finite in the rows that are used.
    labels : Labels
        Key columns, n rows.
    gallery, probe : ndarray of bool, shape (n,)
        Enrolled and searched rows.
    metric : Metric
        How distance is measured.
    gallery_views : ndarray of float64, shape (g,)
        Views to enrol, one gallery each.
    threads : int, optional
        By default one per core; does not change the result.

    Returns
    -------
    Scores
        p · g · s numbers of four bytes: 11 MB for CASIA-B's 62 people.
    """
    everybody = np.unique(labels.subject.astype(str), return_inverse=True)[1].astype(np.int64)
    probes, probe_people = vectors[probe], everybody[probe]
    groups = [np.flatnonzero(gallery & (labels.view == view)) for view in gallery_views]
    people = np.unique(everybody[gallery])
    distance = np.full((len(probes), len(groups), len(people)), np.inf, dtype=np.float32)
    precision = np.full((len(probes), len(groups)), np.nan)
    approximation = metric.prepare(probes, vectors.dtype, "cpu")
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        for view, group in enumerate(groups):
            rows = group[np.argsort(everybody[group], kind="stable")]
            if not len(rows) or not len(probes):
                continue
            whose = everybody[rows]
            starts = np.flatnonzero(np.diff(whose, prepend=whose[0] - 1))
            columns = np.searchsorted(people, whose[starts])
            estimate = approximation(vectors[rows], pool)
            for start in range(0, len(probes), _PROBES):
                part = slice(start, min(start + _PROBES, len(probes)))
                values, offset, _ = estimate(part)
                values = metric.finish(np.maximum(values + offset[:, None], 0.0))
                single = values.astype(np.float32)
                distance[part, view, columns] = np.minimum.reduceat(single, starts, axis=1)
                mates = probe_people[part, None] == whose
                precision[part, view] = average_precision(single, mates)
    return Scores(people, probe_people, distance, precision)
