"""Signs that a sequence does not show one person who walks once through the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaitkit.silhouettes.body import Rejected
from gaitkit.silhouettes.tight import fills
from gaitkit.silhouettes.tracks import Box, find_jumps

__all__ = ["find_turn", "several_doubt", "shape_doubt", "walk_doubts"]

_MOST = 0.5
_MOST_OF_A_PERSON = 0.8
_FEWEST = 10
_LIKE_SIZE = 0.4


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
            f"more than half of the image is bright in {bright} of {len(boxes)} frames, "
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
            f"wider than high in {len(wide)} of {len(boxes)} frames, {columns}x{rows} px in the "
            "middle one",
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
        f"{count} of {len(seconds)} frames show two bodies of like size, and it is not told which "
        "of them walks"
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
