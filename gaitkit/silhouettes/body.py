"""Find the person in a frame: threshold, small opening, largest component and what belongs to it.

The work is done inside the rectangle that bounds all foreground: labelling a whole 320x240 frame
costs more than decoding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.silhouettes.masks import as_frame
from gaitkit.silhouettes.options import SilhouetteOptions

__all__ = ["Body", "Rejected", "find_body"]

_SIDES = ("top", "left", "bottom", "right")


class Rejected(NamedTuple):
    """Why a frame was left out.

    Attributes
    ----------
    reason : str
        A key of `gaitkit.dropped.REASONS`.
    detail : str
        What was measured against which limit.
    """

    reason: str
    detail: str


class Body(NamedTuple):
    """A person cut out of a frame.

    Attributes
    ----------
    mask : ndarray of uint8, shape (rows, columns)
        0 background, 1 person; every border row and column has person in it.
    left, top : int
        Position of the mask's first column and row in the frame, pixels.
    """

    mask: NDArray[np.uint8]
    left: int
    top: int


def find_body(frame: NDArray[Any], options: SilhouetteOptions) -> Body | Rejected:
    """Cut the person out of one frame.

    Parameters
    ----------
    frame : ndarray, shape (height, width)
        A mask of any kind that `gaitkit.silhouettes.as_mask` knows, or greys of any scale as
        bytes: masks of 0 and 1 and of 0 and 255 give the same result.
    options : SilhouetteOptions
        `threshold`, `opening_px`, `part_area`, `part_gap`, `min_height_px` and `drop_cut` are used.

    Returns
    -------
    Body or Rejected
        The person, or the reason (``empty``, ``cut-by-border``, ``too-small``) why there is none.

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[10:50, 15:25] = True
    >>> body = find_body(frame, SilhouetteOptions())
    >>> body.mask.shape, body.left, body.top
    ((40, 10), 15, 10)
    >>> find_body(np.zeros((60, 40), bool), SilhouetteOptions())
    Rejected(reason='empty', detail='all pixels are 0')
    """
    frame = as_frame(frame, threshold=options.threshold)
    left, top, width, height = cv2.boundingRect(frame)
    if width == 0:
        return Rejected("empty", "all pixels are 0")
    crop = frame[top : top + height, left : left + width]
    level = int(crop.max() * options.threshold)
    _, mask = cv2.threshold(crop, level, 1, cv2.THRESH_BINARY)
    if options.opening_px > 1:
        # The world outside the crop is background; OpenCV's default border would be foreground.
        mask = cv2.morphologyEx(
            mask,
            cv2.MORPH_OPEN,
            _cross(options.opening_px),
            borderType=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return Rejected("empty", "nothing is left after the opening")
    if len(contours) > 1:
        specks = _specks(contours, options)
        if specks:
            cv2.drawContours(mask, specks, -1, 0, cv2.FILLED)
    x, y, columns, rows = cv2.boundingRect(mask)
    person = np.asarray(mask[y : y + rows, x : x + columns], np.uint8)
    body = Body(person, left + x, top + y)
    return _judged(body, frame.shape, options)


def _judged(body: Body, shape: tuple[int, ...], options: SilhouetteOptions) -> Body | Rejected:
    rows, columns = body.mask.shape
    bottom, right = body.top + rows, body.left + columns
    touches = body.top == 0 or body.left == 0 or bottom == shape[0] or right == shape[1]
    if touches and options.drop_cut:
        sides = (body.top == 0, body.left == 0, bottom == shape[0], right == shape[1])
        names = [name for name, touched in zip(_SIDES, sides, strict=True) if touched]
        return Rejected("cut-by-border", f"touches {', '.join(names)}")
    if rows < options.min_height_px:
        return Rejected("too-small", f"{rows} px high, at least {options.min_height_px} needed")
    return body


@lru_cache(maxsize=16)
def _cross(diameter: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (diameter, diameter)), np.uint8)


def _specks(contours: Sequence[Any], options: SilhouetteOptions) -> list[Any]:
    """The outer contours of components that do not belong to the body.

    From the largest component outwards, a part is kept if it is large enough and near enough to
    something that is kept already: a foot below a lower leg that noise cut off is kept with it.
    Near means no farther away than the part is long, and than `part_gap` allows.
    """
    # A digital contour runs through pixel centres; Pick's theorem adds the pixels it runs through.
    areas = [cv2.contourArea(contour) + len(contour) / 2 + 1 for contour in contours]
    order = sorted(range(len(contours)), key=lambda index: (-areas[index], index))
    body = [contours[order[0]][:, 0]]
    farthest = options.part_gap * _longer_side(contours[order[0]])
    waiting = [i for i in order[1:] if areas[i] >= options.part_area * areas[order[0]]]
    specks = [contours[i] for i in order[1 + len(waiting) :]]
    reach = {i: min(farthest, _longer_side(contours[i])) for i in waiting}
    grown = True
    while waiting and grown:
        near = [
            i for i in waiting if any(_gap_within(contours[i], part, reach[i]) for part in body)
        ]
        grown = bool(near)
        body += [contours[i][:, 0] for i in near]
        waiting = [i for i in waiting if i not in near]
    return specks + [contours[i] for i in waiting]


def _longer_side(contour: NDArray[np.int32]) -> int:
    _, _, columns, rows = cv2.boundingRect(contour)
    return max(columns, rows)


def _gap_within(contour: NDArray[np.int32], part: NDArray[np.int32], reach: float) -> bool:
    """Whether at most `reach` pixels of background lie between two contours."""
    x, y, columns, rows = cv2.boundingRect(contour)
    margin = reach + 1  # From pixel centre to pixel centre.
    nearby = part[
        (part[:, 0] >= x - margin)
        & (part[:, 0] < x + columns + margin)
        & (part[:, 1] >= y - margin)
        & (part[:, 1] < y + rows + margin)
    ]
    if not len(nearby):
        return False
    apart = contour[:, 0][:, None] - nearby[None]
    return bool((apart.astype(np.int64) ** 2).sum(axis=2).min() <= margin**2)
