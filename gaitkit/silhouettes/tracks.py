"""Which of the bodies in the frames of a sequence walks: told by its track.

One frame shows no difference between a walker and somebody who stands and watches, a caption, a
chair. The sequence does: what stays where it is in most frames is not the one who walks, if
something else moves; and a walker is near to where he was a frame before. Only sequences with a
second large component, a jump or a body wider than high are looked at in this way.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.printable import counted
from gaitkit.silhouettes.body import Body, Rejected, Sight, contour_areas, parts_of
from gaitkit.silhouettes.options import SilhouetteOptions

__all__ = ["Box", "Followed", "Glance", "find_jumps", "follow", "glance"]

# Of the largest component: what is smaller is a part of the body or noise.
_LEAST_SECOND = 0.1
_LEAST_TROUBLED = 3
# A component of this part of the body's height is a body of its own and no arm or foot.
_OWN_HEIGHT = 0.6
# Frames in which a pixel is on, or a thing is in its place, for it to be a fixture.
_ALWAYS = 0.8
_MOSTLY = 0.6
_SAME_PLACE = 0.7
_SAME_SIZE = 1.6
# Of the walker's median height: how far a walker goes at least, and how far between two frames.
_SHORTEST_WAY = 0.5
_GROWTH = 1.25
_STEP = 0.5
_STEP_PER_GAP = 0.1
_LONGEST_GAP = 15
# Ratios of height and area that are the same person's.
_HEIGHT_RATIO = 1.4
_AREA_RATIO = 2.0
# Bodies of like size.
_LIKE_HEIGHT = 0.6
_LIKE_AREA = 0.4
_FEWEST = 5
_LEAST_PART = 0.4
_COMPRESSED_FROM = 1 << 14
_SAME_BODY = 0.8
_NEAR_ENOUGH = 0.5
_WITH_OTHERS = 1.5
_PART_OF_IT = 0.9
_LITTLE_WIDER = 1.2
# Of the height: a walker who is seen from the side changes width by 0.2 to 0.4.
_LEAST_SWING = 0.12
_AS_MUCH = 0.8


_NO_ROOM = (
    "there is more than one body in the frames, which are too many and too large to follow the "
    "walker by track: the largest is taken"
)


class Box(NamedTuple):
    """Where a thing is in its frame, and its area, all in pixels."""

    left: int
    top: int
    columns: int
    rows: int
    area: float

    @property
    def middle(self) -> tuple[float, float]:
        """Column and row of the centre."""
        return self.left + self.columns / 2, self.top + self.rows / 2

    def overlap(self, other: Box) -> float:
        """Area of both boxes over the area of either: 0 to 1."""
        across = min(self.left + self.columns, other.left + other.columns)
        across -= max(self.left, other.left)
        down = min(self.top + self.rows, other.top + other.rows) - max(self.top, other.top)
        both = max(0, across) * max(0, down)
        return both / max(1, self.columns * self.rows + other.columns * other.rows - both)

    def share_in(self, other: Box) -> float:
        """Which part of this box lies in another: 0 to 1."""
        across = min(self.left + self.columns, other.left + other.columns)
        across -= max(self.left, other.left)
        down = min(self.top + self.rows, other.top + other.rows) - max(self.top, other.top)
        return max(0, across) * max(0, down) / max(1, self.columns * self.rows)


class Glance(NamedTuple):
    """What is remembered of a frame until the whole sequence is known.

    Attributes
    ----------
    box : Box
        The body that was taken: the largest component and what belongs to it.
    shape : tuple of int
        Rows and columns of the frame.
    second : float
        Area of the second largest component over that of the largest.
    opened : bytes
        All foreground, in bits, where there is more than one large component; else empty.
    at : tuple of int
        Left, top, columns and rows of `opened` in the frame.
    """

    box: Box
    shape: tuple[int, ...]
    second: float
    opened: bytes = b""
    at: tuple[int, int, int, int] = (0, 0, 0, 0)

    def foreground(self) -> NDArray[np.uint8]:
        """The foreground as bytes of 0 and 1."""
        _, _, columns, rows = self.at
        packed = zlib.decompress(self.opened) if self.opened[:1] == b"\x78" else self.opened[1:]
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=rows * columns)
        return bits.reshape(rows, columns)


def glance(sight: Sight, room: int, area_px: int | None = None) -> Glance:
    """Remember what is needed of a frame.

    Parameters
    ----------
    sight : Sight
        What was seen.
    room : int
        Bytes that are left for foreground; without room it is not kept, and nobody is followed.
    area_px : int, optional
        Of the body, where it is known.

    Returns
    -------
    Glance
        A few numbers for a frame with one component.

    Examples
    --------
    >>> import numpy as np
    >>> from gaitkit.silhouettes.body import look
    >>> frame = np.zeros((60, 90), bool)
    >>> frame[10:50, 15:25] = frame[10:50, 60:70] = True
    >>> seen = glance(look(frame, SilhouetteOptions()), 1000)
    >>> seen.box.left, seen.foreground().shape
    (60, (40, 55))
    """
    mask = sight.body.mask
    rows, columns = mask.shape
    area = int(np.count_nonzero(mask)) if area_px is None else area_px
    box = Box(sight.body.left, sight.body.top, columns, rows, area)
    seen = Glance(box, sight.shape, sight.second)
    if sight.second < _LEAST_SECOND and columns <= rows:
        return seen
    high, wide = sight.opened.shape
    bits = np.packbits(sight.opened).tobytes()
    packed = zlib.compress(bits, 1) if len(bits) > _COMPRESSED_FROM else b"\0" + bits
    if len(packed) > room:
        return seen
    return seen._replace(opened=packed, at=(sight.left, sight.top, wide, high))


class Followed(NamedTuple):
    """What following the walker changes.

    Attributes
    ----------
    frames : dict of int to Body or Rejected
        By place in the sequence; frames that are not in it stay as they are.
    dropped : Rejected or None
        Why the whole sequence is left out.
    told : str
        What is said of it; may be empty.
    """

    frames: dict[int, Body | Rejected]
    dropped: Rejected | None = None
    told: str = ""


@dataclass
class _Thing:
    """One body in one frame."""

    place: int
    time: int
    box: Box
    contours: list[Any] = field(default_factory=list)
    fixed: bool = False
    merged: bool = False


@dataclass
class _Track:
    """A thing from frame to frame."""

    things: list[_Thing]

    def expected(self, time: int) -> tuple[float, float]:
        """Centre at a time, from the last few."""
        last = self.things[-1]
        x, y = last.box.middle
        before = self.things[-5] if len(self.things) >= 5 else self.things[0]
        if before is last:
            return x, y
        early_x, early_y = before.box.middle
        past = (time - last.time) / (last.time - before.time)
        return x + (x - early_x) * past, y + (y - early_y) * past

    @property
    def height(self) -> float:
        return float(np.median([thing.box.rows for thing in self.things]))

    @property
    def width(self) -> float:
        return float(np.median([thing.box.columns for thing in self.things]))

    @property
    def area(self) -> float:
        return float(np.median([thing.box.area for thing in self.things]))

    @property
    def moves(self) -> bool:
        """Whether it goes, or comes nearer, as somebody does who walks."""
        middles = np.array([thing.box.middle for thing in self.things])
        low, high = np.quantile(middles, [0.05, 0.95], axis=0)
        small, large = np.quantile([thing.box.rows for thing in self.things], [0.05, 0.95])
        return bool((high - low).max() >= _SHORTEST_WAY * self.height or large >= _GROWTH * small)

    def takes(self, thing: _Thing) -> float | None:
        """How far a thing is from where this track leads, in heights; `None` if it is another."""
        last = self.things[-1]
        gap = thing.time - last.time
        if not 0 < gap <= _LONGEST_GAP or thing.merged:
            return None
        recent = self.things[-7:]
        rows = float(np.median([one.box.rows for one in recent]))
        area = float(np.median([one.box.area for one in recent]))
        if (
            _ratio(rows, thing.box.rows) > _HEIGHT_RATIO
            or _ratio(area, thing.box.area) > _AREA_RATIO
        ):
            return None
        x, y = self.expected(thing.time)
        there_x, there_y = thing.box.middle
        far = float(np.hypot(there_x - x, there_y - y)) / rows
        return far if far <= _STEP + _STEP_PER_GAP * (gap - 1) else None


def follow(
    seen: Sequence[Glance | None], times: Sequence[int], options: SilhouetteOptions
) -> Followed | None:
    """Find who walks, where the frames show more than one thing.

    Parameters
    ----------
    seen : sequence of Glance or None
        In order of time; `None` where nobody is in the frame.
    times : sequence of int
        Time of each frame, increasing.
    options : SilhouetteOptions
        As for `gaitkit.silhouettes.find_body`.

    Returns
    -------
    Followed or None
        `None` where there is nothing to change: one body, or parts of one.

    Examples
    --------
    >>> follow([Glance(Box(i, 5, 10, 40, 300.0), (60, 99), 0.0) for i in range(9)], range(9),
    ...        SilhouetteOptions()) is None
    True
    """
    there = [(place, one) for place, one in enumerate(seen) if one is not None]
    several = [one for _, one in there if one.second >= _LEAST_SECOND or one.opened]
    jumps = find_jumps([(times[place], one.box) for place, one in there])
    troubled = len(several) >= _LEAST_TROUBLED or jumps
    if not troubled or len({one.shape for _, one in there}) > 1:
        return None
    if any(one.second >= _LEAST_SECOND and not one.opened for one in several):
        return Followed({}, told=_NO_ROOM)
    things = [
        _Thing(place, times[place], b, c) for place, one in there for b, c in _things(one, options)
    ]
    largest = float(np.median([one.box.area for _, one in there]))
    fixtures = _fixtures([one for _, one in there if one.opened], things, largest)
    fewest = max(_FEWEST, _LEAST_PART / 2 * (len(several) or len(there)))
    long = _long_tracks(things, fixtures, fewest, options)
    people = _upright(long)
    moving = [track for track in people if track.moves]
    if fixtures and not moving:
        # Nothing else moves: what stays in its place and is higher than wide is somebody on a
        # treadmill.
        fixtures = [blob for blob in fixtures if blob.columns > blob.rows]
        long = _long_tracks(things, fixtures, fewest, options)
        people = _upright(long)
        moving = [track for track in people if track.moves]
    candidates = moving or people
    if not candidates:
        return None
    main = _joined(max(candidates, key=lambda track: len(track.things) * track.area), candidates)
    rivals = [
        (track, shared)
        for track in candidates
        if track not in main and (shared := _like(main, track)) > 0
    ]
    count = sum(len(track.things) for track in main)
    for track, shared in rivals:
        if shared > count / 2:
            return Followed({}, _several(main, track, shared, count))
    still = [t for t in people if t not in main and t not in candidates and _like(main, t) > 0]
    in_place = _walks_in_place(main, [_near(things, blob) for blob in fixtures] + still)
    if in_place is not None:
        return Followed({}, in_place)
    along = [t for t in long if t not in people and _like(main, t, of_any_height=True) > count / 2]
    if not (fixtures or rivals or still or along or jumps):
        return None
    if not fixtures and count < _LEAST_PART * len(there):
        return None
    changed = _changed(
        main, there, times, things, others=bool(fixtures or rivals or still or along)
    )
    if not changed:
        return None
    reasons = []
    if fixtures or still:
        reasons.append("something stays in its place")
    if rivals:
        reasons.append("somebody else passes")
    if along and not reasons:
        reasons.append("something moves along")
    if not reasons:
        reasons.append("the largest part jumps")
    return Followed(
        changed, None, f"{' and '.join(reasons)}; the one who walks was followed by track"
    )


def find_jumps(places: Sequence[tuple[int, Box]]) -> list[int]:
    """Where a body jumps by more than its height from one frame to the next.

    Parameters
    ----------
    places : sequence of (time, Box)
        In order of time. Between frames with a gap the way may be longer.

    Returns
    -------
    list of int
        Places in the sequence after which the jump is.

    Examples
    --------
    >>> find_jumps([(0, Box(5, 5, 10, 40, 300.0)), (1, Box(90, 5, 10, 40, 300.0))])
    [0]
    """
    across = [box.left + box.columns / 2 for _, box in places]
    least = min((box.rows for _, box in places), default=0)
    if all(abs(there - here) <= least for here, there in pairwise(across)):
        return []  # Nearly always.
    found = []
    for number in range(len(places) - 1):
        (early, one), (late, other) = places[number : number + 2]
        # Sideways: of a body that a belt or a fence cuts in two, now the upper half is the larger.
        way = abs(across[number + 1] - across[number])
        if way > max(one.rows, other.rows) * max(1, late - early):
            found.append(number)
    return found


def _ratio(one: float, other: float) -> float:
    return max(one, other) / max(1.0, min(one, other))


def _things(one: Glance, options: SilhouetteOptions) -> list[tuple[Box, list[Any]]]:
    """The bodies of a frame, each with the outer contours that belong to it."""
    if not one.opened:
        return [(one.box, [])]
    contours, _ = cv2.findContours(one.foreground(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = contour_areas(contours)
    least = max(areas) * _LEAST_SECOND
    left = [(contour, area) for contour, area in zip(contours, areas, strict=True)]
    found = []
    while left and max(area for _, area in left) >= least:
        seed = max(range(len(left)), key=lambda i: (left[i][1], -i))
        rows = cv2.boundingRect(left[seed][0])[3]
        own = [
            i
            for i, (contour, _) in enumerate(left)
            if i != seed and cv2.boundingRect(contour)[3] >= _OWN_HEIGHT * rows
        ]
        near = [i for i in range(len(left)) if i not in own]
        parts = parts_of([left[i][0] for i in near], [left[i][1] for i in near], options)
        body = {near[i] for i in parts}
        group = [left[i][0] for i in sorted(body)]
        area = sum(left[i][1] for i in body)
        x, y, columns, rows = cv2.boundingRect(np.concatenate(group))
        found.append((Box(one.at[0] + x, one.at[1] + y, columns, rows, area), group))
        left = [item for i, item in enumerate(left) if i not in body]
    return found


def _fixtures(several: list[Glance], things: list[_Thing], largest: float) -> list[Box]:
    """What is in its place in most of the frames that show more than one thing."""
    if len(several) < _FEWEST:
        return []
    total = np.zeros(several[0].shape[:2], np.int32)
    for one in several:
        left, top, columns, rows = one.at
        total[top : top + rows, left : left + columns] += one.foreground()
    always = (total >= _ALWAYS * len(several)).astype(np.uint8)
    contours, _ = cv2.findContours(always, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour, area in zip(contours, contour_areas(contours), strict=True):
        left, top, columns, rows = cv2.boundingRect(contour)
        blob = Box(left, top, columns, rows, area)
        if area < _LEAST_SECOND * largest:
            continue
        frames = {thing.place for thing in things if _same_place(thing.box, blob)}
        if len(frames) >= _MOSTLY * len(several):
            found.append(blob)
    return found


def _same_place(box: Box, blob: Box) -> bool:
    return box.overlap(blob) >= _SAME_PLACE and _ratio(box.area, blob.area) <= _SAME_SIZE


def _compare(thing: _Thing, fixtures: list[Box]) -> None:
    """Mark what is a fixture, or a person in one outline with it."""
    thing.fixed = thing.merged = False
    for blob in fixtures:
        if _same_place(thing.box, blob):
            thing.fixed = True
        elif (
            blob.share_in(thing.box) >= _SAME_PLACE and blob.area >= _LEAST_SECOND * thing.box.area
        ):
            thing.merged = True


def _tracks(things: list[_Thing]) -> list[_Track]:
    """Link things from frame to frame, the nearest first."""
    ended: list[_Track] = []
    running: list[_Track] = []
    by_place: dict[int, list[_Thing]] = {}
    for thing in things:
        by_place.setdefault(thing.place, []).append(thing)
    for place in sorted(by_place):
        waiting = by_place[place]
        early = waiting[0].time - _LONGEST_GAP
        ended += [track for track in running if track.things[-1].time < early]
        running = [track for track in running if track.things[-1].time >= early]
        pairs = sorted(
            (far, i, j)
            for i, track in enumerate(running)
            for j, thing in enumerate(waiting)
            if (far := track.takes(thing)) is not None
        )
        taken: dict[int, int] = {}
        for _, i, j in pairs:
            if i not in taken and j not in taken.values():
                taken[i] = j
        for i, j in taken.items():
            running[i].things.append(waiting[j])
        left = [thing for j, thing in enumerate(waiting) if j not in taken.values()]
        running += [_Track([thing]) for thing in left if not thing.merged]
    return ended + running


def _long_tracks(
    things: list[_Thing], fixtures: list[Box], fewest: float, options: SilhouetteOptions
) -> list[_Track]:
    """Tracks of what is no fixture, long enough and high enough."""
    for thing in things:
        _compare(thing, fixtures)
    return [
        track
        for track in _tracks([thing for thing in things if not thing.fixed])
        if len(track.things) >= fewest and track.height >= options.min_height_px
    ]


def _upright(tracks: list[_Track]) -> list[_Track]:
    """Tracks that may be a person's: those that are higher than wide, if any is."""
    return [track for track in tracks if track.width <= track.height] or tracks


def _joined(main: _Track, others: list[_Track]) -> list[_Track]:
    """The pieces of one person's track, which a meeting with somebody else has cut."""
    pieces = [main]
    for track in sorted(others, key=lambda one: one.things[0].time):
        if track is main:
            continue
        span = (track.things[0].time, track.things[-1].time)
        apart = all(
            span[1] < piece.things[0].time or span[0] > piece.things[-1].time for piece in pieces
        )
        if (
            apart
            and _ratio(track.height, main.height) <= _HEIGHT_RATIO
            and _ratio(track.area, main.area) <= _AREA_RATIO
        ):
            pieces.append(track)
    return sorted(pieces, key=lambda one: one.things[0].time)


def _like(main: list[_Track], other: _Track, *, of_any_height: bool = False) -> int:
    """In how many frames another body of like size is beside the walker's."""
    mine = {thing.place: thing.box for track in main for thing in track.things}
    count = 0
    for thing in other.things:
        box = mine.get(thing.place)
        if box is None:
            continue
        alike = (of_any_height or _ratio(box.rows, thing.box.rows) * _LIKE_HEIGHT <= 1) and _ratio(
            box.area, thing.box.area
        ) * _LIKE_AREA <= 1
        # Above one another they are parts of one body, which a belt or a fence cuts in two.
        down = min(box.top + box.rows, thing.box.top + thing.box.rows) - max(box.top, thing.box.top)
        count += alike and down >= min(box.rows, thing.box.rows) / 2
    return count


def _several(main: list[_Track], other: _Track, shared: int, count: int) -> Rejected:
    heights = sorted([round(main[0].height), round(other.height)], reverse=True)
    return Rejected(
        "several-people",
        f"two bodies of like size, {heights[0]} and {heights[1]} px high, in {shared} of the "
        f"{counted(count, 'frame')} that show the first, and both move alike; at most half of "
        "them may show two",
    )


def _near(things: list[_Thing], blob: Box) -> _Track:
    """What is where a fixture is, whatever it does there with its legs."""
    return _Track(
        [
            thing
            for thing in things
            if abs(thing.box.middle[0] - blob.middle[0]) < blob.columns / 2
            and _ratio(thing.box.rows, blob.rows) * _SAME_PLACE <= 1
            and thing.box.columns <= thing.box.rows
        ]
    )


def _walks_in_place(main: list[_Track], still: list[_Track]) -> Rejected | None:
    """Why it is not told who walks: something that stays in its place swings its legs as well.

    So it is on a treadmill with somebody who passes, and where the camera turns with the walker.
    """
    mine = [thing.box for track in main for thing in track.things]
    height = float(np.median([box.rows for box in mine]))
    if np.ptp([box.middle[0] for box in mine]) < _SHORTEST_WAY * height:
        return None  # Somebody who comes nearer shows no swing.
    least = max(_LEAST_SWING, _AS_MUCH * _swing(mine))
    for track in still:
        boxes = [thing.box for thing in track.things]
        if (
            len(boxes) >= max(_FEWEST, _LEAST_PART * len(mine))
            and _ratio(track.height, height) * _LIKE_HEIGHT <= 1
            and _swing(boxes) >= least
        ):
            return Rejected(
                "several-people",
                f"something {round(track.height)} px high stays in its place and swings its legs, "
                f"something {round(height)} px high goes by: which of them walks?",
            )
    return None


def _swing(boxes: list[Box]) -> float:
    """By how much the width changes, in heights."""
    low, high = np.quantile([box.columns / box.rows for box in boxes], [0.1, 0.9])
    return float(high - low)


def _changed(
    main: list[_Track],
    there: list[tuple[int, Glance]],
    times: Sequence[int],
    things: list[_Thing],
    *,
    others: bool,
) -> dict[int, Body | Rejected]:
    """What becomes of the frames in which the largest component is not the walker."""
    mine = {thing.place: thing for track in main for thing in track.things}
    merged = {thing.place for thing in things if thing.merged}
    fixed = {(thing.place, thing.box[:4]) for thing in things if thing.fixed}
    places = sorted(mine)
    middles = np.array([mine[place].box.middle for place in places])
    when = np.array([times[place] for place in places], np.float64)
    height = float(np.median([mine[place].box.rows for place in places]))
    area = float(np.median([mine[place].box.area for place in places]))
    width = float(np.median([mine[place].box.columns for place in places]))
    accepted = height * (_NEAR_ENOUGH if others else 1.0)
    changed: dict[int, Body | Rejected] = {}
    for place, one in there:
        thing = mine.get(place)
        if thing is not None:
            if not _same_body(thing.box, one.box, width, height if not others else 0):
                changed[place] = _cut_out(one, thing)
            continue
        x, y = (float(np.interp(times[place], when, middles[:, axis])) for axis in (0, 1))
        here_x, here_y = one.box.middle
        far = float(np.hypot(here_x - x, here_y - y)) if others else abs(here_x - x)
        if (place, one.box[:4]) in fixed:
            detail = "what is there stays in its place in most frames: it is not the walker"
        elif place in merged:
            detail = "the walker is in one outline with something that stays in its place"
        elif far > accepted:
            detail = (
                f"the body is {far:.0f} px from the walker's track, at most {accepted:.0f} accepted"
            )
        elif others and one.box.area > _WITH_OTHERS * area:
            detail = (
                f"on the walker's track, but of {one.box.area:.0f} px, at most "
                f"{_WITH_OTHERS * area:.0f} accepted: in one outline with somebody else"
            )
        else:
            continue
        changed[place] = Rejected("off-track", detail)
    return changed


def _same_body(mine: Box, taken: Box, width: float, way: float) -> bool:
    """Whether what was taken is the walker, or the walker with parts above or below."""
    if mine.overlap(taken) >= _SAME_BODY or abs(mine.middle[0] - taken.middle[0]) < way / 2:
        return True
    return mine.share_in(taken) >= _PART_OF_IT and taken.columns <= _LITTLE_WIDER * max(
        mine.columns, width
    )


def _cut_out(one: Glance, thing: _Thing) -> Body:
    """The person's mask, without the other bodies of the frame."""
    foreground = one.foreground()
    keep = np.zeros_like(foreground)
    cv2.drawContours(keep, thing.contours, -1, 1, cv2.FILLED)
    x, y = thing.box.left - one.at[0], thing.box.top - one.at[1]
    window = np.s_[y : y + thing.box.rows, x : x + thing.box.columns]
    mask = np.ascontiguousarray(foreground[window] * keep[window])
    return Body(mask, thing.box.left, thing.box.top)
