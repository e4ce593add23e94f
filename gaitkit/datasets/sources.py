"""Where frames come from: the interface that every reader has, and what readers share.

A source is cut into units of work. Which sequences a unit holds depends on the data alone, never
on the number of workers, so each unit's result can be kept and used again. A unit carries what is
needed to read it; a source is light, travels to worker processes by pickling and opens its files
there.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import check_name
from gaitkit.datasets.archives import LIMITS, Container, Limits, expand_file, open_container
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
    stray_class,
    suffix_of,
)
from gaitkit.datasets.recognition import refuse_implausible, told_keys
from gaitkit.datasets.strays import HIDDEN_FOLDERS, Strays, note_folder
from gaitkit.documents import read_json
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DatasetError, LayoutError, OutputError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import EXPANDED_SUFFIX, FileIdentity, beside, file_identity, is_beside
from gaitkit.printable import printable
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.archives.streams import Checkpoint
    from gaitkit.datasets.glimpse import Place
    from gaitkit.datasets.segmented import VideoReading

__all__ = [
    "MARKER",
    "MAX_FRAME_BYTES",
    "Frame",
    "FrameSource",
    "Holds",
    "Layout",
    "SequenceFrames",
    "Unit",
    "Unreadable",
    "cut_into_units",
    "frames_of",
    "list_images",
    "name_in_marker",
    "people_and_masks",
    "read_bounded",
    "sequence_counts",
]


_log = logging.getLogger(__name__)


class Unreadable(NamedTuple):
    """What lies in the place of frames and cannot be read.

    Attributes
    ----------
    data : bytes
        As it is on the disk.
    why : str
        For the table of what was dropped.
    """

    data: bytes
    why: str


Frame = tuple[str, bytes | NDArray[np.uint8] | Unreadable]
"""A frame's name and its encoded bytes, or its grey values where it comes out of a video or array.

Something unreadable in its place is a frame to be dropped.
"""

Holds = Literal["frames", "geis"]
"""What a layout is of: frames of silhouettes, or ready-made gait energy images."""

MAX_FRAME_BYTES = 64 * 2**20
"""A file larger than this is not a frame. In bytes."""

MARKER = "synth.json"
"""Name of the file at the root of a synthetic tree that names the data set."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work: some sequences of a source. Picklable.

    Attributes
    ----------
    index : int
        Counts the units of the source from 0.
    label : str
        For people: what the unit holds.
    work : tuple
        For the source alone: where the unit's sequences are.
    """

    index: int
    label: str
    work: tuple[Any, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        # It is printed and recorded, and a folder's name may be no text at all.
        object.__setattr__(self, "label", printable(self.label))


def sequence_counts(units: Sequence[Unit]) -> list[int] | None:
    """How many sequences each unit holds.

    Returns
    -------
    list of int or None
        `None` where an archive tells only when it is read.

    Examples
    --------
    >>> sequence_counts(cut_into_units(["a", "b", "c"], 2, str))
    [2, 1]
    """
    counts = []
    for unit in units:
        held = [getattr(item, "sequences_held", 1) for item in unit.work]
        if not held or None in held:
            return None
        counts.append(sum(held))
    return counts


def cut_into_units(items: Sequence[Any], size: int, place_of: Callable[[Any], str]) -> list[Unit]:
    """Cut a list into units of `size` items; independent of everything but the list.

    Parameters
    ----------
    items : sequence
        What the source knows of each sequence: the units' `work`.
    size : int
        Items of one unit.
    place_of : callable
        Where an item lies, for the units' labels.

    Examples
    --------
    >>> [unit.label for unit in cut_into_units(["a", "b", "c"], 2, str)]
    ['a to b (2)', 'c to c (1)']
    """
    units: list[Unit] = []
    for start in range(0, len(items), size):
        work = tuple(items[start : start + size])
        first, last = (clean_text(place_of(item)) for item in (work[0], work[-1]))
        label = f"{first} to {last} ({len(work)})"
        units.append(Unit(len(units), label, work))
    return units


def place_of(item: Any) -> str:
    """Where a sequence of a unit lies, as its source notes it."""
    return str(getattr(item, "folder", "") or getattr(item, "path", "") or item)


@dataclass(frozen=True)
class SequenceFrames:
    """One sequence, its frames still unread.

    Attributes
    ----------
    key : SequenceKey
        Who, how, which time, seen from where.
    frames : iterable of (str, bytes or ndarray of uint8)
        Name (without folders) and content of each frame, in natural order of the names: ``2.png``
        before ``10.png``. Iterate before asking the source for the next sequence; each frame is
        read when its turn comes.
    ignored : mapping of str to int
        Strays met on the way to this sequence that the source could not count beforehand (inside
        an archive within an archive). Add them to the source's own.
    dropped : tuple of DroppedRow
        What was left out on the way to it: people in a video who stand, or pass too quickly.
    doubts : list of str
        What is to be told of it; complete when all frames have been read.
    """

    key: SequenceKey
    frames: Iterable[Frame] = field(repr=False)
    ignored: Mapping[str, int] = field(default_factory=dict)
    dropped: tuple[DroppedRow, ...] = ()
    doubts: list[str] = field(default_factory=list)


class FrameSource(Protocol):
    """What a stage needs of a data set.

    Attributes
    ----------
    name : str
        Name of the data set.
    description : str
        For people: what is read and from where.
    ignored : mapping of str to int
        Strays that were passed over, counted by class; complete once `units` has returned.
    dropped : list of DroppedRow
        What the listing had to leave out, with a reason; complete once `units` has returned.
    """

    @property
    def name(self) -> str:
        """Name of the data set."""
        ...

    @property
    def description(self) -> str:
        """What is read and from where."""
        ...

    @property
    def ignored(self) -> Mapping[str, int]:
        """Counts of strays by class."""
        ...

    @property
    def dropped(self) -> list[DroppedRow]:
        """What the listing had to leave out."""
        ...

    def units(self) -> Sequence[Unit]:
        """Check the layout and cut the source into units."""
        ...

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        ...


class Layout(ABC):
    """A data set of one layout at one path: a `FrameSource`. Subclasses are the layouts.

    A subclass has `summary`, `recognise`, `list_units` and `read`, and a line in
    `gaitkit.datasets.layouts.LAYOUTS`. While it lists, it counts strays in `strays` and notes in
    `left_out` what it cannot use.

    Parameters
    ----------
    path : str or Path
        The folder or file.
    name : str, optional
        Name of the data set; by default what `default_name` finds.
    limits : Limits
        Bounds on what an archive may expand to.
    """

    summary: ClassVar[str]
    """What the layout looks like, in a few words, for the list of layouts."""
    holds: ClassVar[Holds] = "frames"
    """What there is to read."""
    lists_other_files: ClassVar[bool] = False
    """Whether a file at `path` says where the frames are, rather than holding them."""
    suffixes: frozenset[str] = IMAGE_SUFFIXES
    """Endings of the files that hold the frames."""
    aligned: bool = False
    """Whether the frames are aligned already, by somebody else, and are used as they are."""
    title: ClassVar[str] = ""
    """Whose layout it is, for people; that of the class's own name where it is empty."""
    by_depth: ClassVar[bool] = False
    """Whether names are told by their depth alone: what they say is then looked at once more."""
    listed_again: bool = False
    """Whether it is listed only to see whether it has changed: what is to be told was told."""

    def __init__(
        self, path: Path | str, *, name: str | None = None, limits: Limits = LIMITS
    ) -> None:
        self.path = Path(path)
        self.limits = limits
        self.strays = Strays()
        self.left_out: list[DroppedRow] = []
        self._name = None if name is None else check_name(name, "`name`")
        self._units: list[Unit] | None = None
        self._output: Path | None = None
        # Who recognised the layout has looked at the place, which may be much work.
        self.place: Place | None = None
        self._identity: FileIdentity | None = None
        # States of a decompressor: they cannot travel, and each process makes its own.
        self._checkpoints: list[Checkpoint] = []
        # The archive without the compression around it, while `expanded` lasts.
        self._expanded: Path | None = None
        self._reading: VideoReading | None = None
        self._segments: bool | None = None

    def __reduce__(self) -> tuple[object, ...]:
        # What was listed stays here: a worker is told by its unit what to read.
        kept = (
            self._identity,
            self._expanded,
            self.__dict__.get("suffixes"),
            self._reading,
            self._segments,
        )
        return _reopened, (type(self), self.path, self._name, self.limits, *kept)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @classmethod
    @abstractmethod
    def recognise(cls, place: Place) -> bool:
        """Whether what is at a place has this layout; quick, and never an error."""

    @abstractmethod
    def list_units(self) -> list[Unit]:
        """List the sequences and cut them into units; called once.

        Raises
        ------
        DatasetError
            No sequence was found, or names contradict each other.
        """

    @abstractmethod
    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key; called in another process, perhaps."""

    def default_name(self) -> str:
        """Name of the data set unless one was given: that of the folder or archive."""
        name = self.path.resolve().name
        return clean_text(archive_stem(name) or name) or self.holds

    @property
    def name(self) -> str:
        """Name of the data set."""
        if self._name is None:
            self._name = self.default_name()
        return self._name

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the {'folder' if self.path.is_dir() else 'file'} {self.path}"

    def known_keys(self) -> Iterator[SequenceKey]:
        """Keys of the sequences that the listing has found; none within unopened archives."""
        for unit in self.units():
            for item in unit.work:
                key = getattr(item, "key", None)
                if isinstance(key, SequenceKey):
                    yield key

    @property
    def recognised(self) -> str:
        """What was recognised, in one line for people.

        Examples
        --------
        ``OU-MVLP, 3 subjects, views 0 and 90, sequences 00 and 01``
        """
        return told_keys(self.title or type(self).__name__, self.known_keys())

    @property
    def ignored(self) -> Mapping[str, int]:
        """Counts of strays by class; those within inner archives come with their sequences."""
        self.units()
        return dict(sorted((+self.strays).items()))

    @property
    def folders_passed_over(self) -> str:
        """Which folders are not read, and why, in one line for people; empty where there are none.

        Examples
        --------
        ``hidden folder (.eve), folders without images (bob, empty person)``
        """
        self.units()
        return self.strays.told()

    @property
    def dropped(self) -> list[DroppedRow]:
        """What the listing had to leave out, with a reason."""
        self.units()
        return list(self.left_out)

    def units(self) -> list[Unit]:
        """Check the layout and cut the data set into units.

        Raises
        ------
        ArchiveError
            An archive is unsafe or damaged.
        DatasetError
            No sequence was found, or names contradict each other.
        """
        if self._units is None:
            # Not Path.exists, which raises an error for a name that is too long.
            if not os.path.exists(self.path):
                raise LayoutError(f"There is no file or folder {printable(str(self.path), 200)}.")
            self._identity = None if self.path.is_dir() else file_identity(self.path)
            try:
                self._units = self.list_units()
            except OSError as error:
                shown = printable(str(error.filename or self.path), 200)
                raise LayoutError(
                    f"{shown} cannot be looked at: {error.strerror or error}.",
                    hint="It may be a link that leads elsewhere: remove it, or give yourself the "
                    "right to read it.",
                ) from error
            try:
                if self.by_depth:
                    refuse_implausible(self.known_keys(), self.path, self._first_place())
            except LayoutError:
                self._units = None
                raise
        return list(self._units)

    def _first_place(self) -> str:
        return next((place_of(item) for unit in self.units() for item in unit.work), "")

    def open_archive(self) -> Container:
        """The archive at `path`, to be closed by the caller.

        Raises
        ------
        DatasetError
            It is another file than the one that was listed.
        """
        container = open_container(
            self._expanded or self.path,
            str(self.path),
            limits=self.limits,
            checkpoints=self._checkpoints,
        )
        if self._identity not in (None, file_identity(self.path)):
            container.close()
            raise self._changed()
        return container

    @contextmanager
    def expanded(self, output: Path) -> Iterator[None]:
        """Expand an archive that is compressed as a whole once, for as long as this lasts.

        A tar.gz has no table of contents, so that each process would expand it from the start.
        Beside the output lies meanwhile the tar, which is read in any order. Nothing is done for
        what is not compressed as a whole.

        Parameters
        ----------
        output : Path
            What is made from it: there is room on that disk, and other machines see it.

        Raises
        ------
        ArchiveError
            The archive is damaged, or too large.
        OutputError
            There is no room for it.
        """
        if self.lists_other_files or not self.path.is_file() or self._expanded is not None:
            yield
            return
        target = beside(Path(os.path.abspath(output)), EXPANDED_SUFFIX)
        identity = file_identity(self.path)
        if self._identity not in (None, identity):
            raise self._changed()
        try:
            if expand_file(self.path, target, str(self.path), self.limits):
                size = target.stat().st_size
                _log.info(
                    "Expanded %s once, to %d MiB in %s, which is removed at the end.",
                    printable(str(self.path), 200),
                    -(-size >> 20),
                    target.name,
                )
                if file_identity(self.path) != identity:
                    raise self._changed()
                self._expanded = target
            yield
        finally:
            if self._expanded is not None:
                self._expanded = None
                self._checkpoints.clear()
            with suppress(OSError):
                target.unlink(missing_ok=True)

    @property
    def reading(self) -> VideoReading:
        """How videos of people are read on the way."""
        from gaitkit.datasets.segmented import VideoReading

        return VideoReading() if self._reading is None else self._reading

    @reading.setter
    def reading(self, value: VideoReading) -> None:
        self._reading = value.checked()

    def first_video(self) -> Path | None:
        """The first of its videos in order of key; `None` where there is none."""
        return None

    @property
    def segments(self) -> bool:
        """Whether its videos are of people and are segmented on the way: as the first one is."""
        if self._segments is None:
            from gaitkit.datasets.videos import shows_silhouettes

            video = self.first_video()
            self._segments = video is not None and not shows_silhouettes(video)
        return self._segments

    def made_by(self) -> dict[str, Any]:
        """How masks are made on the way, for the parameters of an artefact; empty where none are.

        Raises
        ------
        OptionError
            There is no such segmenter; or it is said which part of a video is segmented, and none
            is.
        """
        options = self.reading.options
        selected = options.selection()
        if not self.segments:
            if selected:
                from gaitkit.datasets.segmented import not_of_videos

                raise not_of_videos(options, self.description)
            return {}
        return {
            "segmentation": options.as_parameters(),
            **({"video": selected} if selected else {}),
        }

    def choose(self, names: list[str], folder: str) -> list[str]:
        """Which of the files in the folder of a sequence hold its frames: all, as a rule."""
        return names

    def frame_size(self) -> tuple[int, int]:
        """Height and width of the first frame in order of key, where frames come as arrays.

        Raises
        ------
        DatasetError
            There is none.
        """
        why = "there is none."
        for unit in self.units():
            for sequence in self.read(unit):
                for _, data in sequence.frames:
                    if isinstance(data, np.ndarray):
                        return data.shape[0], data.shape[1]
                    if isinstance(data, Unreadable):
                        why = data.why
        raise DatasetError(f"No frame in {printable(str(self.path), 200)} can be read: {why}")

    def pass_over(self, output: Path) -> None:
        """Neither read nor count an output that lies in the folder, nor what is put beside it.

        Raises
        ------
        OutputError
            There is an image of that name, which would be read.
        """
        place = Path(os.path.realpath(output.parent))
        if not (self.path.is_dir() and place.is_relative_to(os.path.realpath(self.path))):
            return
        if suffix_of(output.name) in self.suffixes and output.exists():
            raise OutputError(
                f"{output} lies in {self.path}, which is read; the output would replace it.",
                hint="Give the output another name.",
            )
        self._output = place / output.name
        if self._units is not None:
            self._units = None
            self.strays.clear()
            self.left_out.clear()

    def output_in(self, folder: Path | str) -> str:
        """Name of the output that is to be passed over in a folder; empty where there is none."""
        if self._output is None or Path(os.path.realpath(folder)) != self._output.parent:
            return ""
        return self._output.name

    def refuse_changed(self) -> None:
        """Raise where what was listed is no longer there as it was.

        Raises
        ------
        DatasetError
            A file is another one, or a folder has other sequences or strays.
        """
        if self._identity != (None if self.path.is_dir() else file_identity(self.path)):
            raise self._changed()
        if not (self.path.is_dir() or self.lists_other_files):
            return
        now = _reopened(type(self), self.path, self._name, self.limits)
        now._output, now.listed_again = self._output, True
        try:
            same = (now.units(), now.strays) == (self.units(), self.strays)
        except (DatasetError, OSError) as error:
            raise self._changed() from error
        if not same:
            raise self._changed()

    def _changed(self) -> DatasetError:
        return DatasetError(
            f"{self.path} was changed while it was read.",
            hint="Give the same command again when nothing writes there: it continues.",
        )


def _reopened(
    kind: type[Layout],
    path: Path,
    name: str | None,
    limits: Limits,
    identity: FileIdentity | None = None,
    expanded: Path | None = None,
    suffixes: frozenset[str] | None = None,
    reading: VideoReading | None = None,
    segments: bool | None = None,
) -> Layout:
    source = kind(path, name=name, limits=limits)
    source._identity, source._expanded = identity, expanded
    source._reading, source._segments = reading, segments
    if suffixes is not None:
        source.__dict__["suffixes"] = suffixes  # Where they depend on what is there.
    return source


def name_in_marker(marker: bytes | None, where: Path | str = MARKER) -> str | None:
    """Name of a data set, as the marker of a synthetic tree says; `None` if it says none.

    Parameters
    ----------
    marker : bytes or None
        What the file holds; `None` where there is none.
    where : path-like
        The folder or archive that it lies in, for messages.

    Raises
    ------
    DatasetError
        Its name is one that no artefact can hold.
    """
    if marker is None:
        return None
    try:
        found = read_json(marker, what="a description of a data set", label=MARKER)
        name = found.get("dataset") if isinstance(found, dict) else None
    except DatasetError:
        name = None
    if not isinstance(name, str) or not name:
        _tell_of_marker(printable(str(where), 200))
        return None
    return check_name(
        name,
        f"the name of the data set in {MARKER} of {printable(str(where), 200)}",
        error=DatasetError,
        hint="Give the data set a `name`.",
    )


@lru_cache(maxsize=64)
def _tell_of_marker(where: str) -> None:
    """Say it once a process: a source is asked for its name again and again."""
    # Somebody else's that happens to be called so, or what was cut off on its way.
    _log.warning(
        "%s in %s does not say which walkers there are: the data set goes by another name.",
        MARKER,
        where,
    )


def people_and_masks(folder: Path) -> DatasetError:
    """The error for a folder of frames among videos of people, which are segmented."""
    return DatasetError(
        f"{printable(str(folder), 200)} is a folder of frames, and the videos beside it are of "
        "people, not of masks.",
        hint="What is segmented in different ways is kept apart: give the two folders or manifests "
        "of their own.",
    )


def list_images(folder: Path, ignored: Counter[str], source: Layout | None = None) -> list[str]:
    """Names of the images in a folder in natural order; what else is there is counted.

    What a source has to pass over is not. Of a source whose frames are no images, its files.
    """
    names = []
    output = "" if source is None else source.output_in(folder)
    suffixes = IMAGE_SUFFIXES if source is None else source.suffixes
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if output and is_beside(name, output):
                continue
            if suffix_of(name) in suffixes and not is_hidden(name) and is_file(entry):
                names.append(name)
            elif is_folder(entry) and not is_system_name(name):
                what = HIDDEN_FOLDERS if is_hidden(name) else "folders within views"
                note_folder(ignored, what, _shown(folder / name, source))
            else:
                ignored[SPECIAL if is_special(entry) else stray_class(name, suffixes)] += 1
    return in_natural_order(names)


def _shown(folder: Path, source: Layout | None) -> str:
    """A folder as it is told: from what was given, where it is known."""
    if source is not None and folder.is_relative_to(source.path):
        return folder.relative_to(source.path).as_posix()
    return folder.name


def frames_of(folder: Path, source: Layout | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each frame directly in a folder, in natural order, read one by one."""
    try:
        names = list_images(folder, Counter(), source)
        if source is not None:
            names = source.choose(names, str(folder))
    except OSError as error:
        raise DatasetError(
            f"The folder {folder} cannot be read: {error.strerror}.",
            hint="If it was moved or renamed while it was read, give the same command again.",
        ) from error
    within = os.path.join(folder, "")
    for name in names:
        yield clean_text(name), read_bounded(within + name)


def read_bounded(path: Path | str) -> bytes:
    """The bytes of an image file.

    Raises
    ------
    DatasetError
        The file has more than `MAX_FRAME_BYTES` or cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            # No more than the file has: asked for in any case, memory is fetched in any case.
            expected = min(os.fstat(file.fileno()).st_size, MAX_FRAME_BYTES)
            data = file.read(expected + 1)
            while expected < len(data) <= MAX_FRAME_BYTES:  # It grew, or has no size.
                expected, more = len(data), file.read(MAX_FRAME_BYTES + 1 - len(data))
                data += more
    except OSError as error:
        raise DatasetError(f"The frame {path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_FRAME_BYTES:
        raise DatasetError(
            f"The frame {path} has more than {MAX_FRAME_BYTES >> 20} MiB; that is no silhouette."
        )
    return data
