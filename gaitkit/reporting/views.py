"""The picture of each kind of artefact."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.results import EvaluationResult, read_results
from gaitkit.labels import format_view, sequence_name
from gaitkit.printable import counted, printable
from gaitkit.reporting.figures import rank1_heat_maps
from gaitkit.reporting.sheet import contact_sheet, grey_picture, spread_evenly

__all__ = ["gei_picture", "gei_sheet", "matrix_figure", "silhouette_sheet"]


def gei_sheet(
    artifact: Artifact, chosen: NDArray[np.intp], *, max_rows: int
) -> tuple[NDArray[np.uint8], int]:
    """Draw GEIs: views across, sequences (subject and take) down.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``gei``.
    chosen : ndarray of int, shape (n,)
        Rows of the artefact to show.
    max_rows : int
        The most rows of the sheet.

    Returns
    -------
    sheet : ndarray of uint8
        The picture.
    left_out : int
        How many rows of the sheet `max_rows` cut off.
    """
    labels = artifact.labels
    columns = sorted({format_view(labels.key(int(row)).view) for row in chosen})
    lines: dict[tuple[str, str], dict[str, int]] = {}
    for row in chosen:
        key = labels.key(int(row))
        name = (key.subject, sequence_name(key.condition, key.take))
        lines.setdefault(name, {})[format_view(key.view)] = int(row)
    shown = list(lines.items())[:max_rows]
    cells = [
        [gei_picture(artifact, line[view]) if view in line else None for view in columns]
        for _, line in shown
    ]
    translated = "translated GEIs" if artifact.dtype("gei").kind == "f" else "GEIs"
    sheet = contact_sheet(
        cells,
        rows=[_drawn(f"{subject} {sequence}") for (subject, sequence), _ in shown],
        columns=columns,
        title=f"{_drawn(artifact.dataset)}: {translated}, views across, sequences down",
    )
    return sheet, len(lines) - len(shown)


def gei_picture(artifact: Artifact, row: int) -> NDArray[np.uint8]:
    """One GEI of an artefact as a picture, shape (height, width)."""
    return grey_picture(artifact.read_rows("gei", row, row + 1)[0])


def silhouette_sheet(
    artifact: Artifact, chosen: NDArray[np.intp], *, max_rows: int, frames: int
) -> tuple[NDArray[np.uint8], int]:
    """Draw silhouettes: frames spread evenly over the sequence across, sequences down.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``silhouettes``.
    chosen : ndarray of int, shape (n,)
        Rows of the artefact to show.
    max_rows : int
        The most rows of the sheet.
    frames : int
        The most silhouettes of each sequence.

    Returns
    -------
    sheet : ndarray of uint8, shape (height, width)
        The picture.
    left_out : int
        How many sequences `max_rows` cut off.
    """
    starts, lengths = artifact.read("start"), artifact.read("length")
    cells: list[list[NDArray[np.uint8] | None]] = []
    names = []
    for row in chosen[:max_rows]:
        length = int(lengths[row])
        picks = spread_evenly(length, frames)
        block = artifact.read_rows("frames", int(starts[row]), int(starts[row]) + length)
        images: list[NDArray[np.uint8] | None] = [block[pick] for pick in picks]
        cells.append(images + [None] * (frames - len(images)))
        names.append(f"{_drawn(str(artifact.labels.key(int(row))))}, {counted(length, 'frame')}")
    sheet = contact_sheet(
        cells,
        rows=names,
        columns=[""] * frames,
        title=f"{_drawn(artifact.dataset)}: normalised silhouettes, frames spread over the "
        "sequence",
    )
    return sheet, max(0, len(chosen) - max_rows)


def matrix_figure(path: str | Path) -> NDArray[np.uint8]:
    """Draw the cross-view matrices of every result of an evaluation, one row of them each.

    Parameters
    ----------
    path : str or Path
        An `identification` artefact.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB; above each matrix its mean, with the 95 % interval where it is known.
    """
    return np.concatenate(
        [
            rank1_heat_maps(
                {_panel_title(result, name): table.rate for name, table in result.tables.items()},
                [f"{view:g}" for view in result.gallery_views],
                [f"{view:g}" for view in result.probe_views],
                f"Rank-1, per cent: {_drawn(result.dataset)}, {result.protocol.name}, "
                f"{_drawn(result.feature)}, {result.metric}",
            )
            for result in read_results(Path(path))
        ]
    )


def _drawn(name: str) -> str:
    """A name in a picture: fonts have no control characters, and a picture no endless width."""
    return printable(name, 80)


def _panel_title(result: EvaluationResult, name: str) -> str:
    figure = rank1_of(result, name)
    if figure is None or isnan(figure.estimate):
        return name
    interval = "" if isnan(figure.low) else f" ({figure.low:.1f} to {figure.high:.1f})"
    return f"{name}: {figure.estimate:.1f}{interval}"
