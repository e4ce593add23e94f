"""Charts as inline SVG whose colours follow the page, and whose bytes repeat.

matplotlib draws them with stand-in colours, which become the page's own: an SVG cannot know
whether it is read in a light or a dark room. What users have named (files, features) is not
drawn but in short words below bars: it stands in the legend, which is HTML
(`templates/parts.html`) and wraps on a phone.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from gaitkit.identification.figures.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "PATTERNS", "Chart", "Curve", "Pen", "bars", "chart", "histogram"]

COLOURS = 6
"""Distinct colours; more curves repeat them."""

PATTERNS = {
    " ": "M0 0",
    "///": "M0 10L10 0M6 10L16 0M12 10L22 0M18 10L28 0M24 10L34 0",
    "...": "M4 3h1M10 3h1M16 3h1M22 3h1M7 7h1M13 7h1M19 7h1M25 7h1",
    "xx": "M0 10L10 0M10 10L20 0M20 10L30 0M0 0L10 10M10 0L20 10M20 0L30 10",
    "---": "M0 3H30M0 7H30",
    "\\\\\\": "M0 0L10 10M6 0L16 10M12 0L22 10M18 0L28 10M24 0L34 10",
}
"""Patterns of areas, as matplotlib names them, and as a legend draws them."""

_INK, _SOFT, _LINE = "#000001", "#000002", "#000003"
_SERIES = tuple(f"#0000{10 + index}" for index in range(COLOURS))
_STAND_INS = {_INK: "var(--ink)", _SOFT: "var(--soft)", _LINE: "var(--line)"} | {
    colour: f"var(--s{index})" for index, colour in enumerate(_SERIES)
}
_DASHES = ((6.0, 2.0), (2.0, 1.5), (6.0, 2.0, 1.5, 2.0))
_SIZE = (3.6, 2.7)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 8.0,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _SOFT,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _LINE,
    "text.usetex": False,
}


@dataclass(frozen=True)
class Pen:
    """How a line is drawn, and its name in the legend.

    Attributes
    ----------
    name : str
        For the legend.
    colour : int
        Index of its colour or, where dashed, of its dashes.
    dashed : bool
        Figures that are not of the data at hand: grey and dashed.
    hatch : str
        Pattern of an area beside its colour, of `PATTERNS`; empty for a line.
    """

    name: str
    colour: int
    dashed: bool = False
    hatch: str = ""

    @property
    def dashes(self) -> tuple[float, ...]:
        """Lengths of dashes and gaps, where it is dashed."""
        return _DASHES[self.colour % len(_DASHES)]

    @property
    def stroke(self) -> str:
        """Its colour in the page's style."""
        return "var(--soft)" if self.dashed else f"var(--s{self.colour % COLOURS})"

    @property
    def pattern(self) -> str:
        """Its pattern as the path of an SVG of 30 by 10."""
        return PATTERNS.get(self.hatch, "")


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart.

    Attributes
    ----------
    pen : Pen
        How it is drawn.
    x, y : ndarray of float64, shape (n,)
        Points; NaN is a gap.
    """

    pen: Pen
    x: NDArray[Any]
    y: NDArray[Any]


class Chart(NamedTuple):
    """A drawing, and what stands above it."""

    title: str
    svg: Markup


def chart(
    curves: Sequence[Curve],
    *,
    identifier: str,
    title: str,
    x_label: str,
    y_label: str,
    alt: str,
    ticks: Mapping[str, float] | None = None,
    y_limits: tuple[float, float] | None = None,
    markers: bool = False,
    x_step: float | None = None,
) -> Chart:
    """A drawing with lines.

    Parameters
    ----------
    curves : sequence of Curve
        What to draw.
    identifier : str
        Unlike those of the page's other charts: letters, digits, hyphens.
    title, x_label, y_label, alt : str
        Above, beside, and instead of the picture.
    ticks : mapping of str to float, optional
        Marks of both axes: what to write, and where.
    y_limits : tuple of float, optional
        Of the vertical axis.
    markers : bool
        Mark each point.
    x_step : float, optional
        Between the marks of the horizontal axis.

    Returns
    -------
    Chart
    """
    import matplotlib
    from matplotlib.ticker import MultipleLocator

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": identifier}):
        figure, axes = _axes(x_label, y_label)
        for curve in curves:
            pen = curve.pen
            axes.plot(
                curve.x,
                curve.y,
                color=_SOFT if pen.dashed else _SERIES[pen.colour % COLOURS],
                linewidth=1.1 if pen.dashed else 1.8,
                linestyle=(0, pen.dashes) if pen.dashed else "-",
                marker="o" if markers and not pen.dashed else None,
                markersize=3,
            )
        if ticks is not None:
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_ticks(list(ticks.values()), labels=list(ticks))
        if x_step is not None:
            axes.xaxis.set_major_locator(MultipleLocator(x_step))
        if y_limits is not None:
            axes.set_ylim(*y_limits)
        return Chart(title, _svg(figure, identifier, alt))


def histogram(
    edges: NDArray[np.float64],
    groups: Sequence[tuple[NDArray[Any], Pen]],
    *,
    identifier: str,
    title: str,
    x_label: str,
    alt: str,
) -> Chart:
    """Shares per bin of several groups over shared edges.

    Parameters
    ----------
    edges : ndarray of float64, shape (b + 1,)
        Of the bins.
    groups : sequence of (ndarray of shape (b,), Pen)
        Counts, and how they are drawn; each group is divided by its own total.
    identifier, title, x_label, alt
        As in `chart`.
    """
    import matplotlib

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": identifier}):
        figure, axes = _axes(x_label, "share of comparisons, %")
        for counts, pen in groups:
            share = 100.0 * np.asarray(counts) / max(1, int(np.sum(counts)))
            colour = _SERIES[pen.colour % COLOURS]
            axes.stairs(share, edges, color=colour, linewidth=1.2)
            axes.stairs(share, edges, color=colour, fill=True, alpha=0.25)
            axes.stairs(
                share,
                edges,
                edgecolor=colour,
                facecolor="none",
                fill=True,
                hatch=pen.hatch,
                linewidth=0,
            )
        axes.set_ylim(bottom=0)
        return Chart(title, _svg(figure, identifier, alt))


def bars(
    groups: Sequence[str],
    series: Sequence[tuple[Pen, Sequence[Interval]]],
    *,
    line: float,
    identifier: str,
    title: str,
    y_label: str,
    alt: str,
) -> Chart:
    """Rates as bars with their intervals, side by side within each group.

    Parameters
    ----------
    groups : sequence of str
        Words below the groups: of gaitkit's own, or names that are drawn as they are.
    series : sequence of (Pen, sequence of Interval)
        How the bars of one result are drawn, and its rates by group, per cent.
    line : float
        A dashed line across, per cent.
    identifier, title, y_label, alt : str
        As in `chart`.
    """
    import matplotlib

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": identifier, "hatch.linewidth": 0.8}):
        figure, axes = _axes("", y_label)
        axes.grid(visible=False, axis="x")
        places = np.arange(len(groups), dtype=np.float64)
        width = 0.8 / max(1, len(series))
        for number, (pen, rates) in enumerate(series):
            at = places + (number - (len(series) - 1) / 2) * width
            height = np.array([rate.estimate for rate in rates])
            colour = _SERIES[pen.colour % COLOURS]
            axes.bar(at, height, 0.9 * width, color=colour, alpha=0.3)
            axes.bar(
                at,
                height,
                0.9 * width,
                facecolor="none",
                edgecolor=colour,
                linewidth=1.2,
                hatch=pen.hatch.strip() or None,
            )
            for place, rate in zip(at, rates, strict=True):
                axes.plot([place, place], [rate.low, rate.high], color=_INK, linewidth=1.2)
        axes.axhline(line, color=_SOFT, linewidth=1.1, linestyle=(0, _DASHES[0]))
        axes.set_xticks(places, labels=list(groups))
        for label in axes.get_xticklabels():
            label.set_parse_math(False)
        axes.set_ylim(0.0, 103.0)
        return Chart(title, _svg(figure, identifier, alt))


def _axes(x_label: str, y_label: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.subplots()
    axes.patch.set_visible(False)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _svg(figure: Figure, identifier: str, alt: str) -> Markup:
    out = io.StringIO()
    with warnings.catch_warnings():
        # The browser draws the letters, with its own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Several drawings share one page, and matplotlib gives each the same names.
    text = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{identifier}-", text)
    for stand_in, colour in _STAND_INS.items():
        text = text.replace(stand_in, colour)
    opening, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    assert box is not None
    # What matplotlib writes is markup; what stands instead of the picture is other people's text.
    told = Markup('<svg role="img" aria-label="{}" {}>').format(alt, Markup(box.group()))
    return told + Markup(rest)
