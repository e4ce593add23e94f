"""The figures that one looks for first, each with its interval, and their paired differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

from gaitkit.identification.bootstrap import Interval
from gaitkit.identification.numbers import Numbers
from gaitkit.identification.results import EvaluationResult
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Child, Html, tag

__all__ = ["figures_section", "headline_section"]

Pick = Callable[[Numbers], Interval | None]

_SURE = (
    "In small print: 95 % bootstrap intervals over people. Had other people been tested, the "
    "figure would probably lie there. They do not contain the variance of training: each figure "
    "is of one trained model; only training with several seeds shows that."
)


def headline_section(entries: Sequence[Entry]) -> Html:
    """Rank-1 of every result and probe set, and the differences of the results from the first."""
    first = entries[0].result
    sets = list(first.tables)
    which = "all views" if first.protocol.identical_view else "different views"
    rank1 = {name: [_rank1(entry.result, name) for entry in entries] for name in sets}
    rows = []
    for index, entry in enumerate(entries):
        cells = [
            tag(
                "td",
                _figure(rank1[name][index]),
                class_="best" if len(entries) > 1 and _is_best(rank1[name], index) else None,
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
        _opengait(entries),
        id="headline",
    )


def _rank1(result: EvaluationResult, name: str) -> Interval:
    if name in result.numbers:
        return result.numbers[name].rank1
    rate = result.headline(name)
    nan = float("nan")
    return Interval(nan if rate is None else rate, nan, nan)


def _span(result: EvaluationResult, name: str) -> str:
    counts = result.tables[name].probes
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _is_best(figures: Sequence[Interval], index: int) -> bool:
    known = [figure.estimate for figure in figures if not isnan(figure.estimate)]
    return bool(known) and figures[index].estimate == max(known)


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
        parts,
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
    for label, pick, low_is_good in _picks(numbers[0]):
        figures = [pick(item) or Interval(*[float("nan")] * 3) for item in numbers]
        signed = [f._replace(estimate=-f.estimate) if low_is_good else f for f in figures]
        cells = [
            tag(
                "td",
                _figure(figure),
                class_="best" if len(entries) > 1 and _is_best(signed, index) else None,
                data_label=entry.key,
            )
            for index, (entry, figure) in enumerate(zip(entries, figures, strict=True))
        ]
        rows.append(tag("tr", tag("th", label, scope="row"), cells))
    pooled = [tag("td", f"{item.pooled_rank1:.1f}") for item in numbers]
    rows.append(tag("tr", tag("th", "rank-1, pooled over the searches", scope="row"), pooled))
    failures = [item.failures_to_acquire for item in numbers]
    cells = [
        tag("td", f"{item.count} of {item.of}" + (", count as errors" if item.counted else ""))
        for item in failures
    ]
    rows.append(tag("tr", tag("th", "failures to acquire", scope="row"), cells))
    return _table(f"{name}, per cent", ["", *(entry.key for entry in entries)], rows, "plain")


def _picks(numbers: Numbers) -> list[tuple[str, Pick, bool]]:
    """Label, figure and whether a low one is good; the points are those of the first result."""
    picks: list[tuple[str, Pick, bool]] = [
        ("rank-1", lambda item: item.rank1, False),
        ("rank-5", lambda item: item.rank5, False),
        ("rank-10", lambda item: item.rank10, False),
        ("mAP", lambda item: item.mean_ap, False),
    ]
    if numbers.verification is not None:
        picks.append(("EER", _eer, True))
        for point in numbers.verification.fnmr_at:
            picks.append((f"FNMR at FMR {_point(point)}", _fnmr_at(point), True))
    if numbers.open_set is not None:
        for point in numbers.open_set.tpir_at:
            picks.append((f"TPIR at FPIR {_point(point)}", _tpir_at(point), False))
    return picks


def _eer(numbers: Numbers) -> Interval | None:
    return None if numbers.verification is None else numbers.verification.eer


def _fnmr_at(point: float) -> Pick:
    return lambda item: item.verification.fnmr_at.get(point) if item.verification else None


def _tpir_at(point: float) -> Pick:
    return lambda item: item.open_set.tpir_at.get(point) if item.open_set else None


def _point(share: float) -> str:
    return f"{100 * share:g} %"


def _figure(figure: Interval, *, sign: bool = False) -> Child:
    if isnan(figure.estimate):
        return "–"
    form = "+.1f" if sign else ".1f"
    estimate, low, high = (f"{value:{form}}".replace("-", "\u2212") for value in figure)
    interval = None if isnan(figure.low) else tag("span", f"{low} to {high}", class_="interval")
    return [estimate, interval]


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
