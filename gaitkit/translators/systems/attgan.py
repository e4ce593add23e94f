"""AttGAN: change the attributes that are asked for, and nothing else.

He, Zuo, Kan, Shan, Chen, "AttGAN: Facial Attribute Editing by Only Changing What You Want", IEEE
TIP 28(11), 2019. The encoder's code is decoded with attributes: with an image's own ones it has to
give the image back, with others it must convince a critic and a classifier of attributes. No pair
of images is needed.

Layers follow the paper's table I, with one fewer for images of 64×64 pixels. Losses and their
weights are the paper's. Adapted are the attributes, which here are a GEI's view and condition: one
of each, so that their loss is that of two softmax groups and not of independent attributes; that
a part of each batch is always asked for the target; and that in a translation the intensity
multiplies all attributes. The original multiplies those alone that it edits: it is told what the
image has, and a translation here is told nothing of its source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, cast

import torch
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.printable import counted
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig, choice, setting
from gaitkit.translators.domains import (
    LabelledConfig,
    aim_labels,
    asked_labels,
    group_cross_entropy,
    one_hot,
)
from gaitkit.translators.editing import EditingConfig, EditingTranslator
from gaitkit.translators.networks.blocks import LEAKY_SLOPE, DeepConv2d, frozen
from gaitkit.translators.networks.losses import (
    bce_with_logits,
    l1,
    precise,
    relative_spread,
    squared_distance,
)
from gaitkit.translators.sampling import Batch

__all__ = [
    "ADVERSARIAL",
    "AttGAN",
    "AttGANConfig",
    "AttributeCritic",
    "EncoderDecoder",
    "attribute_loss",
    "critic_loss",
    "fooling_loss",
]

ADVERSARIAL = ("wgan-gp", "lsgan", "dcgan")
"""The adversarial losses: of scores, of squares (real 1, generated 0), of probabilities."""

ATTRIBUTE = 0.5
"""What an attribute that holds is told as; one that does not, as its negative."""


@dataclass(frozen=True)
class AttGANConfig(EditingConfig):
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
        2.0, 0, 10, "all attributes told in a translation, in units of training's; paired: always 1"
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
                f"{counted(self.layers, 'halving')} of {height}x{width} pixels do not leave a "
                "whole number of two places or more",
                hint="Use `layers=4` or fewer, or larger GEIs.",
            )


class AttGAN(EditingTranslator[AttGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (encoder and decoder) and ``D`` (critic and classifier of attributes, on one
    trunk); what `Extras` adds.

    Examples
    --------
    >>> import numpy as np
    >>> model = AttGAN(AttGANConfig(width=2, layers=3, image_size=(32, 32)), device="cpu")
    >>> model.translate(np.zeros((3, 32, 32), dtype=np.uint8), Aim(strength=0.5)).shape
    (3, 32, 32)
    """

    name: ClassVar[str] = "attgan"
    config_class: ClassVar[type[TranslatorConfig]] = AttGANConfig
    summary: ClassVar[str] = "view and condition as attributes to be edited, and how strongly"
    source: ClassVar[str] = "He et al., IEEE TIP 2019"
    adapted: ClassVar[tuple[str, ...]] = (
        "attributes are a view and a condition, one of each: their loss is two softmax entropies",
        "intensity multiplies all attributes; the original's the edited ones alone, which it knows "
        "from the image's own: a translation is given no labels",
        "one halving fewer in G and D, for 64x64 pixels",
        "a quarter of each batch is asked for the target",
    )
    offers: ClassVar[frozenset[str]] = frozenset({"views", "strength", "embedding"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 200_000, "batch_size": 32}

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

    def learning_rates(self) -> Mapping[str, float]:
        """The same for both."""
        return dict.fromkeys(("G", "D"), self.config.learning_rate)

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step of D and, every `n_critic`-th time, one of G (and of A).

        With x a source of attributes a, b others, z = E(x) and f = G(z, b), D minimises
        -D(x) + D(f) + 10 · penalty + C(x, a), and G minimises -D(f) + 10 · C(f, b) +
        100 · |x - G(z, a)|, where C is the attributes' cross-entropy. The part of the batch that
        is asked for the target meets the pairs' terms, where there are some.
        """
        learns, forced = bool(self.step_kind()), self.forced_rows(batch)
        asked = asked_labels(batch, self.config, forced.stop)
        G = cast(EncoderDecoder, self.networks["G"])
        with self.runtime.autocast(), torch.set_grad_enabled(learns):
            codes = G.encode(batch.source)
            generated = G.decode(codes, self._attributes(*asked, batch.source.dtype))
        fake = generated.detach().to(batch.source.dtype)
        values = self._critic_step(batch, fake)
        if learns:
            values |= self.pair_step(batch, fake[forced], forced)
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
        terms |= self.penalty_terms(D.realness, batch, fake)
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


class EncoderDecoder(nn.Module):
    """The generator: a code of the image, decoded with the attributes that it shall have.

    Encoder: convolutions 4×4, stride 2, with w, 2w, 4w, … channels, batch normalisation, leaky
    ReLU. Decoder: transposed ones of the same size with …, 4w, 2w channels, batch normalisation,
    ReLU; the last one gives the image.

    Parameters
    ----------
    width : int
        w, channels of the first layer.
    layers : int
        How often the image is halved.
    attributes : int
        Length of the attribute vector.
    shortcut : int
        Decoder layers, the first one not counted, that also see the encoder's layer of their size.
    inject : int
        Decoder layers, the first one not counted, that are also told the attributes.
    """

    def __init__(
        self, width: int, layers: int, attributes: int, *, shortcut: int, inject: int
    ) -> None:
        super().__init__()
        self.shortcut, self.inject = shortcut, inject
        down = [1, *(width * 2**level for level in range(layers))]
        self.encoder = nn.ModuleList(
            _down(inside, out, nn.BatchNorm2d(out), deepest=out == down[-1])
            for inside, out in pairwise(down)
        )
        self.decoder = nn.ModuleList()
        channels = down[-1]
        for level in range(layers):
            told = attributes if level <= inject else 0
            seen = down[-1 - level] if 0 < level <= shortcut else 0
            # The first decoder layer keeps the code's channels, the others halve them.
            out = down[-1 - level] if level < layers - 1 else 1
            self.decoder.append(_up(channels + told + seen, out, last=level == layers - 1))
            channels = out

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Every layer's output for images (n, 1, height, width); the last one is the code."""
        found = []
        for layer in self.encoder:
            image = layer(image)
            found.append(image)
        return found

    def decode(self, codes: Sequence[torch.Tensor], attributes: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1] from what `encode` gave and attributes of shape (n, attributes)."""
        image = codes[-1]
        for level, layer in enumerate(self.decoder):
            parts = [image]
            if 0 < level <= self.shortcut:
                parts.append(codes[-1 - level])
            if level <= self.inject:
                size = (-1, -1, image.shape[2], image.shape[3])
                parts.append(attributes.to(image.dtype)[:, :, None, None].expand(size))
            image = layer(torch.cat(parts, dim=1) if len(parts) > 1 else image)
        return torch.tanh(image)

    def forward(self, image: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """The images, with these attributes."""
        return self.decode(self.encode(image), attributes)


class AttributeCritic(nn.Module):
    """One trunk with two heads: how real an image is, and which attributes it has.

    Trunk: the encoder's convolutions with instance normalisation, which unlike a batch's keeps
    each image's gradient its own. Heads: two full layers each, 16w values between them.

    Parameters
    ----------
    width : int
        w, channels of the first layer.
    layers : int
        How often the image is halved.
    attributes : int
        Length of the attribute vector.
    image_size : tuple of int
        Height and width.
    """

    def __init__(
        self, width: int, layers: int, attributes: int, image_size: tuple[int, int]
    ) -> None:
        super().__init__()
        down = [1, *(width * 2**level for level in range(layers))]
        self.trunk = nn.Sequential(
            *(
                _down(inside, out, nn.InstanceNorm2d(out, affine=True), deepest=out == down[-1])
                for inside, out in pairwise(down)
            )
        )
        places = (image_size[0] >> layers) * (image_size[1] >> layers)
        self.realism = _head(places * down[-1], 16 * width, 1)
        self.attributes = _head(places * down[-1], 16 * width, attributes)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of shape (n,), and logits of the attributes of shape (n, attributes)."""
        seen = self.features(image)
        return self.realism(seen).flatten(), self.attributes(seen)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the heads see, shape (n, d)."""
        seen: torch.Tensor = self.trunk(image).flatten(1)
        return seen

    def realness(self, image: torch.Tensor) -> torch.Tensor:
        """The scores alone."""
        score: torch.Tensor = self.realism(self.features(image))
        return score.flatten()


def _down(inside: int, out: int, norm: nn.Module, *, deepest: bool) -> nn.Sequential:
    kind = DeepConv2d if deepest else nn.Conv2d
    convolution = kind(inside, out, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, norm, nn.LeakyReLU(LEAKY_SLOPE, inplace=True))


def _up(inside: int, out: int, *, last: bool) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inside, out, 4, 2, 1, bias=last)
    if last:
        return nn.Sequential(convolution)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _head(inside: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inside, hidden), nn.LeakyReLU(LEAKY_SLOPE, inplace=True), nn.Linear(hidden, out)
    )


def critic_loss(real: torch.Tensor, generated: torch.Tensor, kind: str) -> torch.Tensor:
    """What a critic minimises to tell measured from generated GEIs.

    Parameters
    ----------
    real, generated : Tensor, shape (n,)
        Its scores, of any floating type; computed in float32 at least.
    kind : str
        One of `ADVERSARIAL`.

    Examples
    --------
    >>> critic_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.5, 0.5]), "wgan-gp").item()
    -1.5
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
        return squared_distance(scores, label)
    return bce_with_logits(scores, label)
