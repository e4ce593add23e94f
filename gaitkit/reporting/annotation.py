"""Names on a video: a box around each person, with who it is and how far that is.

Colours are those of Okabe and Ito, which people of any colour vision tell apart; beside the colour
each box has its name. Somebody unknown is grey, and the line of their box is broken: nobody is to
take a nearest stranger for a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.printable import fitted, printable
from gaitkit.reporting.fonts import drawable, load_font

__all__ = ["COLOURS", "UNKNOWN", "Mark", "annotated", "annotated_frames", "colours_of"]

COLOURS: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Red, green and blue, 0 to 255, of known people.

M. Okabe and K. Ito, "Color universal design", 2008. Their black is left to the ground of texts.
"""

UNKNOWN: tuple[int, int, int] = (160, 160, 160)
"""The grey of everybody else."""

_LETTERS = 28
_TEXT_SHARE, _SMALLEST_PX, _LARGEST_PX = 0.035, 12, 48
_LINE_SHARE = 0.004
_DASH = 6
_LIGHT = 0.179
"""Relative luminance (WCAG 2.1) above which black has more contrast than white."""


class Mark(NamedTuple):
    """One person in one frame.

    Attributes
    ----------
    box : tuple of int
        Left, top, width and height, pixels; it may reach beyond the frame.
    name : str or None
        Who it is; `None` for somebody unknown.
    distance : float or None
        To the nearest of the gallery; `None` where nothing is to be said.
    """

    box: tuple[int, int, int, int]
    name: str | None
    distance: float | None = None

    @property
    def text(self) -> str:
        """What stands at the box.

        Examples
        --------
        >>> Mark((0, 0, 9, 9), "ann", 812.25).text, Mark((0, 0, 9, 9), None).text
        ('ann 812', 'unknown')
        """
        name = "unknown" if self.name is None else fitted(printable(self.name), _LETTERS)
        if self.distance is None:
            return name
        short = f"{self.distance:.0f}" if self.distance >= 100 else f"{self.distance:.3g}"
        return f"{name} {short}"


def colours_of(names: Iterable[str | None]) -> dict[str | None, tuple[int, int, int]]:
    """A colour for each name, the same in every frame: in the order of the names.

    Examples
    --------
    >>> colours_of(["bob", None, "ann", "bob"])
    {None: (160, 160, 160), 'ann': (230, 159, 0), 'bob': (86, 180, 233)}
    """
    known = sorted({name for name in names if name is not None})
    given: dict[str | None, tuple[int, int, int]] = {None: UNKNOWN}
    return given | {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(known)}


def annotated(
    frame: NDArray[np.uint8],
    marks: Sequence[Mark],
    colours: Mapping[str | None, tuple[int, int, int]] | None = None,
) -> NDArray[np.uint8]:
    """A frame with its people marked.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width, 3) or (height, width)
        Red, green and blue, or grey; it stays as it is.
    marks : sequence of Mark
        Who is where.
    colours : mapping, optional
        From `colours_of`; by default of the names in this frame.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green and blue. Texts stand on a ground of the box's colour, above it or, where there
        is no room, within.

    Raises
    ------
    OptionError
        The frame is no picture of bytes.

    Examples
    --------
    >>> frame = annotated(np.zeros((60, 80), np.uint8), [Mark((20, 20, 30, 30), "ann", 8.0)])
    >>> frame.shape, frame[49, 35].tolist()
    ((60, 80, 3), [230, 159, 0])
    """
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)):
        raise OptionError(
            f"A frame is uint8 of (height, width, 3) or (height, width); got {frame.dtype} of "
            f"{frame.shape}."
        )
    out = np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame.copy()
    chosen = colours_of(mark.name for mark in marks) if colours is None else colours
    for mark in marks:
        colour = np.array(chosen.get(mark.name, UNKNOWN), dtype=np.uint8)
        _draw_box(out, mark.box, colour, broken=mark.name is None)
        _draw_text(out, mark, colour)
    return out


def annotated_frames(
    frames: Iterable[NDArray[np.uint8]], marks: Mapping[int, Sequence[Mark]]
) -> Iterator[NDArray[np.uint8]]:
    """A whole video, frame by frame; memory does not grow with its length.

    Parameters
    ----------
    frames : iterable of ndarray of uint8
        As for `annotated`, in order of time.
    marks : mapping of int to sequence of Mark
        For each number of a frame, counted from 0, who is where in it.

    Yields
    ------
    ndarray of uint8, shape (height, width, 3)
    """
    colours = colours_of(mark.name for some in marks.values() for mark in some)
    for number, frame in enumerate(frames):
        yield annotated(frame, marks.get(number, ()), colours)


def _draw_box(
    out: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    colour: NDArray[np.uint8],
    *,
    broken: bool,
) -> None:
    height, width = out.shape[:2]
    left, top, across, down = box
    thick = max(2, round(_LINE_SHARE * height))
    rows = np.arange(max(0, top), min(height, top + down))
    columns = np.arange(max(0, left), min(width, left + across))
    if broken:
        dash = _DASH * thick
        rows = rows[((rows - top) // dash) % 2 == 0]
        columns = columns[((columns - left) // dash) % 2 == 0]
    for line in range(thick):
        for column in (left + line, left + across - 1 - line):
            if 0 <= column < width:
                out[rows, column] = colour
        for row in (top + line, top + down - 1 - line):
            if 0 <= row < height:
                out[row, columns] = colour


def _draw_text(out: NDArray[np.uint8], mark: Mark, colour: NDArray[np.uint8]) -> None:
    mask = _text_mask(mark.text, _text_size(out.shape[0]))
    height, width = out.shape[:2]
    left, top, *_ = mark.box
    down, across = min(mask.shape[0], height), min(mask.shape[1], width)
    # Above the box; at the upper edge within it; never beyond the frame.
    row = top - down if top >= down else top
    row, column = max(0, min(row, height - down)), max(0, min(left, width - across))
    ink = 0 if _luminance(colour) > _LIGHT else 255
    share = mask[:down, :across, None].astype(np.float64) / 255.0
    drawn = np.round((1.0 - share) * colour + share * ink)
    out[row : row + down, column : column + across] = drawn.astype(np.uint8)


def _luminance(colour: NDArray[np.uint8]) -> float:
    share = colour / 255.0
    linear = np.where(share <= 0.03928, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _text_size(height_px: int) -> int:
    return max(_SMALLEST_PX, min(_LARGEST_PX, round(_TEXT_SHARE * height_px)))


def _text_mask(text: str, size_px: int) -> NDArray[np.uint8]:
    """A line of text, 255 where there is ink, with a margin around it."""
    from PIL import Image, ImageDraw

    drawn = drawable(text)
    font = load_font(drawn.font, size_px)
    left, _, right, _ = font.getbbox(drawn.text)
    ascent, descent = font.getmetrics()
    margin = max(2, size_px // 6)
    size = (max(1, int(right - left)) + 2 * margin, ascent + descent + margin)
    picture = Image.new("L", size, 0)
    place = (margin - left, margin // 2)
    ImageDraw.Draw(picture).text(place, drawn.text, fill=255, font=font)
    return np.asarray(picture, dtype=np.uint8)
