"""AttGAN as one writes it first from the paper, for comparison with gaitkit's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from plain.labelled import LabelledBatches, slope_off_one

from gaitkit.labels import Labels
from gaitkit.translators.systems.attgan import (
    AttGAN,
    AttGANConfig,
    AttributeCritic,
    EncoderDecoder,
)

__all__ = ["plain_steps"]


def plain_steps(
    config: AttGANConfig, geis: NDArray[np.uint8], labels: Labels, batch_size: int, device: str
) -> Callable[[], None]:
    """One iteration per call: D's step, and G's in every `n_critic`-th; WGAN-GP.

    Float32, images in torch's default layout, a forward pass for every use, all losses read.
    """
    networks = AttGAN.build_networks(config)
    G = cast(EncoderDecoder, networks["G"].to(device))
    D = cast(AttributeCritic, networks["D"].to(device))
    adam_g = torch.optim.Adam(G.parameters(), config.learning_rate, betas=config.betas)
    adam_d = torch.optim.Adam(D.parameters(), config.learning_rate, betas=config.betas)
    batches = LabelledBatches(config, geis, labels, device)
    forced = max(2, round(config.forced * batch_size))
    done = 0
    seen: list[tuple[float, ...]] = []

    def step() -> None:
        nonlocal done
        done += 1
        x, own, asked = batches.draw(batch_size, forced)

        f = G(x, batches.one_hot(asked) - 0.5).detach()
        real, logits = D(x)
        generated, _ = D(f)
        penalty = slope_off_one(D, x, f)
        loss_class = batches.classified(logits, own) / 2
        loss_d = (
            generated.mean()
            - real.mean()
            + config.attribute_weight_d * loss_class
            + config.penalty_weight * penalty
        )
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        seen.append((loss_d.item(), loss_class.item(), penalty.item()))

        if done % config.n_critic == 0:
            f = G(x, batches.one_hot(asked) - 0.5)
            returned = G(x, batches.one_hot(own) - 0.5)
            generated, logits = D(f)
            loss_class = batches.classified(logits, asked) / 2
            loss_same = (x - returned).abs().mean()
            loss_g = (
                -config.adversarial_weight * generated.mean()
                + config.attribute_weight_g * loss_class
                + config.reconstruction_weight * loss_same
            )
            adam_g.zero_grad()
            loss_g.backward()
            adam_g.step()
            seen.append((loss_g.item(), loss_class.item(), loss_same.item()))

    return step
