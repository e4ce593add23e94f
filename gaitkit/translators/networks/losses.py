"""Losses and measures of images, computed where they cannot lose precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

__all__ = [
    "bce_with_logits",
    "gradient_penalty",
    "l1",
    "l1_of_rows",
    "line_penalty",
    "precise",
    "relative_spread",
    "share_right",
    "squared_distance",
]


def bce_with_logits(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Binary cross-entropy of logits against one label, averaged over the batch.

    For label 1 this is log(1 + exp(-s)), for label 0 log(1 + exp(s)). Computed in float32 at
    least, whatever autocast does: a sigmoid followed by a plain cross-entropy has no gradient left
    once |s| exceeds about 17.

    Parameters
    ----------
    logits : Tensor, shape (n,)
        Any floating type.
    label : float
        1 for "real" or "same person", 0 for the contrary.
    """
    scores = precise(logits)
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def share_right(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Share of logits on the right side of 0: above it for label 1, not above it for label 0.

    Examples
    --------
    >>> share_right(torch.tensor([2.0, 0.0, -1.0, 3.0]), 1.0).item()
    0.5
    """
    scores = logits.detach()
    right = scores > 0 if label else scores <= 0
    return right.float().mean()


def squared_distance(scores: torch.Tensor, label: float) -> torch.Tensor:
    """Mean squared distance of scores from a label, in float32 at least.

    Mao, Li, Xie, Lau, Wang, Smolley, "Least Squares Generative Adversarial Networks", ICCV 2017.

    Parameters
    ----------
    scores : Tensor
        Of any shape.
    label : float
        1 for "real", 0 for the contrary.

    Examples
    --------
    >>> squared_distance(torch.tensor([1.0, 3.0]), 1.0).item()
    2.0
    """
    return (precise(scores) - label).square().mean()


def l1(generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of two batches of images in [-1, 1], in float32 at least."""
    return (precise(generated) - precise(target)).abs().mean()


def l1_of_rows(generated: torch.Tensor, target: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """As `l1`, of the rows that count (bool, shape (n,)) alone; 0 where none does."""
    each = (precise(generated) - precise(target)).abs().mean(dim=(1, 2, 3))
    return torch.where(counts, each, 0.0).sum() / counts.sum().clamp_min(1)


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor
) -> torch.Tensor:
    """Mean squared norm of a critic's gradient at images: R1 is half of it at true ones.

    Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018.
    Differentiable with respect to the critic's weights. To be called outside autocast: squares of
    small gradients vanish in bfloat16.

    Parameters
    ----------
    critic : callable
        Images to logits of shape (n,).
    images : Tensor, shape (n, channels, height, width)
    """
    at = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def line_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor
) -> torch.Tensor:
    """How far a critic's gradient is from length 1 between true and generated images (WGAN-GP).

    The mean of (‖∇‖ - 1)² at one random point of each line from a true to a generated image
    (Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved Training of Wasserstein GANs",
    NIPS 2017, algorithm 1). The points come from the global generator. A critic that gives a map
    is taken as the sum of its map. To be called outside autocast, as `gradient_penalty`.

    Parameters
    ----------
    critic : callable
        Images to scores of shape (n,), or to maps of shape (n, …).
    real, fake : Tensor, shape (n, channels, height, width)
        Of the critic's type; no gradient goes into them.
    """
    place = torch.rand(len(real), 1, 1, 1, dtype=real.dtype, device=real.device)
    at = torch.lerp(real.detach(), fake.detach().to(real.dtype), place).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    length: torch.Tensor = torch.linalg.vector_norm(gradient, dim=(1, 2, 3))
    return (length - 1.0).square().mean()


def relative_spread(generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How much generated images differ from each other, in units of how much the true ones do.

    The mean over pixels of the standard deviation over the batch, divided by that of the targets:
    near 1 in health, 0 when everybody is given the same image.

    Parameters
    ----------
    generated, target : Tensor, shape (n, 1, height, width)
        n ≥ 2.
    """
    spread = precise(generated.detach()).std(dim=0).mean()
    return spread / precise(target).std(dim=0).mean().clamp_min(1e-6)


def precise(values: torch.Tensor) -> torch.Tensor:
    """Values as float64 where they are, else as float32: what losses are computed in."""
    return values if values.dtype == torch.float64 else values.float()
