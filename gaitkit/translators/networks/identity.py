"""An embedding of 90° normal GEIs in which people lie apart, and the losses that make it so.

GaitGANv2 (Yu, Chen, Garcia Reyes, Wang, Poh, Huang, "GaitGANv2: Invariant gait feature extraction
using generative adversarial networks", Pattern Recognition 87, 2019) adds an identity loss to
GaitGAN: a network that tells people apart has to find the source's person in the generated GEI. It
learns from true and generated GEIs alike.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

from gaitkit.errors import TrainingError
from gaitkit.printable import counted
from gaitkit.translators.networks.blocks import LEAKY_SLOPE
from gaitkit.translators.networks.losses import precise

__all__ = [
    "IDENTITY_FEATURES",
    "MAX_PEOPLE",
    "IdentityNet",
    "centre_loss",
    "check_people",
    "contrastive_loss",
    "pixel_contrast",
    "softmax_loss",
]

IDENTITY_FEATURES = 128
"""Length of the embedding."""

MAX_PEOPLE = 4096
"""Rows of the table of people; a config does not know yet how many there will be."""

_LEVELS = 3
_OTHER_PERSON = -1e4
"""Score of a pair that is left out of a comparison; exp of it is 0, and it is finite in float16."""


class IdentityNet(nn.Module):
    """Three strided convolutions, dropout, an embedding, and a table of people.

    Small, and with dropout, so that it does not know people by their noise.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    image_size : tuple of int
        Height and width, multiples of 8.
    people : int
        Rows of the table; 0 for none.
    centres : bool
        Also learn the middle of each person's embeddings.
    """

    def __init__(
        self, width: int, image_size: tuple[int, int], people: int, *, centres: bool = False
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 1
        for level in range(_LEVELS):
            out = width * 2**level
            layers[f"conv{level + 1}"] = nn.Conv2d(channels, out, 4, 2, 1, bias=False)
            layers[f"norm{level + 1}"] = nn.BatchNorm2d(out)
            layers[f"act{level + 1}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
            channels = out
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(0.3)
        pixels = (image_size[0] // 2**_LEVELS) * (image_size[1] // 2**_LEVELS)
        layers["embed"] = nn.Linear(channels * pixels, IDENTITY_FEATURES)
        self.layers = nn.Sequential(layers)
        self.people = nn.Linear(IDENTITY_FEATURES, people) if people else nn.Identity()
        self.centres = nn.Embedding(people, IDENTITY_FEATURES) if centres else None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Embeddings of shape (n, 128) for images of shape (n, 1, height, width)."""
        embedded: torch.Tensor = self.layers(image)
        return embedded


def check_people(people: int, most: int, hint: str) -> None:
    """Refuse to learn from more people than a network has logits for.

    Parameters
    ----------
    people, most : int
        How many there are, and how many there may be.
    hint : str
        What to do instead.

    Raises
    ------
    TrainingError
        There are more.
    """
    if people > most:
        raise TrainingError(
            f"The identity network tells {counted(most, 'person')} apart, here are {people:,}.",
            hint=hint,
        )


def softmax_loss(scores: torch.Tensor, subject: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of scores for every training person against the true ones.

    Parameters
    ----------
    scores : Tensor, shape (n, people)
        Logits.
    subject : Tensor of int64, shape (n,)
        The true people's columns.
    """
    return functional.cross_entropy(precise(scores), subject)


def centre_loss(embedded: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Half the mean squared distance of embeddings from the middle of their own person's.

    Wen, Zhang, Li, Qiao, "A Discriminative Feature Learning Approach for Deep Face Recognition",
    ECCV 2016; the centres are learned along with the embedding.

    Parameters
    ----------
    embedded, centres : Tensor, shape (n, features)
        Each embedding, and its person's centre.
    """
    return 0.5 * (precise(embedded) - precise(centres)).square().sum(dim=1).mean()


def contrastive_loss(
    generated: torch.Tensor,
    candidates: torch.Tensor,
    subject: torch.Tensor,
    candidate_subject: torch.Tensor,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Each generated GEI must find its own target among the batch's targets, and the reverse.

    The cross-entropy of cosine similarities divided by a temperature (van den Oord, Li, Vinyals,
    "Representation Learning with Contrastive Predictive Coding", 2018), both ways round. It
    compares people with the others of the batch, needs no table of people, and so also suits
    bodies whose proportions were changed. Another GEI of the same person counts neither for nor
    against.

    Parameters
    ----------
    generated : Tensor, shape (n, features)
        Embeddings of generated GEIs, or their pixels.
    candidates : Tensor, shape (m, features), m ≥ n
        Those of true ones; the first n are the targets of `generated`, in order.
    subject, candidate_subject : Tensor of int64, shapes (n,) and (m,)
        Whose they are.
    temperature : float
        The smaller, the more the nearest others count.
    """
    count = len(generated)
    generated, candidates = (
        functional.normalize(precise(values), dim=1) for values in (generated, candidates)
    )
    scores = generated @ candidates.T / temperature
    own = torch.arange(count, device=scores.device)
    # Not by indices: the value would be brought from the host, which no recording allows.
    same_person = (subject[:, None] == candidate_subject).fill_diagonal_(False)
    scores = scores.masked_fill(same_person, _OTHER_PERSON)
    forth = functional.cross_entropy(scores, own)
    back = functional.cross_entropy(scores[:, :count].T, own)
    return forth + back


def pixel_contrast(
    generated: torch.Tensor,
    target: torch.Tensor,
    unrelated: torch.Tensor,
    subject: torch.Tensor,
    unrelated_subject: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """How badly each generated GEI finds its own target among the batch's, by pixels.

    Parameters
    ----------
    generated, target, unrelated : Tensor, shape (n, 1, height, width)
        What was generated, the true ones, and targets of others.
    subject, unrelated_subject : Tensor of int64, shape (n,)
        Whose they are.
    temperature : float
        As for `contrastive_loss`.
    """
    # What all targets have in common does not tell people apart.
    common = target.mean(dim=0, keepdim=True)
    return contrastive_loss(
        (generated - common).flatten(1),
        (torch.cat([target, unrelated]) - common).flatten(1),
        subject,
        torch.cat([subject, unrelated_subject]),
        temperature,
    )
