"""Identification results as aligned plain text.

What a command prints first fits 80 columns (`overview_text`, `probe_view_text`); the rest has 100:
one result in full (`results_text`), several side by side (`summary_text`) and compared in pairs
(`differences_text`), and all of it (`evaluation_text`).

Pure functions that return text, without colours or control characters, so that a table looks the
same in a terminal, in a pipe and in an issue report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import MixtureError, OptionError
from gaitkit.identification.crossview import CrossViewTable, counts_identical, view_name
from gaitkit.identification.evaluation import EvaluationResult, name_of, rank1_of
from gaitkit.identification.figures.bootstrap import NOTHING, Interval
from gaitkit.identification.figures.numbers import figures_of
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.published import (
    MARK,
    PublishedSystem,
    means_told,
    published_system,
)
from gaitkit.identification.quality import QualityTable
from gaitkit.identification.words import people_enrolled, sentence
from gaitkit.labels import format_view
from gaitkit.printable import counted, fitted, padded, printable, width_of, wrapped

__all__ = [
    "BESIDE",
    "cross_view_text",
    "differences_text",
    "evaluation_text",
    "figures_text",
    "overview_text",
    "probe_view_text",
    "quality_text",
    "results_text",
    "summary_text",
    "title",
]

WIDTH = 100
"""Columns of the widest line of what is printed in full."""

NARROW = 80
"""Columns of the widest line of what is printed first."""

BESIDE = ("gaitgan", "gaitganv2", "spae")
"""Published systems that stand beside one's own figures at a probe view."""

RANK_WORDS = {
    "people": "people, each by their nearest row (ISO/IEC 19795-1)",
    "rows": "gallery rows, as torchreid and OpenGait do",
}
"""What a rank counts, for readers."""

_EMPTY = "-"
_CELL = 7
_GROUP_CELL = 6
_NARROW, _WIDE, _PAIR = 7, 11, 22
_RATE = 12


def evaluation_text(
    results: Sequence[EvaluationResult],
    *,
    probe_view: float | None = None,
    matrices: bool = True,
) -> str:
    """Some results as `gaitkit evaluate` prints them.

    Parameters
    ----------
    results : sequence of EvaluationResult
        At least one.
    probe_view : float, optional
        Only this column of the tables, beside published figures; degrees.
    matrices : bool
        Everything: each result in full, then side by side and compared in pairs. Without them, and
        without a probe view, `overview_text`.

    Returns
    -------
    str
        Lines without a trailing newline.

    Raises
    ------
    OptionError
        A result does not have this probe view.
    """
    if probe_view is None and not matrices:
        return overview_text(results)
    width = WIDTH if matrices else NARROW
    parts = [
        results_text(result)
        if probe_view is None
        else probe_view_text(result, probe_view, width=width)
        for result in results
    ]
    for quality in _qualities(results):
        parts.append(quality_text(quality) if matrices else _quality_overview(quality))
    if len(results) > 1 and matrices:
        parts += [summary_text(results), differences_text(results)]
    elif len(results) > 1:
        parts += _overview(results, [name_of(result) for result in results])
    return "\n\n".join(filter(None, parts))


def _qualities(results: Sequence[EvaluationResult]) -> list[QualityTable]:
    """Those of each input."""
    inputs = {result.source: result.quality for result in results}
    return [quality for quality in inputs.values() if quality is not None]


def overview_text(results: Sequence[EvaluationResult], names: Sequence[str] | None = None) -> str:
    """The headline of some results in at most 80 columns.

    Parameters
    ----------
    results : sequence of EvaluationResult
        At least one. Of one there is a sentence, and a line for each probe set; several stand side
        by side, a line for each result, and compared in pairs with the first.
    names : sequence of str, optional
        What to call them; by default `name_of`.

    Returns
    -------
    str
        Rates with 95 % intervals over people. What differs from the first result, by the paired
        interval, is marked with ``*``. Lines without a trailing newline.
    """
    called = [name_of(result) for result in results] if names is None else list(names)
    parts = _overview_of_one(results[0]) if len(results) == 1 else _overview(results, called)
    remarks = dict.fromkeys(line for result in results for line in result.remarks())
    parts.append("\n".join(_each_wrapped(remarks, NARROW)))
    parts += map(_quality_overview, _qualities(results))
    return "\n\n".join(filter(None, parts))


def _overview_of_one(result: EvaluationResult) -> list[str]:
    beside = result.over == "different views"
    head = f"{'95 % interval':>16}" + (f"{'equal views':>14}" if beside else "") + f"{'probes':>9}"
    label = NARROW - len(head) - 18
    lines = [f"{'rank-1, per cent':<{label}}{result.over:>18}{head}"]
    rates = []
    for name, table in result.tables.items():
        rate = rank1_of(result, name) or NOTHING
        rates.append(rate.estimate)
        cells = f"{_rate(rate.estimate):>18}{_interval(rate):>16}"
        cells += f"{_rate(table.mean_identical):>14}" if beside else ""
        lines.append(f"{padded(name, label - 1)} {cells}{_walks_searched(result, name):>9,}")
    if len(rates) > 1:
        lines.append(f"{'mean':<{label}}{_rate(_mean(rates)):>18}")
    return [
        "\n".join(_each_wrapped(title(result).splitlines(), NARROW)),
        "\n".join(wrapped(sentence(result), NARROW)),
        "\n".join(line.rstrip() for line in lines),
    ]


def _walks_searched(result: EvaluationResult, name: str) -> int:
    return int(result.split.probes[name][result.matches.probe_rows].sum())


def _overview(results: Sequence[EvaluationResult], names: Sequence[str]) -> list[str]:
    first = results[0]
    sets = list(dict.fromkeys(name for result in results for name in result.tables))
    rates = [[rank1_of(result, key) or NOTHING for key in sets] for result in results]
    gaps = [_gaps(first, result, sets) for result in results[1:]]
    over = ", ".join(dict.fromkeys(result.over for result in results))
    surely = [[False] * len(sets), *([_leaves_out_0(gap) for gap in row] for row in gaps)]
    several = len(sets) > 1
    lines = _side_by_side(
        f"rank-1, %, {over}",
        names,
        sets,
        [
            [_marked_text(_rate(item.estimate), mark) for item, mark in zip(*row, strict=True)]
            for row in zip(rates, surely, strict=True)
        ],
        [[_interval(figure) for figure in row] for row in rates],
        [_rate(_mean([figure.estimate for figure in row])) for row in rates] if several else None,
    )
    if any(not isnan(figure.low) for row in rates for figure in row):
        lines.append("Below each rate: 95 % interval over people.")
    parts = [_subjects_of(results), "\n".join(lines)]
    compared = [at for at, row in enumerate(gaps) if any(not isnan(gap.estimate) for gap in row)]
    if compared:
        lines = _side_by_side(
            "more than the first, points",
            [names[1 + at] for at in compared],
            sets,
            [
                [
                    _marked_text(_signed(gap._replace(low=nan)), mark)
                    for gap, mark in zip(gaps[at], surely[1 + at], strict=True)
                ]
                for at in compared
            ],
            [[_signed_span(gap) for gap in gaps[at]] for at in compared],
        )
        lines.append("Below each: 95 % interval, paired: the same people in each draw.")
        if any(map(any, surely)):
            lines.append("*: differs from the first; the paired interval leaves out 0.")
        parts.append("\n".join(lines))
    return parts


def _subjects_of(results: Sequence[EvaluationResult]) -> str:
    told = dict.fromkeys(
        f"protocol {printable(result.protocol.name)}; data set {printable(result.dataset)}; "
        f"{counted(people_enrolled(result), 'person')} enrolled, {_galleries(result)}"
        for result in results
    )
    return "\n".join(_each_wrapped(told, NARROW))


def _gaps(first: EvaluationResult, other: EvaluationResult, sets: Sequence[str]) -> list[Interval]:
    """Paired differences per probe set; of other searches there are none."""
    try:
        return [
            paired_difference(first, other, name) if name in first.tables else NOTHING
            for name in sets
        ]
    except MixtureError:
        return [NOTHING] * len(sets)


def _leaves_out_0(gap: Interval) -> bool:
    return gap.low > 0 or gap.high < 0


def _side_by_side(
    head: str,
    names: Sequence[str],
    sets: Sequence[str],
    cells: Sequence[Sequence[str]],
    below: Sequence[Sequence[str]],
    means: Sequence[str] | None = None,
) -> list[str]:
    """A line for each result, and one below it; several panels where the sets do not fit."""
    last = _NARROW if means else 0
    per_panel = max(1, (NARROW - last - 24) // _RATE)
    lines = []
    for start in range(0, len(sets), per_panel):
        columns = range(start, min(start + per_panel, len(sets)))
        ends = means is not None and columns[-1] == len(sets) - 1
        label = NARROW - last - len(columns) * _RATE
        shown = [f"{_right(sets[at], _RATE - 2, _RATE - 1)} " for at in columns]
        lines += _beside(head, label, "".join(shown) + (f"{'mean':>{_NARROW}}" if ends else ""))
        for row, name in enumerate(names):
            text = "".join(cells[row][at] for at in columns)
            text += f"{means[row]:>{_NARROW}}" if ends and means is not None else ""
            lines += _beside(printable(name), label, text)
            spans = "".join(f"{below[row][at]:>{_RATE - 1}} " for at in columns)
            lines += [" " * label + spans] if spans.strip() else []
    return [line.rstrip() for line in lines]


def _beside(name: str, label: int, cells: str) -> list[str]:
    """A name and what stands beside it; in two lines where the name is too long for one."""
    if width_of(name) < label:
        return [f"{padded(name, label)}{cells}"]
    return [padded(name, NARROW).rstrip(), " " * label + cells]


def _marked_text(text: str, marked: bool) -> str:
    return f"{text + ('*' if marked else ' '):>{_RATE}}"


def _signed_span(gap: Interval) -> str:
    if isnan(gap.low):
        return ""
    return f"{gap.low:+.1f} {gap.high:+.1f}".replace("-0.0", "+0.0")


def _quality_overview(quality: QualityTable) -> str:
    """Means over all views, a line for each condition."""
    target = f"{printable(quality.target_condition)} at {format_view(quality.target_view)}"
    lines = [
        fitted(f"Similarity to the person's true GEI, {target}", NARROW),
        _row("", ["SSIM", "MAE"]),
    ]
    for row, condition in enumerate(quality.conditions):
        some = quality.sequences[row].any()
        ssim, mae = (
            float(np.nanmean(values[row])) if some else nan
            for values in (quality.ssim, quality.mae)
        )
        lines.append(_row(condition, [_cell(ssim, digits=3), _cell(mae)]))
    lines.append("SSIM: 1 is equal. MAE: grey levels of 255. Means over all views.")
    if quality.without_truth:
        told = f"Left out, no true GEI: {', '.join(map(printable, quality.without_truth))}."
        lines += wrapped(told, NARROW)
    return "\n".join(lines)


def results_text(result: EvaluationResult) -> str:
    """Every figure and every probe set's full matrix, under one title, with the rules of counting.

    Returns
    -------
    str
        Lines without a trailing newline.
    """
    figures = figures_text(result)
    ranked = f"ranks count {RANK_WORDS[result.rank_by]}"
    parts = [title(result)] + ([f"{figures}\n{ranked}"] if figures else [])
    for name, table in result.tables.items():
        text = cross_view_text(table, name, identical_view=result.protocol.identical_view)
        parts.append("\n".join([text, *_camera_lines(result, name)]))
    parts.append(_rules(result))
    return "\n\n".join(parts)


def _rules(result: EvaluationResult) -> str:
    """How to read the matrices, and why they are as they are."""
    if result.over == "different views":
        text = (
            "Per cent. Row: gallery view; column: probe view. (In brackets: equal views, in no "
            "mean.) A probe\nwhose person is not enrolled at the gallery view counts as an error. "
            f"{_EMPTY}: no probe or no gallery."
        )
        return "\n".join([text, *_remark_lines(result)])
    text = "Per cent. Row: gallery view; column: probe view. "
    if result.over == "all views":
        text += "Equal views count in the means, as the protocol says. "
    text += " ".join([*result.remarks(), ""])
    text += "A probe whose person is not enrolled at the gallery view counts as an error. "
    return "\n".join(wrapped(f"{text}{_EMPTY}: no probe or no gallery.", WIDTH))


def _remark_lines(result: EvaluationResult, width: int = WIDTH) -> list[str]:
    return _each_wrapped(result.remarks(), width)


def _each_wrapped(texts: Iterable[str], width: int, indent: str = "") -> list[str]:
    return [line for text in texts for line in wrapped(text, width, indent)]


def _camera_lines(result: EvaluationResult, name: str) -> list[str]:
    cameras = result.by_camera(name)
    if not cameras:
        return []
    told = ", ".join(f"{camera} {rate:.1f} ({count})" for camera, (rate, count) in cameras.items())
    text = f"{printable(name)} by the probe's camera (probes): {told}"
    return wrapped(text, WIDTH, "  ")


def title(result: EvaluationResult) -> str:
    """What was evaluated and how, in one or two lines."""
    source, feature, protocol, dataset = map(
        printable, (result.source, result.feature, result.protocol.name, result.dataset)
    )
    return (
        f"{source}: {feature}, {result.metric}, {result.k}-NN; protocol {protocol}\n"
        f"data set {dataset}; {counted(people_enrolled(result), 'person')} enrolled, "
        f"{_galleries(result)}"
    )


def _galleries(result: EvaluationResult) -> str:
    """Whether all views are enrolled together."""
    whole = bool(np.isnan(result.gallery_views).any())
    return "one gallery of all views" if whole else "one gallery view at a time"


def cross_view_text(table: CrossViewTable, name: str, *, identical_view: bool = False) -> str:
    """The matrix of one probe set, with means without the equal view and the probes per column.

    Parameters
    ----------
    table : CrossViewTable
        Rank-1 identification rates.
    name : str
        Name of the probe set.
    identical_view : bool
        Whether cells of equal views count in the means, too; they always do where there are no
        others.

    Returns
    -------
    str
        Several panels where the columns do not fit beside each other.
    """
    if not table.probes.any():
        return f"{printable(name)}: no probes"
    columns = len(table.probe_views)
    per_panel = (WIDTH - 2 * _CELL) // _CELL
    counted = counts_identical(
        table.gallery_views, table.probe_views, identical_view=identical_view
    )
    panels = [
        _matrix_panel(table, range(first, min(first + per_panel, columns)), name, counted)
        for first in range(0, columns, per_panel)
    ]
    if table.pooled:
        last = f"{printable(name)}: over all pairs {_rate(table.mean_all)}"
        return "\n".join([*panels, last])
    means = f"{printable(name)}: mean over different views {_rate(table.mean_excluding_identical)}"
    means += f", over equal views {_rate(table.mean_identical)}"
    if counted and len(table.rate) * len(table.rate[0]) > 1:
        means += f", over all views {_rate(table.mean_all)}"
    return "\n".join([*panels, means])


def _matrix_panel(table: CrossViewTable, columns: range, name: str, counted: bool) -> str:
    """Some columns; cells of equal views are in brackets unless they are `counted` in the means."""
    last = columns[-1] == len(table.probe_views) - 1
    per_probe = list(table.per_probe_view(identical_view=counted).values())
    per_gallery = list(table.per_gallery_view(identical_view=counted).values())
    views = [view_name(float(table.probe_views[column])) for column in columns]
    lines = [_row(name, views + ["mean"] * last)]
    for row, gallery_view in enumerate(table.gallery_views):
        cells = [
            _cell(
                table.rate[row, column],
                bracketed=bool(table.identical[row, column]) and not counted,
            )
            for column in columns
        ]
        mean = [_cell(per_gallery[row])] * last
        lines.append(_row(view_name(float(gallery_view)), cells + mean))
    overall = [_cell(table.headline(identical_view=counted))] * last
    lines.append(_row("mean", [_cell(per_probe[column]) for column in columns] + overall))
    lines.append(_row("probes", [f"{_span(table.probes[:, column])} " for column in columns]))
    return "\n".join(lines)


def probe_view_text(
    result: EvaluationResult,
    probe_view: float,
    *,
    beside: Sequence[str] = BESIDE,
    width: int = WIDTH,
) -> str:
    """Rank-1 against each gallery view at one probe view, beside published figures.

    Parameters
    ----------
    result : EvaluationResult
        Its tables have this probe view.
    probe_view : float
        Degrees.
    beside : sequence of str
        Published systems; those that say nothing at this view are left out.
    width : int
        Columns of the widest line.

    Returns
    -------
    str
        One line per gallery view, one group of columns per system, one column per probe set.

    Raises
    ------
    OptionError
        The result does not have this probe view.
    """
    sets = list(result.tables)
    if probe_view not in result.probe_views:
        there = ", ".join(format_view(float(view)) for view in result.probe_views)
        raise OptionError(f"There is no probe view {format_view(probe_view)}; there are {there}.")
    column = result.probe_views.tolist().index(probe_view)
    systems = [
        system
        for system in map(published_system, beside)
        if any(system.mean_at_probe_view(name, probe_view) is not None for name in sets)
    ]
    views = [float(view) for view in result.gallery_views]
    groups = [_own_group(result, column, views)]
    groups += [_published_group(system, sets, probe_view, views) for system in systems]
    # Of different views as ever; where there are none, the headline is over what there is.
    mean_of = f"w/o {format_view(probe_view)}" if result.over == "different views" else "mean"
    labels = ["", "", "gallery", *map(view_name, views), mean_of]
    group_width = len(sets) * _GROUP_CELL
    per_line = max(1, (width - 8 + 3) // (group_width + 3))
    text = []
    for first in range(0, len(groups), per_line):
        for line, label in enumerate(labels):
            cells = [padded(group[line], group_width) for group in groups[first : first + per_line]]
            text.append(f"{label:<8}{' | '.join(cells)}".rstrip())
        text.append("")
    without = f" without {format_view(probe_view)}." if mean_of != "mean" else " over all of them."
    notes = wrapped(
        f"Rank-1 in per cent at probe view {format_view(probe_view)} against each gallery view; "
        f"last line: mean{without}",
        width,
    )
    notes += _remark_lines(result, width)
    counts = ", ".join(
        f"{printable(name)} {_span(table.probes[:, column])}"
        for name, table in result.tables.items()
    )
    notes += wrapped(f"This input's probes: {counts}.", width)
    if systems:
        protocol = systems[0].protocol
        head, means = means_told()
        told = [
            f"{MARK}: the papers' own figures under {protocol}, not computed here:",
            *(f"  {system.label}: {system.title}" for system in systems),
            f"{head}: {', '.join(means)}.",
        ]
        notes += _each_wrapped(told, width, "  ")
    if any("?" in line for group in groups for line in group):
        notes.append("  ?: transcription in doubt")
    heads = _each_wrapped(title(result).splitlines(), width)
    return "\n".join([*heads, "", *text, *notes])


def _own_group(result: EvaluationResult, column: int, views: list[float]) -> list[str]:
    """Lines of one group of columns: what, whose, the sets, one line per view, the mean."""
    tables = result.tables.values()
    lines = ["this input", "", _group_row(list(result.tables))]
    for row in range(len(views)):
        lines.append(_group_row([_rate(float(table.rate[row, column])) for table in tables]))
    equal = counts_identical(
        result.gallery_views, result.probe_views, identical_view=result.protocol.identical_view
    )
    means = [list(t.per_probe_view(identical_view=equal).values())[column] for t in tables]
    lines.append(_group_row([_rate(mean) for mean in means]))
    return lines


def _published_group(
    system: PublishedSystem, sets: list[str], probe_view: float, views: list[float]
) -> list[str]:
    lines = [MARK, system.label, _group_row(sets)]
    for view in views:
        marks = ["?" if system.is_suspect(name, view, probe_view) else "" for name in sets]
        rates = [_rate(system.cell(name, view, probe_view)) for name in sets]
        lines.append(_group_row([mark + rate for mark, rate in zip(marks, rates, strict=True)]))
    means = [_rate(system.mean_at_probe_view(name, probe_view)) for name in sets]
    return [*lines, _group_row(means)]


def _group_row(cells: Sequence[str]) -> str:
    return "".join(_ahead(padded(cell, _GROUP_CELL - 1).strip(), _GROUP_CELL) for cell in cells)


def summary_text(results: Sequence[EvaluationResult], names: Sequence[str] | None = None) -> str:
    """Several results side by side: the headline rank-1, and that of equal views.

    Parameters
    ----------
    results : sequence of EvaluationResult
        One line each, and one for its 95 % intervals where it has some.
    names : sequence of str, optional
        What to call them; by default `name_of`.

    Returns
    -------
    str
        The best of each column is marked with ``*``. Sets that not all results have are left empty
        where they are missing.
    """
    names = [name_of(result) for result in results] if names is None else names
    sets = list(dict.fromkeys(name for result in results for name in result.tables))
    rates = [[rank1_of(result, key) or NOTHING for key in sets] for result in results]
    sure = any(not isnan(figure.low) for row in rates for figure in row)
    cell = _WIDE if sure else _NARROW
    room = WIDTH - (len(sets) * cell + (len(sets) + 1) * _NARROW)
    label = min(max(12, *(width_of(printable(name)) for name in names)), max(12, room))
    equal = [[_equal_views(result, key) for key in sets] for result in results]
    mean = [_mean([figure.estimate for figure in row]) for row in rates]
    what = ", ".join(dict.fromkeys(result.over for result in results))
    lines = [
        " " * label
        + f"{what:>{len(sets) * cell + _NARROW}}"
        + f"{'equal views':>{len(sets) * _NARROW}}",
        f"{'rank-1, %':<{label}}"
        + "".join(f"{_right(name, cell - 2, cell - 1)} " for name in sets)
        + f"{'mean':>{_NARROW - 1}} "
        + "".join(f"{_right(name, _NARROW - 2, _NARROW - 1)} " for name in sets),
    ]
    best = [_best([row[at].estimate for row in rates]) for at in range(len(sets))]
    best_equal = [_best([row[at] for row in equal]) for at in range(len(sets))]
    for index, name in enumerate(names):
        cells = [_marked(figure.estimate, best[at], cell) for at, figure in enumerate(rates[index])]
        cells.append(_marked(mean[index], _best(mean), _NARROW))
        cells += [_marked(value, best_equal[at], _NARROW) for at, value in enumerate(equal[index])]
        lines.append(f"{padded(name, label)}{''.join(cells)}")
        if sure:
            spans = "".join(f"{_interval(figure):>{cell - 1}} " for figure in rates[index])
            lines.append(" " * label + spans)
    if len(results) > 1:
        lines.append("*: best of its column")
    if sure:
        lines.append("below each rate: 95 % interval over people")
    return "\n".join(line.rstrip() for line in lines)


def figures_text(result: EvaluationResult) -> str:
    """Every figure of a result with its interval, one line each, one column per probe set.

    Returns
    -------
    str
        Empty where the result has no numbers; several panels where the sets do not fit.
    """
    if not result.numbers:
        return ""
    sets = list(result.numbers)
    label = 34
    per_panel = max(1, (WIDTH - label) // _PAIR)
    lines = []
    for first in range(0, len(sets), per_panel):
        shown = {name: result.numbers[name] for name in sets[first : first + per_panel]}
        lines.append(
            f"{'per cent, 95 % interval':<{label}}"
            + "".join(_right(name, _PAIR - 2, _PAIR) for name in shown)
        )
        for title, pick, _ in figures_of(list(shown.values())):
            cells = "".join(f"{_with_interval(pick(item)):>{_PAIR}}" for item in shown.values())
            lines.append(f"{title:<{label}}{cells}")
        pooled = "".join(f"{_rate(item.pooled_rank1):>{_PAIR}}" for item in shown.values())
        lines.append(f"{'rank-1, pooled over all searches':<{label}}{pooled}")
        failures = [item.failures_to_acquire for item in shown.values()]
        counts = "".join(f"{f'{item.count:,} of {item.of:,}':>{_PAIR}}" for item in failures)
        note = ", as errors" if failures[0].counted else ""
        lines.append(f"{'failures to acquire' + note:<{label}}{counts}")
    return "\n".join(line.rstrip() for line in lines)


def differences_text(
    results: Sequence[EvaluationResult], names: Sequence[str] | None = None
) -> str:
    """How much better each result is than the first, paired over people.

    Parameters
    ----------
    results : sequence of EvaluationResult
        The first is the one to compare with.
    names : sequence of str, optional
        What to call them; by default `name_of`.

    Returns
    -------
    str
        Rank-1, points of per cent, one line per result; a result of other searches than the first
        has none. Empty where nothing can be compared.
    """
    names = [name_of(result) for result in results] if names is None else names
    first, *others = results
    sets = list(first.tables)
    label = max(12, WIDTH - len(sets) * _PAIR)
    lines = []
    for other, called in zip(others, names[1:], strict=True):
        try:
            gaps = [paired_difference(first, other, name) for name in sets]
        except MixtureError:
            continue
        cells = "".join(f"{_signed(gap):>{_PAIR}}" for gap in gaps)
        lines.append(f"{padded(called, label)}{cells}")
    if not lines:
        return ""
    head = f"{'rank-1, points':<{label}}" + "".join(_right(name, _PAIR - 2, _PAIR) for name in sets)
    title = f"Better than {printable(names[0])}; 95 % intervals, paired over people"
    return "\n".join([fitted(title, WIDTH), head, *lines])


def _signed(gap: Interval) -> str:
    if isnan(gap.estimate):
        return _EMPTY
    return f"{gap.estimate:+.1f}" + ("" if isnan(gap.low) else f" ({gap.low:+.1f} {gap.high:+.1f})")


def quality_text(quality: QualityTable) -> str:
    """SSIM and mean absolute error per condition and view."""
    target = f"{printable(quality.target_condition)} at {format_view(quality.target_view)}"
    head = [format_view(float(view)) for view in quality.views]
    lines = [f"Similarity to the person's true GEI, {target}"]
    for what, values, digits in (("SSIM", quality.ssim, 3), ("MAE", quality.mae, 1)):
        lines.append(_row(what, [*head, "mean"]))
        for row, condition in enumerate(quality.conditions):
            mean = np.nanmean(values[row]) if quality.sequences[row].any() else np.nan
            cells = [_cell(float(value), digits=digits) for value in [*values[row], mean]]
            lines.append(_row(condition, cells))
    lines.append("SSIM: 1 is equal. MAE: grey levels of 255. Several true takes: mean over them.")
    if quality.without_truth:
        lines.append(f"Left out, no true GEI: {', '.join(map(printable, quality.without_truth))}.")
    return "\n".join(lines)


def _row(label: str, cells: Sequence[str]) -> str:
    return (padded(label, _CELL) + "".join(f"{cell:>{_CELL}}" for cell in cells)).rstrip()


def _cell(value: float | None, *, bracketed: bool = False, digits: int = 1) -> str:
    text = _EMPTY if value is None or isnan(value) else f"{value:.{digits}f}"
    # The space keeps numbers under each other, bracketed or not.
    return f"({text})" if bracketed and text != _EMPTY else f"{text} "


def _rate(value: float | None) -> str:
    return _EMPTY if value is None or isnan(value) else f"{value:.1f}"


def _span(counts: NDArray[np.int64]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(high) if low == high else f"{low}-{high}"


def _equal_views(result: EvaluationResult, name: str) -> float:
    table = result.tables.get(name)
    value = None if table is None else table.mean_identical
    return nan if value is None else value


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _best(values: Sequence[float]) -> float | None:
    """The highest of several values; `None` where none is better than another."""
    known = [value for value in values if not isnan(value)]
    return max(known) if len(set(known)) > 1 else None


def _marked(value: float, best: float | None, width: int) -> str:
    return f"{_rate(value) + ('*' if value == best else ' '):>{width}}"


def _interval(figure: Interval) -> str:
    return "" if isnan(figure.low) else f"{figure.low:.1f}-{figure.high:.1f}"


def _with_interval(figure: Interval) -> str:
    span = _interval(figure)
    return f"{_rate(figure.estimate)} ({span})" if span else _rate(figure.estimate)


def _right(text: str, room: int, width: int) -> str:
    """A name cut to so many columns, at the right of a column of the table."""
    shown = printable(text)
    while width_of(shown) > room:
        shown = shown[:-1]
    return _ahead(shown, width)


def _ahead(shown: str, width: int) -> str:
    return " " * (width - width_of(shown)) + shown
