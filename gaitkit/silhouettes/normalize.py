"""Frames of one sequence to aligned silhouettes, with a reason for every frame left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.likeness import NUMBERS, flipped, is_numbered
from gaitkit.printable import counted
from gaitkit.silhouettes.align import align_person
from gaitkit.silhouettes.body import Body, Rejected, everybody, find_body, judged, look
from gaitkit.silhouettes.doubts import (
    Texture,
    height_doubts,
    several_doubt,
    shape_doubt,
    still_doubts,
    texture_doubts,
    texture_of,
    walk_doubts,
    width_doubts,
)
from gaitkit.silhouettes.given import given_silhouette
from gaitkit.silhouettes.masks import as_frame
from gaitkit.silhouettes.opengait import is_gei, opengait_silhouette
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.silhouettes.tight import Fit, are_tight, fills, fit_of
from gaitkit.silhouettes.times import frame_times
from gaitkit.silhouettes.tracks import Box, Glance, follow, glance
from gaitkit.silhouettes.trend import off_trend

__all__ = ["NormalizedFrame", "NormalizedSequence", "normalize_sequence", "normalize_silhouette"]

_MANY = 1 / 3
_LOOKED_AT = 8
_ROOM = 1 << 26  # Bytes of foreground, packed, that are kept of the frames of one sequence.
_ADVICE = {
    "cut-by-border": "`drop_cut=False` would keep them",
    "off-trend": "their height or area is far from that of the frames around them",
}

TIGHT = "the frames are cut tightly around the person and are used as they are"
"""What is said of a sequence whose frames are cut tightly."""


class NormalizedFrame(NamedTuple):
    """One normalised frame.

    Attributes
    ----------
    silhouette : ndarray of uint8, shape (height, width)
        0 to 255.
    track_x_px : float
        Horizontal position of the body's centre in the frame, pixels.
    height_px : int
        Height of the person in the frame, pixels.
    area_px : int
        Area of the person in the frame, pixels; 0 if not measured.
    """

    silhouette: NDArray[np.uint8]
    track_x_px: float
    height_px: int
    area_px: int


@dataclass(frozen=True, eq=False)
class NormalizedSequence:
    """The frames of one sequence that were kept, aligned, and the others with their reasons.

    Attributes
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        0 to 255.
    names : tuple of str
        Names of the kept frames.
    frame_index : ndarray of int32, shape (n,)
        Time of each kept frame, in frames from the first that was given: from the numbers in the
        names where they have some (`gaitkit.silhouettes.times.frame_times`), else its position.
    track_x_px : ndarray of float32, shape (n,)
        Horizontal position of the body's centre in the frame, pixels.
    height_px : ndarray of float32, shape (n,)
        Height of the person in the frame, pixels.
    dropped : list of (frame, reason, detail)
        Frames left out; reasons are keys of `gaitkit.dropped.REASONS`.
    warnings : list of str
        What the user should look at.
    """

    silhouettes: NDArray[np.uint8]
    names: tuple[str, ...]
    frame_index: NDArray[np.int32]
    track_x_px: NDArray[np.float32]
    height_px: NDArray[np.float32]
    dropped: list[tuple[str, str, str]]
    warnings: list[str]

    def __len__(self) -> int:
        return len(self.silhouettes)

    def __repr__(self) -> str:
        kept, lost = len(self.silhouettes), len(self.dropped)
        size = "×".join(map(str, self.silhouettes.shape[1:]))
        lines = [f"NormalizedSequence: {kept:,} of {counted(kept + lost, 'frame')} kept, {size} px"]
        if lost:
            counts = Counter(reason for _, reason, _ in self.dropped).most_common()
            lines.append("dropped: " + ", ".join(f"{count} × {why}" for why, count in counts))
        if self.warnings:
            lines.append("; ".join(self.warnings))
        return "\n".join(lines)


def normalize_silhouette(
    frame: NDArray[Any], options: SilhouetteOptions
) -> NormalizedFrame | Rejected:
    """Normalise one frame by all rules that need no other frame.

    Parameters
    ----------
    frame : ndarray, shape (rows, columns)
        The silhouette as it was recorded, foreground bright unless `options.invert`: bytes, or a
        mask of another kind that `gaitkit.silhouettes.as_mask` knows.
    options : SilhouetteOptions
        How to normalise.

    Returns
    -------
    NormalizedFrame or Rejected
        The aligned silhouette, or the reason why there is none.

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[10:50, 15:25] = True
    >>> found = normalize_silhouette(frame, SilhouetteOptions())
    >>> found.silhouette.shape, found.track_x_px, found.height_px
    ((64, 64), 20.0, 40)
    """
    frame = _turned(frame, options)
    if options.alignment == "opengait":
        window = opengait_silhouette(frame, options.height, options.width)
        return window if isinstance(window, Rejected) else NormalizedFrame(*window, 0)
    if options.alignment == "given":
        same = given_silhouette(frame, options.height, options.width)
        return same if isinstance(same, Rejected) else NormalizedFrame(*same, 0)
    body = find_body(_as_one(frame), options)
    return body if isinstance(body, Rejected) else _aligned(body, options)


def normalize_sequence(
    frames: Iterable[tuple[str, NDArray[Any]]], options: SilhouetteOptions
) -> NormalizedSequence:
    """Normalise the frames of one sequence, in order of time.

    With ``person`` alignment, frames far from the running trend of height and area are dropped
    too. A rule that drops more than a third of the frames still drops them, since a half person
    blurs the gait energy image however many there are, but it warns. Where the frames of the
    sequence are cut tightly around the person (`gaitkit.silhouettes.tight.are_tight`), they touch
    the border and are used nevertheless; a warning says so.

    Parameters
    ----------
    frames : iterable of (name, frame)
        Names, and frames of any size and kind as for `normalize_silhouette`; they are consumed
        one by one.
    options : SilhouetteOptions
        How to normalise.

    Returns
    -------
    NormalizedSequence
        Possibly without any frame.

    Raises
    ------
    OptionError
        As for `normalize_silhouette`.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.zeros((12, 60, 90), bool)
    >>> for number in range(12):
    ...     frames[number, 10:50, 5 * number : 5 * number + 10] = True
    >>> found = normalize_sequence(((f"{n:03d}", f) for n, f in enumerate(frames)),
    ...                            SilhouetteOptions())
    >>> found
    NormalizedSequence: 11 of 12 frames kept, 64×64 px
    dropped: 1 × cut-by-border
    """
    averages: list[str] = []
    if options.alignment == "opengait":
        frames = _without_geis(frames, averages)
    seen = _see(frames, options)
    warnings: list[str] = []
    if options.alignment == "person":
        warnings += _take_tight(seen)
    times = frame_times([one.name for one in seen])
    if options.alignment == "person" and not warnings:
        reason, told = _follow(seen, times.tolist(), options)
        if reason is not None:
            return _nothing_of(reason, options)
        warnings += told
    dropped = [(name, "named-gei", "") for name in averages]
    dropped += [(one.name, *one.result) for one in seen if isinstance(one.result, Rejected)]
    kept = [
        (one, frame, time)
        for one, time in zip(seen, times.tolist(), strict=True)
        if isinstance(frame := one.result, NormalizedFrame)
    ]
    if options.alignment == "opengait":
        warnings += several_doubt([one.second for one in seen if one.second is not None])
    if options.alignment == "person":
        doubt = shape_doubt([_box(one, frame) for one, frame, _ in kept], _shapes(kept))
        if doubt is not None:
            return _nothing_of(doubt, options)
        warnings += _person_doubts(seen, kept)
    if options.alignment == "person" and options.drop_off_trend:
        details, low = _off_trend_details(kept, options)
        warnings += _height_doubts(kept, low)
        dropped += [(kept[i][0].name, "off-trend", detail) for i, detail in details.items()]
        kept = [item for i, item in enumerate(kept) if i not in details]
    if options.alignment != "given" and len(set(_shapes(kept))) < 2:
        boxes = [_box(one, frame) for one, frame, _ in kept]
        warnings += walk_doubts([one.name for one, _, _ in kept], [t for *_, t in kept], boxes)
    shape = (len(kept), options.height, options.width)
    silhouettes = np.array([f.silhouette for _, f, _ in kept], np.uint8).reshape(shape)
    if options.alignment == "person":
        warnings += still_doubts([one.name for one, _, _ in kept], silhouettes)
    if options.alignment == "given" and kept and silhouettes.max() == 1:
        silhouettes *= np.uint8(255)  # Masks of 0 and 1; told by all frames, not by a faint one.
    names = tuple(one.name for one, _, _ in kept)
    track_x_px = np.array([f.track_x_px for _, f, _ in kept], np.float32)
    height_px = np.array([f.height_px for _, f, _ in kept], np.float32)
    return NormalizedSequence(
        silhouettes=silhouettes,
        names=names,
        frame_index=np.array([time for _, _, time in kept], np.int32),
        track_x_px=track_x_px,
        height_px=height_px,
        dropped=sorted(dropped),
        warnings=[*warnings, *_warnings(dropped, len(averages) + len(seen))],
    )


def _person_doubts(seen: list[_Seen], kept: list[tuple[_Seen, NormalizedFrame, int]]) -> list[str]:
    """What to say of the masks of a sequence and of the body in them."""
    told = []
    numbered = sum(one.numbered for one in seen)
    if numbered:
        told.append(
            f"{numbered} of {counted(len(seen), 'frame')} number people or parts (1, 2, ...); all "
            "but 0 counts as foreground"
        )
    told += texture_doubts([one.texture for one in seen if one.texture is not None])
    told += width_doubts(
        [_box(one, frame)._replace(area=float(frame.area_px)) for one, frame, _ in kept]
    )
    return told


def _height_doubts(kept: list[tuple[_Seen, NormalizedFrame, int]], low: set[int]) -> list[str]:
    if len(set(_shapes(kept))) != 1:
        return []
    heights = [frame.height_px for _, frame, _ in kept]
    return height_doubts([one.name for one, _, _ in kept], [t for *_, t in kept], heights, low)


def _nothing_of(reason: Rejected, options: SilhouetteOptions) -> NormalizedSequence:
    """A sequence that is left out as a whole."""
    none = np.empty(0, np.float32)
    return NormalizedSequence(
        silhouettes=np.empty((0, options.height, options.width), np.uint8),
        names=(),
        frame_index=np.empty(0, np.int32),
        track_x_px=none,
        height_px=none,
        dropped=[("", *reason)],
        warnings=[],
    )


@dataclass
class _Seen:
    """One frame of a sequence while the others are not known yet.

    Where what is in the frame fills its height, the frame may turn out to be cut tightly around
    the person. Then nothing in it is cut by the border and all of it is the person, also a head
    that noise cut off; so it is kept aside.
    """

    name: str
    result: NormalizedFrame | Rejected
    glance: Glance | None = None
    second: float | None = None
    aside: NormalizedFrame | None = None
    fit: Fit | None = None
    texture: Texture | None = None
    numbered: bool = False


def _see(frames: Iterable[tuple[str, NDArray[Any]]], options: SilhouetteOptions) -> list[_Seen]:
    if options.alignment == "given":
        return [_Seen(name, normalize_silhouette(frame, options)) for name, frame in frames]
    if options.alignment == "opengait":
        return [_see_window(place, *frame, options) for place, frame in enumerate(frames)]
    seen: list[_Seen] = []
    room = _ROOM
    for name, picture in frames:
        frame = _turned(picture, options)
        seen.append(_see_person(len(seen), name, frame, options, room))
        remembered = seen[-1].glance
        room -= len(remembered.opened) if remembered is not None else 0
    return seen


def _without_geis(
    frames: Iterable[tuple[str, NDArray[Any]]], averages: list[str]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Frames without those that OpenGait skips, whose names are added to `averages`."""
    for name, frame in frames:
        if is_gei(name):
            averages.append(name)
        else:
            yield name, frame


def _turned(frame: NDArray[Any], options: SilhouetteOptions) -> NDArray[Any]:
    """A frame with bright foreground."""
    if not options.invert:
        return frame
    return flipped(as_frame(frame, threshold=options.threshold))


def _as_one(frame: NDArray[Any]) -> NDArray[Any]:
    """A frame in which people and parts have numbers with one number for all of them.

    Number 2 is no brighter than number 1.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype.kind not in "iu" or frame.ndim != 2:
        return frame
    # Of bytes and words that are greys the brightest is far above any number; nearly always.
    if not frame.size or not 1 < frame.max() < NUMBERS or frame.min() < 0:
        return frame
    numbers = frame.astype(np.uint8, copy=False)
    return np.minimum(numbers, 1) if is_numbered(numbers) else frame


def _see_window(place: int, name: str, frame: NDArray[Any], options: SilhouetteOptions) -> _Seen:
    """A frame by OpenGait's rule, which asks not how many bodies there are; some are looked at."""
    seen = _Seen(name, normalize_silhouette(frame, options))
    if place % _LOOKED_AT == 0:
        sight = look(_turned(frame, options), options)
        seen.second = 0.0 if isinstance(sight, Rejected) else sight.second
    return seen


def _see_person(
    place: int, name: str, frame: NDArray[Any], options: SilhouetteOptions, room: int
) -> _Seen:
    whole = _as_one(frame)
    numbered = whole is not frame
    frame = as_frame(whole, threshold=options.threshold)
    sight = look(frame, options)
    if isinstance(sight, Rejected):
        return _Seen(name, sight)
    body = judged(sight.body, sight.shape, options)
    result = body if isinstance(body, Rejected) else _aligned(body, options)
    area_px = None if isinstance(result, Rejected) else result.area_px
    seen = _Seen(name, result, glance(sight, room, area_px), numbered=numbered)
    if place % _LOOKED_AT == 0:
        seen.texture = texture_of(frame, sight, options.threshold)
    if options.drop_cut and fills(len(sight.opened), sight.shape):
        everything = everybody(sight, options)
        rows = len(everything.mask)
        if rows >= options.min_height_px and fills(rows, sight.shape):
            seen.fit = fit_of(everything.mask, sight.shape)
            if isinstance(body, Rejected) or everything.mask.shape != body.mask.shape:
                seen.aside = _aligned(everything, options)
    return seen


def _aligned(body: Body, options: SilhouetteOptions) -> NormalizedFrame:
    silhouette, centre, area = align_person(
        body.mask, options.height, options.width, centre_part=options.centre_part
    )
    return NormalizedFrame(silhouette, body.left + centre, body.mask.shape[0], area)


def _take_tight(seen: list[_Seen]) -> list[str]:
    """Take what was kept aside, if the frames are cut tightly around the person."""
    if not any(one.aside for one in seen):
        return []
    people = sum(one.glance is not None for one in seen)
    if not are_tight([one.fit for one in seen if one.fit is not None], people):
        return []
    for one in seen:
        if one.aside is not None:
            one.result = one.aside
    return [TIGHT]


def _follow(
    seen: list[_Seen], times: list[int], options: SilhouetteOptions
) -> tuple[Rejected | None, list[str]]:
    """Take the one who walks where there are others; why there is none, and what to say."""
    told = []
    there = [one.glance for one in seen if one.glance is not None]
    if len({glance.shape for glance in there}) > 1:
        return None, several_doubt([glance.second for glance in there])
    found = follow([one.glance for one in seen], times, options)
    if found is not None:
        if found.dropped is not None:
            return found.dropped, []
        for place, what in found.frames.items():
            one = seen[place]
            if isinstance(what, Rejected) and isinstance(one.result, Rejected):
                continue
            if not isinstance(what, Rejected) and one.glance is not None:
                rows, columns = what.mask.shape
                box = Box(what.left, what.top, columns, rows, float(np.count_nonzero(what.mask)))
                one.glance = one.glance._replace(box=box)
                what = judged(what, one.glance.shape, options)
            one.result = what if isinstance(what, Rejected) else _aligned(what, options)
        told.append(found.told)
    return None, told


def _shapes(kept: list[tuple[_Seen, NormalizedFrame, int]]) -> list[tuple[int, ...]]:
    """Sizes of the frames, where they are known."""
    return [one.glance.shape for one, _, _ in kept if one.glance is not None]


def _box(one: _Seen, frame: NormalizedFrame) -> Box:
    """Where the person is; by OpenGait's rule only the centre and the height are known."""
    if one.glance is not None:
        return one.glance.box
    rows = frame.height_px
    return Box(round(frame.track_x_px - rows / 4), 0, rows // 2, rows, 0.0)


def _off_trend_details(
    kept: list[tuple[_Seen, NormalizedFrame, int]], options: SilhouetteOptions
) -> tuple[dict[int, str], set[int]]:
    """Which of the kept frames are off the trend, and by how much; and which are too low.

    Where frames differ in size, a person twice as high may be the same person in a frame of twice
    the size. Then a frame is off only if it is so in pixels and in parts of the frame as well.
    """
    position = np.array([time for _, _, time in kept], np.float64)
    shapes = _shapes(kept)
    frame_rows = np.array([shape[0] for shape in shapes], np.float64)
    frame_px = frame_rows * [shape[1] for shape in shapes]
    details: dict[int, str] = {}
    low: set[int] = set()
    for what, sizes, whole, tolerance, power in (
        ("height", [f.height_px for _, f, _ in kept], frame_rows, options.height_tolerance, 1.0),
        ("area", [f.area_px for _, f, _ in kept], frame_px, options.area_tolerance, 0.5),
    ):
        values = np.array(sizes, np.float64)
        off, ratio, limit = off_trend(
            position, values, options.trend_frames, tolerance, power=power
        )
        if off.any() and (whole != whole[0]).any():
            also, *_ = off_trend(
                position, values / whole, options.trend_frames, tolerance, power=power
            )
            off &= also
        for i in np.flatnonzero(off).tolist():
            text = f"{what} {ratio[i]:.3f} of the trend, accepted {1 / limit:.3f} to {limit:.3f}"
            details[i] = f"{details[i]}; {text}" if i in details else text
            if what == "height" and ratio[i] < 1:
                low.add(i)
    return details, low


def _warnings(dropped: list[tuple[str, str, str]], count: int) -> list[str]:
    warnings = []
    for reason, number in sorted(Counter(reason for _, reason, _ in dropped).items()):
        if number > _MANY * count:
            text = f"{number} of {counted(count, 'frame')} were dropped as {reason}"
            advice = _ADVICE.get(reason)
            warnings.append(f"{text}; {advice}" if advice else text)
    return warnings
