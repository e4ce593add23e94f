"""StarGAN as one writes it first from the paper, for comparison with gaitkit's step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from plain.labelled import LabelledBatches, slope_off_one

from gaitkit.labels import Labels
from gaitkit.translators.systems.stargan import StarGAN, StarGANConfig

__all__ = ["plain_steps"]


def plain_steps(
    config: StarGANConfig, geis: NDArray[np.uint8], labels: Labels, batch_size: int, device: str
) -> Callable[[], None]:
    """One iteration per call: D's step, and G's in every `n_critic`-th.

    Float32, images in torch's default layout, a forward pass for every use, all losses read.
    """
    networks = StarGAN.build_networks(config)
    G, D = networks["G"].to(device), networks["D"].to(device)
    adam_g = torch.optim.Adam(G.parameters(), config.learning_rate_g, betas=config.betas)
    adam_d = torch.optim.Adam(D.parameters(), config.learning_rate_d, betas=config.betas)
    batches = LabelledBatches(config, geis, labels, device)
    forced = max(2, round(config.forced * batch_size))
    done = 0
    seen: list[tuple[float, ...]] = []

    def step() -> None:
        nonlocal done
        done += 1
        x, own, asked = batches.draw(batch_size, forced)

        real, logits = D(x)
        f = G(x, batches.one_hot(asked)).detach()
        generated, _ = D(f)
        penalty = slope_off_one(D, x, f)
        loss_class = batches.classified(logits, own)
        loss_d = (
            generated.mean()
            - real.mean()
            + config.classification_weight * loss_class
            + config.penalty_weight * penalty
        )
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        seen.append((loss_d.item(), loss_class.item(), penalty.item()))

        if done % config.n_critic == 0:
            f = G(x, batches.one_hot(asked))
            generated, logits = D(f)
            returned = G(f, batches.one_hot(own))
            loss_class = batches.classified(logits, asked)
            loss_cycle = (x - returned).abs().mean()
            loss_g = (
                -generated.mean()
                + config.classification_weight * loss_class
                + config.cycle_weight * loss_cycle
            )
            adam_g.zero_grad()
            loss_g.backward()
            adam_g.step()
            seen.append((loss_g.item(), loss_class.item(), loss_cycle.item()))

    return step
