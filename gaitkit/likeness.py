"""Is a picture a mask? Photos, and masks of a black person on white, are told by their greys.

A mask has two greys, its background and its person, and between them soft edges: from smoothing,
scaling or compression. A photo has greys inside of what it shows. So of each frame a few pixels
are looked at; where these are of two greys, as in nearly all masks, that is all. Otherwise the
pixels that are neither background nor bright are counted, save those of edges, which have both
beside them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["NUMBERS", "Likeness", "flipped", "is_mask", "is_numbered", "likeness"]

Likeness = Literal["mask", "levels", "photo", "inverted", "blank"]

_SAMPLES = 40
"""Rows, or columns, of pixels that are looked at first."""
NUMBERS = 16
"""A picture whose brightest grey is below it is numbered, not shaded."""
_LEAST_PART = 0.02
_BRIGHT, _DARK = 0.82, 0.25
_WHITE_LEAST = 208
_NEAR = 0.06
_MOST_BETWEEN = 0.25
_LEAST_DARK, _MOST_PERSON = 0.003, 0.65
_LEAST_BORDER, _CORNERS = 0.6, 3
_HALF_WHITE = range(120, 136)
"""Shadows, as background subtraction marks them, and the unknown parts of trimaps."""
_FEW, _FLAT = 4, 0.85
_NEARLY_ALL, _MOST_PLAIN = 0.95, 0.7
_LEAST_GROUND, _LEAST_BRIGHT, _FAINT = 0.25, 0.03, 0.25


def is_mask(frame: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Whether a frame has the greys of a mask, of either polarity.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width)
        Greys. Words count as a mask: they are dark, and nobody knows yet what is white.

    Examples
    --------
    >>> frame = np.zeros((60, 40), np.uint8)
    >>> frame[10:50, 15:25] = 255
    >>> shades = np.arange(40, 240, 5, dtype=np.uint8)
    >>> is_mask(frame), is_mask(np.tile(shades, (60, 1)))
    (True, False)
    """
    return frame.dtype != np.uint8 or likeness(frame) != "photo"  # type: ignore[arg-type]


def flipped(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame with black and white exchanged; white is the brightest grey of the frame.

    Examples
    --------
    >>> flipped(np.array([[1, 1, 0]], np.uint8)).tolist()
    [[0, 0, 1]]
    """
    return np.asarray(frame.max(initial=0) - frame, np.uint8)


def is_numbered(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame numbers its people or their parts, and is not shaded from 0 up.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width)
        Greys of any scale.

    Returns
    -------
    bool
        True where several small numbers each cover an area, 0 being the background: 1 and 2 for
        two people, 1 for a person and 2 for a bag. Soft edges of a mask that has few greys are
        narrow and no numbers.

    Examples
    --------
    >>> frame = np.zeros((60, 40), np.uint8)
    >>> frame[10:50, 15:25] = 1
    >>> frame[30:40, 25:35] = 2
    >>> is_numbered(frame), is_numbered(np.minimum(frame, 1))
    (True, False)
    """
    top = int(frame.max(initial=0))
    if not 1 < top < NUMBERS:
        return False
    corners = (frame[0, 0], frame[0, -1], frame[-1, 0], frame[-1, -1])
    if sum(corner > 0 for corner in corners) >= _CORNERS:
        return False  # The background has a number, too.
    figure = int(cv2.countNonZero(frame))
    around = np.ones((3, 3), np.uint8)
    for number in range(1, top):
        here = cv2.inRange(frame, number, number)
        if int(cv2.countNonZero(here)) < _LEAST_PART * figure:
            continue
        if int(cv2.countNonZero(cv2.erode(here, around))) >= _LEAST_PART * figure:
            return True
    return False


def likeness(frame: NDArray[np.uint8]) -> Likeness:
    """What a frame looks like.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width)
        Greys of any scale.

    Returns
    -------
    {"mask", "levels", "photo", "inverted", "blank"}
        ``mask``: a bright figure on dark; soft edges, compression, masks of one colour
        and shadows of half the brightness are no matter. ``levels``: a mask whose figure has
        several greys, each of them flat, such as a map of labels. ``photo``: shaded within.
        ``inverted``: a dark figure on bright. ``blank``: black, or bright, throughout.

    Examples
    --------
    >>> frame = np.zeros((60, 40), np.uint8)
    >>> frame[10:50, 15:25] = 255
    >>> likeness(frame), likeness(255 - frame)
    ('mask', 'inverted')
    """
    height, width = frame.shape
    step = max(1, min(height, width) // _SAMPLES)
    sample = frame[::step, ::step].tobytes()
    black = sample.count(0)
    others = len(sample) - black
    if not others and not frame.any():
        return "blank"
    # Two corners may be the person's; three are not.
    bright_corners = _bright_corners(frame) >= _CORNERS
    if not bright_corners and sample.count(255) >= (1 - _MOST_BETWEEN) * others:
        return "mask"
    if not bright_corners and sample.count(max(sample)) >= (1 - _MOST_BETWEEN) * others:
        return "mask"
    return _looked_at_closely(frame, bright_corners)


def _bright_corners(frame: NDArray[np.uint8]) -> int:
    corners = (frame[0, 0], frame[0, -1], frame[-1, 0], frame[-1, -1])
    if not any(corners):
        return 0
    half = int(frame.max()) // 2
    return sum(int(corner) > half for corner in corners)


def _looked_at_closely(frame: NDArray[np.uint8], bright_corners: bool) -> Likeness:
    counts = np.bincount(frame.reshape(-1), minlength=256)
    half = int(np.flatnonzero(counts)[-1]) // 2
    if not bright_corners:
        return _shaded(frame, counts) or "mask"
    dark = int(counts[: half + 1].sum())
    if dark < _LEAST_DARK * frame.size:
        # All grey is a wall, rather; all white, or all of one label, may be a mask.
        white = _white(counts)
        flat = (white >= _WHITE_LEAST or white < NUMBERS) and not _shaded(frame, counts)
        return "blank" if flat else "photo"
    border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
    if dark > _MOST_PERSON * frame.size or (border > half).mean() < _LEAST_BORDER:
        return _shaded(frame, counts) or "mask"
    other = flipped(frame)
    shaded = _shaded(other, np.bincount(other.reshape(-1), minlength=256))
    # Background that is not white, or not all of one white, is that of a picture.
    ground, white = float(np.median(border)), 2 * half
    plain = np.count_nonzero(abs(border[border > half] - ground) <= max(2, _NEAR * white))
    is_white = ground >= (1 - _NEAR) * white and plain >= _MOST_PLAIN * np.count_nonzero(
        border > half
    )
    return "photo" if shaded or not is_white else "inverted"


def _white(counts: NDArray[np.intp]) -> int:
    """A grey that a few overshooting pixels do not shift: nearly the brightest."""
    upper = counts.copy()
    upper[: int(np.flatnonzero(counts)[-1]) // 2 + 1] = 0
    share = np.cumsum(upper) / max(1, int(upper.sum()))
    return int(np.searchsorted(share, _NEARLY_ALL))


def _shaded(
    frame: NDArray[np.uint8], counts: NDArray[np.intp]
) -> Literal["photo", "levels"] | None:
    """How the parts that are neither background nor bright are shaded, where they are many."""
    white = _white(counts)
    if white < NUMBERS:
        return None
    near = round(_NEAR * white) if white >= 100 else max(2, min(6, white // 8))
    darkest = counts[: max(1, round(_DARK * white))]
    # Of the videos that have 16 for black, black is 16.
    background = int(darkest.argmax()) if darkest.any() else 0
    ground = cv2.inRange(frame, max(0, background - near), background + near)
    bright = cv2.inRange(frame, round(_BRIGHT * white), 255)
    figure = frame.size - int(cv2.countNonZero(ground))
    inside = cv2.bitwise_not(cv2.bitwise_or(ground, bright))
    if int(cv2.countNonZero(inside)) < _MOST_BETWEEN * figure:
        return None
    core = _without_edges(frame, ground, bright)
    levels = np.bincount(frame[core > 0], minlength=256)
    if white >= 240:
        levels[_HALF_WHITE] = 0
    total = int(levels.sum())
    if total < _MOST_BETWEEN * figure or _is_blurred(frame, ground, figure, bright, white):
        return None
    flat = int(np.sort(levels)[-_FEW:].sum()) >= _FLAT * total
    return "levels" if flat and not _is_one_figure(frame, ground, core) else "photo"


def _without_edges(
    frame: NDArray[np.uint8], ground: NDArray[Any], bright: NDArray[Any]
) -> NDArray[Any]:
    """What is neither ground nor bright, save where both are near."""
    reach = max(9, 2 * (min(frame.shape) // 24) + 1)
    around = np.ones((reach, reach), np.uint8)
    edge = cv2.bitwise_and(cv2.dilate(ground, around), cv2.dilate(bright, around))
    inside = cv2.bitwise_not(cv2.bitwise_or(ground, bright))
    return np.asarray(cv2.bitwise_and(inside, cv2.bitwise_not(edge)))


def _is_blurred(
    frame: NDArray[np.uint8],
    ground: NDArray[Any],
    figure: int,
    bright: NDArray[Any],
    white: int,
) -> bool:
    """Whether a figure on a large flat background fades into it, as a smoothed mask does."""
    if (
        figure > (1 - _LEAST_GROUND) * frame.size
        or cv2.countNonZero(bright) < _LEAST_BRIGHT * figure
    ):
        return False
    ring = cv2.bitwise_and(cv2.dilate(ground, np.ones((3, 3), np.uint8)), cv2.bitwise_not(ground))
    return float(cv2.mean(frame, ring)[0]) < _FAINT * white


def _is_one_figure(frame: NDArray[np.uint8], ground: NDArray[Any], core: NDArray[Any]) -> bool:
    """Whether the parts of other greys are of the body that is brightest, and not beside it."""
    _, parts = cv2.connectedComponents(cv2.bitwise_not(ground))
    body = np.bincount(parts[frame > int(frame.max()) // 2]).argmax()
    here = parts == body
    return bool(np.count_nonzero(core[here]) >= _MOST_BETWEEN * np.count_nonzero(here))
