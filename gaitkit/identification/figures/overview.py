"""The figures of one or several results in a few lines of plain text, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

from gaitkit.errors import MixtureError
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.numbers import Numbers
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.results import EvaluationResult

__all__ = [
    "Figure",
    "differences_text",
    "figures_of",
    "figures_text",
    "name_of",
    "rank1_of",
    "summary_text",
]

WIDTH = 100
"""Columns of the widest line."""

_EMPTY = "-"
_NARROW, _WIDE, _PAIR = 7, 11, 22

Figure = tuple[str, Callable[[Numbers], Interval], bool]
"""A label, how to find the figure, and whether a low one is good."""


def name_of(result: EvaluationResult) -> str:
    """What to call a result: input, feature and metric."""
    votes = "" if result.k == 1 else f", {result.k}-NN"
    return f"{result.source}, {result.feature}, {result.metric}{votes}"


def rank1_of(result: EvaluationResult, probe_set: str) -> Interval | None:
    """The headline of one probe set, with its interval where it has one; `None` without the set."""
    if probe_set in result.numbers:
        return result.numbers[probe_set].rank1
    if probe_set not in result.tables:
        return None
    rate = result.headline(probe_set)
    return Interval(_NAN if rate is None else rate, _NAN, _NAN)


_NAN = float("nan")
_NOTHING = Interval(_NAN, _NAN, _NAN)


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
    rates = [[rank1_of(result, key) or _NOTHING for key in sets] for result in results]
    sure = any(not isnan(figure.low) for row in rates for figure in row)
    cell = _WIDE if sure else _NARROW
    identical = any(result.protocol.identical_view for result in results)
    room = WIDTH - (len(sets) * cell + (len(sets) + 1) * _NARROW)
    label = min(max(12, *map(len, names)), max(12, room))
    equal = [[_equal_views(result, key) for key in sets] for result in results]
    mean = [_mean([figure.estimate for figure in row]) for row in rates]
    what = "all views" if identical else "different views"
    lines = [
        " " * label
        + f"{what:>{len(sets) * cell + _NARROW}}"
        + f"{'equal views':>{len(sets) * _NARROW}}",
        f"{'rank-1, %':<{label}}"
        + "".join(f"{name:>{cell - 1}.{cell - 2}} " for name in sets)
        + f"{'mean':>{_NARROW - 1}} "
        + "".join(f"{name:>{_NARROW - 1}.{_NARROW - 2}} " for name in sets),
    ]
    best = [_best([row[at].estimate for row in rates]) for at in range(len(sets))]
    best_equal = [_best([row[at] for row in equal]) for at in range(len(sets))]
    for index, name in enumerate(names):
        cells = [_marked(figure.estimate, best[at], cell) for at, figure in enumerate(rates[index])]
        cells.append(_marked(mean[index], _best(mean), _NARROW))
        cells += [_marked(value, best_equal[at], _NARROW) for at, value in enumerate(equal[index])]
        lines.append(f"{_fit(name, label):<{label}}{''.join(cells)}")
        if sure:
            spans = "".join(f"{_span(figure):>{cell - 1}} " for figure in rates[index])
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
            + "".join(f"{name:>{_PAIR}.{_PAIR - 2}}" for name in shown)
        )
        for title, pick, _ in figures_of(list(shown.values())):
            cells = "".join(f"{_with_span(pick(item)):>{_PAIR}}" for item in shown.values())
            lines.append(f"{title:<{label}}{cells}")
        pooled = "".join(f"{_rate(item.pooled_rank1):>{_PAIR}}" for item in shown.values())
        lines.append(f"{'rank-1, pooled over all searches':<{label}}{pooled}")
        failures = [item.failures_to_acquire for item in shown.values()]
        counts = "".join(f"{f'{item.count} of {item.of}':>{_PAIR}}" for item in failures)
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
        lines.append(f"{_fit(called, label):<{label}}{cells}")
    if not lines:
        return ""
    head = f"{'rank-1, points':<{label}}" + "".join(f"{name:>{_PAIR}}" for name in sets)
    title = f"Better than {names[0]}; 95 % intervals, paired over people"
    return "\n".join([_fit(title, WIDTH), head, *lines])


def _signed(gap: Interval) -> str:
    if isnan(gap.estimate):
        return _EMPTY
    return f"{gap.estimate:+.1f}" + ("" if isnan(gap.low) else f" ({gap.low:+.1f} {gap.high:+.1f})")


def figures_of(numbers: Sequence[Numbers]) -> list[Figure]:
    """The figures that any of some numbers has, in the order in which to show them."""
    figures: list[Figure] = [
        ("rank-1", lambda item: item.rank1, False),
        ("rank-5", lambda item: item.rank5, False),
        ("rank-10", lambda item: item.rank10, False),
        ("mAP", lambda item: item.mean_ap, False),
    ]
    verifications = [item.verification for item in numbers if item.verification is not None]
    if verifications:
        figures.append(("EER", _eer, True))
        points = dict.fromkeys(point for item in verifications for point in item.fnmr_at)
        figures += [(f"FNMR at FMR {100 * point:g} %", _fnmr_at(point), True) for point in points]
    open_sets = [item.open_set for item in numbers if item.open_set is not None]
    points = dict.fromkeys(point for item in open_sets for point in item.tpir_at)
    figures += [(f"TPIR at FPIR {100 * point:g} %", _tpir_at(point), False) for point in points]
    return figures


def _eer(numbers: Numbers) -> Interval:
    return _NOTHING if numbers.verification is None else numbers.verification.eer


def _fnmr_at(point: float) -> Callable[[Numbers], Interval]:
    def pick(numbers: Numbers) -> Interval:
        found = numbers.verification
        return _NOTHING if found is None else found.fnmr_at.get(point, _NOTHING)

    return pick


def _tpir_at(point: float) -> Callable[[Numbers], Interval]:
    def pick(numbers: Numbers) -> Interval:
        found = numbers.open_set
        return _NOTHING if found is None else found.tpir_at.get(point, _NOTHING)

    return pick


def _equal_views(result: EvaluationResult, name: str) -> float:
    table = result.tables.get(name)
    value = None if table is None else table.mean_identical
    return _NAN if value is None else value


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _best(values: Sequence[float]) -> float | None:
    """The highest of several values; `None` where none is better than another."""
    known = [value for value in values if not isnan(value)]
    return max(known) if len(set(known)) > 1 else None


def _marked(value: float, best: float | None, width: int) -> str:
    return f"{_rate(value) + ('*' if value == best else ' '):>{width}}"


def _span(figure: Interval) -> str:
    return "" if isnan(figure.low) else f"{figure.low:.1f}-{figure.high:.1f}"


def _with_span(figure: Interval) -> str:
    span = _span(figure)
    return f"{_rate(figure.estimate)} ({span})" if span else _rate(figure.estimate)


def _rate(value: float) -> str:
    return _EMPTY if isnan(value) else f"{value:.1f}"


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
