"""DG-Net as one writes it first from the paper, for comparison with gaitkit's step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gaitkit.labels import Labels
from gaitkit.translators.systems.dgnet import DGNet, DGNetConfig, erased
from gaitkit.translators.systems.dgnet_networks import DoublingConv2d, shrink

__all__ = ["plain_steps"]


def plain_steps(
    config: DGNetConfig, geis: NDArray[np.uint8], labels: Labels, batch_size: int, device: str
) -> Callable[[], None]:
    """One iteration per call, as after all weights have grown: D's step, G's, and E_a's.

    In every second one the layout encoder learns from generated images, and else they from it.
    Float32, images in torch's default layout, a forward pass for every use, images doubled before
    they are convolved, a real copy of E_a to judge generated images, all losses read.
    """
    networks = DGNet.build_networks(config)
    for network in networks.values():
        doubled_first(network)
        network.to(device)
    E_a, E_s, G, D = (networks[name] for name in ("E_a", "E_s", "G", "D"))
    teacher = networks["T"]
    drawing = [*E_s.parameters(), *G.parameters()]
    adam_g, adam_d = (
        torch.optim.Adam(
            weights, config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
        )
        for weights in (drawing, list(D.parameters()))
    )
    adam_a = torch.optim.AdamW(
        E_a.parameters(), config.learning_rate_identity, weight_decay=config.weight_decay
    )
    names = labels.subjects()
    person = torch.tensor([names.index(name) for name in labels.subject])
    views = torch.tensor([config.views.index(float(view)) for view in labels.view])
    conditions = torch.tensor([config.conditions.index(name) for name in labels.condition])
    rows_of = [np.flatnonzero(labels.subject == name) for name in names]
    cross_entropy = functional.cross_entropy
    fine = config.fine_weight * config.prim_weight
    draws = np.random.default_rng(0)
    seen: list[tuple[float, ...]] = []

    def images(rows: NDArray[Any]) -> torch.Tensor:
        return (torch.from_numpy(geis[rows]).float() / 127.5 - 1.0).unsqueeze(1).to(device)

    def named(scores: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        count = len(config.views)
        return cross_entropy(scores[:, :count], views[rows].to(device)) + cross_entropy(
            scores[:, count:], conditions[rows].to(device)
        )

    def step() -> None:
        rows = torch.randint(len(geis), (batch_size,))
        subject = person[rows]
        x = images(rows.numpy())
        p = images(np.array([draws.choice(rows_of[number]) for number in subject]))
        before, subject = rows.roll(1), subject.to(device)
        judge = without_dropout(copy.deepcopy(E_a).requires_grad_(False))

        def cross() -> torch.Tensor:
            return G(judge(x).code, E_s(shrink(x)).roll(1, 0))

        f = cross().detach()
        at = x.clone().requires_grad_()
        penalty = sum(
            torch.autograd.grad(scores.sum(), at, create_graph=True)[0]
            .square()
            .sum((1, 2, 3))
            .mean()
            for scores in D(at)
        )
        loss_d = (
            sum((scores - 1).square().mean() for scores in D(x))
            + sum(scores.square().mean() for scores in D(f))
            + config.r1_weight * penalty
        )
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        seen.append((loss_d.item(), penalty.item()))

        code, layout = judge(x).code, E_s(shrink(x))
        loss_self = (G(code, layout) - x).abs().mean()
        loss_same = (G(judge(p).code, layout) - x).abs().mean()
        f = cross()
        loss_real = sum((scores - 1).square().mean() for scores in D(f))
        loss_identity = cross_entropy(judge(f).scores[0], subject)
        if len(seen) % 6 < 3:
            found = copy.deepcopy(E_s).requires_grad_(False)(shrink(f))
        else:
            found = E_s(shrink(f.detach()))
        again = judge(f).code
        loss_codes = (again - code).abs().mean() + (found - layout.detach().roll(1, 0)).abs().mean()
        loss_cycle = (G(again, found.roll(-1, 0)) - x).abs().mean()
        loss_g = (
            config.self_weight * loss_self
            + config.same_weight * loss_same
            + 2 * config.adversarial_weight * loss_real
            + config.identity_weight * loss_identity
            + config.code_weight * loss_codes
            + config.cycle_weight * loss_cycle
        )
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()
        seen.append((loss_g.item(), loss_self.item(), loss_same.item(), loss_cycle.item()))

        f = f.detach()
        own = E_a(erased(x, config.erase_probability)).scores
        other = E_a(erased(p, config.erase_probability)).scores
        of_drawn = E_a(f).scores
        with torch.no_grad():
            opinion = teacher(f).scores[0].softmax(1)
        loss_teacher = functional.kl_div(of_drawn[0].log_softmax(1), opinion, reduction="batchmean")
        loss_fine = named(own[1], rows) + named(of_drawn[1], before)
        loss_names = cross_entropy(own[0], subject) + cross_entropy(other[0], subject)
        loss_a = loss_names + config.prim_weight * loss_teacher + fine * loss_fine
        adam_a.zero_grad()
        loss_a.backward()
        adam_a.step()
        seen.append((loss_a.item(), loss_teacher.item(), loss_fine.item()))

    return step


def without_dropout(network: nn.Module) -> nn.Module:
    """The network in training, but for its dropout."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return network


def doubled_first(network: nn.Module) -> None:
    """Replace each `DoublingConv2d` by what it computes: doubling, then the convolution."""
    for name, module in list(network.named_modules()):
        if isinstance(module, DoublingConv2d):
            plain = nn.Conv2d(
                module.in_channels, module.out_channels, 5, padding=2, padding_mode="reflect"
            )
            plain.load_state_dict(module.state_dict())
            parent, _, last = name.rpartition(".")
            within = network.get_submodule(parent)
            setattr(within, last, nn.Sequential(nn.Upsample(scale_factor=2), plain))
