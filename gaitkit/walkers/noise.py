"""Segmentation noise: what background subtraction does to a silhouette.

Ragged edges, holes where clothes look like the background, specks, sometimes a foot that is lost
for a few frames.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["roughen"]

_TILE = 512
_MARGIN = 5
_REFERENCE_HEIGHT = 240  # sizes below are in pixels of an image of this height

_HOLES_PER_FRAME = 0.30
_SPECKS_PER_FRAME = 1.0
_LOST_FEET_PER_FRAME = 0.006
_CAMOUFLAGES_PER_FRAME = 0.008


def roughen(
    frames: NDArray[np.uint8],
    centres: NDArray[np.float64],
    polygons: NDArray[np.float64],
    feet: dict[str, int],
    strength: float,
    rng: np.random.Generator,
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
    """
    clip = _Clip(frames, centres, strength, frames.shape[1] / _REFERENCE_HEIGHT, rng)
    _ragged_edges(clip, polygons)
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


def _ragged_edges(clip: _Clip, polygons: NDArray[np.float64]) -> None:
    """Threshold the blurred silhouette at a level that wanders along its edge."""
    frames = clip.frames
    levels = _levels(min(clip.strength, 2.5))
    height, width = frames.shape[1:]
    # Column and row apart: numpy is slow to reduce along an axis before a short last one.
    flat = np.moveaxis(polygons.reshape(len(frames), -1, 2), -1, 0).copy()
    low = np.floor(flat.min(axis=-1).T).astype(int) - _MARGIN
    high = np.ceil(flat.max(axis=-1).T).astype(int) + _MARGIN
    low = np.clip(low, 0, [width, height])
    high = np.clip(high, 0, [width, height])
    shifts = clip.rng.integers(0, _TILE, size=(len(frames), 2))
    for frame, (left, top), (right, bottom), (dx, dy) in zip(
        frames, low, high, shifts, strict=True
    ):
        rows, columns = bottom - top, right - left
        if rows <= 0 or columns <= 0:
            continue
        part = frame[top:bottom, left:right]
        dy, dx = dy % (len(levels) - rows + 1), dx % (levels.shape[1] - columns + 1)
        level = levels[dy : dy + rows, dx : dx + columns]
        part[...] = cv2.compare(cv2.blur(part, (5, 5)), level, cv2.CMP_GT)


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
