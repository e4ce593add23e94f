"""Drawings with axes, by matplotlib: cross-view matrices, CMC curves, curves of a training.

`draw_matrix`, `draw_cmc` and `draw_panel` draw into given axes and return them; `curve_panels` and
`rank1_heat_maps` lay several of them out as one picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.reporting.fonts import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "curve_panels", "draw_cmc", "draw_matrix", "draw_panel", "rank1_heat_maps"]


@dataclass(frozen=True)
class Panel:
    """Curves over the iterations of a training that share one scale.

    Attributes
    ----------
    title, unit : str
        Above the panel, and beside its vertical axis.
    steps : ndarray of int64, shape (n,)
        Iterations.
    curves : mapping of str to ndarray of float64, shape (n,)
        Name and values; NaN where there is none.
    limits : tuple of float, optional
        Of the vertical axis.
    logarithmic : bool
        Whether the vertical axis is.
    mark : tuple of (int, float, str), optional
        An iteration, a value and what to write there.
    """

    title: str
    unit: str
    steps: NDArray[np.int64]
    curves: Mapping[str, NDArray[np.float64]]
    limits: tuple[float, float] | None = None
    logarithmic: bool = False
    mark: tuple[int, float, str] | None = None


def curve_panels(panels: Sequence[Panel], title: str) -> NDArray[np.uint8]:
    """Draw the history of a training, two panels in a row.

    Parameters
    ----------
    panels : sequence of Panel
        At least one.
    title : str
        One line above all.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    size = (4.0 + 4.0 * columns, 0.4 + 3.4 * rows)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    last = max(int(panel.steps[-1]) for panel in panels)
    for axes, panel in zip(grid, panels, strict=False):
        draw_panel(panel, ax=axes).set_xlim(0, last)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title)
    return _pixels(figure)


def draw_panel(panel: Panel, *, ax: Axes | None = None) -> Axes:
    """Draw the curves of one panel, its legend to the right.

    Parameters
    ----------
    panel : Panel
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> steps = np.array([100, 200, 300])
    >>> ax = draw_panel(Panel("losses", "mean", steps, {"G": np.array([3.0, 2.0, 1.5])}))
    >>> ax.get_xlabel()
    'iteration'
    """
    axes = _axes(ax)
    marker = "o" if len(panel.steps) <= 60 else None
    for name, values in panel.curves.items():
        axes.plot(panel.steps, values, label=name, linewidth=1.2, marker=marker, markersize=2.5)
    if panel.mark is not None:
        step, value, text = panel.mark
        axes.axvline(step, color="0.5", linewidth=0.8, linestyle="--")
        axes.plot([step], [value], marker="*", markersize=12, color="black", label=text)
    axes.set(xlabel="iteration", ylabel=panel.unit)
    axes.set_title(panel.title, fontsize=10)
    if panel.logarithmic:
        axes.set_yscale("log")
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def draw_matrix(
    matrix: NDArray[np.float64],
    gallery_views: Sequence[str],
    probe_views: Sequence[str],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw one cross-view matrix as a heat map with its numbers.

    Parameters
    ----------
    matrix : ndarray of float64, shape (gallery views, probe views)
        Rank-1 identification rate, per cent; NaN where a cell is empty.
    gallery_views, probe_views : sequence of str
        Names of rows and columns.
    title : str
        Above the matrix; written as it is, without mathematics.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = draw_matrix(np.array([[100.0, 40.0], [55.0, np.nan]]), ["000", "090"], ["000", "090"])
    >>> [text.get_text() for text in ax.texts]
    ['100', '40', '55', '–']
    """
    axes = _axes(ax)
    axes.imshow(matrix, vmin=0, vmax=100, cmap="viridis")
    axes.set_xticks(range(len(probe_views)), probe_views, fontsize=7)
    axes.set_yticks(range(len(gallery_views)), gallery_views, fontsize=7)
    axes.set(xlabel="probe view", ylabel="gallery view", title=title)
    axes.title.set_parse_math(False)
    for (row, column), value in np.ndenumerate(matrix):
        text = "–" if np.isnan(value) else f"{value:.0f}"
        colour = "black" if value > 60 else "white"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    return axes


def draw_cmc(
    curves: Mapping[str, NDArray[np.float64]],
    *,
    ranks: int = 20,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw cumulative match characteristics: the identification rate up to each rank.

    Parameters
    ----------
    curves : mapping of str to ndarray of float64, shape (n,)
        Name, for the legend, and rates in per cent from rank 1 on.
    ranks : int
        The last rank that is shown.
    title : str
        Above the curves; written as it is, without mathematics.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = draw_cmc({"raw": np.array([60.0, 80.0, 95.0, 100.0])}, ranks=3)
    >>> ax.lines[0].get_ydata()
    array([60., 80., 95.])
    """
    from matplotlib.ticker import MaxNLocator

    axes = _axes(ax)
    for name, rates in curves.items():
        shown = rates[:ranks]
        axes.plot(np.arange(1, len(shown) + 1), shown, label=name, marker="o", markersize=3)
    axes.set(xlabel="rank", ylabel="identification rate, %", title=title, ylim=(0.0, 103.0))
    axes.title.set_parse_math(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    for text in axes.legend(fontsize=8, loc="lower right").get_texts():
        text.set_parse_math(False)
    return axes


def rank1_heat_maps(
    matrices: Mapping[str, NDArray[np.float64]],
    gallery_views: Sequence[str],
    probe_views: Sequence[str],
    title: str,
) -> NDArray[np.uint8]:
    """Draw one cross-view matrix per condition, with its numbers.

    Parameters
    ----------
    matrices : mapping of str to ndarray of float64, shape (gallery views, probe views)
        Rank-1 identification rate, per cent; NaN where a cell is empty.
    gallery_views, probe_views : sequence of str
        Names of rows and columns.
    title : str
        One line above all.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    from matplotlib.figure import Figure

    side = max(3.0, 0.45 * len(probe_views) + 1.2)
    figure = Figure(figsize=(side * len(matrices), side + 0.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
        draw_matrix(matrix, gallery_views, probe_views, title=name, ax=axes)
    # Names of data sets and features are other people's, and may hold a dollar sign.
    figure.suptitle(title).set_parse_math(False)
    return _pixels(figure)


def _axes(ax: Axes | None) -> Axes:
    """The given axes, or those of a new figure that a notebook shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, made = pyplot.subplots(layout="constrained")
    return made


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    legible(figure)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()
