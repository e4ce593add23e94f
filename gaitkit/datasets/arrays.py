"""All frames of one sequence in one file: a pickle as OpenGait keeps it, ``.npy`` or ``.npz``.

Nothing in such a file is run: `gaitkit.datasets.pickled` reads the pickles, and of NumPy's own
formats only arrays of plain numbers are taken, whose bytes are there in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import MAX_NAME
from gaitkit.datasets.archives import open_container
from gaitkit.datasets.naming import clean_text, suffix_of
from gaitkit.datasets.pickled import (
    MAX_ARRAY_BYTES,
    DamagedArrayError,
    array_of,
    read_pickled_array,
)
from gaitkit.datasets.sources import Frame, Unreadable
from gaitkit.errors import ArchiveError, OptionError
from gaitkit.printable import LETTERS, printable
from gaitkit.silhouettes.masks import as_greys

__all__ = ["array_frames", "read_array", "read_npy"]

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
# What NumPy writes, and nothing else that the format would allow: no records, no objects.
_HEADER = re.compile(
    r"\{'descr': '(?P<order>[<>|=])(?P<code>b1|[ui][1248]|f[248]|U[1-9]\d{0,5})', "
    r"'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,19}L?, ?)*(?:\d{1,19}L?)?)\), ?\} *\n?"
)


def read_npy(data: bytes, label: str = "the file", *, text: bool = False) -> NDArray[np.generic]:
    """The array of numbers in a ``.npy`` file.

    Parameters
    ----------
    data : bytes
        The whole file.
    label : str
        The file, for messages.
    text : bool
        Whether it may hold text instead.

    Returns
    -------
    ndarray
        A read-only view of `data`.

    Raises
    ------
    DamagedArrayError
        It is no such file, cut short, or holds something else than plain numbers.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> np.save(file, np.arange(3, dtype=np.uint8))
    >>> read_npy(file.getvalue())
    array([0, 1, 2], dtype=uint8)
    """
    wide = 4 if data[6:7] in (b"\2", b"\3") else 2
    start = 8 + wide
    end = start + int.from_bytes(data[8:start], "little")
    if data[:6] != _MAGIC or data[6:7] not in (b"\1", b"\2", b"\3") or end > len(data):
        raise DamagedArrayError(f"{label} is no whole .npy file.", hint="Copy or make it again.")
    head = data[start : min(end, start + _MAX_HEADER)].decode("latin-1")
    header = _HEADER.fullmatch(head)
    if header is None or (header["code"].startswith("U") and not text):
        raise DamagedArrayError(
            f"{label} holds something else than an array of numbers: "
            f"{printable(head.strip(), LETTERS)}",
            hint="Save one array of silhouettes, uint8 of shape (frames, height, width).",
        )
    dtype = np.dtype(header["order"].replace("|", "=") + header["code"])
    shape = tuple(int(size) for size in re.findall(r"\d+", header["shape"]))
    order = "F" if header["fortran"] == "True" else "C"
    return array_of(memoryview(data)[end:], dtype, shape, order=order, label=label)


def _read_npz(data: bytes, label: str) -> NDArray[np.generic]:
    """The only array of three axes in a ``.npz`` file."""
    try:
        with open_container(data, label) as container:
            members = [member for member in container.members() if not member.is_folder]
            if sum(member.size for member in members) > MAX_ARRAY_BYTES:
                raise DamagedArrayError(f"{label} expands to more than {MAX_ARRAY_BYTES:,} bytes.")
            arrays = [
                read_npy(container.read(member), f"{label}/{'/'.join(member.parts)}")
                for member in members
                if suffix_of(member.parts[-1]) == ".npy"
            ]
    except ArchiveError as error:
        raise DamagedArrayError(error.message, hint=error.hint) from error
    found = [array for array in arrays if array.ndim == 3]
    if len(found) != 1:
        raise DamagedArrayError(
            f"{label} should hold one array of shape (frames, height, width), it holds "
            f"{len(found)} of {len(arrays)}.",
            hint="Save one array of silhouettes.",
        )
    return found[0]


def read_array(data: bytes, label: str = "the file") -> NDArray[np.uint8]:
    """The silhouettes of one sequence in a pickle, ``.npy`` or ``.npz``, told by its content.

    Parameters
    ----------
    data : bytes
        The whole file.
    label : str
        The file, for messages.

    Returns
    -------
    ndarray of uint8, shape (frames, height, width)
        Greys from 0 to 255: bytes as they are, masks of 0 and 1 and other kinds of numbers as
        `gaitkit.silhouettes.as_greys` takes them. Read-only where nothing had to be changed.

    Raises
    ------
    ArchiveError
        It is a pickle that asks for something else than an array of numbers.
    DamagedArrayError
        There is no whole array of such numbers and such a shape.

    Examples
    --------
    >>> import pickle
    >>> read_array(pickle.dumps(np.ones((2, 64, 44), bool))).max()
    np.uint8(255)
    """
    if data.startswith(_MAGIC):
        array = read_npy(data, label)
    elif data.startswith(b"PK"):
        array = _read_npz(data, label)
    else:
        array = read_pickled_array(data, label)
    if array.ndim != 3:
        shape = "x".join(map(str, array.shape)) or "one number"
        raise DamagedArrayError(
            f"{label} should hold an array of shape (frames, height, width), it has {shape}.",
            hint="Save one array of silhouettes.",
        )
    if not array.size:
        return np.zeros((0, 1, 1), np.uint8)
    try:
        return as_greys(array, "silhouettes")
    except OptionError as error:
        raise DamagedArrayError(f"{label}: {error.message}", hint=error.hint) from error


def array_frames(name: str, data: bytes, label: str) -> Iterator[Frame]:
    """Each frame of an array file, named by the file and its number.

    Parameters
    ----------
    name : str
        Name of the file, without folders.
    data : bytes
        Its content.
    label : str
        Where the file is, for an error.

    Yields
    ------
    name : str
        ``090-001`` for the first frame of ``090.pkl``.
    frame : ndarray of uint8, shape (height, width), or Unreadable
        What cannot be read is one frame that tells why.

    Raises
    ------
    ArchiveError
        It is a pickle that asks for something else than an array of numbers.
    """
    try:
        # What is dropped is told without folders: a tree and its zip must not differ in it.
        frames = read_array(data, clean_text(name))
    except DamagedArrayError as error:
        yield clean_text(name), Unreadable(data, error.message)
        return
    except ArchiveError:
        read_array(data, label)
        raise
    # A name has to be one that a table of frames holds, its number included.
    stem = PurePath(clean_text(name)).stem[: MAX_NAME - 9]
    digits = max(3, len(str(len(frames))))
    for number, frame in enumerate(frames, start=1):
        yield f"{stem}-{number:0{digits}d}", frame
