"""The figures that one looks for first, each with its interval, and their paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.numbers import figures_of
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.results import EvaluationResult
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Child, Html, tag

__all__ = ["figures_section", "headline_section"]

_MOST_COLUMNS = 4

_SURE = (
    "In small print: 95 % bootstrap intervals over people. Had other people been tested, the "
    "figure would probably lie there. They do not contain the variance of training: where a model "
    "is behind a figure, it is one training of it; only several seeds would show that."
)


def headline_section(entries: Sequence[Entry]) -> Html:
    """Rank-1 of every result and probe set, and the differences of the results from the first."""
    first = entries[0].result
    sets = list(first.tables)
    which = "all views" if first.protocol.identical_view else "different views"
    rank1 = {
        name: [figure for entry in entries if (figure := rank1_of(entry.result, name))]
        for name in sets
    }
    rows = []
    for index, entry in enumerate(entries):
        cells = [
            tag(
                "td",
                _figure(rank1[name][index], best=_is_best(rank1[name], index)),
                data_label=name,
            )
            for name in sets
        ]
        rows.append(tag("tr", tag("th", entry.title, scope="row"), cells))
    counts = ", ".join(f"{name} {_span(first, name)}" for name in sets)
    return tag(
        "section",
        tag("h2", "Rank-1 identification rate"),
        _table(f"Per cent, mean over {which}", ["", *sets], rows, "plain wide headline"),
        tag("p", f"Probes per cell: {counts}. ", _SURE, class_="note"),
        _differences(entries, sets) if len(entries) > 1 else None,
        _opengait(entries),
        id="headline",
    )


def _span(result: EvaluationResult, name: str) -> str:
    counts = result.tables[name].probes
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _is_best(figures: Sequence[Interval], index: int) -> bool:
    known = [figure.estimate for figure in figures if not isnan(figure.estimate)]
    return len(set(known)) > 1 and figures[index].estimate == max(known)


def _differences(entries: Sequence[Entry], sets: Sequence[str]) -> Html:
    """Of every other result from the first."""
    first = entries[0]
    rows = []
    for entry in entries[1:]:
        gaps = [paired_difference(first.result, entry.result, name) for name in sets]
        cells = [
            tag("td", _figure(gap, sign=True), data_label=name)
            for name, gap in zip(sets, gaps, strict=True)
        ]
        label = f"{entry.key} \u2212 {first.key}"
        rows.append(tag("tr", tag("th", label, scope="row"), cells))
    caption = (
        "Differences of rank-1 in points, paired: each draw takes the same people for both. An "
        "interval without 0 is a difference that other people would probably show too."
    )
    return _table(caption, ["", *sets], rows, "plain wide differences")


def _opengait(entries: Sequence[Entry]) -> Html | None:
    rounded = [entry.key for entry in entries if entry.result.rounding != "none"]
    if not rounded:
        return None
    text = f"{', '.join(rounded)}: each cell was rounded before averaging, as that toolkit does."
    return tag("p", text, class_="note")


def figures_section(entries: Sequence[Entry]) -> Html | None:
    """Everything else that has a number: closed set, verification, open set, failures."""
    parts = [
        _set_table(name, entries)
        for name in entries[0].result.tables
        if all(name in entry.result.numbers for entry in entries)
    ]
    if not parts:
        return None
    words = {
        "rank-k": "the true person is among the k people who come first",
        "mAP": "mean average precision: a probe ranks the gallery rows, its own person's are "
        "relevant (not the column mAP of OpenGait)",
        "pooled rank-1": "over all searches alike, so that fuller cells weigh more; every other "
        "figure is computed in each cell and averaged over the cells",
        "EER": "verification: the equal error rate",
        "FNMR at FMR": "verification: the share of true claims refused at the threshold that "
        "accepts that share of false ones",
        "TPIR at FPIR": "open set, people left out of the gallery in turn: the share of enrolled "
        "people found, at the threshold at which that share of strangers is found too",
        "failures": "probe sequences that were dropped before matching",
    }
    return tag(
        "section",
        tag("h2", "All figures"),
        tag("div", parts, class_="sets"),
        tag(
            "details",
            tag("summary", "What the words mean (ISO/IEC 19795-1)"),
            tag("dl", [(tag("dt", word), tag("dd", text)) for word, text in words.items()]),
        ),
        id="figures",
    )


def _set_table(name: str, entries: Sequence[Entry]) -> Html:
    numbers = [entry.result.numbers[name] for entry in entries]
    rows = []
    for label, pick, low_is_good in figures_of(numbers):
        figures = [pick(item) for item in numbers]
        signed = [f._replace(estimate=-f.estimate) if low_is_good else f for f in figures]
        cells = [
            tag(
                "td",
                _figure(figure, best=_is_best(signed, index)),
                data_label=entry.key,
            )
            for index, (entry, figure) in enumerate(zip(entries, figures, strict=True))
        ]
        rows.append(tag("tr", tag("th", label, scope="row"), cells))
    keys = [entry.key for entry in entries]
    pooled = [
        tag("td", f"{item.pooled_rank1:.1f}", data_label=key)
        for key, item in zip(keys, numbers, strict=True)
    ]
    rows.append(tag("tr", tag("th", "pooled rank-1", scope="row"), pooled))
    failures = [item.failures_to_acquire for item in numbers]
    cells = [
        tag(
            "td",
            f"{item.count} of {item.of}" + (", count as errors" if item.counted else ""),
            data_label=key,
        )
        for key, item in zip(keys, failures, strict=True)
    ]
    rows.append(tag("tr", tag("th", "failures to acquire", scope="row"), cells))
    # More columns than fit: each row's figures then flow into as many lines as they need.
    flow = " many" if len(entries) > _MOST_COLUMNS else " wide" if len(entries) > 2 else ""
    return _table(f"{name}, per cent", ["", *keys], rows, f"plain{flow}")


def _figure(figure: Interval, *, sign: bool = False, best: bool = False) -> Child:
    if isnan(figure.estimate):
        return "–"
    form = "+.1f" if sign else ".1f"
    estimate, low, high = (f"{value:{form}}".replace("-", "\u2212") for value in figure)
    interval = None if isnan(figure.low) else tag("span", f"{low} to {high}", class_="interval")
    return [tag("b", estimate, class_="best") if best else estimate, interval]


def _table(
    caption: str, head: Sequence[str], rows: Sequence[Html], class_: str = "plain wide"
) -> Html:
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", rows),
        class_=class_,
    )
