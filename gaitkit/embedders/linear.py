"""Discriminant analysis of GEIs whose matrix changes with the view, in closed form.

What tells people apart, and looks alike from all sides, is found at once: principal components, and
the directions in which people differ more than one person's walks do ("Fisherfaces": Belhumeur,
Hespanha, Kriegman, TPAMI 1997; for GEIs Han and Bhanu, TPAMI 2006). Each view has directions of its
own beside those that all share, so that what a body looks like from two sides comes to lie together
(after Kan et al., TPAMI 2016, whose views share nothing). A network sees other things of the same
image: compared together, the two are better than either.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.embedders.losses import UNKNOWN_VIEW
from gaitkit.embedders.networks.linear import LinearPart, LinearSizes, seen_pixels
from gaitkit.embedders.networks.parts import with_channels
from gaitkit.identification.features import fit_pca, row_blocks, with_signs

__all__ = ["CHANGING", "COMPONENTS", "fit_linear", "linear_sizes"]

COMPONENTS = 200
"""Principal components of one image, at most."""

COMPONENTS_OF_SEVERAL = 300
"""The same of several images that are seen at once."""

CHANGING = 150
"""How many of them have matrices that change with the view, at most."""

_MOST_NUMBERS = 400_000_000
"""Pixels of all examples together, about; of more examples, some are taken evenly."""

_MOST_COLUMNS = 2_000
"""Columns of the analysis, about: with many views fewer components change."""

_SHRINKAGE = 0.2
"""Weight of the multiple of the identity in the within-person covariance. By folds of real people:
0.1 is as good, 0.35 one to three points worse."""

_VIEW_SHRINKAGE = 0.02
_NEVER = -1e4
"""Score of a view from which there is no image."""

Floats = NDArray[np.float64]


def linear_sizes(
    image_size: tuple[int, int], views: int, values: int, channels: int = 1
) -> LinearSizes:
    """How large the matrices are, for so many images at once of some height and width.

    Examples
    --------
    >>> linear_sizes((64, 64), views=11, values=128)
    LinearSizes(pixels=2816, components=200, changing=150, views=11, values=128)
    >>> linear_sizes((64, 64), views=36, values=128).changing
    50
    """
    pixels = seen_pixels(torch.zeros(1, channels, *image_size, device="meta")).shape[1]
    components = min(COMPONENTS if channels == 1 else COMPONENTS_OF_SEVERAL, pixels)
    changing = min(CHANGING, components, (_MOST_COLUMNS - components) // views) if views else 0
    return LinearSizes(pixels, components, changing, views, values)


def fit_linear(
    part: LinearPart,
    images: NDArray[np.uint8],
    subject: NDArray[np.int64],
    view: NDArray[np.int64],
) -> None:
    """Compute a part's matrices from the images of training people.

    Parameters
    ----------
    part : LinearPart
        Its buffers are set.
    images : ndarray of uint8, shape (n, [channels,] height, width)
        GEIs. Of very many (140,000 of 64×64 pixels), some are taken evenly.
    subject : ndarray of int64, shape (n,)
        Who it is, any numbers.
    view : ndarray of int64, shape (n,)
        Which of the part's views it is, or `gaitkit.embedders.losses.UNKNOWN_VIEW`.
    """
    sizes = part.sizes
    most = max(1, _MOST_NUMBERS // sizes.pixels)
    if len(images) > most:
        some = np.arange(most) * len(images) // most
        images, subject, view = images[some], subject[some], view[some]
    pixels = np.concatenate([_seen(images[rows]) for rows in row_blocks(len(images))])
    pca = fit_pca(pixels, components=sizes.components)
    found = pca.transform(pixels)
    components = np.zeros((len(found), sizes.components))
    components[:, : found.shape[1]] = found
    share = np.zeros((len(found), sizes.views))
    if sizes.views:
        tell, bias = _view_scores(components, view, sizes.views)
        scores = components @ tell + bias
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        known = view != UNKNOWN_VIEW
        share[known] = np.eye(sizes.views)[view[known]]
        _set(part.tell, tell)
        _set(part.bias, bias)

    def columns(rows: slice) -> Floats:
        some = components[rows]
        changing = share[rows, :, None] * some[:, None, : sizes.changing]
        return np.concatenate([some, changing.reshape(len(some), -1)], axis=1)

    matrix, mean = _discriminants(columns, subject, sizes.values)
    shared, change = matrix[: sizes.components], matrix[sizes.components :]
    axes = np.zeros((sizes.pixels, sizes.components))
    axes[:, : pca.matrix.shape[1]] = pca.matrix
    _set(part.mean, pca.mean)
    _set(part.components, axes)
    _set(part.shared, shared)
    _set(part.offset, mean @ matrix)
    if sizes.views:
        _set(part.change, change.reshape(sizes.views, sizes.changing, sizes.values))


def _seen(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = with_channels(torch.from_numpy(np.ascontiguousarray(images)).float())
    found: NDArray[np.float32] = seen_pixels(grey / 255.0).numpy()
    return found


def _set(buffer: torch.Tensor, values: Floats) -> None:
    buffer.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def _view_scores(components: Floats, view: NDArray[np.int64], views: int) -> tuple[Floats, Floats]:
    """Logarithms of how likely each view is, but for what all have in common: ``c @ tell + bias``.

    Of normal distributions with one covariance (linear discriminant analysis), all equally likely.
    """
    width = components.shape[1]
    means, within = np.zeros((views, width)), np.zeros((width, width))
    there = np.zeros(views, dtype=bool)
    for number in range(views):
        some = components[view == number]
        if len(some):
            there[number] = True
            means[number] = some.mean(axis=0)
            within += (some - means[number]).T @ (some - means[number])
    covariance = _shrunk(within / max(1, len(components)), _VIEW_SHRINKAGE)
    tell = np.asarray(np.linalg.solve(covariance, means.T), dtype=np.float64)
    bias: Floats = -0.5 * (means.T * tell).sum(axis=0)
    tell[:, ~there], bias[~there] = 0.0, _NEVER
    return tell, bias


def _discriminants(
    columns: Callable[[slice], Floats], subject: NDArray[np.int64], values: int
) -> tuple[Floats, Floats]:
    """The directions that tell people apart best, shape (columns, values), and the rows' mean.

    Where there are fewer than `values`, the others are 0.
    """
    from scipy.linalg import eigh

    _, number, counts = np.unique(subject, return_inverse=True, return_counts=True)
    width, total = columns(slice(0, 1)).shape[1], len(subject)
    products, sums = np.zeros((width, width)), np.zeros((len(counts), width))
    for rows in row_blocks(total):
        some = columns(rows)
        products += some.T @ some
        np.add.at(sums, number[rows], some)
    mean: Floats = sums.sum(axis=0) / total
    means = sums / counts[:, None]
    centred = (means - mean) * np.sqrt(counts / total)[:, None]
    between = centred.T @ centred
    within = products / total - np.outer(mean, mean) - between
    count = min(values, len(counts) - 1, width)
    chosen = (width - count, width - 1)
    found = eigh(between, _shrunk(within, _SHRINKAGE), subset_by_index=chosen)[1]
    matrix = np.zeros((width, values))
    matrix[:, :count] = with_signs(np.asarray(found, dtype=np.float64)[:, ::-1])
    return matrix, mean


def _shrunk(covariance: Floats, weight: float) -> Floats:
    """Part of a covariance, and a multiple of the identity, at least so much that it has a root."""
    width = len(covariance)
    scale = max(float(np.trace(covariance)) / width, 1e-12)
    shrunk: Floats = (1.0 - weight) * covariance + weight * scale * np.eye(width)
    return shrunk
