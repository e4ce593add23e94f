"""The figures that one looks for first, each with its interval, and their paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import NOTHING, Interval
from gaitkit.identification.figures.numbers import figures_of
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.words import condition_word
from gaitkit.reporting.page.inputs import Entry

__all__ = ["Cell", "Headline", "Row", "Table", "all_figures", "headline"]

_MOST_COLUMNS = 4

_PAIRED = {"rank-1": "rank1", "rank-5": "rank5", "rank-10": "rank10", "mAP": "mean_ap"}
"""Figures that are compared in pairs, by their names for readers."""


class Cell(NamedTuple):
    """One figure of a table.

    `label` is the name of its column, for where the head of the table is not shown; `interval` is
    empty where it is not known. `mark` is ``better`` or ``worse`` where the paired interval of the
    difference from the first result leaves out 0, else empty.
    """

    label: str
    estimate: str
    interval: str = ""
    mark: str = ""


class Row(NamedTuple):
    """A row of a table and its name."""

    name: str
    cells: list[Cell]


class Table(NamedTuple):
    """Figures by row and column; `style` are classes of the page's style sheet."""

    caption: str
    columns: list[str]
    rows: list[Row]
    style: str


class Headline(NamedTuple):
    """Rank-1 of every result, the differences from the first one, and what belongs beside them.

    `counts` tells the probes per cell; `rounded` are the keys of results whose cells were rounded
    before averaging; `marked` tells whether any figure has a mark, and `first` is the title of the
    result that they are compared with.
    """

    rank1: Table
    counts: str
    differences: Table | None
    rounded: str
    marked: bool
    first: str


def headline(entries: Sequence[Entry]) -> Headline:
    """Rank-1 of every result and probe set, and the differences of the results from the first.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    first = entries[0].result
    sets = list(first.tables)
    words = [condition_word(first, name) for name in sets]
    gaps = [_gaps(entries, name, "rank1") for name in sets]
    rows = [
        Row(
            entry.title,
            [
                _cell(word, rank1_of(entry.result, name) or NOTHING, mark=_mark(gap[index]))
                for name, word, gap in zip(sets, words, gaps, strict=True)
            ],
        )
        for index, entry in enumerate(entries)
    ]
    return Headline(
        Table(f"Per cent, mean over {first.over}", words, rows, "plain wide headline"),
        ", ".join(f"{word} {_span(first, name)}" for name, word in zip(sets, words, strict=True)),
        _differences(entries, words, gaps) if len(entries) > 1 else None,
        ", ".join(entry.key for entry in entries if entry.result.rounding != "none"),
        any(cell.mark for row in rows for cell in row.cells),
        entries[0].title,
    )


def _gaps(entries: Sequence[Entry], name: str, figure: str) -> list[Interval]:
    """Paired differences of one probe set from the first result, which has none from itself."""
    first = entries[0].result
    return [
        NOTHING,
        *(paired_difference(first, entry.result, name, figure) for entry in entries[1:]),
    ]


def _mark(gap: Interval) -> str:
    return "better" if gap.low > 0 else "worse" if gap.high < 0 else ""


def _span(result: EvaluationResult, name: str) -> str:
    counts = result.tables[name].probes
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _differences(
    entries: Sequence[Entry], words: Sequence[str], gaps: Sequence[Sequence[Interval]]
) -> Table:
    """Of every other result from the first."""
    rows = [
        Row(
            f"{entry.key} \u2212 {entries[0].key}",
            [
                _cell(word, gap[index], sign=True, mark=_mark(gap[index]))
                for word, gap in zip(words, gaps, strict=True)
            ],
        )
        for index, entry in enumerate(entries[1:], start=1)
    ]
    caption = (
        "Differences of rank-1 in points, paired: each draw takes the same people for both. An "
        "interval without 0 is a difference that other people would probably show too."
    )
    return Table(caption, list(words), rows, "plain wide differences")


def all_figures(entries: Sequence[Entry]) -> list[Table]:
    """Everything else that has a number: closed set, verification, open set, failures.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.

    Returns
    -------
    list of Table
        One per probe set of which every result has numbers.
    """
    return [
        _set_table(name, entries)
        for name in entries[0].result.tables
        if all(name in entry.result.numbers for entry in entries)
    ]


def _set_table(name: str, entries: Sequence[Entry]) -> Table:
    keys = [entry.key for entry in entries]
    numbers = [entry.result.numbers[name] for entry in entries]
    rows = []
    for label, pick, _ in figures_of(numbers):
        figure = _PAIRED.get(label)
        gaps = [NOTHING] * len(entries) if figure is None else _gaps(entries, name, figure)
        cells = [
            _cell(key, pick(item), mark=_mark(gap))
            for key, item, gap in zip(keys, numbers, gaps, strict=True)
        ]
        rows.append(Row(label, cells))
    pooled = [f"{item.pooled_rank1:.1f}" for item in numbers]
    rows.append(Row("pooled rank-1", list(map(Cell, keys, pooled))))
    failures = [item.failures_to_acquire for item in numbers]
    counts = [
        f"{item.count:,} of {item.of:,}" + (", count as errors" if item.counted else "")
        for item in failures
    ]
    rows.append(Row("failures to acquire", list(map(Cell, keys, counts))))
    # More columns than fit: each row's figures then flow into as many lines as they need.
    flow = " many" if len(entries) > _MOST_COLUMNS else " wide" if len(entries) > 2 else ""
    word = condition_word(entries[0].result, name)
    return Table(f"{word}, per cent", keys, rows, f"plain{flow}")


def _cell(label: str, figure: Interval, *, sign: bool = False, mark: str = "") -> Cell:
    if isnan(figure.estimate):
        return Cell(label, "–")
    form = "+.1f" if sign else ".1f"
    estimate, low, high = (f"{value:{form}}".replace("-", "\u2212") for value in figure)
    return Cell(label, estimate, "" if isnan(figure.low) else f"{low} to {high}", mark)
