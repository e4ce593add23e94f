"""The nearest rows of a large gallery, found on a GPU that holds it.

A product of matrices estimates all distances of a block; of those only the smallest of every 256
neighbouring rows are kept. What the estimates with their bound leave open is estimated once more
row by row, and what is still open then is computed directly in float64 on the host, as everywhere
(`gaitkit.identification.matching`): the device changes the time and not the result.

Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, bounds a product of k terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.errors import OptionError

__all__ = ["COSINE", "EUCLIDEAN", "DeviceGallery", "ProductForm", "nearest_rows"]

_CHUNK = 256
_PROBES = 4096
_BLOCK_ENTRIES = 1 << 26
_BLOCK_BYTES = 1 << 30
_MOST_CHUNKS = 64
"""Chunks of a probe, in the mean, that are looked at again; beyond, nothing is gained here."""
_LARGEST, _SMALLEST = 2.0**100, 2.0**-80
_UNIT = float(np.finfo(np.float32).eps) / 2
_EPS = float(np.finfo(np.float64).eps)

Moved = tuple[torch.Tensor, torch.Tensor]
Direct = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Direct distances of pairs of gallery rows and probes."""


@dataclass(frozen=True)
class ProductForm:
    """How a metric's distance becomes a product of matrices.

    The distance is ``offset(p) + addend(g) - scale * p·g`` of vectors that were moved first.

    Attributes
    ----------
    centre : callable
        Of the probes, float64: the point by which all vectors are moved, shape (d,).
    move : callable
        Of float32 vectors and the centre, on the device: the vectors as they are multiplied, and
        their squared lengths in float64.
    addend : bool
        Whether the squared lengths of both are added.
    scale : float
        See above.
    """

    centre: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    move: Callable[[torch.Tensor, torch.Tensor], Moved]
    addend: bool
    scale: float


def _moved(vectors: torch.Tensor, centre: torch.Tensor) -> Moved:
    moved = vectors - centre
    return moved, (moved * moved).sum(dim=1, dtype=torch.float64)


def _of_length_1(vectors: torch.Tensor, centre: torch.Tensor) -> Moved:
    lengths = torch.linalg.vector_norm(vectors, dim=1, dtype=torch.float64)
    divisors = torch.where(lengths > 0, lengths, 1.0)
    return (vectors / divisors[:, None]).float(), torch.ones_like(lengths)


def _mean(probes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(probes.mean(axis=0))


def _nothing(probes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.zeros(probes.shape[1])


EUCLIDEAN = ProductForm(_mean, _moved, addend=True, scale=2.0)
COSINE = ProductForm(_nothing, _of_length_1, addend=False, scale=1.0)


class DeviceGallery:
    """Enrolled vectors that stay on a device, for many searches.

    Parameters
    ----------
    vectors : ndarray of uint8, float16 or float32, shape (n, d)
        Finite; kept in host memory as well, for what is computed directly.
    device : str
        Of torch.

    Raises
    ------
    OptionError
        The vectors have another type or shape, or do not fit on the device.
    """

    def __init__(self, vectors: NDArray[Any], device: str = "cuda") -> None:
        if vectors.ndim != 2 or vectors.dtype not in (np.uint8, np.float16, np.float32):
            raise OptionError(
                f"A gallery on a device is of uint8, float16 or float32 and of shape (rows, "
                f"values), got {vectors.dtype} of shape {vectors.shape}."
            )
        self.vectors = vectors
        try:
            self.tensor = torch.from_numpy(np.ascontiguousarray(vectors)).to(device)
        except torch.OutOfMemoryError as error:
            raise OptionError(
                f"{vectors.nbytes / 2**30:.1f} GiB of vectors do not fit on the device.",
                hint="Search in the array itself: it goes there part by part.",
            ) from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.vectors.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the rows."""
        return self.vectors.dtype

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows, in host memory."""
        return np.asarray(self.vectors[rows])


def nearest_rows(
    gallery: DeviceGallery | NDArray[Any],
    probes: NDArray[Any],
    form: ProductForm,
    direct: Direct,
    top: int,
    *,
    device: str = "cuda",
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """The `top` nearest gallery rows of each probe, the lowest first among equals.

    Parameters
    ----------
    gallery : DeviceGallery or ndarray, shape (n, d)
        Where it is an array, it is brought to the device part by part.
    probes : ndarray, shape (p, d)
        Searched vectors, uint8, float16 or float32.
    form : ProductForm
        The metric's.
    direct : callable
        The metric's own distances.
    top : int
        Rows wanted of each probe.
    device : str
        Of torch, where the gallery is an array.

    Returns
    -------
    rows : ndarray of int64, shape (p, top)
        -1 where there are fewer.
    distances : ndarray of float64, shape (p, top)
        In the metric's comparing scale; infinite where there are fewer.
    None
        In place of both where nothing is gained here: numbers that single precision cannot square,
        or so many equal rows that everything would be computed twice.
    """
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    with torch.no_grad(), _single_precision():
        for first, part in _parts(gallery, device):
            for start in range(0, len(probes), _PROBES):
                pairs = _Part(part, probes[start : start + _PROBES], form).candidates(top)
                if pairs is None:
                    return None
                found.append((pairs[0] + start, pairs[1] + first))
    probe, row = (np.concatenate(column) for column in zip(*found, strict=True))
    distance = direct(row, probe)
    order = np.lexsort((row, distance, probe))
    probe, row, distance = probe[order], row[order], distance[order]
    place = np.arange(len(probe)) - np.searchsorted(probe, probe)
    kept = place < top
    rows = np.full((len(probes), top), -1, dtype=np.int64)
    distances = np.full((len(probes), top), np.inf)
    rows[probe[kept], place[kept]] = row[kept]
    distances[probe[kept], place[kept]] = distance[kept]
    return rows, distances


@contextmanager
def _single_precision() -> Iterator[None]:
    """Products of float32 without TF32, whatever the caller has chosen elsewhere."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _parts(
    gallery: DeviceGallery | NDArray[Any], device: str
) -> Iterator[tuple[int, torch.Tensor]]:
    """First row and vectors of each part that the device has room for."""
    if isinstance(gallery, DeviceGallery):
        yield 0, gallery.tensor
        return
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else 1 << 34
    size = max(_CHUNK, int(0.4 * free) // max(1, gallery.shape[1] * gallery.dtype.itemsize))
    for first in range(0, len(gallery), size):
        part = np.ascontiguousarray(gallery[first : first + size])
        yield first, torch.from_numpy(part).to(device)


class _Part:
    """A part of the gallery that lies on the device, and some probes beside it.

    Parameters
    ----------
    vectors : Tensor, shape (n, d)
        Gallery rows.
    probes : ndarray, shape (p, d)
        Searched vectors.
    form : ProductForm
        The metric's.
    """

    def __init__(self, vectors: torch.Tensor, probes: NDArray[Any], form: ProductForm) -> None:
        self._vectors, self._form = vectors, form
        here = vectors.device
        centre = form.centre(probes.astype(np.float64)).astype(np.float32)
        self._centre = torch.from_numpy(centre).to(here)
        searched = torch.from_numpy(np.ascontiguousarray(probes)).to(here).float()
        moved, self._squares = form.move(searched, self._centre)
        self._probes = moved * -form.scale
        self._largest = self._squares.max()

    def candidates(self, top: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Probes and rows of all pairs that may be among the nearest; `None` to give it up."""
        smallest = self._smallest()
        largest = float(self._largest)
        if not (largest == 0 or _SMALLEST < largest < _LARGEST):
            return None
        margin = 2.0 * self._bound(largest)
        limit = _kth(smallest, top) + margin
        probe, chunk = torch.nonzero(smallest <= limit[:, None], as_tuple=True)
        if len(probe) > _MOST_CHUNKS * len(smallest):
            return None
        values = self._again(probe, chunk)
        few = values.topk(min(top, _CHUNK), dim=1, largest=False).values
        limit = _kth(_beside_each_other(few, probe, len(smallest)), top) + margin
        pair, column = torch.nonzero(values <= limit[probe][:, None], as_tuple=True)
        rows = chunk[pair] * _CHUNK + column
        real = rows < len(self._vectors)
        return probe[pair][real].cpu().numpy(), rows[real].cpu().numpy()

    def _smallest(self) -> torch.Tensor:
        """The smallest estimate of every chunk of rows, shape (p, chunks)."""
        rows, columns = self._vectors.shape
        most = min(_BLOCK_ENTRIES // len(self._probes), _BLOCK_BYTES // (4 * max(1, columns)))
        step = max(1, most // _CHUNK) * _CHUNK
        found = []
        for first in range(0, rows, step):
            moved, squares = self._form.move(
                self._vectors[first : first + step].float(), self._centre
            )
            self._largest = torch.maximum(self._largest, squares.max())
            if self._form.addend:
                # In one pass with the product.
                values = torch.addmm(squares.float(), self._probes, moved.T)
            else:
                values = self._probes @ moved.T
            lacking = -values.shape[1] % _CHUNK
            values = torch.nn.functional.pad(values, (0, lacking), value=torch.inf)
            found.append(values.view(len(values), -1, _CHUNK).amin(dim=2))
        return torch.cat(found, dim=1)

    def _again(self, probe: torch.Tensor, chunk: torch.Tensor) -> torch.Tensor:
        """Estimates of all rows of some chunks, each for one probe, shape (pairs, 256)."""
        total, columns = self._vectors.shape
        step = max(1, _BLOCK_BYTES // (4 * _CHUNK * max(1, columns)))
        within = torch.arange(_CHUNK, device=chunk.device)
        values = torch.empty((len(chunk), _CHUNK), device=chunk.device)
        for start in range(0, len(chunk), step):
            some = slice(start, start + step)
            rows = chunk[some, None] * _CHUNK + within
            taken = self._vectors[rows.clamp(max=total - 1).flatten()].float()
            moved, squares = self._form.move(taken, self._centre)
            moved = moved.view(-1, _CHUNK, columns)
            part = torch.bmm(moved, self._probes[probe[some]][:, :, None])[:, :, 0]
            if self._form.addend:
                part += squares.float().view(part.shape)
            values[some] = torch.where(rows < total, part, torch.inf)
        return values

    def _bound(self, largest: float) -> torch.Tensor:
        """How far an estimate of each probe may be from the distance, shape (p,), float64."""
        columns = self._vectors.shape[1]
        growth = columns * _UNIT / (1.0 - min(0.5, columns * _UNIT))
        if not self._form.addend:
            # The product of two vectors of length 1; rounding them; the same in the direct way.
            bound = 1.01 * growth + 8.0 * _UNIT + 4.0 * (columns + 4) * _EPS
            return torch.full_like(self._squares, bound)
        products = torch.sqrt(self._squares * largest)
        sums = (torch.sqrt(self._squares) + np.sqrt(largest)) ** 2
        # First the product; then moving, squaring and adding up, in this and in the direct way.
        bounds = self._form.scale * growth * products + (20.0 * _UNIT + columns * _EPS) * sums
        return bounds + columns * float(np.finfo(np.float32).tiny)


def _kth(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest of each row in float64; infinite where there are fewer."""
    if values.shape[1] < k:
        return torch.full((len(values),), torch.inf, dtype=torch.float64, device=values.device)
    kth = values.amin(dim=1) if k == 1 else values.kthvalue(k, dim=1).values
    return kth.double()


def _beside_each_other(values: torch.Tensor, row: torch.Tensor, rows: int) -> torch.Tensor:
    """Values of equal `row`, which is sorted, in one row, filled up with infinity."""
    counts = torch.bincount(row, minlength=rows)
    first = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(row), device=row.device) - first[row]
    table = values.new_full((rows, int(counts.max()), values.shape[1]), torch.inf)
    table[row, place] = values
    return table.flatten(1)
