"""From the members of an archive to sequences: the CASIA-B layout below any folders."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gaitkit.datasets.archives import Container, Limits, Member
from gaitkit.datasets.archives.limits import refused
from gaitkit.datasets.casia_b import MARKER, Located, refuse_duplicates
from gaitkit.datasets.layout import Glimpse, view_is_no_number
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    archive_stem,
    clean_text,
    is_hidden,
    natural_order,
    parse_view,
    sequence_key,
    stray_class,
    suffix_of,
)
from gaitkit.labels import SequenceKey

__all__ = ["Contents", "PackedSequence", "list_contents", "visible_members"]

_COLUMNS = 4
Folder = tuple[str, ...]


class PackedSequence(NamedTuple):
    """A sequence in an archive: about 60 bytes for each frame.

    Attributes
    ----------
    key : SequenceKey
        Its key.
    folder : str
        The folder of its frames.
    names : str
        Names of the frames in natural order, joined by ``/``.
    places : bytes
        Offset, size, packed size and check of each frame, as unsigned 64-bit integers.
    """

    key: SequenceKey
    folder: str
    names: str
    places: bytes

    def members(self) -> Iterator[tuple[str, Member]]:
        """Name and member of each frame."""
        if not self.names:
            return
        numbers = array("Q", self.places)
        folder = tuple(self.folder.split("/"))
        for index, name in enumerate(self.names.split("/")):
            offset, size, packed, check = numbers[index * _COLUMNS : (index + 1) * _COLUMNS]
            yield name, Member((*folder, name), False, offset, size, packed, check)


@dataclass
class _Frames:
    names: list[str] = field(default_factory=list)
    places: array[int] = field(default_factory=lambda: array("Q"))


@dataclass
class Contents:
    """What an archive holds.

    Attributes
    ----------
    sequences : list of PackedSequence
        In order of key.
    archives : list of Member
        Archives within the archive.
    marker : Member or None
        The file that names a synthetic data set.
    ignored : Counter
        Strays by class.
    seen : Glimpse
        For the message when there is no sequence.
    """

    sequences: list[PackedSequence] = field(default_factory=list)
    archives: list[Member] = field(default_factory=list)
    marker: Member | None = None
    ignored: Counter[str] = field(default_factory=Counter)
    seen: Glimpse = field(default_factory=Glimpse)


def visible_members(container: Container, limits: Limits, contents: Contents) -> Iterator[Member]:
    """The images and folders in an archive; all else is noted in `contents`.

    Raises
    ------
    ArchiveError
        The archive is unsafe or damaged, or an image is too large to be one.
    """
    for member in container.members():
        *_, name = member.parts or ("",)
        hidden = _hidden_part(member.parts[:-1]) or (name if is_hidden(name) else None)
        if member.is_folder:
            if hidden is None and member.parts:
                yield member
            continue
        if hidden is not None:
            contents.ignored[stray_class(hidden)] += 1
            continue
        contents.seen.add(member.parts)
        if suffix_of(name) in IMAGE_SUFFIXES:
            if member.size > limits.frame_bytes:
                raise refused(
                    container.label,
                    f"its image {'/'.join(member.parts)} has {member.size:,} bytes, more than "
                    f"{limits.frame_bytes:,}",
                )
            yield member
        elif archive_stem(name) is not None:
            contents.archives.append(member)
        elif name == MARKER:
            contents.marker = member
        else:
            contents.ignored[stray_class(name)] += 1


@lru_cache(maxsize=1024)
def _hidden_part(folders: Folder) -> str | None:
    return next((part for part in folders if is_hidden(part)), None)


def list_contents(container: Container, limits: Limits, *, subject: str | None = None) -> Contents:
    """List the sequences in an archive.

    An image belongs to a sequence when it lies in a folder ``subject/sequence/view`` below any
    other folders, the view being a number.

    Parameters
    ----------
    container : Container
        The archive.
    limits : Limits
        Bounds.
    subject : str, optional
        Whose archive it is, if its paths begin at the sequence.

    Returns
    -------
    Contents
        Without sequences if there are none; that is for the caller to judge.

    Raises
    ------
    ArchiveError
        Unsafe or damaged.
    LayoutError
        A view that is not a number among others that are, or a sequence in two places.
    """
    contents = Contents()
    frames: dict[Folder, _Frames] = {}
    for member in visible_members(container, limits, contents):
        if member.is_folder:
            # An empty view folder is a sequence without frames, as it is on the disk.
            if parse_view(member.parts[-1]) is not None:
                frames.setdefault(member.parts, _Frames())
            continue
        found = frames.setdefault(member.parts[:-1], _Frames())
        found.names.append(clean_text(member.parts[-1]))
        found.places.extend((member.offset, member.size, member.packed, member.check))
    places = _sequence_folders(frames, container.label, subject)
    for folder, found in sorted(frames.items()):
        place = places.get(folder)
        if place is None:
            contents.ignored["images at another depth"] += len(found.names)
            continue
        key = sequence_key(place[-3], place[-2], parse_view(place[-1]))
        names, numbers = _in_order(found, contents.ignored)
        contents.sequences.append(PackedSequence(key, "/".join(folder), names, numbers))
    contents.ignored = +contents.ignored
    contents.sequences.sort(key=lambda item: (item.key.order, item.folder))
    refuse_duplicates(
        [Located(item.key, item.folder) for item in contents.sequences], container.label
    )
    return contents


def _sequence_folders(
    frames: dict[Folder, _Frames], label: str, subject: str | None
) -> dict[Folder, Folder]:
    """Which folders are views, each with its subject, sequence and view as the last parts."""
    with_images = {folder for folder, found in frames.items() if found.names}
    deep = {folder: folder for folder in frames if len(folder) > 2}
    good = {f for f in deep if f in with_images and parse_view(f[-1]) is not None}
    if not good and subject is not None:
        # The archive of one subject may begin with the sequences.
        deep = {folder: (subject, *folder) for folder in frames if len(folder) == 2}
        good = {f for f in deep if f in with_images and parse_view(f[-1]) is not None}
    roots = {deep[folder][:-3] for folder in good}
    beside = [folder for folder in deep if deep[folder][:-3] in roots and folder not in good]
    for folder in sorted(beside):
        if folder in with_images:
            raise view_is_no_number(f"{label}/{'/'.join(folder)}")
    return {folder: deep[folder] for folder in (*good, *beside)}


def _in_order(found: _Frames, ignored: Counter[str]) -> tuple[str, bytes]:
    """Names joined and places, in natural order; of members with one name the last counts."""
    last = {name: index for index, name in enumerate(found.names)}
    ignored["members that a later one replaces"] += len(found.names) - len(last)
    names = sorted(last, key=natural_order)
    places = array("Q")
    for name in names:
        start = last[name] * _COLUMNS
        places.extend(found.places[start : start + _COLUMNS])
    return "/".join(names), places.tobytes()
