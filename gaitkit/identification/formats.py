"""Results for other programs: JSON, one long CSV table, Markdown, LaTeX.

JSON and CSV hold every figure, unrounded; CSV has one a line. Markdown and LaTeX are for a README
and a paper: one decimal, the best of each column in bold, then the cross-view matrices. Names have
no control characters in any of them: JSON escapes them as JSON does and keeps their value, the
others show the escape.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import (
    CrossViewTable,
    counts_identical,
    headline_cells,
    view_name,
)
from gaitkit.identification.evaluation import EvaluationResult, name_of, rank1_of
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.closed_set import FIGURES
from gaitkit.identification.figures.numbers import Numbers, figures_of
from gaitkit.identification.figures.open_set import FPIR_POINTS
from gaitkit.identification.figures.verification import FMR_POINTS
from gaitkit.printable import printable

__all__ = ["FORMATS", "csv_text", "html_text", "latex_text", "markdown_text", "to_json"]

_COLUMNS = (
    "input",
    "feature",
    "metric",
    "protocol",
    "probe_set",
    "figure",
    "gallery_view",
    "probe_view",
    "value",
    "low",
    "high",
    "probes",
)
_OF_COMPARISONS = ("EER", "FNMR", "TPIR")
"""Beginnings of the figures that are no share of the probes."""


def csv_text(results: Sequence[EvaluationResult]) -> str:
    """Every figure of some results, one a line: per cent, unrounded.

    Returns
    -------
    str
        A line of names, then one line per figure. Cells have their views and the number of their
        probes. Headline figures have their 95 % interval, and identification rates the number of
        probes that were searched, however many gallery views each was searched in. What does not
        apply is empty: an error rate of verification is of comparisons, and not of probes.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for result in results:
        head = [result.source, result.feature, result.metric, result.protocol.name]
        head = [printable(text) for text in head]
        for name, table in result.tables.items():
            first = [*head, printable(name)]
            writer.writerows([*first, *row] for row in _headline_rows(result, name))
            writer.writerows([*first, *row] for row in _cell_rows(table))
    return out.getvalue().removesuffix("\n")


def _headline_rows(result: EvaluationResult, name: str) -> Iterator[list[str]]:
    table = result.tables[name]
    probes = str(_probes_searched(table, identical_view=result.protocol.identical_view))
    if name not in result.numbers:
        rate = rank1_of(result, name)
        yield ["rank-1", "", "", *map(_plain, rate or [float("nan")] * 3), probes]
        return
    numbers = result.numbers[name]
    for label, pick, _ in figures_of([numbers]):
        of_probes = not label.startswith(_OF_COMPARISONS)
        yield [label, "", "", *map(_plain, pick(numbers)), probes if of_probes else ""]
    for label, value in (
        ("pooled rank-1", numbers.pooled_rank1),
        ("pooled rank-5", numbers.pooled_rank5),
        ("pooled rank-10", numbers.pooled_rank10),
        ("pooled mAP", numbers.pooled_mean_ap),
    ):
        yield [label, "", "", _plain(value), "", "", probes]
    for rank, value in enumerate(numbers.cmc.tolist(), start=1):
        ranked = "" if result.rank_by == "people" else f" by {result.rank_by}"
        yield [f"CMC rank {rank}{ranked}", "", "", _plain(value), "", "", probes]
    failures = numbers.failures_to_acquire
    yield ["failures to acquire", "", "", str(failures.count), "", "", str(failures.of)]


def _probes_searched(table: CrossViewTable, *, identical_view: bool) -> int:
    """How many probes a headline is of, each once: all gallery views are searched by the same."""
    counted = headline_cells(table.gallery_views, table.probe_views, identical_view=identical_view)
    return int(np.where(counted, table.probes, 0).max(axis=0, initial=0).sum())


def _cell_rows(table: CrossViewTable) -> Iterator[list[str]]:
    for row, gallery in enumerate(table.gallery_views.tolist()):
        for column, probe in enumerate(table.probe_views.tolist()):
            rate, count = float(table.rate[row, column]), int(table.probes[row, column])
            views = [view_name(view) if isnan(view) else f"{view:g}" for view in (gallery, probe)]
            yield ["rank-1", *views, _plain(rate), "", "", str(count)]


def _plain(value: float) -> str:
    return "" if isnan(value) else repr(float(value))


def markdown_text(results: Sequence[EvaluationResult]) -> str:
    """The headline of each result, then every matrix, as GitHub's Markdown."""
    return "\n\n".join(
        [
            _markdown(_headline_table(results, "**{}**".format)),
            *(
                f"{_escaped(caption, _MARKDOWN)}\n\n{_markdown(cells)}"
                for caption, cells in _matrices(results)
            ),
        ]
    )


def latex_text(results: Sequence[EvaluationResult]) -> str:
    """The same as LaTeX tables, for the package booktabs."""
    headline = "Rank-1 identification rate, per cent, with 95 % intervals over people."
    tables = [(headline, _headline_table(results, "\\textbf{{{}}}".format)), *_matrices(results)]
    return "\n\n".join(_latex(caption, cells) for caption, cells in tables)


_Cells = list[list[str]]


def _headline_table(results: Sequence[EvaluationResult], bold: Callable[[str], str]) -> _Cells:
    sets = list(dict.fromkeys(name for result in results for name in result.tables))
    columns = [[rank1_of(result, name) for result in results] for name in sets]
    lines = [["rank-1, %", *sets]]
    for index, result in enumerate(results):
        cells = [_interval(column[index], column, bold) for column in columns]
        lines.append([name_of(result), *cells])
    return lines


def _interval(
    figure: Interval | None, column: Sequence[Interval | None], bold: Callable[[str], str]
) -> str:
    if figure is None or isnan(figure.estimate):
        return "–"
    known = [other.estimate for other in column if other and not isnan(other.estimate)]
    text = f"{figure.estimate:.1f}"
    text = bold(text) if len(set(known)) > 1 and figure.estimate == max(known) else text
    return text if isnan(figure.low) else f"{text} ({figure.low:.1f}–{figure.high:.1f})"


def _matrices(results: Sequence[EvaluationResult]) -> Iterator[tuple[str, _Cells]]:
    for result in results:
        for name, table in result.tables.items():
            means = {
                "different views": "; means without equal views.",
                "all views": "; means with equal views.",
            }
            caption = (
                f"{name}: {name_of(result)}. Rank-1 in per cent; gallery view down, probe view "
                f"across{means.get(result.over, '.')}{_remarks(result)}"
            )
            yield caption, _matrix(table, identical_view=result.protocol.identical_view)


def _remarks(result: EvaluationResult) -> str:
    return "".join(f" {remark}" for remark in result.remarks())


def _matrix(table: CrossViewTable, *, identical_view: bool) -> _Cells:
    counted = counts_identical(
        table.gallery_views, table.probe_views, identical_view=identical_view
    )
    per_probe = table.per_probe_view(identical_view=counted).values()
    per_gallery = list(table.per_gallery_view(identical_view=counted).values())
    lines = [["", *map(view_name, table.probe_views.tolist()), "mean"]]
    for row, gallery in enumerate(table.gallery_views.tolist()):
        cells = [_rate(float(value)) for value in table.rate[row]]
        lines.append([view_name(gallery), *cells, _rate(per_gallery[row])])
    lines.append(
        ["mean", *map(_rate, per_probe), _rate(table.headline(identical_view=identical_view))]
    )
    return lines


def _rate(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{value:.1f}"


_MARKDOWN = {mark: f"\\{mark}" for mark in "\\`*_[]<>|#"}
_LATEX = {mark: f"\\{mark}" for mark in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "–": "--",
}


def _escaped(text: str, marks: dict[str, str]) -> str:
    return "".join(marks.get(letter, letter) for letter in printable(" ".join(text.split())))


def _markdown(cells: _Cells) -> str:
    # Only names need escaping: the cells are numbers, some of them in bold.
    head, *rows = [[_escaped(line[0], _MARKDOWN), *line[1:]] for line in cells]
    head = [_escaped(cell, _MARKDOWN) if at else cell for at, cell in enumerate(head)]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def _latex(caption: str, cells: _Cells) -> str:
    head, *rows = cells
    lines = [[_escaped(cell, _LATEX) for cell in head]]
    lines += [[_escaped(row[0], _LATEX), *(c.replace("–", "--") for c in row[1:])] for row in rows]
    first, *rest = [f"{' & '.join(line)} \\\\" for line in lines]
    return "\n".join(
        [
            "\\begin{table}",
            f"\\caption{{{_escaped(caption, _LATEX)}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            "\\toprule",
            first,
            "\\midrule",
            *rest,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )


def html_text(results: Sequence[EvaluationResult]) -> str:
    """The headline of each result, then every matrix, as HTML tables for a notebook.

    The higher a cell of a matrix, the darker its ground.
    """
    headline = _html(_headline_table(results, "<b>{}</b>".format), shaded=False)
    matrices = [
        f"<p>{html.escape(caption)}</p>{_html(cells, shaded=True)}"
        for caption, cells in _matrices(results)
    ]
    return "\n".join([headline, *matrices])


def _html(cells: _Cells, *, shaded: bool) -> str:
    # Only names need escaping: the cells are numbers, some of them in bold.
    head, *rows = [[html.escape(line[0]), *line[1:]] for line in cells]
    head = [head[0], *(html.escape(cell) for cell in head[1:])]
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    for name, *values in rows:
        shown = "".join(f"<td{_shade(value) if shaded else ''}>{value}</td>" for value in values)
        lines.append(f"<tr><th>{name}</th>{shown}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _shade(value: str) -> str:
    try:
        share = float(value) / 100.0
    except ValueError:
        return ""
    return f' style="background: rgba(70, 130, 180, {0.6 * share:.2f})"'


def to_json(results: Sequence[EvaluationResult]) -> dict[str, Any]:
    """Results as JSON-able data.

    One result gives its object, several give ``{"results": [...]}``. Per cent, unrounded; empty
    cells, and means over none, are `None`.
    """
    objects = [_result_json(result) for result in results]
    return objects[0] if len(objects) == 1 else {"results": objects}


def _result_json(result: EvaluationResult) -> dict[str, Any]:
    identical = counts_identical(
        result.gallery_views, result.probe_views, identical_view=result.protocol.identical_view
    )
    data: dict[str, Any] = {
        "protocol": result.protocol.name,
        "dataset": result.dataset,
        "input": result.source,
        "feature": result.feature,
        "metric": result.metric,
        "k": result.k,
        "rounding": result.rounding,
        "gallery_views": _numbers(result.gallery_views),
        "probe_views": _numbers(result.probe_views),
        "conditions": {
            name: {
                "matrix": _nested(table.rate),
                "probes": table.probes.tolist(),
                "mean_excluding_identical": table.mean_excluding_identical,
                "mean_identical": table.mean_identical,
                "per_probe_view": {
                    "all" if isnan(view) else f"{view:g}": mean
                    for view, mean in table.per_probe_view(identical_view=identical).items()
                },
                "empty_cells": [_numbers(cell) for cell in table.empty_cells],
                **(
                    {"per_camera": {camera: rate for camera, (rate, _) in cameras.items()}}
                    if (cameras := result.by_camera(name))
                    else {}
                ),
                **(
                    {"numbers": _numbers_json(result.numbers[name])}
                    if name in result.numbers
                    else {}
                ),
            }
            for name, table in result.tables.items()
        },
    }
    if any(numbers.more for numbers in result.numbers.values()):
        # Results of before there was a choice read as they always did.
        data["rank_by"] = result.rank_by
    if result.over != "different views":
        # There the headline is no mean over different views; everywhere else it is.
        data["headline_over"] = result.over
        data["remarks"] = result.remarks()
        for name, condition in data["conditions"].items():
            condition["headline"] = result.headline(name)
    if result.embedders:
        data["embedders"] = [
            item.as_parameters() | {"trained_on": "known" if item.known else "unknown"}
            for item in result.embedders
        ]
    if result.protocol.leave_one_out:
        data["remarks"] = result.remarks()
    if result.fusion is not None:
        data["fusion"] = asdict(result.fusion)
    if result.quality is not None:
        quality = result.quality
        data["quality"] = {
            "target_view": _number(quality.target_view),
            "target_condition": quality.target_condition,
            "views": _numbers(quality.views),
            "without_truth": list(quality.without_truth),
            "conditions": {
                name: {
                    "ssim": _nested(quality.ssim[row]),
                    "mae": _nested(quality.mae[row]),
                    "sequences": quality.sequences[row].tolist(),
                }
                for row, name in enumerate(quality.conditions)
            },
        }
    return data


def _number(value: float) -> int | float | None:
    if isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[int | float | None]:
    """Views; the row or column of all views together, which has none, is `None`."""
    return [_number(float(value)) for value in values]


def _nested(values: NDArray[np.float64]) -> Any:
    if values.ndim > 1:
        return [_nested(row) for row in values]
    return [None if isnan(value) else float(value) for value in values]


def _numbers_json(numbers: Numbers) -> dict[str, Any]:
    """The figures as JSON-able data; per cent, what cannot be computed is `None`."""
    data: dict[str, Any] = {name: _interval_json(getattr(numbers, name)) for name in FIGURES}
    data |= {name: _interval_json(figure) for name, figure in numbers.more.items()}
    data["pooled"] = {name: _or_none(getattr(numbers, f"pooled_{name}")) for name in FIGURES}
    data["cmc"] = _list(numbers.cmc)
    found, opened = numbers.verification, numbers.open_set
    data["verification"] = None
    if found is not None:
        data["verification"] = {
            "eer": _interval_json(found.eer),
            "fnmr_at_fmr": {f"{p:g}": _interval_json(found.fnmr_at[p]) for p in FMR_POINTS},
            "pooled_eer": _or_none(found.pooled_eer),
            "pooled_fnmr_at_fmr": {f"{p:g}": _or_none(found.pooled_fnmr_at[p]) for p in FMR_POINTS},
            "det": {"fmr": _list(found.fmr), "fnmr": _list(found.fnmr)},
        }
    data["open_set"] = None
    if opened is not None:
        data["open_set"] = {
            "tpir_at_fpir": {f"{p:g}": _interval_json(opened.tpir_at[p]) for p in FPIR_POINTS},
            "threshold_at_fpir": {f"{p:g}": _or_none(opened.threshold_at[p]) for p in FPIR_POINTS},
            "mated_searches": opened.mated,
            "non_mated_searches": opened.non_mated,
        }
    failures = numbers.failures_to_acquire
    data["failures_to_acquire"] = {
        "count": failures.count,
        "of": failures.of,
        "counted_as_errors": failures.counted,
    }
    return data


def _interval_json(interval: Interval) -> dict[str, float | None]:
    return {name: _or_none(getattr(interval, name)) for name in Interval._fields}


def _or_none(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _list(values: NDArray[np.float64] | Sequence[float]) -> list[float | None]:
    return [_or_none(float(value)) for value in values]


FORMATS: dict[str, Callable[[Sequence[EvaluationResult]], str]] = {
    "csv": csv_text,
    "markdown": markdown_text,
    "latex": latex_text,
}
"""Beside text and JSON."""
