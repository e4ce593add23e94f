"""Reading zip archives entry by entry.

The standard library's reader keeps most of a kilobyte for each member, which for the million
frames of CASIA-B is more than all the rest of gaitkit takes; here the directory is only walked.
"""

from __future__ import annotations

import io
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gaitkit.datasets.archives.common import (
    Container,
    Member,
    Part,
    damaged,
    refused,
    safe_parts,
)
from gaitkit.datasets.archives.zip_names import Letters, letters_of, tell
from gaitkit.errors import ArchiveError
from gaitkit.printable import printable, quoted, typed

__all__ = ["ZipContainer"]

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 2**16
_LOOKED_AT = 10_000
_LONG = 160
_STORED, _DEFLATED = 0, 8
_UNIX_SYSTEMS = (3, 19)


class _Directory(NamedTuple):
    entries: int
    offset: int
    size: int


class ZipContainer(Container):
    """A zip archive. See `Container` for the parameters."""

    _letters: Letters | None = None

    def members(self) -> Iterator[Member]:
        """All members in the order of the directory, each one checked."""
        directory = self._directory()
        if directory.entries > self._limits.members:
            raise refused(self.label, f"it has more than {self._limits.members:,} members")
        position, packed = directory.offset, 0
        for _ in range(directory.entries):
            self._file.seek(position)
            member, length = self._entry()
            position += length
            if position > directory.offset + directory.size:
                raise damaged(self.label, "its directory is longer than it says")
            packed += member.packed
            if packed > self._packed_bytes:
                raise refused(self.label, "its members overlap")
            yield member
        if position != directory.offset + directory.size:
            # Old writers count members modulo 65,536: the rest must not be lost unnoticed.
            raise damaged(self.label, "its directory is shorter than it says")

    def read(self, member: Member) -> bytes:
        """The bytes of a member, its checksum compared."""
        name = "/".join(member.parts)
        self._go_to(self._start_of(member))
        data = self._file.read(member.packed)
        checksum, method = divmod(member.check, 2**16)
        if method == _DEFLATED:
            data = self._inflate(data, member.size, name)
        if len(data) != member.size or zlib.crc32(data) != checksum:
            raise damaged(self.label, f"the checksum of {name} is wrong")
        return data

    def as_file(self, member: Member) -> BinaryIO | None:
        """A member as a file, if it is stored and not compressed."""
        if member.check % 2**16 != _STORED or member.size != member.packed:
            return None
        return io.BufferedReader(Part(self._file, self._start_of(member), member.size))

    def _go_to(self, place: int) -> None:
        """Seek; a file has no such places as 64 bits can name."""
        if place > self._packed_bytes:
            raise damaged(
                self.label, f"it ends before byte {place:,}, to which its directory leads"
            )
        self._file.seek(place)

    def _start_of(self, member: Member) -> int:
        """Where the bytes of a member begin."""
        self._go_to(member.offset)
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
            name = "/".join(member.parts)
            raise damaged(self.label, f"{name} is not where its directory says")
        *_, name_length, extra_length = _LOCAL.unpack(head)
        return int(member.offset + _LOCAL.size + name_length + extra_length)

    def _inflate(self, data: bytes, size: int, name: str) -> bytes:
        inflate = zlib.decompressobj(-15)
        try:
            # One byte more than announced, so that a member that lies about its size is noticed.
            return inflate.decompress(data, size + 1)
        except zlib.error as error:
            raise damaged(self.label, f"{name} cannot be expanded ({error})") from error

    def _directory(self) -> _Directory:
        tail_start = max(0, self._packed_bytes - _END.size - _MAX_COMMENT)
        self._file.seek(tail_start)
        tail = self._file.read(_END.size + _MAX_COMMENT)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) - found < _END.size:
            raise damaged(self.label, "it has no directory at its end; it is cut short")
        _, disk, first_disk, _, entries, size, offset, _ = _END.unpack_from(tail, found)
        if 0xFFFF in (entries, disk) or 0xFFFFFFFF in (size, offset):
            entries, size, offset, disk, first_disk = self._directory_64(tail_start + found)
        if disk or first_disk:
            raise refused(self.label, "it is one part of an archive in several files")
        if offset + size > tail_start + found:
            raise damaged(self.label, "its directory is not where it says")
        return _Directory(entries, offset, size)

    def _directory_64(self, end: int) -> tuple[int, int, int, int, int]:
        self._file.seek(max(0, end - _LOCATOR_64.size))
        locator = self._file.read(_LOCATOR_64.size)
        if locator[:4] != b"PK\6\7":
            raise damaged(self.label, "the end of its directory is missing")
        self._go_to(_LOCATOR_64.unpack(locator)[2])
        record = self._file.read(_END_64.size)
        if len(record) < _END_64.size or record[:4] != b"PK\6\6":
            raise damaged(self.label, "the end of its directory is missing")
        _, _, _, _, disk, first_disk, _, entries, size, offset = _END_64.unpack(record)
        return entries, size, offset, disk, first_disk

    def _entry(self) -> tuple[Member, int]:
        """The next entry of the directory, and its length."""
        head = self._file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
            raise damaged(self.label, "its directory is broken")
        (_, made_by, _, flags, method, _, _, checksum, packed, size) = _ENTRY.unpack(head)[:10]
        name_length, extra_length, comment_length, _, _, mode, offset = _ENTRY.unpack(head)[10:]
        raw = self._file.read(name_length)
        extra = self._file.read(extra_length)
        if len(raw) < name_length or len(extra) < extra_length:
            raise damaged(self.label, "its directory is broken")
        path = self._decode(raw, flags, extra).replace("\\", "/")
        size, packed, offset = self._sizes(extra, size, packed, offset)
        parts = safe_parts(path, self.label, self._limits)
        is_folder = path.endswith("/") or not parts
        self._check_kind(path, flags, mode >> 16 if made_by >> 8 in _UNIX_SYSTEMS else 0)
        if not is_folder and method not in (_STORED, _DEFLATED):
            raise self._refuse(path, f"compressed by the unread method {method}")
        self._budget.add(0 if is_folder else size)
        member = Member(parts, is_folder, offset, size, packed, checksum * 2**16 + method)
        return member, _ENTRY.size + name_length + extra_length + comment_length

    def _decode(self, raw: bytes, flags: int, extra: bytes) -> str:
        """A member's name: UTF-8 where it says so, else in the letters of the whole archive."""
        raw, is_utf_8 = _named(raw, flags, extra)
        if raw.isascii() or is_utf_8:
            return raw.decode("utf-8", "surrogateescape")
        if self._letters is None:
            names = self._names_in_other_letters()
            self._letters = letters_of(names)
            tell(self.label, self._letters, names[0] if names else raw)
        if self._letters.encoding != "gbk":
            with suppress(UnicodeDecodeError):
                return raw.decode("utf-8")
        return raw.decode(self._letters.encoding, "replace")

    def _names_in_other_letters(self) -> list[bytes]:
        """Some of the names that do not say in which letters they are, the last parts of each."""
        place = self._file.tell()
        directory = self._directory()
        position, end = directory.offset, directory.offset + directory.size
        found: dict[bytes, None] = {}
        while position + _ENTRY.size <= end and len(found) < _LOOKED_AT:
            self._file.seek(position)
            head = self._file.read(_ENTRY.size)
            if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
                break
            flags, lengths = _ENTRY.unpack(head)[3], _ENTRY.unpack(head)[10:13]
            name, is_utf_8 = _named(self._file.read(lengths[0]), flags, self._file.read(lengths[1]))
            if not (name.isascii() or is_utf_8):
                found[name] = None
            position += _ENTRY.size + sum(lengths)
        self._file.seek(place)
        return list(found)

    def _encrypted(self, path: str) -> ArchiveError:
        """The error for an archive that needs a password, with the line that unpacks it."""
        file = Path(self.label)
        whole = file.is_file() and len(self.label) < _LONG
        name = typed(self.label if whole else file.name, _LONG)
        around = "" if file.is_file() else "Unpack the archive around it first. "
        return ArchiveError(
            f"The archive {printable(self.label, 160)} was refused: its member {quoted(path)} is "
            "encrypted.",
            hint=f"{around}Unpack it with the password and give the folder: 7z x -pPASSWORD {name} "
            "(or unzip -P PASSWORD, which knows the older encryption only).",
        )

    def _check_kind(self, path: str, flags: int, mode: int) -> None:
        if flags & 0x2041:
            raise self._encrypted(path)
        if stat.S_ISLNK(mode):
            raise self._refuse(path, "a link")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._refuse(path, "a device or pipe")

    def _sizes(self, extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
        """Size, packed size and offset, from the zip64 field where they do not fit."""
        wide = _extra_field(extra, 1)
        values = [size, packed, offset]
        for place, value in enumerate(values):
            if value == 0xFFFFFFFF:
                if wide is None or len(wide) < 8:
                    raise damaged(self.label, "its directory is broken")
                values[place] = int.from_bytes(wide[:8], "little")
                wide = wide[8:]
        return values[0], values[1], values[2]


def _extra_field(extra: bytes, wanted: int) -> bytes | None:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == wanted:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return None


def _named(raw: bytes, flags: int, extra: bytes) -> tuple[bytes, bool]:
    """The bytes of a name, and whether they are said to be UTF-8."""
    unicode_path = _extra_field(extra, 0x7075)
    if unicode_path is not None and unicode_path[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
        return unicode_path[5:], True
    return raw, bool(flags & 0x800)
