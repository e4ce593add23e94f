"""StarGAN's label vectors, for one data set or several whose views and conditions differ.

Section 3.3 of the paper: what a data set does not have is neither asked for in its images nor
looked for in them, and the vector says which data set it speaks of.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gaitkit.translators.domains import (
    LabelledConfig,
    asked_labels,
    group_cross_entropy,
    one_hot,
    target_labels,
)
from gaitkit.translators.sampling import Batch

__all__ = ["Domain", "accuracies", "asked_domain", "classification", "domain_of", "knowing_set"]

_IMPOSSIBLE = -1e4
"""Logit of a label that the data set does not have; exp of it is 0, and it is finite in float16."""


@dataclass(frozen=True)
class Domain:
    """Views, conditions and data sets of a batch.

    Attributes
    ----------
    view, condition : Tensor of int64, shape (n,)
        Indices into a config's; -1 is unknown.
    dataset : Tensor of int64, shape (n,)
        Which data set; of no account where there is only one.
    """

    view: torch.Tensor
    condition: torch.Tensor
    dataset: torch.Tensor

    def vector(self, config: LabelledConfig, dtype: torch.dtype) -> torch.Tensor:
        """What the generator is given, shape (n, labels), or (n, labels + datasets) of several."""
        labels = one_hot(self.view, self.condition, config, dtype=dtype)
        if config.datasets == 1:
            return labels
        sets = torch.arange(config.datasets, device=labels.device) == self.dataset[:, None]
        return torch.cat([labels, sets.to(dtype)], dim=1)


def domain_of(batch: Batch) -> Domain:
    """The sources' own."""
    return Domain(batch.view, batch.condition, batch.dataset)


def asked_domain(
    batch: Batch, config: LabelledConfig, forced: int, known: torch.Tensor | None
) -> Domain:
    """What the sources are to be changed into, each into what its own data set has.

    Parameters
    ----------
    batch : Batch
        The sources.
    config : LabelledConfig
        The vocabulary.
    forced : int
        So many rows, the first ones, are asked for the target.
    known : Tensor of int64, shape (datasets, labels), or None
        The labels that each data set has; a row of one without the target is not forced.
    """
    if known is None:
        return Domain(*asked_labels(batch, config, forced), batch.dataset)
    view, condition = asked_labels(batch, config, 0)
    # The target's view stands for an unknown one; a data set without it is asked for its first.
    own_views = known[batch.dataset, : len(config.views)]
    has_view = own_views.gather(1, view[:, None]).squeeze(1) > 0
    view = torch.where(has_view, view, own_views.argmax(dim=1))
    target_view, target_condition = target_labels(config)
    # Not by a list of columns, which would be copied to the device: no step can be recorded then.
    has_target = (known[:, target_view] * known[:, len(config.views) + target_condition]) > 0
    is_forced = torch.arange(len(view), device=view.device) < forced
    is_forced = is_forced & has_target[batch.dataset]
    return Domain(
        torch.where(is_forced, target_view, view),
        torch.where(is_forced, target_condition, condition),
        batch.dataset,
    )


def knowing_set(
    view: torch.Tensor, condition: torch.Tensor, config: LabelledConfig, known: torch.Tensor
) -> torch.Tensor:
    """The first data set that has a row's view and condition, or has most of the two."""
    return (known[:, view] + known[:, len(config.views) + condition]).argmax(dim=0)


def classification(
    logits: torch.Tensor, domain: Domain, config: LabelledConfig, known: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of view and condition, each row's among the labels that its data set has.

    Parameters
    ----------
    logits : Tensor, shape (n, labels)
        Of the critic.
    domain : Domain
        What is right; rows whose label is unknown, or not one of their data set's, do not count.
    config : LabelledConfig
        The vocabulary.
    known : Tensor of int64, shape (datasets, labels), or None
        The labels that each data set has.

    Returns
    -------
    view, condition : Tensor, shape ()
    """
    if known is None:
        return group_cross_entropy(logits, domain.view, domain.condition, config)
    has = known[domain.dataset] > 0
    logits = logits.masked_fill(~has, _IMPOSSIBLE)
    views = len(config.views)
    view = _if_had(has[:, :views], domain.view)
    condition = _if_had(has[:, views:], domain.condition)
    return group_cross_entropy(logits, view, condition, config)


def accuracies(
    logits: torch.Tensor, domain: Domain, config: LabelledConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares of the rows of known label whose view, and whose condition, has the largest logit."""
    views = len(config.views)
    groups = (logits.detach()[:, :views], logits.detach()[:, views:])
    view, condition = (
        (scores.argmax(dim=1) == label).sum() / (label >= 0).sum().clamp_min(1)
        for scores, label in zip(groups, (domain.view, domain.condition), strict=True)
    )
    return view, condition


def _if_had(has: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """The label where the row's data set has it, else -1."""
    had = has.gather(1, label.clamp_min(0)[:, None]).squeeze(1)
    return torch.where(had, label, -1)
