"""What we add to every system beyond its paper: paired supervision, and an average of the weights.

Off by default, so that a system is its paper's. *Paired* adds to the generator's loss the L1
distance to a target GEI of the source's own person, and GaitGAN's identification discriminator A,
which sees source and candidate and keeps the identity (Yu et al., "GaitGAN", CVPR Workshops 2017,
section 3.3). Figures of the two modes must not be mixed in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import nn

from gaitkit.training.schedules import average_of, average_weight, update_average
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig, setting
from gaitkit.translators.networks.blocks import Critic, beside, frozen, init_normal
from gaitkit.translators.networks.identity import pixel_contrast
from gaitkit.translators.networks.losses import bce_with_logits, l1
from gaitkit.translators.sampling import Batch

__all__ = ["PAIR_L1_WEIGHT", "Extras", "ExtrasConfig"]

PAIR_L1_WEIGHT = 100.0
"""As in pix2pix (Isola et al., CVPR 2017), beside adversarial terms of weight 1."""


@dataclass(frozen=True)
class ExtrasConfig(TranslatorConfig):
    """Settings of what is added."""

    paired: bool = setting(
        False, 0, 1, "add the L1 to the own target and GaitGAN's identification discriminator A"
    )
    pair_l1_weight: float = setting(PAIR_L1_WEIGHT, 0, 1e4, "weight of that L1")
    pair_adversarial_weight: float = setting(1.0, 0, 1e3, "weight of A's say; 0: no A")
    pair_contrast_weight: float = setting(
        0.0, 0, 1e3, "weight of finding, by pixels, the own target among the batch's; paired only"
    )
    pair_contrast_temperature: float = setting(
        0.05, 1e-3, 10, "the smaller, the more the most similar others count"
    )
    pair_width: int = setting(96, 1, 512, "channels of A's first layer")
    learning_rate_a: float = setting(6.67e-5, 0, 1, "step size of A")
    ema_decay: float = setting(
        0.0,
        0,
        1,
        "translate with a moving average of the weights; 0: off",
        open_ends=(False, True),
    )

    @property
    def has_critic(self) -> bool:
        """Whether there is an A."""
        return self.paired and self.pair_adversarial_weight > 0


ConfigT = TypeVar("ConfigT", bound=ExtrasConfig)


class Extras(Translator[ConfigT]):
    """A translator with the settings of `ExtrasConfig`; see `Translator` for the parameters.

    Its networks are, beside its own, ``A`` when paired, and with `ema_decay` ``NAME_average`` of
    each network in `averaged`.
    """

    averaged: ClassVar[tuple[str, ...]] = ("G",)
    """Networks that translate and are averaged."""
    also_translating: ClassVar[tuple[str, ...]] = ()
    """Networks that translate or embed and are not averaged."""

    @classmethod
    def with_extras(
        cls, config: ExtrasConfig, networks: dict[str, nn.Module]
    ) -> dict[str, nn.Module]:
        """A system's own networks, and the added ones: the end of `build_networks`."""
        networks = dict(networks)
        if config.has_critic:
            networks["A"] = Critic(2, config.pair_width, config.image_size)
        if config.ema_decay > 0:
            for name in cls.averaged:
                networks[f"{name}_average"] = average_of(networks[name])
        return networks

    def init_extras(self, generator: torch.Generator) -> None:
        """Starting weights of the added networks: the end of `init_weights`."""
        if "A" in self.networks:
            init_normal(self.networks["A"], generator)
        self.start_averages()

    def start_averages(self) -> None:
        """Begin the averages at the networks; again at the end of a `meet` that fills buffers."""
        if self.config.ema_decay > 0:
            for name in self.averaged:
                state = self.networks[name].state_dict()
                self.networks[f"{name}_average"].load_state_dict(state)

    def extra_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimiser of A, to be merged into `build_optimizers`."""
        if "A" not in self.networks:
            return {}
        rate = self.config.learning_rate_a
        weights = self.networks["A"].parameters()
        return {"A": torch.optim.Adam(weights, rate, betas=(0.5, 0.999), fused=True)}

    def before_step(self) -> None:
        """Set the weight of the newest state in the averages."""
        if self.config.ema_decay > 0:
            self.schedule("average", average_weight(self.config.ema_decay, self.steps_done + 1))

    def pair_step(
        self,
        source: torch.Tensor,
        target: torch.Tensor,
        unrelated: torch.Tensor,
        fake: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """One step of A: the own target is the same person, another's target and `fake` are not.

        Parameters
        ----------
        source, target, unrelated, fake : Tensor, shape (n, 1, height, width)
            As in a batch; `fake` is the translation of `source` to the target's domain.

        Returns
        -------
        dict of str to Tensor
            Losses, accuracies and the gradient; nothing when there is no A.
        """
        if "A" not in self.networks:
            return {}
        critic, fake = self.networks["A"], fake.detach()
        terms, accuracies = {}, {}
        named = (("target", target, 1), ("unrelated", unrelated, 0), ("generated", fake, 0))
        with self.runtime.autocast():
            scores = [critic(beside(source, image)) for _, image, _ in named]
        for (what, _, label), score in zip(named, scores, strict=True):
            terms[f"A.{what}"] = bce_with_logits(score, float(label))
            right = score.detach() > 0 if label else score.detach() <= 0
            accuracies[f"accuracy.A.{what}"] = right.float().mean()
        gradient = self.update("A", torch.stack(list(terms.values())).sum())
        losses = {name: term.detach() for name, term in terms.items()}
        return losses | accuracies | {"gradient.A": gradient}

    def pair_terms(
        self, batch: Batch, generated: torch.Tensor, rows: slice = slice(None)
    ) -> dict[str, torch.Tensor]:
        """What pairing adds to the generator's loss, before the `pair_weights`.

        Parameters
        ----------
        batch : Batch
            The whole one.
        generated : Tensor, shape (k, 1, height, width)
            Translations of the sources `rows` to the target's domain.
        rows : slice
            Which sources those are.

        Returns
        -------
        dict of str to Tensor
            ``pair.L1``, ``pair.A``, ``pair.contrast``, those whose weight is not 0; nothing when
            the mode is off.
        """
        config = self.config
        if not config.paired:
            return {}
        terms: dict[str, torch.Tensor] = {}
        if config.pair_l1_weight > 0:
            terms["pair.L1"] = l1(generated, batch.target[rows])
        if "A" in self.networks:
            critic = self.networks["A"]
            with self.runtime.autocast(), frozen(critic):
                same = critic(beside(batch.source[rows], generated))
            terms["pair.A"] = bce_with_logits(same, 1.0)
        if config.pair_contrast_weight > 0:
            terms["pair.contrast"] = pixel_contrast(
                generated,
                batch.target[rows],
                batch.unrelated[rows],
                batch.subject[rows],
                batch.unrelated_subject[rows],
                config.pair_contrast_temperature,
            )
        return terms

    def pair_weights(self) -> dict[str, float]:
        """The weights of all `pair_terms` there may be."""
        return {
            "pair.L1": self.config.pair_l1_weight,
            "pair.A": self.config.pair_adversarial_weight,
            "pair.contrast": self.config.pair_contrast_weight,
        }

    def descend(
        self, network: str, terms: Mapping[str, torch.Tensor], weights: Mapping[str, float]
    ) -> dict[str, torch.Tensor]:
        """One step of a network's optimiser down the weighted sum of terms.

        Parameters
        ----------
        network : str
            Its name, and its optimiser's.
        terms : mapping of str to Tensor
            The loss's terms, scalars.
        weights : mapping of str to float
            What is not in it counts once.

        Returns
        -------
        dict of str to Tensor
            The terms without their weights, and the gradient's norm; detached.
        """
        weighted = [weights.get(name, 1.0) * term for name, term in terms.items()]
        gradient = {f"gradient.{network}": self.update(network, torch.stack(weighted).sum())}
        return {name: term.detach() for name, term in terms.items()} | gradient

    def update_averages(self) -> None:
        """Move the averages: the end of a step that has changed what is averaged."""
        if self.config.ema_decay > 0:
            for name in self.averaged:
                update_average(
                    self.networks[f"{name}_average"],
                    self.networks[name],
                    self.schedules["average"],
                )

    def used(self, name: str) -> nn.Module:
        """The network that translates: the average where one is kept."""
        average = f"{name}_average"
        return self.networks[average if average in self.networks else name]

    def translating(self) -> tuple[str, ...]:
        """The averages, or what they would be of, and what else translates."""
        ending = "_average" if self.config.ema_decay > 0 else ""
        return (*(f"{name}{ending}" for name in self.averaged), *self.also_translating)
