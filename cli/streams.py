"""Stdout and stderr as every Unix tool has them: their loss never stops work.

Both may be closed, full or read by nobody any more. A command finishes all the same; what is lost
of stdout decides its exit code at the end, what is lost of stderr nothing. What either gets is
made harmless on the way, and letters that its encoding lacks are escaped.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from gaitkit.printable import harmless

__all__ = ["Lost", "standard_streams", "write_lines"]


class Lost:
    """What became of stdout.

    Attributes
    ----------
    error : OSError or None
        Why it did not get all.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None

    @property
    def reader_left(self) -> bool:
        """Whether the reader (head, less) went away: no error."""
        gone = {errno.EPIPE} | ({errno.EINVAL} if os.name == "nt" else set())
        return self.error is not None and self.error.errno in gone


@contextlib.contextmanager
def standard_streams() -> Iterator[Lost]:
    """Put streams that never raise in the places of `sys.stdout` and `sys.stderr`.

    Streams that are no files of the system, such as those of a test or a notebook, stay.

    Yields
    ------
    Lost
        What became of stdout.
    """
    _occupy_descriptors()
    before = sys.stdout, sys.stderr
    lost = Lost()
    sys.stdout = _tolerant(sys.stdout, lost)
    sys.stderr = _tolerant(sys.stderr, Lost(), styled=True)
    try:
        yield lost
    finally:
        for stream in (sys.stdout, sys.stderr):
            # Whatever a program put in their places meanwhile may be lost, too.
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def write_lines(stream: TextIO | None, text: str) -> None:
    """Write text and the end of its last line, at once; nothing where there is no stream."""
    if stream is not None:
        stream.write(f"{text}\n")
        stream.flush()


def _occupy_descriptors() -> None:
    """Open what is closed of the three standard descriptors as the null device.

    The next file that is opened gets the lowest free number. An artefact must not become the file
    that somebody's library, or a child process, takes for its stdout.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_RDWR)
                if null != descriptor:
                    os.dup2(null, descriptor)
                    os.close(null)
                os.set_inheritable(descriptor, True)


def _tolerant(stream: TextIO | None, lost: Lost, *, styled: bool = False) -> TextIO:
    if stream is None:
        return _Stream(_Sink(None, lost), encoding="utf-8", styled=styled)
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # Without a buffer where Python runs unbuffered.
    if type(stream) is not io.TextIOWrapper or not isinstance(raw, io.RawIOBase):
        return stream
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    return _Stream(
        _Sink(raw, lost),
        encoding=stream.encoding,
        styled=styled,
        line_buffering=stream.line_buffering,
    )


class _Sink(io.RawIOBase):
    """A file whose first error is noted; all that comes after it is thrown away."""

    def __init__(self, raw: io.RawIOBase | None, lost: Lost) -> None:
        self._raw = raw
        self._lost = lost

    def writable(self) -> bool:
        """It is only written."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        try:
            return self._raw is not None and self._raw.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """Of the file."""
        if self._raw is None:
            raise io.UnsupportedOperation("a closed stream has no descriptor")
        return self._raw.fileno()

    def write(self, data: Any) -> int:
        """Write, and never fail."""
        size = len(memoryview(data).cast("B"))
        if self._lost.error is None and size:
            try:
                return self._write(data)
            except OSError as error:
                self._lost.error = error
            except ValueError:  # Closed meanwhile.
                self._lost.error = OSError(errno.EBADF, os.strerror(errno.EBADF))
        return size

    def _write(self, data: Any) -> int:
        if self._raw is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        while True:
            written = self._raw.write(data)
            if written is not None:
                return int(written)
            # Another program has made what both write to non-blocking.
            select.select([], [self._raw.fileno()], [])


class _Stream(io.TextIOWrapper):
    """Text that is made harmless, over a `_Sink`.

    Attributes
    ----------
    styled : TextIO
        The same file for what draws with control sequences of gaitkit's own: progress bars.
    """

    def __init__(
        self, sink: _Sink, *, encoding: str, styled: bool = False, line_buffering: bool = False
    ) -> None:
        how: dict[str, Any] = {"encoding": encoding, "errors": "backslashreplace"}
        super().__init__(io.BufferedWriter(sink), line_buffering=line_buffering, **how)
        if styled:
            self.styled = io.TextIOWrapper(io.BufferedWriter(sink), write_through=True, **how)

    def write(self, text: str) -> int:
        """Write text without what could take over the terminal."""
        super().write(harmless(text))
        return len(text)
