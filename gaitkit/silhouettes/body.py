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

__all__ = [
    "Body",
    "Rejected",
    "Sight",
    "contour_areas",
    "everybody",
    "find_body",
    "judged",
    "look",
    "parts_of",
]

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
    sight = look(frame, options)
    return sight if isinstance(sight, Rejected) else judged(sight.body, sight.shape, options)


class Sight(NamedTuple):
    """Everything that is seen in one frame.

    Attributes
    ----------
    body : Body
        The largest component and what belongs to it.
    shape : tuple of int
        Rows and columns of the frame.
    opened : ndarray of uint8, shape (rows, columns)
        All foreground after the opening, within the rectangle that bounds it: 0 and 1. It may
        share memory with `body`.
    left, top : int
        Position of `opened` in the frame, pixels.
    second : float
        Area of the second largest component over that of the largest.
    """

    body: Body
    shape: tuple[int, ...]
    opened: NDArray[np.uint8]
    left: int
    top: int
    second: float


def look(frame: NDArray[Any], options: SilhouetteOptions) -> Sight | Rejected:
    """See what is in one frame, and do not judge it yet.

    Parameters
    ----------
    frame, options
        As for `find_body`.

    Returns
    -------
    Sight or Rejected
        What is there, or the reason ``empty``.

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[10:50, 15:25] = frame[30:50, 30:40] = True
    >>> sight = look(frame, SilhouetteOptions())
    >>> sight.opened.shape, sight.body.mask.shape, round(sight.second, 1)
    ((40, 25), (40, 10), 0.5)
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
    opened, second = mask, 0.0
    parts = contours
    if len(contours) > 1:
        areas = contour_areas(contours)
        largest, next_largest = sorted(areas)[:-3:-1]
        second = next_largest / largest
        kept = parts_of(contours, areas, options)
        parts = [contours[i] for i in kept]
        if len(kept) < len(contours):
            specks = [contour for i, contour in enumerate(contours) if i not in kept]
            mask = mask.copy()
            cv2.drawContours(mask, specks, -1, 0, cv2.FILLED)
    # Of contours it costs less than of the mask.
    x, y, columns, rows = cv2.boundingRect(parts[0] if len(parts) == 1 else np.concatenate(parts))
    person = np.asarray(mask[y : y + rows, x : x + columns], np.uint8)
    body = Body(person, left + x, top + y)
    return Sight(body, frame.shape, np.asarray(opened, np.uint8), left, top, second)


def everybody(sight: Sight, options: SilhouetteOptions) -> Body:
    """All components but for specks, wherever they are: where the frame is the person.

    Parameters
    ----------
    sight : Sight
        What was seen.
    options : SilhouetteOptions
        `part_area` is used.

    Returns
    -------
    Body
        A head that noise cut off is in it, however wide the gap.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[:10, 15:25] = frame[30:, 15:25] = True
    >>> sight = look(frame, SilhouetteOptions())
    >>> sight.body.mask.shape, everybody(sight, SilhouetteOptions()).mask.shape
    ((30, 10), (60, 10))
    """
    contours, _ = cv2.findContours(sight.opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = contour_areas(contours)
    least = options.part_area * max(areas)
    specks = [contour for contour, area in zip(contours, areas, strict=True) if area < least]
    mask = sight.opened
    if specks:
        mask = mask.copy()
        cv2.drawContours(mask, specks, -1, 0, cv2.FILLED)
    x, y, columns, rows = cv2.boundingRect(mask)
    return Body(mask[y : y + rows, x : x + columns], sight.left + x, sight.top + y)


def judged(body: Body, shape: tuple[int, ...], options: SilhouetteOptions) -> Body | Rejected:
    """The body, unless it is cut or too small.

    Parameters
    ----------
    body : Body
        A person.
    shape : tuple of int
        Rows and columns of the frame.
    options : SilhouetteOptions
        `drop_cut` and `min_height_px` are used.

    Returns
    -------
    Body or Rejected
        ``cut-by-border`` or ``too-small``.

    Examples
    --------
    >>> import numpy as np
    >>> judged(Body(np.ones((30, 9), np.uint8), 4, 0), (60, 40), SilhouetteOptions())
    Rejected(reason='cut-by-border', detail='touches top')
    """
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


def contour_areas(contours: Sequence[Any]) -> list[float]:
    """Pixels of the components inside these outer contours, holes included.

    Examples
    --------
    >>> import numpy as np
    >>> corners = np.array([[[0, 0]], [[0, 1]], [[1, 1]], [[1, 0]]], np.int32)
    >>> contour_areas([corners])
    [4.0]
    """
    # A digital contour runs through pixel centres; Pick's theorem adds the pixels it runs through.
    return [cv2.contourArea(contour) + len(contour) / 2 + 1 for contour in contours]


@lru_cache(maxsize=16)
def _cross(diameter: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (diameter, diameter)), np.uint8)


def parts_of(
    contours: Sequence[Any], areas: Sequence[float], options: SilhouetteOptions
) -> list[int]:
    """Which components belong to the body.

    From the largest component outwards, a part is kept if it is large enough and near enough to
    something that is kept already: a foot below a lower leg that noise cut off is kept with it.
    Near means no farther away than the part is long, and than `part_gap` allows.

    Parameters
    ----------
    contours : sequence of ndarray of int32, shape (points, 1, 2)
        Outer contours.
    areas : sequence of float
        Of what is inside each, pixels.
    options : SilhouetteOptions
        `part_area` and `part_gap` are used.

    Returns
    -------
    list of int
        Places of the contours, the largest first.

    Examples
    --------
    >>> square = np.array([[[0, 0]], [[0, 9]], [[9, 9]], [[9, 0]]], np.int32)
    >>> parts_of([square, square + 99], [100.0, 100.0], SilhouetteOptions())
    [0]
    """
    order = sorted(range(len(contours)), key=lambda index: (-areas[index], index))
    kept = order[:1]
    body = [contours[order[0]][:, 0]]
    farthest = options.part_gap * _longer_side(contours[order[0]])
    waiting = [i for i in order[1:] if areas[i] >= options.part_area * areas[order[0]]]
    reach = {i: min(farthest, _longer_side(contours[i])) for i in waiting}
    grown = True
    while waiting and grown:
        near = [
            i for i in waiting if any(_gap_within(contours[i], part, reach[i]) for part in body)
        ]
        grown = bool(near)
        body += [contours[i][:, 0] for i in near]
        kept += near
        waiting = [i for i in waiting if i not in near]
    return kept


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
