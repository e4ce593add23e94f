"""The file that libhdf5 writes into, which bears a full disk.

libhdf5 cannot close a file after a write of its own has failed: the file stays in its tables, and
the process crashes when it next opens or closes another one. So libhdf5 is not told. The first
failure is remembered, what it writes from then on is kept in memory (the little that is left in
its caches), the file is closed in peace, and then the failure is raised.
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Disk", "interrupts_later"]


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let signals wait while libhdf5 works on a `Disk`.

    An exception that a signal's handler raises while libhdf5 writes through Python is lost where
    libhdf5 was called by a finaliser, and with it what was to be written: the file would be
    damaged, and nobody told. Elsewhere it is a failed write, which libhdf5 does not survive.
    """
    came: list[tuple[int, FrameType | None]] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
                if number is not None and callable(handler := signal.getsignal(number)):
                    before[number] = handler
                    signal.signal(number, note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            before[number](number, frame)


class Disk(io.RawIOBase):
    """A new file for reading and writing, for h5py's driver ``fileobj``.

    Parameters
    ----------
    file : int
        Descriptor of a new file, open for reading and writing; it stays open.

    Attributes
    ----------
    error : OSError or None
        The first write that failed, if any.
    """

    def __init__(self, file: int) -> None:
        super().__init__()
        self.error: OSError | None = None
        self._file = file
        self._place = 0
        self._unwritten: list[tuple[int, bytes]] = []

    def writable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The current place."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; also beyond the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size()}[whence]
        self._place = start + offset
        return self._place

    def _size(self) -> int:
        ends = [start + len(data) for start, data in self._unwritten]
        return max(os.fstat(self._file).st_size, *ends, 0)

    def write(self, data: object) -> int:
        """Write all of it, or remember why that failed and keep it in memory."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        if self.error is None:
            try:
                self._write(view)
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._unwritten.append((self._place, bytes(view)))
        self._place += len(view)
        return len(view)

    def _write(self, view: memoryview) -> None:
        os.lseek(self._file, self._place, os.SEEK_SET)
        done = 0
        while done < len(view):
            done += os.write(self._file, view[done:])

    def readinto(self, buffer: object) -> int:
        """Read what was written, or would have been."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size() - self._place))
        view[:count] = bytes(count)
        os.lseek(self._file, self._place, os.SEEK_SET)
        found = os.read(self._file, count)
        view[: len(found)] = found
        for start, data in self._unwritten:
            first, last = max(start, self._place), min(start + len(data), self._place + count)
            if first < last:
                view[first - self._place : last - self._place] = data[first - start : last - start]
        self._place += count
        return count

    def truncate(self, size: int | None = None) -> int:
        """Make the file so long; after a failure it stays as it is."""
        wanted = self._place if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._file, wanted)
            except OSError as error:
                self.error = error
        return wanted

    def flush(self) -> None:
        """Nothing is buffered here; the caller flushes the whole file to the disk at the end."""
