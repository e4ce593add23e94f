"""Endings of names, and beginnings of files, by which kinds of input are told."""

from __future__ import annotations

__all__ = ["ARCHIVE_SUFFIXES", "VIDEO_SUFFIXES", "may_be_read"]

ARCHIVE_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip")
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
_TAR = slice(257, 262)


def may_be_read(name: str, start: bytes) -> bool:
    r"""Whether a file may hold what GEIs are made of: a video, an archive, arrays, a manifest.

    Parameters
    ----------
    name : str
        Of the file.
    start : bytes
        The first 512 bytes of it.

    Examples
    --------
    >>> may_be_read("door.mp4", b""), may_be_read("walks", b"PK\x03\x04")
    (True, True)
    >>> may_be_read("people.csv", b"path,subject\n"), may_be_read("a.txt", b"hi")
    (True, False)
    """
    lower = name.lower()
    if lower.endswith((*VIDEO_SUFFIXES, *ARCHIVE_SUFFIXES, ".npz")):
        return True
    if lower.endswith(".csv"):
        columns = start.partition(b"\n")[0].lower().replace(b";", b",").split(b",")
        return b"path" in [column.strip(b'\xef\xbb\xbf"\r ') for column in columns]
    return start.startswith(_PACKED) or start[_TAR] == b"ustar"
