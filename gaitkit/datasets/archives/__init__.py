"""Zip and tar archives, read in place: nothing is ever unpacked on the disk.

An archive is somebody else's file. Each member is checked before any is read; an archive with one
bad member is refused whole (`ArchiveError`).
"""

from gaitkit.datasets.archives.container import Container, expand, open_container
from gaitkit.datasets.archives.limits import LIMITS, Limits, Member

__all__ = ["LIMITS", "Container", "Limits", "Member", "expand", "open_container"]
