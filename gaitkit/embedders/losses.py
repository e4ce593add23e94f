"""What teaches an embedding to tell people apart: triplets of distances, and a softmax over people.

Distances are Euclidean and taken part by part, as in GaitSet (Chao et al., AAAI 2019, section 3.4)
and OpenGait: each horizontal part of the body is an embedding of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from gaitkit.analysis.discriminants import UNKNOWN_VIEW

__all__ = [
    "Triplets",
    "batch_all_triplets",
    "part_distances",
    "softmax_over_people",
    "softmax_over_views",
]

_TINY = 1e-12
"""Below the square root, whose slope at 0 is infinite."""


def part_distances(embeddings: torch.Tensor) -> torch.Tensor:
    """Euclidean distances between all examples of a batch, of each part on its own.

    Parameters
    ----------
    embeddings : Tensor, shape (n, parts, values)
        A batch.

    Returns
    -------
    Tensor, shape (parts, n, n)

    Examples
    --------
    >>> part_distances(torch.tensor([[[0.0, 0.0]], [[3.0, 4.0]]]))[0, 0, 1].item()
    5.0
    """
    by_part = embeddings.transpose(0, 1)
    squares = by_part.square().sum(dim=2)
    products = by_part @ by_part.transpose(1, 2)
    squared = squares[:, :, None] + squares[:, None, :] - 2.0 * products
    return squared.clamp_min(_TINY).sqrt()


class Triplets(NamedTuple):
    """The triplet loss of a batch, and what shows whether it still teaches.

    Attributes
    ----------
    loss : Tensor, shape ()
        The mean over the parts of the mean over the terms that are not 0.
    nonzero : Tensor, shape ()
        The share of terms that are not 0.
    same, others : Tensor, shape ()
        Mean distance of examples of one person, and of different people.
    """

    loss: torch.Tensor
    nonzero: torch.Tensor
    same: torch.Tensor
    others: torch.Tensor


def batch_all_triplets(distances: torch.Tensor, people: int, margin: float) -> Triplets:
    """The batch-all triplet loss (Hermans et al., arXiv 1703.07737, section 2), part by part.

    Every example a with every other p of the same person and every n of somebody else gives the
    term max(0, margin + d(a, p) - d(a, n)). As in GaitSet, a itself counts among its person's
    examples, and the mean is over the terms that are not 0: those that are learned already would
    only make the others' steps smaller.

    Parameters
    ----------
    distances : Tensor, shape (parts, n, n)
        Between equally many examples of each person, person by person; see `part_distances`.
    people : int
        How many there are; at least two.
    margin : float
        How much nearer one's own are to be than everybody else's.

    Examples
    --------
    Two people with two examples each, on a line. Seven of sixteen terms are not 0: 0.5, 1.5,
    0.5, 0.5, 2, 3 and 0.5:

    >>> points = torch.tensor([0.0, 1.0, 1.5, 4.0]).view(4, 1, 1)
    >>> found = batch_all_triplets(part_distances(points), people=2, margin=1.0)
    >>> round(found.loss.item(), 3), found.nonzero.item()
    (1.214, 0.4375)
    """
    parts, count, _ = distances.shape
    each = count // people
    # Rows of each person in turn: their own columns, and the others', which are the rest of a
    # circle that begins after their own.
    rows = torch.arange(count, device=distances.device)
    first = (rows // each) * each
    own = first[:, None] + torch.arange(each, device=distances.device)
    rest = first[:, None] + each + torch.arange(count - each, device=distances.device)
    same = distances.gather(2, own.expand(parts, count, each))
    others = distances.gather(2, (rest % count).expand(parts, count, count - each))
    terms = functional.relu(margin + same[:, :, :, None] - others[:, :, None, :])
    terms = terms.reshape(parts, -1)
    # In 32 bits: every truth value is made a number of that size to be added.
    counted = (terms > 0).sum(dim=1, dtype=torch.int32)
    loss = (terms.sum(dim=1) / counted.clamp_min(1)).mean()
    return Triplets(
        loss,
        (counted.to(terms.dtype) / terms.shape[1]).mean().detach(),
        # Without an example's distance to itself.
        (same.sum() / max(1, parts * count * (each - 1))).detach(),
        others.mean().detach(),
    )


def softmax_over_people(
    scores: torch.Tensor, subject: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """Cross-entropy of telling the training people apart, the mean over examples and parts.

    Parameters
    ----------
    scores : Tensor, shape (n, parts, people)
        Of each person, the larger the likelier.
    subject : Tensor of int64, shape (n,)
        Who it is.
    smoothing : float
        Label smoothing (Szegedy et al., CVPR 2016, section 7): this share of what is to be
        answered goes to all people alike.

    Examples
    --------
    >>> sure = torch.tensor([[[0.0, 100.0]]])
    >>> softmax_over_people(sure, torch.tensor([1]), 0.0).item()
    0.0
    >>> softmax_over_people(sure, torch.tensor([1]), 0.1).item()
    5.0
    """
    return functional.cross_entropy(
        scores.transpose(1, 2),
        subject[:, None].expand(-1, scores.shape[1]),
        label_smoothing=smoothing,
    )


def softmax_over_views(scores: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of telling the views apart, the mean over the examples whose view is known.

    Parameters
    ----------
    scores : Tensor, shape (n, views)
        Of each view, the larger the likelier.
    view : Tensor of int64, shape (n,)
        Which it is, or `UNKNOWN_VIEW`.

    Examples
    --------
    >>> scores = torch.tensor([[0.0, 6.0], [5.0, 0.0]])
    >>> round(softmax_over_views(scores, torch.tensor([0, UNKNOWN_VIEW])).item(), 2)
    6.0
    >>> softmax_over_views(scores, torch.tensor([UNKNOWN_VIEW, UNKNOWN_VIEW])).item()
    0.0
    """
    total = functional.cross_entropy(scores, view, ignore_index=UNKNOWN_VIEW, reduction="sum")
    return total / (view != UNKNOWN_VIEW).sum().clamp_min(1)
