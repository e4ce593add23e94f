"""Opening an archive by its content, whatever its name."""

from __future__ import annotations

import io
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
from gaitkit.errors import ArchiveError

__all__ = ["archive_kind", "expand", "open_container"]

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"PK\3\4": "zip", b"PK\5\6": "zip"}
_BUFFER = 2**18


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
            + (" It is empty." if size == 0 else "")
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
