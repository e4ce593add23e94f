"""Figures that need axes: curves of a training and cross-view matrices, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "curve_panels", "rank1_heat_maps"]


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
        _draw_panel(axes, panel)
        axes.set_xlim(0, last)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title)
    return _pixels(figure)


def _draw_panel(axes: Any, panel: Panel) -> None:
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
        axes.imshow(matrix, vmin=0, vmax=100, cmap="viridis")
        axes.set_xticks(range(len(probe_views)), probe_views, fontsize=7)
        axes.set_yticks(range(len(gallery_views)), gallery_views, fontsize=7)
        axes.set(xlabel="probe view", ylabel="gallery view", title=name)
        axes.title.set_parse_math(False)
        for (row, column), value in np.ndenumerate(matrix):
            text = "–" if np.isnan(value) else f"{value:.0f}"
            colour = "black" if value > 60 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    # Names of data sets and features are other people's, and may hold a dollar sign.
    figure.suptitle(title).set_parse_math(False)
    return _pixels(figure)


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()
