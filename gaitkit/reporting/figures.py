"""Figures that need axes: loss curves and cross-view matrices, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["loss_curves", "rank1_heat_maps"]


def loss_curves(
    step: NDArray[np.int64], curves: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.uint8]:
    """Draw the history of a training.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Iterations.
    curves : mapping of str to ndarray of float64, shape (n,)
        Name of a loss and its values.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), dpi=110, layout="constrained")
    axes = figure.subplots()
    for name, values in curves.items():
        axes.plot(step, values, label=name, linewidth=1.2)
    axes.set(xlabel="iteration", ylabel="loss", title="Training history")
    axes.grid(alpha=0.3)
    axes.legend()
    return _pixels(figure)


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
        for (row, column), value in np.ndenumerate(matrix):
            text = "–" if np.isnan(value) else f"{value:.0f}"
            colour = "black" if value > 60 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    figure.suptitle(title)
    return _pixels(figure)


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()
