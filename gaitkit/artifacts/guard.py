"""Reading somebody else's file: libhdf5 runs in a child process, and this one gets raw values.

libhdf5 trusts the structure of a file. One that was changed on purpose, with its digest made right
again, can crash the process that opens it, let it run for ever or take all memory. Opening it once
in a child to see whether that survives would prove little: the same damage can pass there and
strike here, and the file can be another one a moment later. So this process never shows libhdf5
the file. The child opens it and answers three questions (attributes, arrays, rows of an array) in
JSON and raw bytes through a pipe; nothing is unpickled, and names, types, shapes and sizes are
checked on this side before anything is allocated. A child that dies, takes too long or asks for
too much memory means a damaged file.

It costs the start of a Python with NumPy and h5py, about 0.2 s, and a copy through the pipe, so
it is for what people hand to each other: models and whatever is inspected, drawn or exported. The
stages open their own pipeline's images and checkpoints in this process.

One child reads one file, so that a hostile file cannot touch what is read from another.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts.arrays import (
    MAX_ARRAYS,
    ArrayInfo,
    H5Arrays,
    MalformedError,
)
from gaitkit.errors import LibraryError
from gaitkit.printable import UNPRINTABLE

__all__ = ["GuardedArrays", "serve"]

SECONDS = 60.0
"""One answer takes milliseconds; even a loaded machine gives it in this time."""

CHILD_BYTES = 2 << 30
"""Address space of the child (where the system can limit it); it holds one block at a time."""

BLOCK_BYTES = 16 << 20
_CLAIM_BYTES, _CLAIM_RATIO = 512 << 20, 16
_ANSWER_BYTES = 64 << 20
_DTYPE = re.compile(r"[<>|](b1|[iu][1248]|f[248]|f16|S[1-9]\d{0,8})")
_READY = b"ready\n"
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
        When the child cannot be started.
    """

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._timed_out = False
        self._arrays: dict[str, ArrayInfo] | None = None
        self._file_bytes = path.stat().st_size
        self._process = _start(path)
        try:
            if self._answer() != _READY:
                raise LibraryError(
                    "The process that reads other people's files could not be started.",
                    hint="Check that Python can import h5py: python -c 'import h5py'",
                )
            self._ask()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child, which keeps nothing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # What could not be flushed to a child that is gone is not needed.
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def attributes(self) -> dict[str, str | int]:
        """The root attributes that there are."""
        found = self._ask("attributes")
        if not isinstance(found, dict) or not all(isinstance(v, str | int) for v in found.values()):
            raise MalformedError("a root attribute is missing or malformed")
        return found

    def arrays(self) -> dict[str, ArrayInfo]:
        """Every array by its full name.

        All together may claim 512 MiB and sixteen times the size of the file: real artefacts stay
        far below, and a small file that unpacks to more than the machine has is refused here.
        """
        if self._arrays is None:
            found = self._ask("arrays")
            if not isinstance(found, dict) or len(found) > MAX_ARRAYS:
                raise MalformedError("its arrays cannot be listed")
            arrays = {name: _checked_info(name, item) for name, item in found.items()}
            claimed = sum(info.nbytes for info in arrays.values())
            if claimed > _CLAIM_BYTES + _CLAIM_RATIO * self._file_bytes:
                raise MalformedError(
                    f"its {self._file_bytes:,} bytes claim to hold {claimed:,} bytes of arrays"
                )
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
        left = values.reshape(-1).view(np.uint8).data
        watchdog = self._watchdog()
        try:
            while left:
                count = self._pipes[1].readinto(left)
                if not count:
                    raise self._ended()
                left = left[count:]
        finally:
            watchdog.cancel()

    @property
    def _pipes(self) -> tuple[Any, Any]:
        return self._process.stdin, self._process.stdout

    def _ask(self, *question: str | int) -> Any:
        """Ask a question (none: whether the file could be opened) and take the answer apart."""
        if question:
            try:
                self._pipes[0].write(json.dumps(question).encode() + b"\n")
                self._pipes[0].flush()
            except OSError:
                raise self._ended() from None
        try:
            answer = json.loads(self._answer())
            if "error" in answer:
                raise MalformedError(_printable(str(answer["error"])))
            return answer["value"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._ended() from None

    def _answer(self) -> bytes:
        watchdog = self._watchdog()
        try:
            line: bytes = self._pipes[1].readline(_ANSWER_BYTES)
        finally:
            watchdog.cancel()
        return line

    def _watchdog(self) -> threading.Timer:
        # A timer, since a pipe cannot be waited on with a time limit everywhere.
        watchdog = threading.Timer(self._seconds, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        return watchdog

    def _give_up(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _ended(self) -> MalformedError:
        if self._timed_out:
            return MalformedError(f"reading it takes more than {self._seconds:g} s")
        return MalformedError("libhdf5 crashes on it")


def _start(path: Path) -> subprocess.Popen[bytes]:
    paths = [entry or os.getcwd() for entry in sys.path]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        # A thread pool's stacks would count as the child's memory.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # The file must not be able to name a plug-in that libhdf5 then loads.
        "HDF5_PLUGIN_PRELOAD": "::",
    }
    # -P: the working folder, where a file from elsewhere often lies, is no place to import from.
    command = [sys.executable, "-P", "-c", _START, str(path.resolve())]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError as error:
        raise LibraryError(
            f"The process that reads other people's files could not be started: {error}."
        ) from error


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
    _limit_resources()
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def tell(**answer: Any) -> None:
        sink.write(json.dumps(answer).encode() + b"\n")

    sink.write(_READY)
    sink.flush()
    try:
        file = H5Arrays(Path(sys.argv[1]))
    except MalformedError as error:
        tell(error=str(error))
        return
    tell(value=True)
    sink.flush()
    for line in source:
        what, *question = json.loads(line)
        try:
            if what == "attributes":
                tell(value=file.attributes())
            elif what == "arrays":
                infos = file.arrays().items()
                tell(value={name: [info.dtype.str, info.shape] for name, info in infos})
            else:
                name, *rows = question
                values = file.read(name, slice(*rows) if rows else None)
                tell(value=values.nbytes)
                sink.write(values.tobytes())
        except MalformedError as error:
            tell(error=str(error))
        sink.flush()


def _limit_resources() -> None:
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: CHILD_BYTES,
        resource.RLIMIT_CPU: int(10 * SECONDS),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # macOS refuses some of them; the time limit and the sizes checked outside still hold.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
