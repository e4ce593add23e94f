"""What zip and tar archives share: names that stay inside, regular files only, bounded sizes."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, BinaryIO, NamedTuple, Self

from gaitkit.errors import ArchiveError

__all__ = [
    "LIMITS",
    "Budget",
    "Container",
    "Limits",
    "Member",
    "Part",
    "damaged",
    "refused",
    "safe_parts",
]

_UNPACK = "If you trust it, unpack it yourself and give the folder."


class Member(NamedTuple):
    """A file or folder in an archive.

    Attributes
    ----------
    parts : tuple of str
        Its path, checked to stay inside; never empty for a file.
    is_folder : bool
        Whether it is a folder.
    offset : int
        Where the archive keeps it.
    size, packed : int
        Bytes expanded and as stored.
    check : int
        The archive format's own note (checksum and method of a zip's member).
    """

    parts: tuple[str, ...]
    is_folder: bool
    offset: int
    size: int
    packed: int
    check: int


@dataclass(frozen=True)
class Limits:
    """Bounds on an archive; the defaults leave room for the largest gait data sets.

    Attributes
    ----------
    members : int
        Files and folders in one archive.
    frame_bytes : int
        One image, expanded.
    total_bytes : int
        All members of one archive together, expanded.
    inner_bytes : int
        An archive within an archive, as stored and expanded: it is held in memory.
    ratio : int
        Expanded bytes for each byte of the archive. Silhouettes reach about 5 as PNG and 100 as
        BMP; archives made to exhaust a machine exceed 1,000.
    ratio_free_bytes : int
        The ratio is not looked at below this expanded size.
    path_length : int
        Characters in the path of a member.
    header_bytes : int
        One extended header of a tar archive.
    """

    members: int = 50_000_000
    frame_bytes: int = 64 * 2**20
    total_bytes: int = 2**40
    inner_bytes: int = 2 * 2**30
    ratio: int = 250
    ratio_free_bytes: int = 256 * 2**20
    path_length: int = 4096
    header_bytes: int = 2**20


LIMITS = Limits()
"""The bounds that apply unless others are given."""


def refused(label: str, reason: str) -> ArchiveError:
    """The error for an archive that is not safe to read."""
    return ArchiveError(f"The archive {label} was refused: {reason}.", hint=_UNPACK)


def damaged(label: str, reason: str) -> ArchiveError:
    """The error for an archive that is cut short or changed."""
    return ArchiveError(
        f"The archive {label} is damaged: {reason}.", hint="Download or pack it again."
    )


def safe_parts(path: str, label: str, limits: Limits = LIMITS) -> tuple[str, ...]:
    """The parts of a member's path.

    Parameters
    ----------
    path : str
        As the archive has it, with ``/`` between folders.
    label : str
        The archive, for the message.
    limits : Limits
        For the longest path.

    Returns
    -------
    tuple of str
        Without ``.`` and empty parts.

    Raises
    ------
    ArchiveError
        The path is absolute, climbs out, or is no path.
    """
    if len(path) > limits.path_length:
        raise refused(label, f"a member's path has {len(path):,} characters")
    if "\0" in path:
        raise refused(label, f"the name of a member has a zero byte, {path!r}")
    if path.startswith("/") or path[1:2] == ":":
        raise refused(label, f"a member has an absolute path, {path!r}")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise refused(label, f"a member climbs out of it, {path!r}")
    return parts


class Budget:
    """Counts members and bytes while an archive is listed, and stops at the bounds.

    Parameters
    ----------
    label : str
        The archive, for the message.
    limits : Limits
        The bounds.
    packed_bytes : int
        Size of the archive itself.
    """

    def __init__(self, label: str, limits: Limits, packed_bytes: int) -> None:
        self._label = label
        self._limits = limits
        self._packed_bytes = packed_bytes
        self._members = 0
        self._bytes = 0

    def add(self, size: int) -> None:
        """Count a member of `size` expanded bytes; raises `ArchiveError` at a bound."""
        self._members += 1
        if self._members > self._limits.members:
            raise refused(self._label, f"it has more than {self._limits.members:,} members")
        self._bytes += size
        self.require(self._bytes)

    def require(self, expanded: int) -> None:
        """Check a total number of expanded bytes."""
        limits = self._limits
        if expanded > limits.total_bytes:
            raise refused(self._label, f"it expands to more than {limits.total_bytes:,} bytes")
        if expanded > limits.ratio_free_bytes and expanded > limits.ratio * self._packed_bytes:
            raise refused(
                self._label,
                f"it expands to more than {limits.ratio:,} times its size of "
                f"{self._packed_bytes:,} bytes",
            )


class Part(io.RawIOBase):
    """Some bytes of a file as a file: an archive within an archive need not fit into memory.

    Parameters
    ----------
    file : binary file
        Seekable; it stays open when this one is closed.
    start, size : int
        Where the part begins, and its length.
    """

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place of the part."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(view), max(0, self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


class Container(ABC):
    """An archive in a seekable binary file; a context manager that closes it.

    Parameters
    ----------
    file : binary file
        The archive, expanded where it was compressed as a whole.
    label : str
        The archive, for messages.
    limits : Limits
        Bounds.
    packed_bytes : int
        Size of the archive as stored.
    in_order : bool
        Whether going back is expensive, so that members are best read in order of offset.
    """

    def __init__(
        self,
        file: IO[bytes],
        label: str,
        limits: Limits,
        packed_bytes: int,
        *,
        in_order: bool = False,
    ) -> None:
        self.label = label
        self.in_order = in_order
        self._file = file
        self._limits = limits
        self._packed_bytes = packed_bytes
        self._budget = Budget(label, limits, packed_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"

    @abstractmethod
    def members(self) -> Iterator[Member]:
        """All members in the archive's own order, each one checked.

        Raises
        ------
        ArchiveError
            Unsafe, encrypted, damaged or cut short.
        """

    @abstractmethod
    def read(self, member: Member) -> bytes:
        """The bytes of a member."""

    def as_file(self, member: Member) -> BinaryIO | None:
        """A member as a file of its own, where the archive stores it as it is; else `None`.

        It is read out of the archive's file, so it has to be closed first. A checksum that the
        archive has of it is not compared.
        """
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _refuse(self, path: str, reason: str) -> ArchiveError:
        """The error for an archive with a member that is not to be read."""
        return refused(self.label, f"its member {path!r} is {reason}")
