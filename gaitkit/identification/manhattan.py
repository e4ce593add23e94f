"""Sums of absolute differences: exact integers of bytes, double precision of anything else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.products import Estimate

__all__ = ["ManhattanBytes", "ManhattanFloats"]

_ROWS_PER_THREAD = 64
_SORTED_COLUMNS = 256


class ManhattanBytes:
    """Of bytes, by OpenCV's vectorised loop.

    Parameters
    ----------
    probes : ndarray of uint8, shape (p, d)
        Searched vectors.
    """

    def __init__(self, probes: NDArray[np.uint8]) -> None:
        self._probes = np.ascontiguousarray(probes)

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        gallery = np.ascontiguousarray(block)

        def estimate(part: slice) -> Estimate:
            from gaitkit._opencv import cv2

            probes = self._probes[part]
            distances = np.empty((len(probes), len(gallery)))

            def fill(start: int) -> None:
                rows = slice(start, start + _ROWS_PER_THREAD)
                for first in range(0, len(gallery), _SORTED_COLUMNS):
                    columns = slice(first, first + _SORTED_COLUMNS)
                    enrolled = gallery[columns]
                    # From Python it gives neighbours in sorted order only; asked for all of them,
                    # a few hundred at a time so that its insertion sort stays cheap, they are put
                    # back.
                    ordered, where = cv2.batchDistance(
                        probes[rows], enrolled, cv2.CV_32S, normType=cv2.NORM_L1, K=len(enrolled)
                    )
                    places = np.asarray(where, dtype=np.int64)
                    np.put_along_axis(distances[rows, columns], places, ordered, axis=1)

            list(pool.map(fill, range(0, len(probes), _ROWS_PER_THREAD)))
            nothing = np.zeros(len(probes))
            return Estimate(distances, nothing, nothing)

        return estimate


class ManhattanFloats:
    """Of anything, by SciPy in threads.

    Parameters
    ----------
    probes : ndarray, shape (p, d)
        Searched vectors.
    """

    def __init__(self, probes: NDArray[Any]) -> None:
        self._probes = probes

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        from scipy.spatial.distance import cdist

        gallery = block.astype(np.float64)
        growth = (gallery.shape[1] + 2) * float(np.finfo(np.float64).eps)

        def estimate(part: slice) -> Estimate:
            probes = self._probes[part]

            def rows(start: int) -> NDArray[np.float64]:
                few = probes[start : start + _ROWS_PER_THREAD].astype(np.float64)
                return np.asarray(cdist(few, gallery, "cityblock"))

            pieces = pool.map(rows, range(0, len(probes), _ROWS_PER_THREAD))
            distances = np.concatenate(list(pieces))
            bound = 2.0 * growth * distances.max(axis=1)
            return Estimate(distances, np.zeros(len(probes)), bound)

        return estimate
