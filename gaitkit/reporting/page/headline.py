"""The figures that one looks for first, each with its interval, and their paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.numbers import figures_of
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.results import EvaluationResult
from gaitkit.reporting.page.inputs import Entry

__all__ = ["Cell", "Headline", "Row", "Table", "all_figures", "headline"]

_MOST_COLUMNS = 4


class Cell(NamedTuple):
    """One figure of a table.

    `label` is the name of its column, for where the head of the table is not shown; `interval` is
    empty where it is not known.
    """

    label: str
    estimate: str
    interval: str = ""
    best: bool = False


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
    before averaging.
    """

    rank1: Table
    counts: str
    differences: Table | None
    rounded: str


def headline(entries: Sequence[Entry]) -> Headline:
    """Rank-1 of every result and probe set, and the differences of the results from the first.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    first = entries[0].result
    sets = list(first.tables)
    rank1 = {
        name: [figure for entry in entries if (figure := rank1_of(entry.result, name))]
        for name in sets
    }
    rows = [
        Row(
            entry.title,
            [_cell(name, rank1[name][index], best=_is_best(rank1[name], index)) for name in sets],
        )
        for index, entry in enumerate(entries)
    ]
    return Headline(
        Table(f"Per cent, mean over {first.over}", sets, rows, "plain wide headline"),
        ", ".join(f"{name} {_span(first, name)}" for name in sets),
        _differences(entries, sets) if len(entries) > 1 else None,
        ", ".join(entry.key for entry in entries if entry.result.rounding != "none"),
    )


def _span(result: EvaluationResult, name: str) -> str:
    counts = result.tables[name].probes
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _is_best(figures: Sequence[Interval], index: int) -> bool:
    known = [figure.estimate for figure in figures if not isnan(figure.estimate)]
    return len(set(known)) > 1 and figures[index].estimate == max(known)


def _differences(entries: Sequence[Entry], sets: Sequence[str]) -> Table:
    """Of every other result from the first."""
    first = entries[0]
    rows = [
        Row(
            f"{entry.key} \u2212 {first.key}",
            [
                _cell(name, paired_difference(first.result, entry.result, name), sign=True)
                for name in sets
            ],
        )
        for entry in entries[1:]
    ]
    caption = (
        "Differences of rank-1 in points, paired: each draw takes the same people for both. An "
        "interval without 0 is a difference that other people would probably show too."
    )
    return Table(caption, list(sets), rows, "plain wide differences")


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
    for label, pick, low_is_good in figures_of(numbers):
        figures = [pick(item) for item in numbers]
        signed = [f._replace(estimate=-f.estimate) if low_is_good else f for f in figures]
        cells = [
            _cell(key, figure, best=_is_best(signed, index))
            for index, (key, figure) in enumerate(zip(keys, figures, strict=True))
        ]
        rows.append(Row(label, cells))
    pooled = [f"{item.pooled_rank1:.1f}" for item in numbers]
    rows.append(Row("pooled rank-1", list(map(Cell, keys, pooled))))
    failures = [item.failures_to_acquire for item in numbers]
    counts = [
        f"{item.count} of {item.of}" + (", count as errors" if item.counted else "")
        for item in failures
    ]
    rows.append(Row("failures to acquire", list(map(Cell, keys, counts))))
    # More columns than fit: each row's figures then flow into as many lines as they need.
    flow = " many" if len(entries) > _MOST_COLUMNS else " wide" if len(entries) > 2 else ""
    return Table(f"{name}, per cent", keys, rows, f"plain{flow}")


def _cell(label: str, figure: Interval, *, sign: bool = False, best: bool = False) -> Cell:
    if isnan(figure.estimate):
        return Cell(label, "–")
    form = "+.1f" if sign else ".1f"
    estimate, low, high = (f"{value:{form}}".replace("-", "\u2212") for value in figure)
    return Cell(label, estimate, "" if isnan(figure.low) else f"{low} to {high}", best)
