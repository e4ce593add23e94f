"""Rotations in the walker's frame: x forward, y to the walker's left, z up; right-handed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bend", "roll", "turn"]


def bend(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation that swings a hanging limb forward, a flexion: about the y axis.

    Parameters
    ----------
    degrees : float or ndarray of float64, shape (frames,)
        Angle.

    Returns
    -------
    ndarray of float64, shape (..., 3, 3)
        Matrices for column vectors.
    """
    c, s, zero, one = _parts(degrees)
    return _matrix((c, zero, -s), (zero, one, zero), (s, zero, c))


def roll(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation that lifts the left side: about the x axis. See `bend`."""
    c, s, zero, one = _parts(degrees)
    return _matrix((one, zero, zero), (zero, c, -s), (zero, s, c))


def turn(degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Rotation to the walker's left: about the z axis. See `bend`."""
    c, s, zero, one = _parts(degrees)
    return _matrix((c, -s, zero), (s, c, zero), (zero, zero, one))


_Row = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _parts(
    degrees: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    angle = np.radians(np.asarray(degrees, dtype=np.float64))
    return np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)


def _matrix(*rows: _Row) -> NDArray[np.float64]:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
