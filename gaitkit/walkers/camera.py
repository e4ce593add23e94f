"""The cameras: perspective projection from a circle around the middle of the walk.

The rig follows CASIA-B's: fixed cameras round the walker, all recording the same walk at once.
Camera v stands where the walker is seen at v degrees: 0 in front (the walker comes nearer and
grows), 90 on the walker's right side (the walk goes from left to right in the image), 180 behind,
270 on the left side (the walk goes to the left).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CAMERA_HEIGHT_M", "DISTANCE_M", "Projection", "project"]

DISTANCE_M = 6.6
"""From the camera to the middle of the walk."""

CAMERA_HEIGHT_M = 1.35
_PITCH_DEGREES = 4.2  # downwards: the walker stands in the middle of the image
_FOCAL_PER_HEIGHT = 2.0  # focal length in units of the image height
_NEAR_M = 0.6


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
