"""CMC, DET and score histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaitkit.reporting.page.charts import Curve, chart, histogram, legend
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag

__all__ = ["curves_section"]

_RANKS = 20
_MARKS = (0.1, 1.0, 5.0, 20.0, 50.0, 80.0, 95.0, 99.0)


def curves_section(entries: Sequence[Entry]) -> Html | None:
    """One CMC and one DET chart per probe set, one histogram per result and probe set."""
    sets = [
        name
        for name in entries[0].result.tables
        if all(name in entry.result.numbers for entry in entries)
    ]
    if not sets:
        return None
    names = [Curve(entry.title, _NONE, _NONE, at) for at, entry in enumerate(entries)]
    histograms = [
        _scores(name, entry, f"scores{number}-{at}")
        for number, name in enumerate(sets)
        for at, entry in enumerate(entries)
    ]
    return tag(
        "section",
        tag("h2", "Curves"),
        legend(names) if len(entries) > 1 else None,
        tag("h3", "Cumulative match characteristic"),
        tag("div", [_cmc(name, entries, f"cmc{at}") for at, name in enumerate(sets)], class_=_ROW),
        tag("h3", "Detection error trade-off"),
        tag("div", [_det(name, entries, f"det{at}") for at, name in enumerate(sets)], class_=_ROW),
        tag("h3", "Distances of the same and of different people"),
        legend([Curve("same person", _NONE, _NONE, 2), Curve("different people", _NONE, _NONE, 4)]),
        tag("div", histograms, class_=_ROW),
        id="curves",
    )


_NONE: NDArray[np.float64] = np.empty(0)
_ROW = "charts"


def _cmc(name: str, entries: Sequence[Entry], identifier: str) -> Html:
    curves, told = [], []
    for index, entry in enumerate(entries):
        rates = entry.result.numbers[name].cmc[:_RANKS]
        curves.append(Curve(entry.title, np.arange(1, len(rates) + 1), rates, index))
        points = ", ".join(f"rank {k} {rates[k - 1]:.0f}" for k in (1, 5, 10) if k <= len(rates))
        told.append(f"{entry.title}: {points}")
    return chart(
        curves,
        identifier=identifier,
        title=name,
        x_label="rank",
        y_label="identification rate, %",
        alt=f"Identification rate in per cent up to rank {_RANKS}, {name}. {'. '.join(told)}.",
        y_limits=(0.0, 103.0),
        x_step=5.0,
    )


def _det(name: str, entries: Sequence[Entry], identifier: str) -> Html | None:
    curves, told = [], []
    for index, entry in enumerate(entries):
        verification = entry.result.numbers[name].verification
        if verification is None:
            continue
        deviates = [_deviate(rate) for rate in (verification.fmr, verification.fnmr)]
        curves.append(Curve(entry.title, deviates[0], deviates[1], index))
        told.append(f"{entry.title}: equal error rate {verification.eer.estimate:.1f} %")
    if not curves:
        return None
    return chart(
        curves,
        identifier=identifier,
        title=name,
        x_label="false match rate, %",
        y_label="false non-match rate, %",
        alt=f"False non-match rate over false match rate, {name}. {'. '.join(told)}.",
        ticks={f"{rate:g}": float(_deviate(np.array(rate))) for rate in _MARKS},
    )


def _deviate(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per cent on the scale of a detection error trade-off (Martin et al., Eurospeech 1997).

    There normal scores give straight lines; 0 and 100 are infinitely far away.
    """
    from scipy.special import ndtri

    inside = (rate > 0) & (rate < 100)
    deviate: NDArray[np.float64] = ndtri(np.where(inside, rate / 100.0, np.nan))
    return deviate


def _scores(name: str, entry: Entry, identifier: str) -> Html | None:
    verification = entry.result.numbers[name].verification
    if verification is None:
        return None
    genuine, impostor = verification.genuine, verification.impostor
    middles = (verification.edges[:-1] + verification.edges[1:]) / 2
    means = [float(np.average(middles, weights=np.maximum(c, 1e-9))) for c in (genuine, impostor)]
    return histogram(
        verification.edges,
        [(impostor, 4), (genuine, 2)],
        identifier=identifier,
        title=f"{entry.key}: {name}",
        x_label=f"distance ({entry.result.metric})",
        alt=f"Histogram of distances, {name}, {entry.title}: mean {means[0]:.4g} for the same "
        f"person, {means[1]:.4g} for different people.",
    )
