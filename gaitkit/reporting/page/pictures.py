"""Small pictures of all walks that were searched or named, for a reader who clicks on one."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from gaitkit.labels import SequenceKey
from gaitkit.reporting.page.inputs import GeiFile

__all__ = ["sheets"]

_MOST_PIXELS = 8_000_000
"""Of all sheets of a page together: some megabytes of it."""

_SMALLEST_PX = 24
_MOST_SHEETS = 2
_COLUMNS = 64
_BLOCK_PX = 8
_QUALITY = 75


def sheets(keys: Sequence[SequenceKey], files: Sequence[GeiFile]) -> list[dict[str, Any]]:
    """One sheet of pictures for each artefact, measured ones first.

    Parameters
    ----------
    keys : sequence of SequenceKey
        Whom to show.
    files : sequence of GeiFile
        The page's images; two of them at most are shown.

    Returns
    -------
    list of dict
        JSON-able: ``title``, ``source`` (a data URL), ``width`` and ``height`` of a picture in it,
        pictures in a row (``columns``), and the place of each key's own (``places``), -1 where it
        has none. Empty where there are so many that nothing would be seen in them.
    """
    shown = sorted(files, key=lambda file: file.translation is not None)[:_MOST_SHEETS]
    found = [[at for at, key in enumerate(keys) if key in file.rows] for file in shown]
    pairs = [pair for pair in zip(shown, found, strict=True) if pair[1]]
    made = [_sheet(file, keys, places, _MOST_PIXELS // len(pairs)) for file, places in pairs]
    return [sheet for sheet in made if sheet is not None]


def _sheet(
    file: GeiFile, keys: Sequence[SequenceKey], shown: Sequence[int], pixels: int
) -> dict[str, Any] | None:
    from PIL import Image

    height, width = file.images.shape[1:]
    scale = min(1.0, sqrt(pixels / (len(shown) * height * width)))
    if scale * min(height, width) < min(_SMALLEST_PX, height, width):
        return None
    # Whole blocks of the compression: no picture spoils its neighbour's border.
    tall, wide = (
        max(_BLOCK_PX, int(side * scale) // _BLOCK_PX * _BLOCK_PX) for side in (height, width)
    )
    columns = min(_COLUMNS, len(shown))
    sheet = np.zeros((-(-len(shown) // columns) * tall, columns * wide), dtype=np.uint8)
    for place, at in enumerate(shown):
        image = file.image(keys[at])
        assert image is not None
        row, column = place // columns * tall, place % columns * wide
        small = Image.fromarray(image).resize((wide, tall), Image.Resampling.BOX)
        sheet[row : row + tall, column : column + wide] = np.asarray(small)
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, format="JPEG", quality=_QUALITY, optimize=True)
    places = np.full(len(keys), -1)
    places[np.asarray(shown)] = np.arange(len(shown))
    return {
        "title": file.title,
        "source": f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}",
        "width": wide,
        "height": tall,
        "columns": columns,
        "places": places.tolist(),
    }
