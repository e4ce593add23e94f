"""The deformable GAN as one writes it first from the paper, for comparison with gaitkit's step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gaitkit.labels import Labels
from gaitkit.translators.systems.deformable import DeformableConfig, DeformableGAN
from gaitkit.translators.systems.deformable_parts import BodyLayout, column_transforms

__all__ = ["plain_steps"]


def plain_steps(
    config: DeformableConfig, geis: NDArray[np.uint8], labels: Labels, batch_size: int, device: str
) -> Callable[[], None]:
    """One iteration per call: a step of D and one of G, in the variant `full`.

    Float32, images in torch's default layout, a forward pass for every use, ten samplings of the
    whole plane for each warped map, the target's pose encoded for every image, all losses read.
    """
    networks = {name: net.to(device) for name, net in DeformableGAN.build_networks(config).items()}
    G, D, layout, bank = (networks[name] for name in ("G", "D", "layout", "bank"))
    adam_g = torch.optim.Adam(G.parameters(), config.learning_rate_g, betas=config.betas)
    adam_d = torch.optim.Adam(D.parameters(), config.learning_rate_d, betas=config.betas)
    bce = nn.BCELoss()
    targets = {
        name: np.flatnonzero(
            (labels.subject == name)
            & (labels.view == config.target_view)
            & (labels.condition == config.target_condition)
        )
        for name in labels.subjects()
    }
    assert isinstance(layout, BodyLayout)
    everybody = np.concatenate(list(targets.values()))
    layout.fit(_images(geis[everybody], device).mean(dim=0, keepdim=True), {})
    seen: list[tuple[float, ...]] = []

    def generate(x: torch.Tensor, own: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        maps = G.source(torch.cat([x, own], dim=1))
        scale, shift, there = column_transforms(layout.own_columns(x), layout.target)
        for level in range(4):
            moved = [maps[level]]
            for part in range(target.shape[1]):
                turn = torch.zeros(len(x), 2, 3, device=x.device)
                turn[:, 0, 0], turn[:, 0, 2] = scale[:, part], shift[:, part]
                turn[:, 1, 1] = 1.0
                grid = functional.affine_grid(turn, list(maps[level].shape), align_corners=False)
                mask = functional.interpolate(target[:, part : part + 1], maps[level].shape[2:])
                sampled = functional.grid_sample(maps[level], grid, align_corners=False)
                moved.append(sampled * mask * there[:, part, None, None, None])
            maps[level] = torch.stack(moved).max(dim=0).values
        pose = G.pose(target)
        decoder = G.decoder
        code = torch.cat([maps[4], pose[4]], dim=1)
        for number, level in enumerate((3, 2, 1, 0)):
            up = decoder.ups[number]
            code = functional.conv_transpose2d(code.relu(), up.weight, None, 2, 1)
            code = decoder.norms[number](code)
            if number < 2:
                code = decoder.dropouts[number](code)
            code = torch.cat([code, maps[level], pose[level]], dim=1)
        return torch.tanh(decoder.out(code.relu()))

    def judge(*images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(D.rest(D.first(torch.cat(images, dim=1))))

    def nearest(generated: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        radius = config.nn_window // 2
        features, truth = bank(generated), bank(real)
        truth = functional.pad(truth, (radius,) * 4, value=-1e4)
        height, width = features.shape[2:]
        distances = [
            (features - truth[:, :, row : row + height, column : column + width]).abs().sum(dim=1)
            for row in range(config.nn_window)
            for column in range(config.nn_window)
        ]
        return torch.stack(distances).min(dim=0).values.mean()

    def step() -> None:
        rows = torch.randint(len(geis), (batch_size,)).numpy()
        own_targets = [targets[labels.subject[row]] for row in rows]
        chosen = [int(of[torch.randint(len(of), (1,)).item()]) for of in own_targets]
        x, t = _images(geis[rows], device), _images(geis[chosen], device)
        poses = layout(x)
        own, target = poses.own, poses.target.repeat(batch_size, 1, 1, 1)

        f = generate(x, own, target).detach()
        real, wrong = judge(x, own, t, target), judge(x, own, f, target)
        loss_d = bce(real, torch.ones_like(real)) + bce(wrong, torch.zeros_like(wrong))
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()

        f = generate(x, own, target)
        judged = judge(x, own, f, target)
        loss_adversarial = bce(judged, torch.ones_like(judged))
        loss_nearest = nearest(f, t)
        adam_g.zero_grad()
        loss_g = config.adversarial_weight * loss_adversarial + config.nn_weight * loss_nearest
        loss_g.backward()
        adam_g.step()
        seen.append((loss_d.item(), loss_adversarial.item(), loss_nearest.item()))

    return step


def _images(grey: NDArray[np.uint8], device: str) -> torch.Tensor:
    return (torch.from_numpy(grey).float() / 127.5 - 1.0).unsqueeze(1).to(device)
