"""The page's charts: rank-1 over the angle between the views, CMC, DET and score histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.published import (
    MARK,
    PublishedSystem,
    means_told,
    published_systems,
)
from gaitkit.identification.words import condition_word
from gaitkit.reporting.page.charts import Chart, Curve, Pen, chart, histogram
from gaitkit.reporting.page.inputs import Entry

__all__ = [
    "BESIDE",
    "AngleCharts",
    "Curves",
    "angle_chart",
    "angle_charts",
    "curves",
    "rate_by_angle",
]

BESIDE = ("gaitgan", "gaitganv2", "spae")
"""Published systems that stand beside one's own curves."""

_RANKS = 20
_MARKS = (0.1, 1.0, 5.0, 20.0, 50.0, 80.0, 95.0, 99.0)


class AngleCharts(NamedTuple):
    """One chart per probe set, what is drawn in them, and the protocol of the published figures.

    `published` is empty where there are none; `means` tells those systems of which nothing but
    means over all views is published.
    """

    charts: list[Chart]
    legend: list[Pen]
    published: str
    means: str = ""


def rate_by_angle(table: CrossViewTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean rate over the cells whose views are equally far apart.

    Returns
    -------
    angles : ndarray of float64, shape (a,)
        Degrees between the views, 0 to 180: 270° apart are 90°.
    rates : ndarray of float64, shape (a,)
        Per cent; empty cells are no part of a mean.
    """
    apart = np.abs(table.gallery_views[:, None] - table.probe_views[None, :]) % 360.0
    apart = np.minimum(apart, 360.0 - apart)
    filled = ~np.isnan(table.rate)
    angles = np.unique(apart[filled])
    return angles, np.array([table.rate[filled & (apart == angle)].mean() for angle in angles])


def angle_charts(entries: Sequence[Entry]) -> AngleCharts:
    """Rank-1 of every result over the angle between the views, beside the published systems.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    systems = [published_systems()[key] for key in BESIDE]
    shown: dict[str, Pen] = {}
    charts = []
    for number, name in enumerate(entries[0].result.tables):
        # Without views there are no angles between them.
        if entries[0].result.tables[name].pooled:
            continue
        drawn = [
            Curve(Pen(entry.title, index), *rate_by_angle(entry.result.tables[name]))
            for index, entry in enumerate(entries)
        ]
        drawn += [
            Curve(Pen(f"{system.label} ({MARK})", index, dashed=True), *_published(system, name))
            for index, system in enumerate(systems)
            if name in system.rank1
        ]
        shown |= {curve.pen.name: curve.pen for curve in drawn}
        charts.append(
            chart(
                drawn,
                identifier=f"angle{number}",
                title=condition_word(entries[0].result, name),
                x_label="angle between gallery and probe view, degrees",
                y_label="rank-1, %",
                alt=_alt(name, drawn),
                y_limits=(0.0, 103.0),
                markers=True,
                x_step=45.0,
            )
        )
    dashed = any(pen.dashed for pen in shown.values())
    if not dashed:
        return AngleCharts(charts, list(shown.values()), "")
    head, told = means_told()
    means = f"{head}: {', '.join(told)}."
    return AngleCharts(charts, list(shown.values()), systems[0].protocol, means)


def angle_chart(entries: Sequence[Entry], pens: Sequence[Pen]) -> Chart | None:
    """Rank-1 of the first probe set over the angle between the views, for the top of the page.

    Parameters
    ----------
    entries : sequence of Entry
        Some of the page's results.
    pens : sequence of Pen
        How each of them is drawn.
    """
    name = next(iter(entries[0].result.tables))
    drawn = [
        Curve(pen, *rate_by_angle(entry.result.tables[name]))
        for entry, pen in zip(entries, pens, strict=True)
    ]
    if not any(len(curve.x) > 1 for curve in drawn):
        return None
    word = condition_word(entries[0].result, name)
    return chart(
        drawn,
        identifier="opening-angle",
        title=f"The same over the angle between the cameras ({word})",
        x_label="angle between gallery and probe view, degrees",
        y_label="of 100 walks",
        alt=_alt(word, drawn),
        y_limits=(0.0, 103.0),
        markers=True,
        x_step=45.0,
    )


def _published(
    system: PublishedSystem, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    views, rates = np.array(system.views), system.rank1[name]
    return rate_by_angle(CrossViewTable(views, views, rates, np.ones(rates.shape, dtype=np.int64)))


def _alt(name: str, curves: Sequence[Curve]) -> str:
    parts = []
    for curve in curves:
        points = ", ".join(f"{x:g}° {y:.0f}" for x, y in zip(curve.x, curve.y, strict=True))
        parts.append(f"{curve.pen.name}: {points}")
    return f"Rank-1 in per cent over the angle between the views, {name}. {'. '.join(parts)}."


class Curves(NamedTuple):
    """Charts per probe set; histograms per probe set and result.

    `legend` is empty where there is one result only; `scores` has a list for each probe set, one
    histogram for each result, so that two results stand in pairs.
    """

    legend: list[Pen]
    cmc: list[Chart]
    det: list[Chart]
    scores: list[list[Chart]]
    score_legend: list[Pen]


_SAME = Pen("same person", 2, hatch="///")
_DIFFERENT = Pen("different people", 4, hatch="...")


def curves(entries: Sequence[Entry]) -> Curves | None:
    """CMC, DET and score histograms; `None` where results have no numbers for them.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    sets = [
        name
        for name in entries[0].result.tables
        if all(name in entry.result.numbers for entry in entries)
    ]
    if not sets:
        return None
    det = [_det(name, entries, f"det{at}") for at, name in enumerate(sets)]
    scores = [
        [
            drawn
            for at, entry in enumerate(entries)
            if (drawn := _scores(name, entry, f"scores{number}-{at}")) is not None
        ]
        for number, name in enumerate(sets)
    ]
    return Curves(
        legend=[Pen(entry.title, at) for at, entry in enumerate(entries)]
        if len(entries) > 1
        else [],
        cmc=[_cmc(name, entries, f"cmc{at}") for at, name in enumerate(sets)],
        det=[drawn for drawn in det if drawn is not None],
        scores=[drawn for drawn in scores if drawn],
        score_legend=[_SAME, _DIFFERENT],
    )


def _cmc(name: str, entries: Sequence[Entry], identifier: str) -> Chart:
    drawn, told = [], []
    for index, entry in enumerate(entries):
        rates = entry.result.numbers[name].cmc[:_RANKS]
        drawn.append(Curve(Pen(entry.title, index), np.arange(1, len(rates) + 1), rates))
        points = ", ".join(f"rank {k} {rates[k - 1]:.0f}" for k in (1, 5, 10) if k <= len(rates))
        told.append(f"{entry.title}: {points}")
    last = max(len(one.x) for one in drawn)
    return chart(
        drawn,
        identifier=identifier,
        title=condition_word(entries[0].result, name),
        x_label="rank" if entries[0].result.rank_by == "people" else "rank, gallery rows",
        y_label="identification rate, %",
        alt=f"Identification rate in per cent up to rank {last}, {name}. {'. '.join(told)}.",
        y_limits=(0.0, 103.0),
        # Of a few people no rank is a multiple of five.
        x_step=5.0 if last > 5 else 1.0,
    )


def _det(name: str, entries: Sequence[Entry], identifier: str) -> Chart | None:
    drawn, told = [], []
    for index, entry in enumerate(entries):
        verification = entry.result.numbers[name].verification
        if verification is None:
            continue
        deviates = [_deviate(rate) for rate in (verification.fmr, verification.fnmr)]
        drawn.append(Curve(Pen(entry.title, index), *deviates))
        told.append(f"{entry.title}: equal error rate {verification.eer.estimate:.1f} %")
    if not drawn:
        return None
    return chart(
        drawn,
        identifier=identifier,
        title=condition_word(entries[0].result, name),
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


def _scores(name: str, entry: Entry, identifier: str) -> Chart | None:
    verification = entry.result.numbers[name].verification
    if verification is None:
        return None
    genuine, impostor = verification.genuine, verification.impostor
    middles = (verification.edges[:-1] + verification.edges[1:]) / 2
    means = [float(np.average(middles, weights=np.maximum(c, 1e-9))) for c in (genuine, impostor)]
    return histogram(
        verification.edges,
        [(impostor, _DIFFERENT), (genuine, _SAME)],
        identifier=identifier,
        title=f"{condition_word(entry.result, name)} · {entry.title}",
        x_label=f"distance ({entry.result.metric})",
        alt=f"Histogram of distances, {name}, {entry.title}: mean {means[0]:.4g} for the same "
        f"person, {means[1]:.4g} for different people.",
    )
