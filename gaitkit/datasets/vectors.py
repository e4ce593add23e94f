"""Identity embeddings that somebody else computed: vectors and their key columns in one npz.

Read are arrays of plain numbers and of text, whose bytes are there in full; nothing is unpickled.

=================  ============================  ==================================================
what               gaitkit's names               OpenGait's names
=================  ============================  ==================================================
vectors            ``vectors``: (n, values) or   ``embeddings``: (n, values, parts), as its models
                   (n, parts, values)            return them
subject            ``subject``                   ``labels``
condition, take    ``condition``, ``take``       ``types``: ``nm-01``
view, degrees      ``view``; NaN for unknown     ``views``: ``090``
=================  ============================  ==================================================
"""

from __future__ import annotations

import lzma
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import check_name
from gaitkit.artifacts.embeddings import MAX_PARTS, MAX_VALUES
from gaitkit.datasets.naming import clean_text, parse_sequence, parse_view
from gaitkit.errors import DatasetError, OptionError
from gaitkit.labels import Labels, SequenceKey, is_direction
from gaitkit.printable import counted, quoted
from gaitkit.regular import is_special

__all__ = ["AXES", "GivenVectors", "read_vectors"]

AXES = {"npc": "(n, parts, values)", "ncp": "(n, values, parts)"}
"""How a table of three axes can be laid out, OpenGait's letters: parts and channels."""

MAX_BYTES = 32 << 30
_SPARE_BYTES, _MOST_EXPANSION = 64 << 20, 100
_MAX_MEMBERS = 1000
_BLOCK_BYTES = 16 << 20
_USUAL = ("vectors", "embeddings")
_NAMES = {
    "subject": ("subject", "labels"),
    "condition": ("condition", "types"),
    "take": ("take",),
    "view": ("view", "views"),
}
_NO_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)
"""What a file that is no whole zip makes `zipfile` raise, beside errors of the system."""

_NO_HEADER = (
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)
"""What a header that is none makes NumPy raise, which reads it as Python reads a literal."""

_SAVE = (
    "Save them with numpy.savez(file, vectors=…, subject=…, condition=…, take=…, view=…), or by "
    "OpenGait's names: embeddings, labels, types, views."
)


@dataclass(frozen=True, eq=False)
class GivenVectors:
    """What such a file holds.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n, parts, values)
        Finite.
    labels : Labels
        Key columns, n different rows.
    array : str
        Name of the array that holds the vectors.
    axes : str
        How it was read: a key of `AXES`, or empty for one that has two axes.
    """

    vectors: NDArray[np.float32]
    labels: Labels
    array: str
    axes: str


def read_vectors(path: Path, *, array: str | None = None, axes: str | None = None) -> GivenVectors:
    """Read vectors and key columns out of an npz.

    Parameters
    ----------
    path : Path
        The file.
    array : str, optional
        Name of the array of vectors; by default ``vectors``, ``embeddings``, or the only one of
        floats.
    axes : {"npc", "ncp"}, optional
        How three axes are laid out; see `AXES`. By default as the file's text ``axes`` says; where
        it has none, the shorter one counts the parts.

    Raises
    ------
    DatasetError
        It is no npz of plain arrays, lacks something, holds NaN, or two sequences of one key.
    OptionError
        `array` is not there, or `axes` is needed.
    """
    if axes not in (None, *AXES):
        raise OptionError(f"There are no axes {quoted(axes)}.", hint=f"Choose {' or '.join(AXES)}.")
    if is_special(path):
        raise DatasetError(f"{path} is not a regular file; expected an npz.", hint=_SAVE)
    try:
        with zipfile.ZipFile(path) as zipped:
            members = _Members(path, zipped)
            name = _chosen(path, members, array)
            table = _floats(path, name, members.read(name))
            labels = _labels(path, members, len(table))
            told = axes or members.text("axes")
    except _NO_ZIP as error:
        raise DatasetError(
            f"{path} is no whole npz file, which numpy.savez writes.", hint=_SAVE
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {error.strerror or error}.",
            # Without a name it was not the opening that failed, but what the file says of itself.
            hint=None if error.filename else _SAVE,
        ) from error
    vectors, used = _with_parts(path, name, table, told)
    return GivenVectors(vectors, labels, name, used)


class _Members:
    """The arrays of an npz, their headers checked before anything is allocated."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile) -> None:
        self._path, self._zip = path, zipped
        infos = [info for info in zipped.infolist() if info.filename.endswith(".npy")]
        claimed = sum(info.file_size for info in infos)
        most = min(MAX_BYTES, _SPARE_BYTES + _MOST_EXPANSION * path.stat().st_size)
        if len(infos) > _MAX_MEMBERS or claimed > most:
            raise DatasetError(
                f"{path} claims to hold {counted(len(infos), 'array')} of {claimed:,} bytes, "
                "which its size does not bear out.",
                hint=_SAVE,
            )
        self._infos = {info.filename.removesuffix(".npy"): info for info in infos}
        self.headers = {name: self._header(name) for name in self._infos}

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def _header(self, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        with self._zip.open(self._infos[name]) as file:
            return self._read_header(name, file)

    def _read_header(
        self, name: str, file: IO[bytes]
    ) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        info = self._infos[name]
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(file)
        except _NO_HEADER as error:
            raise DatasetError(
                f"{self._path}: {quoted(name)} is no plain array.", hint=_SAVE
            ) from error
        if dtype.hasobject:
            raise DatasetError(
                f"{self._path}: {quoted(name)} is an array of Python objects, which are not "
                "opened: they could run anything.",
                hint="Save arrays of numbers and text: numpy.array(vectors, dtype='float32'), "
                "numpy.array(names, dtype=str).",
            )
        there = info.file_size - file.tell()
        whole = len(shape) <= 8 and all(type(size) is int and size >= 0 for size in shape)
        if dtype.kind not in "biufSU" or not whole or prod(shape) * dtype.itemsize != there:
            raise DatasetError(
                f"{self._path}: {quoted(name)} is no whole array of numbers or text.", hint=_SAVE
            )
        return shape, fortran, dtype

    def read(self, name: str) -> NDArray[Any]:
        """One array."""
        with self._zip.open(self._infos[name]) as file:
            shape, fortran, dtype = self._read_header(name, file)
            values = np.empty(prod(shape), dtype)
            raw = values.view(np.uint8).data if values.nbytes else memoryview(bytearray())
            for start in range(0, len(raw), _BLOCK_BYTES):
                block = raw[start : start + _BLOCK_BYTES]
                if file.readinto(block) != len(block):  # type: ignore[attr-defined]
                    raise EOFError
        if dtype.kind == "U" and values.nbytes:
            letters = values.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
            if letters.size and letters.max() > sys.maxunicode:
                raise DatasetError(f"{self._path}: {quoted(name)} is no text.", hint=_SAVE)
        return values.reshape(shape, order="F" if fortran else "C")

    def text(self, name: str) -> str | None:
        """A single text; `None` where there is none."""
        if name not in self or self.headers[name][0] != () or self.headers[name][2].kind != "U":
            return None
        return str(self.read(name))


def _chosen(path: Path, members: _Members, array: str | None) -> str:
    """Name of the array of vectors."""
    tables = [
        name
        for name, (shape, _, dtype) in members.headers.items()
        if dtype.kind == "f" and len(shape) in (2, 3)
    ]
    there = ", ".join(quoted(name) for name in list(members.headers)[:8]) or "none"
    if array is not None:
        if array not in members:
            raise OptionError(f"{path} has no array {quoted(array)}; it has {there}.")
        return array
    usual = [name for name in _USUAL if name in members]
    found = usual or tables
    if len(found) != 1:
        raise DatasetError(
            f"{path} should hold one array of vectors, floats of shape (n, values) or (n, parts, "
            f"values); it has {len(found)} such among {there}.",
            hint="Name it: `array`." if found else _SAVE,
        )
    return found[0]


def _floats(path: Path, name: str, table: NDArray[Any]) -> NDArray[np.float32]:
    if table.dtype.kind != "f" or table.ndim not in (2, 3) or not table.size:
        raise DatasetError(
            f"{path}: {quoted(name)} should be floats of shape (n, values) or (n, parts, values), "
            f"it is {table.dtype} of shape {table.shape}.",
            hint=_SAVE,
        )
    with np.errstate(over="ignore", under="ignore"):
        found = table.astype(np.float32, copy=False)
    rest, blocks = tuple(range(1, table.ndim)), min(len(found), 1 + found.nbytes // _BLOCK_BYTES)
    bad = sum(
        int(np.count_nonzero(~np.isfinite(rows).all(axis=rest)))
        for rows in np.array_split(found, blocks)
    )
    if bad:
        raise DatasetError(
            f"{path}: {quoted(name)} contains NaN or infinity in {bad:,} of "
            f"{counted(len(found), 'row')}, or more than float32 holds; distances to them mean "
            "nothing.",
            hint="Compute these vectors again, or leave the sequences out.",
        )
    lost = sum(
        int(np.count_nonzero(given.any(axis=rest) & ~kept.any(axis=rest)))
        for given, kept in zip(
            np.array_split(table, blocks), np.array_split(found, blocks), strict=True
        )
    )
    if lost:
        raise DatasetError(
            f"{path}: {quoted(name)} holds nothing but values that are 0 in float32 in {lost:,} of "
            f"{counted(len(found), 'row')}.",
            hint="Multiply all vectors by one number, so that they are about 1 long.",
        )
    return found


def _with_parts(
    path: Path, name: str, table: NDArray[np.float32], axes: str | None
) -> tuple[NDArray[np.float32], str]:
    used = ""
    if table.ndim == 2:
        table = table[:, None]
    else:
        _, one, other = table.shape
        if axes is not None and axes not in AXES:
            raise DatasetError(
                f"{path}: its text 'axes' is {quoted(axes)}; expected {' or '.join(AXES)}.",
                hint="Give `axes`, which goes before what the file says.",
            )
        if axes not in AXES and one == other > 1:
            raise OptionError(
                f"{path}: {quoted(name)} has the shape {table.shape}; which axis counts the parts "
                "cannot be told.",
                hint="Give `axes='npc'` for (n, parts, values), or `axes='ncp'` for (n, values, "
                "parts), as OpenGait has them.",
            )
        used = axes if axes in AXES else ("npc" if one <= other else "ncp")
        table = table if used == "npc" else table.transpose(0, 2, 1)
    _, parts, values = table.shape
    if parts > MAX_PARTS or parts * values > MAX_VALUES:
        raise DatasetError(
            f"{path}: {quoted(name)} has {counted(parts, 'part')} of {counted(values, 'value')}; "
            f"an embedding has at most {MAX_PARTS} parts and {MAX_VALUES:,} values."
        )
    return table, used


def _labels(path: Path, members: _Members, count: int) -> Labels:
    """Key columns, by gaitkit's names or OpenGait's."""
    found = {
        part: next((name for name in names if name in members), None)
        for part, names in _NAMES.items()
    }
    if found["subject"] is None or found["condition"] is None:
        lacking = " and ".join(
            " or ".join(_NAMES[part]) for part in ("subject", "condition") if found[part] is None
        )
        raise DatasetError(
            f"{path} does not say what its rows are: it lacks {lacking}.", hint=_SAVE
        )
    columns = {
        part: _column(path, members, name, count)
        for part, name in found.items()
        if name is not None
    }
    for part in ("subject", "condition"):
        missing = sum(isinstance(value, float) and value != value for value in columns[part])
        if missing:
            raise DatasetError(
                f"{path}: {quoted(found[part])} is missing (NaN) in {missing:,} of "
                f"{counted(count, 'row')}.",
                hint="Say of every vector whose it is, or leave it out.",
            )
    subjects = [clean_text(_as_text(value)) for value in columns["subject"]]
    conditions = [clean_text(_as_text(value)) for value in columns["condition"]]
    if "take" in columns:
        takes = [_take(path, value) for value in columns["take"]]
    else:
        for name in set(conditions):
            check_name(name, f"each of the {found['condition']} of {path}", error=DatasetError)
        walks = [parse_sequence(name) for name in conditions]
        conditions, takes = [walk[0] for walk in walks], [walk[1] for walk in walks]
    given = columns.get("view", [None] * count)
    views = [_view(path, row, value) for row, value in enumerate(given, 1)]
    for what, names in (("subject", subjects), ("condition", conditions)):
        for name in set(names):
            check_name(name, f"each {what} of {path}", error=DatasetError)
    keys = [SequenceKey(*key) for key in zip(subjects, conditions, takes, views, strict=True)]
    _refuse_duplicates(path, keys)
    return Labels.from_keys(keys)


def _column(path: Path, members: _Members, name: str, count: int) -> list[Any]:
    shape, _, dtype = members.headers[name]
    if shape != (count,):
        raise DatasetError(
            f"{path}: {quoted(name)} has the shape {shape}, and there are "
            f"{counted(count, 'vector')}; each needs one.",
            hint="Save arrays of equal length, in the same order.",
        )
    if dtype.itemsize > 1 << 14:
        raise DatasetError(
            f"{path}: {quoted(name)} holds text of unlikely length, {dtype.itemsize:,} bytes each.",
            hint=_SAVE,
        )
    values = members.read(name)
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{path}: {quoted(name)} is no text in UTF-8.",
                hint="Save names as text, numpy.array(names, dtype=str), and not as bytes.",
            ) from error
    return list(values.tolist())


def _as_text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _take(path: Path, value: Any) -> int:
    text = value.strip() if isinstance(value, str) else value
    try:
        take = int(text)
        fits = 0 <= take < 2**62 and (isinstance(text, str) or take == text)
    except (ValueError, OverflowError):
        fits = False
    if not fits or isinstance(value, bool):
        raise DatasetError(
            f"{path}: a take is a whole number of at least 0 and below 2**62, found "
            f"{quoted(value)}.",
            hint=_SAVE,
        )
    return take


def _view(path: Path, row: int, value: Any) -> float | None:
    view: float | None = value
    if isinstance(value, str):
        view = parse_view(value.strip())
        if view is None and value.strip().lower() in ("", "nan", "unknown"):
            return None
    if not isinstance(value, str) and (view is None or view != view):
        return None
    if view is None or isinstance(view, bool) or not is_direction(view):
        raise DatasetError(
            f"{path}: a view is a number of degrees of at most a full circle (360), found "
            f"{quoted(value)} in row {row}.",
            hint="Leave the column out where views are not known, or write NaN.",
        )
    return float(view) + 0.0


def _refuse_duplicates(path: Path, keys: Collection[SequenceKey]) -> None:
    seen: set[SequenceKey] = set()
    twice = [key for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    if twice:
        raise DatasetError(
            f"{path} has {len(twice):,} of its {counted(len(keys), 'sequence')} more than once: "
            f"{', '.join(map(str, twice[:3]))}{', …' if len(twice) > 3 else ''}.",
            hint="Keep one vector of each sequence, or number further walks as other takes.",
        )
