"""The CASIA-B tree ``subject/sequence/view/*.png`` on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.datasets.glimpse import glimpse, misplaced, view_is_no_number
from gaitkit.datasets.naming import (
    SPECIAL,
    clean_text,
    is_folder,
    is_hidden,
    is_system_name,
    is_view,
    noun_of,
    parse_view,
    sequence_key,
    stray_class,
)
from gaitkit.datasets.sources import (
    MARKER,
    Layout,
    SequenceFrames,
    Unit,
    cut_into_units,
    frames_of,
    list_images,
    name_in_marker,
)
from gaitkit.datasets.strays import HIDDEN_FOLDERS, note_folder, without
from gaitkit.documents import MAX_BYTES
from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import is_beside
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["OTHERS", "SEQUENCES_PER_UNIT", "Located", "TreeSource", "refuse_duplicates"]

SEQUENCES_PER_UNIT = 16
"""Sequences of one unit of work: a fraction of a second to a few seconds each."""

OTHERS = "files of a sequence that hold something else"
"""How files beside the one that holds the frames of a sequence are counted."""


class Located(NamedTuple):
    """A sequence and the folder, relative to the root, that holds its frames."""

    key: SequenceKey
    folder: str


_ONE_TAKE = "Rename one of them: nm-01, nm_1 and nm01 are all take 1 of condition nm."


def refuse_duplicates(sequences: Sequence[Located], root: str, hint: str = _ONE_TAKE) -> None:
    """Raise when two folders stand for the same sequence; `sequences` are in order of key."""
    for first, second in pairwise(sequences):
        if first.key == second.key:
            raise LayoutError(
                f"two folders of {root} stand for the same sequence {first.key}: {first.folder} "
                f"and {second.folder}",
                hint=hint,
            )


class TreeSource(Layout):
    """A tree of frames on disk. See `Layout` for the parameters.

    Listing looks at every folder but keeps only the list of sequences; the frames' names are
    listed again when a sequence is read.
    """

    summary = "001/nm-01/000/*.png"
    title = "CASIA-B"
    by_depth = True

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether the images in a folder lie three folders down."""
        return place.is_tree

    def default_name(self) -> str:
        """That of a synthetic tree, or of the folder."""
        marker = self.path / MARKER
        ours = marker.is_file() and marker.stat().st_size <= MAX_BYTES
        named = name_in_marker(marker.read_bytes() if ours else None, self.path)
        return named or clean_text(self.path.resolve().name) or "frames"

    def list_units(self) -> list[Unit]:
        """Check the layout and cut the tree into units of `SEQUENCES_PER_UNIT` sequences.

        Raises
        ------
        LayoutError
            No sequence there, a view that is not a number, or one sequence in two folders.
        """
        sequences = []
        images = 0
        wrong_view = None
        root, strays = self.path, self.strays
        for subject, above in self._sequence_folders():
            views = self._folders(root / above)
            if not views:
                note_folder(strays, without(noun_of(self.suffixes)), above)
            for view_name in views:
                folder = f"{above}/{view_name}"
                names = list_images(root / folder, strays, self)
                count = len(self.choose(names, str(root / folder)))
                strays[OTHERS] += len(names) - count
                images += count
                if is_view(view_name):
                    view = parse_view(view_name)
                    key = sequence_key(subject, above.rpartition("/")[2], view)
                    sequences.append(Located(key, folder))
                elif count:
                    wrong_view = wrong_view or folder
                else:
                    note_folder(strays, without(noun_of(self.suffixes)), folder)
        if wrong_view is not None and sequences:
            raise view_is_no_number((root / wrong_view).as_posix())
        if wrong_view is not None or not images:
            raise misplaced(root, glimpse(root))
        sequences.sort(key=lambda item: (item.key.order, item.folder))
        refuse_duplicates(sequences, str(root))
        return cut_into_units(sequences, SEQUENCES_PER_UNIT, lambda item: item.folder)

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        for key, folder in unit.work:
            yield SequenceFrames(key, frames_of(self.path / folder, self))

    def _sequence_folders(self) -> Iterator[tuple[str, str]]:
        """Each subject and the folder of a sequence, relative to the root.

        A subject's archive that was unpacked into a folder of its own name leaves 001/001/nm-01.
        """
        for subject in self._folders(self.path, known=MARKER):
            sequences = self._folders(self.path / subject)
            if not sequences:
                note_folder(self.strays, without(noun_of(self.suffixes)), subject)
            for sequence in sequences:
                folder = f"{subject}/{sequence}"
                if sequence == subject and self._holds_sequences(folder):
                    for inner in self._folders(self.path / folder):
                        yield subject, f"{folder}/{inner}"
                else:
                    yield subject, folder

    def _holds_sequences(self, folder: str) -> bool:
        """Whether two folders lie one in another in a folder: 001/001 is else a sequence."""
        for name in sorted(os.listdir(self.path / folder)):
            below = self.path / folder / name
            if not is_hidden(name) and below.is_dir():
                with os.scandir(below) as entries:
                    if any(is_folder(entry) and not is_hidden(entry.name) for entry in entries):
                        return True
        return False

    def _folders(self, folder: Path, *, known: str = "") -> list[str]:
        """Names of the visible folders in a folder, sorted; what else is there is counted."""
        names = []
        output = self.output_in(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if output and is_beside(entry.name, output):
                    continue
                if is_folder(entry) and not is_hidden(entry.name):
                    names.append(entry.name)
                elif is_folder(entry) and not is_system_name(entry.name):
                    hidden = (folder / entry.name).relative_to(self.path).as_posix()
                    note_folder(self.strays, HIDDEN_FOLDERS, hidden)
                elif entry.name != known:
                    stray = stray_class(entry.name, self.suffixes)
                    self.strays[SPECIAL if is_special(entry) else stray] += 1
        return sorted(names)
