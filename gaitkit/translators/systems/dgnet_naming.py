"""What DG-Net's identity encoder learns from: names, a teacher's opinion, and layouts.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019, section 3.3: primary and fine-grained learning of features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gaitkit.translators.domains import group_cross_entropy
from gaitkit.translators.extras import Extras
from gaitkit.translators.networks.identity import softmax_loss
from gaitkit.translators.sampling import Batch
from gaitkit.translators.systems.dgnet_config import DGNetConfig
from gaitkit.translators.systems.dgnet_encoders import Identity
from gaitkit.translators.systems.dgnet_losses import kl_divergence

__all__ = ["accuracy", "judging", "naming_loss"]


def naming_loss(
    model: Extras[DGNetConfig],
    batch: Batch,
    seen: Identity,
    fake: torch.Tensor,
    *,
    taught: bool,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of the identity encoder E_a alone.

    Parameters
    ----------
    model : Extras
        Its networks E_a and, if it has a teacher, T; the weights in its schedules.
    batch : Batch
        n measured GEIs, and another one of each person.
    seen : Identity
        What E_a sees in both, the former first.
    fake : Tensor, shape (n, 1, height, width)
        Cross images: row i has the layout of row i - 1. No gradient goes into them.
    taught : bool
        Whether E_a learns from those as well: the weights have begun to grow.

    Returns
    -------
    loss : Tensor, shape ()
    values : dict of str to Tensor
        Its terms without their weights, and how many sources are named rightly; detached.
    """
    config, encoder = model.config, model.networks["E_a"]
    opinion = None
    with model.runtime.autocast():
        if taught and ("T" in model.networks or config.fine != "off"):
            # As measured images are judged, or the generated ones' statistics would mix in.
            with judging(encoder):
                drawn: Identity = encoder(fake)
            opinion = _opinion(model.networks["T"], fake) if "T" in model.networks else None
    own, positive = seen.scores[0].chunk(2)
    terms = {
        "E_a.identity": softmax_loss(own, batch.subject),
        "E_a.positive": softmax_loss(positive, batch.subject),
    }
    loss = terms["E_a.identity"] + terms["E_a.positive"]
    if config.fine != "off":
        terms["E_a.fine"] = _fine(seen.scores[1].chunk(2)[0], batch, config, shown=0)
        loss = loss + model.schedules["fine"] * terms["E_a.fine"]
    if taught and opinion is not None:
        terms["E_a.teacher"] = kl_divergence(opinion, drawn.scores[0])
        loss = loss + model.schedules["prim"] * terms["E_a.teacher"]
    if taught and config.fine != "off":
        terms["E_a.layout"] = _fine(drawn.scores[1], batch, config, shown=1)
        loss = loss + model.schedules["fine"] * terms["E_a.layout"]
    values = {name: term.detach() for name, term in terms.items()}
    values["accuracy.E_a"] = accuracy(own, batch.subject)
    return loss, values


def accuracy(scores: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """The part of logits (n, classes) whose largest is that of the label (n,)."""
    return (scores.detach().argmax(dim=1) == label).float().mean()


@contextmanager
def judging(network: nn.Module, *, own_statistics: bool = False) -> Iterator[None]:
    """Judge with a network that is in training as it is after training.

    Without dropout, and with running statistics instead of the batch's, unless `own_statistics`.
    """
    network.eval()
    if own_statistics:
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
    try:
        yield
    finally:
        network.train()


def _opinion(teacher: nn.Module, fake: torch.Tensor) -> torch.Tensor:
    """What the teacher says of generated images, by their own batch's statistics."""
    with torch.no_grad(), judging(teacher, own_statistics=True):
        seen: Identity = teacher(fake)
    return seen.scores[0]


def _fine(scores: torch.Tensor, batch: Batch, config: DGNetConfig, *, shown: int) -> torch.Tensor:
    """How badly head 2 names the layout, that of the row `shown` before: which, or whose."""
    if config.fine == "id":
        return softmax_loss(scores, batch.subject.roll(shown))
    view, condition = batch.view.roll(shown), batch.condition.roll(shown)
    of_view, of_condition = group_cross_entropy(scores, view, condition, config)
    return of_view + of_condition
