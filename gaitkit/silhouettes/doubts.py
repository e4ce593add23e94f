"""Signs that a sequence does not show one person who walks once through the picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.printable import counted
from gaitkit.silhouettes.body import Rejected, Sight
from gaitkit.silhouettes.tight import fills
from gaitkit.silhouettes.tracks import Box, find_jumps

__all__ = [
    "Texture",
    "find_turn",
    "height_doubts",
    "several_doubt",
    "shape_doubt",
    "still_doubts",
    "texture_doubts",
    "texture_of",
    "walk_doubts",
    "width_doubts",
]

_MOST = 0.5
_MOST_OF_A_PERSON = 0.8
_FEWEST = 10
_LIKE_SIZE = 0.4
# The limits below lie outside of what 536 sequences of real people of four data sets showed, but
# for those whose masks are bad: medians of at most 0.16 soft, 0.06 lost, 0.51 wide, 0.28 full.
_SOFT, _DIM, _BRIGHT = 0.5, 0.1, 0.9
_HALF_WHITE = (120, 135)
_LOST = 0.2
_HALF = 0.1
_WIDEST, _FULLEST = 0.55, 0.3
_LEAP, _LEAST_LEAP_PX, _MANY_LEAPS = 0.07, 3, 0.3
_STEP, _BESIDE = 0.1, 7
# Of the mean of the silhouette: those of a walker differ by more within half a gait cycle.
_STILL, _STILL_LAGS, _LONG_STILL = 0.06, (4, 8, 12), 0.15


def shape_doubt(boxes: Sequence[Box], shapes: Sequence[tuple[int, ...]]) -> Rejected | None:
    """Why what was taken is no person on black, if it is none in most frames.

    Parameters
    ----------
    boxes : sequence of Box
        The bodies that are to be used.
    shapes : sequence of tuple of int
        Rows and columns of their frames.

    Returns
    -------
    Rejected or None
        ``not-a-person`` where more than half of the bodies are wider than high, or fill more than
        half of their frames.

    Examples
    --------
    >>> shape_doubt([Box(0, 20, 50, 30, 900.0)] * 3, [(60, 99)] * 3).detail
    'wider than high in 3 of 3 frames, 50x30 px in the middle one'
    """
    if not boxes:
        return None
    shares = [box.area / (shape[0] * shape[1]) for box, shape in zip(boxes, shapes, strict=True)]
    # Where the frame is the person, a person is bright in up to seven tenths of it.
    limits = [
        _MOST_OF_A_PERSON if fills(box.rows, shape) else _MOST
        for box, shape in zip(boxes, shapes, strict=True)
    ]
    bright = sum(share > limit for share, limit in zip(shares, limits, strict=True))
    if bright > _MOST * len(boxes):
        return Rejected(
            "not-a-person",
            f"more than half of the image is bright in {bright} of {counted(len(boxes), 'frame')}, "
            f"{float(np.median(shares)):.0%} in the middle one",
        )
    wide = [box for box in boxes if box.columns > box.rows]
    if len(wide) > _MOST * len(boxes):
        columns, rows = (
            round(float(np.median(sizes)))
            for sizes in ([box.columns for box in wide], [box.rows for box in wide])
        )
        return Rejected(
            "not-a-person",
            f"wider than high in {len(wide)} of {counted(len(boxes), 'frame')}, {columns}x{rows} "
            "px in the middle one",
        )
    return None


def several_doubt(seconds: Sequence[float]) -> list[str]:
    """What to say where frames show two bodies of like size, and nobody can be followed.

    Parameters
    ----------
    seconds : sequence of float
        Area of the second largest component over that of the largest, of the frames looked at.

    Returns
    -------
    list of str
        None or one warning.

    Examples
    --------
    >>> several_doubt([0.9, 0.8, 0.0])
    ['2 of 3 frames show two bodies of like size, and it is not told which of them walks']
    """
    count = sum(second >= _LIKE_SIZE for second in seconds)
    if count < 2 or count <= _MOST * len(seconds):
        return []
    return [
        f"{count} of {counted(len(seconds), 'frame')} show two bodies of like size, and it is not "
        "told which of them walks"
    ]


def find_turn(track_x_px: NDArray[np.floating], height_px: NDArray[np.floating]) -> int | None:
    """Where somebody who walks there and back turns.

    Parameters
    ----------
    track_x_px, height_px : ndarray of float, shape (n,)
        Where the body is and how high, pixels.

    Returns
    -------
    int or None
        Place of the frame farthest out, if the ways there and back are both longer than a height
        and take ten frames or more.

    Examples
    --------
    >>> there = np.arange(0.0, 300.0, 10)
    >>> find_turn(np.concatenate([there, there[::-1]]), np.full(60, 100.0))
    29
    """
    n = len(track_x_px)
    if n < 2 * _FEWEST:
        return None
    x = np.asarray(track_x_px, np.float64)
    least = float(np.median(height_px))
    if np.ptp(x) < least:
        return None
    inner = slice(_FEWEST - 1, n - _FEWEST + 1)
    best = None
    for sign in (1, -1):
        way = sign * x
        before = np.minimum.accumulate(way)
        after = np.minimum.accumulate(way[::-1])[::-1]
        depth = np.minimum(way - before, way - after)[inner]
        place = int(depth.argmax())
        if depth[place] >= least and (best is None or depth[place] > best[0]):
            best = (float(depth[place]), place + _FEWEST - 1)
    return None if best is None else best[1]


def walk_doubts(names: Sequence[str], times: Sequence[int], boxes: Sequence[Box]) -> list[str]:
    """What to say where this is not one walk through the picture.

    Parameters
    ----------
    names, times, boxes : sequences of equal length
        Of the frames that are used, in order.

    Returns
    -------
    list of str
        None or one warning: the body jumps, or turns round.

    Examples
    --------
    >>> here, there = Box(5, 5, 10, 40, 300.0), Box(90, 5, 10, 40, 300.0)
    >>> walk_doubts(["1", "2", "3"], [0, 1, 2], [here, there, there])
    ['the body jumps by more than its height 1 time, first after 1: one person, in order of time?']
    """
    jumps = find_jumps(list(zip(times, boxes, strict=True)))
    if jumps:
        often = f"{len(jumps):,} time{'s'[: len(jumps) != 1]}"
        return [
            f"the body jumps by more than its height {often}, first after {names[jumps[0]]}: one "
            "person, in order of time?"
        ]
    place = find_turn(
        np.array([box.middle[0] for box in boxes]), np.array([box.rows for box in boxes])
    )
    if place is None:
        return []
    return [
        f"the walker turns round at {names[place]}: both directions come into one sequence; give "
        "the frames up to there and those from there as two takes"
    ]


class Texture(NamedTuple):
    """How sharp and how whole the mask of one frame is.

    Attributes
    ----------
    soft : float
        Part of the figure that is neither black nor white.
    lost : float
        Part of the foreground, around the body, that the opening takes away.
    half : float
        Part of the figure that is of half the brightness of white, and counts as foreground.
    """

    soft: float
    lost: float
    half: float = 0.0


def texture_of(frame: NDArray[np.uint8], sight: Sight, threshold: float) -> Texture:
    """Measure how sharp and how whole a mask is.

    Parameters
    ----------
    frame : ndarray of uint8, shape (rows, columns)
        What was looked at.
    sight : Sight
        What was seen.
    threshold : float
        As in `SilhouetteOptions`.

    Returns
    -------
    Texture
        For `texture_doubts`.

    Examples
    --------
    >>> from gaitkit.silhouettes.body import look
    >>> from gaitkit.silhouettes.options import SilhouetteOptions
    >>> frame = np.zeros((60, 40), np.uint8)
    >>> frame[10:50, 15:25] = 255
    >>> found = texture_of(frame, look(frame, SilhouetteOptions()), 0.5)
    >>> found.soft, round(found.lost, 2), found.half
    (0.0, 0.01, 0.0)
    """
    body = sight.body
    rows, columns = body.mask.shape
    crop = frame[body.top : body.top + rows, body.left : body.left + columns]
    y, x = body.top - sight.top, body.left - sight.left
    opened = sight.opened[y : y + rows, x : x + columns]
    white = int(crop.max())
    above = crop > int(white * threshold)
    figure = max(1, int(np.count_nonzero(crop > _DIM * white)))
    soft = (crop > _DIM * white) & (crop < _BRIGHT * white)
    half = 0
    if white > 2 * _HALF_WHITE[0]:
        flat = (crop >= _HALF_WHITE[0]) & (crop <= _HALF_WHITE[1])  # Shadows, bags.
        soft &= ~flat
        half = int(np.count_nonzero(flat & above))
    lost = 1 - float(np.count_nonzero(opened)) / max(1, int(np.count_nonzero(above)))
    return Texture(float(np.count_nonzero(soft)) / figure, max(0.0, lost), half / figure)


def texture_doubts(textures: Sequence[Texture]) -> list[str]:
    """What to say of masks that are blurred, or full of holes.

    Examples
    --------
    >>> texture_doubts([Texture(0.1, 0.0), Texture(0.9, 0.0), Texture(0.9, 0.1)])
    ['the masks are blurred: 90% of the figure is neither black nor white, and the outline is lost']
    """
    if not textures:
        return []
    soft, lost, half = np.median(np.array(textures), axis=0).tolist()
    told = []
    if soft > _SOFT:
        told.append(
            f"the masks are blurred: {soft:.0%} of the figure is neither black nor white, and the "
            "outline is lost"
        )
    if lost > _LOST:
        told.append(
            f"the masks are full of holes: the opening takes {lost:.0%} of the foreground; smooth "
            "them first"
        )
    if half > _HALF:
        told.append(f"{half:.0%} of the figure is of half brightness and counts as foreground")
    return told


def width_doubts(boxes: Sequence[Box]) -> list[str]:
    """What to say of a body that is wider, or fuller, than one person's.

    Examples
    --------
    >>> width_doubts([Box(0, 0, 66, 100, 2300.0)] * 3)[0][:62]
    'the body is 0.66 of its height wide, and its area 0.23 of the '
    """
    if not boxes:
        return []
    wide = float(np.median([box.columns / box.rows for box in boxes]))
    full = float(np.median([box.area / box.rows**2 for box in boxes]))
    if not (_WIDEST < wide <= 1 or full > _FULLEST):
        return []
    return [
        f"the body is {wide:.2f} of its height wide, and its area {full:.2f} of the height squared "
        f"(people: at most {_WIDEST} and {_FULLEST}): two people, a thing or half a person?"
    ]


def height_doubts(
    names: Sequence[str],
    times: Sequence[int],
    height_px: Sequence[int],
    low: Collection[int] = (),
) -> list[str]:
    """What to say where the height leaps: masks that lack the head or the feet.

    Where this is so in a few frames they are off the trend; in half of them nobody knows which
    half is right.

    Parameters
    ----------
    names, times, height_px : sequences of equal length
        Of the frames of one person, in order.
    low : collection of int
        Places of the frames that are below the trend and left out: a leap there is no matter.

    Returns
    -------
    list of str
        None or one warning.

    Examples
    --------
    >>> height_doubts(list("abcdefghijklmnopqrst"), range(20), [100] * 10 + [80] * 10)
    ['the height changes by 20% at once after j and stays so: do the masks lack head or feet?']
    """
    if len(names) < _FEWEST:
        return []
    height = np.asarray(height_px, np.float64)
    change = np.diff(np.log(height))
    change[(np.diff(times) > 1) | (abs(np.diff(height)) < _LEAST_LEAP_PX)] = 0
    left = np.ones(len(height), bool)
    left[list(low)] = False
    leaps = int(np.count_nonzero((abs(change) > _LEAP) & left[1:] & left[:-1]))
    if leaps >= _MANY_LEAPS * len(change):
        return [
            f"the height leaps by more than {_LEAP:.0%} in {leaps} of "
            f"{counted(len(change), 'step')} from frame to frame: do masks lack head or feet, or "
            "hold more than the person?"
        ]
    for place in np.flatnonzero(abs(change) > _STEP).tolist():
        before = height[max(0, place + 1 - _BESIDE) : place + 1]
        after = height[place + 1 : place + 1 + _BESIDE]
        if min(len(before), len(after)) < _BESIDE:
            continue
        stays = float(np.log(np.median(after) / np.median(before)))
        if abs(stays) > _STEP and (stays > 0) == (change[place] > 0):
            return [
                f"the height changes by {abs(np.expm1(stays)):.0%} at once after {names[place]} "
                "and stays so: do the masks lack head or feet?"
            ]
    return []


def still_doubts(names: Sequence[str], silhouettes: NDArray[np.uint8]) -> list[str]:
    """What to say of somebody who stands still for a part of the sequence.

    Parameters
    ----------
    names : sequence of str
        Of the frames.
    silhouettes : ndarray of uint8, shape (n, height, width)
        Aligned.

    Returns
    -------
    list of str
        None or one warning, where the silhouette stays as it is for 10 frames and 15 % or more.

    Examples
    --------
    >>> still_doubts([str(n) for n in range(40)], np.full((40, 8, 8), 255, np.uint8))
    ['the walker stands still in 40 frames from 0 on: leave them out, standing is no gait']
    """
    n = len(names)
    if n < 2 * _FEWEST:
        return []
    small = silhouettes[:, ::2, ::2].reshape(n, -1)
    limit = _STILL * max(1.0, float(small.mean()))
    still = np.ones(n - _STILL_LAGS[-1], bool)
    for lag in _STILL_LAGS[::-1]:
        places = np.flatnonzero(still)
        apart = [float(cv2.norm(small[i], small[i + lag], cv2.NORM_L1)) for i in places]
        still[places] = np.array(apart) <= limit * small.shape[1]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(np.int8)))
    runs = [(stop - start, start) for start, stop in edges.reshape(-1, 2).tolist()]
    longest, first = max(runs, key=lambda run: run[0], default=(0, 0))
    frames = longest + _STILL_LAGS[-1]
    if not longest or frames < max(_FEWEST + _STILL_LAGS[-1] // 2, _LONG_STILL * n):
        return []
    return [
        f"the walker stands still in {counted(frames, 'frame')} from {names[first]} on: leave them "
        "out, standing is no gait"
    ]
