"""What the page opens with, for whom it is sent to: a sentence in words, and two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import NOTHING
from gaitkit.identification.words import chance, condition_word, sentence, short_sentence
from gaitkit.printable import counted, fitted, printable
from gaitkit.reporting.page.charts import Chart, Pen, bars
from gaitkit.reporting.page.curves import angle_chart
from gaitkit.reporting.page.inputs import Entry, GeiFile
from gaitkit.reporting.page.people import Pair, example_pairs

__all__ = ["Line", "Opening", "opening"]

_MOST = 4
_HATCHES = (" ", "///", "...", "xx")
_LONGEST_WORD = 12


class Line(NamedTuple):
    """Which result, empty where there is one only, and what is said of it."""

    who: str
    said: str


class Opening(NamedTuple):
    """A few sentences, the rates as bars, and walks beside their nearest or rates by angle.

    `shown` tells how many of the results are in it where it is not all of them.
    """

    lines: list[Line]
    rates: Chart
    legend: list[Pen]
    pairs: list[Pair]
    angles: Chart | None
    shown: str


def opening(entries: Sequence[Entry], files: Sequence[GeiFile]) -> Opening:
    """The first things that a reader sees.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results; of many the first four are shown.
    files : sequence of GeiFile
        The page's images.
    """
    first, *others = shown = entries[:_MOST]
    pens = [
        Pen(entry.title, at, hatch=hatch)
        for at, (entry, hatch) in enumerate(zip(shown, _HATCHES, strict=False))
    ]
    lines = [Line(first.title if others else "", sentence(first.result))]
    lines += [Line(entry.title, f"{short_sentence(entry.result)}.") for entry in others]
    pairs = example_pairs(entries, files)
    views = not any(table.pooled for table in first.result.tables.values())
    angles = (
        angle_chart(shown) if views and not pairs and first.result.over != "equal views" else None
    )
    return Opening(
        lines,
        _rates(shown, pens),
        [*(pens if others else []), Pen("guessing", 0, dashed=True)],
        pairs,
        angles,
        f"the first {_MOST} of {counted(len(entries), 'result')}" if len(entries) > _MOST else "",
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
