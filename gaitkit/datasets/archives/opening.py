"""Opening an archive by its content, whatever its name."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

from gaitkit.datasets.archives.common import (
    LIMITS,
    Budget,
    Container,
    Limits,
    damaged,
    refused,
)
from gaitkit.datasets.archives.streams import Checkpoint, ExpandedStream
from gaitkit.datasets.archives.tars import TarContainer, is_tar_header
from gaitkit.datasets.archives.zips import ZipContainer
from gaitkit.errors import ArchiveError, OutputError
from gaitkit.suffixes import ARCHIVE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["archive_kind", "expand", "expand_file", "open_container"]

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"PK\3\4": "zip", b"PK\5\6": "zip"}
_BUFFER = 2**18
_WANTED = (
    "Give a folder of frames or videos, an archive of one, a video "
    f"({', '.join(sorted(VIDEO_SUFFIXES))}), or a manifest: a CSV file, its name in .csv, that "
    "begins with path,subject,condition,take,view."
)


def archive_kind(start: bytes) -> str:
    """What kind of archive begins with these 512 bytes: zip, tar, gz, bz2, xz; empty if none."""
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    return "tar" if is_tar_header(start) else ""


def open_container(
    source: Path | bytes | BinaryIO,
    label: str,
    *,
    limits: Limits = LIMITS,
    checkpoints: list[Checkpoint] | None = None,
) -> Container:
    """Open a zip, tar, tar.gz, tar.bz2 or tar.xz.

    Parameters
    ----------
    source : Path, bytes or binary file
        The file, the archive itself in memory, or an open file that is closed with the container.
    label : str
        The archive, for messages.
    limits : Limits
        Bounds on what it may expand to.
    checkpoints : list of Checkpoint, optional
        Kept by the caller for one file and one process; makes reading a tar.gz again cheap.

    Returns
    -------
    Container
        To be closed by the caller.

    Raises
    ------
    ArchiveError
        It is none of these.
    """
    if isinstance(source, bytes):
        file: BinaryIO = io.BytesIO(source)
        size = len(source)
    elif not isinstance(source, Path):
        file = source
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    else:
        try:
            file = source.open("rb", buffering=_BUFFER)
        except OSError as error:
            raise ArchiveError(f"{label} cannot be read: {error.strerror}.") from error
        size = source.stat().st_size
    try:
        return _open(file, size, label, limits, [] if checkpoints is None else checkpoints)
    except BaseException:
        file.close()
        raise


def _open(
    file: BinaryIO, size: int, label: str, limits: Limits, checkpoints: list[Checkpoint]
) -> Container:
    kind = archive_kind(file.read(512))
    file.seek(0)
    if kind == "zip":
        return ZipContainer(file, label, limits, size)
    if kind == "tar":
        return TarContainer(file, label, limits, size)
    if not kind:
        raise ArchiveError(
            f"{label} is not an archive that gaitkit reads (zip, tar, tar.gz, tar.bz2, tar.xz)."
            + (" It is empty." if size == 0 else ""),
            hint=_WANTED
            if not label.lower().endswith(ARCHIVE_SUFFIXES)
            else "It may be cut short, or another file by this name: copy it again.",
        )
    stream = ExpandedStream(file, kind, label, Budget(label, limits, size), checkpoints)
    expanded = io.BufferedReader(stream, _BUFFER)
    if not is_tar_header(expanded.read(512)):
        raise ArchiveError(f"{label} is compressed, but there is no tar archive inside.")
    expanded.seek(0)
    return TarContainer(expanded, label, limits, size, in_order=True)


def expand(data: bytes, label: str, limits: Limits = LIMITS) -> bytes:
    """An archive in memory without the compression around it.

    Parameters
    ----------
    data : bytes
        An archive of any kind; a zip or tar comes back as it is.
    label : str
        The archive, for messages.
    limits : Limits
        `Limits.inner_bytes` bounds the result.

    Returns
    -------
    bytes
        A zip or tar archive.

    Raises
    ------
    ArchiveError
        Damaged, or too large.
    """
    kind = archive_kind(data[:512])
    if kind not in ("gz", "bz2", "xz"):
        return data
    budget = Budget(label, limits, len(data))
    with ExpandedStream(io.BytesIO(data), kind, label, budget, []) as stream:
        pieces: list[bytes] = []
        total = 0
        while piece := stream.read(_BUFFER):
            pieces.append(piece)
            total += len(piece)
            if total > limits.inner_bytes:
                raise refused(label, f"it expands to more than {limits.inner_bytes:,} bytes")
    if not pieces:
        raise damaged(label, "it is empty")
    return b"".join(pieces)


def expand_file(source: Path, target: Path, label: str, limits: Limits = LIMITS) -> bool:
    """Write an archive without the compression around it: a tar.gz becomes a tar.

    Parameters
    ----------
    source : Path
        An archive of any kind.
    target : Path
        The new file, which only its owner can read; one of that name is replaced. It is removed
        again where expanding fails.
    label : str
        The archive, for messages.
    limits : Limits
        Bounds on what it may expand to.

    Returns
    -------
    bool
        Whether there was anything to expand; otherwise nothing is written.

    Raises
    ------
    ArchiveError
        It cannot be read, is damaged, or is too large.
    OutputError
        There is no room for it.
    """
    try:
        file = source.open("rb", buffering=_BUFFER)
    except OSError as error:
        raise ArchiveError(f"{label} cannot be read: {error.strerror}.") from error
    with file:
        kind = archive_kind(file.read(512))
        if kind not in ("gz", "bz2", "xz"):
            return False
        file.seek(0)
        budget = Budget(label, limits, os.fstat(file.fileno()).st_size)
        written = 0
        try:
            # No checkpoints: nobody goes back in it.
            with ExpandedStream(file, kind, label, budget, None) as stream:
                pieces = io.BufferedReader(stream, _BUFFER)
                piece = pieces.read(512)
                if not is_tar_header(piece):
                    return False  # Whoever opens it says what is wrong.
                target.unlink(missing_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                with open(os.open(target, flags, 0o600), "wb") as expanded:
                    while piece:
                        expanded.write(piece)
                        written += len(piece)
                        piece = pieces.read(_BUFFER)
        except OSError as error:
            target.unlink(missing_ok=True)
            raise OutputError(
                f"{label} cannot be expanded into {target}: {error.strerror or error} (after "
                f"{written >> 20:,} MiB).",
                hint="Make room there or write the output to another disk; or unpack the archive "
                "yourself and give the folder.",
            ) from error
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return True
