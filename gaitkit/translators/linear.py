"""Translation in closed form: discriminant analysis of a GEI, and a regression to the target's.

What tells people apart, whatever the view and the clothes, is found by discriminant analysis of the
image and its strips (`gaitkit.analysis`). From that each strip of the person's GEI at the target
follows by ridge regression (Hoerl and Kennard, Technometrics 1970): it has learned the mean target
of each training person, and gives somebody else the mixture of those that is nearest. It takes
seconds. What a network gives is sharper and errs elsewhere: the mean of the two is nearer the
person than either.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gaitkit.analysis.discriminants import LinearPart, LinearSizes
from gaitkit.analysis.fitting import fit_linear
from gaitkit.training.images import to_network
from gaitkit.translators.sampling import TripleSampler

__all__ = ["STRIPS", "LinearTranslation", "fit_translation"]

STRIPS = 8
"""Strips of the target, each told by those of the source that it lies in."""

RIDGE = 10.0
"""Weight of the multiple of the identity, in means of the values' variances. By folds of real
people 3 is as good, 1 worse by a point, 0.1 by three; of 14 walkers to learn from, 3 is worse."""

_ROWS = 4096
"""Images whose vectors are computed at once."""


class LinearTranslation(nn.Module):
    """A GEI's vectors of discriminant analysis, and from them the target, strip by strip.

    ``strip[i] = offset[i] + vectors[pieces[i]] @ matrix[i]``, where ``pieces[i]`` are the whole
    image, and of each way to cut it the strip in which the target's strip lies.

    Parameters
    ----------
    sizes : LinearSizes
        Of the analysis.
    image_size : tuple of int
        Height and width; `STRIPS` divides the height.
    """

    matrix: torch.Tensor
    offset: torch.Tensor
    fixed = True
    """Nothing in a training moves the buffers: all processes have the same ones."""

    def __init__(self, sizes: LinearSizes, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.analysis = LinearPart(sizes)
        self.image_size = image_size
        self.pieces = pieces_of(sizes.strips)
        height, width = image_size
        pixels = height // STRIPS * width
        length = len(self.pieces[0]) * sizes.values
        self.register_buffer("matrix", torch.zeros(STRIPS, length, pixels))
        self.register_buffer("offset", torch.zeros(STRIPS, pixels))

    def vectors(self, images: torch.Tensor) -> torch.Tensor:
        """What each strip is told by, shape (STRIPS, n, length), of images in [-1, 1]."""
        found = self.analysis((images + 1.0) / 2.0)
        return torch.stack([found[:, list(pieces)].flatten(1) for pieces in self.pieces])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, 1, height, width), in [-1, 1], to their targets, likewise."""
        strips = self.offset[:, None] + self.vectors(images) @ self.matrix
        whole = strips.reshape(STRIPS, -1, self.image_size[0] // STRIPS, self.image_size[1])
        return whole.transpose(0, 1).flatten(1, 2)[:, None].clamp(-1.0, 1.0)


def pieces_of(strips: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Which vectors of an analysis each strip of the target is told by.

    Examples
    --------
    >>> pieces_of((2, 4))[3], pieces_of((2, 4))[4]
    ((0, 1, 4), (0, 2, 5))
    """
    starts = np.cumsum([0, 1, *strips])
    return tuple(
        tuple(
            int(start) + strip * count // STRIPS
            for start, count in zip(starts, (1, *strips), strict=False)
        )
        for strip in range(STRIPS)
    )


def fit_translation(network: LinearTranslation, sampler: TripleSampler) -> None:
    """Compute the matrices from the GEIs of training people.

    Parameters
    ----------
    network : LinearTranslation
        Its buffers are set.
    sampler : TripleSampler
        Whose GEIs they are; people without a target are left out, as they are of the training.
    """
    images, subject, view = sampler.examples()
    fit_linear(network.analysis, images, subject, view)
    length = network.matrix.shape[1]
    products = np.zeros((STRIPS, length, length))
    sums = np.zeros((STRIPS, len(sampler.subjects), length))
    for start in range(0, len(images), _ROWS):
        rows = slice(start, start + _ROWS)
        seen = to_network(torch.from_numpy(images[rows])).to(network.offset)
        with torch.no_grad():
            vectors = network.vectors(seen).double().cpu().numpy()
        products += vectors.transpose(0, 2, 1) @ vectors
        for strip, own in enumerate(vectors):
            np.add.at(sums[strip], subject[rows], own)
    # Each person counts as often as there are GEIs of them, as they do in the analysis.
    share = np.bincount(subject, minlength=len(sampler.subjects)) / len(images)
    targets = sampler.mean_targets().reshape(len(share), STRIPS, -1)
    for strip in range(STRIPS):
        mean, middle = sums[strip].sum(axis=0) / len(images), share @ targets[:, strip]
        covariance = products[strip] / len(images) - np.outer(mean, mean)
        together = sums[strip].T @ (targets[:, strip] - middle) / len(images)
        # There are fewer directions than people, and values for more: those are 0.
        directions = max(1, int(np.count_nonzero(products[strip].diagonal())))
        ridge = max(RIDGE * float(np.trace(covariance)) / directions, 1e-12)
        matrix = np.linalg.solve(covariance + ridge * np.eye(length), together)
        network.matrix[strip] = torch.from_numpy(matrix)
        network.offset[strip] = torch.from_numpy(middle - mean @ matrix)
