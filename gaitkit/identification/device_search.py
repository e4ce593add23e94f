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

from gaitkit.errors import DeviceError, OptionError
from gaitkit.identification.distances import EPS, can_be_squared, cosine_bound, growth_of, unit

__all__ = ["COSINE", "EUCLIDEAN", "DeviceGallery", "ProductForm", "nearest_rows"]

_CHUNK = 256
_PROBES = 4096
_BLOCK_ENTRIES = 1 << 26
_BLOCK_BYTES = 1 << 30
_MOST_CHUNKS = 64
"""Chunks of a probe, in the mean, that are looked at again; beyond, nothing is gained here."""

Moved = tuple[torch.Tensor, torch.Tensor]
Direct = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Direct distances of pairs of gallery rows and probes."""


@dataclass(frozen=True)
class ProductForm:
    """How a metric's distance becomes a product of matrices.

    The distance is ``offset(p) + addend(g) - scale * p·g`` of vectors that were moved first.

    Attributes
    ----------
    centred : bool
        Whether all vectors are moved by the gallery's mean first: distances stay, errors shrink.
    move : callable
        Of float32 vectors and the centre, on the device: the vectors as they are multiplied, and
        their squared lengths in float64.
    addend : bool
        Whether the squared lengths of both are added.
    scale : float
        See above.
    """

    centred: bool
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


EUCLIDEAN = ProductForm(True, _moved, addend=True, scale=2.0)
COSINE = ProductForm(False, _of_length_1, addend=False, scale=1.0)


class DeviceGallery:
    """Enrolled vectors that lie on a device as they are multiplied there, for many searches.

    They take four bytes a value on the device, and half as much again while they are brought there.

    Parameters
    ----------
    vectors : ndarray of uint8, float16 or float32, shape (n, d)
        Finite; kept in host memory as well, for what is computed directly.
    form : ProductForm
        The metric's, `EUCLIDEAN` or `COSINE`.
    device : str
        Of torch.

    Raises
    ------
    OptionError
        The vectors have another type or shape.
    DeviceError
        They do not fit on the device.
    """

    def __init__(
        self, vectors: NDArray[Any], form: ProductForm = EUCLIDEAN, device: str = "cuda"
    ) -> None:
        if vectors.ndim != 2 or vectors.dtype not in (np.uint8, np.float16, np.float32):
            raise OptionError(
                f"A gallery on a device is of uint8, float16 or float32 and of shape (rows, "
                f"values), got {vectors.dtype} of shape {vectors.shape}."
            )
        self.vectors, self.form = vectors, form
        rows, columns = vectors.shape
        step = max(1, _BLOCK_BYTES // (4 * max(1, columns)))
        centre = np.zeros(columns, dtype=np.float32)
        if form.centred and rows:
            # Any point near the middle will do.
            centre = vectors[:: max(1, rows // 4096)].mean(axis=0, dtype=np.float64)
        try:
            self.centre = torch.from_numpy(np.asarray(centre, dtype=np.float32)).to(device)
            self.moved = torch.empty((rows, columns), device=device)
            self.squares = torch.empty(rows, dtype=torch.float64, device=device)
            for first in range(0, rows, step):
                some = slice(first, first + step)
                part = torch.from_numpy(np.ascontiguousarray(vectors[some])).to(device).float()
                self.moved[some], self.squares[some] = form.move(part, self.centre)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(
                f"{4 * vectors.size / 2**30:.1f} GiB of vectors do not fit on the device.",
                hint="Search in the array itself: it is brought to the device part by part.",
            ) from error
        self.largest = float(self.squares.max()) if rows else 0.0

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
        for first, part in _parts(gallery, form, device):
            for start in range(0, len(probes), _PROBES):
                pairs = _Part(part, probes[start : start + _PROBES]).candidates(top)
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
    gallery: DeviceGallery | NDArray[Any], form: ProductForm, device: str
) -> Iterator[tuple[int, DeviceGallery]]:
    """First row and vectors of each part that the device has room for."""
    if isinstance(gallery, DeviceGallery):
        yield 0, gallery
        return
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else 1 << 34
    size = max(_CHUNK, int(0.4 * free) // (4 * max(1, gallery.shape[1])))
    for first in range(0, len(gallery), size):
        yield first, DeviceGallery(gallery[first : first + size], form, device)


class _Part:
    """A part of the gallery that lies on the device, and some probes beside it."""

    def __init__(self, gallery: DeviceGallery, probes: NDArray[Any]) -> None:
        self._gallery, self._form = gallery, gallery.form
        here = gallery.moved.device
        searched = torch.from_numpy(np.ascontiguousarray(probes)).to(here).float()
        moved, self._squares = self._form.move(searched, gallery.centre)
        self._probes = moved * -self._form.scale

    def candidates(self, top: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Probes and rows of all pairs that may be among the nearest; `None` to give it up."""
        largest = max(self._gallery.largest, float(self._squares.max()))
        if not can_be_squared(largest):
            return None
        smallest = self._smallest()
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
        real = rows < self._gallery.shape[0]
        return probe[pair][real].cpu().numpy(), rows[real].cpu().numpy()

    def _smallest(self) -> torch.Tensor:
        """The smallest estimate of every chunk of rows, shape (p, chunks)."""
        rows = self._gallery.shape[0]
        step = max(1, _BLOCK_ENTRIES // len(self._probes) // _CHUNK) * _CHUNK
        found = []
        for first in range(0, rows, step):
            some = slice(first, first + step)
            vectors = self._gallery.moved[some].T
            if self._form.addend:
                # In one pass with the product.
                squares = self._gallery.squares[some].float()
                values = torch.addmm(squares, self._probes, vectors)
            else:
                values = self._probes @ vectors
            if lacking := -values.shape[1] % _CHUNK:
                values = torch.nn.functional.pad(values, (0, lacking), value=torch.inf)
            found.append(values.view(len(values), -1, _CHUNK).amin(dim=2))
        return torch.cat(found, dim=1)

    def _again(self, probe: torch.Tensor, chunk: torch.Tensor) -> torch.Tensor:
        """Estimates of all rows of some chunks, each for one probe, shape (pairs, 256)."""
        total, columns = self._gallery.shape
        step = max(1, _BLOCK_BYTES // (4 * _CHUNK * max(1, columns)))
        within = torch.arange(_CHUNK, device=chunk.device)
        values = torch.empty((len(chunk), _CHUNK), device=chunk.device)
        for start in range(0, len(chunk), step):
            some = slice(start, start + step)
            rows = chunk[some, None] * _CHUNK + within
            real = rows.clamp(max=total - 1)
            moved = self._gallery.moved[real.flatten()].view(-1, _CHUNK, columns)
            part = torch.bmm(moved, self._probes[probe[some]][:, :, None])[:, :, 0]
            if self._form.addend:
                part += self._gallery.squares[real].float()
            values[some] = torch.where(rows < total, part, torch.inf)
        return values

    def _bound(self, largest: float) -> torch.Tensor:
        """How far an estimate of each probe may be from the distance, shape (p,), float64."""
        columns = self._gallery.shape[1]
        growth = growth_of(columns, single=True)
        if not self._form.addend:
            bound = cosine_bound(columns, growth, single=True)
            return torch.full_like(self._squares, bound)
        products = torch.sqrt(self._squares * largest)
        sums = (torch.sqrt(self._squares) + np.sqrt(largest)) ** 2
        # First the product; then moving, squaring and adding up, in this and in the direct way.
        bounds: torch.Tensor = (
            self._form.scale * growth * products + (20.0 * unit(True) + columns * EPS) * sums
        )
        bounds += columns * float(np.finfo(np.float32).tiny)
        return bounds


def _kth(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest of each row in float64; infinite where there are fewer."""
    if values.shape[1] < k:
        return torch.full((len(values),), torch.inf, dtype=torch.float64, device=values.device)
    kth = values.amin(dim=1) if k == 1 else values.kthvalue(k, dim=1).values
    doubled: torch.Tensor = kth.double()
    return doubled


def _beside_each_other(values: torch.Tensor, row: torch.Tensor, rows: int) -> torch.Tensor:
    """Values of equal `row`, which is sorted, in one row, filled up with infinity."""
    counts = torch.bincount(row, minlength=rows)
    first = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(row), device=row.device) - first[row]
    table = values.new_full((rows, int(counts.max()), values.shape[1]), torch.inf)
    table[row, place] = values
    return table.flatten(1)
