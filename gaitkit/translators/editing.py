"""What StarGAN and AttGAN share: a GEI is edited into a view and condition that are asked for.

Both learn without pairs. A critic tells measured from generated GEIs by the Wasserstein distance or
a like one, with a gradient penalty, and reads view and condition; the generator, which learns in
every `n_critic`-th iteration only, has to convince it of the labels that were asked for. A part of
each batch is asked for the target, since a permuted batch of CASIA-B would ask for it once in
eighteen times, and the pairs' terms of `gaitkit.translators.extras` are of that part.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, TypeVar

import torch

from gaitkit.training.schedules import decayed
from gaitkit.translators.domains import LabelledConfig
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.losses import line_penalty
from gaitkit.translators.networks.starting_weights import init_uniform
from gaitkit.translators.sampling import Batch

__all__ = ["EditingConfig", "EditingTranslator"]


class EditingConfig(LabelledConfig, ExtrasConfig):
    """What an editing system's settings must have; each config declares it for itself.

    Attributes
    ----------
    betas : tuple of float
        Adam's decay of its two moments.
    n_critic : int
        Iterations for each step of the generator.
    forced : float
        Share of a batch that is asked for the target, in (0, 1].
    penalty_weight : float
        Weight of the critic's gradient penalty.
    decay_from : float
        Share of the iterations after which the step sizes of G and D fall linearly to 0.
    """

    betas: tuple[float, float]
    n_critic: int
    forced: float
    penalty_weight: float
    decay_from: float


ConfigT = TypeVar("ConfigT", bound=EditingConfig)


class EditingTranslator(Extras[ConfigT]):
    """A translator of networks ``G`` and ``D`` that edits; see `Translator` for the parameters."""

    needs: ClassVar[str] = "views and conditions, some GEIs of the target's; no pairs"

    @abstractmethod
    def learning_rates(self) -> Mapping[str, float]:
        """Step sizes of G, D and what else learns, at the start of a training."""

    def init_weights(self, generator: torch.Generator) -> None:
        """Uniform, as the official implementations leave it to their frameworks."""
        for name in self.learning_rates():
            if name in self.networks:
                init_uniform(self.networks[name], generator)
        self.init_extras(generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of G, D and what else learns."""
        return self.adam(self.learning_rates(), self.config.betas) | self.extra_optimizers()

    def needs_targets(self) -> bool:
        """Only when it is trained on pairs."""
        return self.config.paired

    def before_step(self) -> None:
        """Set the step sizes of G and D."""
        super().before_step()
        factor = decayed(self.steps_done, self.iterations, self.config.decay_from)
        for name in ("G", "D"):
            self.set_learning_rate(name, factor * self.learning_rates()[name])

    def step_kind(self) -> Hashable:
        """Whether G learns in the next step too."""
        return (self.steps_done + 1) % self.config.n_critic == 0

    def forced_rows(self, batch: Batch) -> slice:
        """The rows of a batch, two at least, that are asked for the target."""
        count = len(batch.rows)
        return slice(min(count, max(2, round(self.config.forced * count))))

    def penalty_terms(
        self, score: Callable[[torch.Tensor], torch.Tensor], batch: Batch, fake: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """``D.penalty``, that of WGAN-GP, between sources and edited ones; none of weight 0."""
        if self.config.penalty_weight == 0:
            return {}
        return {"D.penalty": line_penalty(score, batch.source, fake)}
