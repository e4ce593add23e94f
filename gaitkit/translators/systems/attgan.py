"""AttGAN: change the attributes that are asked for, and nothing else.

He, Zuo, Kan, Shan, Chen, "AttGAN: Facial Attribute Editing by Only Changing What You Want", IEEE
TIP 28(11), 2019. The encoder's code is decoded with attributes: with an image's own ones it has to
give the image back, with others it must convince a critic and a classifier of attributes. Here the
attributes are a GEI's view and condition. No pair of images is needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.training.schedules import decayed
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, choice, setting
from gaitkit.translators.domains import (
    LabelledConfig,
    aim_labels,
    asked_labels,
    one_hot,
)
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.blocks import frozen, init_uniform
from gaitkit.translators.networks.losses import l1, line_penalty, relative_spread
from gaitkit.translators.sampling import Batch
from gaitkit.translators.systems.attgan_losses import (
    ADVERSARIAL,
    attribute_loss,
    critic_loss,
    fooling_loss,
)
from gaitkit.translators.systems.attgan_networks import AttributeCritic, EncoderDecoder

__all__ = ["AttGAN", "AttGANConfig"]

ATTRIBUTE = 0.5
"""What an attribute that holds is told as; one that does not, as its negative."""


@dataclass(frozen=True)
class AttGANConfig(LabelledConfig, ExtrasConfig):
    """Settings of AttGAN; the defaults are the paper's, but for the layers and `forced`.

    The paper's five layers leave 4×4 of 128×128 pixels; four leave as much of 64×64.
    """

    width: int = setting(64, 1, 256, "channels of the first layer of G and of D")
    layers: int = setting(4, 2, 5, "halvings of the image in G and in D")
    shortcut: int = setting(1, 0, 4, "decoder layers after the first that see the encoder's")
    inject: int = setting(1, 0, 4, "decoder layers after the first that are told the attributes")
    adversarial: str = choice("wgan-gp", ADVERSARIAL, "which adversarial loss")
    learning_rate: float = setting(2e-4, 0, 1, "step size of the generator and of the critic")
    betas: tuple[float, float] = setting(
        (0.5, 0.999), 0, 1, "Adam's decay of its two moments", open_ends=(False, True)
    )
    decay_from: float = setting(
        0.5, 0, 1, "share of the iterations after which step sizes fall linearly to 0; 1: never"
    )
    n_critic: int = setting(5, 1, 100, "iterations for each step of the generator")
    adversarial_weight: float = setting(1.0, 0, 1e3, "weight of fooling the critic")
    reconstruction_weight: float = setting(100.0, 0, 1e4, "weight of giving the source back")
    attribute_weight_g: float = setting(
        10.0, 0, 1e3, "weight of the attributes that the generated GEI is classified to have"
    )
    attribute_weight_d: float = setting(1.0, 0, 1e3, "weight of classifying the measured GEI")
    penalty_weight: float = setting(10.0, 0, 1e3, "weight of the critic's gradient penalty")
    forced: float = setting(
        0.25, 0, 1, "share of a batch that is asked for the target", open_ends=(True, False)
    )
    intensity: float = setting(
        2.0, 0, 10, "attributes told in a translation, in units of training's; paired: always 1"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.shortcut, self.inject) >= self.layers:
            raise OptionError(
                f"shortcut and inject must be below layers, which is {self.layers}: that many "
                "decoder layers there are"
            )
        height, width = self.image_size
        step = 2**self.layers
        # A single place has no variance to be normalised by.
        if height % step or width % step or height * width <= step * step:
            raise OptionError(
                f"{self.layers} halvings of {height}x{width} pixels do not leave a whole number "
                "of two places or more",
                hint="Use --set layers=4 or fewer, or larger GEIs.",
            )


class AttGAN(Extras[AttGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (encoder and decoder) and ``D`` (critic and classifier of attributes, on one
    trunk); what `Extras` adds.
    """

    name: ClassVar[str] = "attgan"
    config_class: ClassVar[type[TranslatorConfig]] = AttGANConfig
    summary: ClassVar[str] = "view and condition as attributes to be edited, and how strongly"
    source: ClassVar[str] = "He et al., IEEE TIP 2019"
    needs: ClassVar[str] = "views and conditions, some GEIs of the target's; no pairs"
    offers: ClassVar[frozenset[str]] = frozenset({"views", "strength", "embedding"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 200_000, "batch_size": 32}
    averaged: ClassVar[tuple[str, ...]] = ("G",)

    @classmethod
    def build_networks(cls, config: AttGANConfig) -> dict[str, nn.Module]:
        """G, D, and what the config asks for beside them."""
        networks: dict[str, nn.Module] = {
            "G": EncoderDecoder(
                config.width,
                config.layers,
                config.labels,
                shortcut=config.shortcut,
                inject=config.inject,
            ),
            "D": AttributeCritic(config.width, config.layers, config.labels, config.image_size),
        }
        return cls.with_extras(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Uniform, as the official implementations leave it to their frameworks."""
        for name in ("G", "D"):
            init_uniform(self.networks[name], generator)
        self.init_extras(generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G and D."""
        config = self.config
        return {
            name: torch.optim.Adam(
                self.networks[name].parameters(),
                config.learning_rate,
                betas=config.betas,
                fused=True,
            )
            for name in ("G", "D")
        } | self.extra_optimizers()

    def needs_targets(self) -> bool:
        """Only when it is trained on pairs."""
        return self.config.paired

    def before_step(self) -> None:
        """Set the step sizes of G and D."""
        super().before_step()
        factor = decayed(self.steps_done, self.iterations, self.config.decay_from)
        for name in ("G", "D"):
            self.set_learning_rate(name, factor * self.config.learning_rate)

    def step_kind(self) -> Hashable:
        """Whether G learns in the next step too."""
        return (self.steps_done + 1) % self.config.n_critic == 0

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step of D and, every `n_critic`-th time, one of G (and of A).

        With x a source of attributes a, b others, z = E(x) and f = G(z, b), D minimises
        -D(x) + D(f) + 10 · penalty + C(x, a), and G minimises -D(f) + 10 · C(f, b) +
        100 · |x - G(z, a)|, where C is the attributes' cross-entropy. The part of the batch that
        is asked for the target meets the pairs' terms, where there are some.
        """
        learns = bool(self.step_kind())
        count = len(batch.rows)
        forced = slice(min(count, max(2, round(self.config.forced * count))))
        asked = asked_labels(batch, self.config, forced.stop)
        G = cast(EncoderDecoder, self.networks["G"])
        with self.runtime.autocast(), torch.set_grad_enabled(learns):
            codes = G.encode(batch.source)
            generated = G.decode(codes, self._attributes(*asked, batch.source.dtype))
        fake = generated.detach().to(batch.source.dtype)
        values = self._critic_step(batch, fake)
        if learns:
            values |= self.pair_step(
                batch.source[forced], batch.target[forced], batch.unrelated[forced], fake[forced]
            )
            with self.runtime.autocast():
                own = self._attributes(batch.view, batch.condition, batch.source.dtype)
                returned = G.decode(codes, own)
            terms = {"G.reconstruction": l1(returned, batch.source)}
            terms |= self._editing_terms(generated, asked)
            terms |= self.pair_terms(batch, generated[forced], forced)
            values |= self.descend(
                "G",
                terms,
                {
                    "G.reconstruction": self.config.reconstruction_weight,
                    "G.adversarial": self.config.adversarial_weight,
                    "G.attributes": self.config.attribute_weight_g,
                }
                | self.pair_weights(),
            )
            self.update_averages()
        values["spread.G"] = relative_spread(fake[forced], batch.target)
        return values

    def _critic_step(self, batch: Batch, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        D = cast(AttributeCritic, self.networks["D"])
        count = len(fake)
        with self.runtime.autocast():
            # Instance normalisation sees one image at a time: one pass gives what two would.
            features = D.features(torch.cat([batch.source, fake]))
            scores = D.realism(features).flatten()
            logits = D.attributes(features[:count])
        terms = {
            "D.adversarial": critic_loss(scores[:count], scores[count:], self.config.adversarial),
            "D.attributes": attribute_loss(logits, batch.view, batch.condition, self.config),
        }
        if self.config.penalty_weight > 0:
            terms["D.penalty"] = line_penalty(D.realness, batch.source, fake)
        weights = {
            "D.attributes": self.config.attribute_weight_d,
            "D.penalty": self.config.penalty_weight,
        }
        return self.descend("D", terms, weights)

    def _editing_terms(
        self, generated: torch.Tensor, asked: tuple[torch.Tensor, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        D = self.networks["D"]
        with self.runtime.autocast(), frozen(D):
            scores, logits = D(generated)
        return {
            "G.adversarial": fooling_loss(scores, self.config.adversarial),
            "G.attributes": attribute_loss(logits, *asked, self.config),
        }

    def _attributes(
        self, view: torch.Tensor, condition: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        return one_hot(view, condition, self.config, on=ATTRIBUTE, off=-ATTRIBUTE, dtype=dtype)

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """G, told the aim's view and condition, times the intensity and the aim's strength."""
        labels = aim_labels(aim, self.config, 1, images.device)
        attributes = self._attributes(*labels, images.dtype).expand(images.shape[0], -1)
        # Pairs show G what it shall answer to the attributes of training.
        strength = 1.0 if self.config.paired else self.config.intensity
        if aim is not None:
            strength *= aim.strength
        generated: torch.Tensor = self.used("G")(images, strength * attributes)
        return generated

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """The encoder's code, which is not told any attribute, flattened."""
        code: torch.Tensor = cast(EncoderDecoder, self.used("G")).encode(images)[-1]
        return code.flatten(1)
