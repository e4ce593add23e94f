"""Results for other programs: one long CSV table, Markdown, LaTeX.

CSV holds every figure, unrounded, one a line. Markdown and LaTeX are for a README and a paper: one
decimal, the best of each column in bold, then the cross-view matrices.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from math import isnan

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.overview import figures_of, name_of, rank1_of
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import format_view

__all__ = ["FORMATS", "csv_text", "latex_text", "markdown_text"]

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


def csv_text(results: Sequence[EvaluationResult]) -> str:
    """Every figure of some results, one a line: per cent, unrounded.

    Returns
    -------
    str
        A line of names, then one line per figure. Cells have their views and the number of their
        probes, headline figures their 95 % interval; what does not apply is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for result in results:
        head = [result.source, result.feature, result.metric, result.protocol.name]
        for name, table in result.tables.items():
            writer.writerows([*head, name, *row] for row in _headline_rows(result, name))
            writer.writerows([*head, name, *row] for row in _cell_rows(table))
    return out.getvalue().removesuffix("\n")


def _headline_rows(result: EvaluationResult, name: str) -> Iterator[list[str]]:
    if name not in result.numbers:
        rate = rank1_of(result, name)
        yield ["rank-1", "", "", *map(_plain, rate or [float("nan")] * 3), ""]
        return
    numbers = result.numbers[name]
    for label, pick, _ in figures_of([numbers]):
        yield [label, "", "", *map(_plain, pick(numbers)), ""]
    for label, value in (
        ("pooled rank-1", numbers.pooled_rank1),
        ("pooled rank-5", numbers.pooled_rank5),
        ("pooled rank-10", numbers.pooled_rank10),
        ("pooled mAP", numbers.pooled_mean_ap),
    ):
        yield [label, "", "", _plain(value), "", "", ""]
    for rank, value in enumerate(numbers.cmc.tolist(), start=1):
        yield [f"CMC rank {rank}", "", "", _plain(value), "", "", ""]
    failures = numbers.failures_to_acquire
    yield ["failures to acquire", "", "", str(failures.count), "", "", str(failures.of)]


def _cell_rows(table: CrossViewTable) -> Iterator[list[str]]:
    for row, gallery in enumerate(table.gallery_views.tolist()):
        for column, probe in enumerate(table.probe_views.tolist()):
            rate, count = float(table.rate[row, column]), int(table.probes[row, column])
            yield ["rank-1", f"{gallery:g}", f"{probe:g}", _plain(rate), "", "", str(count)]


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
            caption = (
                f"{name}: {name_of(result)}. Rank-1 in per cent; gallery view down, probe view "
                "across; means without equal views."
            )
            yield caption, _matrix(table)


def _matrix(table: CrossViewTable) -> _Cells:
    per_probe, per_gallery = table.per_probe_view(), table.per_gallery_view()
    views = table.probe_views.tolist()
    lines = [["", *map(format_view, views), "mean"]]
    for row, gallery in enumerate(table.gallery_views.tolist()):
        cells = [_rate(float(value)) for value in table.rate[row]]
        lines.append([format_view(gallery), *cells, _rate(per_gallery[gallery])])
    means = [_rate(per_probe[view]) for view in views]
    lines.append(["mean", *means, _rate(table.mean_excluding_identical)])
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
    return "".join(marks.get(letter, letter) for letter in " ".join(text.split()))


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


FORMATS: dict[str, Callable[[Sequence[EvaluationResult]], str]] = {
    "csv": csv_text,
    "markdown": markdown_text,
    "latex": latex_text,
}
"""Beside text and JSON."""
