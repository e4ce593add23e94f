"""StarGAN: one generator that is told which view and condition to show.

Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: Unified Generative Adversarial Networks for Multi-Domain
Image-to-Image Translation", CVPR 2018. No pair of images is needed: that the way there and back
gives the source again is what keeps the person.

Networks, losses, their weights and the step sizes are the paper's. Adapted are the labels, which
are those of gait, one view of a group and one condition of another, and not independent attributes;
one halving less in the critic, for GEIs of 64×64 pixels; and that a part of each batch is always
asked for the target. Several data sets whose views and conditions differ are learned from with the
paper's mask vector: what a data set does not have is neither asked for in its images nor looked for
in them, and the label vector says which data set it speaks of. The identity network E, off by
default, is our addition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.printable import counted
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, setting
from gaitkit.translators.domains import (
    LabelledConfig,
    aim_labels,
    asked_labels,
    group_cross_entropy,
    one_hot,
    target_labels,
)
from gaitkit.translators.editing import EditingConfig, EditingTranslator
from gaitkit.translators.networks.blocks import frozen, striped
from gaitkit.translators.networks.identity import (
    MAX_PEOPLE,
    IdentityNet,
    check_people,
    softmax_loss,
)
from gaitkit.translators.networks.losses import l1_of_rows, relative_spread
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.stargan_networks import ClassifyingCritic, LabelledGenerator

__all__ = [
    "Domain",
    "StarGAN",
    "StarGANConfig",
    "accuracies",
    "asked_domain",
    "classification",
    "domain_of",
    "knowing_set",
]

_IMPOSSIBLE = -1e4
"""Logit of a label that the data set does not have; exp of it is 0, and it is finite in float16."""


@dataclass(frozen=True)
class StarGANConfig(EditingConfig):
    """Settings of StarGAN; the defaults are the paper's, but for D's depth and `forced`.

    The paper's D halves 128×128 pixels six times; five times leave as much of 64×64.
    """

    width: int = setting(64, 1, 256, "channels of the first layer of G and of D")
    residual_blocks: int = setting(6, 0, 32, "residual blocks of G")
    depth: int = setting(5, 1, 6, "halvings in D; 64x64 pixels become 2x2 by 5")
    learning_rate_g: float = setting(1e-4, 0, 1, "step size of the generator")
    learning_rate_d: float = setting(1e-4, 0, 1, "step size of the critic")
    betas: tuple[float, float] = setting(
        (0.5, 0.999), 0, 1, "Adam's decay of its two moments", open_ends=(False, True)
    )
    decay_from: float = setting(
        0.5, 0, 1, "share of the iterations after which step sizes fall linearly to 0; 1: never"
    )
    n_critic: int = setting(5, 1, 100, "iterations for each step of the generator")
    classification_weight: float = setting(1.0, 0, 1e3, "weight of view and condition")
    cycle_weight: float = setting(10.0, 0, 1e3, "weight of coming back to the source")
    penalty_weight: float = setting(10.0, 0, 1e3, "weight of the critic's gradient penalty")
    forced: float = setting(
        0.25, 0, 1, "share of a batch that is asked for the target", open_ends=(True, False)
    )
    identity_weight: float = setting(
        0.0, 0, 1e3, "weight of telling whom the generated GEI shows, by a network E; 0: no E"
    )
    identity_width: int = setting(16, 1, 512, "channels of E's first layer")
    learning_rate_e: float = setting(1e-3, 0, 1, "step size of E")

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.image_size) < 2**self.depth:
            most = min(self.image_size).bit_length() - 1
            raise OptionError(
                f"{counted(self.depth, 'halving')} leave nothing of {min(self.image_size)} pixels",
                hint=f"Use `depth={most}`.",
            )


class StarGAN(EditingTranslator[StarGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator) and ``D`` (critic and classifier); with `identity_weight` ``E``
    (identity network); what `Extras` adds.

    Examples
    --------
    >>> import numpy as np
    >>> model = StarGAN(StarGANConfig(width=2, depth=3, image_size=(32, 32)), device="cpu")
    >>> images = np.zeros((3, 32, 32), dtype=np.uint8)
    >>> model.translate(images, Aim(view=54.0, condition="cl")).shape
    (3, 32, 32)
    """

    name: ClassVar[str] = "stargan"
    config_class: ClassVar[type[TranslatorConfig]] = StarGANConfig
    summary: ClassVar[str] = "one generator told the view and condition; cycles keep the person"
    source: ClassVar[str] = "Choi et al., CVPR 2018"
    adapted: ClassVar[tuple[str, ...]] = (
        "labels are a view and a condition, one of each: their loss is two softmax entropies",
        "one halving fewer in D, for 64x64 pixels",
        "a quarter of each batch is asked for the target",
        "step sizes fall to 0, as in the paper; its implementation hardly changes them",
    )
    offers: ClassVar[frozenset[str]] = frozenset({"views", "embedding", "data sets"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 200_000, "batch_size": 64}

    @classmethod
    def build_networks(cls, config: StarGANConfig) -> dict[str, nn.Module]:
        """G, D, and what the config asks for beside them."""
        networks: dict[str, nn.Module] = {
            "G": LabelledGenerator(
                config.width,
                config.labels,
                residual_blocks=config.residual_blocks,
                datasets=config.datasets,
            ),
            "D": ClassifyingCritic(config.width, config.depth, config.labels, config.image_size),
        }
        if config.identity_weight > 0:
            networks["E"] = IdentityNet(config.identity_width, config.image_size, MAX_PEOPLE)
        return cls.with_extras(config, networks)

    def learning_rates(self) -> Mapping[str, float]:
        """Those of the config."""
        return {
            "G": self.config.learning_rate_g,
            "D": self.config.learning_rate_d,
            "E": self.config.learning_rate_e,
        }

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Learn which labels each data set has; refuse more people than E has rows for."""
        super().meet(sampler, iterations)
        if self.config.datasets > 1:
            known = cast(LabelledGenerator, self.networks["G"]).known
            # The last data sets are not in the sampler where all their people are held out.
            known.zero_()[: len(sampler.label_known)] = sampler.label_known
            self.start_averages()
        if "E" in self.networks:
            check_people(self.people, MAX_PEOPLE, "Use `identity_weight=0`.")

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step of D and, every `n_critic`-th time, one of G (and of E and A).

        With x a source of label c', c another label and f = G(x, c), D minimises -D(x) + D(f) +
        CE(x, c') + 10 · penalty, and G minimises -D(f) + CE(f, c) + 10 · |x - G(f, c')|, where CE
        is that of the view plus that of the condition. The part of the batch that is asked for the
        target meets the pairs' terms, where there are some.
        """
        learns, forced = bool(self.step_kind()), self.forced_rows(batch)
        asked = asked_domain(batch, self.config, forced.stop, self._known())
        label = asked.vector(self.config, batch.source.dtype)
        with self.runtime.autocast(), torch.set_grad_enabled(learns):
            generated = self.networks["G"](batch.source, label)
        fake = generated.detach()
        values = self._critic_step(batch, fake)
        if learns:
            if "E" in self.networks:
                seen = self._identity_loss(batch.source, batch)
                values |= self.descend("E", {"E.identity": seen})
            values |= self.pair_step(batch, fake[forced], forced)
            values |= self._generator_step(batch, generated, asked, forced)
            self.update_averages()
        values["spread.G"] = relative_spread(fake[forced], batch.target)
        return values

    def _critic_step(self, batch: Batch, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        D = cast(ClassifyingCritic, self.networks["D"])
        dtype, count = batch.source.dtype, len(fake)
        with self.runtime.autocast():
            patches, logits = D(torch.cat([batch.source, fake.to(dtype)]))
        own = domain_of(batch)
        view, condition = classification(logits[:count], own, self.config, self._known())
        terms = {
            "D.real": -patches[:count].mean(dtype=dtype),
            "D.generated": patches[count:].mean(dtype=dtype),
            "D.view": view,
            "D.condition": condition,
        }
        terms |= self.penalty_terms(D.reality, batch, fake)
        weights = {
            "D.view": self.config.classification_weight,
            "D.condition": self.config.classification_weight,
            "D.penalty": self.config.penalty_weight,
        }
        values = self.descend("D", terms, weights)
        right = accuracies(logits[:count], own, self.config)
        return values | dict(zip(("accuracy.D.view", "accuracy.D.condition"), right, strict=True))

    def _generator_step(
        self, batch: Batch, generated: torch.Tensor, asked: Domain, forced: slice
    ) -> dict[str, torch.Tensor]:
        G, D = self.networks["G"], self.networks["D"]
        own, dtype = domain_of(batch), batch.source.dtype
        # G cannot be asked to come back to an unknown view: such sources have no cycle.
        with self.runtime.autocast(), frozen(D):
            patches, logits = D(generated)
            returned = G(generated, own.vector(self.config, dtype))
        view, condition = classification(logits, asked, self.config, self._known())
        terms = {
            "G.adversarial": -patches.mean(dtype=dtype),
            "G.view": view,
            "G.condition": condition,
            "G.cycle": l1_of_rows(returned, batch.source, batch.view >= 0),
        }
        weights = {
            "G.view": self.config.classification_weight,
            "G.condition": self.config.classification_weight,
            "G.cycle": self.config.cycle_weight,
        }
        if "E" in self.networks:
            terms["G.identity"] = self._identity_loss(generated, batch)
            weights["G.identity"] = self.config.identity_weight
        terms |= self.pair_terms(batch, generated[forced], forced)
        weights |= self.pair_weights()
        values = self.descend("G", terms, weights)
        right = accuracies(logits, asked, self.config)
        return values | dict(zip(("accuracy.G.view", "accuracy.G.condition"), right, strict=True))

    def _identity_loss(self, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """How badly E tells whom GEIs show.

        E learns from measured GEIs alone, so that G cannot agree with it on a mark.
        """
        network = cast(IdentityNet, self.networks["E"])
        with self.runtime.autocast():
            scores = network.people(network(images))[:, : self.people]
        return softmax_loss(scores, batch.subject)

    def _known(self) -> torch.Tensor | None:
        """Labels that each data set has; `None` of a single one, which has them all."""
        if self.config.datasets == 1:
            return None
        return cast(LabelledGenerator, self.networks["G"]).known

    def _label(self, images: torch.Tensor, aim: Aim | None) -> torch.Tensor:
        """The label vector of an aim, for every image."""
        view, condition = aim_labels(aim, self.config, 1, images.device)
        dataset = torch.zeros_like(view)
        if self.config.datasets > 1:
            known = cast(LabelledGenerator, self.used("G")).known
            dataset = knowing_set(view, condition, self.config, known)
        vector = Domain(view, condition, dataset).vector(self.config, images.dtype)
        return vector.expand(images.shape[0], -1)

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """G, told the aim's view and condition."""
        generated: torch.Tensor = self.used("G")(images, self._label(images, aim))
        return generated

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """G's bottleneck on the way to the target, averaged over stripes."""
        generator = cast(LabelledGenerator, self.used("G"))
        code = generator.encode(images, self._label(images, None))
        return striped(code).mean(dim=3).flatten(1)


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
