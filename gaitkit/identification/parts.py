"""Distances of vectors that consist of parts, and sums of distances of several kinds.

An embedding is a matrix: a part of the body down, values across. Its distance is the mean over the
parts of their Euclidean distances, as OpenGait takes it; a part that is far off counts once and not
squared.

A squared distance s comes out of a product of matrices as s' with |s - s'| ≤ e (see
`gaitkit.identification.distances`). Its root is then off by

    |√s - √s'| = |s - s'| / (√s + √s') ≤ e / √s',   and, where s' is small,   ≤ √e,

because √s + √s' ≥ √|s - s'|. Both are bounds; the smaller one, at the smallest s' of a block,
goes into the bound of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaitkit.identification.distances import (
    EPS,
    Approximation,
    Estimate,
    can_be_squared,
    get_product,
    growth_of,
    unit,
)

__all__ = ["PartsProduct", "SumOfApproximations", "mean_of_parts"]

_ENTRIES = 1 << 18
"""Distances that are worked on at a time by one thread: they stay in the processor's cache."""

_MOVED_VALUES = 1 << 20
_SAFETY = 1.01
"""For what is of the order of the square of a rounding."""


def mean_of_parts(a: NDArray[Any], b: NDArray[Any], parts: int) -> NDArray[np.float64]:
    """Distances of n pairs, by the definition.

    Parameters
    ----------
    a, b : ndarray, shape (n, parts * values)
        The vectors, part after part.
    parts : int
        How many.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    Two parts, 5 and 1 apart:

    >>> mean_of_parts(np.array([[0, 0, 0, 0]]), np.array([[3, 4, 1, 0]]), 2).tolist()
    [3.0]
    """
    difference = np.subtract(a, b, dtype=np.float64).reshape(len(a), parts, -1)
    squares = np.square(difference, out=difference).sum(axis=2)
    total: NDArray[np.float64] = np.sqrt(squares, out=squares).sum(axis=1)
    return total / parts


class _Moved(NamedTuple):
    """Vectors less a common point, shape (n, parts, values), and squared lengths (parts, n)."""

    vectors: NDArray[Any]
    squares: NDArray[np.float64]


class PartsProduct:
    """Means over parts of Euclidean distances: a product of matrices for each part.

    Parameters
    ----------
    probes : ndarray, shape (p, parts * values)
        Searched vectors.
    dtype : dtype
        Common dtype of gallery and probes.
    parts : int
        How many parts there are.
    device : {"cpu", "cuda"}
        Where matrices are multiplied.
    """

    def __init__(self, probes: NDArray[Any], dtype: np.dtype[Any], parts: int, device: str) -> None:
        get_product(device)  # Refuses what is not there.
        self._raw, self._parts, self._device = probes, parts, device
        self._single = dtype in (np.uint8, np.float16, np.float32)
        # Distances stay when all vectors are moved by a common point, and the bound shrinks.
        self._centre = probes.mean(axis=0, dtype=np.float64).reshape(parts, -1)

    @cached_property
    def _in_single(self) -> _Moved:
        return self._moved(self._raw, np.float32)

    @cached_property
    def _in_double(self) -> _Moved:
        return self._moved(self._raw, np.float64)

    def _moved(
        self, vectors: NDArray[Any], dtype: DTypeLike, pool: ThreadPoolExecutor | None = None
    ) -> _Moved:
        count = len(vectors)
        centre = self._centre.astype(dtype)
        moved = np.empty((count, *centre.shape), dtype=dtype)
        squares = np.empty((len(centre), count))
        step = max(1, _MOVED_VALUES // max(1, centre.size))

        def some(start: int) -> None:
            rows = slice(start, start + step)
            given = vectors[rows].reshape(-1, *centre.shape)
            with np.errstate(over="ignore"):
                part = np.subtract(given, centre, out=moved[rows], dtype=dtype)
            squares[:, rows] = np.einsum("npv,npv->pn", part, part, dtype=np.float64)

        starts = range(0, count, step)
        for _ in map(some, starts) if pool is None else pool.map(some, starts):
            pass
        return _Moved(moved, squares)

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        single = self._single
        if single:
            gallery = self._moved(block, np.float32, pool)
            # What single precision cannot square safely is done in double.
            largest = max(gallery.squares.max(), self._in_single.squares.max())
            single = can_be_squared(float(largest))
        if not single:
            gallery = self._moved(block, np.float64, pool)
        probes = self._in_single if single else self._in_double
        work = self._on_cpu if self._device == "cpu" else self._with_torch
        step = max(1, (_ENTRIES if self._device == "cpu" else 64 * _ENTRIES) // len(block))

        def estimate(part: slice) -> Estimate:
            start, stop, _ = part.indices(len(self._raw))
            values = np.empty((stop - start, len(block)))
            bound = np.empty(stop - start)

            def some(first: int) -> None:
                rows = slice(first, min(first + step, stop))
                here = slice(rows.start - start, rows.stop - start)
                smallest = work(probes, gallery, rows, values[here])
                bound[here] = self._bound(probes, gallery, rows, smallest, values[here], single)

            list(pool.map(some, range(start, stop, step)))
            return Estimate(values, np.zeros(stop - start), bound)

        return estimate

    def _on_cpu(
        self, probes: _Moved, gallery: _Moved, rows: slice, out: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Fill in the means; the smallest squared distance of each part and probe."""
        dtype = probes.vectors.dtype
        buffer, total = (np.empty(out.shape, dtype=dtype) for _ in range(2))
        total[:] = 0
        smallest = np.empty((self._parts, len(out)))
        for part in range(self._parts):
            np.matmul(probes.vectors[rows, part], gallery.vectors[:, part].T, out=buffer)
            buffer *= -2
            buffer += gallery.squares[part].astype(dtype)
            buffer += probes.squares[part, rows, None].astype(dtype)
            np.maximum(buffer, 0, out=buffer)
            smallest[part] = buffer.min(axis=1)
            total += np.sqrt(buffer, out=buffer)
        np.divide(total, self._parts, out=out, dtype=np.float64)
        return smallest

    def _with_torch(
        self, probes: _Moved, gallery: _Moved, rows: slice, out: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same on another device."""
        import torch

        def there(array: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

        before = torch.get_float32_matmul_precision()
        # The bound is that of single precision: no TF32, whatever the caller has chosen elsewhere.
        torch.set_float32_matmul_precision("highest")
        try:
            with torch.no_grad():
                searched, known = there(probes.vectors[rows]), there(gallery.vectors)
                ours = there(probes.squares[:, rows]).to(searched.dtype)
                theirs = there(gallery.squares).to(searched.dtype)
                total = torch.zeros(out.shape, dtype=searched.dtype, device=searched.device)
                least = []
                for part in range(self._parts):
                    squared = searched[:, part] @ known[:, part].T
                    squared.mul_(-2).add_(theirs[part]).add_(ours[part, :, None]).clamp_(min=0)
                    least.append(squared.amin(dim=1))
                    total += squared.sqrt_()
                out[:] = total.double().div_(self._parts).cpu().numpy()
                return np.asarray(torch.stack(least).double().cpu().numpy())
        finally:
            torch.set_float32_matmul_precision(before)

    def _bound(
        self,
        probes: _Moved,
        gallery: _Moved,
        rows: slice,
        smallest: NDArray[np.float64],
        values: NDArray[np.float64],
        single: bool,
    ) -> NDArray[np.float64]:
        ours, theirs = probes.squares[:, rows], gallery.squares.max(axis=1)[:, None]
        columns = probes.vectors.shape[2]
        products = np.sqrt(ours * theirs)
        sums = (np.sqrt(ours) + np.sqrt(theirs)) ** 2
        # First the product; then moving, squaring and adding up, in this and in the direct way.
        off = 2.0 * growth_of(columns + 2, single) * products + 16.0 * unit(single) * sums
        off += columns * EPS * sums
        off += columns * float(np.finfo(np.float32 if single else np.float64).tiny)
        off *= _SAFETY
        with np.errstate(divide="ignore", over="ignore"):
            roots = np.minimum(np.sqrt(off), off / np.sqrt(smallest))
        bound = roots.mean(axis=0)
        # Rounding the roots and adding them up, in this and in the direct way.
        rounding = growth_of(self._parts + 4, single) + (self._parts + 4) * EPS
        return np.asarray(_SAFETY * (bound + rounding * (values.max(axis=1) + bound)))


class SumOfApproximations:
    """Weighted sums of distances of several kinds, each of some columns of the vectors.

    Parameters
    ----------
    parts : sequence of (slice, float, Approximation)
        Columns, the weight of their distance, and how it is approximated.
    """

    def __init__(self, parts: Sequence[tuple[slice, float, Approximation]]) -> None:
        self._parts = parts

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows: a function of a slice of probes."""
        made = [
            (weight, approximation(np.ascontiguousarray(block[:, columns]), pool))
            for columns, weight, approximation in self._parts
        ]

        def estimate(part: slice) -> Estimate:
            total: Estimate | None = None
            size = 0.0
            for weight, of_one in made:
                values, offset, bound = (weight * item for item in of_one(part))
                size = size + np.abs(values).max(axis=1) + np.abs(offset)
                total = Estimate(
                    values if total is None else total.values + values,
                    offset if total is None else total.offset + offset,
                    bound if total is None else total.bound + bound,
                )
            assert total is not None
            # Weighing and adding up round, here and in the direct way.
            return total._replace(bound=total.bound + 4.0 * (len(made) + 2) * EPS * size)

        return estimate
