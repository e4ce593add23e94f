"""From the foreground of a picture to the people in it.

A body may come in pieces (noise cuts off a head, a belt has the wall's colour), and what is below
a person in height is none. Nothing is asked of other pictures here; `gaitkit.segmentation.passes`
does that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2

__all__ = ["Box", "Person", "people_in"]

# Of a body's height: how far a part may lie above or below it, and beside it.
_GAP, _BESIDE = 0.12, 0.08
# Of the largest part's height: what is as high is somebody else.
_OWN_HEIGHT = 0.5
_LEAST_PART = 0.004
# Of the largest part's area: what is less, and not within the body, is a speck.
_SPECK = 0.012
_MOST_PARTS = 400


class Box(NamedTuple):
    """A rectangle in a picture, pixels."""

    left: int
    top: int
    columns: int
    rows: int

    @property
    def middle(self) -> tuple[float, float]:
        """Column and row of the centre."""
        return self.left + self.columns / 2, self.top + self.rows / 2

    def share_in(self, other: Box) -> float:
        """Which part of this box lies in another: 0 to 1."""
        across = min(self.left + self.columns, other.left + other.columns)
        across -= max(self.left, other.left)
        down = min(self.top + self.rows, other.top + other.rows) - max(self.top, other.top)
        return max(0, across) * max(0, down) / max(1, self.columns * self.rows)

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right = max(self.left + self.columns, other.left + other.columns)
        bottom = max(self.top + self.rows, other.top + other.rows)
        return Box(left, top, right - left, bottom - top)


class Person(NamedTuple):
    """Somebody in one picture.

    Attributes
    ----------
    box : Box
        Where.
    mask : ndarray of uint8, shape (rows, columns)
        0 or 255, cut out at `box`.
    area : int
        Pixels of the mask.
    """

    box: Box
    mask: NDArray[np.uint8]
    area: int


def people_in(mask: NDArray[np.uint8], *, min_height_px: int = 20) -> list[Person]:
    """The people in the foreground of a picture, from left to right.

    Parameters
    ----------
    mask : ndarray of uint8, shape (height, width)
        0 or 255, as `gaitkit.segmentation.background.foreground` gives it.
    min_height_px : int
        What is lower is none.

    Returns
    -------
    list of Person
        Parts that lie over one another are one person; those as high as each other are two.

    Examples
    --------
    >>> mask = np.zeros((60, 90), np.uint8)
    >>> mask[10:16, 12:18] = mask[18:50, 10:20] = mask[10:50, 60:70] = 255
    >>> [person.box for person in people_in(mask)]
    [Box(left=10, top=10, columns=10, rows=40), Box(left=60, top=10, columns=10, rows=40)]
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    least = max(4.0, _LEAST_PART * min_height_px**2)
    parts = [
        (int(stats[number, 4]), number, Box(*stats[number, :4].tolist()))
        for number in range(1, count)
        if stats[number, 4] >= least
    ]
    parts.sort(key=lambda part: (-part[0], part[1]))
    left = parts[:_MOST_PARTS]
    found = []
    while left:
        area, number, box = left.pop(0)
        numbers, grown = [number], True
        largest = area
        while grown:
            grown = False
            for part in list(left):
                if _belongs(part[2], box):
                    left.remove(part)
                    if part[0] < _SPECK * largest:
                        continue
                    numbers.append(part[1])
                    area += part[0]
                    box = box.around(part[2])
                    grown = True
        if box.rows < min_height_px:
            continue
        here = labels[box.top : box.top + box.rows, box.left : box.left + box.columns]
        own = here == numbers[0] if len(numbers) == 1 else np.isin(here, numbers)
        found.append(Person(box, np.asarray(own, np.uint8) * np.uint8(255), area))
    return sorted(found, key=lambda person: person.box)


def _belongs(part: Box, body: Box) -> bool:
    """Whether a smaller part lies over, under or within a body."""
    if part.rows >= _OWN_HEIGHT * body.rows and part.columns < 2 * part.rows:
        # As high as the body: somebody beside, unless it lies within.
        return part.share_in(body) > 0.8
    high = max(part.rows, body.rows)
    margin = _BESIDE * high
    across = part.middle[0]
    if not body.left - margin <= across <= body.left + body.columns + margin:
        return False
    gap = max(part.top - body.top - body.rows, body.top - part.top - part.rows)
    return gap <= _GAP * high
