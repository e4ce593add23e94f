"""Recordings that are named one by one: videos and folders of frames, and who each shows.

What a manifest lists in a file, a caller says here. Everything else is a manifest's: how videos and
folders are read, what is refused, and that it can be read by other processes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaitkit.arguments import check_name
from gaitkit.datasets.glimpse import Place
from gaitkit.datasets.manifest import ManifestRow, ManifestSource
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    clean_text,
    is_hidden,
    natural_order,
)
from gaitkit.datasets.sources import Unit, list_images
from gaitkit.errors import LayoutError, OptionError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import FileIdentity, file_identity
from gaitkit.printable import printable, quoted
from gaitkit.regular import is_special

__all__ = ["Recordings", "holds_frames", "is_video", "recordings_in"]


def is_video(path: Path) -> bool:
    """Whether a file has the name of a video.

    Examples
    --------
    >>> is_video(Path("door.MP4")), is_video(Path("door.zip"))
    (True, False)
    """
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def holds_frames(folder: Path) -> bool:
    """Whether there are images directly in a folder."""
    return any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in _names_in(folder))


def recordings_in(folder: Path) -> list[Path]:
    """The recordings of one person: the folder itself, or the videos and frame folders in it.

    Parameters
    ----------
    folder : Path
        Holds the frames of one walk; or videos, or folders of frames, a walk each.

    Returns
    -------
    list of Path
        In natural order of the names; empty where there is neither.
    """
    if holds_frames(folder):
        return [folder]
    inside = (folder / name for name in sorted(_names_in(folder), key=natural_order))
    return [one for one in inside if is_video(one) or (one.is_dir() and holds_frames(one))]


def _names_in(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not is_hidden(name)]
    except OSError as error:
        raise LayoutError(
            f"{printable(str(folder), 200)} cannot be listed: {error.strerror or error}."
        ) from None


class Recordings(ManifestSource):
    """Some recordings, each a take of a subject. See `Layout` for `name`.

    Parameters
    ----------
    paths : sequence of Path
        Videos and folders of frames, at least one.
    subject : str, optional
        Whom all of them show; by default each is called as its file.
    view : float, optional
        Camera angle, degrees; by default unknown.

    Examples
    --------
    >>> found = Recordings([Path("a/door.mp4"), Path("b/door.mp4")], name="new")
    >>> [str(row.key) for row in found.rows]
    ['door.mp4/nm-01/unknown', 'door.mp4/nm-02/unknown']
    """

    title = "recordings"

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        subject: str | None = None,
        view: float | None = None,
    ) -> None:
        super().__init__(paths[0], name=name)
        if subject is not None and "/" in check_name(subject, "`subject`"):
            raise OptionError(f"A name has no / in it; got {quoted(subject)}.")
        takes: Counter[str] = Counter()
        self.rows: list[ManifestRow] = []
        for line, path in enumerate(paths, start=1):
            called = clean_text(path.resolve().name if subject is None else subject)
            takes[called] += 1
            key = SequenceKey(called, "nm", takes[called], view)
            self.rows.append(ManifestRow(line, os.path.abspath(path), key))
        self._identities: list[FileIdentity | None] = []

    def __reduce__(self) -> tuple[object, ...]:
        # A unit says what to read; how it is read, the source knows.
        how = {name: vars(self)[name] for name in ("_reading", "_segments") if name in vars(self)}
        return _again, ([Path(row.path) for row in self.rows], self.name, how)

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Never: they are named."""
        return False

    @property
    def description(self) -> str:
        """What is read and from where."""
        shown = ", ".join(printable(Path(row.path).name, 60) for row in self.rows[:3])
        return shown + (f" and {len(self.rows) - 3} more" if len(self.rows) > 3 else "")

    @property
    def recognised(self) -> str:
        """What was recognised: nothing had to be, they were named."""
        count = len(self.rows)
        return f"{count} recording{'' if count == 1 else 's'}: {self.description}"

    def list_units(self) -> list[Unit]:
        """Check that all are there; a unit for each."""
        for row in self.rows:
            self._check(row)
        self._identities = self._looked_at()
        rows = sorted(self.rows, key=lambda row: row.key.order)
        return [
            Unit(index, f"{Path(row.path).name} as {row.key}", (row,))
            for index, row in enumerate(rows)
        ]

    def refuse_changed(self) -> None:
        """Raise where a recording is no longer what was listed."""
        if self._identities != self._looked_at():
            raise self._changed()

    def _looked_at(self) -> list[FileIdentity | None]:
        paths = [Path(row.path) for row in self.rows]
        return [None if path.is_dir() else file_identity(path) for path in paths]

    def _check(self, row: ManifestRow) -> None:
        path, shown = Path(row.path), printable(row.path, 200)
        if not os.path.exists(path):
            raise LayoutError(f"There is no file or folder {shown}.")
        if is_special(path):
            raise LayoutError(f"{shown} is no file, but a pipe, a socket or a device.")
        if path.is_dir():
            if not list_images(path, self.strays, self):
                raise LayoutError(f"There is no image directly in the folder {shown}.")
        elif not is_video(path):
            raise LayoutError(
                f"{shown} is neither a folder of frames nor named as a video.",
                hint=f"Videos end in {', '.join(sorted(VIDEO_SUFFIXES))}.",
            )


def _again(paths: list[Path], name: str, how: dict[str, Any]) -> Recordings:
    source = Recordings(paths, name=name)
    vars(source).update(how)
    return source
