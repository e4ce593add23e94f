"""The adversarial loss, computed where it cannot lose precision."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["bce_with_logits", "l1"]


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
    scores = _precise(logits)
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def l1(generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of two batches of images in [-1, 1], in float32 at least."""
    return (_precise(generated) - _precise(target)).abs().mean()


def _precise(values: torch.Tensor) -> torch.Tensor:
    return values if values.dtype == torch.float64 else values.float()
