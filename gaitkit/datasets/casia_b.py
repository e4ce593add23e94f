"""The CASIA-B tree ``subject/sequence/view/*.png`` on disk."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from gaitkit.datasets.layout import glimpse, misplaced, view_is_no_number
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    clean_text,
    is_hidden,
    natural_order,
    parse_view,
    sequence_key,
    stray_class,
    suffix_of,
)
from gaitkit.datasets.sources import Frame, SequenceFrames, Unit
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey

__all__ = [
    "MARKER",
    "MAX_FRAME_BYTES",
    "SEQUENCES_PER_UNIT",
    "Located",
    "TreeSource",
    "dataset_name",
    "frames_of",
    "list_images",
    "make_units",
    "read_bounded",
    "refuse_duplicates",
]

SEQUENCES_PER_UNIT = 16
"""Sequences of one unit of work: a fraction of a second to a few seconds each."""

MAX_FRAME_BYTES = 64 * 2**20
"""A file larger than this is not a frame. In bytes."""

MARKER = "synth.json"
"""Name of the file at the root of a synthetic tree that names the data set."""


class Located(NamedTuple):
    """A sequence and the folder, relative to the root, that holds its frames."""

    key: SequenceKey
    folder: str


def dataset_name(marker: bytes | None, default: str) -> str:
    """Name of a data set: what the marker of a synthetic tree says, or else the default."""
    if marker is not None:
        try:
            name = json.loads(marker)["dataset"]
        except (ValueError, KeyError, TypeError):
            return default
        if isinstance(name, str) and name:
            return name
    return default


def refuse_duplicates(sequences: Sequence[Located], root: str) -> None:
    """Raise when two folders stand for the same sequence; `sequences` are in order of key."""
    for first, second in pairwise(sequences):
        if first.key == second.key:
            raise LayoutError(
                f"two folders of {root} stand for the same sequence {first.key}: {first.folder} "
                f"and {second.folder}",
                hint="Rename one of them: nm-01, nm_1 and nm01 are all take 1 of condition nm.",
            )


def make_units(sequences: Sequence[Located]) -> list[Unit]:
    """Cut a list of sequences into units; independent of everything but the list."""
    units: list[Unit] = []
    for start in range(0, len(sequences), SEQUENCES_PER_UNIT):
        work = tuple(sequences[start : start + SEQUENCES_PER_UNIT])
        label = f"{work[0].folder} to {work[-1].folder} ({len(work)})"
        units.append(Unit(len(units), label, work))
    return units


class TreeSource:
    """A tree of frames on disk.

    Listing looks at every folder but keeps only the list of sequences; the frames' names are
    listed again when a sequence is read.

    Parameters
    ----------
    root : Path
        The folder that holds the subjects.
    name : str, optional
        Name of the data set; by default that of a synthetic tree, or of the folder.
    """

    def __init__(self, root: Path | str, *, name: str | None = None) -> None:
        self.root = Path(root)
        self._name = name
        self._ignored: Counter[str] | None = None
        self._sequences: list[Located] = []

    def __reduce__(self) -> tuple[object, ...]:
        # What was listed stays here: a worker is told by its unit what to read.
        return _tree, (self.root, self._name)

    @property
    def name(self) -> str:
        """Name of the data set."""
        if self._name is None:
            marker = self.root / MARKER
            data = marker.read_bytes() if marker.is_file() else None
            self._name = dataset_name(data, clean_text(self.root.resolve().name) or "frames")
        return self._name

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the folder {self.root}"

    @property
    def ignored(self) -> Mapping[str, int]:
        """Counts of strays by class."""
        self.units()
        return dict(sorted((self._ignored or {}).items()))

    def units(self) -> list[Unit]:
        """Check the layout and cut the tree into units of `SEQUENCES_PER_UNIT` sequences.

        Raises
        ------
        LayoutError
            No sequence there, a view that is not a number, or one sequence in two folders.
        """
        if self._ignored is None:
            self._list()
        return make_units(self._sequences)

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        for key, folder in unit.work:
            yield SequenceFrames(key, frames_of(self.root / folder))

    def _list(self) -> None:
        ignored: Counter[str] = Counter()
        sequences = []
        images = 0
        wrong_view = None
        for subject in _folders(self.root, ignored, known=MARKER):
            for sequence in _folders(self.root / subject, ignored):
                for view_name in _folders(self.root / subject / sequence, ignored):
                    folder = f"{subject}/{sequence}/{view_name}"
                    strays: Counter[str] = Counter()
                    count = len(list_images(self.root / folder, strays))
                    view = parse_view(view_name)
                    images += count
                    ignored += strays
                    if view is not None:
                        key = sequence_key(subject, sequence, view)
                        sequences.append(Located(key, folder))
                    elif count:
                        wrong_view = wrong_view or folder
                    else:
                        ignored["folders without images"] += 1
        if wrong_view is not None and sequences:
            raise view_is_no_number((self.root / wrong_view).as_posix())
        if wrong_view is not None or not images:
            raise misplaced(self.root, glimpse(self.root))
        sequences.sort(key=lambda item: (item.key.order, item.folder))
        refuse_duplicates(sequences, str(self.root))
        self._sequences, self._ignored = sequences, ignored


def _tree(root: Path, name: str | None) -> TreeSource:
    return TreeSource(root, name=name)


def _folders(folder: Path, ignored: Counter[str], *, known: str = "") -> list[str]:
    """Names of the visible folders in a folder, sorted; what else is there is counted."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and not is_hidden(entry.name):
                names.append(entry.name)
            elif entry.name != known:
                ignored[stray_class(entry.name)] += 1
    return sorted(names)


def list_images(folder: Path, ignored: Counter[str]) -> list[str]:
    """Names of the images in a folder in natural order; what else is there is counted."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if suffix_of(name) in IMAGE_SUFFIXES and not is_hidden(name) and entry.is_file():
                names.append(name)
            elif entry.is_dir() and not is_hidden(name):
                ignored["folders within views"] += 1
            else:
                ignored[stray_class(name)] += 1
    return sorted(names, key=lambda name: natural_order(clean_text(name)))


def frames_of(folder: Path) -> Iterable[Frame]:
    """Name and bytes of each frame directly in a folder, in natural order, read one by one."""
    for name in list_images(folder, Counter()):
        yield clean_text(name), read_bounded(folder / name)


def read_bounded(path: Path) -> bytes:
    """The bytes of an image file.

    Raises
    ------
    DatasetError
        The file has more than `MAX_FRAME_BYTES` or cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(MAX_FRAME_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"The frame {path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_FRAME_BYTES:
        raise DatasetError(
            f"The frame {path} has more than {MAX_FRAME_BYTES >> 20} MiB; that is no silhouette."
        )
    return data
