"""GaitGAN: one generator, a discriminator of reality and a discriminator of identity.

Yu, Chen, Garcia Reyes, Poh, "GaitGAN: Invariant Gait Feature Extraction Using Generative
Adversarial Networks", CVPR Workshops 2017. The generator takes a GEI of any view and condition and
gives the GEI that the same person would have at 90°, walking normally; no label goes in. The
identification discriminator sees pairs, source and candidate, and keeps the identity.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.errors import OptionError, TrainingError
from gaitkit.training.schedules import average_of, average_weight, update_average
from gaitkit.translators.aim import Aim
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig, choice, setting
from gaitkit.translators.extras import PAIR_L1_WEIGHT
from gaitkit.translators.networks.blocks import (
    Critic,
    Generator,
    beside,
    frozen,
    init_normal,
    init_uniform,
)
from gaitkit.translators.networks.identity import (
    MAX_PEOPLE,
    IdentityNet,
    centre_loss,
    contrastive_loss,
    pixel_contrast,
    softmax_loss,
)
from gaitkit.translators.networks.losses import (
    bce_with_logits,
    gradient_penalty,
    l1,
    relative_spread,
)
from gaitkit.translators.sampling import Batch, TripleSampler

__all__ = ["GaitGAN", "GaitGANConfig"]

THREE_PASSES = 0.271
"""1 - 0.9³: the momentum at which one pass moves running statistics as far as three of 0.1 do."""


@dataclass(frozen=True)
class GaitGANConfig(TranslatorConfig):
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

    @classmethod
    def paired_settings(cls) -> dict[str, Any]:
        """GaitGAN has pairs of its own; what the others add to theirs is the L1 alone."""
        return {"l1_weight": PAIR_L1_WEIGHT}

    @property
    def mode(self) -> str:
        """``paired`` where the loss compares with a person's own target by pixels."""
        return "paired" if self.l1_weight or self.contrast_weight else "faithful"

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = [item.name for item in fields(self) if item.name.endswith("_weight")]
        weights = [name for name in weights if name not in ("r1_weight", "centre_weight")]
        if not any(vars(self)[name] for name in weights):
            raise OptionError(
                f"one of {', '.join(weights)} must be above 0: the generator has nothing to learn "
                "from"
            )
        if self.centre_weight and self.identity_loss != "softmax":
            raise OptionError("centre_weight needs identity_loss softmax: it belongs to its table")


class GaitGAN(Translator[GaitGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator), ``D`` (real/fake) and ``A`` (identification), both left out
    without `adversarial_weight`; with `identity_weight` ``E`` (who is it?); with `ema_decay`
    ``G_average``, which then translates.
    """

    name: ClassVar[str] = "gaitgan"
    summary: ClassVar[str] = "a generator judged as real and as the same person; no labels"
    source: ClassVar[str] = "Yu et al., CVPR Workshops 2017"
    config_class: ClassVar[type[TranslatorConfig]] = GaitGANConfig

    @staticmethod
    def build_networks(config: GaitGANConfig) -> dict[str, nn.Module]:
        """Those of G, D, A, E and the average of G that the config asks for."""
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
        if config.ema_decay > 0:
            networks["G_average"] = average_of(networks["G"])
        return networks

    def init_weights(self, generator: torch.Generator) -> None:
        """N(0, 0.02) for convolutions, N(1, 0.02) for gains; the average starts as G."""
        for name in ("G", "D", "A"):
            if name in self.networks:
                init_normal(self.networks[name], generator)
        if "E" in self.networks:
            init_uniform(self.networks["E"], generator)
        if "G_average" in self.networks:
            self.networks["G_average"].load_state_dict(self.networks["G"].state_dict())

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G, D, A and E."""
        rates = {
            "G": self.config.learning_rate_g,
            "D": self.config.learning_rate_d,
            "A": self.config.learning_rate_a,
            "E": self.config.learning_rate_e,
        }
        return {
            name: torch.optim.Adam(
                self.networks[name].parameters(), rate, betas=self.config.betas, fused=True
            )
            for name, rate in rates.items()
            if name in self.networks
        }

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Refuse more people than E has rows for."""
        super().meet(sampler, iterations)
        people = self.people
        if people > MAX_PEOPLE and "E" in self.networks and self.config.identity_loss == "softmax":
            raise TrainingError(
                f"The softmax identity loss tells {MAX_PEOPLE:,} people apart, here are "
                f"{people:,}.",
                hint="Use --set identity_loss=contrastive.",
            )

    def before_step(self) -> None:
        """Set the weight of the newest state of G in its average."""
        if self.config.ema_decay > 0:
            self.schedule("average", average_weight(self.config.ema_decay, self.steps_done + 1))

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step each of D, A and G.

        With x a source of person p, t a target of p, u a target of somebody else and f = G(x):
        D minimises BCE(D(t), 1) + BCE(D(u), 1) + BCE(D(f), 0), A minimises BCE(A(x, t), 1) +
        BCE(A(x, u), 0) + BCE(A(x, f), 0), G minimises BCE(D(f), 1) + BCE(A(x, f), 1). f is
        computed once; D and A see it detached. Real and generated images go through D and A in
        separate calls, since batch normalisation would mix them otherwise.

        By options, D and A add R1; G adds |f - t|, a comparison of f with the targets of others,
        and the loss of E, which learns to tell people apart by f and t before it judges f.
        """
        with self.runtime.autocast():
            generated = self.networks["G"](batch.source)
        fake = generated.detach()
        values: dict[str, torch.Tensor] = {}
        if self.config.adversarial_weight > 0:
            images = [batch.target, batch.unrelated, fake]
            values |= self._critic_step("D", images, (1, 1, 0))
            pairs = [beside(batch.source, image) for image in images]
            values |= self._critic_step("A", pairs, (1, 0, 0))
        if self.config.identity_weight > 0:
            loss = self._identity_loss(fake, batch)
            values["E.identity"] = loss.detach()
            values["gradient.E"] = self.update("E", loss)
        values |= self._generator_step(generated, batch)
        values["spread.G"] = relative_spread(fake, batch.target)
        if self.config.ema_decay > 0:
            update_average(
                self.networks["G_average"], self.networks["G"], self.schedules["average"]
            )
        return values

    def _critic_step(
        self, name: str, images: list[torch.Tensor], labels: tuple[int, int, int]
    ) -> dict[str, torch.Tensor]:
        """D's or A's step on the target, the unrelated target and the generated image."""
        critic = self.networks[name]
        with self.runtime.autocast():
            scores = [critic(image) for image in images]
        terms, accuracies = {}, {}
        for what, score, label in zip(("target", "unrelated", "generated"), scores, labels):
            terms[f"{name}.{what}"] = bce_with_logits(score, float(label))
            right = score.detach() > 0 if label else score.detach() <= 0
            accuracies[f"accuracy.{name}.{what}"] = right.float().mean()
        loss = torch.stack(list(terms.values())).sum()
        if self.config.r1_weight > 0:
            terms[f"{name}.R1"] = 0.5 * gradient_penalty(critic, images[0])
            loss = loss + self.config.r1_weight * terms[f"{name}.R1"]
        gradient = {f"gradient.{name}": self.update(name, loss)}
        return {what: term.detach() for what, term in terms.items()} | accuracies | gradient

    def _generator_step(self, generated: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        terms: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        if self.config.adversarial_weight > 0:
            D, A = self.networks["D"], self.networks["A"]
            with self.runtime.autocast(), frozen(D, A):
                real, same = D(generated), A(beside(batch.source, generated))
            terms |= {"G.D": bce_with_logits(real, 1.0), "G.A": bce_with_logits(same, 1.0)}
            weights |= dict.fromkeys(("G.D", "G.A"), self.config.adversarial_weight)
        if self.config.l1_weight > 0:
            terms["G.L1"] = l1(generated, batch.target)
            weights["G.L1"] = self.config.l1_weight
        if self.config.contrast_weight > 0:
            terms["G.contrast"] = pixel_contrast(
                generated,
                batch.target,
                batch.unrelated,
                batch.subject,
                batch.unrelated_subject,
                self.config.contrast_temperature,
            )
            weights["G.contrast"] = self.config.contrast_weight
        if self.config.identity_weight > 0:
            terms["G.identity"] = self._identity_loss(generated, batch)
            weights["G.identity"] = self.config.identity_weight
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        gradient = {"gradient.G": self.update("G", loss)}
        return {name: term.detach() for name, term in terms.items()} | gradient

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

    def translating(self) -> tuple[str, ...]:
        """G, or its average where one is kept."""
        return ("G_average",) if self.config.ema_decay > 0 else ("G",)

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """G, or its average where one is kept; it has one aim only."""
        generated: torch.Tensor = self.networks[self.translating()[0]](images)
        return generated
