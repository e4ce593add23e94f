"""What of an HDF5 file an artefact uses: plain arrays and root attributes, and nothing else.

Links, external and virtual storage, foreign filters, objects and text of variable length are
refused before a value is read: each of them makes libhdf5 read other files, load other code or
follow pointers that somebody else wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import MAX_NAME
from gaitkit.printable import UNPRINTABLE

__all__ = [
    "ROOT_ATTRIBUTES",
    "ArrayFile",
    "ArrayInfo",
    "H5Arrays",
    "MalformedError",
    "refuse_large_claims",
]

ROOT_ATTRIBUTES = (
    "schema_version",
    "kind",
    "gaitkit_version",
    "parameters",
    "dataset",
    "seed",
    "content_sha256",
    "inputs",
    "ignored",
)

MAX_ARRAYS = 20_000
MAX_DEPTH = 8
MAX_ATTRIBUTE_BYTES = 1 << 20

_CLAIM_BYTES, _CLAIM_RATIO = 512 << 20, 16
_TEXT_BYTES = 64
"""A text in memory, however short."""

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}


class MalformedError(Exception):
    """What is wrong inside a file; the reader adds which file, and how to repair it."""


class ArrayInfo(NamedTuple):
    """What an array claims to be: ``S…`` for text."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all values; an empty axis counts as one, so that the others stay bounded."""
        return self.dtype.itemsize * self._count

    @property
    def claimed_bytes(self) -> int:
        """Bytes that the values take in memory, where each text is an object of its own."""
        return self.nbytes + (_TEXT_BYTES * self._count if self.dtype.kind == "S" else 0)

    @property
    def _count(self) -> int:
        return math.prod(max(1, length) for length in self.shape)


def refuse_large_claims(arrays: Mapping[str, ArrayInfo], file_bytes: int) -> None:
    """Raise `MalformedError` where arrays claim far more than their file can hold.

    All together may claim 512 MiB and sixteen times the size of the file: real artefacts stay far
    below, and a small file that unpacks to more than the machine has is refused here.
    """
    claimed = sum(info.claimed_bytes for info in arrays.values())
    if claimed > _CLAIM_BYTES + _CLAIM_RATIO * file_bytes:
        raise MalformedError(f"its {file_bytes:,} bytes claim to hold {claimed:,} bytes of arrays")


class ArrayFile(Protocol):
    """Where an `Artifact` reads; every method may raise `MalformedError`."""

    def attributes(self) -> dict[str, str | int]:
        """Those of `ROOT_ATTRIBUTES` that there are."""

    def arrays(self) -> dict[str, ArrayInfo]:
        """Every array by its full name."""

    def read(self, name: str, rows: slice | None) -> NDArray[Any]:
        """Rows ``start:stop`` along the first axis, or all; text as bytes."""

    def close(self) -> None:
        """Close the file."""


class H5Arrays:
    """An HDF5 file, read in this process.

    Parameters
    ----------
    path : Path
        The file; its envelope has been checked.

    Raises
    ------
    MalformedError
        When libhdf5 cannot open it.
    """

    def __init__(self, path: Path) -> None:
        self._file_bytes = path.stat().st_size
        with _told("libhdf5 cannot open it"):
            self._file = h5py.File(path, "r")
        self._datasets: dict[str, h5py.Dataset] | None = None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def attributes(self) -> dict[str, str | int]:
        """Those of `ROOT_ATTRIBUTES` that there are: one text or one integer each."""
        with _told("a root attribute is missing or malformed"):
            attributes = self._file.attrs
            return {
                name: _attribute(attributes, name) for name in ROOT_ATTRIBUTES if name in attributes
            }

    def arrays(self) -> dict[str, ArrayInfo]:
        """Every array by its full name, after checking that it is a plain one, of possible size."""
        arrays = {
            name: ArrayInfo(item.dtype, tuple(int(length) for length in item.shape))
            for name, item in self._plain().items()
        }
        refuse_large_claims(arrays, self._file_bytes)
        return arrays

    def read(self, name: str, rows: slice | None) -> NDArray[Any]:
        """Rows along the first axis, or all; text as bytes."""
        dataset = self._plain()[name]
        with _told(f"the array {name!r} cannot be read"):
            return np.asarray(dataset[() if rows is None else rows])

    def _plain(self) -> dict[str, h5py.Dataset]:
        if self._datasets is None:
            with _told("its arrays cannot be listed"):
                self._datasets = dict(_plain_datasets(self._file))
        return self._datasets


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except MalformedError:
        raise
    # About a file that was changed on purpose, h5py raises nearly every built-in exception.
    except Exception as error:
        raise MalformedError(what) from error


def _attribute(attributes: h5py.AttributeManager, name: str) -> str | int:
    found = attributes.get_id(name)
    if found.shape != () or found.get_storage_size() > MAX_ATTRIBUTE_BYTES:
        raise MalformedError(f"the root attribute {name!r} is not one text or number")
    if found.dtype.kind in "iu":
        return int(attributes[name])
    if found.dtype.kind != "S":
        raise MalformedError(f"the root attribute {name!r} is not one text or number")
    value = attributes[name]
    return bytes(value).decode() if isinstance(value, bytes) else str(value)


def _plain_datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    # A hard link can name a group inside itself, and two of those make a tree without end.
    seen = {_address(file)}
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        for name in group:
            path = f"{prefix}{name}"
            # Messages and listings repeat it.
            if len(path) > MAX_NAME or UNPRINTABLE.search(path):
                raise MalformedError("the name of an array is no short text")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise MalformedError(f"{path} is a link")
            item = group[name]
            if _address(item) in seen or len(seen) > MAX_ARRAYS or path.count("/") > MAX_DEPTH:
                raise MalformedError(
                    f"{path} lies too deep, or in two places, or there are too many"
                )
            seen.add(_address(item))
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset) and _is_plain(item):
                yield path, item
            else:
                raise MalformedError(f"{path} is not a plain array")


def _address(item: h5py.HLObject) -> tuple[int, int]:
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def _is_plain(item: h5py.Dataset) -> bool:
    properties = item.id.get_create_plist()
    filters = {properties.get_filter(index)[0] for index in range(properties.get_nfilters())}
    of_values = item.dtype.kind in "biufS" and item.shape is not None
    return of_values and not item.is_virtual and not item.external and filters <= _FILTERS
