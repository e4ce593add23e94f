"""Distances between feature vectors: fast and approximate with a bound, or direct in float64.

A metric here is two functions. The *approximate* one fills a whole block, gallery by probe, as
fast as the machine can, and says how far any of its values may be from the true one. The *direct*
one computes single distances in float64 by the definition. `gaitkit.identification.matching`
decides by the direct one and uses the other only to see which pairs matter; so decisions depend
neither on block size nor on the order in which a library adds numbers up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError

__all__ = ["METRICS", "Approximation", "Metric", "get_metric"]

_ROWS_PER_THREAD = 64
_SORTED_COLUMNS = 256


class Approximation(Protocol):
    """Approximate distances between prepared gallery and probe vectors."""

    def __call__(
        self, probes: slice, gallery: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One block.

        Parameters
        ----------
        probes : slice
            Rows of the probe vectors.
        gallery : ndarray of int64, shape (g,)
            Rows of the gallery vectors.
        pool : ThreadPoolExecutor
            Threads for the work.

        Returns
        -------
        distances : ndarray of float64, shape (p, g)
            In the metric's comparing scale.
        bound : ndarray of float64, shape (p,)
            No distance of this probe is further from the true one, or from what the metric's
            direct computation gives.
        """
        ...


@dataclass(frozen=True)
class Metric:
    """One way to measure distance.

    Attributes
    ----------
    name : str
        What the command line takes.
    prepare : callable
        ``prepare(gallery, probes)``, vectors of shapes (g, d) and (p, d), gives an
        `Approximation` for them.
    direct : callable
        ``direct(a, b)``, both of shape (n, d), gives n distances in the comparing scale, float64,
        each depending on its own two rows only.
    finish : callable
        From the comparing scale (squares, for Euclid) to distances.
    """

    name: str
    prepare: Callable[[NDArray[Any], NDArray[Any]], Approximation]
    direct: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]]


class _EuclideanProduct:
    """|a - b|² = |a|² + |b|² - 2 a·b, the product by BLAS in single precision where that is enough.

    The bound is the textbook one (Higham, Accuracy and Stability of Numerical Algorithms, section
    3.1): the computed a·b of d terms is within d u |a||b| of the true one, in whatever order it
    was added up. All vectors are moved by one common point: distances stay, the bound shrinks.
    """

    def __init__(self, gallery: NDArray[Any], probes: NDArray[Any]) -> None:
        largest = max(float(max(x.max(), -float(x.min()))) for x in (gallery, probes))
        single = all(x.dtype in (np.uint8, np.float16, np.float32) for x in (gallery, probes))
        # Squares of anything larger or smaller could leave the range of single precision.
        single &= largest == 0 or 2.0**-40 < largest < 2.0**40
        self._dtype = np.dtype(np.float32 if single else np.float64)
        limits = np.finfo(np.float32) if single else np.finfo(np.float64)
        self._unit, self._tiny = float(limits.eps) / 2, float(limits.tiny)
        self._centre = gallery.mean(axis=0, dtype=np.float64).astype(self._dtype)
        self._gallery, self._gallery_squares = self._moved(gallery)
        self._probes, self._probe_squares = self._moved(probes)

    def _moved(self, vectors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        moved = np.subtract(vectors, self._centre, dtype=self._dtype)
        return moved, np.array([np.square(row, dtype=np.float64).sum() for row in moved])

    def __call__(
        self, probes: slice, gallery: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        product = self._probes[probes] @ self._gallery[gallery].T
        probe_squares = self._probe_squares[probes]
        gallery_squares = self._gallery_squares[gallery]
        squared = np.multiply(product, -2.0, dtype=np.float64)
        squared += probe_squares[:, None]
        squared += gallery_squares
        unit, terms = self._unit, self._gallery.shape[1]
        product_of_norms = np.sqrt(probe_squares * gallery_squares.max())
        sum_of_norms = np.sqrt(probe_squares) + np.sqrt(gallery_squares.max())
        # First the product (twice, both ways of d u / (1 - d u) covered for d up to a million in
        # single precision); then moving, squaring and adding up, in this and in the direct way.
        growth = terms * unit / (1.0 - min(0.5, terms * unit))
        bound = 2.0 * growth * product_of_norms + 16.0 * unit * sum_of_norms**2
        bound += terms * float(np.finfo(np.float64).eps) * sum_of_norms**2
        bound += terms * self._tiny
        return squared, bound


class _ManhattanBytes:
    """Sums of absolute differences of bytes: exact integers, by OpenCV's vectorised loop."""

    def __init__(self, gallery: NDArray[np.uint8], probes: NDArray[np.uint8]) -> None:
        self._gallery = np.ascontiguousarray(gallery)
        self._probes = np.ascontiguousarray(probes)

    def __call__(
        self, probes: slice, gallery: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from gaitkit._opencv import cv2

        block = self._probes[probes]
        distances = np.empty((len(block), len(gallery)))

        def fill(start: int) -> None:
            part = slice(start, start + _ROWS_PER_THREAD)
            for first in range(0, len(gallery), _SORTED_COLUMNS):
                columns = slice(first, first + _SORTED_COLUMNS)
                enrolled = self._gallery[gallery[columns]]
                # From Python it gives neighbours in sorted order only; asked for all of them, a
                # few hundred at a time so that its insertion sort stays cheap, they are put back.
                ordered, where = cv2.batchDistance(
                    block[part], enrolled, cv2.CV_32S, normType=cv2.NORM_L1, K=len(enrolled)
                )
                places = np.asarray(where, dtype=np.int64)
                np.put_along_axis(distances[part, columns], places, ordered, axis=1)

        list(pool.map(fill, range(0, len(block), _ROWS_PER_THREAD)))
        return distances, np.zeros(len(block))


class _ManhattanFloats:
    """Sums of absolute differences in float64, by SciPy, in threads."""

    def __init__(self, gallery: NDArray[Any], probes: NDArray[Any]) -> None:
        self._gallery = gallery
        self._probes = probes

    def __call__(
        self, probes: slice, gallery: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from scipy.spatial.distance import cdist

        columns = self._gallery[gallery].astype(np.float64)
        block = self._probes[probes]

        def rows(start: int) -> NDArray[np.float64]:
            part = block[start : start + _ROWS_PER_THREAD].astype(np.float64)
            return np.asarray(cdist(part, columns, "cityblock"))

        distances = np.concatenate(list(pool.map(rows, range(0, len(block), _ROWS_PER_THREAD))))
        growth = (columns.shape[1] + 2) * float(np.finfo(np.float64).eps)
        return distances, 2.0 * growth * distances.max(axis=1)


def _prepare_manhattan(gallery: NDArray[Any], probes: NDArray[Any]) -> Approximation:
    if gallery.dtype == np.uint8 and probes.dtype == np.uint8:
        return _ManhattanBytes(gallery, probes)
    return _ManhattanFloats(gallery, probes)


def _direct_euclidean(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    difference = np.subtract(a, b, dtype=np.float64)
    total: NDArray[np.float64] = np.square(difference, out=difference).sum(axis=1)
    return total


def _direct_manhattan(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    difference = np.subtract(a, b, dtype=np.float64)
    total: NDArray[np.float64] = np.abs(difference, out=difference).sum(axis=1)
    return total


def _as_is(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return distances


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "euclidean": Metric("euclidean", _EuclideanProduct, _direct_euclidean, np.sqrt),
        "manhattan": Metric("manhattan", _prepare_manhattan, _direct_manhattan, _as_is),
    }
)
"""All metrics, by name."""


def get_metric(name: str) -> Metric:
    """A metric by name.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise OptionError(
            f"There is no metric {name!r}.", hint=f"Choose one of {', '.join(METRICS)}."
        ) from None
