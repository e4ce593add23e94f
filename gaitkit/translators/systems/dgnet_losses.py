"""DG-Net's losses: least squares for the critic, a teacher's opinion, and images partly erased."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from gaitkit.translators.networks.losses import precise

__all__ = ["erased", "kl_divergence", "least_squares"]

_ERASED_SHARE = (0.02, 0.4)
_ERASED_ASPECT = (0.3, 1 / 0.3)
_BACKGROUND = -1.0


def least_squares(scores: Sequence[torch.Tensor], label: float) -> torch.Tensor:
    """Mean squared distance of maps of scores from a label, summed over the maps.

    Mao, Li, Xie, Lau, Wang, Smolley, "Least Squares Generative Adversarial Networks", ICCV 2017.

    Parameters
    ----------
    scores : sequence of Tensor
        One map for each size of the image; computed in float32 at least.
    label : float
        1 for "real", 0 for the contrary.
    """
    return torch.stack([(precise(each) - label).square().mean() for each in scores]).sum()


def kl_divergence(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """How far a student's probabilities are from its teacher's, Σ t·(log t - log s), batch mean.

    Parameters
    ----------
    teacher, student : Tensor, shape (n, classes)
        Logits; computed in float32 at least.
    """
    return functional.kl_div(
        precise(student).log_softmax(dim=1),
        precise(teacher).log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )


def erased(images: torch.Tensor, probability: float) -> torch.Tensor:
    """Copies of images, a random rectangle of some of them turned into background.

    Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020: 2 to 40 % of the
    area, sides in a ratio of 0.3 to 3.3. Drawn from torch's global generator.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        In [-1, 1].
    probability : float
        Of an image to be erased in.
    """
    count, _, height, width = images.shape
    draws = torch.rand(5, count, 1, dtype=images.dtype, device=images.device)
    share = _ERASED_SHARE[0] + (_ERASED_SHARE[1] - _ERASED_SHARE[0]) * draws[0]
    root = (_ERASED_ASPECT[0] * (_ERASED_ASPECT[1] / _ERASED_ASPECT[0]) ** draws[1]).sqrt()
    inside = []
    for length, size, place in (
        (share.sqrt() * root, height, draws[2]),
        (share.sqrt() / root, width, draws[3]),
    ):
        pixels = (length * size).clamp_max(size)
        start = place * (size - pixels)
        at = torch.arange(size, device=images.device) + 0.5
        inside.append((at >= start) & (at < start + pixels))
    hole = inside[0][:, :, None] & inside[1][:, None, :] & (draws[4] < probability)[:, :, None]
    return images.masked_fill(hole.unsqueeze(1), _BACKGROUND)
