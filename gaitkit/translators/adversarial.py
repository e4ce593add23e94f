"""What the adversarial systems share: steps down weighted sums, critics, averages of the weights.

A translator's `train_step` is made of few kinds of pieces: a network goes down the weighted sum of
some terms, a critic learns to tell true images from generated ones, the generator learns to be
taken for true. They stand here once, and a system's own module says which terms there are.

Two pieces are GaitGAN's, and can be added to the others: the identification discriminator A, which
sees source and candidate and keeps the identity (Yu et al., "GaitGAN", CVPR Workshops 2017, section
3.3), and the comparison of a generated GEI with the targets of the batch. The moving average of the
weights is in none of the papers; it translates better than the last state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from gaitkit.training.schedules import average_of, average_weight, update_average
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.networks.blocks import Critic, beside, frozen
from gaitkit.translators.networks.identity import pixel_contrast
from gaitkit.translators.networks.losses import bce_with_logits, gradient_penalty, share_right
from gaitkit.translators.sampling import Batch

__all__ = ["AdversarialConfig", "AdversarialTranslator", "weighted_sum"]


class AdversarialConfig(TranslatorConfig):
    """What an adversarial system's settings must have; each config declares it for itself.

    Not a dataclass: so that the settings stay in the order in which a config lists them.

    Attributes
    ----------
    ema_decay : float
        Decay of the moving average that translates, in [0, 1); 0 is no average.
    """

    ema_decay: float


ConfigT = TypeVar("ConfigT", bound=AdversarialConfig)


class AdversarialTranslator(Translator[ConfigT]):
    """A translator whose steps are made of the pieces below; see `Translator` for the parameters.

    With `ema_decay`, its networks are also ``NAME_average`` of each network in `averaged`.
    """

    averaged: ClassVar[tuple[str, ...]] = ("G",)
    """Networks that translate and are averaged."""
    also_translating: ClassVar[tuple[str, ...]] = ()
    """Networks that translate or embed and are not averaged."""

    @classmethod
    def with_averages(
        cls, config: AdversarialConfig, networks: Mapping[str, nn.Module]
    ) -> dict[str, nn.Module]:
        """Networks and the averages of some: the end of `build_networks`."""
        averaged = cls.averaged if config.ema_decay > 0 else ()
        return {**networks, **{f"{name}_average": average_of(networks[name]) for name in averaged}}

    def start_averages(self) -> None:
        """Begin the averages at the networks: the end of `init_weights`, or of `meet`."""
        if self.config.ema_decay > 0:
            for name in self.averaged:
                state = self.networks[name].state_dict()
                self.networks[f"{name}_average"].load_state_dict(state)

    def adam(
        self, rates: Mapping[str, float], betas: tuple[float, float]
    ) -> dict[str, torch.optim.Optimizer]:
        """Adam for each of the networks that there are, by its name, with its step size."""
        return {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, betas=betas, fused=True)
            for name, rate in rates.items()
            if name in self.networks
        }

    def before_step(self) -> None:
        """Set the weight of the newest state in the averages."""
        if self.config.ema_decay > 0:
            self.schedule("average", average_weight(self.config.ema_decay, self.steps_done + 1))

    def descend(
        self,
        network: str,
        terms: Mapping[str, torch.Tensor],
        weights: Mapping[str, float] | None = None,
        measured: Mapping[str, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """One step of a network's optimiser down the weighted sum of terms.

        Parameters
        ----------
        network : str
            Its name, and its optimiser's.
        terms : mapping of str to Tensor
            The loss's terms, scalars.
        weights : mapping of str to float, optional
            What is not in it counts once.
        measured : mapping of str to Tensor, optional
            What is to be told between the terms and the gradient; detached.

        Returns
        -------
        dict of str to Tensor
            The terms without their weights, and the gradient's norm; detached.
        """
        gradient = {f"gradient.{network}": self.update(network, weighted_sum(terms, weights or {}))}
        losses = {name: term.detach() for name, term in terms.items()}
        return losses | dict(measured or {}) | gradient

    def critic_step(
        self,
        name: str,
        true: Mapping[str, torch.Tensor],
        false: Mapping[str, torch.Tensor],
        *,
        r1_weight: float = 0.0,
    ) -> dict[str, torch.Tensor]:
        """One step of a critic that minimises BCE(·, 1) of true images and BCE(·, 0) of false ones.

        Each kind of image is normalised by itself: batch normalisation would mix them otherwise.

        Parameters
        ----------
        name : str
            The critic's.
        true, false : mapping of str to Tensor, shape (n, channels, height, width)
            Images, or pairs of images side by side, by the names that their terms shall have.
        r1_weight : float
            Weight of R1, half the squared gradient at the first of the true ones.

        Returns
        -------
        dict of str to Tensor
            ``NAME.WHAT`` and ``accuracy.NAME.WHAT`` of each kind, and the gradient's norm.
        """
        critic = self.networks[name]
        judged = [(what, image, 1.0) for what, image in true.items()]
        judged += [(what, image, 0.0) for what, image in false.items()]
        with self.runtime.autocast():
            images = [image for _, image, _ in judged]
            if isinstance(critic, Critic):
                scores = critic.each(images)
            else:
                scores = [critic(image) for image in images]
        terms, accuracies = {}, {}
        for (what, _, label), score in zip(judged, scores, strict=True):
            terms[f"{name}.{what}"] = bce_with_logits(score, label)
            accuracies[f"accuracy.{name}.{what}"] = share_right(score, label)
        if r1_weight > 0:
            terms[f"{name}.R1"] = 0.5 * gradient_penalty(critic, judged[0][1])
        return self.descend(name, terms, {f"{name}.R1": r1_weight}, accuracies)

    def fooling_term(self, name: str, *seen: Any) -> torch.Tensor:
        """BCE(critic(*seen), 1), which a generator minimises; the critic learns nothing from it."""
        critic = self.networks[name]
        with self.runtime.autocast(), frozen(critic):
            score = critic(*seen)
        return bce_with_logits(score, 1.0)

    def same_person_step(
        self,
        batch: Batch,
        fake: torch.Tensor,
        rows: slice = slice(None),
        *,
        r1_weight: float = 0.0,
    ) -> dict[str, torch.Tensor]:
        """One step of A: the own target is the same person, another's target and `fake` are not.

        Parameters
        ----------
        batch : Batch
            The whole one.
        fake : Tensor, shape (k, 1, height, width)
            Translations of the sources `rows` to the target's domain; detached.
        rows : slice
            Which sources those are.
        r1_weight : float
            As for `critic_step`.
        """
        source = batch.source[rows]
        candidates = {"unrelated": batch.unrelated[rows], "generated": fake}
        return self.critic_step(
            "A",
            {"target": beside(source, batch.target[rows])},
            {what: beside(source, image) for what, image in candidates.items()},
            r1_weight=r1_weight,
        )

    def same_person_term(
        self, batch: Batch, generated: torch.Tensor, rows: slice = slice(None)
    ) -> torch.Tensor:
        """How badly translations of the sources `rows` convince A that the person is the same."""
        return self.fooling_term("A", beside(batch.source[rows], generated))

    @staticmethod
    def contrast_term(
        batch: Batch, generated: torch.Tensor, temperature: float, rows: slice = slice(None)
    ) -> torch.Tensor:
        """How badly translations of the sources `rows` find their own targets, by pixels."""
        return pixel_contrast(
            generated,
            batch.target[rows],
            batch.unrelated[rows],
            batch.subject[rows],
            batch.unrelated_subject[rows],
            temperature,
        )

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


def weighted_sum(
    terms: Mapping[str, torch.Tensor], weights: Mapping[str, float | torch.Tensor]
) -> torch.Tensor:
    """A loss from its terms, scalars; what is not in `weights` counts once."""
    weighted = (weights[name] * term if name in weights else term for name, term in terms.items())
    return torch.stack(list(weighted)).sum()
