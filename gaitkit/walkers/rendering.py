"""From ellipsoids to silhouettes: the cameras, the outlines, the filled pictures.

The rig follows CASIA-B's: fixed cameras round the walker, all recording the same walk at once.
Camera v stands where the walker is seen at v degrees: 0 in front (the walker comes nearer and
grows), 90 on the walker's right side (the walk goes from left to right in the image), 180 behind,
270 on the left side (the walk goes to the left).

The outline of a convex hull of ellipses is found through support functions: in each of a fixed
set of directions the hull's outermost point is that of whichever ellipse reaches furthest. The
points, in the order of the directions, are a convex polygon, so no hull has to be computed and
all frames are done at once; OpenCV fills the polygons.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.arguments import number, whole_number
from gaitkit.errors import OptionError
from gaitkit.labels import format_view
from gaitkit.printable import quoted
from gaitkit.walkers.draws import generator
from gaitkit.walkers.figure import Figure
from gaitkit.walkers.noise import hide, roughen
from gaitkit.walkers.options import CONDITIONS, WalkerOptions, subject_name
from gaitkit.walkers.walks import before_camera, figure_of, plan_walk

__all__ = [
    "CAMERA_HEIGHT_M",
    "DISTANCE_M",
    "Projection",
    "fill",
    "outlines",
    "project",
    "render_figure",
    "render_sequence",
]

DISTANCE_M = 6.6
"""From the camera to the middle of the walk."""

CAMERA_HEIGHT_M = 1.35
_PITCH_DEGREES = 4.2  # downwards: the walker stands in the middle of the image
_FOCAL_PER_HEIGHT = 2.0  # focal length in units of the image height
_NEAR_M = 0.6

_DIRECTIONS = 20
_SUBPIXEL_BITS = 4
# The polygon's corners lie on the ellipse; this makes its area that of the ellipse.
_STRETCH = float(np.sqrt(np.pi / (_DIRECTIONS / 2 * np.sin(2 * np.pi / _DIRECTIONS))))


def render_sequence(
    options: WalkerOptions, subject_index: int, condition: str, take: int, view: float
) -> NDArray[np.uint8]:
    """All silhouettes of one sequence.

    Parameters
    ----------
    options : WalkerOptions
        The data set.
    subject_index : int
        The person, counted from 0.
    condition : str
        ``nm``, ``bg`` or ``cl``.
    take : int
        Counted from 1.
    view : float
        Camera angle in degrees.

    Returns
    -------
    ndarray of uint8, shape (frames, height_px, width_px)
        0 or 255.

    Raises
    ------
    OptionError
        There is no such person, condition, take or view.
    """
    if not isinstance(options, WalkerOptions):
        raise OptionError(f"`options` must be WalkerOptions, got a {type(options).__name__}.")
    subject_index = whole_number(subject_index, "subject_index", 0, 9998)
    take, view = whole_number(take, "take", 1, 99), number(view, "view")
    if condition not in CONDITIONS:
        raise OptionError(
            f"There is no condition {quoted(condition)}.",
            hint=f"There are {', '.join(CONDITIONS)}.",
        )
    figure = _cached_figure(
        options.seed, options.equal_bodies, options.frames, subject_index, condition, take
    )
    figure = before_camera(figure, options, subject_index, condition, view)
    names = (subject_name(subject_index), condition, str(take), format_view(view))
    return render_figure(figure, options, view, generator(options.seed, "noise", *names))


@lru_cache(maxsize=2)
def _cached_figure(
    seed: int, equal_bodies: bool, frames: int, subject_index: int, condition: str, take: int
) -> Figure:
    # All cameras see the same walk: eleven views share one figure.
    options = WalkerOptions(seed=seed, equal_bodies=equal_bodies)
    return figure_of(plan_walk(options, subject_index, condition, take), frames)


def render_figure(
    figure: Figure, options: WalkerOptions, view: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Silhouettes of a figure in one camera.

    Parameters
    ----------
    figure : Figure
        The walker.
    options : WalkerOptions
        Image size and noise.
    view : float
        Camera angle in degrees.
    rng : numpy.random.Generator
        For the noise.

    Returns
    -------
    ndarray of uint8, shape (frames, height_px, width_px)
        0 or 255.
    """
    size = {"height_px": options.height_px, "width_px": options.width_px}
    projection = project(figure.centres, figure.axes, view, **size)
    polygons = outlines(projection, figure.hulls)
    frames = fill(polygons, projection.visible, **size)
    if options.noise > 0:
        hide(frames, polygons, figure.garments, figure.cloths, view, options.noise, rng)
        roughen(
            frames,
            projection.centres,
            polygons,
            figure.feet,
            options.noise,
            rng,
            garments=figure.garments,
            dimness=figure.contrast.dimness(view),
            head_dimness=figure.head_contrast.dimness(view),
            legs_dimness=figure.legs_contrast.dimness(view),
        )
    return frames


class Projection(NamedTuple):
    """Ellipsoids in the image plane, to first order of perspective.

    Attributes
    ----------
    centres : ndarray of float64, shape (frames, ellipsoids, 2)
        Column and row in pixels; (0, 0) is the centre of the first pixel.
    spread : ndarray of float64, shape (frames, ellipsoids, 2, 2)
        The ellipse is the set c + S^(1/2) u, |u| <= 1.
    visible : ndarray of bool, shape (frames,)
        False when any part is beside or behind the camera.
    """

    centres: NDArray[np.float64]
    spread: NDArray[np.float64]
    visible: NDArray[np.bool_]


def project(
    centres: NDArray[np.float64],
    axes: NDArray[np.float64],
    view_degrees: float,
    *,
    height_px: int,
    width_px: int,
) -> Projection:
    """Project ellipsoids into one camera.

    Parameters
    ----------
    centres : ndarray of float64, shape (frames, ellipsoids, 3)
        Metres; x along the walk, y to its left, z up.
    axes : ndarray of float64, shape (frames, ellipsoids, 3, 3)
        Columns are half-axes, metres.
    view_degrees : float
        The camera.
    height_px, width_px : int
        Image size.

    Returns
    -------
    Projection
        In pixels.
    """
    angle, pitch = np.radians(view_degrees), np.radians(_PITCH_DEGREES)
    away = np.array([np.cos(angle), -np.sin(angle), 0.0])
    ahead = -np.cos(pitch) * away - np.array([0.0, 0.0, np.sin(pitch)])
    right = np.cross(-away, [0.0, 0.0, 1.0])
    down = np.cross(ahead, right)
    position = DISTANCE_M * away + np.array([0.0, 0.0, CAMERA_HEIGHT_M])
    basis = np.stack([right, down, ahead])
    seen = (centres - position) @ basis.T
    depth = seen[..., 2]
    visible = np.all(depth > _NEAR_M, axis=1)
    scale = _FOCAL_PER_HEIGHT * height_px / np.maximum(depth, _NEAR_M)
    middle = np.array([(width_px - 1) / 2, (height_px - 1) / 2])
    image = seen[..., :2] * scale[..., None]
    # The derivative of the projection at each centre takes the half-axes into the image.
    turned = basis @ axes
    slope = seen[..., :2] / np.maximum(depth, _NEAR_M)[..., None]
    flat = scale[..., None, None] * (turned[..., :2, :] - slope[..., None] * turned[..., 2:, :])
    return Projection(image + middle, flat @ np.swapaxes(flat, -1, -2), visible)


def outlines(projection: Projection, hulls: tuple[tuple[int, ...], ...]) -> NDArray[np.float64]:
    """Outlines of convex hulls of ellipses.

    Parameters
    ----------
    projection : Projection
        Ellipses in the image.
    hulls : tuple of tuple of int
        Which ellipses span each hull.

    Returns
    -------
    ndarray of float64, shape (frames, hulls, corners, 2)
        Convex polygons, column and row in pixels.
    """
    angle = 2 * np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
    normals = np.stack([np.cos(angle), np.sin(angle)])
    pushed = projection.spread @ normals
    squared = pushed[..., 0, :] * normals[0] + pushed[..., 1, :] * normals[1]
    reach = np.sqrt(np.maximum(squared, 1e-12))
    heights = projection.centres @ normals + reach
    corners = projection.centres[..., None] + _STRETCH * pushed / reach[..., None, :]
    polygons = np.empty((len(heights), len(hulls), _DIRECTIONS, 2))
    every_frame = np.arange(len(heights))[:, None, None]
    every_direction = np.arange(_DIRECTIONS)
    for size in {len(members) for members in hulls}:
        rows = [row for row, members in enumerate(hulls) if len(members) == size]
        members = np.array([hulls[row] for row in rows])
        furthest = np.argmax(heights[:, members], axis=2)
        chosen = members[np.arange(len(rows))[:, None], furthest]
        for axis in (0, 1):
            polygons[..., axis][:, rows] = corners[every_frame, chosen, axis, every_direction]
    return polygons


def fill(
    polygons: NDArray[np.float64],
    visible: NDArray[np.bool_],
    *,
    height_px: int,
    width_px: int,
) -> NDArray[np.uint8]:
    """Fill the union of convex polygons.

    Parameters
    ----------
    polygons : ndarray of float64, shape (frames, polygons, corners, 2)
        Column and row in pixels.
    visible : ndarray of bool, shape (frames,)
        Frames to draw; the others stay empty.
    height_px, width_px : int
        Image size.

    Returns
    -------
    ndarray of uint8, shape (frames, height_px, width_px)
        0 or 255.
    """
    frames = np.zeros((len(polygons), height_px, width_px), dtype=np.uint8)
    corners = np.rint(polygons * 2**_SUBPIXEL_BITS).astype(np.int32)
    for frame, pieces, seen in zip(frames, corners, visible, strict=True):
        if seen:
            for piece in pieces:
                cv2.fillConvexPoly(frame, piece, 255, cv2.LINE_8, _SUBPIXEL_BITS)
    return frames
