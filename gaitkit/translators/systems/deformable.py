"""The deformable GAN: feature maps are moved, part by part, to where the target has the part.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018. A person's image and two poses go in, their image in the second pose comes out. For GEIs
the second pose is always that of a 90° normal walk, and poses are ten boxes of the body, measured
in the image; see `gaitkit.translators.networks.body_boxes`.

The warp only aligns. Seen from the front or the back no leg swings, and no moving of boxes makes
one: there the decoder has to invent it. Views near the side, bags and coats gain most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.training.images import to_network
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, choice, setting
from gaitkit.translators.domains import LabelledConfig
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.blocks import frozen
from gaitkit.translators.networks.body_layout import BODY_BOXES, BodyLayout, Layout
from gaitkit.translators.networks.losses import bce_with_logits, l1, relative_spread
from gaitkit.translators.networks.nearest_neighbour_loss import FeatureBank, nearest_neighbour_loss
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.deformable_networks import (
    WARPED,
    DeformableGenerator,
    PatchCritic,
    init_glorot,
)

__all__ = ["DeformableConfig", "DeformableGAN"]

MOST_FITTED = 512
"""Targets of which the filters' deviations are measured: more would not change them."""


@dataclass(frozen=True)
class DeformableConfig(LabelledConfig, ExtrasConfig):
    """Settings of the deformable GAN; the defaults are the paper's and its implementation's.

    `nn_weight` is not: the paper's 0.01 belongs to another bank of 64 filters. With 3.5 its
    gradient at the image is about as large as that of 100 times the L1 distance, the paper's weight
    without this loss (3.4 to 3.7 for others' images and other views, 4.8 to 6.1 for blurred ones).
    """

    width: int = setting(64, 1, 512, "channels of the first layer")
    variant: str = choice(
        "full",
        ("baseline", "dsc", "full"),
        "the paper's ablation: plain U-Net with L1, warped skips with L1, and with the "
        "nearest-neighbour loss",
    )
    boxes: str = choice(
        "measured",
        BODY_BOXES,
        "boxes of the source: its own, those of the mean GEI most like it, or between",
    )
    nn_weight: float = setting(3.5, 0, 1e4, "weight of the nearest-neighbour loss; full only")
    nn_window: int = setting(3, 1, 9, "side of its window, pixels, odd; the paper has 3 and 5")
    l1_weight: float = setting(100.0, 0, 1e4, "weight of |f - t|; baseline and dsc only")
    adversarial_weight: float = setting(1.0, 0, 1e3, "weight of D's say in the generator's loss")
    dropout: float = setting(
        0.5, 0, 1, "share of values dropped in training, the noise", open_ends=(False, True)
    )
    learning_rate_g: float = setting(2e-4, 0, 1, "step size of the generator")
    learning_rate_d: float = setting(2e-4, 0, 1, "step size of the discriminator")
    betas: tuple[float, float] = setting(
        (0.5, 0.999), 0, 1, "Adam's decay of its two moments", open_ends=(False, True)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nn_window % 2 == 0:
            raise OptionError(f"nn_window must be odd, got {self.nn_window}")


class DeformableGAN(Extras[DeformableConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator), ``D`` (discriminator of source and candidate; left out without
    `adversarial_weight`), ``layout`` (finds the boxes; its buffers are measured before the
    training), in the variant `full` ``bank`` (fixed filters), and those of `Extras`.
    """

    name: ClassVar[str] = "deformable"
    summary: ClassVar[str] = "warps features part by part to where the target has the part"
    source: ClassVar[str] = "Siarohin et al., Deformable GANs, CVPR 2018"
    offers: ClassVar[frozenset[str]] = frozenset({"embedding"})
    config_class: ClassVar[type[TranslatorConfig]] = DeformableConfig
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 90_000, "batch_size": 4}
    averaged: ClassVar[tuple[str, ...]] = ("G",)
    also_translating: ClassVar[tuple[str, ...]] = ("layout",)

    @classmethod
    def build_networks(cls, config: DeformableConfig) -> dict[str, nn.Module]:
        """Those of G, D, layout, bank and the added ones that the config asks for."""
        size = config.image_size
        templates = len(config.views) * len(config.conditions)
        networks: dict[str, nn.Module] = {
            "G": DeformableGenerator(
                config.width,
                size,
                deformable=config.variant != "baseline",
                dropout=config.dropout,
            ),
            "layout": BodyLayout(size, WARPED, config.boxes, templates),
        }
        if config.adversarial_weight > 0:
            networks["D"] = PatchCritic(config.width, size)
        if config.variant == "full":
            networks["bank"] = FeatureBank()
        return cls.with_extras(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Glorot's for G and D."""
        for name in ("G", "D"):
            if name in self.networks:
                init_glorot(self.networks[name], generator)
        self.init_extras(generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G and D."""
        rates = {"G": self.config.learning_rate_g, "D": self.config.learning_rate_d}
        return {
            name: torch.optim.Adam(
                self.networks[name].parameters(), rate, betas=self.config.betas, fused=True
            )
            for name, rate in rates.items()
            if name in self.networks
        } | self.extra_optimizers()

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Measure the target's boxes, the templates and the filters' deviations."""
        super().meet(sampler, iterations)
        config, labels = self.config, sampler.labels
        wanted = (labels.view == config.target_view) & (labels.condition == config.target_condition)
        wanted &= sampler.shown
        targets = sampler.images[_rows(wanted, sampler.images)]
        templates: dict[int, torch.Tensor] = {}
        if config.boxes != "measured":
            for place, view in enumerate(config.views):
                for kind, condition in enumerate(config.conditions):
                    here = (labels.view == view) & (labels.condition == condition) & sampler.shown
                    if here.any():
                        images = sampler.images[_rows(here, sampler.images)]
                        number = place * len(config.conditions) + kind
                        templates[number] = self._mean(images)
        with torch.no_grad():
            cast(BodyLayout, self.networks["layout"]).fit(self._mean(targets), templates)
            if "bank" in self.networks:
                some = to_network(targets[:: -(-len(targets) // MOST_FITTED)])
                cast(FeatureBank, self.networks["bank"]).fit(some.to(self.runtime.dtype))

    def _mean(self, images: torch.Tensor) -> torch.Tensor:
        # Grey values are whole numbers: their sum is exact, and the same in any order.
        mean = images.sum(dim=0, dtype=torch.int64).to(torch.float64) / len(images)
        return to_network(mean.unsqueeze(0)).to(self.runtime.dtype)

    def _layout(self, images: torch.Tensor) -> Layout:
        layout: Layout = self.networks["layout"](images)
        return layout

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step each of D, A when paired, and G.

        With x a source, H its boxes, t a target of the same person, K the target's boxes and
        f = G(x, H, K): D minimises the mean over patches of BCE(D(x, H, t, K), 1) +
        BCE(D(x, H, f, K), 0); G minimises BCE(D(x, H, f, K), 1) and the distance of f from t, by
        nearest neighbours or by L1. f is computed once; D and A see it detached.
        """
        layout = self._layout(batch.source)
        with self.runtime.autocast():
            generated = self.networks["G"](batch.source, layout)
        fake = generated.detach()
        values: dict[str, torch.Tensor] = {}
        if "D" in self.networks:
            values |= self._critic_step(batch, fake, layout)
        values |= self.pair_step(batch.source, batch.target, batch.unrelated, fake)
        values |= self._generator_step(batch, generated, layout)
        values["spread.G"] = relative_spread(fake, batch.target)
        self.update_averages()
        return values

    def _critic_step(
        self, batch: Batch, fake: torch.Tensor, layout: Layout
    ) -> dict[str, torch.Tensor]:
        critic = self.networks["D"]
        # Instance normalisation knows no batch: true and generated images may go in together.
        with self.runtime.autocast():
            candidates = torch.cat([batch.target, fake.to(batch.target.dtype)])
            scores = critic(batch.source, candidates, layout)
        real, generated = scores.chunk(2)
        terms = {
            "D.target": bce_with_logits(real, 1.0),
            "D.generated": bce_with_logits(generated, 0.0),
        }
        return self.descend("D", terms, {}) | {
            "accuracy.D.target": (real.detach() > 0).float().mean(),
            "accuracy.D.generated": (generated.detach() <= 0).float().mean(),
        }

    def _generator_step(
        self, batch: Batch, generated: torch.Tensor, layout: Layout
    ) -> dict[str, torch.Tensor]:
        config = self.config
        terms: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        if "D" in self.networks:
            critic = self.networks["D"]
            with self.runtime.autocast(), frozen(critic):
                scores = critic(batch.source, generated, layout)
            terms["G.D"] = bce_with_logits(scores, 1.0)
            weights["G.D"] = config.adversarial_weight
        if config.variant == "full":
            terms["G.NN"] = self._nearest_neighbours(generated, batch.target)
            weights["G.NN"] = config.nn_weight
        else:
            terms["G.L1"] = l1(generated, batch.target)
            weights["G.L1"] = config.l1_weight
        terms |= self.pair_terms(batch, generated)
        return self.descend("G", terms, weights | self.pair_weights())

    def _nearest_neighbours(self, generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        bank = self.networks["bank"]
        with torch.no_grad():
            real = bank(target)
        return nearest_neighbour_loss(bank(generated.to(target.dtype)), real, self.config.nn_window)

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """G without dropout: the same image always gives the same translation."""
        generated: torch.Tensor = self.used("G")(images, self._layout(images))
        return generated

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """The coarsest map of the source's encoder, flat: 8·width·16 numbers at 64×64."""
        generator = cast(DeformableGenerator, self.used("G"))
        return generator.encode(images, self._layout(images))[-1].flatten(1)


def _rows(wanted: np.ndarray[Any, np.dtype[np.bool_]], images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.flatnonzero(wanted)).to(images.device)
