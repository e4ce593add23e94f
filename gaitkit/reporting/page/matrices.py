"""Cross-view matrices whose cells are coloured, and the outcomes behind each cell."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np

from gaitkit.identification.crossview import (
    CrossViewTable,
    counts_identical,
    headline_cells,
    view_columns,
    view_name,
)
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.words import condition_word
from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.printable import harmless
from gaitkit.reporting.page.inputs import Entry, GeiFile
from gaitkit.reporting.page.pictures import sheets

__all__ = ["Group", "Matrix", "MatrixCell", "MatrixRow", "camera_lines", "matrices", "outcomes"]


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


class Group(NamedTuple):
    """The matrices of one probe set, and what it is called."""

    word: str
    matrices: list[Matrix]


def matrices(entries: Sequence[Entry]) -> list[Group]:
    """The matrices of each probe set, one for each result.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    first = entries[0].result
    return [
        Group(
            condition_word(first, name),
            [
                _matrix(entry.result, f"{condition_word(first, name)} · {entry.title}", index, name)
                for index, entry in enumerate(entries)
            ],
        )
        for name in first.tables
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
                word = condition_word(entry.result, name)
                lines.append(f"{word} · {entry.title}, by the probe's camera (probes): {told}.")
    return lines


def _cell(table: CrossViewTable, row: int, column: int, counted: bool) -> MatrixCell | None:
    """A cell; one of equal views stands apart unless these are `counted` in the means."""
    rate, count = float(table.rate[row, column]), int(table.probes[row, column])
    if count == 0 or isnan(rate):
        return None
    gallery, probe = _degrees(table.gallery_views[row]), _degrees(table.probe_views[column])
    told = f"gallery {gallery}, probe {probe}: {rate:.1f} % of {count} probe{'s'[: count != 1]}"
    apart = bool(table.identical[row, column]) and not counted
    return MatrixCell(_rate(rate), f"{rate:.1f}", told, apart)


def outcomes(entries: Sequence[Entry], files: Sequence[GeiFile] = ()) -> dict[str, Any]:
    """Every probe's outcome against every gallery view, for the page's script.

    Parameters
    ----------
    entries : sequence of Entry
        Results of the same sequences.
    files : sequence of GeiFile
        The page's images.

    Returns
    -------
    dict
        JSON-able: ``walks`` (names), ``people`` (names), ``rows`` (of each sequence that was
        searched or named: its walk, person and view), ``gallery`` and ``probe`` (views),
        ``probes`` (row and column of each), ``sets`` (their indices by probe set), ``counted``
        (the cells of the headline), per result the named row, the rank of the true person and the
        distance, and ``sheets`` (see `gaitkit.reporting.page.pictures`).
    """
    first = entries[0].result
    rows: dict[SequenceKey, int] = {}
    probes = [
        [
            rows.setdefault(first.labels.key(row), len(rows))
            for row in first.matches.probe_rows.tolist()
        ],
        view_columns(first.probe_views, first.matches.probe_views).tolist(),
    ]
    results = [_outcome(entry.result, rows) for entry in entries]
    walks: dict[str, int] = {}
    people: dict[str, int] = {}
    told: list[list[Any]] = [[], [], []]
    for key in rows:
        walk = f"{key.subject} {sequence_name(key.condition, key.take)}"
        told[0].append(walks.setdefault(walk, len(walks)))
        told[1].append(people.setdefault(key.subject, len(people)))
        told[2].append("" if key.view is None else format_view(key.view))
    return {
        # As the page shows them: a person that is chosen there is looked up here.
        "walks": list(map(harmless, walks)),
        "people": list(map(harmless, people)),
        "rows": told,
        "gallery": [view_name(view) for view in first.gallery_views.tolist()],
        "probe": [view_name(view) for view in first.probe_views.tolist()],
        "probes": probes,
        "sets": {
            name: np.flatnonzero(member[first.matches.probe_rows]).tolist()
            for name, member in first.split.probes.items()
        },
        "counted": headline_cells(
            first.gallery_views,
            first.probe_views,
            identical_view=first.protocol.identical_view,
        ).tolist(),
        "results": results,
        "sheets": sheets(list(rows), files),
    }


def _outcome(result: EvaluationResult, rows: dict[SequenceKey, int]) -> dict[str, Any]:
    """One result's outcomes; results side by side have the same probes in the same order."""
    matches = result.matches
    named = np.unique(matches.nearest_row)
    # The last one is that of -1: nobody.
    numbers = np.full(len(result.labels) + 1, -1)
    for row in named[named >= 0].tolist():
        numbers[row] = rows.setdefault(result.labels.key(row), len(rows))
    return {
        "named": numbers[matches.nearest_row].T.tolist(),
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
