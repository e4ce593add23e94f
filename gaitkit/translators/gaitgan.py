"""GaitGAN: one generator, a discriminator of reality and a discriminator of identity.

Yu, Chen, Garcia Reyes, Poh, "GaitGAN: Invariant Gait Feature Extraction Using Generative
Adversarial Networks", CVPR Workshops 2017. The generator takes a GEI of any view and condition and
gives the GEI that the same person would have at 90°, walking normally; no label goes in. The
identification discriminator sees pairs, source and candidate, and keeps the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from gaitkit.translators.averaging import average_of, average_weight, update_average
from gaitkit.translators.base import Translator
from gaitkit.translators.blocks import Critic, decoder, encoder, init_normal
from gaitkit.translators.config import TranslatorConfig, setting
from gaitkit.translators.losses import bce_with_logits, l1
from gaitkit.translators.sampling import Batch

__all__ = ["GaitGAN", "GaitGANConfig"]

THREE_PASSES = 0.271
"""1 - 0.9³: the momentum at which one pass moves running statistics as far as three of 0.1 do."""


@dataclass(frozen=True)
class GaitGANConfig(TranslatorConfig):
    """Settings of GaitGAN; the defaults are the paper's and its public implementation's.

    `l1_weight`, `ema_decay` and other `betas` are not in the paper.
    """

    width: int = setting(96, 1, 512, "channels of the first layer")
    learning_rate_g: float = setting(1e-4, 0, 1, "step size of the generator")
    learning_rate_d: float = setting(6.67e-5, 0, 1, "step size of the real/fake discriminator")
    learning_rate_a: float = setting(6.67e-5, 0, 1, "step size of the identification discriminator")
    betas: tuple[float, float] = setting(
        (0.9, 0.999), 0, 1, "Adam's decay of its two moments", open_ends=(False, True)
    )
    l1_weight: float = setting(0.0, 0, 1e4, "weight of |f - t| in the generator's loss")
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


class Generator(nn.Module):
    """The encoder-decoder; (n, 1, height, width) in [-1, 1] to the same."""

    def __init__(self, width: int, momentum: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(encoder(1, width, momentum=momentum))
        self.decoder = nn.Sequential(decoder(1, width, momentum=momentum))

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        """Generated images."""
        generated: torch.Tensor = self.decoder(self.encoder(source))
        return generated


class GaitGAN(Translator[GaitGANConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``G`` (generator), ``D`` (real/fake), ``A`` (identification), and with `ema_decay`
    ``G_average``, which then translates.
    """

    name: ClassVar[str] = "gaitgan"
    config_class: ClassVar[type[TranslatorConfig]] = GaitGANConfig

    @staticmethod
    def build_networks(config: GaitGANConfig) -> dict[str, nn.Module]:
        """G, D, A and the average of G."""
        networks: dict[str, nn.Module] = {
            "G": Generator(config.width, config.norm_momentum),
            "D": Critic(1, config.width, config.image_size),
            "A": Critic(2, config.width, config.image_size),
        }
        if config.ema_decay > 0:
            networks["G_average"] = average_of(networks["G"])
        return networks

    def init_weights(self, generator: torch.Generator) -> None:
        """N(0, 0.02) for convolutions, N(1, 0.02) for gains; the average starts as G."""
        for name in ("G", "D", "A"):
            init_normal(self.networks[name], generator)
        if self.config.ema_decay > 0:
            self.networks["G_average"].load_state_dict(self.networks["G"].state_dict())

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G, D and A."""
        rates = {
            "G": self.config.learning_rate_g,
            "D": self.config.learning_rate_d,
            "A": self.config.learning_rate_a,
        }
        return {
            name: torch.optim.Adam(
                self.networks[name].parameters(), rate, betas=self.config.betas, fused=True
            )
            for name, rate in rates.items()
        }

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
        """
        G, D, A = self.networks["G"], self.networks["D"], self.networks["A"]
        source, target, unrelated = batch.source, batch.target, batch.unrelated
        with self.runtime.autocast():
            generated = G(source)
        losses: dict[str, torch.Tensor] = {}
        losses |= self._critic_step("D", D, (target, unrelated, generated.detach()), (1, 1, 0))
        pairs = [_pair(source, image) for image in (target, unrelated, generated.detach())]
        losses |= self._critic_step("A", A, tuple(pairs), (1, 0, 0))
        with self.runtime.autocast():
            real, same = D(generated), A(_pair(source, generated))
        fool = {"G.D": bce_with_logits(real, 1.0), "G.A": bce_with_logits(same, 1.0)}
        loss = fool["G.D"] + fool["G.A"]
        if self.config.l1_weight > 0:
            fool["G.L1"] = l1(generated, target)
            loss = loss + self.config.l1_weight * fool["G.L1"]
        self.update("G", loss)
        losses |= {name: value.detach() for name, value in fool.items()}
        if self.config.ema_decay > 0:
            update_average(self.networks["G_average"], G, self.schedules["average"])
        return losses

    def _critic_step(
        self,
        name: str,
        critic: nn.Module,
        images: tuple[torch.Tensor, ...],
        labels: tuple[int, int, int],
    ) -> dict[str, torch.Tensor]:
        terms = {}
        with self.runtime.autocast():
            scores = [critic(image) for image in images]
        for what, score, label in zip(("target", "unrelated", "generated"), scores, labels):
            terms[f"{name}.{what}"] = bce_with_logits(score, float(label))
        self.update(name, torch.stack(list(terms.values())).sum())
        return {what: term.detach() for what, term in terms.items()}

    def translating(self) -> tuple[str, ...]:
        """G, or its average where one is kept."""
        return ("G_average",) if self.config.ema_decay > 0 else ("G",)

    def translate_batch(self, images: torch.Tensor) -> torch.Tensor:
        """G, or its average where one is kept."""
        generated: torch.Tensor = self.networks[self.translating()[0]](images)
        return generated


def _pair(source: torch.Tensor, candidate: torch.Tensor) -> torch.Tensor:
    return torch.cat([source, candidate.to(source.dtype)], dim=1)
