"""Videos of people as sequences of masks: segmented on the way, or out of a `masks` artefact.

A video of people is decoded twice at once: a scout runs ahead and takes pictures from which the
background is learned, and the other follows and segments. So the first frames are as good as the
last, and memory holds a few pictures however long the video is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.arguments import MAX_NAME, check_name
from gaitkit.datasets.naming import VIDEO_SUFFIXES, clean_text
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit
from gaitkit.datasets.videos import (
    Film,
    Picture,
    is_silhouette_like,
    silhouette_frames,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DatasetError, OptionError
from gaitkit.labels import SequenceKey, is_direction
from gaitkit.parallel import Progress
from gaitkit.printable import counted, printable
from gaitkit.segmentation.background import Background, between, learn_background
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.segmentation.passes import Dropped, Follower, Pass
from gaitkit.segmentation.people import Box, Person, people_in
from gaitkit.segmentation.segmenters import open_segmenter

if TYPE_CHECKING:
    from gaitkit.artifacts import Artifact
    from gaitkit.datasets.glimpse import Place

__all__ = [
    "MasksSource",
    "SegmentedVideo",
    "VideoReading",
    "VideoSource",
    "frame_names",
    "not_of_videos",
    "passes_of_one",
    "whole_frame",
]

WORK_PIXELS = 480_000
"""Larger pictures are segmented at this size, and masks brought back to that of the video."""

_SAMPLES, _SAMPLES_PER_SECOND = 31, 1.25
_STEPS = 16
_MOST_MASKS = 0.6
_TAKES_PER_VIDEO = 1000
_SEQUENCES_PER_UNIT = 16


class VideoReading(NamedTuple):
    """How videos of people are read on the way.

    Attributes
    ----------
    options : SegmentOptions
        How they are segmented.
    subject : str or None
        Whose a single video is; by default it is called as the file is.
    view : float or None
        From where it was recorded, degrees, where the key does not say it.
    """

    options: SegmentOptions = SegmentOptions()
    subject: str | None = None
    view: float | None = None

    def checked(self) -> VideoReading:
        """The same, if it can be used.

        Raises
        ------
        OptionError
            The subject is no name, or the view no direction.
        """
        if self.subject is not None:
            check_name(self.subject, "`subject`")
            if "/" in self.subject:
                raise OptionError(f"`subject` must be a name without /, got {self.subject!r}.")
        if self.view is not None and not is_direction(self.view):
            raise OptionError(
                f"`view` must be degrees of at most a full circle (360), got {self.view!r}."
            )
        return self


def not_of_videos(options: SegmentOptions, what: str) -> OptionError:
    """The error where it is said which part of a video is segmented, and nothing is."""
    named = " and ".join(f"`{name}`" for name in options.selection())
    return OptionError(
        f"{named} {'is' if len(options.selection()) == 1 else 'are'} about videos of people, and "
        f"{what} is none.",
        hint="Cut or turn a video of masks beforehand.",
    )


class SegmentedVideo:
    """The passes of a video of people; iterate once.

    Parameters
    ----------
    path : Path
        The video.
    options : SegmentOptions
        How it is segmented.
    progress : callable, optional
        Called with the number of frames that are done, and how many the video says it has.

    Attributes
    ----------
    rate : float
        Frames per second, as the video says; known once iteration has begun.
    shape : tuple of int
        Height and width of its frames, pixels; likewise.
    frames : int
        Frames that were looked at so far.
    doubts : list of str
        What is to be told of the video; complete when it has been gone through.
    """

    def __init__(
        self, path: Path, options: SegmentOptions, progress: Progress | None = None
    ) -> None:
        self.path = path
        self.options = options
        self._progress = progress
        self.rate = 25.0
        self.shape = (0, 0)
        self.frames = 0
        self.doubts: list[str] = []

    def __iter__(self) -> Iterator[Pass | Dropped]:
        """Passes, and what gave none, in order of when they began."""
        chosen = self.options
        asked: dict[str, Any] = {
            "pixels": WORK_PIXELS,
            "from_s": chosen.from_s,
            "to_s": chosen.to_s,
            "max_frames": chosen.max_frames,
            "rotate": chosen.rotate,
        }
        with ExitStack() as stack:
            segmenter = stack.enter_context(open_segmenter(chosen))
            film = stack.enter_context(Film(self.path, **asked))
            most = max(1, round(film.rate / _SAMPLES_PER_SECOND))
            scout = stack.enter_context(
                Film(self.path, stride=0, count=_SAMPLES, most=most, **asked)
            )
            self.rate = film.rate
            scene = _Scene(scout, self.path)
            follower: Follower | None = None
            moving: Dropped | None = None
            for picture in film:
                if follower is None:
                    self.shape = picture.shape
                    follower = Follower(
                        picture.shape,
                        min_frames=chosen.min_frames,
                        seconds_per_frame=1 / film.rate,
                    )
                background = scene.at(self.frames)
                self.frames += 1
                if self._progress and self.frames % 10 == 0:
                    self._progress(self.frames, max(film.frames, self.frames))
                if background.moves:
                    moving = _longer(moving, picture.time_s)
                    yield from follower.add(picture.number, picture.time_s, [])
                    continue
                if moving is not None:
                    yield moving
                    moving = None
                yield from follower.add(
                    picture.number, picture.time_s, _people(picture, background, segmenter, chosen)
                )
            self.doubts = film.doubts
            if follower is not None:
                yield from follower.end()
            if moving is not None:
                yield moving
            if self.frames == 0:
                raise _nothing_left(self.path, chosen, film)


def _nothing_left(path: Path, chosen: SegmentOptions, film: Film) -> DatasetError:
    """The error where a video ends before the part that is asked for."""
    long = ""
    if film.frames:
        seconds = film.frames / film.rate
        long = f": it is {seconds:{'.1f' if seconds >= 1 else '.3g'}} s long"
    return DatasetError(
        f"The video {path} has no frame from `from_s={chosen.from_s:g}` on.",
        hint=f"Begin earlier{long}.",
    )


def _longer(moving: Dropped | None, time_s: float) -> Dropped:
    start = time_s if moving is None else moving.start_s
    return Dropped(start, time_s, "camera-moves", f"from {start:.1f} s to {time_s:.1f} s")


class _Scene:
    """The backgrounds of a video, learned as far ahead as they are needed."""

    def __init__(self, scout: Film, path: Path) -> None:
        self._pictures = iter(scout)
        self._path = path
        self._stretch = scout.stride * _SAMPLES
        self._last: deque[NDArray[np.uint8]] = deque(maxlen=_SAMPLES)
        self._known: dict[int, Background] = {}
        self._ended: int | None = None
        self._between: tuple[tuple[int, int], Background] | None = None

    def at(self, frame: int) -> Background:
        """What the camera sees at a frame, counted from the first that is looked at."""
        place = max(0.0, frame / self._stretch - 0.5)
        first, part = int(place), round(_STEPS * (place - int(place)))
        one, other = self._learned(first), self._learned(first + 1)
        if one is other:
            return one
        if one.moves or other.moves:
            return one if frame // self._stretch == first else other
        if self._between is None or self._between[0] != (first, part):
            self._between = ((first, part), between(one, other, part / _STEPS))
        return self._between[1]

    def _learned(self, number: int) -> Background:
        while number not in self._known and self._ended is None:
            self._learn()
        return self._known[number if self._ended is None else min(number, self._ended)]

    def _learn(self) -> None:
        number = max(self._known, default=-1) + 1
        new = 0
        for picture in self._pictures:
            self._last.append(picture.pixels)
            new += 1
            if new == _SAMPLES:
                break
        if not self._known:
            self._refuse_masks()
        # A few pictures at the end are no stretch of their own: they are seen with those before.
        if new >= _SAMPLES // 2 or not self._known:
            self._known[number] = learn_background(list(self._last))
            self._known.pop(number - 3, None)
        if new < _SAMPLES:
            self._ended = max(self._known)

    def _refuse_masks(self) -> None:
        if not self._last:
            raise DatasetError(f"There is not one frame to be looked at in {self._path}.")
        masks = sum(map(is_silhouette_like, self._last))
        if masks > _MOST_MASKS * len(self._last):
            raise DatasetError(
                f"{self._path} is a video of silhouettes already, or dark throughout.",
                hint="Silhouettes need no segmentation: give the video to gaitkit normalize or "
                "gaitkit make-gei, apart from videos of people.",
            )


def _people(
    picture: Picture, background: Background, segmenter: Any, options: SegmentOptions
) -> list[Person]:
    """Everybody in a picture, in pixels of the video."""
    pixels = picture.pixels
    if pixels.shape != background.picture.shape:
        height, width = background.picture.shape[:2]
        pixels = np.asarray(cv2.resize(pixels, (width, height)), np.uint8)
    scale = pixels.shape[0] / picture.shape[0]
    mask = segmenter.mask(pixels, background)
    found = people_in(mask, min_height_px=max(8, round(options.min_height_px * scale)))
    if pixels.shape[:2] == picture.shape:
        return found
    return [_enlarged(person, pixels.shape[:2], picture.shape) for person in found]


def _enlarged(person: Person, here: tuple[int, ...], there: tuple[int, int]) -> Person:
    down, across = there[0] / here[0], there[1] / here[1]
    box = person.box
    left, top = round(box.left * across), round(box.top * down)
    right = min(there[1], round((box.left + box.columns) * across))
    bottom = min(there[0], round((box.top + box.rows) * down))
    size = (max(1, right - left), max(1, bottom - top))
    mask = cv2.resize(person.mask, size, interpolation=cv2.INTER_LINEAR)
    sharp = np.where(mask > 127, 255, 0).astype(np.uint8)
    return Person(Box(left, top, *size), sharp, int(np.count_nonzero(sharp)))


def of_masks(path: Path, key: SequenceKey) -> SequenceFrames:
    """A video of masks as one sequence."""
    doubts: list[str] = []
    return SequenceFrames(key, silhouette_frames(path, doubts), doubts=doubts)


def passes_of_one(
    found: Iterable[Pass | Dropped],
) -> tuple[list[Pass], list[Dropped]]:
    """The passes of the one whom a video is of, where somebody else may walk beside.

    Of passes at the same time the longest is taken: in a gallery nobody is to go by another's
    name.

    Parameters
    ----------
    found : iterable of Pass or Dropped
        All of the video.

    Returns
    -------
    passes : list of Pass
        In order of time.
    dropped : list of Dropped
        Everything else.
    """
    passes: list[Pass] = []
    dropped: list[Dropped] = []
    for item in found:
        (passes if isinstance(item, Pass) else dropped).append(item)  # type: ignore[arg-type]
    kept: list[Pass] = []
    for one in sorted(passes, key=lambda item: (-len(item), item.start_s)):
        other = next((o for o in kept if one.start_s <= o.end_s and o.start_s <= one.end_s), None)
        if other is None:
            kept.append(one)
        else:
            told = f"{counted(len(one), 'frame')}, while another of {len(other)} goes on"
            dropped.append(Dropped(one.start_s, one.end_s, "beside-another", told))
    return sorted(kept, key=lambda item: item.start_s), dropped


def dropped_rows(key: SequenceKey, dropped: Iterable[Dropped]) -> list[DroppedRow]:
    """Rows for the table of what was dropped; a way that gave no pass is no take."""
    nobody = key._replace(take=0)
    return [
        DroppedRow.of(
            nobody,
            item.reason,
            detail=item.detail
            if item.reason == "camera-moves"
            else f"{item.start_s:.2f} s to {item.end_s:.2f} s: {item.detail}",
        )
        for item in dropped
    ]


def frame_names(stem: str, times_s: NDArray[np.float64], rate: float) -> list[str]:
    """Names of the frames of a pass, whose numbers tell when each was recorded.

    Where the rate is constant they are the frames' numbers in the video, from 1.

    Parameters
    ----------
    stem : str
        Of the video.
    times_s : ndarray of float64, shape (n,)
        Seconds from its beginning.
    rate : float
        Frames per second.

    Examples
    --------
    >>> frame_names("door", np.array([0.0, 0.04, 0.12]), 25.0)
    ['door-000001', 'door-000002', 'door-000004']
    """
    stem = stem[: MAX_NAME - 20]
    names, tick = [], 0
    for time_s in times_s.tolist():
        tick = max(tick + 1, round(time_s * rate) + 1)
        names.append(f"{stem}-{tick:06d}")
    return names


def whole_frame(
    mask: NDArray[np.uint8], box: tuple[int, ...], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """A mask where it was in its frame."""
    left, top, columns, rows = (int(value) for value in box)
    frame = np.zeros(shape, np.uint8)
    frame[top : top + rows, left : left + columns] = mask
    return frame


def _frames(found: Pass, names: list[str]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for name, one, mask in zip(names, found.sightings, found.masks(), strict=True):
        yield name, whole_frame(mask, one.box, found.shape)


def recorded(path: Path, key: SequenceKey, reading: VideoReading) -> Iterator[SequenceFrames]:
    """The sequences of one person's video of a data set.

    The first pass is the take that the data set names; each further one is that number and a
    thousand, two thousand, and so on: the number of no other recording.

    Raises
    ------
    DatasetError
        The video cannot be read, or is one of masks.
    """
    if key.view is None:
        key = key._replace(view=reading.view)
    video = SegmentedVideo(path, reading.options)
    passes, dropped = passes_of_one(video)
    rows = dropped_rows(key, dropped)
    if not passes:
        yield _nobody(key, rows, video.doubts)
        return
    doubts = video.doubts
    for number, found in enumerate(passes):
        names = frame_names(clean_text(path.stem), found.times_s, video.rate)
        own = key._replace(take=key.take + _TAKES_PER_VIDEO * number)
        yield SequenceFrames(own, _frames(found, names), dropped=tuple(rows), doubts=doubts)
        rows, doubts = [], []


def _nobody(key: SequenceKey, rows: list[DroppedRow], doubts: list[str]) -> SequenceFrames:
    why = "nothing but what stands beside this" if rows else "nothing differs from the background"
    rows = [*rows, DroppedRow.of(key, "nobody-walks", detail=why)]
    return SequenceFrames(key, (), dropped=tuple(rows), doubts=doubts)


class VideoSource(Layout):
    """One video: of masks, or of people. See `Layout` for the parameters."""

    summary = "door.mp4"
    title = "a video"

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether it is a file that is called as videos are."""
        return not place.is_folder and place.path.suffix.lower() in VIDEO_SUFFIXES

    def default_name(self) -> str:
        """That of the file."""
        return clean_text(self.path.stem)

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the video {self.path}"

    @property
    def recognised(self) -> str:
        """What was recognised, in one line for people."""
        kind = "people" if self.segments else "masks"
        return f"a video of {kind}, {printable(self._key().subject, 100)}"

    def first_video(self) -> Path | None:
        """The video."""
        return self.path

    def _key(self) -> SequenceKey:
        reading = self.reading
        subject = clean_text(reading.subject or self.path.stem)[:MAX_NAME]
        return SequenceKey(subject, "nm", 1, reading.view)

    def list_units(self) -> list[Unit]:
        """One unit."""
        return [Unit(0, self.path.name)]

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The passes in order of time, takes 1, 2, ...; of masks all as one sequence."""
        key = self._key()
        if not self.segments:
            yield of_masks(self.path, key)
            return
        video = SegmentedVideo(self.path, self.reading.options)
        take, rows = 0, []
        last: SequenceFrames | None = None
        for found in video:
            if isinstance(found, Dropped):
                rows += dropped_rows(key, [found])
                continue
            take += 1
            names = frame_names(clean_text(self.path.stem), found.times_s, video.rate)
            own = key._replace(take=take)
            if last is not None:
                yield last
            last = SequenceFrames(own, _frames(found, names), dropped=tuple(rows))
            rows = []
        # Only at its end it is known whether the video ends early.
        if last is None:
            yield _nobody(key, rows, video.doubts)
            return
        last.doubts.extend(video.doubts)
        yield last
        if rows:
            yield SequenceFrames(key._replace(take=0), (), dropped=tuple(rows))


class MasksSource(Layout):
    """A `masks` artefact. See `Layout` for the parameters."""

    summary = "masks.h5"
    title = "masks of people in a video"
    lists_other_files = True  # Nothing of it is expanded.

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether it is an artefact of that kind."""
        if not place.start.startswith(b"gaitkit "):
            return False
        from gaitkit.artifacts import open_artifact
        from gaitkit.errors import ArtifactError

        try:
            # What is wrong with it is told when it is read.
            with open_artifact(place.path, verified=True, guarded=True) as artifact:
                return artifact.kind == "masks"
        except ArtifactError:
            return False

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the masks in {self.path}"

    def default_name(self) -> str:
        """That of the artefact."""
        from gaitkit.artifacts import open_artifact

        with open_artifact(self.path, "masks") as artifact:
            return artifact.dataset

    def made_by(self) -> dict[str, Any]:
        """How its masks were made, as the artefact says."""
        from gaitkit.artifacts import open_artifact

        with open_artifact(self.path, "masks") as artifact:
            names = ("segmentation", "video")
            return {
                name: artifact.parameters[name] for name in names if name in artifact.parameters
            }

    def known_keys(self) -> Iterator[SequenceKey]:
        """Keys of its sequences."""
        from gaitkit.artifacts import open_artifact

        with open_artifact(self.path, "masks") as artifact:
            yield from artifact.labels.keys()

    def list_units(self) -> list[Unit]:
        """Some sequences a unit."""
        from gaitkit.artifacts import open_artifact

        with open_artifact(self.path, "masks") as artifact:
            count = len(artifact.labels)
            self.left_out = artifact.dropped
        starts = range(0, count, _SEQUENCES_PER_UNIT)
        return [
            Unit(index, f"sequences from {start}", (start,)) for index, start in enumerate(starts)
        ]

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """Its sequences in order of key."""
        from gaitkit.artifacts import open_artifact

        with open_artifact(self.path, "masks") as artifact:
            masks = StoredMasks(artifact)
            start = unit.work[0]
            for row in range(start, min(start + _SEQUENCES_PER_UNIT, len(artifact.labels))):
                yield SequenceFrames(artifact.labels.key(row), masks.frames(row))


class StoredMasks:
    """The masks of an open artefact, sequence by sequence, its numbers checked.

    Parameters
    ----------
    artifact : Artifact
        Of the kind ``masks``.

    Raises
    ------
    DamagedArtifactError
        Its arrays do not belong together.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the video's frames, pixels.
    count : int
        Sequences.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._start = artifact.read("start")
        self._length = artifact.read("length")
        size = artifact.read("frame_size")
        count = len(artifact.labels)
        if (
            size.shape != (2,)
            or size.dtype.kind != "i"
            or self._start.shape != (count,)
            or self._length.shape != (count,)
            or self._start.dtype.kind != "i"
            or self._length.dtype.kind != "i"
            or artifact.shape("box")[1:] != (4,)
            or artifact.dtype("bits") != np.uint8
            or not 0 < int(size[0]) * int(size[1]) <= 1 << 26
        ):
            raise artifact.malformed("its masks are no masks")
        self.shape = (int(size[0]), int(size[1]))
        self.count = count

    def span(self, row: int) -> tuple[int, int]:
        """First and last row of the frames of a sequence."""
        start, stop = int(self._start[row]), int(self._start[row]) + int(self._length[row])
        if not 0 <= start <= stop <= self._artifact.shape("box")[0]:
            raise self._artifact.malformed("a sequence lies outside of its frames")
        return start, stop

    def boxes(self, row: int) -> NDArray[np.int32]:
        """Left, top, width and height of the mask in each frame: shape (n, 4)."""
        boxes = self._artifact.read_rows("box", *self.span(row))
        wide = boxes.astype(np.int64)
        if (
            boxes.dtype.kind != "i"
            or (wide < 0).any()
            or (wide[:, 2:] < 1).any()
            or (wide[:, 0] + wide[:, 2] > self.shape[1]).any()
            or (wide[:, 1] + wide[:, 3] > self.shape[0]).any()
        ):
            raise self._artifact.malformed("a mask lies outside of its frame")
        return np.asarray(boxes, np.int32)

    def masks(self, row: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.uint8]]]:
        """Box and mask of each frame of a sequence."""
        start, stop = self.span(row)
        places = self._artifact.read_rows("bits_start", start, stop)
        for box, place in zip(self.boxes(row), places.tolist(), strict=True):
            columns, rows = int(box[2]), int(box[3])
            size = -(-columns * rows // 8)
            if not 0 <= place <= self._artifact.shape("bits")[0] - size:
                raise self._artifact.malformed("a mask is cut short")
            bits = self._artifact.read_rows("bits", place, place + size)
            mask = np.unpackbits(bits, count=columns * rows).reshape(rows, columns)
            yield box, mask * np.uint8(255)

    def frames(self, row: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Name and whole frame of each mask of a sequence."""
        names = self._artifact.read_rows("frame_name", *self.span(row)).tolist()
        for name, (box, mask) in zip(names, self.masks(row), strict=True):
            yield name, whole_frame(mask, tuple(box.tolist()), self.shape)
