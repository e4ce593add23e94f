"""Discriminant analysis of GEIs and their strips in closed form, by matrices that change by view.

What tells people apart, and looks alike from all sides, is found at once: principal components, and
the directions in which people differ more than one person's walks do ("Fisherfaces": Belhumeur,
Hespanha, Kriegman, TPAMI 1997; for GEIs Han and Bhanu, TPAMI 2006). Each view has directions of its
own beside those that all share, so that what a body looks like from two sides comes to lie together
(after Kan et al., TPAMI 2016, whose views share nothing). Strips of the image are analysed one by
one (the horizontal pyramid of Fu et al., AAAI 2019): what a bag or a coat covers spoils some of
them, and a small analysis needs fewer people to learn from. A network sees other things of the same
image: compared together, the two are better than either.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.analysis.discriminants import (
    UNKNOWN_VIEW,
    Discriminants,
    LinearPart,
    LinearSizes,
    seen_images,
    seen_size,
)
from gaitkit.errors import OptionError
from gaitkit.identification.features import fit_pca, row_blocks, with_signs
from gaitkit.training.images import with_channels

__all__ = ["MAX_VIEWS", "STRIPS", "fit_linear", "linear_sizes", "refuse_more_views", "views_told"]

MAX_VIEWS = 36
"""Views that are told apart at most. Where there are more, they are degrees rather than places of
cameras, and are learned as one."""

STRIPS = (2, 4, 8)
"""Into how many strips an image is cut, beside the whole, where they divide its height."""

COMPONENTS = 120
"""Principal components of the whole and of each strip, at most. By folds of real people as many or
more are as good, half of them worse by a point."""

COMPONENTS_OF_SEVERAL = 150
"""The same of several images that are seen at once; 100 are worse by a point."""

_FORMER_COMPONENTS, _FORMER_OF_SEVERAL, _FORMER_CHANGING = 200, 300, 150
"""Of models from before, which see the whole only, and of which fewer components change."""

_MOST_NUMBERS = 400_000_000
"""Pixels of all examples together, about; of more examples, some are taken evenly."""

_MOST_COLUMNS = 2_000
"""Columns of the analysis, about: with many views fewer components change."""

_SHRINKAGE = 0.05
"""Weight of the multiple of the identity in the within-person covariance. By folds of real people
0.02 is as good, 0.1 half a point worse, and 0.2 another."""

_VIEW_SHRINKAGE = 0.02
_NEVER = -1e4
"""Score of a view from which there is no image."""

Floats = NDArray[np.float64]


def views_told(count: int) -> int:
    """How many views are told apart where there are so many; 0 where none are.

    Examples
    --------
    >>> views_told(1), views_told(11), views_told(360)
    (0, 11, 0)
    """
    return count if 2 <= count <= MAX_VIEWS else 0


def refuse_more_views(there: int, told: int) -> None:
    """Refuse views of training people that networks built for fewer cannot tell apart.

    Raises
    ------
    OptionError
        There are more than are told apart; where none are, any number will do.
    """
    if there > told > 0:
        raise OptionError(
            f"The networks tell {told} views apart, these are {there}.",
            hint="Leave `views` out: the training's data decide it.",
        )


def linear_sizes(
    image_size: tuple[int, int],
    views: int,
    values: int,
    channels: int = 1,
    strips: tuple[int, ...] = STRIPS,
) -> LinearSizes:
    """How large the matrices are, for so many images at once of some height and width.

    Parameters
    ----------
    image_size : tuple of int
        Height and width.
    views, values : int
        Views that are told apart; values of each vector.
    channels : int
        Images at once.
    strips : tuple of int
        Those that divide the height are cut; none at all: the sizes of models from before.

    Examples
    --------
    >>> linear_sizes((64, 64), views=11, values=128)
    LinearSizes(shape=(1, 64, 44), components=120, changing=120, views=11, values=128, \
strips=(2, 4, 8))
    >>> linear_sizes((20, 20), views=36, values=128).changing, linear_sizes((20, 20), 0, 8).strips
    (52, (2, 4))
    """
    height, width = seen_size(*image_size)
    shape = (channels, height, width)
    if not strips:
        former = _FORMER_COMPONENTS if channels == 1 else _FORMER_OF_SEVERAL
        components = min(former, channels * height * width)
        changing = min(_FORMER_CHANGING, components)
    else:
        components = changing = COMPONENTS if channels == 1 else COMPONENTS_OF_SEVERAL
    if views:
        changing = min(changing, (_MOST_COLUMNS - components) // views)
    return LinearSizes(
        shape,
        components,
        changing if views else 0,
        views,
        values,
        tuple(count for count in strips if height % count == 0),
    )


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
        Which of the part's views it is, or `gaitkit.analysis.discriminants.UNKNOWN_VIEW`.
    """
    most = max(1, _MOST_NUMBERS // _seen(images[:1]).numel())
    if len(images) > most:
        some = np.arange(most) * len(images) // most
        images, subject, view = images[some], subject[some], view[some]
    seen = torch.cat([_seen(images[rows]) for rows in row_blocks(len(images))])
    # The whole first: it tells the views for the strips.
    pixels = part.pixels(seen)
    components = _fit_components(part, ..., pixels(1)[0])
    views = part.sizes.views
    share = np.zeros((len(components), views))
    if views:
        tell, bias = _view_scores(components, view, views)
        scores = components @ tell + bias
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        known = view != UNKNOWN_VIEW
        share[known] = np.eye(views)[view[known]]
        _set(part.tell, tell)
        _set(part.bias, bias)
    _fit_directions(part, ..., components, share, subject)
    for count, strips in part.each_count():
        for place, own in enumerate(pixels(count)):
            components = _fit_components(strips, place, own)
            _fit_directions(strips, place, components, share, subject)


def _seen(images: NDArray[np.uint8]) -> torch.Tensor:
    grey = with_channels(torch.from_numpy(np.ascontiguousarray(images)).float())
    return seen_images(grey / 255.0)


def _set(buffer: torch.Tensor, values: Floats) -> None:
    buffer.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def _fit_components(part: Discriminants, place: int | EllipsisType, pixels: torch.Tensor) -> Floats:
    """Set the principal components, and give those of the examples: (n, components)."""
    count = part.sizes.components
    pca = fit_pca(pixels.numpy(), components=count)
    there = pca.matrix.shape[1]
    axes, found = np.zeros((part.sizes.pixels, count)), np.zeros((len(pixels), count))
    axes[:, :there], found[:, :there] = pca.matrix, pca.transform(pixels.numpy())
    _set(part.mean[place], pca.mean)
    _set(part.components[place], axes)
    return found


def _fit_directions(
    part: Discriminants,
    place: int | EllipsisType,
    components: Floats,
    share: Floats,
    subject: NDArray[np.int64],
) -> None:
    """Set the matrices of what tells people apart."""
    sizes = part.sizes
    moments = _moments(components, sizes.changing, share, subject)
    matrix = _discriminants(moments, sizes.values)
    shared, change = matrix[: sizes.components], matrix[sizes.components :]
    _set(part.shared[place], shared)
    _set(part.offset[place], moments.mean @ matrix)
    if sizes.views:
        _set(part.change[place], change.reshape(sizes.views, sizes.changing, sizes.values))


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


@dataclass(frozen=True)
class _Moments:
    """What an analysis has to know of the columns: all components, then by view those that change.

    Attributes
    ----------
    products : ndarray, shape (columns, columns)
        Mean over the rows of their products.
    means : ndarray, shape (people, columns)
        Mean of each person's rows.
    counts : ndarray, shape (people,)
        How many they are.
    """

    products: Floats
    means: Floats
    counts: NDArray[np.int64]

    @property
    def mean(self) -> Floats:
        """Of all rows."""
        found: Floats = self.counts @ self.means / self.counts.sum()
        return found


def _moments(
    components: Floats, changing: int, share: Floats, subject: NDArray[np.int64]
) -> _Moments:
    """Sums over the rows ``[c, share[0] * c[:changing], share[1] * c[:changing], ...]``.

    Rows of one view, which is known of most, are 0 in the columns of all others, and so are their
    products: only what is not 0 is computed.
    """
    _, number, counts = np.unique(subject, return_inverse=True, return_counts=True)
    count, views = components.shape[1], share.shape[1]
    width = count + views * changing
    products, sums = np.zeros((width, width)), np.zeros((len(counts), width))
    certain = share.max(axis=1, initial=0.0) == 1.0
    groups = [(certain & (share[:, one] == 1.0), np.array([one])) for one in range(views)]
    for chosen, some in [*groups, (~certain, np.arange(views))]:
        own = count + some[:, None] * changing + np.arange(changing)
        columns = np.concatenate([np.arange(count), own.ravel()])
        picked = np.flatnonzero(chosen)
        for rows in row_blocks(len(picked)):
            these = components[picked[rows]]
            weighed = share[picked[rows]][:, some, None] * these[:, None, :changing]
            whole = np.concatenate([these, weighed.reshape(len(these), -1)], axis=1)
            products[np.ix_(columns, columns)] += whole.T @ whole
            summed = np.zeros((len(counts), len(columns)))
            np.add.at(summed, number[picked[rows]], whole)
            sums[:, columns] += summed
    return _Moments(products / len(components), sums / counts[:, None], counts)


def _discriminants(moments: _Moments, values: int) -> Floats:
    """The directions that tell people apart best, shape (columns, values).

    Where there are fewer than `values`, the others are 0.
    """
    from scipy.linalg import solve_triangular

    mean, people = moments.mean, len(moments.counts)
    weights = np.sqrt(moments.counts / moments.counts.sum())
    centred = (moments.means - mean) * weights[:, None]
    within = moments.products - np.outer(mean, mean) - centred.T @ centred
    # Whatever has length 1 in all directions within people: there the widest between them.
    root = np.linalg.cholesky(_shrunk(within, _SHRINKAGE))
    between = solve_triangular(root, centred.T, lower=True)
    widest = np.linalg.svd(between, full_matrices=False)[0]
    count = min(values, people - 1, len(mean))
    found = solve_triangular(root, widest[:, :count], lower=True, trans="T")
    matrix = np.zeros((len(mean), values))
    matrix[:, :count] = with_signs(np.asarray(found, dtype=np.float64))
    return matrix


def _shrunk(covariance: Floats, weight: float) -> Floats:
    """Part of a covariance, and a multiple of the identity, at least so much that it has a root."""
    width = len(covariance)
    scale = max(float(np.trace(covariance)) / width, 1e-12)
    shrunk: Floats = (1.0 - weight) * covariance + weight * scale * np.eye(width)
    return shrunk
