"""Reading somebody else's file: libhdf5 runs in a child process, and this one gets raw values.

libhdf5 trusts the structure of a file. One that was changed on purpose, with its digest made right
again, can crash the process that opens it, let it run for ever or take all memory. Opening it once
in a child to see whether that survives would prove little: the same damage can pass there and
strike here, and the file can be another one a moment later. So this process never shows libhdf5
the file. The child opens it and answers three questions (attributes, arrays, rows of an array) in
JSON and raw bytes through a pipe; nothing is unpickled, and names, types, shapes and sizes are
checked on this side before anything is allocated. A child that crashes, takes too long or asks for
too much memory means a damaged file; one that was killed from outside, or that this machine has no
memory for, does not, and is no `MalformedError`.

It costs the start of a Python with NumPy and h5py, about 0.2 s, and a copy through the pipe, so
it is for what people hand to each other: models and whatever is inspected, drawn or exported. The
stages open their own pipeline's images and checkpoints in this process.

One child reads one file, so that a hostile file cannot touch what is read from another.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts.arrays import (
    MAX_ARRAYS,
    ArrayInfo,
    H5Arrays,
    MalformedError,
    refuse_large_claims,
)
from gaitkit.child import Child, ChildEndedError, limit_answer, memory_is_short, serving
from gaitkit.printable import UNPRINTABLE

__all__ = ["GuardedArrays", "serve"]

SECONDS = 60.0
"""One answer takes milliseconds; even a loaded machine gives it in this time."""

CHILD_BYTES = 2 << 30
"""Address space of the child (where the system can limit it); it holds one block at a time."""

BLOCK_BYTES = 16 << 20
_SPARE_BYTES = 128 << 20
_ANSWER_BYTES = 64 << 20
_DTYPE = re.compile(r"[<>|](b1|[iu][1248]|f[248]|f16|S[1-9]\d{0,8})")
_START = "from gaitkit.artifacts.guard import serve; serve()"


class GuardedArrays:
    """An HDF5 file, read in a child process.

    Parameters
    ----------
    path : Path
        The file; its envelope has been checked.
    seconds : float
        How long an answer may take.

    Raises
    ------
    MalformedError
        When the child cannot open the file, crashes on it, or does not answer in time.
    LibraryError
        When the child cannot be started, was killed from outside, or finds no memory.
    """

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self._arrays: dict[str, ArrayInfo] | None = None
        self._file_bytes = path.stat().st_size
        self._child = Child(
            _START,
            str(path.resolve()),
            does="reads other people's files",
            needs="h5py",
            seconds=seconds,
            # The file must not be able to name a plug-in that libhdf5 then loads.
            environment={"HDF5_PLUGIN_PRELOAD": "::"},
        )
        try:
            self._ask()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child, which keeps nothing."""
        self._child.close()

    def attributes(self) -> dict[str, str | int]:
        """The root attributes that there are."""
        found = self._ask("attributes")
        if not isinstance(found, dict) or not all(isinstance(v, str | int) for v in found.values()):
            raise MalformedError("a root attribute is missing or malformed")
        return found

    def arrays(self) -> dict[str, ArrayInfo]:
        """Every array by its full name, after checking that all can have their sizes."""
        if self._arrays is None:
            found = self._ask("arrays")
            if not isinstance(found, dict) or len(found) > MAX_ARRAYS:
                raise MalformedError("its arrays cannot be listed")
            arrays = {name: _checked_info(name, item) for name, item in found.items()}
            refuse_large_claims(arrays, self._file_bytes)
            self._arrays = arrays
        return self._arrays

    def read(self, name: str, rows: slice | None) -> NDArray[Any]:
        """Rows along the first axis, or all; text as bytes."""
        dtype, shape = self.arrays()[name]
        if not shape:
            values = np.empty((), dtype)
            self._fill(values.reshape(1), name)
            return values
        start, stop, _ = (rows or slice(None)).indices(shape[0])
        values = np.empty((max(0, stop - start), *shape[1:]), dtype)
        row_bytes = max(1, dtype.itemsize * math.prod(shape[1:]))
        step = max(1, BLOCK_BYTES // row_bytes)
        for first in range(start, stop, step) if values.size else ():
            last = min(first + step, stop)
            self._fill(values[first - start : last - start], name, first, last)
        return values

    def _fill(self, values: NDArray[Any], *question: str | int) -> None:
        if self._ask("read", *question) != values.nbytes:
            raise MalformedError(f"the array {question[0]!r} cannot be read")
        try:
            self._child.fill(values.reshape(-1).view(np.uint8).data)
        except ChildEndedError as error:
            raise self._damage(error) from None

    def _ask(self, *question: str | int) -> Any:
        """Ask a question (none: whether the file could be opened) and take the answer apart."""
        try:
            if question:
                self._child.ask(json.dumps(question).encode() + b"\n")
            answer = self._child.read_line(_ANSWER_BYTES)
            try:
                told = json.loads(answer)
                if "memory" in told:
                    raise self._child.too_little_memory()
                if "error" in told:
                    raise MalformedError(_printable(str(told["error"])))
                return told["value"]
            except (ValueError, TypeError, KeyError, RecursionError):
                raise self._child.gone() from None
        except ChildEndedError as error:
            raise self._damage(error) from None

    def _damage(self, error: ChildEndedError) -> MalformedError:
        if error.ending.kind == "limit":
            return MalformedError(f"reading it takes more than {self._child.seconds:g} s")
        return MalformedError("libhdf5 crashes on it")


def _checked_info(name: str, item: Any) -> ArrayInfo:
    match item:
        case [str(dtype), [*shape]] if _DTYPE.fullmatch(dtype) and len(shape) <= 32:
            if all(type(length) is int and 0 <= length < 2**63 for length in shape):
                return ArrayInfo(np.dtype(dtype), tuple(shape))
    raise MalformedError(f"{_printable(name)} is not a plain array")


def _printable(text: str) -> str:
    return UNPRINTABLE.sub("?", text[:200])


def serve() -> None:
    """Be the child: answer questions about the file ``sys.argv[1]`` until stdin ends."""
    with serving(memory_bytes=CHILD_BYTES, cpu_seconds=int(10 * SECONDS)) as (source, sink):
        _answer(source, sink)


def _answer(source: IO[bytes], sink: IO[bytes]) -> None:
    def tell(raw: bytes = b"", **answer: Any) -> None:
        sink.write(json.dumps(answer).encode() + b"\n")
        sink.write(raw)
        sink.flush()

    def tell_problem(error: Exception) -> None:
        # Where there is no room for anything, the file has not asked for too much.
        if memory_is_short(_SPARE_BYTES):
            tell(memory="short")
        else:
            tell(error=str(error) or "it asks for too much memory")

    limit_answer(SECONDS)
    try:
        file = H5Arrays(Path(sys.argv[1]))
    except (MalformedError, MemoryError) as error:
        tell_problem(error)
        return
    tell(value=True)
    for line in source:
        limit_answer(SECONDS)
        what, *question = json.loads(line)
        try:
            if what == "attributes":
                tell(value=file.attributes())
            elif what == "arrays":
                infos = file.arrays().items()
                tell(value={name: [info.dtype.str, info.shape] for name, info in infos})
            else:
                name, *rows = question
                raw = file.read(name, slice(*rows) if rows else None).tobytes()
                tell(raw, value=len(raw))
        except (MalformedError, MemoryError) as error:
            tell_problem(error)
