"""Cross-view matrices as tables whose cells are coloured, and the outcomes behind each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan
from typing import Any

import numpy as np

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import Labels, format_view, sequence_name
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag

__all__ = ["matrix_table", "outcomes"]


def matrix_table(table: CrossViewTable, *, caption: str, entry: int, probe_set: str) -> Html:
    """One matrix, gallery views down, probe views across, with its means.

    Parameters
    ----------
    table : CrossViewTable
        Rates.
    caption : str
        Whose they are.
    entry : int
        Index of the result, for the script that shows a cell's probes.
    probe_set : str
        Name of the probe set, likewise.

    Returns
    -------
    Html
        A figure; below the table is an empty place for the probes of a chosen cell.
    """
    probe_views = [float(view) for view in table.probe_views]
    per_probe, per_gallery = table.per_probe_view(), table.per_gallery_view()
    head = tag(
        "tr",
        tag("th", _abbreviated("g\\p", "gallery view down, probe view across")),
        [tag("th", _degrees(view), scope="col") for view in probe_views],
        tag("th", "mean", scope="col"),
    )
    body = []
    for row, gallery_view in enumerate(map(float, table.gallery_views)):
        cells = [
            _cell(table, row, column, entry=entry, probe_set=probe_set)
            for column in range(len(probe_views))
        ]
        mean = tag("td", _rate(per_gallery[gallery_view]), class_="mean")
        body.append(tag("tr", tag("th", _degrees(gallery_view), scope="row"), cells, mean))
    means = [tag("td", _rate(per_probe[view]), class_="mean") for view in probe_views]
    overall = tag("td", tag("b", _rate(table.mean_excluding_identical)), class_="mean")
    body.append(tag("tr", tag("th", "mean", scope="row"), means, overall))
    return tag(
        "figure",
        tag("figcaption", caption),
        tag(
            "table",
            tag("thead", head),
            tag("tbody", body),
            class_="matrix",
            style=f"--columns:{len(probe_views) + 2}",
        ),
        tag("div", class_="outcomes", aria_live="polite"),
        class_="matrix-figure",
    )


def _cell(table: CrossViewTable, row: int, column: int, *, entry: int, probe_set: str) -> Html:
    rate, count = float(table.rate[row, column]), int(table.probes[row, column])
    if count == 0 or isnan(rate):
        return tag("td", "–", class_="empty")
    gallery, probe = _degrees(table.gallery_views[row]), _degrees(table.probe_views[column])
    told = f"gallery {gallery}°, probe {probe}°: {rate:.1f} % of {count} probes"
    button = tag(
        "button",
        _rate(rate),
        type="button",
        tabindex="-1" if row or column else "0",
        title=told,
        aria_label=told,
        data_entry=entry,
        data_set=probe_set,
        data_gallery=row,
        data_probe=column,
    )
    same = "same" if table.identical[row, column] else None
    return tag("td", button, class_=same, style=f"--rate:{rate:.1f}%")


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


def _abbreviated(short: str, long: str) -> Html:
    return tag("abbr", short, title=long)
