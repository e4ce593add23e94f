"""AttGAN as one writes it first from the paper, for comparison with gaitkit's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

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
    views = torch.tensor([config.views.index(float(view)) for view in labels.view])
    conditions = torch.tensor([config.conditions.index(name) for name in labels.condition])
    target = config.views.index(config.target_view), config.conditions.index("nm")
    forced = max(2, round(config.forced * batch_size))
    done = 0
    seen: list[tuple[float, ...]] = []

    def vector(view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        groups = (
            functional.one_hot(view, len(config.views)),
            functional.one_hot(condition, len(config.conditions)),
        )
        return torch.cat(groups, dim=1).float() - 0.5

    def classified(logits: torch.Tensor, view: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
        count = len(config.views)
        of_view = functional.cross_entropy(logits[:, :count], view)
        return (of_view + functional.cross_entropy(logits[:, count:], kind)) / 2

    def step() -> None:
        nonlocal done
        done += 1
        rows = torch.randint(len(geis), (batch_size,))
        grey = torch.from_numpy(geis[rows.numpy()]).float() / 127.5 - 1.0
        x = grey.unsqueeze(1).to(device)
        own = views[rows].to(device), conditions[rows].to(device)
        order = torch.randperm(batch_size)
        asked = own[0][order].clone(), own[1][order].clone()
        for label, wanted in zip(asked, target):
            label[:forced] = wanted

        f = G(x, vector(*asked)).detach()
        real, logits = D(x)
        generated, _ = D(f)
        place = torch.rand(batch_size, 1, 1, 1, device=device)
        between = (place * x + (1 - place) * f).requires_grad_()
        gradient = torch.autograd.grad(D(between)[0].sum(), between, create_graph=True)[0]
        penalty = ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
        loss_class = classified(logits, *own)
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
            f = G(x, vector(*asked))
            returned = G(x, vector(*own))
            generated, logits = D(f)
            loss_class = classified(logits, *asked)
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
