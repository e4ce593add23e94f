"""Reading tar archives (ustar, GNU and pax) member by member, strictly.

The standard library's reader takes a damaged header for the end of the archive, keeps a kilobyte
for each member and reads extended headers of any size; here all three are errors or bounded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from gaitkit.datasets.archives.common import (
    Container,
    Member,
    Part,
    damaged,
    refused,
    safe_parts,
)

__all__ = ["TarContainer", "is_tar_header"]

_BLOCK = 512
_FILES = b"0\x007"
_LINKS = b"12"
_DEVICES = b"346"
_SPACES = sum(b"        ")


class _Header(NamedTuple):
    name: bytes
    size: int
    type: bytes


def _number(field: bytes) -> int:
    """A number as tar writes it: octal text, or binary where the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.partition(b"\0")[0].strip() or b"0"
    if not digits.isdigit():  # A sign would lead back, to the same header again and again.
        raise ValueError(digits)
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _parse(block: bytes) -> _Header | None:
    """Name, size and type of a header block; `None` when it is not one."""
    try:
        if sum(block) - sum(block[148:156]) + _SPACES != _number(block[148:156]):
            return None
        size = _number(block[124:136])
    except ValueError:
        return None
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    return _Header(name, size, block[156:157])


def is_tar_header(block: bytes) -> bool:
    """Whether a tar archive can begin with these 512 bytes."""
    return len(block) == _BLOCK and (_parse(block) is not None or not any(block))


class TarContainer(Container):
    """A tar archive. See `Container` for the parameters."""

    def members(self) -> Iterator[Member]:
        """All members in the order of the archive, each one checked."""
        position = 0
        long_name: bytes | None = None
        size: int | None = None
        while True:
            block = self._block(position)
            if block is None:
                return
            header = _parse(block)
            if header is None:
                raise damaged(self.label, f"there is no header at byte {position:,}")
            position += _BLOCK
            if header.type in b"xLgK":
                data = self._extended(position, header.size)
                if header.type == b"L":
                    long_name = _text(data)
                elif header.type == b"x":
                    name_found, size_found = self._pax(data)
                    long_name = long_name if name_found is None else name_found
                    size = size if size_found is None else size_found
                position += _padded(header.size)
                continue
            member_size = header.size if size is None else size
            name = header.name if long_name is None else long_name
            long_name = size = None
            member = self._member(name, header.type, position, member_size)
            if member is not None:
                yield member
                position += 0 if member.is_folder else _padded(member_size)

    def read(self, member: Member) -> bytes:
        """The bytes of a member."""
        self._file.seek(member.offset)
        data = self._file.read(member.size)
        if len(data) != member.size:
            raise damaged(self.label, f"it ends within {'/'.join(member.parts)}")
        return data

    def as_file(self, member: Member) -> BinaryIO | None:
        """A member as a file, unless the archive is compressed as a whole."""
        if self.in_order:
            return None
        return io.BufferedReader(Part(self._file, member.offset, member.size))

    def _block(self, position: int) -> bytes | None:
        """The header block at a position; `None` at the end of the archive."""
        self._file.seek(position)
        block = self._file.read(_BLOCK)
        if len(block) < _BLOCK:
            raise damaged(self.label, "it ends too early")
        if block.count(0) != _BLOCK:
            return block
        # Reading to the very end also checks the checksum of a compressed file.
        while rest := self._file.read(2**16):
            if rest.count(0) != len(rest):
                raise damaged(self.label, "there is more after its end (two archives joined?)")
        return None

    def _member(self, raw: bytes, kind: bytes, offset: int, size: int) -> Member | None:
        path = raw.decode("utf-8", "surrogateescape")
        parts = safe_parts(path, self.label, self._limits)
        if kind in _LINKS:
            raise self._refuse(path, "a link")
        if kind in _DEVICES:
            raise self._refuse(path, "a device or pipe")
        is_folder = kind == b"5" or (kind in _FILES and path.endswith("/"))
        if kind == b"V":
            return Member((), True, offset, 0, 0, 0)
        if kind not in _FILES and not is_folder:
            raise self._refuse(path, f"of the unread type {kind.decode('latin-1')!r}")
        if not is_folder and not parts:
            raise damaged(self.label, f"a file has no name (byte {offset:,})")
        self._budget.add(0 if is_folder else size)
        return Member(parts, is_folder, offset, size, size, 0)

    def _extended(self, position: int, size: int) -> bytes:
        if size > self._limits.header_bytes:
            raise refused(self.label, f"it has an extended header of {size:,} bytes")
        self._budget.add(size)
        self._file.seek(position)
        return self._file.read(size)

    def _pax(self, data: bytes) -> tuple[bytes | None, int | None]:
        """Path and size in a pax header."""
        name, size = None, None
        try:
            while data.strip(b"\0"):
                digits, _, rest = data.partition(b" ")
                end = int(digits) - len(digits) - 1
                if end < 3 or rest[end - 1 : end] != b"\n":
                    raise ValueError(digits)
                key, _, value = rest[: end - 1].partition(b"=")
                data = rest[end:]
                if key == b"path":
                    name = value
                elif key == b"size":
                    if not value.isdigit():
                        raise ValueError(value)
                    size = int(value)
                elif key.startswith(b"GNU.sparse."):
                    raise refused(self.label, "it has a sparse file")
        except ValueError as error:
            raise damaged(self.label, "it has a broken extended header") from error
        return name, size


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
