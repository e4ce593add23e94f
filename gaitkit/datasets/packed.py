"""Sequences in archives: an archive of a tree, or an archive or folder of subjects' archives.

CASIA-B is distributed as a zip with one tar.gz for each subject. Archives within an archive are
expanded in memory, one at a time and within a stated bound; nothing is written to the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gaitkit.datasets.archives import (
    LIMITS,
    Container,
    Limits,
    Member,
    expand,
    open_container,
)
from gaitkit.datasets.archives.limits import refused
from gaitkit.datasets.archives.streams import Checkpoint
from gaitkit.datasets.casia_b import MARKER, SEQUENCES_PER_UNIT, dataset_name
from gaitkit.datasets.contents import Contents, PackedSequence, list_contents
from gaitkit.datasets.layout import misplaced_in_archive
from gaitkit.datasets.naming import archive_stem, clean_text, is_hidden, stray_class
from gaitkit.datasets.sources import Frame, SequenceFrames, Unit
from gaitkit.errors import ArchiveError

__all__ = ["InnerArchive", "PackedSource", "open_packed"]

_READ_AHEAD_BYTES = 64 * 2**20
_MARKER_BYTES = 2**20


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
    """

    label: str
    stem: str
    place: Member | str


class PackedSource:
    """Frames in an archive, or in a folder of archives.

    Parameters
    ----------
    path : Path
        The archive or folder.
    name : str, optional
        Name of the data set; by default that of a synthetic tree, or of the archive.
    limits : Limits
        Bounds on what the archives may expand to.
    """

    def __init__(
        self, path: Path | str, *, name: str | None = None, limits: Limits = LIMITS
    ) -> None:
        self.path = Path(path)
        self.limits = limits
        self._name = name
        self._units: list[Unit] | None = None
        self._ignored: Counter[str] = Counter()
        self._inner = False
        # States of a decompressor: they cannot travel, and each process makes its own.
        self._checkpoints: list[Checkpoint] = []

    def __reduce__(self) -> tuple[object, ...]:
        return _packed, (self.path, self._name, self.limits)

    @property
    def name(self) -> str:
        """Name of the data set."""
        if self._name is None:
            self.units()
        assert self._name is not None
        return self._name

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the {'folder of archives' if self.path.is_dir() else 'archive'} {self.path}"

    @property
    def ignored(self) -> Mapping[str, int]:
        """Counts of strays by class; those within inner archives come with their sequences."""
        self.units()
        return dict(sorted(self._ignored.items()))

    def units(self) -> list[Unit]:
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
        if self._units is None:
            units = self._folder_units() if self.path.is_dir() else self._archive_units()
            self._units = units
        return list(self._units)

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        if self.path.is_dir():
            yield from self._inner_sequences(None, unit)
            return
        with closing(self._open()) as container:
            if isinstance(unit.work[0], InnerArchive):
                yield from self._inner_sequences(container, unit)
            else:
                yield from _sequences(container, unit.work)

    def _open(self) -> Container:
        return open_container(
            self.path, str(self.path), limits=self.limits, checkpoints=self._checkpoints
        )

    def _archive_units(self) -> list[Unit]:
        with closing(self._open()) as container:
            contents = list_contents(container, self.limits)
            marker = None
            if contents.marker is not None and contents.marker.size <= _MARKER_BYTES:
                marker = container.read(contents.marker)
            self._settle(marker, contents.ignored)
            if contents.sequences:
                self._ignored["archives"] += len(contents.archives)
                self._ignored = +self._ignored
                return _tree_units(contents.sequences)
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

    def _folder_units(self) -> list[Unit]:
        inner, ignored, marker = [], Counter[str](), None
        for entry in sorted(self.path.iterdir()):
            stem = archive_stem(entry.name)
            if stem is not None and entry.is_file() and not is_hidden(entry.name):
                inner.append(InnerArchive(str(entry), stem, entry.name))
            elif entry.name == MARKER and entry.stat().st_size <= _MARKER_BYTES:
                marker = entry.read_bytes()
            else:
                ignored[stray_class(entry.name)] += 1
        self._settle(marker, ignored)
        return self._inner_units(None, inner)

    def _settle(self, marker: bytes | None, ignored: Counter[str]) -> None:
        self._ignored = ignored
        if self._name is None:
            name = self.path.resolve().name
            self._name = dataset_name(marker, clean_text(archive_stem(name) or name))

    def _inner_units(self, container: Container | None, inner: list[InnerArchive]) -> list[Unit]:
        inner.sort(key=lambda item: (item.stem, item.label))
        with closing(self._open_inner(container, inner[0])) as first:
            contents = list_contents(first, self.limits, subject=inner[0].stem)
        if not contents.sequences:
            raise self._no_sequences(inner[0], contents)
        return [Unit(index, item.label, (item,)) for index, item in enumerate(inner)]

    def _no_sequences(self, item: InnerArchive, contents: Contents) -> Exception:
        if contents.archives:
            return refused(item.label, "it is an archive in an archive and holds archives itself")
        return misplaced_in_archive(item.label, contents.seen)

    def _open_inner(self, container: Container | None, item: InnerArchive) -> Container:
        limit = self.limits.inner_bytes
        if container is None:
            path = self.path / str(item.place)
            size = path.stat().st_size
        else:
            assert isinstance(item.place, Member)
            size = item.place.size
        if size > limit:
            raise refused(item.label, f"it is an archive of more than {limit:,} bytes in another")
        if container is not None:
            assert isinstance(item.place, Member)
            data = container.read(item.place)
        else:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise ArchiveError(f"{path} cannot be read: {error.strerror}.") from error
        data = expand(data, item.label, self.limits)
        return open_container(data, item.label, limits=self.limits)

    def _inner_sequences(self, container: Container | None, unit: Unit) -> Iterator[SequenceFrames]:
        for item in unit.work:
            with closing(self._open_inner(container, item)) as inner:
                contents = list_contents(inner, self.limits, subject=item.stem)
                if not contents.sequences:
                    raise self._no_sequences(item, contents)
                contents.ignored["archives"] += len(contents.archives)
                ignored = dict(+contents.ignored)
                for sequence in _sequences(inner, contents.sequences):
                    yield SequenceFrames(sequence.key, sequence.frames, ignored)
                    ignored = {}


def open_packed(path: Path, *, name: str | None = None, limits: Limits = LIMITS) -> PackedSource:
    """The source for an archive or a folder of archives."""
    return PackedSource(path, name=name, limits=limits)


def _packed(path: Path, name: str | None, limits: Limits) -> PackedSource:
    return PackedSource(path, name=name, limits=limits)


def _tree_units(sequences: list[PackedSequence]) -> list[Unit]:
    units: list[Unit] = []
    for start in range(0, len(sequences), SEQUENCES_PER_UNIT):
        work = tuple(sequences[start : start + SEQUENCES_PER_UNIT])
        label = f"{work[0].folder} to {work[-1].folder} ({len(work)})"
        units.append(Unit(len(units), label, work))
    return units


def _sequences(
    container: Container, sequences: tuple[PackedSequence, ...] | list[PackedSequence]
) -> Iterator[SequenceFrames]:
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
