"""AttGAN's losses: three adversarial ones, and that of the attributes."""

from __future__ import annotations

import torch

from gaitkit.translators.domains import LabelledConfig, group_cross_entropy
from gaitkit.translators.networks.losses import bce_with_logits, precise

__all__ = ["ADVERSARIAL", "attribute_loss", "critic_loss", "fooling_loss"]

ADVERSARIAL = ("wgan-gp", "lsgan", "dcgan")
"""The adversarial losses: of scores, of squares (real 1, generated 0), of probabilities."""


def critic_loss(real: torch.Tensor, generated: torch.Tensor, kind: str) -> torch.Tensor:
    """What a critic minimises to tell measured from generated GEIs.

    Parameters
    ----------
    real, generated : Tensor, shape (n,)
        Its scores, of any floating type; computed in float32 at least.
    kind : str
        One of `ADVERSARIAL`.
    """
    if kind == "wgan-gp":
        return precise(generated).mean() - precise(real).mean()
    return _distance(real, 1.0, kind) + _distance(generated, 0.0, kind)


def fooling_loss(generated: torch.Tensor, kind: str) -> torch.Tensor:
    """What the generator minimises to be taken for real; see `critic_loss`."""
    if kind == "wgan-gp":
        return -precise(generated).mean()
    return _distance(generated, 1.0, kind)


def attribute_loss(
    logits: torch.Tensor, view: torch.Tensor, condition: torch.Tensor, config: LabelledConfig
) -> torch.Tensor:
    """The mean of the views' and the conditions' softmax cross-entropy.

    The paper's attributes are independent and its loss is the mean over them; a GEI has one view
    and one condition. See `gaitkit.translators.domains.group_cross_entropy`.

    Parameters
    ----------
    logits : Tensor, shape (n, views + conditions)
        Any floating type.
    view, condition : Tensor of int64, shape (n,)
        The labels; -1 is unknown and does not count.
    config : LabelledConfig
        The vocabulary.
    """
    return torch.stack(group_cross_entropy(logits, view, condition, config)).mean()


def _distance(scores: torch.Tensor, label: float, kind: str) -> torch.Tensor:
    if kind == "lsgan":
        return (precise(scores) - label).square().mean()
    return bce_with_logits(scores, label)
