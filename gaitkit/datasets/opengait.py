"""Silhouettes as OpenGait keeps them: one array for each sequence and view.

``001/nm-01/090/090.pkl``, and ``.npy`` or ``.npz`` in the same place. They were aligned when they
were made, so they are used as they are. A view may have several files, of the same walk in other
terms (its parts, its joints): the silhouettes are the one named as the view, or with ``sil`` in its
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from gaitkit.datasets.archives import Container, Member, archive_kind, open_container
from gaitkit.datasets.arrays import array_frames
from gaitkit.datasets.casia_b import OTHERS, TreeSource
from gaitkit.datasets.naming import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    archive_stem,
    is_hidden,
    suffix_of,
)
from gaitkit.datasets.packed import (
    Contents,
    InnerArchive,
    PackedSequence,
    PackedSource,
    packed_frames,
)
from gaitkit.datasets.sources import Frame, Layout, SequenceFrames, Unit
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.printable import LETTERS, printable

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = [
    "ArrayTree",
    "PackedArrays",
    "choose_in_archive",
    "choose_silhouettes",
    "unpacked",
]

_SILHOUETTES = "sil"
_LOOKED_AT = 100_000
_FEW = 50
_DEEP = 3  # Parts of a file's path, where an archive of one subject begins with the sequences.


class _Arrays(Layout):
    """What the folder and the archive have in common."""

    suffixes = ARRAY_SUFFIXES
    aligned = True
    title = "OpenGait's arrays"

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the arrays of aligned silhouettes in {self.path}"

    def choose(self, names: list[str], folder: str) -> list[str]:
        """The file that holds the silhouettes; all names where there is but one, or none."""
        return choose_silhouettes(names, folder)


def choose_silhouettes(names: list[str], folder: str) -> list[str]:
    """Which of the arrays of one walk holds its silhouettes.

    Parameters
    ----------
    names : list of str
        Files in the folder of a sequence.
    folder : str
        That folder.

    Returns
    -------
    list of str
        One name; all names where there is but one, or none.

    Raises
    ------
    LayoutError
        Several may be it.

    Examples
    --------
    >>> choose_silhouettes(["parts.pkl", "090.pkl"], "001/nm-01/090")
    ['090.pkl']
    """
    if len(names) < 2:
        return names
    view = PurePath(folder).name
    stems = [name.removesuffix(PurePath(name).suffix) for name in names]
    likely = [n for n, stem in zip(names, stems, strict=True) if stem == view] or [
        n for n, stem in zip(names, stems, strict=True) if _SILHOUETTES in stem.lower()
    ]
    if len(likely) != 1:
        shown = printable(", ".join(likely or names), LETTERS)
        raise LayoutError(
            f"{printable(folder, 200)} holds several arrays of one sequence, and which are its "
            f"silhouettes cannot be told: {shown}",
            hint=f"Name that one {printable(view, LETTERS)}.pkl, or give it alone a name with "
            f"{_SILHOUETTES}.",
        )
    return likely


def choose_in_archive(contents: Contents, label: str) -> None:
    """Leave of the arrays of each sequence in an archive the one that holds its silhouettes."""
    for number, sequence in enumerate(contents.sequences):
        names = sequence.names
        if len(names) > 1:
            (chosen,) = choose_silhouettes(names, f"{label}/{sequence.folder}")
            contents.sequences[number] = _only(sequence, chosen)
            contents.ignored[OTHERS] += len(names) - 1


def unpacked(files: Iterable[Frame], where: str) -> Iterator[Frame]:
    """The frames in the arrays of a sequence; `where` is its folder, for messages."""
    for name, data in files:
        assert isinstance(data, bytes)  # Files are not decoded where they are listed.
        yield from array_frames(name, data, f"{where}/{name}")


class ArrayTree(_Arrays, TreeSource):
    """A tree of arrays on disk. See `Layout` for the parameters."""

    summary = "001/nm-01/000/*.pkl"

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether arrays lie three folders down, and no images."""
        return place.is_array_tree

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        for (_, folder), sequence in zip(unit.work, super().read(unit), strict=True):
            where = str(self.path / folder)
            yield SequenceFrames(sequence.key, unpacked(sequence.frames, where))


class PackedArrays(_Arrays, PackedSource):
    """Arrays in an archive, or in a folder of archives. See `Layout` for the parameters."""

    summary = "archives"

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether the first files in an archive, or in the first one of several, are arrays."""
        if not (place.holds_archives or archive_kind(place.start)):
            return False
        try:
            return cls(place.path)._begins_with_arrays()
        except (DatasetError, OSError):
            return False  # Whoever reads it says what is wrong.

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        for packed in super().read(unit):
            frames = unpacked(packed.frames, f"{self.path}/{packed.key}")
            yield SequenceFrames(packed.key, frames, packed.ignored)

    def _contents(self, container: Container, *, subject: str | None = None) -> Contents:
        contents = super()._contents(container, subject=subject)
        choose_in_archive(contents, container.label)
        return contents

    def _begins_with_arrays(self) -> bool:
        if self.path.is_dir():
            first = min(self._archives_in_folder(), key=lambda item: (item.stem, item.label))
            with self._open_inner(None, first) as container:
                return _first_files(container)[0]
        with open_container(self.path, str(self.path), limits=self.limits) as container:
            found, inner = _first_files(container)
            if found or inner is None:
                return found
            label = f"{self.path}/{'/'.join(inner.parts)}"
            with self._open_inner(container, InnerArchive(label, "", inner)) as within:
                return _first_files(within)[0]


def _only(sequence: PackedSequence, name: str) -> PackedSequence:
    """A sequence of one of its files."""
    ((_, member),) = [item for item in sequence.members() if item[0] == name]
    place = np.array([(member.offset, member.size, member.packed, member.check)], np.uint64)
    return sequence._replace(frames=packed_frames([name], place))


def _first_files(container: Container) -> tuple[bool, Member | None]:
    """Whether arrays come first in an archive and no images; else the first archive in it."""
    found, inner = 0, None
    for number, member in enumerate(container.members()):
        if member.is_folder or any(map(is_hidden, member.parts)):
            continue
        suffix = suffix_of(member.parts[-1])
        deep = len(member.parts) >= _DEEP
        if suffix in IMAGE_SUFFIXES and deep:
            return False, None
        found += suffix in ARRAY_SUFFIXES and deep
        if inner is None and archive_stem(member.parts[-1]) is not None:
            inner = member
        if found > _FEW or number > _LOOKED_AT:
            break
    return found > 0, None if found else inner
