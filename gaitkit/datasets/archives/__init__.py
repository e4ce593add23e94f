"""Zip and tar archives, read in place: their members are never unpacked on the disk.

What is compressed as a whole (tar.gz, tar.bz2, tar.xz) may be expanded once, to a tar.

An archive is somebody else's file. Each member is checked before any is read; an archive with one
bad member is refused whole (`ArchiveError`).
"""

from gaitkit.datasets.archives.common import LIMITS, Container, Limits, Member, refused
from gaitkit.datasets.archives.opening import archive_kind, expand, expand_file, open_container

__all__ = [
    "LIMITS",
    "Container",
    "Limits",
    "Member",
    "archive_kind",
    "expand",
    "expand_file",
    "open_container",
    "refused",
]
