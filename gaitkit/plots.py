"""Pictures for a notebook: matplotlib axes in, axes out.

Each function draws into `ax`, or into a new figure without it, and returns the axes, so that
titles, colours and files stay in the hands of whoever draws. No setting of matplotlib is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import names_told, values_of, whole_number
from gaitkit.errors import OptionError
from gaitkit.printable import quoted
from gaitkit.reporting.figures import draw_cmc, draw_matrix
from gaitkit.reporting.fonts import legible
from gaitkit.silhouettes.masks import as_array, refuse_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gaitkit.identification import EvaluationResult

__all__ = ["plot_cmc", "plot_geis", "plot_matrix"]

_GAP_PX = 2


@names_told
def plot_geis(
    geis: Any,
    *,
    names: Sequence[object] | None = None,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw gait energy images side by side, in rows.

    Parameters
    ----------
    geis : array_like, shape (n, height, width) or (height, width), or GeiSet
        Images of 0 to 255, or floats of 0 to 1: measured GEIs, translated ones or aligned
        silhouettes. They are drawn on one scale.
    names : sequence, length n, optional
        Written above each image.
    columns : int, optional
        Images in a row; by default all up to eleven, the views of CASIA-B, else about as many as
        rows.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionError
        These are no images, there are none, or as many names are needed.

    Examples
    --------
    >>> import numpy as np
    >>> import gaitkit
    >>> ax = gaitkit.plot_geis(np.zeros((3, 64, 44), np.uint8), names=["nm", "bg", "cl"])
    >>> [text.get_text() for text in ax.texts]
    ['nm', 'bg', 'cl']
    """
    _check_axes(ax)
    images = as_array(getattr(geis, "images", geis), "gait energy images")
    refuse_colours(images, "gait energy images")
    if images.ndim == 2:
        images = images[np.newaxis]
    if images.ndim != 3 or images.size == 0:
        raise OptionError(
            f"Expected gait energy images of shape (n, height, width), found {images.shape}."
        )
    count = len(images)
    titles = [] if names is None else values_of(names, "names", count, "images")
    usual = count if count <= 11 else ceil(sqrt(count))
    across = usual if columns is None else min(whole_number(columns, "columns", 1), count)
    sheet, corners = _tiled(images, across)
    axes = _axes(ax, sheet.shape)
    white = 1.0 if images.dtype.kind in "bf" and images.max() <= 1 else 255.0
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=white, interpolation="nearest")
    axes.set_axis_off()
    for name, (left, top) in zip(titles, corners):
        middle = left + (images.shape[2] - 1) / 2
        axes.text(
            middle, top - 1.5, str(name), ha="center", va="bottom", fontsize=8, parse_math=False
        )
    legible(axes)
    return axes


def _tiled(images: NDArray[Any], across: int) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Images in a grid, NaN between, with room for a name above each row; and their corners."""
    count, height, width = images.shape
    head = max(_GAP_PX, height // 6)
    down = ceil(count / across)
    shape = (down * (height + head), across * (width + _GAP_PX) - _GAP_PX)
    sheet = np.full(shape, np.nan)
    corners = []
    for number, image in enumerate(images):
        row, column = divmod(number, across)
        top, left = row * (height + head) + head, column * (width + _GAP_PX)
        sheet[top : top + height, left : left + width] = image
        corners.append((left, top))
    return sheet, corners


@names_told
def plot_matrix(result: Any, probe_set: str | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the cross-view matrix of one probe set: rank-1 by gallery and probe view, per cent.

    Parameters
    ----------
    result : EvaluationResult
        What `gaitkit.evaluate` returned, or one of several that it returned.
    probe_set : str, optional
        Name of the probe set, as ``nm``; by default the protocol's first.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionError
        This is no result, these are several, or there is no such probe set.

    Examples
    --------
    >>> import gaitkit
    >>> result = gaitkit.evaluate("gei.h5")  # doctest: +SKIP
    >>> gaitkit.plot_matrix(result, "nm").figure.savefig("nm.png")  # doctest: +SKIP
    """
    _check_axes(ax)
    found = _results(result)
    if len(found) != 1:
        told = ", ".join(f"{one.feature} by {one.metric}" for one in found)
        raise OptionError(
            f"Expected one result to draw its matrix, found {len(found)}: {told}.",
            hint="Choose one: `plot_matrix(results[0])`.",
        )
    (one,) = found
    name = _probe_set(one, probe_set)
    drawn = draw_matrix(
        one.tables[name].rate,
        *(
            ["all" if np.isnan(view) else f"{view:g}" for view in views]
            for views in (one.tables[name].gallery_views, one.tables[name].probe_views)
        ),
        title=f"{name}: rank-1, per cent",
        ax=ax,
    )
    legible(drawn)
    return drawn


@names_told
def plot_cmc(
    result: Any, probe_set: str | None = None, *, ranks: int = 20, ax: Axes | None = None
) -> Axes:
    """Draw cumulative match characteristics: the identification rate up to each rank, per cent.

    Parameters
    ----------
    result : EvaluationResult or sequence of EvaluationResult
        What `gaitkit.evaluate` returned, or several such to compare.
    probe_set : str, optional
        Only this one; by default one curve for each probe set.
    ranks : int
        The last rank that is shown, at least 1.
    ax : matplotlib.axes.Axes, optional
        Where; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionError
        This is no result, or there is no such probe set, or it has no figures.

    Examples
    --------
    >>> import gaitkit
    >>> result = gaitkit.evaluate("gei.h5")  # doctest: +SKIP
    >>> gaitkit.plot_cmc(result).figure.savefig("cmc.png")  # doctest: +SKIP
    """
    _check_axes(ax)
    ranks = whole_number(ranks, "ranks", 1)
    found = _results(result)
    curves: dict[str, NDArray[np.float64]] = {}
    for number, one in enumerate(found):
        names = list(one.numbers) if probe_set is None else [_probe_set(one, probe_set)]
        for name in names:
            if name not in one.numbers:
                raise OptionError(f"{one.source} has no figures of the probe set {name!r}.")
            label = name
            if len(found) > 1:
                label = f"{one.source}, {one.feature}, {one.metric}: {name}"
                label = f"{label} ({number + 1})" if label in curves else label
            curves[label] = one.numbers[name].cmc
    drawn = draw_cmc(curves, ranks=ranks, ax=ax)
    legible(drawn)
    return drawn


def _results(value: Any) -> list[EvaluationResult]:
    """One result or several, as a list; anything else is refused."""
    from gaitkit.identification import EvaluationResult

    found = list(value) if isinstance(value, list | tuple) else [value]
    # Several evaluations, each of which returned a list.
    found = [one for item in found for one in (item if isinstance(item, list) else [item])]
    for one in found:
        if not isinstance(one, EvaluationResult):
            raise OptionError(
                f"Expected the result of an evaluation, found a {type(one).__name__}.",
                hint="`gaitkit.evaluate` makes one; `gaitkit.identification.read_results` reads "
                "one from a file.",
            )
    if not found:
        raise OptionError("Expected the result of an evaluation, found none.")
    return found


def _probe_set(result: EvaluationResult, name: str | None) -> str:
    if name is None:
        return next(iter(result.tables))
    if not isinstance(name, str) or name not in result.tables:
        raise OptionError(
            f"There is no probe set {quoted(name)} in {result.source}.",
            hint=f"There are {', '.join(result.tables)}.",
        )
    return name


def _check_axes(ax: Any) -> None:
    if ax is not None and not hasattr(ax, "imshow"):
        raise OptionError(
            f"`ax` must be the axes of a matplotlib figure, got a {type(ax).__name__}.",
            hint="`figure, ax = matplotlib.pyplot.subplots()` makes some.",
        )


def _axes(ax: Axes | None, shape: tuple[int, ...]) -> Axes:
    """The given axes, or those of a new figure of this shape that a notebook shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    height, width = shape
    inches = min(12.0, max(2.0, width / 60))
    _, made = pyplot.subplots(
        figsize=(inches, max(1.0, inches * height / width)), layout="constrained"
    )
    return made
