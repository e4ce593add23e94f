"""Reading a compressed file as if it were not: forwards, and backwards from checkpoints.

A tar.gz has no table of contents, and its members are reached by expanding all that comes before.
While a gzip stream is expanded, the state of the decompressor is kept every 16 MiB (about 50 kB
each), so that going back costs a tenth of a second instead of starting again. The states of bzip2
and xz cannot be copied; going back there starts again.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from bisect import bisect_right
from typing import Any, BinaryIO, NamedTuple, Protocol

from gaitkit.datasets.archives.common import Budget, damaged

__all__ = ["Checkpoint", "ExpandedStream"]

_CHUNK = 2**16
_SPACING = 16 * 2**20
_XZ_MEMORY = 256 * 2**20


class _Decompressor(Protocol):
    # What bz2 and lzma have; `_Gunzip` gives it to zlib.
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gunzip:
    """zlib's decompressor with the interface of bz2's and lzma's, and copies."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._tail = b""
        self._more = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._tail and not self._more

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        expanded = self._zlib.decompress(self._tail + data, max_length)
        self._tail = self._zlib.unconsumed_tail
        # A full output may leave some waiting inside zlib although all input is consumed.
        self._more = len(expanded) == max_length
        return expanded

    def copy(self) -> _Gunzip:
        other = _Gunzip.__new__(_Gunzip)
        other._zlib, other._tail, other._more = self._zlib.copy(), self._tail, self._more
        return other


def _decompressor(kind: str) -> _Decompressor:
    if kind == "gz":
        return _Gunzip()
    if kind == "bz2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


class Checkpoint(NamedTuple):
    """A place in an expanded stream from which expanding can go on.

    Attributes
    ----------
    position : int
        In the expanded stream.
    packed_position : int
        In the compressed file.
    state : object
        The decompressor at that place.
    """

    position: int
    packed_position: int
    state: _Gunzip


class ExpandedStream(io.RawIOBase):
    """The expanded bytes of a gz, bz2 or xz file, seekable.

    Parameters
    ----------
    file : binary file
        The compressed bytes; closed together with the stream.
    kind : {"gz", "bz2", "xz"}
        How they are compressed.
    label : str
        The archive, for messages.
    budget : Budget
        Bounds the number of expanded bytes.
    checkpoints : list of Checkpoint or None
        Those found so far for this file; the stream adds to them. They belong to one process.
        `None` keeps none, for a stream that is read once.

    Raises
    ------
    ArchiveError
        While reading: the file is cut short or changed, or expands beyond a bound.
    """

    def __init__(
        self,
        file: BinaryIO,
        kind: str,
        label: str,
        budget: Budget,
        checkpoints: list[Checkpoint] | None,
    ) -> None:
        super().__init__()
        self._file = file
        self._kind = kind
        self._label = label
        self._budget = budget
        self._checkpoints = [] if checkpoints is None else checkpoints
        self._keeps = checkpoints is not None
        self._restart()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close the stream and the file."""
        if not self.closed:
            self._file.close()
        super().close()

    def tell(self) -> int:
        """The place in the expanded stream."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Expand into a buffer."""
        data = self._expand(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the expanded stream; stops at its end."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a compressed stream is not known")
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        found = bisect_right(self._checkpoints, target, key=lambda point: point.position)
        if target < self._position or (
            found and self._checkpoints[found - 1].position > self._position
        ):
            self._restart(self._checkpoints[found - 1] if found else None)
        while self._position < target and self._expand(min(_CHUNK * 4, target - self._position)):
            pass
        return self._position

    def _restart(self, checkpoint: Checkpoint | None = None) -> None:
        self._finished = False
        self._next_input = b""
        if checkpoint is None:
            self._position = 0
            self._file.seek(0)
            self._state = _decompressor(self._kind)
        else:
            self._position = checkpoint.position
            self._file.seek(checkpoint.packed_position)
            self._state = checkpoint.state.copy()

    def _expand(self, length: int) -> bytes:
        while not self._finished:
            if self._state.eof:
                self._next_stream()
                continue
            data = self._next_input
            self._next_input = b""
            if not data and self._state.needs_input:
                data = self._file.read(_CHUNK)
                if not data:
                    raise damaged(self._label, "it ends too early")
            try:
                expanded = self._state.decompress(data, length)
            except (zlib.error, OSError, lzma.LZMAError, EOFError) as error:
                raise damaged(self._label, str(error)) from error
            if expanded:
                self._position += len(expanded)
                self._budget.require(self._position)
                self._keep_checkpoint()
                return expanded
        return b""

    def _next_stream(self) -> None:
        # Compressed files may be joined (pigz and bgzip do), and padded with zeros.
        rest = self._state.unused_data.lstrip(b"\0")
        while not rest:
            chunk = self._file.read(_CHUNK)
            if not chunk:
                self._finished = True
                return
            rest = chunk.lstrip(b"\0")
        self._state = _decompressor(self._kind)
        self._next_input = rest

    def _keep_checkpoint(self) -> None:
        if not self._keeps:
            return
        last = self._checkpoints[-1].position if self._checkpoints else 0
        if self._position >= last + _SPACING and isinstance(self._state, _Gunzip):
            self._checkpoints.append(
                Checkpoint(self._position, self._file.tell(), self._state.copy())
            )
