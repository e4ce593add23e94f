"""Sequences in archives: an archive of a tree, or an archive or folder of subjects' archives.

CASIA-B is distributed as a zip with one tar.gz for each subject. Archives within an archive are
expanded in memory, one at a time and within a stated bound; nothing is written to the disk.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import MAX_NAME
from gaitkit.datasets.archives import (
    Container,
    Limits,
    Member,
    archive_kind,
    expand,
    open_container,
    refused,
)
from gaitkit.datasets.casia_b import SEQUENCES_PER_UNIT, Located, refuse_duplicates
from gaitkit.datasets.glimpse import (
    Glimpse,
    glimpse,
    misplaced,
    misplaced_in_archive,
    view_is_no_number,
)
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    SPECIAL,
    archive_stem,
    clean_text,
    in_natural_order,
    is_file,
    is_folder,
    is_hidden,
    is_system_name,
    is_view,
    noun_of,
    parse_view,
    sequence_key,
    stray_class,
    suffix_of,
)
from gaitkit.datasets.recognition import in_words, refuse_implausible
from gaitkit.datasets.sources import (
    MARKER,
    Frame,
    Layout,
    SequenceFrames,
    Unit,
    cut_into_units,
    name_in_marker,
)
from gaitkit.datasets.strays import HIDDEN_FOLDERS, note_folder
from gaitkit.documents import MAX_BYTES
from gaitkit.errors import ArchiveError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import FileIdentity, file_identity, is_beside
from gaitkit.printable import quoted
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = [
    "Contents",
    "InnerArchive",
    "PackedSequence",
    "PackedSource",
    "list_contents",
    "packed_frames",
    "read_sequences",
    "visible_members",
]

_READ_AHEAD_BYTES = 64 * 2**20
_COLUMNS = 4
_OPEN_MEMBERS = 10_000
"""Frames that may be known at length while an archive is listed; more are made small."""
Folder = tuple[str, ...]


class PackedSequence(NamedTuple):
    """A sequence in an archive: about 12 bytes for each frame, since a data set has millions.

    Attributes
    ----------
    key : SequenceKey
        Its key.
    folder : str
        The folder of its frames.
    frames : bytes
        Names and places of the frames in natural order, as `packed_frames` makes them.
    """

    key: SequenceKey
    folder: str
    frames: bytes

    @property
    def names(self) -> list[str]:
        """Name of each frame."""
        return _unpacked_frames(self.frames)[0]

    def members(self) -> Iterator[tuple[str, Member]]:
        """Name and member of each frame."""
        names, places = _unpacked_frames(self.frames)
        folder = tuple(self.folder.split("/"))
        for name, (offset, size, packed, check) in zip(names, places.tolist(), strict=True):
            yield name, Member((*folder, name), False, offset, size, packed, check)


def packed_frames(names: list[str], places: NDArray[np.uint64]) -> bytes:
    """Names and places of the frames of a sequence, compressed.

    Parameters
    ----------
    names : list of str
        Without a slash.
    places : (n, 4) array of uint64
        Offset, size, packed size and check of each.

    Returns
    -------
    bytes
        Nothing where there is no frame.

    Examples
    --------
    >>> len(packed_frames(["001.png"] * 100, np.zeros((100, 4), np.uint64))) < 100
    True
    """
    if not names:
        return b""
    columns = places.T.copy()
    # As a rule a member begins where the one before ends, after a header of the same length.
    columns[0, 1:] -= places[:-1, 0] + places[:-1, 2]
    # Like bytes stand together: those of high value are zeros.
    numbers = columns.view(np.uint8).reshape(_COLUMNS, len(names), 8).transpose(0, 2, 1).tobytes()
    text = "/".join(names).encode("utf-8", "surrogatepass")
    return zlib.compress(len(names).to_bytes(8, "little") + numbers + text)


def _unpacked_frames(frames: bytes) -> tuple[list[str], NDArray[np.uint64]]:
    if not frames:
        return [], np.empty((0, _COLUMNS), np.uint64)
    data = zlib.decompress(frames)
    count = int.from_bytes(data[:8], "little")
    end = 8 + 8 * _COLUMNS * count
    numbers = np.frombuffer(data[8:end], np.uint8).reshape(_COLUMNS, 8, count).transpose(0, 2, 1)
    columns = numbers.copy().view(np.uint64)[:, :, 0]
    columns[0, 1:] += columns[2, :-1]
    columns[0] = np.cumsum(columns[0], dtype=np.uint64)
    return data[end:].decode("utf-8", "surrogatepass").split("/"), columns.T


class _Frames:
    """The frames of a folder in the order of the archive; `close` makes what is known small."""

    __slots__ = ("_closed", "names", "places")

    def __init__(self) -> None:
        self.names: list[str] | None = None
        self.places: array[int] | None = None
        self._closed: tuple[bytes, ...] = ()

    def add(self, member: Member) -> bool:
        """Whether it is the first since the folder was closed."""
        first = self.names is None
        if self.names is None or self.places is None:
            self.names, self.places = [], array("Q")
        self.names.append(clean_text(member.parts[-1]))
        self.places.extend((member.offset, member.size, member.packed, member.check))
        return first

    def close(self) -> None:
        if self.names is not None and self.places is not None:
            places = np.frombuffer(self.places, np.uint64).reshape(-1, _COLUMNS)
            self._closed += (packed_frames(self.names, places),)
            self.names = self.places = None

    def __len__(self) -> int:
        return sum(len(_unpacked_frames(one)[0]) for one in self._closed)

    @property
    def is_empty(self) -> bool:
        return self.names is None and not self._closed

    def in_order(self, ignored: Counter[str]) -> bytes:
        """Packed in natural order; of members with one name the last counts."""
        if not self._closed:
            return b""
        parts = [_unpacked_frames(one) for one in self._closed]
        names = [name for part, _ in parts for name in part]
        last = {name: index for index, name in enumerate(names)}
        ignored["members that a later one replaces"] += len(names) - len(last)
        ordered = in_natural_order(last)
        if len(parts) == 1 and ordered == names:
            return self._closed[0]
        places = np.concatenate([part for _, part in parts])
        return packed_frames(ordered, places[[last[name] for name in ordered]])


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


class InnerArchive(NamedTuple):
    """An archive within an archive or folder.

    Attributes
    ----------
    label : str
        For messages.
    stem : str
        Its name without the suffix: the subject, if its paths do not name one.
    place : Member or str
        Where it is in the outer archive, or its name in the folder.
    identity : FileIdentity or None
        Of the file, where it is one: another one in its place is noticed.
    """

    label: str
    stem: str
    place: Member | str
    identity: FileIdentity | None = None

    @property
    def sequences_held(self) -> None:
        """Nobody knows before it is read."""
        return


class PackedSource(Layout):
    """Frames in an archive, or in a folder of archives. See `Layout` for the parameters."""

    summary = "archives"

    title = "CASIA-B"
    by_depth = True

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a file begins as an archive does, or a folder holds archives and no frames."""
        return place.holds_archives or archive_kind(place.start) != ""

    def default_name(self) -> str:
        """That of a synthetic tree, or of the archive."""
        self.units()
        return self._name or super().default_name()

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the {'folder of archives' if self.path.is_dir() else 'archive'} {self.path}"

    def list_units(self) -> list[Unit]:
        """Check the layout and cut the source into units.

        A unit is `SEQUENCES_PER_UNIT` sequences of an archive of a tree, or one inner archive; of
        those only the first is looked into here.

        Raises
        ------
        ArchiveError
            The archive is unsafe or damaged.
        LayoutError
            No sequence there, a view that is not a number, or a sequence in two places.
        """
        if self.path.is_dir():
            return self._inner_units(None, self._archives_in_folder())
        with self.open_archive() as container:
            contents = self._contents(container)
            if contents.marker is not None and contents.marker.size <= MAX_BYTES:
                self._named_by(container.read(contents.marker))
            self.strays.update(contents.ignored)
            if contents.sequences:
                self.strays["archives"] += len(contents.archives)
                return cut_into_units(
                    contents.sequences, SEQUENCES_PER_UNIT, lambda item: item.folder
                )
            if not contents.archives:
                raise misplaced_in_archive(str(self.path), contents.seen)
            inner = [
                InnerArchive(
                    f"{self.path}/{'/'.join(member.parts)}",
                    archive_stem(member.parts[-1]) or member.parts[-1],
                    member,
                )
                for member in contents.archives
            ]
            return self._inner_units(container, inner)

    @property
    def recognised(self) -> str:
        """What was recognised; of archives that are not opened yet, how many there are."""
        inner = [item for unit in self.units() for item in unit.work]
        if not isinstance(inner[0], InnerArchive):
            return super().recognised
        stems = in_words([clean_text(item.stem) for item in inner], "archives")
        return f"{self.title}, {stems}"

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        with nullcontext() if self.path.is_dir() else self.open_archive() as container:
            if container is None or isinstance(unit.work[0], InnerArchive):
                yield from self._inner_sequences(container, unit)
            else:
                yield from read_sequences(container, unit.work)

    def _contents(self, container: Container, *, subject: str | None = None) -> Contents:
        return list_contents(container, self.limits, subject=subject, suffixes=self.suffixes)

    def _archives_in_folder(self) -> list[InnerArchive]:
        inner = []
        output = self.output_in(self.path)
        for entry in sorted(self.path.iterdir()):
            stem = archive_stem(entry.name)
            if output and is_beside(entry.name, output):
                continue
            if stem is not None and is_file(entry) and not is_hidden(entry.name):
                inner.append(InnerArchive(str(entry), stem, entry.name, file_identity(entry)))
            elif entry.name == MARKER and is_file(entry) and entry.stat().st_size <= MAX_BYTES:
                self._named_by(entry.read_bytes())
            elif is_folder(entry) and not is_system_name(entry.name):
                what = HIDDEN_FOLDERS if is_hidden(entry.name) else "folders beside archives"
                note_folder(self.strays, what, entry.name)
            else:
                stray = stray_class(entry.name, self.suffixes)
                self.strays[SPECIAL if is_special(entry) else stray] += 1
        if not inner:
            raise misplaced(self.path, glimpse(self.path))
        return inner

    def _named_by(self, marker: bytes) -> None:
        if self._name is None:
            self._name = name_in_marker(marker, self.path)

    def _inner_units(self, container: Container | None, inner: list[InnerArchive]) -> list[Unit]:
        inner.sort(key=lambda item: (item.stem, item.label))
        with self._open_inner(container, inner[0]) as first:
            contents = self._contents(first, subject=inner[0].stem)
        if not contents.sequences:
            raise _no_sequences(inner[0], contents)
        return [Unit(index, item.label, (item,)) for index, item in enumerate(inner)]

    def _open_inner(self, container: Container | None, item: InnerArchive) -> Container:
        """An archive within an archive, or within the folder when there is none around it."""
        limit = self.limits.inner_bytes
        path = self.path / str(item.place)
        if isinstance(item.place, Member):
            size = item.place.size
        else:
            size = path.stat().st_size if path.exists() else 0
        if size > limit:
            raise refused(item.label, f"it is an archive of more than {limit:,} bytes in another")
        if container is not None and isinstance(item.place, Member):
            data = container.read(item.place)
        else:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise ArchiveError(f"{path} cannot be read: {error.strerror}.") from error
            if item.identity not in (None, file_identity(path)):
                raise self._changed()
        data = expand(data, item.label, self.limits)
        return open_container(data, item.label, limits=self.limits)

    def _inner_sequences(self, container: Container | None, unit: Unit) -> Iterator[SequenceFrames]:
        for item in unit.work:
            with self._open_inner(container, item) as inner:
                contents = self._contents(inner, subject=item.stem)
                if not contents.sequences:
                    raise _no_sequences(item, contents)
                keys = [one.key for one in contents.sequences]
                place = f"{item.label}/{contents.sequences[0].folder}"
                refuse_implausible(keys, self.path, place)
                contents.ignored["archives"] += len(contents.archives)
                ignored = dict(+contents.ignored)
                for sequence in read_sequences(inner, contents.sequences):
                    yield SequenceFrames(sequence.key, sequence.frames, ignored)
                    ignored = {}


def _no_sequences(item: InnerArchive, contents: Contents) -> Exception:
    if contents.archives:
        return refused(item.label, "it is an archive in an archive and holds archives itself")
    return misplaced_in_archive(item.label, contents.seen)


def visible_members(
    container: Container,
    limits: Limits,
    contents: Contents,
    *,
    suffixes: frozenset[str] = IMAGE_SUFFIXES,
) -> Iterator[Member]:
    """The images and folders in an archive; all else is noted in `contents`.

    Of a layout whose frames are no images, the files that end in one of `suffixes`.

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
        if len(name) > MAX_NAME:
            # It would make each row of the table of dropped frames as long.
            told = f"the name of its member {quoted(name)} has more than {MAX_NAME} letters"
            raise refused(container.label, told)
        contents.seen.add(member.parts)
        if suffix_of(name) in suffixes:
            if member.size > limits.frame_bytes:
                raise refused(
                    container.label,
                    f"its {noun_of(suffixes)[:-1]} {'/'.join(member.parts)} has {member.size:,} "
                    f"bytes, more than {limits.frame_bytes:,}",
                )
            yield member
        elif archive_stem(name) is not None:
            contents.archives.append(member)
        elif name == MARKER:
            contents.marker = member
        else:
            contents.ignored[stray_class(name, suffixes)] += 1


@lru_cache(maxsize=1024)
def _hidden_part(folders: Folder) -> str | None:
    return next((part for part in folders if is_hidden(part)), None)


def list_contents(
    container: Container,
    limits: Limits,
    *,
    subject: str | None = None,
    suffixes: frozenset[str] = IMAGE_SUFFIXES,
    key_of: Callable[[Folder], SequenceKey | None] | None = None,
) -> Contents:
    """List the sequences in an archive.

    An image belongs to a sequence when it lies in a folder ``subject/sequence/view`` below any
    other folders, the view being a number; or in one that `key_of` gives a key.

    Parameters
    ----------
    container : Container
        The archive.
    limits : Limits
        Bounds.
    subject : str, optional
        Whose archive it is, if its paths begin at the sequence.
    suffixes : frozenset of str
        Endings of the files that hold frames.
    key_of : callable, optional
        The key that a folder stands for, or `None`: how another data set names its folders.

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
    still_open: list[_Frames] = []
    waiting = 0
    for member in visible_members(container, limits, contents, suffixes=suffixes):
        if member.is_folder:
            # An empty view folder is a sequence without frames, as it is on the disk.
            if key_of is not None or is_view(member.parts[-1]):
                frames.setdefault(member.parts, _Frames())
            continue
        folder = member.parts[:-1]
        found = frames.get(folder)
        if found is None:
            found = frames[tuple(map(sys.intern, folder))] = _Frames()
        if found.add(member):
            still_open.append(found)
        waiting += 1
        if waiting == _OPEN_MEMBERS:
            _close(still_open)
            waiting = 0
    _close(still_open)
    keys = (
        _keys_of_casia_b(frames, container.label, subject)
        if key_of is None
        else _keys_of(frames, key_of)
    )
    for folder in sorted(frames):
        found, key = frames.pop(folder), keys.pop(folder, None)
        if key is None:
            contents.ignored[f"{noun_of(suffixes)} at another depth"] += len(found)
            continue
        ordered = found.in_order(contents.ignored)
        contents.sequences.append(PackedSequence(key, "/".join(folder), ordered))
    contents.ignored = +contents.ignored
    contents.sequences.sort(key=lambda item: (item.key.order, item.folder))
    refuse_duplicates(
        [Located(item.key, item.folder) for item in contents.sequences], container.label
    )
    return contents


def _close(still_open: list[_Frames]) -> None:
    for found in still_open:
        found.close()
    still_open.clear()


def _keys_of(
    frames: dict[Folder, _Frames], key_of: Callable[[Folder], SequenceKey | None]
) -> dict[Folder, SequenceKey]:
    """Keys by the names of another data set; a folder with others in it is no empty sequence."""
    above = {folder[:end] for folder in frames for end in range(1, len(folder))}
    return {
        folder: key
        for folder, found in frames.items()
        if (not found.is_empty or folder not in above) and (key := key_of(folder)) is not None
    }


def _keys_of_casia_b(
    frames: dict[Folder, _Frames], label: str, subject: str | None
) -> dict[Folder, SequenceKey]:
    """Keys of the folders that are views of a sequence of a subject, below any folders."""
    with_images = {folder for folder, found in frames.items() if not found.is_empty}
    deep = {folder: folder for folder in frames if len(folder) > 2}
    good = {f for f in deep if f in with_images and is_view(f[-1])}
    if not good and subject is not None:
        # The archive of one subject may begin with the sequences.
        deep = {folder: (subject, *folder) for folder in frames if len(folder) == 2}
        good = {f for f in deep if f in with_images and is_view(f[-1])}
    roots = {deep[folder][:-3] for folder in good}
    beside = [folder for folder in deep if deep[folder][:-3] in roots and folder not in good]
    for folder in sorted(beside):
        if folder in with_images:
            raise view_is_no_number(f"{label}/{'/'.join(folder)}")
    return {
        folder: sequence_key(deep[folder][-3], deep[folder][-2], parse_view(folder[-1]))
        for folder in (*good, *beside)
    }


def read_sequences(
    container: Container, sequences: tuple[PackedSequence, ...] | list[PackedSequence]
) -> Iterator[SequenceFrames]:
    """Sequences of an archive with their frames, in the order given."""
    if not container.in_order:
        for sequence in sequences:
            yield SequenceFrames(sequence.key, _frames(container, sequence))
        return
    # Members in the order of the archive, as far ahead as memory allows.
    batch: list[PackedSequence] = []
    size = 0
    for sequence in sequences:
        batch.append(sequence)
        size += sum(member.size for _, member in sequence.members())
        if size > _READ_AHEAD_BYTES:
            yield from _read_ahead(container, batch)
            batch, size = [], 0
    yield from _read_ahead(container, batch)


def _frames(container: Container, sequence: PackedSequence) -> Iterator[Frame]:
    for name, member in sequence.members():
        yield name, container.read(member)


def _read_ahead(container: Container, sequences: list[PackedSequence]) -> Iterator[SequenceFrames]:
    members = [member for sequence in sequences for _, member in sequence.members()]
    data = {member.offset: container.read(member) for member in sorted(members, key=_offset)}
    for sequence in sequences:
        frames = [(name, data.pop(member.offset)) for name, member in sequence.members()]
        yield SequenceFrames(sequence.key, frames)


def _offset(member: Member) -> int:
    return member.offset
