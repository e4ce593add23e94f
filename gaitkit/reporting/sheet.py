"""Labelled contact sheets: small images in a grid, with the names of rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.outputs import Output
from gaitkit.printable import counted
from gaitkit.reporting.fonts import drawable, load_font, tell_escaped

if TYPE_CHECKING:
    from PIL import ImageFont

__all__ = ["contact_sheet", "grey_picture", "save_png", "spread_evenly"]

_PAPER, _INK, _EMPTY = 255, 20, 225
_FONT_PX = 13
_GAP_PX, _GROUP_GAP_PX, _MARGIN_PX = 4, 8, 12


def contact_sheet(
    cells: Sequence[Sequence[NDArray[np.uint8] | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    cell_px: int = 72,
    together: int = 1,
) -> NDArray[np.uint8]:
    """Draw images in a labelled grid.

    Parameters
    ----------
    cells : sequence of sequence of ndarray of uint8, shape (height, width), or None
        Grey images, one list per row; `None` leaves a cell empty, which is shown as a pale box.
    rows, columns : sequence of str
        Names beside the rows and above the columns.
    title : str
        One line above all.
    cell_px : int
        The longer side of a cell, pixels; images are scaled to it without changing their shape.
    together : int
        Rows that belong together: between such groups is a wider gap.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        The sheet, dark text on white.

    Raises
    ------
    OptionError
        The cells do not match the names.

    Examples
    --------
    >>> walker = np.full((64, 64), 200, dtype=np.uint8)
    >>> sheet = contact_sheet([[walker, None]], rows=["001 nm-01"], columns=["054", "090"])
    >>> sheet.dtype, sheet.ndim
    (dtype('uint8'), 2)
    """
    from PIL import Image, ImageDraw

    if len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        lengths = sorted({len(row) for row in cells})
        raise OptionError(
            f"`cells` must be {counted(len(rows), 'row')} of {counted(len(columns), 'image')}, as "
            f"there are names; got {counted(len(cells), 'row')} of "
            f"{' or '.join(map(str, lengths)) or 'no'} images.",
            hint="Give a name in `rows` and `columns` for each; `None` leaves a cell empty.",
        )
    drawn = {name: drawable(name) for name in (title, *rows, *columns)}
    tell_escaped(drawn)

    def font_of(name: str) -> ImageFont.FreeTypeFont:
        return load_font(drawn[name].font, _FONT_PX)

    def length(name: str) -> int:
        return math.ceil(font_of(name).getlength(drawn[name].text))

    height, width = _cell_shape(cells, cell_px)
    left = _MARGIN_PX + max(map(length, rows), default=0) + 8
    top = _MARGIN_PX + (24 if title else 0) + 20
    text_px = length(title)
    sheet_width = max(left + len(columns) * (width + _GAP_PX), text_px + _MARGIN_PX) + _MARGIN_PX
    tops = [
        top + row * (height + _GAP_PX) + (row // together) * (_GROUP_GAP_PX if together > 1 else 0)
        for row in range(len(rows) + 1)
    ]
    sheet_height = tops[-1] + _MARGIN_PX
    sheet = Image.new("L", (sheet_width, sheet_height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, _MARGIN_PX), drawn[title].text, fill=_INK, font=font_of(title))
    for column, name in enumerate(columns):
        x = left + column * (width + _GAP_PX) + width // 2
        draw.text((x, top - 4), drawn[name].text, fill=_INK, font=font_of(name), anchor="md")
    for row, (name, images) in enumerate(zip(rows, cells, strict=True)):
        y = tops[row]
        place = (left - 8, y + height // 2)
        draw.text(place, drawn[name].text, fill=_INK, font=font_of(name), anchor="rm")
        for column, image in enumerate(images):
            x = left + column * (width + _GAP_PX)
            if image is None:
                draw.rectangle((x, y, x + width - 1, y + height - 1), outline=_EMPTY)
                continue
            scale = min(width / image.shape[1], height / image.shape[0])
            size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
            picture = Image.fromarray(np.ascontiguousarray(image)).resize(size)
            sheet.paste(picture, (x + (width - size[0]) // 2, y + (height - size[1]) // 2))
    return np.asarray(sheet, dtype=np.uint8)


def _cell_shape(
    cells: Sequence[Sequence[NDArray[np.uint8] | None]], cell_px: int
) -> tuple[int, int]:
    shapes = [image.shape for row in cells for image in row if image is not None]
    if not shapes:
        return cell_px, cell_px
    height = max(shape[0] for shape in shapes)
    width = max(shape[1] for shape in shapes)
    scale = cell_px / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def grey_picture(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values as a picture: rounded, and cut off at 0 and 255.

    Parameters
    ----------
    values : ndarray of any number type, shape (...)
        Grey values, 0 to 255 where they are GEIs; NaN becomes 0.

    Returns
    -------
    ndarray of uint8, shape (...)

    Examples
    --------
    >>> grey_picture(np.array([-3.0, 99.6, 300.0, np.nan]))
    array([  0, 100, 255,   0], dtype=uint8)
    """
    picture: NDArray[np.uint8] = np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)
    return picture


def spread_evenly(count: int, most: int) -> list[int]:
    """Indices of a few of several items, the first and the last among them.

    Parameters
    ----------
    count : int
        How many items there are.
    most : int
        The most of them to take.

    Examples
    --------
    >>> spread_evenly(11, 3), spread_evenly(2, 3)
    ([0, 5, 10], [0, 1])
    """
    picks: list[int] = np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()
    return sorted(set(picks))


def save_png(path: str | Path | Output, image: NDArray[Any], *, overwrite: bool = True) -> None:
    """Write a grey or RGB image, aside first and under its name when whole.

    Parameters
    ----------
    path : str, Path or Output
        The file, or the claim on it that the caller holds.
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
        The picture.
    overwrite : bool
        Replace another picture of that name; an equal one is left in any case.

    Raises
    ------
    OutputError
        The file exists or cannot be written.
    """
    from PIL import Image

    claim = (
        path
        if isinstance(path, Output)
        else Output(path, overwrite=overwrite, other_than_artefact=("a picture", "sheet.png"))
    )
    with nullcontext() if claim is path else claim, claim.writing() as file:
        Image.fromarray(image).save(file, format="PNG")
