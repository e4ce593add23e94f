"""Cross-view matrices whose cells are coloured, and the outcomes behind each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np

from gaitkit.identification.crossview import (
    CrossViewTable,
    counts_identical,
    view_columns,
    view_name,
)
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import Labels, sequence_name
from gaitkit.reporting.page.inputs import Entry

__all__ = ["Matrix", "MatrixCell", "MatrixRow", "camera_lines", "matrices", "outcomes"]


class MatrixCell(NamedTuple):
    """A cell: its rate as text and in per cent, what it tells, and whether its views are equal."""

    rate: str
    per_cent: str
    told: str
    identical: bool


class MatrixRow(NamedTuple):
    """A gallery view, its cells (`None` where there are no probes) and their mean."""

    view: str
    cells: list[MatrixCell | None]
    mean: str


class Matrix(NamedTuple):
    """One matrix, gallery views down, probe views across, with its means.

    `entry` and `probe_set` tell the page's script whose probes to show when a cell is chosen.
    """

    caption: str
    entry: int
    probe_set: str
    probe_views: list[str]
    rows: list[MatrixRow]
    means: list[str]
    mean: str


def matrices(entries: Sequence[Entry]) -> list[list[Matrix]]:
    """The matrices of each probe set, one for each result.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    return [
        [
            _matrix(entry.result, f"{name} · {entry.title}", index, name)
            for index, entry in enumerate(entries)
        ]
        for name in entries[0].result.tables
    ]


def _matrix(result: EvaluationResult, caption: str, entry: int, probe_set: str) -> Matrix:
    table, identical_view = result.tables[probe_set], result.protocol.identical_view
    gallery_views, probe_views = table.gallery_views.tolist(), table.probe_views.tolist()
    counted = counts_identical(
        table.gallery_views, table.probe_views, identical_view=identical_view
    )
    per_probe = table.per_probe_view(identical_view=counted).values()
    per_gallery = list(table.per_gallery_view(identical_view=counted).values())
    rows = [
        MatrixRow(
            view_name(view),
            [_cell(table, row, column, counted) for column in range(len(probe_views))],
            _rate(per_gallery[row]),
        )
        for row, view in enumerate(gallery_views)
    ]
    return Matrix(
        caption,
        entry,
        probe_set,
        [view_name(view) for view in probe_views],
        rows,
        list(map(_rate, per_probe)),
        _rate(table.headline(identical_view=identical_view)),
    )


def camera_lines(entries: Sequence[Entry]) -> list[str]:
    """Rank-1 by the probe's camera, one line per probe set and result; none without cameras."""
    lines = []
    for entry in entries:
        for name in entry.result.tables:
            cameras = entry.result.by_camera(name)
            told = ", ".join(
                f"{key} {rate:.1f} ({count})" for key, (rate, count) in cameras.items()
            )
            if told:
                lines.append(f"{name} · {entry.title}, by the probe's camera (probes): {told}.")
    return lines


def _cell(table: CrossViewTable, row: int, column: int, counted: bool) -> MatrixCell | None:
    """A cell; one of equal views stands apart unless these are `counted` in the means."""
    rate, count = float(table.rate[row, column]), int(table.probes[row, column])
    if count == 0 or isnan(rate):
        return None
    gallery, probe = _degrees(table.gallery_views[row]), _degrees(table.probe_views[column])
    told = f"gallery {gallery}, probe {probe}: {rate:.1f} % of {count} probes"
    apart = bool(table.identical[row, column]) and not counted
    return MatrixCell(_rate(rate), f"{rate:.1f}", told, apart)


def outcomes(entries: Sequence[Entry]) -> dict[str, Any]:
    """Every probe's outcome against every gallery view, for the page's script.

    Parameters
    ----------
    entries : sequence of Entry
        Results of the same sequences.

    Returns
    -------
    dict
        JSON-able: ``walks`` (names), ``gallery`` and ``probe`` (views), ``probes`` (walk and view
        of each), ``sets`` (their indices by probe set) and per result the named walk, the rank of
        the true person and the distance.
    """
    first = entries[0].result
    names: dict[str, int] = {}

    def walk(labels: Labels, row: int) -> int:
        key = labels.key(row)
        name = f"{key.subject} {sequence_name(key.condition, key.take)}"
        return names.setdefault(name, len(names))

    rows = first.matches.probe_rows.tolist()
    probes = [[walk(first.labels, row) for row in rows]]
    probes.append(view_columns(first.probe_views, first.matches.probe_views).tolist())
    results = [_outcome(entry.result, walk) for entry in entries]
    return {
        "walks": list(names),
        "gallery": [view_name(view) for view in first.gallery_views.tolist()],
        "probe": [view_name(view) for view in first.probe_views.tolist()],
        "probes": probes,
        "sets": {
            name: np.flatnonzero(member[first.matches.probe_rows]).tolist()
            for name, member in first.split.probes.items()
        },
        "results": results,
    }


def _outcome(result: EvaluationResult, walk: Callable[[Labels, int], int]) -> dict[str, Any]:
    """One result's outcomes; results side by side have the same probes in the same order."""
    matches = result.matches
    return {
        "named": [
            [walk(result.labels, row) if row >= 0 else -1 for row in column]
            for column in matches.nearest_row.T.tolist()
        ],
        "rank": matches.rank.T.tolist(),
        "distance": [
            [float(f"{value:.4g}") if isfinite(value) else None for value in column]
            for column in matches.distance.T.tolist()
        ],
    }


def _degrees(view: float) -> str:
    return view_name(view) if isnan(view) else f"{view_name(view)}°"


def _rate(value: float | None) -> str:
    if value is None or isnan(value):
        return "–"
    # "100.0" would not fit into a cell on a phone.
    return "100" if value >= 99.95 else f"{value:.1f}"
