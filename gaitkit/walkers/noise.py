"""Segmentation noise: what background subtraction does to a silhouette.

Where cloth looks like the wall behind it there are holes, other ones in every frame, as its folds
move: how much is lost stays, seen from any side and in every take of the same clothes. Holes that
would cut a person in two are left out. Who stands out less from the room on one side of it loses a
rim there. Edges are ragged, there are small holes and specks, and sometimes a foot is lost for a
few frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["WALL", "Cloth", "Contrast", "hide", "room", "roughen"]

_TILE = 512
_MARGIN = 5
_REFERENCE_HEIGHT = 240  # sizes below are in pixels of an image of this height

_HOLES_PER_FRAME = 0.30
_SPECKS_PER_FRAME = 1.0
_LOST_FEET_PER_FRAME = 0.006
_CAMOUFLAGES_PER_FRAME = 0.008

# Greys from 0, black, to 1, white. Background subtraction keeps what differs from the room by more
# than a threshold; folds and light change the grey of one garment by this standard deviation.
WALL = 0.72
_FLOOR = 0.52
_THRESHOLD = 0.015
_FOLDS = 0.04
_FOLDS_PX = 2.0  # how far light and dark are apart
_FOLDS_SEEN = 0.3  # in standard deviations: so light or dark a fold is always told from the room
_HEAD_SEEN = 1.3  # hair and faces are less even than cloth: most of a head is always seen
_FOLDS_TILE = 512
_FOLDS_RARE = 2.2  # so far off are too few to look for
_TORN = 0.015  # of the silhouette: a hand may come off, no head and no leg

# Levels of the blurred mask, at most: 51 are a pixel of its edge (`Contrast`).
_MOST_DIM = 60.0
_LEGS_FROM = 0.53  # of a person's height in the image, from above: hands and long hems too


class Cloth(NamedTuple):
    """How a garment looks.

    Attributes
    ----------
    front, back : float
        How light it is seen from before and from behind: 0 is black, 1 white.
    """

    front: float
    back: float

    def grey(self, view_degrees: float) -> float:
        """How light it is seen from one side."""
        ahead = (1 + np.cos(np.radians(view_degrees))) / 2
        return float(ahead * self.front + (1 - ahead) * self.back)


class Contrast(NamedTuple):
    """How little a person stands out from the room, by the side from which they are seen.

    In levels of the blurred mask, which falls by 51 from pixel to pixel at its edge: positive
    ones take a rim off the silhouette, negative ones add one.

    Attributes
    ----------
    everywhere : float
        Seen from any side.
    ahead, across, between : float
        The first three waves round the person: times the cosine of the camera's angle, of twice
        and of three times that.
    oblique : float
        Times the sine of twice the angle: more seen from before on one side and from behind on
        the other, none seen along and across the walk.
    """

    everywhere: float = 0.0
    ahead: float = 0.0
    across: float = 0.0
    between: float = 0.0
    oblique: float = 0.0

    def dimmed(self, levels: float) -> Contrast:
        """The same, but standing out less by some levels, seen from any side."""
        return self._replace(everywhere=self.everywhere + levels)

    def dimness(self, view_degrees: float) -> float:
        """Levels seen from one side, within those that a mask can lose.

        Examples
        --------
        >>> Contrast(everywhere=20.0, ahead=30.0).dimness(180.0)
        -10.0
        """
        angle = np.radians(view_degrees)
        waves = [*np.cos(np.arange(4) * angle), np.sin(2 * angle)]
        return float(np.clip(np.dot(self, waves), -_MOST_DIM, _MOST_DIM))


def room(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grey of what is behind the walker: a light wall above, a darker floor below.

    The room is the same for all cameras and data sets, as a laboratory is.

    Parameters
    ----------
    height : ndarray of float64
        0 is the top of the image, 1 its bottom.

    Returns
    -------
    ndarray of float64, same shape
        0 is black, 1 white.

    Examples
    --------
    >>> room(np.array([0.2, 0.9])).tolist()
    [0.72, 0.52]
    """
    share: NDArray[np.float64] = np.clip((height - 0.44) / 0.06, 0, 1)
    return WALL + share * (_FLOOR - WALL)


def hide(
    frames: NDArray[np.uint8],
    polygons: NDArray[np.float64],
    garments: tuple[str, ...],
    cloths: Mapping[str, Cloth],
    view_degrees: float,
    strength: float,
    rng: np.random.Generator,
) -> None:
    """Take out, in place, what looks like the room behind it.

    Parameters
    ----------
    frames : ndarray of uint8, shape (frames, height_px, width_px)
        Clean silhouettes, 0 or 255; changed.
    polygons : ndarray of float64, shape (frames, polygons, corners, 2)
        Outlines of the pieces.
    garments : tuple of str
        What each piece is covered with.
    cloths : mapping of str to Cloth
        How the garments look; one that is not named differs from every room.
    view_degrees : float
        The camera.
    strength : float
        Multiplies the threshold below which a difference is not seen; positive.
    rng : numpy.random.Generator
        The sequence's generator: where the folds are in each frame.
    """
    height_px = frames.shape[1]
    folds = _folds(height_px / _REFERENCE_HEIGHT)
    threshold = _THRESHOLD * min(strength, 2.0)
    behind = room((np.arange(height_px) + 0.5) / height_px)
    bodies = _boxes(polygons, frames, 0, 1)
    for name in sorted(set(garments) & set(cloths)):
        pieces = _covered(polygons, garments, name)
        difference = np.abs(cloths[name].grey(view_degrees) - behind)
        # Folds towards the room's grey are lost, those away from it stay.
        least = _HEAD_SEEN if name == "hair" else _FOLDS_SEEN
        levels = np.maximum((difference - threshold) / _FOLDS, least)
        places = rng.integers(0, _FOLDS_TILE, size=(len(frames), 2))
        if levels.min() > _FOLDS_RARE:
            continue
        levels = 128 + 40 * levels[:, None]
        boxes = _boxes(pieces, frames, 0, 1)
        for frame, outline, body, (left, top, right, bottom), (row, column) in zip(
            frames, pieces, bodies, boxes, places, strict=True
        ):
            if right <= left or bottom <= top:
                continue
            cover = np.zeros((bottom - top, right - left), np.uint8)
            corners = np.rint((outline - (left, top)) * 16).astype(np.int32)
            for piece in corners:
                cv2.fillConvexPoly(cover, piece, 255, cv2.LINE_8, 4)
            rows = np.arange(row, row + len(cover)) % _FOLDS_TILE
            columns = np.arange(column, column + cover.shape[1]) % _FOLDS_TILE
            seen = folds[rows[:, None], columns]
            part = frame[top:bottom, left:right]
            lost = (seen > levels[top:bottom]) & (cover > 0) & (part > 0)
            if lost.any():
                part[lost] = 0
                if _is_torn(frame[body[1] : body[3], body[0] : body[2]]):
                    part[lost] = 255


def _covered(
    polygons: NDArray[np.float64], garments: tuple[str, ...], name: str
) -> NDArray[np.float64]:
    """The outlines of the pieces that one garment covers."""
    return polygons[:, [row for row, garment in enumerate(garments) if garment == name]]


def _boxes(
    polygons: NDArray[np.float64], frames: NDArray[np.uint8], before: int, after: int
) -> NDArray[np.intp]:
    """Left, top, right and bottom of what holds some outlines in each frame, with a margin."""
    return _within(frames, *_reach(polygons), before, after)


def _reach(polygons: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lowest and highest column and row of some outlines in each frame, inside the image or not."""
    # Column and row apart: numpy is slow to reduce along an axis before a short last one.
    flat = np.moveaxis(polygons.reshape(len(polygons), -1, 2), -1, 0).copy()
    low, high = np.floor(flat.min(axis=-1).T), np.ceil(flat.max(axis=-1).T)
    return low.astype(np.intp), high.astype(np.intp)


def _within(
    frames: NDArray[np.uint8],
    low: NDArray[np.intp],
    high: NDArray[np.intp],
    before: int,
    after: int,
) -> NDArray[np.intp]:
    """The boxes that `_boxes` gives, of what `_reach` gives."""
    size = [frames.shape[2], frames.shape[1]]
    return np.concatenate([np.clip(low - before, 0, size), np.clip(high + after, 0, size)], axis=1)


def _is_torn(frame: NDArray[np.uint8]) -> bool:
    """Whether a silhouette has come apart; such masks would be made anew, not recorded."""
    _, _, measures, _ = cv2.connectedComponentsWithStats(frame, connectivity=8)
    areas = measures[1:, cv2.CC_STAT_AREA]
    return bool(areas.max(initial=0) < (1 - _TORN) * areas.sum())


@lru_cache(maxsize=4)
def _folds(unit: float) -> NDArray[np.uint8]:
    """Light and dark of cloth: mean 128, standard deviation 40; a tile that continues itself."""
    rng = np.random.Generator(np.random.PCG64(20060821))
    sigma = max(_FOLDS_PX * unit, 0.5)
    border = int(4 * sigma) + 1
    rough = np.pad(rng.standard_normal((_FOLDS_TILE,) * 2), border, mode="wrap")
    field = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigma), np.float64)
    field = field[border:-border, border:-border]
    return np.asarray(np.clip(128 + 40 * field / field.std(), 0, 255), np.uint8)


def roughen(
    frames: NDArray[np.uint8],
    centres: NDArray[np.float64],
    polygons: NDArray[np.float64],
    feet: dict[str, int],
    strength: float,
    rng: np.random.Generator,
    *,
    garments: tuple[str, ...] = (),
    dimness: float = 0.0,
    head_dimness: float = 0.0,
    legs_dimness: float = 0.0,
) -> None:
    """Add segmentation noise in place.

    Parameters
    ----------
    frames : ndarray of uint8, shape (frames, height_px, width_px)
        Clean silhouettes, 0 or 255; changed.
    centres : ndarray of float64, shape (frames, ellipsoids, 2)
        Where parts of the body are: holes open there.
    polygons : ndarray of float64, shape (frames, polygons, corners, 2)
        Outlines; only their surroundings have edges to be made ragged.
    feet : dict of str to int
        The ellipsoid at each foot.
    strength : float
        Multiplies amplitude and frequency; positive.
    rng : numpy.random.Generator
        The sequence's generator.
    garments : tuple of str, optional
        What each polygon is covered with; the first in ``hair`` is the head, and legs begin below
        what is in ``coat``.
    dimness, head_dimness, legs_dimness : float, optional
        How little a person stands out from the room, the head, and what is below hips and coat:
        see `Contrast`.
    """
    clip = _Clip(frames, centres, strength, frames.shape[1] / _REFERENCE_HEIGHT, rng)
    dims = np.array([head_dimness, dimness, legs_dimness]) * min(strength, 2.0)
    if "hair" in garments:
        head = polygons[:, [garments.index("hair")]]
        chins = _boxes(head, frames, 0, 0)[:, 3]
    else:
        chins = np.zeros(len(frames), np.intp)
    if "coat" in garments:
        hems = _reach(_covered(polygons, garments, "coat"))[1][:, 1]
    else:
        hems = np.zeros(len(frames), np.intp)
    _ragged_edges(clip, polygons, dims, chins, hems)
    _holes(clip)
    _lost_feet(clip, feet)
    _specks(clip)


class _Clip(NamedTuple):
    """The frames being roughened, and how; `unit` is a pixel of the reference height."""

    frames: NDArray[np.uint8]
    centres: NDArray[np.float64]
    strength: float
    unit: float
    rng: np.random.Generator


def _ragged_edges(
    clip: _Clip,
    polygons: NDArray[np.float64],
    dims: NDArray[np.float64],
    chins: NDArray[np.intp],
    hems: NDArray[np.intp],
) -> None:
    """Threshold the blurred silhouette, dimmed, at a level that wanders along its edge.

    It is dimmed by the first of `dims` above the chin's row, by the second from there to the hips,
    or to the row of a coat's hem that hangs lower, and by the third below them.
    """
    frames = clip.frames
    levels = _levels(min(clip.strength, 2.5))
    low, high = _reach(polygons)
    boxes = _within(frames, low, high, _MARGIN, _MARGIN)
    # Of the whole person, whom the image may cut off.
    hips = (low + np.rint(_LEGS_FROM * (high - low)).astype(np.intp))[:, 1]
    legs = np.maximum(hips, hems)
    dimmed = np.clip(np.arange(256) - dims[:, None], 0, 255).astype(np.uint8)
    # What is far from the edge stays as it is, however bright or dim the person.
    dimmed[:, 0], dimmed[:, 255] = 0, 255
    shifts = clip.rng.integers(0, _TILE, size=(len(frames), 2))
    for frame, (left, top, right, bottom), chin, leg, (dx, dy) in zip(
        frames, boxes, chins, legs, shifts, strict=True
    ):
        rows, columns = bottom - top, right - left
        if rows <= 0 or columns <= 0:
            continue
        part = frame[top:bottom, left:right]
        dy, dx = dy % (len(levels) - rows + 1), dx % (levels.shape[1] - columns + 1)
        level = levels[dy : dy + rows, dx : dx + columns]
        soft = cv2.blur(part, (5, 5))
        neck = min(max(chin - top, 0), rows)
        waist = min(max(leg - top, neck), rows)
        pieces = slice(neck), slice(neck, waist), slice(waist, rows)
        for table, piece in zip(dimmed, pieces, strict=True):
            if len(soft[piece]):
                part[piece] = cv2.compare(cv2.LUT(soft[piece], table), level[piece], cv2.CMP_GT)


@lru_cache(maxsize=4)
def _levels(strength: float) -> NDArray[np.uint8]:
    """A large field of threshold levels, smooth over two to five pixels.

    It is the same in every run: what differs is the place from which a frame takes its part.
    """
    rng = np.random.Generator(np.random.PCG64(20060820))
    size = (2048, 2560)
    field = np.zeros(size)
    for sigma, weight in ((1.0, 0.6), (2.6, 1.0)):
        layer = cv2.GaussianBlur(rng.standard_normal(size), (0, 0), sigma)
        field += weight * layer / layer.std()
    return np.clip(128 + 28 * strength * field, 1, 254).astype(np.uint8)


def _holes(clip: _Clip) -> None:
    """Small holes anywhere in the body, and now and then one that stays for some frames."""
    _, centres, strength, unit, rng = clip
    count, parts = centres.shape[:2]
    single = rng.poisson(_HOLES_PER_FRAME * strength, count)
    where = np.repeat(np.arange(count), single)
    part = rng.integers(0, parts, len(where))
    offset = rng.normal(0, 3 * unit, (len(where), 2))
    radius = unit * rng.uniform(0.7, 3.2, len(where))
    _erase(clip, where, part, offset, radius)
    for _ in range(rng.poisson(_CAMOUFLAGES_PER_FRAME * strength * count)):
        first, length = int(rng.integers(0, count)), int(rng.integers(3, 11))
        where = np.arange(first, min(first + length, count))
        part = np.full(len(where), rng.integers(0, parts))
        offset = rng.normal(0, 2.0 * unit, (len(where), 2))
        radius = unit * rng.uniform(1.5, 4.0) * rng.uniform(0.5, 1.3, len(where))
        _erase(clip, where, part, offset, radius)


def _lost_feet(clip: _Clip, feet: dict[str, int]) -> None:
    frames, _, strength, unit, rng = clip
    count = len(frames)
    for _ in range(rng.poisson(_LOST_FEET_PER_FRAME * strength * count)):
        first, length = int(rng.integers(0, count)), int(rng.integers(2, 7))
        where = np.arange(first, min(first + length, count))
        foot = feet[("right", "left")[int(rng.integers(0, 2))]]
        offset = rng.normal(0, 1.5 * unit, (len(where), 2))
        radius = unit * rng.uniform(5.0, 11.0, len(where))
        _erase(clip, where, np.full(len(where), foot), offset, radius)


def _erase(
    clip: _Clip,
    where: NDArray[np.intp],
    part: NDArray[np.intp],
    offset: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> None:
    at = np.rint((clip.centres[where, part] + offset) * 16).astype(int)
    for frame, (x, y), r in zip(where, at, np.rint(radius * 16).astype(int), strict=True):
        cv2.circle(clip.frames[frame], (int(x), int(y)), int(r), 0, -1, cv2.LINE_8, 4)


def _specks(clip: _Clip) -> None:
    frames, _, strength, unit, rng = clip
    height, width = frames.shape[1:]
    count = rng.poisson(_SPECKS_PER_FRAME * strength, len(frames))
    where = np.repeat(np.arange(len(frames)), count)
    at = rng.integers(0, [width, height], (len(where), 2))
    radius = unit * rng.exponential(0.7, len(where))
    for frame, (x, y), r in zip(where, at, np.minimum(radius, 3 * unit), strict=True):
        cv2.circle(frames[frame], (int(x), int(y)), int(r + 0.5), 255, -1)
