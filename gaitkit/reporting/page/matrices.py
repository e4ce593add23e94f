"""Cross-view matrices whose cells are coloured, and the outcomes behind each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import Labels, format_view, sequence_name
from gaitkit.reporting.page.inputs import Entry

__all__ = ["Matrix", "MatrixCell", "MatrixRow", "matrices", "outcomes"]


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
            _matrix(entry.result.tables[name], f"{name} · {entry.title}", index, name)
            for index, entry in enumerate(entries)
        ]
        for name in entries[0].result.tables
    ]


def _matrix(table: CrossViewTable, caption: str, entry: int, probe_set: str) -> Matrix:
    gallery_views, probe_views = table.gallery_views.tolist(), table.probe_views.tolist()
    per_probe, per_gallery = table.per_probe_view(), table.per_gallery_view()
    rows = [
        MatrixRow(
            _degrees(view),
            [_cell(table, row, column) for column in range(len(probe_views))],
            _rate(per_gallery[view]),
        )
        for row, view in enumerate(gallery_views)
    ]
    return Matrix(
        caption,
        entry,
        probe_set,
        [_degrees(view) for view in probe_views],
        rows,
        [_rate(per_probe[view]) for view in probe_views],
        _rate(table.mean_excluding_identical),
    )


def _cell(table: CrossViewTable, row: int, column: int) -> MatrixCell | None:
    rate, count = float(table.rate[row, column]), int(table.probes[row, column])
    if count == 0 or isnan(rate):
        return None
    gallery, probe = _degrees(table.gallery_views[row]), _degrees(table.probe_views[column])
    told = f"gallery {gallery}°, probe {probe}°: {rate:.1f} % of {count} probes"
    return MatrixCell(_rate(rate), f"{rate:.1f}", told, bool(table.identical[row, column]))


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

    probe_views = first.probe_views.tolist()
    rows = first.matches.probe_rows.tolist()
    probes = [[walk(first.labels, row) for row in rows]]
    probes.append([probe_views.index(view) for view in first.matches.probe_views.tolist()])
    results = [_outcome(entry.result, walk) for entry in entries]
    return {
        "walks": list(names),
        "gallery": [_degrees(view) for view in first.gallery_views],
        "probe": [_degrees(view) for view in probe_views],
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
    return format_view(float(view))


def _rate(value: float | None) -> str:
    if value is None or isnan(value):
        return "–"
    # "100.0" would not fit into a cell on a phone.
    return "100" if value >= 99.95 else f"{value:.1f}"
