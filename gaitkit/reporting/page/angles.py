"""Rank-1 over the angle between gallery and probe view, beside the published systems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.published import MARK, published_systems
from gaitkit.reporting.page.charts import Curve, chart, legend
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag

__all__ = ["BESIDE", "angle_section", "rate_by_angle"]

BESIDE = ("gaitgan", "gaitganv2", "spae")
"""Published systems that stand beside one's own curves."""


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


def angle_section(entries: Sequence[Entry]) -> Html:
    """One chart per probe set, and what is drawn in them."""
    first = entries[0].result
    systems = [published_systems()[key] for key in BESIDE]
    shown: dict[str, Curve] = {}
    charts = []
    for number, name in enumerate(first.tables):
        curves = []
        for index, entry in enumerate(entries):
            angles, rates = rate_by_angle(entry.result.tables[name])
            curves.append(Curve(entry.title, angles, rates, index))
        for index, system in enumerate(systems):
            if name not in system.rank1:
                continue
            views = np.array(system.views)
            rates = system.rank1[name]
            published = CrossViewTable(views, views, rates, np.ones(rates.shape, dtype=np.int64))
            angles, means = rate_by_angle(published)
            title = f"{system.label} ({MARK})"
            curves.append(Curve(title, angles, means, index, dashed=True))
        shown |= {curve.name: curve for curve in curves}
        charts.append(
            chart(
                curves,
                identifier=f"angle{number}",
                title=name,
                x_label="angle between gallery and probe view, degrees",
                y_label="rank-1, %",
                alt=_alt(name, curves),
                y_limits=(0.0, 103.0),
                markers=True,
                x_step=45.0,
            )
        )
    dashed = any(curve.dashed for curve in shown.values())
    note = (
        f"Dashed: the papers' own figures on CASIA-B ({systems[0].protocol}), not computed here; "
        f"the others are of data set {first.dataset}, {first.protocol.name}."
    )
    return tag(
        "section",
        tag("h2", "Rank-1 over the angle between the views"),
        tag(
            "p",
            "Expect a U and not a slope: seen from behind, a silhouette mirrors the one from the "
            "front.",
        ),
        legend(list(shown.values())),
        tag("div", charts, class_="charts"),
        tag("p", note, class_="note") if dashed else None,
        id="angles",
    )


def _alt(name: str, curves: Sequence[Curve]) -> str:
    parts = []
    for curve in curves:
        points = ", ".join(f"{x:g}° {y:.0f}" for x, y in zip(curve.x, curve.y, strict=True))
        parts.append(f"{curve.name}: {points}")
    return f"Rank-1 in per cent over the angle between the views, {name}. {'. '.join(parts)}."
