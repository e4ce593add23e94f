"""What can be added to a system beyond its paper: paired supervision, and an average.

Off by default, so that a system is its paper's. *Paired* adds to the generator's loss the L1
distance to a target GEI of the source's own person, as in pix2pix, and GaitGAN's identification
discriminator A (see `gaitkit.translators.adversarial`). Figures of the two modes must not be mixed
in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from gaitkit.translators.adversarial import AdversarialConfig, AdversarialTranslator
from gaitkit.translators.config import setting
from gaitkit.translators.networks.blocks import Critic
from gaitkit.translators.networks.losses import l1
from gaitkit.translators.networks.starting_weights import init_normal
from gaitkit.translators.sampling import Batch

__all__ = ["PAIR_L1_WEIGHT", "Extras", "ExtrasConfig"]

PAIR_L1_WEIGHT = 100.0
"""As in pix2pix (Isola et al., CVPR 2017), beside adversarial terms of weight 1."""


@dataclass(frozen=True)
class ExtrasConfig(AdversarialConfig):
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


class Extras(AdversarialTranslator[ConfigT]):
    """A translator with the settings of `ExtrasConfig`; see `Translator` for the parameters.

    Its networks are, beside its own, ``A`` when paired, and the averages.
    """

    @classmethod
    def with_extras(
        cls, config: ExtrasConfig, networks: Mapping[str, nn.Module]
    ) -> dict[str, nn.Module]:
        """A system's own networks, and the added ones: the end of `build_networks`."""
        networks = dict(networks)
        if config.has_critic:
            networks["A"] = Critic(2, config.pair_width, config.image_size)
        return cls.with_averages(config, networks)

    def init_extras(self, generator: torch.Generator) -> None:
        """Starting weights of the added networks: the end of `init_weights`."""
        if "A" in self.networks:
            init_normal(self.networks["A"], generator)
        self.start_averages()

    def extra_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimiser of A, to be merged into `build_optimizers`."""
        return self.adam({"A": self.config.learning_rate_a}, (0.5, 0.999))

    def pair_step(
        self, batch: Batch, fake: torch.Tensor, rows: slice = slice(None)
    ) -> dict[str, torch.Tensor]:
        """One step of A, where there is one; see `same_person_step`."""
        return self.same_person_step(batch, fake, rows) if "A" in self.networks else {}

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
            terms["pair.A"] = self.same_person_term(batch, generated, rows)
        if config.pair_contrast_weight > 0:
            terms["pair.contrast"] = self.contrast_term(
                batch, generated, config.pair_contrast_temperature, rows
            )
        return terms

    def pair_weights(self) -> dict[str, float]:
        """The weights of all `pair_terms` there may be."""
        return {
            "pair.L1": self.config.pair_l1_weight,
            "pair.A": self.config.pair_adversarial_weight,
            "pair.contrast": self.config.pair_contrast_weight,
        }
