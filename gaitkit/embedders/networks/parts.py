"""What the networks of all embedders share: frames, sets of frames, horizontal parts, and a neck.

A network sees frames one by one, takes the maximum of a sequence's maps over its frames (set
pooling: Chao et al., AAAI 2019, section 3.2), and cuts the result into horizontal parts, each of
which has a matrix of its own. A GEI is a set of one frame.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from gaitkit.analysis.discriminants import LinearPart

from gaitkit.embedders.networks.pooling import mean_and_maximum, set_maximum

__all__ = [
    "EmbeddingNet",
    "PartMatrices",
    "PartNeck",
    "ViewMatrices",
    "part_matrices",
    "strips",
]


class EmbeddingNet(nn.Module):
    """Base of all networks, which have `matrices` of their parts.

    With a linear part, the other parts have length 1 each, and its vectors come after them, whose
    lengths together are its weight times theirs. It does not learn, and is left out while the
    network does.

    Parameters
    ----------
    neck : PartNeck or None
        What tells the training people apart, where the loss asks that.

    Attributes
    ----------
    linear : LinearPart or None
        What sees the mean of a set's frames, its GEI, or several of them; see `add_linear`.
    linear_of_mean : LinearPart or None
        What sees the mean of those several.
    """

    matrices: PartMatrices | ViewMatrices
    linear: LinearPart | None
    linear_of_mean: LinearPart | None

    def __init__(self, neck: PartNeck | None = None) -> None:
        super().__init__()
        self.neck = neck
        self.linear = self.linear_of_mean = None
        self.linear_weight = 0.0

    def add_linear(
        self, part: LinearPart, weight: float, of_mean: LinearPart | None = None
    ) -> None:
        """Have last parts, that together are so much longer than all others together.

        Those of a mean come after them, and together are as long as they.
        """
        self.linear, self.linear_weight, self.linear_of_mean = part, weight, of_mean

    @property
    def analyses(self) -> tuple[LinearPart, ...]:
        """What sees a GEI and does not learn."""
        return tuple(part for part in (self.linear, self.linear_of_mean) if part is not None)

    @abstractmethod
    def maps(self, frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What is made of single frames, to be pooled over each set.

        Parameters
        ----------
        frames : Tensor, shape (n, 1, height, width)
            In [0, 1].

        Returns
        -------
        tuple of Tensor, shape (n, channels, rows, columns) each
        """

    @abstractmethod
    def features(self, pooled: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What the matrices take, from the maxima of sets' frames' maps.

        Parameters
        ----------
        pooled : tuple of Tensor, shape (s, channels, rows, columns) each

        Returns
        -------
        Tensor, shape (s, parts, channels)
        """

    def pooled(self, sets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The maxima of the frames' maps, of sets of shape (s, frames, height, width).

        After them the mean of the frames, shape (s, 1, height, width), where it is asked for.
        """
        count, frames = sets.shape[:2]
        maps = self.maps(sets.reshape(count * frames, 1, *sets.shape[2:]))
        maxima = tuple(set_maximum(one, frames) for one in maps)
        return (*maxima, sets.mean(dim=1, keepdim=True)) if self.asks_mean else maxima

    @property
    def asks_mean(self) -> bool:
        """Whether `embedding` takes the mean of a set's frames beside the maxima of their maps."""
        return self.linear is not None and not self.training

    def embedding_and_views(
        self, pooled: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The embedding of sets, shape (s, parts, values), and how each view is scored.

        The scores have the shape (s, views); `None` where the network does not tell views apart.
        """
        features = self.features(pooled)
        if isinstance(self.matrices, ViewMatrices):
            scores = self.matrices.scores(features)
            return self.matrices(features, scores), scores
        return self.matrices(features), None

    def embedding(self, pooled: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The embedding of sets, shape (s, parts, values), from what `pooled` gives."""
        if self.linear is None or not self.asks_mean:
            return self.embedding_and_views(pooled)[0]
        *maxima, mean = pooled
        found = functional.normalize(self.embedding_and_views(tuple(maxima))[0], dim=2)
        last = [self.linear(mean)]
        if self.linear_of_mean is not None:
            last.append(self.linear_of_mean(mean.mean(dim=1, keepdim=True)))
        length = self.linear_weight * found.shape[1]
        return torch.cat([found, *(length / part.shape[1] * part for part in last)], dim=1)

    def forward(self, sets: torch.Tensor) -> torch.Tensor:
        """The embedding of sets of equally many frames, shape (s, frames, height, width)."""
        return self.embedding(self.pooled(sets))


class PartMatrices(nn.Module):
    """One matrix a part: ``out[:, p] = in[:, p] @ weight[p]``.

    Parameters
    ----------
    parts, channels, values : int
        Parts; values of each before and after.
    """

    def __init__(self, parts: int, channels: int, values: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, channels, values))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features of shape (n, parts, channels) to (n, parts, values)."""
        return torch.einsum("npc,pcv->npv", features, self.weight)


class ViewMatrices(nn.Module):
    """Matrices of each part that depend on the view, which is told from the features themselves.

    ``out[:, p] = in[:, p] @ (weight[p] + sum over v of share[v] * change[p, v])``: one matrix for
    all views, and what each view changes of it. What a body looks like from two sides differs more
    than two bodies do from one; a matrix for each view meets that, as discriminant analyses of
    several views do (Kan et al., TPAMI 2016), and nobody has to say what the view is. The shares
    come from a linear layer on the batch-normalised features of all parts. Only its own loss
    teaches it (`gaitkit.embedders.losses.softmax_over_views`): it changes neither the features nor
    what is made of them.

    Parameters
    ----------
    parts, channels, values : int
        Parts; values of each before and after.
    views : int
        How many are told apart.
    """

    def __init__(self, parts: int, channels: int, values: int, views: int) -> None:
        super().__init__()
        self.shared = PartMatrices(parts, channels, values)
        self.change = nn.Parameter(torch.zeros(parts, views, channels, values))
        self.norm = nn.BatchNorm1d(parts * channels, affine=False)
        self.tell = nn.Linear(parts * channels, views)

    def scores(self, features: torch.Tensor) -> torch.Tensor:
        """How each view is scored, shape (n, views), of features (n, parts, channels)."""
        found: torch.Tensor = self.tell(self.norm(features.detach().flatten(1)))
        return found

    def forward(self, features: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Features of shape (n, parts, channels) to (n, parts, values)."""
        share = scores.detach().softmax(dim=1).to(features.dtype)
        # One product a part, over views and channels together.
        weighed = (features[:, :, None] * share[:, None, :, None]).flatten(2)
        found: torch.Tensor = self.shared(features)
        return found + torch.einsum("npk,pkv->npv", weighed, self.change.flatten(1, 2))


def part_matrices(
    parts: int, channels: int, values: int, views: int
) -> PartMatrices | ViewMatrices:
    """Matrices that depend on the view, where views are to be told apart; else one a part."""
    if views:
        return ViewMatrices(parts, channels, values, views)
    return PartMatrices(parts, channels, values)


class PartNeck(nn.Module):
    """BNNeck of each part (Luo et al., CVPR Workshops 2019; as in GaitBase): scores of people.

    The score is `scale` times the cosine between the batch-normalised embedding and each person's
    weight. The triplet loss sees the embedding itself.

    Parameters
    ----------
    parts, values : int
        Of the embedding.
    people : int
        Training people.
    scale : float
        Largest score.
    """

    def __init__(self, parts: int, values: int, people: int, scale: float = 16.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(parts * values)
        self.people = PartMatrices(parts, values, people)
        self.scale = scale

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Scores of each person, shape (n, parts, people)."""
        normed = self.norm(embedding.flatten(1)).view_as(embedding)
        towards = functional.normalize(self.people.weight, dim=1)
        aimed = functional.normalize(normed, dim=2)
        return self.scale * torch.einsum("npv,pvk->npk", aimed, towards)


def strips(maps: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Horizontal parts of maps: the mean and the maximum of each, added.

    Parameters
    ----------
    maps : Tensor, shape (n, channels, rows, columns)
        Rows that each of `counts` divides.
    counts : sequence of int
        Into how many strips the rows are cut, one after the other.

    Returns
    -------
    Tensor, shape (n, sum of counts, channels)

    Examples
    --------
    >>> maps = torch.tensor([[[[0.0, 2.0], [4.0, 4.0]]]])
    >>> strips(maps, [1, 2]).squeeze().tolist()
    [6.5, 3.0, 8.0]
    """
    found = []
    # Channels last, as maps lie in memory: so they are read in order, and parts need no copies.
    by_pixel = maps.permute(0, 2, 3, 1)
    for count in counts:
        # Not len(maps), which would be a constant where a network is traced to be exported.
        number, rows, columns, channels = by_pixel.shape
        parts = by_pixel.reshape(number, count, rows // count * columns, channels)
        found.append(mean_and_maximum(parts))
    return torch.cat(found, dim=1)
