"""Ellipsoids, and the convex hulls that they span: what a walker's surface is made of.

Each ellipsoid sits at a joint or on a bone; a hull of two or three of them is a tapered limb or a
slab of the trunk; their union is the person. Both keep simple outlines in projection, which is
what makes the rendering fast (`gaitkit.walkers.rendering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

__all__ = ["Figure", "Sculptor"]


@dataclass(frozen=True)
class Figure:
    """A walker's surface, frame by frame.

    Attributes
    ----------
    centres : ndarray of float64, shape (frames, ellipsoids, 3)
        Metres, in the world of `gaitkit.walkers.skeleton`.
    axes : ndarray of float64, shape (frames, ellipsoids, 3, 3)
        Columns are the half-axes in metres.
    hulls : tuple of tuple of int
        Indices of the ellipsoids that span each convex piece.
    feet : dict of str to int
        The ellipsoid at each foot's ball, by side.
    """

    centres: NDArray[np.float64]
    axes: NDArray[np.float64]
    hulls: tuple[tuple[int, ...], ...]
    feet: dict[str, int]


class Sculptor:
    """Collects ellipsoids and hulls of one walker."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._centres: list[NDArray[np.float64]] = []
        self._axes: list[NDArray[np.float64]] = []
        self._hulls: list[tuple[int, ...]] = []

    def ball(self, at: NDArray[np.float64], radius: float) -> int:
        """Add a sphere and return its index."""
        return self.ellipsoid(at, np.eye(3), (radius, radius, radius))

    def ellipsoid(
        self,
        at: NDArray[np.float64],
        frame: NDArray[np.float64],
        radii: Sequence[float],
        offset: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> int:
        """Add an ellipsoid and return its index.

        Parameters
        ----------
        at : ndarray of float64, shape (frames, 3)
            Centre, before the offset.
        frame : ndarray of float64, shape (frames, 3, 3) or (3, 3)
            Orientation.
        radii, offset : sequence of 3 floats
            Half-axes, and the centre's offset in the same axes, metres.
        """
        self._centres.append(at + frame @ np.asarray(offset, dtype=np.float64))
        axes = frame * np.asarray(radii, dtype=np.float64)
        self._axes.append(np.broadcast_to(axes, (self._frames, 3, 3)))
        return len(self._centres) - 1

    def hull(self, *members: int) -> None:
        """Fill the convex hull of some ellipsoids."""
        self._hulls.append(members)

    def chain(self, *members: int) -> None:
        """Fill the hulls of each ellipsoid with the next one."""
        for pair in pairwise(members):
            self.hull(*pair)

    def box(
        self, at: NDArray[np.float64], frame: NDArray[np.float64], size: Sequence[float]
    ) -> None:
        """Fill a box with rounded edges; `size` is its full extent in its own axes."""
        edge = 0.16 * min(size)
        half = np.asarray(size, dtype=np.float64) / 2 - edge
        corners = [
            self.ellipsoid(at, frame, (edge, edge, edge), half * np.array(signs))
            for signs in product((-1.0, 1.0), repeat=3)
        ]
        self.hull(*corners)

    def finish(self, feet: dict[str, int]) -> Figure:
        """The whole figure."""
        return Figure(
            np.stack(self._centres, axis=1), np.stack(self._axes, axis=1), tuple(self._hulls), feet
        )
