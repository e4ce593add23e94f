"""Layouts that are told by names: a layout says what names mean, and this walks to them.

A `NamedLayout` turns the folders over some frames into a key (`NamedLayout.key_of`). Where these
folders lie is no matter to it: loose on the disk, in a zip or tar, in several of them, in archives
within an archive; and neither is whether they hold images or the arrays that OpenGait makes of
them. An archive counts as a folder of its name without the suffix.

Archives that can be read at any place (zip, tar) are listed and read where they are, also within
another one that stores them as they are. Of those that are compressed as a whole only the first is
looked into before its turn comes.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

from gaitkit.arguments import check_name
from gaitkit.datasets.archives import (
    Container,
    Member,
    archive_kind,
    expand,
    open_container,
    refused,
)
from gaitkit.datasets.casia_b import OTHERS, SEQUENCES_PER_UNIT, Located, refuse_duplicates
from gaitkit.datasets.glimpse import Place, misplaced, misplaced_in_archive
from gaitkit.datasets.naming import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    SPECIAL,
    VIDEO_SUFFIXES,
    archive_stem,
    clean_text,
    is_file,
    is_folder,
    is_hidden,
    is_system_name,
    noun_of,
    stray_class,
    suffix_of,
)
from gaitkit.datasets.opengait import choose_in_archive, choose_silhouettes, unpacked
from gaitkit.datasets.packed import Contents, PackedSequence, list_contents, read_sequences
from gaitkit.datasets.recognition import told_keys
from gaitkit.datasets.sources import (
    MARKER,
    Layout,
    SequenceFrames,
    Unit,
    cut_into_units,
    frames_of,
    name_in_marker,
    people_and_masks,
)
from gaitkit.datasets.strays import HIDDEN_FOLDERS, Strays, note_folder, without
from gaitkit.documents import MAX_BYTES
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey, is_direction
from gaitkit.outputs import FileIdentity, file_identity, is_beside
from gaitkit.printable import counted, printable
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.archives.streams import Checkpoint
    from gaitkit.datasets.sampling import Sampled

__all__ = ["Folders", "NamedLayout", "key_named"]

Folders = tuple[str, ...]
"""Names of folders, from what was given (or above) down to the one that holds the frames."""

_Found = TypeVar("_Found")
_MAX_DEPTH = 12
_COMPRESSED = ("gz", "bz2", "xz")


def key_named(subject: str, condition: str, take: int, view: float | None) -> SequenceKey:
    """A key of names out of somebody's files.

    Raises
    ------
    LayoutError
        A name is longer than any artefact holds.
    """
    subject, condition = clean_text(subject), clean_text(condition)
    check_name(subject, "the name of a subject", error=LayoutError)
    check_name(condition, "the name of a condition", error=LayoutError)
    return SequenceKey(subject, condition, take, view)


class _Archive(NamedTuple):
    """An archive on the disk, and perhaps one in it.

    Attributes
    ----------
    path : str
        Relative to the root; empty where the root is it.
    folders : tuple of str
        What lies above its contents, itself included.
    inner : Member or None
        The archive within it that is meant.
    identity : FileIdentity or None
        Another file in its place is noticed.
    compressed : bool
        As a whole: it is looked into when its turn comes.
    """

    path: str
    folders: Folders
    inner: Member | None = None
    identity: FileIdentity | None = None
    compressed: bool = False


class _Span(NamedTuple):
    """Some sequences of an archive, counted in order of key; all where `stop` is `None`."""

    archive: _Archive
    start: int
    stop: int | None

    @property
    def sequences_held(self) -> int | None:
        """How many; `None` where nobody knows before they are read."""
        return None if self.stop is None else self.stop - self.start


class _Walked(NamedTuple):
    """What lies loose in a folder, and the archives in it."""

    sequences: list[Located]
    archives: list[_Archive]
    strays: Strays


class NamedLayout(Layout):
    """A data set whose folders are known by their names. See `Layout` for the parameters.

    A subclass has `summary`, `title` and `key_of`; a line of
    `gaitkit.datasets.layouts.LAYOUTS` makes it known.
    """

    noun: ClassVar[str] = "sequences"
    """What tells the sequences of a person and a view apart, for the line about them."""
    videos: ClassVar[bool] = False
    """Whether a video stands for a folder of frames."""
    archives_beside: ClassVar[bool] = True
    """Whether archives are read where there are loose frames, too."""

    @classmethod
    @abstractmethod
    def key_of(cls, folders: Folders) -> SequenceKey | None:
        """The key that folders stand for, the last one holding the frames.

        Raises
        ------
        LayoutError
            A name is too long.
        """

    @classmethod
    def is_typical(cls, folders: Folders) -> bool:
        """Whether folders are named as in no other data set; by default if they have a key."""
        return cls.key_of(folders) is not None

    @classmethod
    def settled(cls, sequences: Sequence[Located]) -> list[SequenceKey]:
        """Keys of the sequences of one place, where they depend on one another."""
        return [sequence.key for sequence in sequences]

    @classmethod
    def name_of(cls, key: SequenceKey) -> str:
        """What `noun` is called: by default the name of the sequence in CASIA-B's form."""
        from gaitkit.labels import sequence_name

        return sequence_name(key.condition, key.take)

    @classmethod
    def person_of(cls, key: SequenceKey) -> str:
        """The subject; empty where nobody knows."""
        return key.subject

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether most of a sample of the files lie in folders that are named as in this one."""
        files = [file for file in place.sample if cls._may_hold_frames(file)]
        names = _names_of(place.path)
        typical = sum(_first(cls.is_typical, names, file.folders) is True for file in files)
        return typical > 0 and 2 * typical >= len(files)

    @classmethod
    def _may_hold_frames(cls, file: Sampled) -> bool:
        return bool(file.folders) and file.suffix in IMAGE_SUFFIXES | ARRAY_SUFFIXES

    @cached_property
    def suffixes(self) -> frozenset[str]:  # type: ignore[override]
        """Endings of images where a sample of the files has any in their places, or of arrays."""
        found = {
            file.suffix
            for file in (self.place or Place(self.path)).sample
            if self._key(file.folders) is not None or file.suffix in VIDEO_SUFFIXES
        }
        arrays = bool(found & ARRAY_SUFFIXES) and not found & IMAGE_SUFFIXES
        return ARRAY_SUFFIXES if arrays else IMAGE_SUFFIXES

    @cached_property
    def _names(self) -> Folders:
        return _names_of(self.path)

    @property
    def aligned(self) -> bool:  # type: ignore[override]
        """Whether these are arrays: silhouettes that somebody has aligned."""
        return self.suffixes == ARRAY_SUFFIXES

    @property
    def description(self) -> str:
        """What is read and from where."""
        if self.aligned:
            return f"the arrays of aligned silhouettes in {self.path}"
        return f"the {'folder' if self.path.is_dir() else 'archive'} {self.path}"

    @property
    def recognised(self) -> str:
        """What was recognised, in one line for people."""
        self.units()
        return self._told

    def default_name(self) -> str:
        """That of a synthetic tree, or of the folder or archive."""
        marker = self.path / MARKER
        if marker.is_file() and marker.stat().st_size <= MAX_BYTES:
            named = name_in_marker(marker.read_bytes(), self.path)
            if named:
                return named
        return super().default_name()

    def choose(self, names: list[str], folder: str) -> list[str]:
        """Which of the files of a sequence hold its frames: all images, one of the arrays."""
        return choose_silhouettes(names, folder) if self.aligned else names

    def list_units(self) -> list[Unit]:
        """Find the sequences by their folders' names and cut them into units.

        A unit is `SEQUENCES_PER_UNIT` sequences, or one archive that is compressed as a whole.

        Raises
        ------
        ArchiveError
            An archive is unsafe or damaged.
        LayoutError
            There is no sequence, or one lies in two places.
        """
        walked = self._walk()
        self._walked = walked
        self.strays.clear()
        self.strays.add(walked.strays)
        sequences = walked.sequences
        keys = [sequence.key for sequence in sequences]
        everything = list(sequences)
        loose = set(keys)
        units = cut_into_units(sequences, SEQUENCES_PER_UNIT, lambda item: item.folder)
        unopened: list[_Archive] = []
        for archive in walked.archives:
            if archive.compressed and unopened:
                unopened.append(archive)
                continue
            for within, contents in self._looked_into(archive, unopened):
                if loose and all(one.key in loose for one in contents.sequences):
                    self.strays["archives"] += 1  # Unpacked beside it.
                    continue
                located = [
                    Located(one.key, "/".join((*within.folders[1:], one.folder)))
                    for one in contents.sequences
                ]
                everything += located
                keys += [one.key for one in located]
                units += self._spans(within, located, len(units))
                if not _is_read_whole(within):
                    self.strays.update(contents.ignored)
        for archive in unopened[1:]:
            units.append(Unit(0, self._label(archive), (_Span(archive, 0, None),)))
        if not keys:
            raise self._nothing()
        everything.sort(key=lambda item: (item.key.order, item.folder))
        refuse_duplicates(everything, str(self.path), "Rename or remove one of them.")
        self._told = self._line(everything, len(unopened))
        return [Unit(index, unit.label, unit.work) for index, unit in enumerate(units)]

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        for is_loose, items in groupby(unit.work, key=lambda item: isinstance(item, Located)):
            for item in items:
                yield from self._loose(item) if is_loose else self._packed(item)

    def first_video(self) -> Path | None:
        """The first of its videos in order of key; `None` where there is none."""
        if not self.videos:
            return None
        self.units()
        for item in self._walked.sequences:
            place = self.path / item.folder
            if suffix_of(item.folder) in VIDEO_SUFFIXES and not place.is_dir():
                return place
        return None

    def refuse_changed(self) -> None:
        """Raise where what was listed is no longer there as it was; archives stay unopened."""
        before = getattr(self, "_walked", None)
        if before is None or not self.path.is_dir():
            super().refuse_changed()
            return
        try:
            now = self._walk()
        except (DatasetError, OSError) as error:
            raise self._changed() from error
        if now != before:
            raise self._changed()

    def _loose(self, item: Located) -> Iterator[SequenceFrames]:
        place = self.path / item.folder
        if self.videos and self.segments and place.is_dir():
            raise people_and_masks(place)
        if suffix_of(item.folder) in VIDEO_SUFFIXES and not place.is_dir():
            if self.segments:
                from gaitkit.datasets.segmented import recorded

                yield from recorded(place, item.key, self.reading)
                return
            from gaitkit.datasets.segmented import of_masks

            yield of_masks(place, item.key)
            return
        frames = frames_of(place, self)
        yield SequenceFrames(item.key, unpacked(frames, str(place)) if self.aligned else frames)

    def _packed(self, span: _Span) -> Iterator[SequenceFrames]:
        with self._opened(span.archive) as container:
            contents = self._contents(container, span.archive)
            inner = self._inner(span.archive, contents) if span.stop is None else []
            if not (contents.sequences or inner):
                raise misplaced_in_archive(container.label, contents.seen)
            # What is told of an archive that was listed before has been counted then.
            ignored = dict(+contents.ignored) if span.stop is None else {}
            for sequence in read_sequences(container, contents.sequences[span.start : span.stop]):
                frames = sequence.frames
                if self.aligned:
                    frames = unpacked(frames, f"{self.path}/{sequence.key}")
                yield SequenceFrames(sequence.key, frames, ignored)
                ignored = {}
        for archive in inner:
            yield from self._packed(_Span(archive, 0, None))

    def _key(self, folders: Folders) -> SequenceKey | None:
        key = _first(self.key_of, self._names, folders)
        if key is not None and key.view is not None and not is_direction(key.view):
            raise LayoutError(
                f"{printable('/'.join(folders), 200)} in {printable(str(self.path), 120)} would be "
                f"seen from {key.view:g} degrees, which is no view.",
                hint="Rename it, or list the sequences in a manifest.",
            )
        return key

    def _line(self, sequences: list[Located], unopened: int) -> str:
        keys = (sequence.key for sequence in sequences)
        if unopened > 1:
            return (
                f"{self.title}, {counted(unopened, 'archive that is', 'archives that are')} looked "
                "into one after another"
            )
        return told_keys(
            self.title, keys, noun=self.noun, name_of=self.name_of, person=self.person_of
        )

    def _nothing(self) -> LayoutError:
        kinds = f"named as in {self.title}: {self.summary}"
        place = Place(self.path)
        first = next((f for f in place.sample if f.folders), None) or next(iter(place.sample), None)
        if first is None:
            seen = place.seen
            return (
                misplaced(self.path, seen)
                if self.path.is_dir()
                else misplaced_in_archive(str(self.path), seen)
            )
        return LayoutError(
            f"found 0 sequences in {self.path} {kinds}; the first file of frames is "
            f"{'/'.join((*first.folders, first.name))}",
            hint="Leave `layout` out to have it told by what is there, or list the sequences in a "
            "manifest.",
        )

    # --- loose on the disk ---

    def _walk(self) -> _Walked:
        walked = _Walked([], [], Strays())
        if not self.path.is_dir():
            kind = archive_kind(Place(self.path).start)
            folders = (archive_stem(self.path.name) or self.path.name,)
            identity = file_identity(self.path)
            archive = _Archive("", folders, None, identity, kind in _COMPRESSED)
            walked.archives.append(archive)
            return walked
        packed: list[_Archive] = []
        self._look(self.path, (), walked, packed, [os.path.realpath(self.path)])
        keys = self.settled(walked.sequences)
        located = [
            Located(key, one.folder) for key, one in zip(keys, walked.sequences, strict=True)
        ]
        located.sort(key=lambda item: (item.key.order, item.folder))
        walked.sequences[:] = located
        for archive in sorted(packed):
            if located and not self.archives_beside:
                walked.strays["archives"] += 1
            else:
                walked.archives.append(archive)
        return walked

    def _look(
        self,
        folder: Path,
        parts: Folders,
        walked: _Walked,
        packed: list[_Archive],
        above: list[str],
    ) -> bool:
        """Go through a folder and those below it, each in order of name.

        Returns
        -------
        bool
            Whether there is anything in it that could be read: frames, videos, archives.
        """
        names, folders, others = self._entries(folder, parts, walked.strays)
        key = self._key(parts) if parts else None
        known = MARKER if not parts else ""
        strays = walked.strays
        is_sequence = key is not None and self._is_sequence(parts, names, folders, others)
        if key is not None and is_sequence:
            chosen = self.choose(sorted(names), str(folder))
            strays[OTHERS] += len(names) - len(chosen)
            walked.sequences.append(Located(key, "/".join(parts)))
            for name in others:
                strays[stray_class(name, self.suffixes)] += 1
        else:
            unpacked_here = set(folders)
            for name in (*names, *others):
                if archive_stem(name) in unpacked_here:
                    strays["archives"] += 1
                else:
                    self._file(folder, parts, name, walked, packed, known)
        holds = is_sequence or bool(names) or any(map(self._may_be_read, others))
        vain: list[Folders] = []
        for name in folders:
            path, below = folder / name, (*parts, name)
            if len(parts) >= _MAX_DEPTH:
                note_folder(strays, "folders that lie too deep", "/".join(below))
                holds = True
                continue
            real = os.path.realpath(path) if path.is_symlink() else ""
            if real and real in above:
                note_folder(strays, "links to a folder above", "/".join(below))
                holds = True
                continue
            if self._look(path, below, walked, packed, [*above, real or str(path)]):
                holds = True
            else:
                vain.append(below)
        # Where there is nothing in any of them, the folder above is named.
        if holds or not parts:
            noun = "images or videos" if self.videos else noun_of(self.suffixes)
            for one in vain:
                note_folder(strays, without(noun), "/".join(one))
        return holds

    def _may_be_read(self, name: str) -> bool:
        """Whether a file beside frames is no stray by its name."""
        if is_hidden(name):
            return False
        return archive_stem(name) is not None or suffix_of(name) in IMAGE_SUFFIXES | VIDEO_SUFFIXES

    def _is_sequence(
        self, parts: Folders, names: list[str], folders: list[str], others: list[str]
    ) -> bool:
        """Whether a folder that has a key is a sequence, by what is in it."""
        return bool(names or not folders)

    def _file(
        self,
        folder: Path,
        parts: Folders,
        name: str,
        walked: _Walked,
        packed: list[_Archive],
        known: str,
    ) -> None:
        """Note a file that lies in no folder of frames: an archive, a video, a stray."""
        stem = archive_stem(name)
        if stem is not None and not is_hidden(name):
            path = folder / name
            kind = archive_kind(Place(path).start)
            if kind:
                relative = "/".join((*parts, name))
                above = (self._names[0], *parts, stem)
                identity = file_identity(path)
                packed.append(_Archive(relative, above, None, identity, kind in _COMPRESSED))
                return
        if self.videos and suffix_of(name) in VIDEO_SUFFIXES and not is_hidden(name):
            key = self._key((*parts, Path(name).stem))
            if key is not None:
                walked.sequences.append(Located(key, "/".join((*parts, name))))
                return
            walked.strays["videos at another depth"] += 1
            return
        if name != known:
            walked.strays[stray_class(name, self.suffixes)] += 1

    def _entries(
        self, folder: Path, parts: Folders, strays: Counter[str]
    ) -> tuple[list[str], list[str], list[str]]:
        """Files of frames, visible folders and other files, each in order of name."""
        names: list[str] = []
        folders: list[str] = []
        others: list[str] = []
        output = self.output_in(folder)
        try:
            listed = os.scandir(folder)
        except OSError as error:
            told = f"The folder {printable(str(folder), 200)} cannot be read: {error.strerror}."
            raise LayoutError(told) from error
        with listed as entries:
            for entry in entries:
                name = entry.name
                if output and is_beside(name, output):
                    continue
                hidden = is_hidden(name)
                if is_folder(entry) and hidden and not is_system_name(name):
                    note_folder(strays, HIDDEN_FOLDERS, "/".join((*parts, name)))
                elif is_folder(entry):
                    (others if hidden else folders).append(name)
                elif suffix_of(name) in self.suffixes and not hidden and is_file(entry):
                    names.append(name)
                elif not is_file(entry) and is_special(entry):
                    strays[SPECIAL] += 1
                else:
                    others.append(name)
        return names, sorted(folders), sorted(others)

    # --- in archives ---

    def _looked_into(
        self, archive: _Archive, unopened: list[_Archive]
    ) -> Iterator[tuple[_Archive, Contents]]:
        """List an archive, or those in it; compressed ones after the first join `unopened`."""
        with self._opened(archive) as container:
            contents = self._contents(container, archive)
            if contents.marker is not None and contents.marker.size <= MAX_BYTES and not self._name:
                self._name = name_in_marker(container.read(contents.marker), self.path)
            if contents.sequences:
                yield archive, contents
                if archive.compressed and archive.path:
                    unopened.append(archive)
                    return  # All that is in it is read when its turn comes.
            else:
                self.strays.update(contents.ignored)
            inner = self._inner(archive, contents)
            if not (inner or contents.sequences):
                self.strays["archives that hold no sequence"] += 1
        for one in inner:
            if one.compressed and unopened:
                unopened.append(one)
            else:
                yield from self._looked_into_inner(one, unopened)

    def _inner(self, archive: _Archive, contents: Contents) -> list[_Archive]:
        """The archives in an archive, in order of name; none in one that lies in another."""
        inner: list[_Archive] = []
        for member in sorted(contents.archives) if archive.inner is None else ():
            stem = archive_stem(member.parts[-1]) or member.parts[-1]
            folders = (*archive.folders, *member.parts[:-1], stem)
            squeezed = not member.parts[-1].lower().endswith((".zip", ".tar"))
            inner.append(_Archive(archive.path, folders, member, archive.identity, squeezed))
        return inner

    def _looked_into_inner(
        self, archive: _Archive, unopened: list[_Archive]
    ) -> Iterator[tuple[_Archive, Contents]]:
        with self._opened(archive) as container:
            contents = self._contents(container, archive)
            if not contents.sequences:
                if contents.archives:
                    told = "it is an archive in an archive and holds archives itself"
                    raise refused(container.label, told)
                self.strays["archives that hold no sequence"] += 1
                return
            contents.ignored["archives"] += len(contents.archives)
            if archive.compressed:
                unopened.append(archive)
            yield archive, contents

    def _spans(self, archive: _Archive, located: list[Located], before: int) -> list[Unit]:
        label = self._label(archive)
        if _is_read_whole(archive):
            return [Unit(before, label, (_Span(archive, 0, None),))]
        units = []
        for unit in cut_into_units(located, SEQUENCES_PER_UNIT, lambda item: item.folder):
            start = unit.index * SEQUENCES_PER_UNIT
            span = _Span(archive, start, start + len(unit.work))
            units.append(Unit(before + unit.index, unit.label, (span,)))
        return units

    def _label(self, archive: _Archive) -> str:
        inner = "" if archive.inner is None else "/" + "/".join(archive.inner.parts)
        outer = str(self.path / archive.path) if archive.path else str(self.path)
        return outer + inner

    @contextmanager
    def _opened(self, archive: _Archive) -> Iterator[Container]:
        """An archive, to be read where it is unless it is compressed or lies in one that is."""
        path = self.path / archive.path if archive.path else self.path
        if archive.identity not in (None, file_identity(path)):
            raise self._changed()
        label = self._label(archive)
        checkpoints = self._checkpoints_of(path)
        place = (None if archive.path else self._expanded) or path
        with open_container(
            place, str(path), limits=self.limits, checkpoints=checkpoints
        ) as container:
            if archive.inner is None:
                yield container
                return
            file = None if archive.compressed else container.as_file(archive.inner)
            if file is None:
                data = self._inner_bytes(container, archive)
                with open_container(data, label, limits=self.limits) as within:
                    yield within
                return
            with open_container(file, label, limits=self.limits) as within:
                yield within

    def _checkpoints_of(self, path: Path) -> list[Checkpoint]:
        kept: dict[Path, list[Checkpoint]] = self.__dict__.setdefault("_kept_checkpoints", {})
        if path not in kept:
            kept.clear()
        return kept.setdefault(path, [])

    def _inner_bytes(self, container: Container, archive: _Archive) -> bytes:
        """An archive within another one, in memory; the last one is kept for the next unit."""
        last: tuple[_Archive, bytes] | None = self.__dict__.get("_last_expanded")
        if last is not None and last[0] == archive:
            return last[1]
        self.__dict__.pop("_last_expanded", None)
        assert archive.inner is not None
        label, limit = self._label(archive), self.limits.inner_bytes
        if archive.inner.size > limit:
            raise refused(label, f"it is an archive of more than {limit:,} bytes in another")
        data = expand(container.read(archive.inner), label, self.limits)
        if not archive.compressed:
            self.__dict__["_last_expanded"] = (archive, data)
        return data

    def _keep(self, contents: Contents) -> None:
        """Leave out of an archive's sequences what is none, by what else is there."""

    def _contents(self, container: Container, archive: _Archive) -> Contents:
        """What an archive holds; the last one is kept, since units are cut within it."""
        last: tuple[_Archive, Contents] | None = self.__dict__.get("_last_contents")
        if last is not None and last[0] == archive:
            return last[1]
        self.__dict__.pop("_last_contents", None)
        above = archive.folders[1:]
        contents = list_contents(
            container,
            self.limits,
            suffixes=self.suffixes,
            key_of=lambda folders: self._key((*above, *folders)),
        )
        self._keep(contents)
        keys = self.settled([Located(one.key, one.folder) for one in contents.sequences])
        sequences: list[PackedSequence] = [
            one._replace(key=key) for one, key in zip(contents.sequences, keys, strict=True)
        ]
        sequences.sort(key=lambda item: (item.key.order, item.folder))
        contents.sequences = sequences
        if self.aligned:
            choose_in_archive(contents, container.label)
        self.__dict__["_last_contents"] = (archive, contents)
        return contents


def _is_read_whole(archive: _Archive) -> bool:
    """Whether it is one unit, and its strays are told with its sequences."""
    return archive.compressed and bool(archive.path or archive.inner is not None)


def _names_of(path: Path) -> Folders:
    """What a path is called, and what it links to: either may be a folder of the data set."""
    names = []
    for whole in (os.path.abspath(path), os.path.realpath(path)):
        name = os.path.basename(whole)
        stem = None if os.path.isdir(whole) else archive_stem(name)
        if (stem or name) not in names:
            names.append(stem or name)
    return tuple(names)


def _first(
    of: Callable[[Folders], _Found | None], names: Folders, folders: Folders
) -> _Found | None:
    """What the first of several ways to write a path stands for.

    The folder over it counts, by each of its names; and so does a folder once that lies in one of
    the same name, as unpacking leaves it.
    """
    for name in names:
        whole = (name, *folders)
        once = tuple(part for part, _ in groupby(whole))
        for one in (whole, once) if len(once) < len(whole) else (whole,):
            found = of(one)
            if found:
                return found
    return None
