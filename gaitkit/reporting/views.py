"""The picture of each kind of artefact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.identification.results import read_results
from gaitkit.labels import format_view, sequence_name
from gaitkit.reporting.figures import rank1_heat_maps
from gaitkit.reporting.sheet import contact_sheet

__all__ = ["gei_sheet", "matrix_figure", "silhouette_sheet"]


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
        [_grey(artifact, line[view]) if view in line else None for view in columns]
        for _, line in shown
    ]
    translated = "translated GEIs" if artifact.dtype("gei").kind == "f" else "GEIs"
    sheet = contact_sheet(
        cells,
        rows=[f"{subject} {sequence}" for (subject, sequence), _ in shown],
        columns=columns,
        title=f"{artifact.dataset}: {translated}, views across, sequences down",
    )
    return sheet, len(lines) - len(shown)


def _grey(artifact: Artifact, row: int) -> NDArray[np.uint8]:
    image = artifact.read_rows("gei", row, row + 1)[0]
    grey: NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return grey


def silhouette_sheet(
    artifact: Artifact, chosen: NDArray[np.intp], *, max_rows: int, frames: int
) -> tuple[NDArray[np.uint8], int]:
    """Draw silhouettes: frames spread evenly over the sequence across, sequences down."""
    starts, lengths = artifact.read("start"), artifact.read("length")
    cells: list[list[NDArray[np.uint8] | None]] = []
    names = []
    for row in chosen[:max_rows]:
        length = int(lengths[row])
        picks = np.unique(np.linspace(0, length - 1, min(frames, length)).round().astype(int))
        block = artifact.read_rows("frames", int(starts[row]), int(starts[row]) + length)
        images: list[NDArray[np.uint8] | None] = [block[pick] for pick in picks]
        cells.append(images + [None] * (frames - len(images)))
        names.append(f"{artifact.labels.key(int(row))}, {length} frames")
    sheet = contact_sheet(
        cells,
        rows=names,
        columns=[""] * frames,
        title=f"{artifact.dataset}: normalised silhouettes, frames spread over the sequence",
    )
    return sheet, max(0, len(chosen) - max_rows)


def matrix_figure(path: Path) -> NDArray[np.uint8]:
    """Draw the cross-view matrices of the first result of an evaluation."""
    first = read_results(path)[0]
    return rank1_heat_maps(
        {name: table.rate for name, table in first.tables.items()},
        [f"{view:g}" for view in first.gallery_views],
        [f"{view:g}" for view in first.probe_views],
        f"Rank-1, per cent: {first.dataset}, {first.protocol.name}, {first.feature}, "
        f"{first.metric}",
    )
