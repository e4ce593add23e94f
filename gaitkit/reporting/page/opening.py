"""What the page opens with, for whom it is sent to: a sentence in words, and two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import NamedTuple

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import NOTHING
from gaitkit.identification.words import chance, condition_word, sentence, short_sentence
from gaitkit.printable import counted, fitted, printable
from gaitkit.reporting.page.charts import PATTERNS, Chart, Pen, bars
from gaitkit.reporting.page.curves import angle_chart
from gaitkit.reporting.page.inputs import Entry, GeiFile
from gaitkit.reporting.page.people import Pair, example_pairs

__all__ = ["Line", "Opening", "opening"]

# As many as there are patterns: bars are told apart without their colours too.
_HATCHES = tuple(PATTERNS)
_MOST = len(_HATCHES)
_LONGEST_WORD = 12


class Line(NamedTuple):
    """Which result, empty where there is one only, and what is said of it."""

    who: str
    said: str


class Opening(NamedTuple):
    """A few sentences, the rates as bars, and walks beside their nearest or rates by angle.

    `angles` has the legend `angle_legend`, empty where there is one result only. `shown` tells
    which of the results are in it, and why those, where it is not all of them.
    """

    lines: list[Line]
    rates: Chart
    legend: list[Pen]
    pairs: list[Pair]
    angles: Chart | None
    angle_legend: list[Pen]
    shown: str


def opening(entries: Sequence[Entry], files: Sequence[GeiFile]) -> Opening:
    """The first things that a reader sees.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results; of more than six, the first and those with the highest rates.
    files : sequence of GeiFile
        The page's images.
    """
    places = _chosen(entries)
    first, *others = shown = [entries[place] for place in places]
    # In the colours that they have on the rest of the page.
    lines_of = [Pen(entry.title, at) for at, entry in zip(places, shown, strict=True)]
    pens = [replace(pen, hatch=hatch) for pen, hatch in zip(lines_of, _HATCHES, strict=False)]
    lines = [Line(first.title if others else "", sentence(first.result))]
    lines += [Line(entry.title, f"{short_sentence(entry.result)}.") for entry in others]
    pairs = example_pairs(entries, files)
    views = not any(table.pooled for table in first.result.tables.values())
    angles = (
        angle_chart(shown, lines_of)
        if views and not pairs and first.result.over != "equal views"
        else None
    )
    return Opening(
        lines,
        _rates(shown, pens),
        [*(pens if others else []), Pen("guessing", 0, dashed=True)],
        pairs,
        angles,
        lines_of if others else [],
        "" if len(shown) == len(entries) else _told_choice(entries, len(shown)),
    )


def _chosen(entries: Sequence[Entry]) -> list[int]:
    """Places of the results to show, in the page's order: the best is always among them."""
    if len(entries) <= _MOST:
        return list(range(len(entries)))
    others = range(1, len(entries))
    best = sorted(others, key=lambda place: _mean_rate(entries[place]), reverse=True)
    return [0, *sorted(best[: _MOST - 1])]


def _mean_rate(entry: Entry) -> float:
    """Rank-1 averaged over the probe sets; below all others where nothing was searched."""
    rates = [rank1_of(entry.result, name) or NOTHING for name in entry.result.tables]
    known = [rate.estimate for rate in rates if not isnan(rate.estimate)]
    return sum(known) / len(known) if known else -1.0


def _told_choice(entries: Sequence[Entry], shown: int) -> str:
    several = len(entries[0].result.tables) > 1
    rates = "the highest mean rate over the conditions" if several else "the highest rate"
    return (
        f"{shown} of {counted(len(entries), 'result')}: {entries[0].key}, with which the others "
        f"are compared, and the {shown - 1} others that have {rates}"
    )


def _rates(entries: Sequence[Entry], pens: Sequence[Pen]) -> Chart:
    result = entries[0].result
    sets = list(result.tables)
    words = [condition_word(result, name) for name in sets]
    told = []
    series = []
    for entry, pen in zip(entries, pens, strict=True):
        rates = [rank1_of(entry.result, name) or NOTHING for name in sets]
        series.append((pen, rates))
        listed = ", ".join(
            f"{word} {rate.estimate:.0f}"
            for word, rate in zip(words, rates, strict=True)
            if not isnan(rate.estimate)
        )
        told.append(f"{entry.title}: {listed}")
    return bars(
        [fitted(printable(word), _LONGEST_WORD) for word in words],
        series,
        line=chance(result),
        identifier="opening-rates",
        title="Walks that are given the right name, of 100",
        y_label="of 100 walks",
        alt=f"Walks of a hundred that are given the right name. {'. '.join(told)}. Guessing: "
        f"{chance(result):.0f}.",
    )
