"""Zip and tar archives, read in place: nothing is ever unpacked on the disk.

An archive is somebody else's file. Each member is checked before any is read; an archive with one
bad member is refused whole (`ArchiveError`).
"""

from gaitkit.datasets.archives.common import LIMITS, Container, Limits, Member, refused
from gaitkit.datasets.archives.opening import archive_kind, expand, open_container

__all__ = [
    "LIMITS",
    "Container",
    "Limits",
    "Member",
    "archive_kind",
    "expand",
    "open_container",
    "refused",
]
