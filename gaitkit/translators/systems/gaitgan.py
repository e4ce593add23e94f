"""GaitGAN: one generator, a discriminator of reality and a discriminator of identity.

Yu, Chen, Garcia Reyes, Poh, "GaitGAN: Invariant Gait Feature Extraction Using Generative
Adversarial Networks", CVPR Workshops 2017, section 3. The generator takes a GEI of any view and
condition and gives the GEI that the same person would have at 90°, walking normally; no label goes
in. The identification discriminator sees pairs, source and candidate, and keeps the identity.

Layers, losses and step sizes follow the paper and its public implementation. Adapted is how a step
is computed: each image is generated once in an iteration and not three times, which gives the same
weights. What the paper does not have is off by default: the identity network E of GaitGANv2 (Yu et
al., Pattern Recognition 87, 2019), and our own additions, which are the L1 distance, the contrast
by pixels, R1, skips, the matte, the moving average, and the share of a translation in closed form
(`gaitkit.translators.linear`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.analysis.discriminants import LinearSizes
from gaitkit.analysis.fitting import MAX_VIEWS, linear_sizes, refuse_more_views, views_told
from gaitkit.errors import OptionError
from gaitkit.translators.adversarial import AdversarialConfig, AdversarialTranslator
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, choice, setting
from gaitkit.translators.extras import PAIR_L1_WEIGHT
from gaitkit.translators.linear import LinearTranslation, fit_translation
from gaitkit.translators.networks.blocks import Critic, Generator
from gaitkit.translators.networks.identity import (
    MAX_PEOPLE,
    IdentityNet,
    centre_loss,
    check_people,
    contrastive_loss,
    softmax_loss,
)
from gaitkit.translators.networks.losses import l1, relative_spread
from gaitkit.translators.networks.starting_weights import init_normal, init_uniform
from gaitkit.translators.sampling import Batch, TripleSampler

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.training.history import History
    from gaitkit.translators.options import TranslatorOptions

__all__ = ["GaitGAN", "GaitGANConfig"]

_DIRECTIONS = 128
"""At most; among so many people as there are to learn from, there is one less."""

THREE_PASSES = 0.271
"""1 - 0.9³: the momentum at which one pass moves running statistics as far as three of 0.1 do."""


@dataclass(frozen=True)
class GaitGANConfig(AdversarialConfig):
    """Settings of GaitGAN; the defaults are the paper's and its public implementation's.

    What the paper does not have is off by default: other `betas`, and everything from `l1_weight`
    on but `norm_momentum`.
    """

    width: int = setting(96, 1, 512, "channels of the first layer")
    learning_rate_g: float = setting(1e-4, 0, 1, "step size of the generator")
    learning_rate_d: float = setting(6.67e-5, 0, 1, "step size of the real/fake discriminator")
    learning_rate_a: float = setting(6.67e-5, 0, 1, "step size of the identification discriminator")
    betas: tuple[float, float] = setting(
        (0.9, 0.999), 0, 1, "Adam's decay of its two moments", open_ends=(False, True)
    )
    adversarial_weight: float = setting(
        1.0, 0, 1e3, "weight of both discriminators' say in the generator's loss; 0: left out"
    )
    l1_weight: float = setting(0.0, 0, 1e4, "weight of |f - t| in the generator's loss")
    contrast_weight: float = setting(
        0.0, 0, 1e3, "weight of finding, by pixels, the own target among the batch's"
    )
    contrast_temperature: float = setting(
        0.1, 1e-3, 10, "the smaller, the more the most similar others count"
    )
    identity_weight: float = setting(
        0.0, 0, 1e3, "weight of telling whom the generated GEI shows, by a network E; 0: no E"
    )
    identity_loss: str = choice(
        "softmax",
        ("softmax", "contrastive"),
        "E's question: which training person (GaitGANv2), or which target of the batch",
    )
    centre_weight: float = setting(
        0.0, 0, 1e3, "weight of E's distance from each person's middle (GaitGANv2); softmax only"
    )
    identity_width: int = setting(16, 1, 512, "channels of E's first layer")
    learning_rate_e: float = setting(1e-3, 0, 1, "step size of E")
    r1_weight: float = setting(
        0.0, 0, 1e4, "weight of R1, half the squared gradient of D and A at true images"
    )
    skips: int = setting(
        0, 0, 3, "layers of the decoder that see the encoder's of their size (U-Net)"
    )
    matte: bool = setting(
        False, 0, 1, "give an alpha matte as well and keep the source where it is 0"
    )
    ema_decay: float = setting(
        0.0,
        0,
        1,
        "translate with a moving average of the generator; 0: off",
        open_ends=(False, True),
    )
    norm_momentum: float = setting(
        THREE_PASSES, 0, 1, "momentum of the generator's running statistics"
    )
    linear_share: float = setting(
        0.0, 0, 1, "share of a translation in closed form in what is given; 0: none, 1: alone"
    )
    views: int = setting(0, 0, MAX_VIEWS, "views told apart for that; 0: none", by_data=True)
    directions: int = setting(
        _DIRECTIONS, 1, _DIRECTIONS, "directions in which people differ, for that", by_data=True
    )

    @classmethod
    def of_data(cls, geis: GeiSet, options: TranslatorOptions) -> dict[str, Any]:
        """The size of the GEIs, the number of their views, and at most one less than people."""
        people = len(geis.labels.subjects())
        return super().of_data(geis, options) | {
            "views": views_told(len(geis.labels.views())),
            "directions": min(max(1, people - 1), _DIRECTIONS),
        }

    def check_data(self, geis: GeiSet, options: TranslatorOptions) -> None:
        """Refuse GEIs of another size, or from more views than are told apart.

        Raises
        ------
        OptionError
            The data would decide otherwise.
        """
        super().check_data(geis, options)
        refuse_more_views(len(geis.labels.views()), self.views)

    @property
    def linear_sizes(self) -> LinearSizes:
        """How large the matrices of the analysis are, in closed form."""
        return linear_sizes(self.image_size, self.views, self.directions)

    @classmethod
    def paired_settings(cls) -> dict[str, Any]:
        """The L1 distance alone: what else pairs add to the other systems is GaitGAN's already."""
        return {"l1_weight": PAIR_L1_WEIGHT}

    @property
    def mode(self) -> str:
        """``paired`` where something is learned from a person's own target, by pixels."""
        own = self.l1_weight or self.contrast_weight or self.linear_share
        return "paired" if own else "faithful"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.linear_share:
            # What only that asks for; whatever the data are, there is nothing of it.
            object.__setattr__(self, "views", 0)
            object.__setattr__(self, "directions", _DIRECTIONS)
        weights = [item.name for item in fields(self) if item.name.endswith("_weight")]
        weights = [name for name in weights if name not in ("r1_weight", "centre_weight")]
        if not any(vars(self)[name] for name in weights):
            raise OptionError(
                f"one of {', '.join(weights)} must be above 0: the generator has nothing to learn "
                "from"
            )
        if self.centre_weight and self.identity_loss != "softmax":
            raise OptionError("centre_weight needs identity_loss softmax: it belongs to its table")


class GaitGAN(AdversarialTranslator[GaitGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator), ``D`` (real/fake) and ``A`` (identification), both left out
    without `adversarial_weight`; with `identity_weight` ``E`` (identity network); with `ema_decay`
    ``G_average``, which then translates; with `linear_share` ``L`` (translation in closed form).

    Examples
    --------
    >>> import numpy as np
    >>> model = GaitGAN(GaitGANConfig(width=2, image_size=(32, 32)), device="cpu")
    >>> model.translate(np.zeros((3, 32, 32), dtype=np.uint8)).shape
    (3, 32, 32)
    """

    name: ClassVar[str] = "gaitgan"
    summary: ClassVar[str] = "a generator judged as real and as the same person; no labels"
    source: ClassVar[str] = "Yu et al., CVPR Workshops 2017"
    config_class: ClassVar[type[TranslatorConfig]] = GaitGANConfig

    @classmethod
    def build_networks(cls, config: GaitGANConfig) -> dict[str, nn.Module]:
        """Those of G, D, A, E, L and the average of G that the config asks for."""
        networks: dict[str, nn.Module] = {
            "G": Generator(
                config.width,
                momentum=config.norm_momentum,
                skips=config.skips,
                matte=config.matte,
            )
        }
        if config.adversarial_weight > 0:
            networks["D"] = Critic(1, config.width, config.image_size)
            networks["A"] = Critic(2, config.width, config.image_size)
        if config.identity_weight > 0:
            people = MAX_PEOPLE if config.identity_loss == "softmax" else 0
            networks["E"] = IdentityNet(
                config.identity_width,
                config.image_size,
                people,
                centres=config.centre_weight > 0,
            )
        if config.linear_share > 0:
            networks["L"] = LinearTranslation(config.linear_sizes, config.image_size)
        return cls.with_averages(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """N(0, 0.02) for convolutions, N(1, 0.02) for gains; the average starts as G."""
        for name in ("G", "D", "A"):
            if name in self.networks:
                init_normal(self.networks[name], generator)
        if "E" in self.networks:
            init_uniform(self.networks["E"], generator)
        self.start_averages()

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G, D, A and E."""
        rates = {
            "G": self.config.learning_rate_g,
            "D": self.config.learning_rate_d,
            "A": self.config.learning_rate_a,
            "E": self.config.learning_rate_e,
        }
        return self.adam(rates, self.config.betas)

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Refuse more people than E has rows for."""
        super().meet(sampler, iterations)
        if "E" in self.networks and self.config.identity_loss == "softmax":
            check_people(self.people, MAX_PEOPLE, "Use `identity_loss='contrastive'`.")

    def fit_fixed(self, sampler: TripleSampler) -> None:
        """Compute the translation in closed form, which no gradient teaches."""
        if "L" in self.networks:
            fit_translation(cast(LinearTranslation, self.networks["L"]), sampler)

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step each of D, A and G.

        With x a source of person p, t a target of p, u a target of somebody else and f = G(x):
        D minimises BCE(D(t), 1) + BCE(D(u), 1) + BCE(D(f), 0), A minimises BCE(A(x, t), 1) +
        BCE(A(x, u), 0) + BCE(A(x, f), 0), G minimises BCE(D(f), 1) + BCE(A(x, f), 1). f is
        computed once; D and A see it detached.

        By options, D and A add R1; G adds |f - t|, a comparison of f with the targets of others,
        and the loss of E, which learns to tell people apart by f and t before it judges f.
        """
        with self.runtime.autocast():
            generated = self.networks["G"](batch.source)
        fake = generated.detach()
        values: dict[str, torch.Tensor] = {}
        if self.config.adversarial_weight > 0:
            r1_weight = self.config.r1_weight
            true = {"target": batch.target, "unrelated": batch.unrelated}
            values |= self.critic_step("D", true, {"generated": fake}, r1_weight=r1_weight)
            values |= self.same_person_step(batch, fake, r1_weight=r1_weight)
        if self.config.identity_weight > 0:
            values |= self.descend("E", {"E.identity": self._identity_loss(fake, batch)})
        values |= self._generator_step(generated, batch)
        values["spread.G"] = relative_spread(fake, batch.target)
        self.update_averages()
        return values

    def _generator_step(self, generated: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        terms: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        if self.config.adversarial_weight > 0:
            terms["G.D"] = self.fooling_term("D", generated)
            terms["G.A"] = self.same_person_term(batch, generated)
            weights |= dict.fromkeys(("G.D", "G.A"), self.config.adversarial_weight)
        if self.config.l1_weight > 0:
            terms["G.L1"] = l1(generated, batch.target)
            weights["G.L1"] = self.config.l1_weight
        if self.config.contrast_weight > 0:
            terms["G.contrast"] = self.contrast_term(
                batch, generated, self.config.contrast_temperature
            )
            weights["G.contrast"] = self.config.contrast_weight
        if self.config.identity_weight > 0:
            terms["G.identity"] = self._identity_loss(generated, batch)
            weights["G.identity"] = self.config.identity_weight
        return self.descend("G", terms, weights)

    def _identity_loss(self, generated: torch.Tensor, batch: Batch) -> torch.Tensor:
        """How badly E tells whom the generated and the true GEIs show."""
        network = cast(IdentityNet, self.networks["E"])
        count = len(generated)
        images = [generated, batch.target.to(generated.dtype)]
        if self.config.identity_loss == "softmax":
            subject = torch.cat([batch.subject, batch.subject])
            with self.runtime.autocast():
                embedded = network(torch.cat(images))
                scores = network.people(embedded)[:, : self.people]
            loss = softmax_loss(scores, subject)
            if network.centres is not None:
                middle = network.centres(subject)
                loss = loss + self.config.centre_weight * centre_loss(embedded, middle)
            return loss
        with self.runtime.autocast():
            found = network(torch.cat([*images, batch.unrelated.to(generated.dtype)]))
        return contrastive_loss(
            found[:count],
            found[count:],
            batch.subject,
            torch.cat([batch.subject, batch.unrelated_subject]),
        )

    def check_course(self, history: History) -> None:
        """Nothing where the generator has no share."""
        if self.config.linear_share < 1:
            super().check_course(history)

    def warn_at_end(self, values: Mapping[str, float]) -> None:
        """Nothing where the generator has no share."""
        if self.config.linear_share < 1:
            super().warn_at_end(values)

    def translating(self) -> tuple[str, ...]:
        """G or its average, and L, where there is one."""
        return super().translating() + (("L",) if "L" in self.networks else ())

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """G, or its average where one is kept, and L by its share; they have one aim only."""
        generated: torch.Tensor = self.used("G")(images)
        share = self.config.linear_share
        if not share:
            return generated
        linear: torch.Tensor = self.networks["L"](images)
        return (1.0 - share) * generated + share * linear
