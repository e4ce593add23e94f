"""The deformable GAN: feature maps are moved, part by part, to where the target has the part.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018. A person's image and two poses go in, their image in the second pose comes out.

Networks follow section 3 of the paper with the layers of its public implementation, losses its
section 3.3, the three variants its ablation in section 4. Adapted is what a pose is: for GEIs the
second one is always that of a 90° normal walk, and poses are ten boxes of the body, measured in the
image (see `gaitkit.translators.systems.deformable_parts`) and not found by a pose estimator.
`DeformableGAN.adapted` lists all that is not as there.

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
from torch.nn import functional

from gaitkit.errors import OptionError
from gaitkit.training.images import to_network
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, choice, network_form, setting
from gaitkit.translators.domains import LabelledConfig
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.losses import (
    bce_with_logits,
    l1,
    relative_spread,
    share_right,
)
from gaitkit.translators.networks.starting_weights import init_glorot
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.deformable_networks import (
    WARPED,
    DeformableGenerator,
    PoseCritic,
)
from gaitkit.translators.systems.deformable_parts import BODY_BOXES, BodyLayout, Layout

__all__ = ["DeformableConfig", "DeformableGAN", "FeatureBank", "nearest_neighbour_loss"]

MOST_FITTED = 512
"""Targets of which the filters' deviations are measured: more would not change them."""

_RADIUS = 4
_OUTSIDE = 1e4
"""A feature value that nothing is near to: no pixel's neighbour lies outside the image."""


@dataclass(frozen=True)
class DeformableConfig(LabelledConfig, ExtrasConfig):
    """Settings of the deformable GAN; the defaults are the paper's and its implementation's.

    `nn_weight` is not: the paper's 0.01 belongs to another bank of 64 filters. With 3.5 its
    gradient at the image is about as large as that of 100 times the L1 distance, the paper's weight
    without this loss (3.4 to 3.7 for others' images and other views, 4.8 to 6.1 for blurred ones).
    """

    width: int = setting(64, 1, 512, "channels of the first layer")
    form: int = network_form(2)
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

    Examples
    --------
    >>> import numpy as np
    >>> model = DeformableGAN(DeformableConfig(width=2, image_size=(32, 32)), device="cpu")
    >>> model.translate(np.zeros((3, 32, 32), dtype=np.uint8)).shape
    (3, 32, 32)
    """

    name: ClassVar[str] = "deformable"
    summary: ClassVar[str] = "warps features part by part to where the target has the part"
    source: ClassVar[str] = "Siarohin et al., Deformable GANs, CVPR 2018"
    adapted: ClassVar[tuple[str, ...]] = (
        "a pose is ten soft boxes of the body, measured in the GEI; theirs is 18 joints",
        "the target's pose is that of a 90° normal walk, the same for all",
        "one halving and one dropout fewer, for 64x64 pixels",
        "skips are the largest of ten warped parts and of the map as it is, as in the paper; its "
        "implementation warps that by the torso",
        "the nearest-neighbour loss compares by eight fixed filters, with a weight of their own; "
        "theirs by 64 of VGG-19, and 0.01",
    )
    offers: ClassVar[frozenset[str]] = frozenset({"embedding"})
    config_class: ClassVar[type[TranslatorConfig]] = DeformableConfig
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 90_000, "batch_size": 4}
    also_translating: ClassVar[tuple[str, ...]] = ("layout",)

    @classmethod
    def build_networks(cls, config: DeformableConfig) -> dict[str, nn.Module]:
        """Those of G, D, layout, bank and the added ones that the config asks for."""
        size, former = config.image_size, config.form == 1
        templates = len(config.views) * len(config.conditions)
        networks: dict[str, nn.Module] = {
            "G": DeformableGenerator(
                config.width,
                size,
                deformable=config.variant != "baseline",
                dropout=config.dropout,
                former=former,
            ),
            "layout": BodyLayout(size, WARPED, config.boxes, templates),
        }
        if config.adversarial_weight > 0:
            networks["D"] = PoseCritic(config.width, size, former=former)
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
        return self.adam(rates, self.config.betas) | self.extra_optimizers()

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
        values |= self.pair_step(batch, fake)
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
        return self.descend("D", terms) | {
            "accuracy.D.target": share_right(real, 1.0),
            "accuracy.D.generated": share_right(generated, 0.0),
        }

    def _generator_step(
        self, batch: Batch, generated: torch.Tensor, layout: Layout
    ) -> dict[str, torch.Tensor]:
        config = self.config
        terms: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        if "D" in self.networks:
            terms["G.D"] = self.fooling_term("D", batch.source, generated, layout)
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


def _kernels() -> torch.Tensor:
    """Intensity, Sobel's two derivatives and the Laplacian, at σ 0 and 1: shape (8, 1, 9, 9)."""
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8.0
    laplacian = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    intensity = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    sharp = torch.stack([intensity, sobel, sobel.T, laplacian]).unsqueeze(1)
    offsets = torch.arange(-3.0, 4.0)
    gaussian = torch.exp(-offsets.square() / 2.0)
    gaussian = torch.outer(gaussian, gaussian) / gaussian.sum().square()
    blurred = functional.conv2d(sharp, gaussian[None, None], padding=6)
    return torch.cat([functional.pad(sharp, (3, 3, 3, 3)), blurred])


class FeatureBank(nn.Module):
    """Eight fixed filters, each divided by its standard deviation over the training targets.

    The border's pixels go on beyond the border.
    """

    kernels: torch.Tensor
    deviations: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", _kernels(), persistent=False)
        self.register_buffer("deviations", torch.ones(len(_kernels())))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features of shape (n, 8, height, width) for images of shape (n, 1, height, width)."""
        padded = functional.pad(images, (_RADIUS,) * 4, mode="replicate")
        # Scaled kernels instead of scaled results: less to compute, and to keep for the gradient.
        return functional.conv2d(padded, self.kernels / self.deviations[:, None, None, None])

    def fit(self, images: torch.Tensor) -> None:
        """Measure each filter's standard deviation over all pixels of images."""
        self.deviations.fill_(1.0)
        features = self(images)
        spread = features.transpose(0, 1).flatten(1).std(dim=1, correction=0)
        self.deviations.copy_(spread.clamp_min(1e-6))


def nearest_neighbour_loss(
    generated: torch.Tensor, real: torch.Tensor, window: int
) -> torch.Tensor:
    """Mean over pixels of the generated image of the distance to the nearest of the real one's.

    Section 3.3 of the paper: the pixel-wise L1 punishes a sharp edge in a slightly wrong place
    twice, and so makes images blurred; here a pixel need only agree with one near its place. For
    each pixel p of the generated image, the least L1 distance, summed over channels, between its
    features and those of a pixel in the window around p in the real image.

    Parameters
    ----------
    generated, real : Tensor, shape (n, channels, height, width)
        Features. The gradient goes to `generated` only.
    window : int
        Side of the window, odd; 1 is the L1 distance.
    """
    n, channels, height, width = real.shape
    radius = window // 2
    with torch.no_grad():
        padded = functional.pad(real, (radius,) * 4, value=_OUTSIDE)
        rows, columns = (torch.arange(size, device=real.device) for size in (height, width))
        corner = rows[:, None] * padded.shape[3] + columns
        least = real.new_full((n, height, width), torch.inf)
        nearest = corner.expand(n, -1, -1)
        for row in range(window):
            for column in range(window):
                candidate = padded[:, :, row : row + height, column : column + width]
                distance = (generated - candidate).abs_().sum(dim=1)
                place = corner + (row * padded.shape[3] + column)
                nearest = torch.where(distance < least, place, nearest)
                least = torch.minimum(distance, least)
        flat = nearest.reshape(n, 1, -1).expand(-1, channels, -1)
        found = padded.flatten(2).gather(2, flat).view_as(real)
    # The gradient of the least distance is that of the distance to the pixel that was found.
    return (generated - found).abs().sum(dim=1).mean()
