"""StarGAN: one generator that is told which view and condition to show.

Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: Unified Generative Adversarial Networks for Multi-Domain
Image-to-Image Translation", CVPR 2018, here with the labels of gait: a group of views and a group
of conditions. No pair of images is needed: that the way there and back gives the source again is
what keeps the person.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.errors import OptionError, TrainingError
from gaitkit.training.schedules import decayed
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, setting
from gaitkit.translators.domains import LabelledConfig, aim_labels
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.blocks import frozen, init_uniform
from gaitkit.translators.networks.identity import MAX_PEOPLE, IdentityNet, softmax_loss
from gaitkit.translators.networks.losses import l1_of_rows, line_penalty, relative_spread
from gaitkit.translators.sampling import Batch
from gaitkit.translators.systems.stargan_labels import (
    Domain,
    accuracies,
    asked_domain,
    classification,
    domain_of,
    knowing_set,
)
from gaitkit.translators.systems.stargan_networks import STRIPES, LabelledGenerator, PatchCritic

if TYPE_CHECKING:
    from gaitkit.translators.sampling import TripleSampler

__all__ = ["StarGAN", "StarGANConfig"]


@dataclass(frozen=True)
class StarGANConfig(LabelledConfig, ExtrasConfig):
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
                f"{self.depth} halvings leave nothing of {min(self.image_size)} pixels",
                hint=f"Use --set depth={most}.",
            )


class StarGAN(Extras[StarGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator) and ``D`` (critic and classifier); with `identity_weight` ``E``
    (who is it?); what `Extras` adds.
    """

    name: ClassVar[str] = "stargan"
    config_class: ClassVar[type[TranslatorConfig]] = StarGANConfig
    summary: ClassVar[str] = "one generator told the view and condition; cycles keep the person"
    source: ClassVar[str] = "Choi et al., CVPR 2018"
    needs: ClassVar[str] = "views and conditions, some GEIs of the target's; no pairs"
    offers: ClassVar[frozenset[str]] = frozenset({"views", "embedding", "data sets"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 200_000, "batch_size": 64}
    averaged: ClassVar[tuple[str, ...]] = ("G",)

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
            "D": PatchCritic(config.width, config.depth, config.labels, config.image_size),
        }
        if config.identity_weight > 0:
            networks["E"] = IdentityNet(config.identity_width, config.image_size, MAX_PEOPLE)
        return cls.with_extras(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Uniform, as the official implementation leaves it to its framework."""
        for name in ("G", "D", "E"):
            if name in self.networks:
                init_uniform(self.networks[name], generator)
        self.init_extras(generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G, D and E."""
        return {
            name: torch.optim.Adam(
                self.networks[name].parameters(), rate, betas=self.config.betas, fused=True
            )
            for name, rate in self._rates().items()
            if name in self.networks
        } | self.extra_optimizers()

    def _rates(self) -> dict[str, float]:
        config = self.config
        return {
            "G": config.learning_rate_g,
            "D": config.learning_rate_d,
            "E": config.learning_rate_e,
        }

    def needs_targets(self) -> bool:
        """Only when it is trained on pairs."""
        return self.config.paired

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Learn which labels each data set has; refuse more people than E has rows for."""
        super().meet(sampler, iterations)
        if self.config.datasets > 1:
            known = cast(LabelledGenerator, self.networks["G"]).known
            # The last data sets are not in the sampler where all their people are held out.
            known.zero_()[: len(sampler.label_known)] = sampler.label_known
            self.start_averages()
        if "E" in self.networks and self.people > MAX_PEOPLE:
            raise TrainingError(
                f"E tells {MAX_PEOPLE:,} people apart, here are {self.people:,}.",
                hint="Use --set identity_weight=0.",
            )

    def before_step(self) -> None:
        """Set the step sizes of G and D."""
        super().before_step()
        factor = decayed(self.steps_done, self.iterations, self.config.decay_from)
        for name in ("G", "D"):
            self.set_learning_rate(name, factor * self._rates()[name])

    def step_kind(self) -> Hashable:
        """Whether G learns in the next step too."""
        return (self.steps_done + 1) % self.config.n_critic == 0

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step of D and, every `n_critic`-th time, one of G (and of E and A).

        With x a source of label c', c another label and f = G(x, c), D minimises -D(x) + D(f) +
        CE(x, c') + 10 · penalty, and G minimises -D(f) + CE(f, c) + 10 · |x - G(f, c')|, where CE
        is that of the view plus that of the condition. The part of the batch that is asked for the
        target meets the pairs' terms, where there are some.
        """
        learns = bool(self.step_kind())
        count = len(batch.rows)
        forced = min(count, max(2, round(self.config.forced * count)))
        asked = asked_domain(batch, self.config, forced, self._known())
        G = self.networks["G"]
        label = asked.vector(self.config, batch.source.dtype)
        with self.runtime.autocast(), torch.set_grad_enabled(learns):
            generated = G(batch.source, label)
        fake = generated.detach()
        values = self._critic_step(batch, fake)
        if learns:
            if "E" in self.networks:
                loss = self._identity_loss(batch.source, batch)
                values |= {"E.identity": loss.detach(), "gradient.E": self.update("E", loss)}
            values |= self.pair_step(
                batch.source[:forced],
                batch.target[:forced],
                batch.unrelated[:forced],
                fake[:forced],
            )
            values |= self._generator_step(batch, generated, asked, slice(forced))
            self.update_averages()
        values["spread.G"] = relative_spread(fake[:forced], batch.target)
        return values

    def _critic_step(self, batch: Batch, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        D = cast(PatchCritic, self.networks["D"])
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
        if self.config.penalty_weight > 0:
            terms["D.penalty"] = line_penalty(D.reality, batch.source, fake)
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
        # Nobody can be asked to come back to an unknown view: such sources have no cycle.
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
        stripes = code.reshape(*code.shape[:2], STRIPES, -1)
        return stripes.mean(dim=3).flatten(1)
