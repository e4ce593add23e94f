"""Distances of whole blocks, each block with a bound on how far it may be from the true one.

Euclid and cosine by a product of matrices, Manhattan by sums of absolute differences (exact
integers of bytes, double precision of anything else), and any other one by one.

|a - b|² = |a|² + |b|² - 2 a·b, and the product is what processors do fastest, in single precision.
The bound is the textbook one (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1):
the computed a·b of k terms is within k u |a||b| of the true one, in whatever order it was added up
and on whatever device. The columns go in groups of 1,024 whose products are added up in double
precision, so that k is 1,024 at most and bytes, less 128, are multiplied without any error: no sum
of 1,024 of their products leaves the 2²⁴ integers that single precision holds.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaitkit.errors import OptionError
from gaitkit.printable import quoted

__all__ = [
    "Approximation",
    "CosineProduct",
    "Estimate",
    "EuclideanProduct",
    "ManhattanBytes",
    "ManhattanFloats",
    "OneByOne",
    "Product",
    "get_product",
    "of_length_1",
]

_COLUMNS = 1024
_ROWS = 64
_ROWS_PER_THREAD = 64
_SORTED_COLUMNS = 256
_PAIRS_AT_ONCE = 64
_LARGEST, _SMALLEST = 2.0**100, 2.0**-80
EPS = float(np.finfo(np.float64).eps)

Product = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
"""``a @ b.T`` of vectors of shapes (p, d) and (r, d), both of single or both of double precision;
those of single precision in groups of 1,024 columns that are added up in double precision."""


class Estimate(NamedTuple):
    """Approximate distances of p probes to r gallery rows.

    Attributes
    ----------
    values : ndarray of float64, shape (p, r)
        Distances in the metric's comparing scale, less `offset`.
    offset : ndarray of float64, shape (p,)
        What all of a probe's distances have in common.
    bound : ndarray of float64, shape (p,)
        No distance of this probe is further from the one that the metric computes directly.
    """

    values: NDArray[np.float64]
    offset: NDArray[np.float64]
    bound: NDArray[np.float64]


class Approximation(Protocol):
    """Approximate distances of prepared probes."""

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows.

        Parameters
        ----------
        block : ndarray, shape (r, d)
            Gallery vectors, at least one.
        pool : ThreadPoolExecutor
            Threads for the work.

        Returns
        -------
        callable
            From a slice of the probes to an `Estimate`.
        """
        ...


class EuclideanProduct:
    """Squared Euclidean distances.

    All vectors are moved by one common point: distances stay, the bound shrinks.

    Parameters
    ----------
    probes : ndarray, shape (p, d)
        Searched vectors.
    dtype : dtype
        Common dtype of gallery and probes.
    product : Product
        How matrices are multiplied.
    """

    device_form = "EUCLIDEAN"
    """Its name in `gaitkit.identification.device_search`."""

    def __init__(self, probes: NDArray[Any], dtype: np.dtype[Any], product: Product) -> None:
        self._raw = probes
        self._exact = dtype == np.uint8
        self._single = dtype in (np.uint8, np.float16, np.float32)
        self._product = product
        centre = 128.0 if self._exact else probes.mean(axis=0, dtype=np.float64)
        self._centre = np.asarray(centre)

    @cached_property
    def _in_single(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        return self._probes(np.float32)

    @cached_property
    def _in_double(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        return self._probes(np.float64)

    def _probes(self, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[np.float64]]:
        moved, squares = self._moved(self._raw, dtype)
        moved *= -2.0
        return moved, squares

    def _moved(
        self, vectors: NDArray[Any], dtype: DTypeLike, pool: ThreadPoolExecutor | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        moved, squares = np.empty(vectors.shape, dtype=dtype), np.empty(len(vectors))
        centre = self._centre.astype(dtype)

        def some(rows: slice) -> None:
            with np.errstate(over="ignore"):
                part = np.subtract(vectors[rows], centre, out=moved[rows], dtype=dtype)
            squares[rows] = np.einsum("ij,ij->i", part, part, dtype=np.float64)

        _in_parts(some, len(vectors), pool)
        return moved, squares

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        single = self._single
        if single:
            gallery, squares = self._moved(block, np.float32, pool)
            # What single precision cannot square safely is done in double.
            largest = max(squares.max(), self._in_single[1].max())
            single = can_be_squared(largest)
        if not single:
            gallery, squares = self._moved(block, np.float64, pool)
        probes, probe_squares = self._in_single if single else self._in_double

        def estimate(part: slice) -> Estimate:
            values = self._product(probes[part], gallery)
            values += squares
            offset = probe_squares[part]
            return Estimate(values, offset, self._bound(offset, float(squares.max()), single))

        return estimate

    def _bound(
        self, probe_squares: NDArray[np.float64], gallery_square: float, single: bool
    ) -> NDArray[np.float64]:
        if self._exact and single:
            return np.zeros(len(probe_squares))
        columns = self._raw.shape[1]
        products = np.sqrt(probe_squares * gallery_square)
        sums = (np.sqrt(probe_squares) + np.sqrt(gallery_square)) ** 2
        # First the product; then moving, squaring and adding up, in this and in the direct way.
        bound = 2.0 * _growth(columns, single) * products + 16.0 * unit(single) * sums
        bound += columns * EPS * sums
        bound += columns * float(np.finfo(np.float32 if single else np.float64).tiny)
        return np.asarray(bound)


class CosineProduct:
    """Cosine distances, 1 - a·b / (|a||b|), of vectors brought to length 1 beforehand.

    A vector of zeros has no direction: its distance to every other is 1.

    Parameters
    ----------
    probes : ndarray, shape (p, d)
        Searched vectors.
    dtype : dtype
        Common dtype of gallery and probes.
    product : Product
        How matrices are multiplied.
    """

    device_form = "COSINE"
    """Its name in `gaitkit.identification.device_search`."""

    def __init__(self, probes: NDArray[Any], dtype: np.dtype[Any], product: Product) -> None:
        self._single = dtype in (np.uint8, np.float16, np.float32)
        self._probes = np.negative(self._unit_vectors(probes))
        self._product = product

    def _unit_vectors(
        self, vectors: NDArray[Any], pool: ThreadPoolExecutor | None = None
    ) -> NDArray[Any]:
        out = np.empty(vectors.shape, dtype=np.float32 if self._single else np.float64)

        def some(rows: slice) -> None:
            out[rows] = of_length_1(vectors[rows])

        _in_parts(some, len(vectors), pool)
        return out

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        gallery = self._unit_vectors(block, pool)
        columns = gallery.shape[1]
        bound = cosine_bound(columns, _growth(columns, self._single), self._single)

        def estimate(part: slice) -> Estimate:
            values = self._product(self._probes[part], gallery)
            return Estimate(values, np.ones(len(values)), np.full(len(values), bound))

        return estimate


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


class OneByOne:
    """Distances of any definition, each computed by it: slow, and without an error.

    Parameters
    ----------
    probes : ndarray, shape (p, d)
        Searched vectors.
    direct : callable
        ``direct(a, b)``, both of shape (n, d), gives n distances, float64.
    """

    def __init__(
        self,
        probes: NDArray[Any],
        direct: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]],
    ) -> None:
        self._probes, self._direct = probes, direct

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""

        def estimate(part: slice) -> Estimate:
            probes = self._probes[part]
            distances = np.empty((len(probes), len(block)))

            def fill(row: int) -> None:
                for start in range(0, len(block), _PAIRS_AT_ONCE):
                    columns = slice(start, start + _PAIRS_AT_ONCE)
                    some = block[columns]
                    one = np.broadcast_to(probes[row], some.shape)
                    distances[row, columns] = self._direct(some, one)

            list(pool.map(fill, range(len(probes))))
            nothing = np.zeros(len(probes))
            return Estimate(distances, nothing, nothing)

        return estimate


def of_length_1(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Vectors of the same directions and of length 1; those of zeros stay.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)

    Returns
    -------
    ndarray of float64, shape (n, d)

    Examples
    --------
    >>> of_length_1(np.array([[3, 4], [0, 0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    values = vectors.astype(np.float64)
    lengths = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = values / np.where(lengths > 0, lengths, 1.0)
    return unit


def get_product(device: str) -> Product:
    """How matrices are multiplied on a device.

    Raises
    ------
    OptionError
        The device is unknown, or CUDA is asked for and there is none.
    """
    if device == "cpu":
        return _on_cpu
    if device != "cuda":
        raise OptionError(f"There is no device {quoted(device)}.", hint="Choose cpu or cuda.")
    import torch

    if not torch.cuda.is_available():
        raise OptionError("There is no CUDA device here.", hint="Use the device cpu.")
    return _on_cuda


def _on_cpu(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    if a.dtype == np.float64:
        return np.asarray(a @ b.T)
    total = np.zeros((len(a), len(b)))
    buffer = np.empty(total.shape, dtype=np.float32)
    for start in range(0, a.shape[1], _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        total += np.matmul(a[:, columns], b[:, columns].T, out=buffer)
    return total


def _on_cuda(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    import torch

    before = torch.get_float32_matmul_precision()
    # The bound is that of single precision: no TF32, whatever the caller has chosen elsewhere.
    torch.set_float32_matmul_precision("highest")
    try:
        x, y = torch.from_numpy(a).to("cuda"), torch.from_numpy(b).to("cuda")
        step = a.shape[1] if a.dtype == np.float64 else _COLUMNS
        total = torch.zeros((len(a), len(b)), dtype=torch.float64, device=x.device)
        for start in range(0, a.shape[1], max(1, step)):
            columns = slice(start, start + step)
            total += x[:, columns] @ y[:, columns].T
        return np.asarray(total.cpu().numpy())
    finally:
        torch.set_float32_matmul_precision(before)


def _in_parts(
    function: Callable[[slice], None], count: int, pool: ThreadPoolExecutor | None
) -> None:
    """Do something to a few rows at a time, which stay in the processor's cache meanwhile."""
    parts = [slice(start, start + _ROWS) for start in range(0, count, _ROWS)]
    for _ in map(function, parts) if pool is None else pool.map(function, parts):
        pass


def unit(single: bool) -> float:
    return float(np.finfo(np.float32 if single else np.float64).eps) / 2


def _growth(columns: int, single: bool) -> float:
    """Relative to |a||b|: the largest error of a product of so many columns."""
    return growth_of(min(columns, _COLUMNS) if single else columns, single)


def growth_of(terms: int, single: bool) -> float:
    """Relative to |a||b|: the largest error of a sum of so many products."""
    return terms * unit(single) / (1.0 - min(0.5, terms * unit(single)))


def cosine_bound(columns: int, growth: float, single: bool) -> float:
    """The largest error of a cosine distance whose product has this `growth`."""
    # The product of two vectors of length 1; rounding them; the same in the direct way.
    return 1.01 * growth + 8.0 * unit(single) + 4.0 * (columns + 4) * EPS


def can_be_squared(largest: float) -> bool:
    """Whether single precision is safe for vectors of this largest squared length."""
    return bool(largest == 0 or _SMALLEST < largest < _LARGEST)
