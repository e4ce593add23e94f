"""Ready-made GEIs: one image for each sequence and view, as they circulate for CASIA-B.

Read are, in a folder or an archive (there, below any folders):

- ``001/nm-01/001-nm-01-090.png``: name and folders must agree; the name may also be
  ``nm-01-090.png`` or ``090.png``;
- ``001-nm-01-090.png`` in one folder, provided that subject and condition have no ``-``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.datasets.archives import LIMITS, Limits, Member, archive_kind, open_container
from gaitkit.datasets.glimpse import glimpse, is_gei_name, require_readable
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    clean_text,
    gei_key,
    is_hidden,
    parse_view,
    sequence_key,
    stray_class,
    suffix_of,
)
from gaitkit.datasets.packed import Contents, visible_members
from gaitkit.datasets.sources import (
    MARKER,
    Layout,
    SequenceFrames,
    Unit,
    cut_into_units,
    read_bounded,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArchiveError, LayoutError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import is_beside

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["GeiImageSource"]

IMAGES_PER_UNIT = 512
_EXPECTED = "001/nm-01/001-nm-01-090.png"


class _Image(NamedTuple):
    key: SequenceKey
    parts: tuple[str, ...]
    member: Member | None


def _numbered(names: list[str]) -> bool:
    """Whether images count 1, 2, 3, ...: no two cameras stand one degree apart."""
    views: dict[str, list[float]] = {}
    for name in names:
        before, _, last = PurePosixPath(name).stem.rpartition("-")
        view = parse_view(last)
        if view is not None:
            views.setdefault(before, []).append(view)
    return any(
        later - earlier == 1.0
        for found in views.values()
        for earlier, later in pairwise(sorted(found))
    )


def _archive_looks_like_geis(path: Path) -> bool:
    with open_container(path, str(path)) as container:
        first: tuple[str, ...] | None = None
        names: list[str] = []
        for member in visible_members(container, LIMITS, Contents()):
            if member.is_folder:
                continue
            if first is None:
                first = member.parts
                if len(first) == 2 or not is_gei_name(first[-3:]):
                    return False
            if member.parts[:-1] != first[:-1]:
                break
            names.append(member.parts[-1])
        return first is not None and not _numbered(names)


class GeiImageSource(Layout):
    """Ready-made GEIs in a folder or archive, one frame a sequence.

    Parameters
    ----------
    path : str or Path
        The folder that holds the subjects (or all images), or an archive of it.
    name : str, optional
        Name of the data set; by default that of the folder or archive.
    limits : Limits
        Bounds on what an archive may expand to.

    Raises
    ------
    LayoutError
        There is nothing at `path`, or something that is neither a folder nor an archive.
    """

    summary = _EXPECTED
    holds = "geis"
    title = "ready-made GEIs"

    def __init__(
        self, path: Path | str, *, name: str | None = None, limits: Limits = LIMITS
    ) -> None:
        super().__init__(path, name=name, limits=limits)
        require_readable(self.path)

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a folder or archive holds ready-made GEIs rather than silhouettes.

        Decided by the first image and its neighbours: it must carry the name ``001-nm-01-090.png``
        in its place, and neighbours must not be numbered one by one, as frames are.
        """
        if not place.is_folder:
            try:
                return bool(archive_kind(place.start)) and _archive_looks_like_geis(place.path)
            except ArchiveError:
                return False
        seen = place.seen.image
        if seen is None or len(seen) not in (1, 3) or not is_gei_name(seen):
            return False
        return not _numbered(os.listdir(place.path.joinpath(*seen[:-1])))

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the ready-made GEIs in {self.path}"

    def list_units(self) -> list[Unit]:
        """Check the layout and cut the images into units.

        Raises
        ------
        ArchiveError
            The archive is unsafe or damaged.
        LayoutError
            No image there, or a name that contradicts its folders.
        """
        return cut_into_units(self._list(), IMAGES_PER_UNIT, lambda image: "/".join(image.parts))

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The images of a unit in order of key, each as a sequence of one frame."""
        if self.path.is_dir():
            for key, parts, _ in unit.work:
                data = read_bounded(self.path.joinpath(*parts))
                yield SequenceFrames(key, [(clean_text(parts[-1]), data)])
            return
        with self.open_archive() as container:
            for key, parts, member in unit.work:
                yield SequenceFrames(key, [(clean_text(parts[-1]), container.read(member))])

    def _list(self) -> list[_Image]:
        found = self._in_folder() if self.path.is_dir() else self._in_archive()
        images: dict[SequenceKey, _Image] = {}
        count = 0
        for parts, member in sorted(found, key=lambda item: item[0]):
            count += 1
            key = gei_key(parts)
            if key is None:
                self._drop_nameless(parts)
            elif key in images:
                detail = f"{'/'.join(parts)} beside {'/'.join(images[key].parts)}"
                row = DroppedRow.of(key, "duplicate", frame=clean_text(parts[-1]), detail=detail)
                self.left_out.append(row)
            else:
                images[key] = _Image(key, parts, member)
        if not images:
            raise self._misplaced(count)
        return sorted(images.values(), key=lambda image: image.key.order)

    def _drop_nameless(self, parts: tuple[str, ...]) -> None:
        if len(parts) < 3:
            self.strays["images without subject, sequence and view in the name"] += 1
            return
        key = sequence_key(parts[-3], parts[-2], None)
        detail = f"{'/'.join(parts)}: its name has no view"
        row = DroppedRow.of(key, "not-a-gei", frame=clean_text(parts[-1]), detail=detail)
        self.left_out.append(row)

    def _misplaced(self, images: int) -> LayoutError:
        start = f"found 0 ready-made GEIs in {self.path}; expected"
        if not self.path.is_dir():
            found = "its images have other names" if images else "there is no image in it"
            return LayoutError(f"{start} {_EXPECTED} in it, below any folders; {found}")
        start = f"{start} {self.path}/{_EXPECTED}"
        seen = glimpse(self.path).image
        if seen is None:
            return LayoutError(f"{start}; there is no image in it")
        if is_gei_name(seen) and len(seen) > 3:
            return LayoutError(f"{start}; try {self.path.joinpath(*seen[:-3])}")
        return LayoutError(f"{start}; its first image is {self.path.joinpath(*seen)}")

    def _in_archive(self) -> list[tuple[tuple[str, ...], Member | None]]:
        contents = Contents()
        found: list[tuple[tuple[str, ...], Member | None]] = []
        with self.open_archive() as container:
            for member in visible_members(container, self.limits, contents):
                if not member.is_folder:
                    found.append((member.parts, member))
        self.strays = contents.ignored
        self.strays["archives"] += len(contents.archives)
        return found

    def _in_folder(self) -> list[tuple[tuple[str, ...], Member | None]]:
        """The images at the top of the folder, or else those two folders down."""
        found: dict[int, list[tuple[tuple[str, ...], Member | None]]] = {1: [], 3: []}
        for folder, folders, files in os.walk(self.path, followlinks=True):
            parts = Path(folder).relative_to(self.path).parts
            output = self.output_in(folder)
            folders[:] = sorted(
                name
                for name in folders
                if not (is_hidden(name) or (output and is_beside(name, output)))
            )
            for name in files:
                if output and is_beside(name, output):
                    continue
                is_image = suffix_of(name) in IMAGE_SUFFIXES
                if is_image and not is_hidden(name) and len(parts) + 1 in found:
                    found[len(parts) + 1].append(((*parts, name), None))
                elif (*parts, name) != (MARKER,):
                    self.strays[stray_class(name)] += 1
            if len(parts) >= 3:
                folders.clear()
        if found[3] and found[1]:
            self.strays["images at another depth"] += len(found[1])
        return found[3] or found[1]
