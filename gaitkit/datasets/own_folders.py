"""Folders of one's own: a folder for each person, in it folders of frames or videos of masks.

``alice/monday/*.png`` and ``bob/tuesday.mp4``: the subject is the first folder. A recording that is
named as those of data sets are, text and number (``nm-01``, ``bg_2``), is that take of that
condition; any other is a take of the condition ``nm``, counted from 1 in natural order. The view is
unknown. Where all recordings are named as views are (000, 018, 036), they are views.

Frames that lie in a person's folder itself, without other folders or videos beside them, are one
recording of that person. Where all folders are like that, nothing tells whether they are people or
the recordings of one person: then the layout must be named.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gaitkit.datasets.casia_b import Located
from gaitkit.datasets.glimpse import is_gei_name
from gaitkit.datasets.named import Folders, NamedLayout, key_named
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    archive_stem,
    natural_order,
    noun_of,
    parse_sequence,
    parse_view,
    suffix_of,
)
from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey, is_direction, sequence_name
from gaitkit.printable import LETTERS, printable, typed

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place
    from gaitkit.datasets.packed import Contents
    from gaitkit.datasets.sampling import Sampled

__all__ = ["OwnFolders"]

_NAMED_TAKE = re.compile(r"[^\W\d_]+[-_ ]?\d{1,4}")
_DIRECT = ""
"""What a recording is called whose frames lie in the person's folder itself: it has no name."""
_LINE = 220
"""Letters of a path in a line to be given as it is."""
_STEPS = (15.0, 18.0)
_EXAMPLES = 2


def _is_view(name: str) -> bool:
    """Whether a name is that of a camera as data sets have them: a multiple of 15 or 18 degrees."""
    view = parse_view(name)
    return view is not None and is_direction(view) and any(view % s == 0 for s in _STEPS)


class OwnFolders(NamedLayout):
    """One's own recordings, person by person. See `Layout` for the parameters."""

    title = "folders of one's own"
    summary = "anna/monday"
    videos = True
    archives_beside = False

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether all frames and videos lie one folder below a person's, and are no data set's."""
        depths = [(file, cls._recording(place, file)) for file in place.sample]
        files = [file for file, found in depths if found is not None and len(found) == 2]
        names = [found[1] for _, found in depths if found is not None and len(found) == 2]
        # A preview may lie above the recordings, but nothing below them.
        others = [found for _, found in depths if found is None or len(found) not in (0, 2)]
        if len(files) <= len(others) or any(found is None or len(found) > 2 for found in others):
            return False
        if all(map(_is_view, names)):
            # A subject's folder of a data set, or people and views: it cannot be told which.
            return False
        return not any(is_gei_name((*f.folders, f.name)) for f in files) and not (
            place.is_folder and _holds_views(place, files)
        )

    @classmethod
    def _recording(cls, place: Place, file: Sampled) -> Folders | None:
        """The folders of a recording, below that of the same name as an archive."""
        folders = file.folders
        if file.suffix in VIDEO_SUFFIXES:
            folders = (*folders, PurePosixPath(file.name).stem) if folders else ()
        elif file.suffix not in IMAGE_SUFFIXES:
            return None
        above = archive_stem(place.path.name) or place.path.name
        return folders[1:] if folders and folders[0] == above else folders

    @classmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """Of ``colleagues/alice/monday``, whose take is not known yet, or ``colleagues/alice``."""
        if len(folders) == 2:
            return key_named(folders[1], "nm", -1, None)._replace(condition=_DIRECT)
        return key_named(folders[1], folders[2], -1, None) if len(folders) == 3 else None

    def _is_sequence(
        self, parts: Folders, names: list[str], folders: list[str], others: list[str]
    ) -> bool:
        if len(parts) > 1:
            return super()._is_sequence(parts, names, folders, others)
        # A preview may lie above or beside the recordings.
        videos = any(suffix_of(name) in VIDEO_SUFFIXES for name in others)
        return bool(names) and not folders and not videos

    def _keep(self, contents: Contents) -> None:
        video = contents.seen.video
        if video is not None and self._key((*video[:-1], PurePosixPath(video[-1]).stem)):
            # A decoder reads files, and nobody is to miss these recordings.
            shown = printable(str(self.path), LETTERS)
            unpack = "unzip" if self.path.suffix.lower() == ".zip" else "tar -xf"
            option = "-d" if unpack == "unzip" else "-C"
            raise LayoutError(
                f"{shown} holds videos, which are not read within archives: "
                f"{printable('/'.join(video), LETTERS)}.",
                hint=f"Unpack it, and give the folder: mkdir people && {unpack} "
                f"{typed(self.path, _LINE)} {option} people",
            )
        above = {
            str(folder)
            for one in contents.sequences
            for folder in PurePosixPath(one.folder).parents
        }
        kept = []
        for one in contents.sequences:
            # An empty folder, or a preview above the recordings.
            if one.key.condition == _DIRECT and (not one.names or one.folder in above):
                noun = f"{noun_of(self.suffixes)} at another depth"
                contents.ignored[noun] += one.names.count("/") + 1 if one.names else 0
            else:
                kept.append(one)
        contents.sequences = kept

    @classmethod
    def settled(cls, sequences: Sequence[Located]) -> list[SequenceKey]:
        """Names as conditions and takes, all others counted in natural order."""
        if not sequences:
            return []
        names = [one.key.condition for one in sequences]
        if all(map(_is_view, names)):
            return [
                key_named(one.key.subject, "nm", 1, parse_view(name))
                for one, name in zip(sequences, names, strict=True)
            ]
        keys = [one.key for one in sequences]
        people: dict[str, list[int]] = defaultdict(list)
        for number, key in enumerate(keys):
            people[key.subject].append(number)
        for subject, numbers in people.items():
            _refuse_twins(subject, [sequences[number] for number in numbers])
            taken = set()
            counted = []
            for number in sorted(numbers, key=lambda item: natural_order(names[item])):
                if _NAMED_TAKE.fullmatch(names[number]):
                    condition, take = parse_sequence(names[number])
                    keys[number] = key_named(subject, condition, take, None)
                    taken.add((condition, take))
                else:
                    counted.append(number)
            take = 0
            for number in counted:
                take += 1
                while ("nm", take) in taken:
                    take += 1
                keys[number] = key_named(subject, "nm", take, None)
        return keys

    def _below(self, folder: str) -> Folders:
        """Person and recording of a folder, below one of the name of all."""
        parts = PurePosixPath(folder).parts
        return parts[1:] if parts[0] in self._names else parts

    def _line(self, sequences: list[Located], unopened: int) -> str:
        told = super()._line(sequences, unopened)
        direct = [one for one in sequences if len(self._below(one.folder)) == 1]
        if direct:
            names = ", ".join(printable(one.folder, LETTERS // 2) for one in direct[:_EXAMPLES])
            more = f" and {len(direct) - _EXAMPLES:,} more" if len(direct) > _EXAMPLES else ""
            told += f"; the frames directly in {names}{more} are one recording of that person"
        shown = [
            f"{printable(one.folder, LETTERS // 2)} as {printable(_short(one.key), LETTERS // 2)}"
            for one in sequences[:_EXAMPLES]
        ]
        return f"{told}; read {', '.join(shown)}" if shown else told


def _short(key: SequenceKey) -> str:
    return f"{key.subject}/{sequence_name(key.condition, key.take)}"


def _refuse_twins(subject: str, recordings: Sequence[Located]) -> None:
    """Raise where a recording is there as frames and as a video, and would count twice."""
    seen: dict[str, str] = {}
    for one in recordings:
        name = one.key.condition
        if name in seen:
            raise LayoutError(
                f"{printable(seen[name], LETTERS)} and {printable(one.folder, LETTERS)} have one "
                f"name: are they the same recording of {printable(subject, LETTERS)} twice?",
                hint="Remove or rename one of them.",
            )
        seen[name] = one.folder


def _holds_views(place: Place, files: Sequence[Sampled]) -> bool:
    """Whether the images of a folder are named as views: ready-made GEIs, 001/nm-01/090.png."""
    first = next((file for file in files if file.suffix in IMAGE_SUFFIXES), None)
    if first is None:
        return False
    try:
        names = os.listdir(place.path.joinpath(*first.folders))
    except OSError:
        return False
    stems = [PurePosixPath(name).stem for name in names if suffix_of(name) in IMAGE_SUFFIXES]
    return bool(stems) and all(_is_view(stem) for stem in stems)
