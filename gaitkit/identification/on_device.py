"""The nearest neighbours on a GPU: distances stay there, and only pairs that matter come back.

As in `gaitkit.identification.matching`, estimates with a bound show which pairs can matter, and
those are decided by direct distances on the host: the device changes no result. What is different
is where the estimates are looked at. A block of them is large, and bringing it to the host takes
longer than computing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import DeviceError, OptionError
from gaitkit.identification.metrics import Metric
from gaitkit.identification.neighbours import Best
from gaitkit.identification.products import (
    COLUMNS,
    LARGEST,
    SMALLEST,
    cosine_bound,
    euclidean_bound,
    get_product,
    unrounded_factors,
)

if TYPE_CHECKING:
    import torch

__all__ = ["DeviceGallery", "Rows", "nearest_on_device"]

_METRICS = ("euclidean", "cosine")
_TYPES = (np.dtype(np.uint8), np.dtype(np.float16), np.dtype(np.float32))
_BLOCK_BYTES = 4 << 30
_CHUNK = 64
_PAIRS = 1 << 22
_FEW_PAIRS = 64


class Rows(Protocol):
    """Enrolled vectors on the host; see `gaitkit.identification.matching.Vectors`."""

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


class _Prepared(NamedTuple):
    """Vectors as their products are computed, on the device.

    Attributes
    ----------
    vectors : Tensor of float32, shape (n, d)
        Moved, or brought to length 1.
    squares : Tensor of float64, shape (n,)
        Their squared lengths; zeros where they do not count.
    """

    vectors: torch.Tensor
    squares: torch.Tensor


class _Space:
    """How a metric's vectors are prepared, and how far its estimates may be off.

    Parameters
    ----------
    metric : Metric
        Euclidean or cosine.
    like : ndarray, shape (k, d)
        Some of the vectors: Euclidean ones are all moved by their mean, which makes the bound
        smaller and changes no distance.
    dtype : dtype
        Common dtype of gallery and probes.
    device : str
        Where.
    """

    def __init__(
        self, metric: Metric, like: NDArray[Any], dtype: np.dtype[Any], device: str
    ) -> None:
        import torch

        self.cosine = metric.name == "cosine"
        self.bytes = dtype == np.uint8 and not self.cosine
        self.device = device
        mean = like.mean(axis=0, dtype=np.float64) if len(like) else np.zeros(like.shape[1])
        centre = np.full(like.shape[1], 128.0) if self.bytes else mean
        self._centre = torch.from_numpy(centre.astype(np.float32)).to(device)

    def prepare(self, vectors: NDArray[Any]) -> _Prepared:
        """Bring vectors to the device."""
        import torch

        raw = torch.from_numpy(np.ascontiguousarray(vectors)).to(self.device)
        if not self.cosine:
            moved = raw.to(torch.float32) - self._centre
            return _Prepared(moved, moved.square().sum(dim=1, dtype=torch.float64))
        exact = raw.to(torch.float64)
        lengths = torch.linalg.vector_norm(exact, dim=1, keepdim=True)
        unit = exact.div_(torch.where(lengths > 0, lengths, 1.0)).to(torch.float32)
        return _Prepared(unit, torch.zeros(len(unit), dtype=torch.float64, device=self.device))

    def usable(self, largest: float) -> bool:
        """Whether single precision can square what has this largest squared length."""
        return self.cosine or largest == 0 or SMALLEST < largest < LARGEST

    def offset(self, probes: _Prepared) -> NDArray[np.float64]:
        """What all of a probe's distances have in common."""
        found: NDArray[np.float64] = probes.squares.cpu().numpy()
        return np.ones(len(found)) if self.cosine else found

    def bound(
        self, offset: NDArray[np.float64], largest: float, columns: int
    ) -> NDArray[np.float64]:
        """No estimate of a probe's distance is further from the direct one, shape (p,)."""
        if self.cosine:
            return np.full(len(offset), cosine_bound(columns, single=True))
        # A last sum in single precision is among what the bound leaves room for, twice over.
        return np.asarray(1.25 * euclidean_bound(columns, offset, largest, single=True))

    def estimates(self, probes: torch.Tensor, gallery: _Prepared) -> torch.Tensor:
        """Distances less the offset, shape (p, r); `probes` were multiplied by `factor`."""
        import torch

        columns = probes.shape[1]
        if columns <= COLUMNS and not self.bytes:
            squares = gallery.squares.to(torch.float32)
            return torch.addmm(squares, probes, gallery.vectors.T)
        total = gallery.squares.expand(len(probes), -1).clone()
        for start in range(0, columns, COLUMNS):
            part = slice(start, start + COLUMNS)
            total += probes[:, part] @ gallery.vectors[:, part].T
        return total

    @property
    def factor(self) -> float:
        """By which the probes are multiplied, once."""
        return -1.0 if self.cosine else -2.0


class DeviceGallery:
    """Enrolled vectors that lie on a device, to be searched again and again.

    Parameters
    ----------
    vectors : ndarray, memory map, or the like, shape (n, d)
        uint8, float16 or float32. They stay where they are as well: what an estimate leaves open is
        decided by them.
    metric : Metric
        Euclidean or cosine; the searches' metric.
    device : str
        Where; they take four bytes for each value there.

    Raises
    ------
    OptionError
        The metric or the type of the vectors cannot be used, or there is no such device.
    DeviceError
        The device has too little memory.
    """

    def __init__(self, vectors: Rows, metric: Metric, *, device: str = "cuda") -> None:
        if metric.name not in _METRICS or vectors.dtype not in _TYPES:
            raise OptionError(
                f"{metric.name} distances of {vectors.dtype} vectors are not computed on a device.",
                hint=f"Use {' or '.join(_METRICS)}, and vectors of single precision or bytes.",
            )
        get_product(device)
        self._vectors = vectors
        self.metric = metric
        rows = np.arange(vectors.shape[0], dtype=np.int64)
        held = max(1, (1 << 28) // max(1, 4 * vectors.shape[1]))
        self.space = _Space(metric, vectors[rows[:held]], vectors.dtype, device)
        with _memory_told():
            self._whole = self._prepared(rows, held)
        self.largest = float(self._whole.squares.max()) if len(rows) else 0.0

    def _prepared(self, rows: NDArray[np.int64], held: int) -> _Prepared:
        import torch

        vectors = torch.empty(self.shape, dtype=torch.float32, device=self.space.device)
        squares = torch.empty(len(rows), dtype=torch.float64, device=self.space.device)
        for start in range(0, len(rows), held):
            part = slice(start, start + held)
            vectors[part], squares[part] = self.space.prepare(_taken(self._vectors, rows[part]))
        return _Prepared(vectors, squares)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self._vectors.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the vectors on the host."""
        return self._vectors.dtype

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        """Some rows, from the host."""
        return self._vectors[rows]

    def block(self, rows: NDArray[np.int64]) -> _Prepared:
        """Some rows on the device."""
        import torch

        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            return _Prepared(self._whole.vectors[part], self._whole.squares[part])
        chosen = torch.from_numpy(rows).to(self.space.device)
        return _Prepared(self._whole.vectors[chosen], self._whole.squares[chosen])


def nearest_on_device(
    gallery: Rows,
    rows: NDArray[np.int64],
    probes: NDArray[Any],
    metric: Metric,
    top: int,
    device: str,
    pool: ThreadPoolExecutor,
    *,
    block_rows: int | None = None,
) -> Best | None:
    """The nearest gallery rows of each probe, or `None` where this is not the way to find them.

    Parameters
    ----------
    gallery : Rows, shape (n, d)
        Enrolled vectors on the host, or a `DeviceGallery`.
    rows : ndarray of int64, shape (r,)
        Those to search, ascending, at least one.
    probes : ndarray, shape (p, d)
        Searched vectors, at least one.
    metric : Metric
        How distance is measured.
    top : int
        How many nearest rows are wanted.
    device : str
        Where; that of a `DeviceGallery` goes before it.
    pool : ThreadPoolExecutor
        For what is computed directly.
    block_rows : int, optional
        Gallery rows held at a time; by default what a few GiB hold. Does not change the result.

    Raises
    ------
    DeviceError
        The device has too little memory.
    """
    dtype = np.result_type(gallery.dtype, probes.dtype)
    if metric.name not in _METRICS or dtype not in _TYPES:
        return None
    if isinstance(gallery, DeviceGallery) and gallery.metric.name != metric.name:
        return None
    with _memory_told(), unrounded_factors():
        search = _Search(gallery, probes, metric, dtype, device, pool)
        if not search.space.usable(search.largest):
            return None
        return search.run(rows, top, block_rows)


class _Launched(NamedTuple):
    """A block whose estimates the device has been told to compute.

    Attributes
    ----------
    rows : ndarray of int64, shape (r,)
        Its gallery rows.
    estimates : Tensor, shape (p, r)
    largest : float
        The largest squared length of all that the bound is of.
    """

    rows: NDArray[np.int64]
    estimates: torch.Tensor
    largest: float


class _Search:
    """One search in one gallery."""

    def __init__(
        self,
        gallery: Rows,
        probes: NDArray[Any],
        metric: Metric,
        dtype: np.dtype[Any],
        device: str,
        pool: ThreadPoolExecutor,
    ) -> None:
        import torch

        self._gallery, self._raw, self._metric, self._pool = gallery, probes, metric, pool
        self._there = gallery if isinstance(gallery, DeviceGallery) else None
        space = _Space(metric, probes, dtype, device) if self._there is None else self._there.space
        self.space = space
        # Products of bytes have no error, of whatever else they have one.
        self._exact = space.bytes and dtype == np.uint8
        prepared = space.prepare(probes)
        self._offset = space.offset(prepared)
        self.largest = float(self._offset.max())
        if self._there is not None:
            self.largest = max(self.largest, self._there.largest)
        self._probes = prepared.vectors.mul_(space.factor)
        self._torch = torch
        self._columns = probes.shape[1]

    def run(self, rows: NDArray[np.int64], top: int, block_rows: int | None) -> Best | None:
        best = Best(len(self._raw), top)
        blocks = self._blocks(rows, block_rows)
        launched: _Launched | None = self._launch(next(blocks))
        while launched is not None:
            part, estimates, largest = launched
            if not self.space.usable(largest):
                return None
            bound = self._bound(largest)
            found = list(self._open_pairs(best, estimates, bound))
            # The device computes the next block while this one's open pairs are decided here.
            following = next(blocks, None)
            launched = None if following is None else self._launch(following)
            for probe, column, value in found:
                if value is None:
                    value = self._direct(probe, part[column])
                best.merge(probe, value, part[column])
        return best

    def _bound(self, largest: float) -> NDArray[np.float64]:
        if self._exact:
            return np.zeros(len(self._offset))
        return self.space.bound(self._offset, largest, self._columns)

    def _blocks(
        self, rows: NDArray[np.int64], block_rows: int | None
    ) -> Iterator[NDArray[np.int64]]:
        if block_rows is None:
            each = 24 * len(self._raw) + 16 * self._columns
            block_rows = max(_CHUNK, self._room() // each // _CHUNK * _CHUNK)
        for start in range(0, len(rows), block_rows):
            yield rows[start : start + block_rows]

    def _room(self) -> int:
        if self.space.device != "cuda":
            return _BLOCK_BYTES // 16
        free = int(self._torch.cuda.mem_get_info()[0])
        return min(_BLOCK_BYTES, free // 4)

    def _launch(self, rows: NDArray[np.int64]) -> _Launched:
        if self._there is not None:
            block, largest = self._there.block(rows), self._there.largest
        else:
            block = self.space.prepare(_taken(self._gallery, rows))
            largest = max(self.largest, float(block.squares.max()))
        return _Launched(rows, self.space.estimates(self._probes, block), largest)

    def _open_pairs(
        self, best: Best, estimates: torch.Tensor, bound: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64] | None]]:
        """Pairs that can be among the nearest, as `Best.update` has them, and exact distances."""
        torch = self._torch
        worst = best.distance[:, -1] - self._offset + bound
        limit = _kth(estimates, best.row.shape[1]).to(torch.float64)
        limit = limit + torch.from_numpy(2.0 * bound).to(limit.device)
        limit = torch.minimum(limit, torch.from_numpy(worst).to(limit.device))
        if estimates.dtype == torch.float32:
            # Rounded up: nothing within the limit may be left out.
            single = limit.to(torch.float32)
            limit = torch.nextafter(single, torch.full_like(single, torch.inf))
        close = estimates <= limit.unsqueeze(1)
        step = len(close)
        if int(close.sum()) > _PAIRS:
            step = max(1, _PAIRS // close.shape[1])
        for start in range(0, len(close), step):
            probe, column = torch.nonzero(close[start : start + step], as_tuple=True)
            if not len(probe):
                continue
            values = None
            if self._exact:
                values = estimates[start + probe, column].cpu().numpy()
            probes = probe.cpu().numpy() + start
            if values is not None:
                values = values + self._offset[probes]
            yield probes, column.cpu().numpy(), values

    def _direct(self, probe: NDArray[np.intp], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        def few(start: int) -> NDArray[np.float64]:
            some = slice(start, start + _FEW_PAIRS)
            return self._metric.direct(self._gallery[rows[some]], self._raw[probe[some]])

        return np.concatenate(list(self._pool.map(few, range(0, len(probe), _FEW_PAIRS))))


def _kth(estimates: torch.Tensor, k: int) -> torch.Tensor:
    """A number that the k-th smallest estimate of each probe does not exceed, shape (p,)."""
    import torch

    columns = estimates.shape[1]
    if k == 1:
        return estimates.amin(dim=1)
    if k >= columns:
        return estimates.amax(dim=1)
    whole = columns // _CHUNK * _CHUNK
    if whole // _CHUNK < k:
        return torch.topk(estimates, k, dim=1, largest=False).values[:, -1]
    # The smallest of each chunk: k of them are k estimates.
    smallest = estimates[:, :whole].view(len(estimates), -1, _CHUNK).amin(dim=2)
    return torch.topk(smallest, k, dim=1, largest=False).values[:, -1]


def _taken(vectors: Rows, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Some rows; of an array without a copy where they follow each other."""
    if isinstance(vectors, np.ndarray) and len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        part: NDArray[Any] = vectors[int(rows[0]) : int(rows[-1]) + 1]
        return part
    return vectors[rows]


@contextmanager
def _memory_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        text = " ".join(str(error).split())
        raise DeviceError(
            f"The device has too little memory for this search: {text[:160]}",
            hint="Free its memory, or search on the processor.",
        ) from error
