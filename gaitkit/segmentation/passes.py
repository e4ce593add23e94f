"""People followed through a video, and the passes that their ways are cut into.

Who is in a picture goes on as who was there before: by where each was going and how large each is,
all of them at once (`scipy.optimize.linear_sum_assignment`). A way ends where somebody leaves, is
hidden, or meets another: who is who afterwards, nobody can tell from masks. It is cut where
somebody stands or turns round. What is left are passes: one person, one direction.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gaitkit.printable import counted
from gaitkit.segmentation.people import Box, Person

__all__ = ["Dropped", "Follower", "Pass", "Sighting", "follow", "packed", "unpacked"]

MAX_PASS_FRAMES = 1500
"""Whoever walks longer in one direction starts another pass: memory must not grow."""

_FAR = 1e6
# Of the height: how far somebody is from where they were going, and how much of it a frame adds.
_STEP, _STEP_PER_GAP = 0.35, 0.12
_HEIGHTS, _AREAS = 1.5, 2.5
_ENTERING = 0.5
# Seen in fewer frames it is noise, and nobody.
_NOISE_FRAMES = 5
_HIDDEN_S = 0.3
_PAST = 6
# Of a box: what of it lies in a blob that holds two people.
_SWALLOWED = 0.45
# Of the highest in a blob: who is lower is a part, or something that moves.
_OWN_HEIGHT = 0.5
_APART, _TOGETHER_S = 0.7, 1.0
# Of the height: a way back that is a turn, what is cut around it, what is a way at all.
_TURN, _TURNING, _WAY = 0.35, 0.12, 0.5
# Whoever stays within that, and makes no pass, goes nowhere.
_ON_THE_SPOT = 1.0
_NEARER = 1.15
# Of the frames of a way: who is seen in fewer flickers, as lamps and leaves do.
_SEEN = 0.5
_STILL_S, _STILL, _STILL_GROWTH = 1.0, 0.15, 0.05
_SMOOTH_S = 0.4
_DIRECTION = 0.25
_WIDEST = 1.15


class Sighting(NamedTuple):
    """Somebody in one frame.

    Attributes
    ----------
    frame : int
        Number in the video, from 0.
    time_s : float
        Seconds from the beginning of the video.
    box : Box
        Where.
    mask : bytes
        Packed, see `packed`.
    area : int
        Pixels of the mask.
    """

    frame: int
    time_s: float
    box: Box
    mask: bytes
    area: int


class Dropped(NamedTuple):
    """A way, or a part of one, that gave no pass.

    Attributes
    ----------
    start_s, end_s : float
        From when to when, seconds.
    reason : str
        A key of `gaitkit.dropped.REASONS`.
    detail : str
        What was measured against which limit.
    """

    start_s: float
    end_s: float
    reason: str
    detail: str


@dataclass(frozen=True, eq=False)
class Pass:
    """One person on one way through the picture.

    Attributes
    ----------
    sightings : tuple of Sighting
        In order of time; frames may be missing.
    direction : int
        1 to the right, -1 to the left, 0 towards the camera or away from it.
    shape : tuple of int
        Height and width of the frames, pixels.
    """

    sightings: tuple[Sighting, ...]
    direction: int
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.sightings)

    @property
    def start_s(self) -> float:
        """When it begins, seconds."""
        return self.sightings[0].time_s

    @property
    def end_s(self) -> float:
        """When it ends, seconds."""
        return self.sightings[-1].time_s

    @property
    def boxes(self) -> NDArray[np.int32]:
        """Left, top, width and height in each frame, pixels: shape (n, 4)."""
        return np.array([one.box for one in self.sightings], np.int32).reshape(-1, 4)

    @property
    def frames(self) -> NDArray[np.int32]:
        """Numbers of the frames in the video."""
        return np.array([one.frame for one in self.sightings], np.int32)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Seconds from the beginning of the video."""
        return np.array([one.time_s for one in self.sightings], np.float64)

    @property
    def middle(self) -> tuple[float, float]:
        """Mean column and row of the boxes' centres, pixels."""
        boxes = self.boxes.astype(np.float64)
        x, y = (boxes[:, :2] + boxes[:, 2:] / 2).mean(axis=0)
        return float(x), float(y)

    def masks(self) -> Iterator[NDArray[np.uint8]]:
        """The mask of each frame, 0 or 255, cut out at its box."""
        for one in self.sightings:
            yield unpacked(one.mask, one.box)


def packed(mask: NDArray[np.uint8]) -> bytes:
    """A mask in bits, compressed.

    Examples
    --------
    >>> mask = np.zeros((40, 9), np.uint8)
    >>> mask[5:, 3:6] = 255
    >>> bool((unpacked(packed(mask), Box(0, 0, 9, 40)) == mask).all())
    True
    """
    return zlib.compress(np.packbits(mask > 0).tobytes(), 1)


def unpacked(data: bytes, box: Box) -> NDArray[np.uint8]:
    """The mask of `packed`, 0 or 255, of the size of a box."""
    bits = np.frombuffer(zlib.decompress(data), np.uint8)
    mask = np.unpackbits(bits, count=box.rows * box.columns).reshape(box.rows, box.columns)
    return mask * np.uint8(255)


@dataclass
class _Way:
    """Somebody who is being followed, or a group that cannot be told apart."""

    sightings: list[Sighting] = field(default_factory=list)
    group: bool = False
    width: float = 0.0
    since_s: float = 0.0
    frames: int = 1

    @property
    def last(self) -> Sighting:
        return self.sightings[-1]

    def expected(self, time_s: float) -> Box:
        """Where the box will be, from the last few."""
        last = self.last
        before = self.sightings[max(0, len(self.sightings) - _PAST)]
        past = last.time_s - before.time_s
        if past <= 0:
            return last.box
        part = (time_s - last.time_s) / past
        (x, y), (old_x, old_y) = last.box.middle, before.box.middle
        return last.box._replace(
            left=round(last.box.left + (x - old_x) * part),
            top=round(last.box.top + (y - old_y) * part),
        )

    def cost(self, person: Person, time_s: float, gap: float, width: int) -> float:
        """How unlike the one who was followed somebody is; `_FAR` for another person."""
        recent = self.sightings[-_PAST:]
        rows = float(np.median([one.box.rows for one in recent]))
        area = float(np.median([one.area for one in recent]))
        heights = _ratio(rows, person.box.rows)
        areas = _ratio(area, person.area)
        x, y = self.expected(time_s).middle
        here_x, here_y = person.box.middle
        sides = [_at_border(box, width) for box in (self.last.box, person.box)]
        if any(sides):
            # Who comes in grows from frame to frame: only the inner side is theirs.
            if person.box.rows < _ENTERING * rows or heights > 2 * _HEIGHTS:
                return _FAR
            x, here_x = _inner(self.last.box, sides), _inner(person.box, sides)
            y, here_y = self.last.box.top + self.last.box.rows, person.box.top + person.box.rows
            areas = heights = 1.0
        if heights > _HEIGHTS * (1 + 0.1 * gap) or areas > _AREAS * (1 + 0.1 * gap):
            return _FAR
        far = float(np.hypot(here_x - x, here_y - y)) / max(rows, 1.0)
        if far > _STEP + _STEP_PER_GAP * gap:
            return _FAR
        return far + float(np.log(heights)) + 0.3 * float(np.log(areas))


def _of_one_size(ways: list[_Way]) -> list[_Way]:
    """Those who can be people beside another: long enough there, and as high as one another.

    A leaf, a screen or a reflection that a person passes is no other person, nor is a part of the
    body that was apart for a while.
    """
    ways = [way for way in ways if way.group or len(way.sightings) >= _NOISE_FRAMES]
    if len(ways) < 2:
        return ways
    highest = max(ways, key=lambda way: way.last.box.rows).last.box
    return [way for way in ways if way.group or _beside(way.last.box, highest)]


def _beside(box: Box, highest: Box) -> bool:
    """Whether one is nearly as high as another, and stands where they stand."""
    down = min(box.top + box.rows, highest.top + highest.rows) - max(box.top, highest.top)
    return box.rows >= _OWN_HEIGHT * highest.rows and down >= _OWN_HEIGHT * box.rows


def _at_border(box: Box, width: int) -> int:
    """-1 where a box touches the left border, 1 the right one, 0 neither or both."""
    return int(box.left + box.columns >= width - 1) - int(box.left <= 1)


def _inner(box: Box, sides: list[int]) -> float:
    """The column of the side that is not at the border."""
    return float(box.left if max(sides) > 0 else box.left + box.columns)


def _ratio(one: float, other: float) -> float:
    return max(one, other) / max(1.0, min(one, other))


class Follower:
    """Follows people from frame to frame.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the frames, pixels.
    min_frames : int
        Shorter passes are dropped.
    seconds_per_frame : float
        As a rule.
    """

    def __init__(
        self, shape: tuple[int, int], *, min_frames: int = 10, seconds_per_frame: float = 0.04
    ) -> None:
        self.shape = shape
        self.min_frames = min_frames
        self._step_s = max(1e-3, seconds_per_frame)
        self._ways: list[_Way] = []
        self._waiting: list[tuple[float, int, int, Pass | Dropped]] = []
        self._count = 0

    def add(self, frame: int, time_s: float, people: list[Person]) -> Iterator[Pass | Dropped]:
        """Take the people of the next frame; gives passes that ended, in order of their beginning.

        What gave no pass comes when that is known.
        """
        for way in [way for way in self._ways if time_s - way.last.time_s > self._hidden_s]:
            self._end(way)
        people = self._met(people, time_s)
        taken = self._assigned(people, time_s)
        for number, person in enumerate(people):
            known = taken.get(number)
            way = _Way() if known is None else known
            if known is None:
                self._ways.append(way)
            way.sightings.append(
                Sighting(frame, time_s, person.box, packed(person.mask), person.area)
            )
            if way.group:
                way.frames += 1
                del way.sightings[:-_PAST]
            if len(way.sightings) >= MAX_PASS_FRAMES:
                self._end(way)
        yield from self._ready()

    def end(self) -> Iterator[Pass | Dropped]:
        """Gives what is left when the video has ended."""
        for way in list(self._ways):
            self._end(way)
        yield from self._ready()

    @property
    def _hidden_s(self) -> float:
        return max(_HIDDEN_S, 3.5 * self._step_s)

    def _met(self, people: list[Person], time_s: float) -> list[Person]:
        """End the ways of those who are in one blob with another; who is still there."""
        alone = [way for way in self._ways if way.sightings]
        for person in people:
            within = [
                way
                for way in alone
                if way in self._ways and way.expected(time_s).share_in(person.box) > _SWALLOWED
            ]
            within = _of_one_size(within)
            # Where each has a blob of their own, the box of one only reaches over the other.
            others = [other for other in people if other is not person]
            within = [
                way
                for way in within
                if not any(
                    way.cost(other, time_s, 1.0, self.shape[1])
                    < way.cost(person, time_s, 1.0, self.shape[1])
                    for other in others
                )
            ]
            if len(within) > 1 and any(not way.group for way in within):
                for way in within:
                    self._end(way)
                group = _Way(group=True, width=float(person.box.columns), since_s=time_s)
                group.sightings.append(Sighting(0, time_s, person.box, b"", person.area))
                self._ways.append(group)
        for way in [way for way in self._ways if way.group]:
            # They part: each begins anew.
            there = [p for p in people if p.box.share_in(way.expected(time_s)) > _SWALLOWED]
            # As narrow as one, they may be one behind the other for a moment.
            narrow = there and there[0].box.columns < _APART * way.width
            if len(there) > 1 or (narrow and time_s - way.since_s > _TOGETHER_S):
                self._end(way)
        return people

    def _assigned(self, people: list[Person], time_s: float) -> dict[int, _Way]:
        if not (people and self._ways):
            return {}
        cost = np.array(
            [
                [
                    self._group_cost(way, person, time_s)
                    if way.group
                    else way.cost(
                        person, time_s, (time_s - way.last.time_s) / self._step_s, self.shape[1]
                    )
                    for person in people
                ]
                for way in self._ways
            ]
        )
        rows, columns = linear_sum_assignment(cost)
        return {
            int(column): self._ways[row]
            for row, column in zip(rows, columns, strict=True)
            if cost[row, column] < _FAR
        }

    @staticmethod
    def _group_cost(way: _Way, person: Person, time_s: float) -> float:
        shared = person.box.share_in(way.expected(time_s))
        way.width = max(way.width, float(person.box.columns)) if shared > 0.5 else way.width
        return 1 - shared if shared > 0.3 else _FAR

    def _end(self, way: _Way) -> None:
        self._ways.remove(way)
        frames = way.frames if way.group else len(way.sightings)
        if frames < min(_NOISE_FRAMES, self.min_frames):
            return
        if way.group:
            told = f"{counted(frames, 'frame')} in which they are one"
            ended: Iterable[Pass | Dropped] = [
                Dropped(way.since_s, way.last.time_s, "together", told)
            ]
        else:
            ended = _cut(way.sightings, self.shape, self.min_frames)
        for item in ended:
            self._count += 1
            start = item.start_s
            heapq.heappush(self._waiting, (start, self._count, 0, item))

    def _ready(self) -> Iterator[Pass | Dropped]:
        """What has ended and began before all that has not."""
        open_ones = [way.sightings[0].time_s for way in self._ways if not way.group]
        first = min(open_ones, default=np.inf)
        while self._waiting and self._waiting[0][0] < first:
            yield heapq.heappop(self._waiting)[-1]


def follow(
    pictures: Iterable[tuple[int, float, list[Person]]],
    shape: tuple[int, int],
    *,
    min_frames: int = 10,
    seconds_per_frame: float = 0.04,
) -> Iterator[Pass | Dropped]:
    """Follow people through all frames of a video.

    Parameters
    ----------
    pictures : iterable of (frame, time, people)
        Number of each frame, its time in seconds, and who is in it; in order of time.
    shape, min_frames, seconds_per_frame
        As for `Follower`.

    Yields
    ------
    Pass or Dropped
        Passes in order of when they began.

    Examples
    --------
    >>> body = np.full((40, 12), 255, np.uint8)
    >>> def frame(number):
    ...     return number, number / 25, [Person(Box(4 * number, 10, 12, 40), body, 480)]
    >>> [(len(one), one.direction) for one in follow(map(frame, range(20)), (60, 99))]
    [(20, 1)]
    """
    follower = Follower(shape, min_frames=min_frames, seconds_per_frame=seconds_per_frame)
    for picture in pictures:
        yield from follower.add(*picture)
    yield from follower.end()


def _cut(
    sightings: list[Sighting], shape: tuple[int, int], min_frames: int
) -> Iterator[Pass | Dropped]:
    """The passes of one way: parts in which somebody walks in one direction.

    Whoever dances on the spot is told in one line, and not in one for each step.
    """
    parts = list(_parts(sightings, shape, min_frames))
    boxes = np.array([one.box for one in sightings], np.float64)
    across = float(np.ptp(_tracked(boxes, shape[1]))) / float(np.median(boxes[:, 3]))
    walks = any(isinstance(part, Pass) for part in parts)
    if len(parts) == 1 or walks or across > _ON_THE_SPOT:
        yield from parts
        return
    told = f"to and fro in {across:.2f} of the body's height, {counted(len(sightings), 'frame')}"
    yield Dropped(sightings[0].time_s, sightings[-1].time_s, "stands", told)


def _parts(
    sightings: list[Sighting], shape: tuple[int, int], min_frames: int
) -> Iterator[Pass | Dropped]:
    times = np.array([one.time_s for one in sightings])
    boxes = np.array([one.box for one in sightings], np.float64)
    rows = boxes[:, 3]
    height = float(np.median(rows))
    if len(sightings) < min_frames:
        yield _short(sightings, min_frames)
        return
    if float(np.median(boxes[:, 2] / rows)) > _WIDEST:
        wide = f"{np.median(boxes[:, 2] / rows):.2f} times as wide as high"
        yield Dropped(float(times[0]), float(times[-1]), "not-a-person", wide)
        return
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    window = max(1, round(_SMOOTH_S / max(step, 1e-3)))
    # The middle of somebody whom the border cuts goes half as fast; the inner side tells more.
    x = _smoothed(_tracked(boxes, shape[1]), window)
    y = _smoothed(boxes[:, 1] + rows, window)
    size = _smoothed(rows, window)
    span = max(2, round(_STILL_S / max(step, 1e-3)))
    still = _still(x, y, size, height, span)
    for start, stop in _spans(~still):
        for first, last in _one_way(x, start, stop, height):
            part = sightings[first:last]
            if len(part) < min_frames:
                if part:
                    yield _short(part, min_frames)
                continue
            span = part[-1].frame - part[0].frame + 1
            if len(part) < _SEEN * span:
                told = f"seen in {len(part)} of {counted(span, 'frame')}, at least half needed"
                yield Dropped(part[0].time_s, part[-1].time_s, "short-pass", told)
                continue
            way = float(np.ptp(x[first:last]))
            growth = float(size[first:last].max() / max(1.0, size[first:last].min()))
            if way < _WAY * height and growth < _NEARER:
                told = f"{way / height:.2f} of the body's height in {counted(len(part), 'frame')}"
                yield Dropped(part[0].time_s, part[-1].time_s, "stands", told)
                continue
            along = float(x[last - 1] - x[first])
            direction = 0 if abs(along) < _DIRECTION * height else (1 if along > 0 else -1)
            yield Pass(tuple(part), direction, shape)
    for start, stop in _spans(still):
        told = f"hardly moves in {counted(stop - start, 'frame')}"
        yield Dropped(float(times[start]), float(times[stop - 1]), "stands", told)


def _short(part: list[Sighting], min_frames: int) -> Dropped:
    told = f"{counted(len(part), 'frame')}, at least {min_frames} needed"
    return Dropped(part[0].time_s, part[-1].time_s, "short-pass", told)


def _tracked(boxes: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The column of the body's middle, of those cut by the border by their inner side."""
    left, right = boxes[:, 0], boxes[:, 0] + boxes[:, 2]
    half = float(np.median(boxes[:, 2])) / 2
    x = (left + right) / 2
    at_left, at_right = left <= 1, right >= width - 1
    x = np.where(at_left & ~at_right, np.minimum(x, right - half), x)
    return np.where(at_right & ~at_left, np.maximum(x, left + half), x)


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    window = min(window | 1, 2 * ((len(values) - 1) // 2) + 1)
    if window < 3:
        return values
    padded = np.pad(values, window // 2, mode="reflect", reflect_type="odd")
    return np.convolve(padded, np.full(window, 1 / window), mode="valid")


def _still(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    size: NDArray[np.float64],
    height: float,
    span: int,
) -> NDArray[np.bool_]:
    """Frames that lie in a second in which somebody stays where they are."""
    count = len(x)
    still = np.zeros(count, np.bool_)
    for start in range(max(0, count - span)):
        stop = start + span + 1
        here = slice(start, stop)
        if (
            np.ptp(x[here]) < _STILL * height
            and np.ptp(y[here]) < _STILL * height
            and size[here].max() < (1 + _STILL_GROWTH) * size[here].min()
        ):
            still[here] = True
    return still


def _spans(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _one_way(x: NDArray[np.float64], start: int, stop: int, height: float) -> list[tuple[int, int]]:
    """Cut a span where somebody turns round; what is near the turn is left out."""
    turns = []
    low = high = start
    going = 0
    for at in range(start, stop):
        if x[at] > x[high]:
            high = at
        if x[at] < x[low]:
            low = at
        if going >= 0 and x[high] - x[at] > _TURN * height and high > start:
            if going or x[high] - x[start] > _TURN * height:
                turns.append(high)
            going, low, high = -1, at, at
        elif going <= 0 and x[at] - x[low] > _TURN * height and low > start:
            if going or x[start] - x[low] > _TURN * height:
                turns.append(low)
            going, low, high = 1, at, at
    if not turns:
        return [(start, stop)]
    parts = []
    edges = [start, *turns, stop]
    for first, last in pairwise(edges):
        a, b = first, last
        if first != start:
            while a < b and abs(x[a] - x[first]) < _TURNING * height:
                a += 1
        if last != stop:
            while b > a and abs(x[b - 1] - x[last]) < _TURNING * height:
                b -= 1
        parts.append((a, b))
    return parts
