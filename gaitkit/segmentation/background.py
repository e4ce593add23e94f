"""What a fixed camera sees where nobody is, and what differs from it in a frame.

The background is the median of pictures from all over a stretch of the video, looked at before any
of its frames is judged: so the first frames are as good as the last ones. A picture is compared in
brightness and in colour; slow light is taken out by a smooth field of ratios, and shadows are
told from people by what a shadow does: it makes the background darker and leaves its colour.

References
----------
T. Horprasert, D. Harwood, L. Davis, "A statistical approach for real-time robust background
subtraction and shadow detection", ICCV Frame-Rate Workshop, 1999: brightness and colour apart.
R. Cucchiara et al., "Detecting moving objects, ghosts, and shadows in video streams", IEEE TPAMI
25(10), 2003, section 3: the bounds on how much a shadow darkens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["VERSION", "Background", "between", "foreground", "learn_background"]

Image = NDArray[np.uint8]

VERSION = 4
"""Of what `foreground` computes, on which every segmenter's masks depend: another version makes
other masks."""

_ROWS_AT_ONCE = 32
# Of |x - median|: this quantile, and what it is of the noise.
_QUANTILE, _PER_SIGMA = 0.6, 1.2
_LOW, _LOWEST = 3.5, 9.0
_HIGH, _HIGHEST = 7.0, 22.0
_RESTLESS = 40.0
_SPECK = 6e-5
_COLOUR_WEIGHT = 2.0
# A light field has so many cells along the longer side, and a cell is of the background where it
# differs by less than this part and these greys.
_CELLS = 80
_STEADY_PART, _STEADY_GREYS = 0.08, 6.0
_FIELD_CELLS, _ROUNDS, _WHOLE_WEIGHT = 21, 2, 0.02
# How dark a shadow makes: anywhere, and at the feet.
_SOFT, _HARD, _NO_SHADOW = 0.72, 0.52, 0.985
_HULL_PART, _HIPS, _FAINTER = 0.05, 0.5, 0.85
# How much the colour may change in a deep shadow, and in a faint one, where light of another colour
# is left; greys.
_SHADOW_COLOUR, _FAINT_COLOUR, _FAINT = 7.0, 15.0, 0.92
_FEET = 0.72
# Of a body's height: gaps in what surely is a person that are closed, and holes that are filled.
_CLOSED, _FILLED = 0.06, 0.035
# What lies so near to what surely is a person, pixels, may be a mixture of that and the background.
# Compression blurs in blocks of 8 pixels, and of 16 where it keeps half of the colour.
_REACH, _AROUND = 12, 5
_CORE, _SMALL_CORE, _SMALL = 5, 3, 64
"""So many pixels of an edge are blurred; people less high than the last have thin legs."""
_HALF, _CONTRAST, _ELSE = 0.5, 20.0, 12.0
"""Greys: how much a person must differ, and what of a difference no mixture of the two explains."""
_COLOUR_SHARE = 0.5
"""Differences of colour count so much: a coarser grid and older pictures are left in them."""
_RINGING = 0.25
"""Compression also leaves so much of an edge beside it with the sign turned round."""
_SMEAR, _MORE, _PALE, _PALE_AROUND = 2.5, 0.14, 3, 9
"""What a person smears, as a Gaussian of so many pixels; what is by so much more of a person than
that, on a square so large, is pale clothes, and so is what lies in the larger square around it."""
_BROAD = (5, 9)
"""Rows and columns: what is faint on so broad a place is no trace of compression and no gap between
legs, which are narrow from left to right, but pale clothes: a shirt, a collar, its hem."""
# How far a shadow reaches beside where it was seen, and how much of it must be there.
_SHADE, _SHADED = 9, 0.05
# A camera moves where its pictures are shifted by so much of their width against their median.
_SHIFT, _SHIFTED = 0.012, 1 / 3
_RESTLESS_PART = 0.35


@dataclass(frozen=True, eq=False)
class Background:
    """What a camera sees where nobody is.

    Attributes
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        Luma and the two differences of colour (Y, Cr, Cb).
    noise : ndarray of float32, shape (height, width)
        Standard deviation of a pixel, greys.
    moves : bool
        Whether the camera moved while its pictures were taken: then this is no background.
    """

    picture: Image
    noise: NDArray[np.float32]
    moves: bool = False


def learn_background(pictures: Sequence[Image]) -> Background:
    """The background of some pictures of one scene.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (height, width, 3)
        Blue, green and red, from all over the time for which it is to hold; whoever walks through
        covers each place in fewer than half of them.

    Returns
    -------
    Background
        Their median, how restless each pixel is, and whether the camera moves.

    Examples
    --------
    >>> wall = np.full((48, 64, 3), 90, np.uint8)
    >>> pictures = [wall.copy() for _ in range(9)]
    >>> for number, picture in enumerate(pictures):
    ...     picture[10:40, 7 * number : 7 * number + 6] = 200
    >>> background = learn_background(pictures)
    >>> background.picture[20, 20].tolist(), background.moves
    ([90, 128, 128], False)
    """
    stack = np.stack([_smooth(cv2.cvtColor(one, cv2.COLOR_BGR2YCrCb)) for one in pictures])
    count, height, width, _ = stack.shape
    median = np.empty(stack.shape[1:], np.uint8)
    spread = np.empty((height, width), np.uint8)
    quantile = min(count - 1, int(_QUANTILE * count))
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        block = stack[:, rows]
        middle = np.partition(block, count // 2, axis=0)[count // 2]
        median[rows] = middle
        apart = np.maximum(block[..., 0], middle[..., 0]) - np.minimum(
            block[..., 0], middle[..., 0]
        )
        spread[rows] = np.partition(apart, quantile, axis=0)[quantile]
    noise = cv2.blur(spread.astype(np.float32) / _PER_SIGMA, (3, 3))
    return Background(median, np.asarray(noise, np.float32), _moves(stack[..., 0], median[..., 0]))


def between(one: Background, other: Background, part: float) -> Background:
    """The background at a time between those of two others.

    Parameters
    ----------
    one, other : Background
        Of one size.
    part : float
        0 for the first, 1 for the second.

    Examples
    --------
    >>> dark = Background(np.full((8, 8, 3), 40, np.uint8), np.ones((8, 8), np.float32))
    >>> bright = Background(np.full((8, 8, 3), 80, np.uint8), np.ones((8, 8), np.float32))
    >>> between(dark, bright, 0.25).picture[0, 0].tolist()
    [50, 50, 50]
    """
    if part <= 0 or one is other:
        return one
    if part >= 1:
        return other
    picture = cv2.addWeighted(one.picture, 1 - part, other.picture, part, 0)
    noise = np.maximum(one.noise, other.noise)
    return Background(np.asarray(picture, np.uint8), noise, one.moves or other.moves)


def foreground(picture: Image, background: Background) -> NDArray[np.uint8]:
    """What of a picture is somebody or something that is not in the background.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        Blue, green and red.
    background : Background
        Of the same size.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 or 255; without shadows, specks, and holes as wide as noise makes them.

    Examples
    --------
    >>> wall = np.full((120, 160, 3), 90, np.uint8)
    >>> background = learn_background([wall] * 5)
    >>> picture = wall.copy()
    >>> picture[30:90, 60:80] = 200
    >>> mask = foreground(picture, background)
    >>> int(mask[60, 70]), int(mask[60, 100]), bool(abs(np.count_nonzero(mask) - 1200) < 9)
    (255, 0, True)
    """
    seen = _smooth(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    expected = _in_this_light(seen, background.picture)
    apart = cv2.absdiff(seen, expected)
    colour = cv2.add(apart[..., 1], apart[..., 2])
    score = cv2.max(apart[..., 0], cv2.convertScaleAbs(colour, alpha=_COLOUR_WEIGHT))
    low = np.clip(_LOW * background.noise, _LOWEST, _RESTLESS).astype(np.uint8)
    candidates = cv2.compare(score, low, cv2.CMP_GT)
    candidates = cv2.medianBlur(candidates, 3)
    if not cv2.countNonZero(candidates):
        return np.asarray(candidates, np.uint8)
    high = np.clip(_HIGH * background.noise, _HIGHEST, 2 * _RESTLESS).astype(np.uint8)
    sure = cv2.compare(score, high, cv2.CMP_GT)
    mask, dim, shade = (np.zeros(candidates.shape, np.uint8) for _ in range(3))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    seeds = np.bincount(labels[sure > 0], minlength=count)
    least = max(12, round(_SPECK * mask.size))
    for number in range(1, count):
        left, top, columns, rows, area = stats[number].tolist()
        if seeds[number] * 8 < area or area < least:
            continue
        within = slice(top, top + rows), slice(left, left + columns)
        here = np.asarray(labels[within] == number, np.uint8) * np.uint8(255)
        here, darker, thrown = _without_shadow(here, seen[within], expected[within])
        mask[within] = np.maximum(mask[within], here)
        dim[within] = np.maximum(dim[within], darker)
        shade[within] = np.maximum(shade[within], thrown)
    certain = np.asarray(sure, np.uint8)
    expected = _shaded(expected, seen, shade & ~(mask & certain))
    mask = _half_a_person(mask, certain & ~dim, expected, seen, background.noise)
    return np.asarray(cv2.medianBlur(mask, 3), np.uint8)


def _smooth(picture: NDArray[Any]) -> Image:
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def _moves(greys: NDArray[np.uint8], median: NDArray[np.uint8]) -> bool:
    """Whether pictures are shifted against their median, or have none in common."""
    height, width = median.shape
    small = (min(width, 160), max(8, round(height * min(width, 160) / width)))
    window = cv2.createHanningWindow(small, cv2.CV_32F)
    middle = cv2.resize(median, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    shifted = restless = 0
    for grey in greys:
        one = cv2.resize(grey, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        # What is compared is multiplied by the window where it lies.
        changed = float((np.abs(one - middle) > 2 * _HIGHEST).mean())
        (across, down), response = cv2.phaseCorrelate(one, middle.copy(), window)
        far = float(np.hypot(across, down))
        shifted += _SHIFT * small[0] < far < 0.25 * small[0] and response > 0.1
        restless += changed > _RESTLESS_PART
    return max(shifted, restless) > _SHIFTED * len(greys)


def _in_this_light(seen: Image, picture: Image) -> Image:
    """The background as it would look in the light of a picture: a smooth field of ratios."""
    height, width = picture.shape[:2]
    scale = min(1.0, _CELLS / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    here = cv2.resize(seen, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    there = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    ratio = (here[..., 0] + 1) / (there[..., 0] + 1)
    whole = float(np.median(ratio))
    shift = np.median(here[..., 1:] - there[..., 1:], axis=(0, 1))
    tinted = np.abs(here[..., 1:] - there[..., 1:] - shift).sum(axis=2)
    kernel = (_FIELD_CELLS, _FIELD_CELLS)
    gain = np.full_like(ratio, whole)
    # Light that falls from one side is followed outwards from where it is as usual.
    for _ in range(_ROUNDS):
        off = np.abs(here[..., 0] - gain * there[..., 0])
        steady = off <= _STEADY_PART * there[..., 0] + _STEADY_GREYS
        steady &= tinted <= _STEADY_GREYS
        # Somebody who walks is no light: around what differs nothing is learned.
        weight = cv2.erode(steady.astype(np.float32), np.ones((3, 3), np.uint8))
        total = cv2.blur(weight, kernel) + _WHOLE_WEIGHT
        gain = (cv2.blur(weight * ratio, kernel) + _WHOLE_WEIGHT * gain) / total
    greys = float(np.abs(gain - 1).max()) * 128
    if greys < 0.5 and float(np.abs(shift).max()) < 0.5:
        return picture
    field = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    expected = picture.copy()
    expected[..., 0] = cv2.multiply(picture[..., 0], field, dtype=cv2.CV_8U)
    for channel in (1, 2):
        offset = round(float(shift[channel - 1]))
        if offset:
            moved = picture[..., channel].astype(np.int16) + offset
            expected[..., channel] = np.clip(moved, 0, 255)
    return expected


def _without_shadow(
    mask: NDArray[np.uint8],
    seen: Image,
    expected: Image,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A component without what only darkens the background, unless it lies within the body.

    Also where it darkens the background, be that taken out or not, and where of this a shadow is
    seen: what is taken out, and what lies at the feet.
    """
    rows = mask.shape[0]
    ratio = (seen[..., 0].astype(np.float32) + 1) / (expected[..., 0].astype(np.float32) + 1)
    tint = expected[..., 1:].astype(np.float32) - 128
    colour = np.abs(seen[..., 1:].astype(np.float32) - 128 - ratio[..., None] * tint).sum(axis=2)
    faint = np.clip((ratio - _SOFT) / (_FAINT - _SOFT), 0, 1)
    most = _SHADOW_COLOUR + (_FAINT_COLOUR - _SHADOW_COLOUR) * faint
    like = (ratio > _HARD) & (ratio < _NO_SHADOW) & (colour < most) & (mask > 0)
    dim = np.asarray(like, np.uint8) * np.uint8(255)
    if not like.any():
        return _filled(mask, rows), dim, dim
    person = np.asarray((mask > 0) & ~like, np.uint8) * np.uint8(255)
    person = np.asarray(
        cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)), np.uint8
    )
    there = np.flatnonzero(person.any(axis=1))
    if len(there) < 0.3 * rows:
        # Nearly all of it is of the background's colour: clothes of that colour, or a shadow
        # alone, which is faint and lies.
        shadow = float(ratio[mask > 0].mean()) > _SOFT or mask.shape[1] > 1.3 * rows
        kept = np.zeros_like(mask) if shadow else _filled(mask, rows)
        return kept, dim, dim & ~kept
    top, bottom = int(there[0]), int(there[-1])
    high = bottom - top + 1
    reach = max(3, round(_CLOSED * high) | 1)
    # What the body has on both sides of it is of the body: clothes of the wall's colour.
    # Between the legs it is that only where it is no faint shadow.
    level = np.arange(rows)[:, None]
    clothes = (_hull(person) > 0) & ((level < top + _HIPS * high) | (ratio < _FAINTER))
    within = (_closed(person, reach) > 0) | clothes
    feet = top + _FEET * high
    shadow = like & ~within & ((ratio > _SOFT) | (level > feet))
    kept = np.where(shadow, 0, mask).astype(np.uint8)
    kept = _filled(kept, high)
    return kept, dim, dim & ~np.where(level > feet, 0, kept).astype(np.uint8)


def _hull(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The convex hull of a mask without its specks."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(contour) for contour in contours]
    least = _HULL_PART * max(areas, default=0.0)
    large = [one for one, area in zip(contours, areas, strict=True) if area >= least]
    hull = np.zeros_like(mask)
    if large:
        cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(large)), 255)
    return hull


def _closed(mask: NDArray[np.uint8], diameter: int) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    around = cv2.copyMakeBorder(
        mask, diameter, diameter, diameter, diameter, cv2.BORDER_CONSTANT, value=0
    )
    closed = cv2.morphologyEx(around, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed[diameter:-diameter, diameter:-diameter], np.uint8)


def _filled(mask: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """A mask whose holes are filled where they are narrow: a hand's width, not between the legs."""
    most = (_FILLED * height) ** 2
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return mask
    filled = mask.copy()
    for number, contour in enumerate(contours):
        if tree[0][number][3] >= 0 and cv2.contourArea(contour) <= most:
            cv2.drawContours(filled, contours, number, 255, cv2.FILLED)
    return filled


def _around(mask: NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    """Where in a picture a mask is not empty, and so much around it."""
    left, top, columns, rows = cv2.boundingRect(mask)
    down = slice(max(0, top - margin), top + rows + margin)
    return down, slice(max(0, left - margin), left + columns + margin)


def _summed(picture: NDArray[Any], size: int) -> NDArray[np.float32]:
    """What lies in a square around each pixel."""
    return np.asarray(cv2.boxFilter(picture, cv2.CV_32F, (size, size), normalize=False), np.float32)


def _shaded(expected: Image, seen: Image, shadow: NDArray[np.uint8]) -> Image:
    """The background as dark as a shadow makes it, where there is one and close by."""
    place = _around(shadow, _SHADE)
    # The soft edge of dark clothes looks like a shadow, but is narrow.
    opened = cv2.morphologyEx(shadow[place], cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    broad = np.asarray(opened, np.uint8)
    if not cv2.countNonZero(broad):
        return expected
    close = _summed(broad & 1, _SHADE) > _SHADED * _SHADE**2
    dark = _summed(seen[place][..., 0] & broad, _SHADE)[close]
    light = _summed(expected[place][..., 0] & broad, _SHADE)[close]
    ratio = (dark / np.maximum(light, 1))[:, None]
    grey = np.array([0, 128, 128], np.float32)
    shaded = expected.copy()
    shaded[place][close] = np.rint((expected[place][close] - grey) * ratio + grey)
    return shaded


def _half_a_person(
    mask: NDArray[np.uint8],
    sure: NDArray[np.uint8],
    expected: Image,
    seen: Image,
    noise: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """A mask that ends where a pixel is half person and half background.

    Around a person a picture mixes the two: optics and a coarser grid of colour at the edge, and
    compression all over the blocks that the edge lies in. Of what it is mixed is known: the nearest
    that surely is of the person, and the background. What is no mixture of these is something else,
    and stays; so does what is more of a person than a person so near could smear.
    """
    place = _around(mask, 1)
    here = mask[place]
    size = _CORE if here.shape[0] >= _SMALL else _SMALL_CORE
    eroded = cv2.erode(here & sure[place], np.ones((size, size), np.uint8))
    core = np.asarray(eroded, np.uint8)
    if not cv2.countNonZero(core):
        return mask
    away, nearest = cv2.distanceTransformWithLabels(
        cv2.bitwise_not(core), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    faint = here & ~sure[place]
    broad = cv2.morphologyEx(faint, cv2.MORPH_OPEN, np.ones(_BROAD, np.uint8))
    rows, columns = np.nonzero((here > 0) & (core == 0) & (broad == 0) & (away <= _REACH))
    # Each pixel of the core has a label, and others have that of the nearest.
    inside = np.flatnonzero(core)
    at = np.zeros(int(nearest.max()) + 1, np.intp)
    at[nearest.ravel()[inside]] = inside
    at = at[nearest[rows, columns]]
    colours = cv2.bitwise_and(seen[place], seen[place], mask=core)
    body = _summed(colours, _AROUND).reshape(-1, 3)[at]
    body /= _summed(core & 1, _AROUND).ravel()[at, None]
    wall = expected[place][rows, columns].astype(np.float32)
    whole, difference = body - wall, seen[place][rows, columns] - wall
    contrast = _dots(whole, whole)
    share = np.array([1, _COLOUR_SHARE, _COLOUR_SHARE], np.float32)
    whole, difference = whole * share, difference * share
    part = _dots(whole, difference) / np.maximum(_dots(whole, whole), 1.0)
    rest = difference - np.clip(part, -_RINGING, 1)[:, None] * whole
    usual = _LOW * noise[place][rows, columns]
    least, other = np.maximum(_CONTRAST, usual), np.maximum(_ELSE, usual)
    out = (part < _HALF) & (contrast > least**2) & (_dots(rest, rest) < other**2)
    persons = (core > 0).astype(np.float32)
    persons[rows, columns] = np.where(out, 0, np.clip(part, 0, 1))
    smeared = cv2.GaussianBlur(persons, (0, 0), _SMEAR)[rows, columns]
    more = out & (part > smeared + _MORE)
    pale = np.zeros_like(here)
    pale[rows[more], columns[more]] = 255
    pale = _grown(pale, _PALE, _PALE_AROUND)
    out &= pale[rows, columns] == 0
    kept = mask.copy()
    kept[place][rows[out], columns[out]] = 0
    return _filled(kept, here.shape[0])


def _dots(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scalar products of the rows of two arrays."""
    return np.asarray(np.einsum("ij,ij->i", one, other), np.float32)


def _grown(mask: NDArray[np.uint8], least: int, size: int) -> NDArray[np.uint8]:
    """What lies in a square around where a mask is as broad as a smaller square."""
    broad = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((least, least), np.uint8))
    return np.asarray(cv2.dilate(broad, np.ones((size, size), np.uint8)), np.uint8)
