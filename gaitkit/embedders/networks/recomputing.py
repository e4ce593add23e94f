"""Layers whose inner maps are computed a second time on the way back, and not kept until then.

The maps of hundreds of frames are most of the memory of a training. What is computed twice is the
same to the last bit; it is a third more work in the layers, and half the memory or less.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

__all__ = ["recomputed"]


def recomputed(layers: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    """What layers make of maps; in a training, only maps and result are kept for the way back.

    In half precision all is kept, as it takes half the memory by itself.

    Parameters
    ----------
    layers : Module
        Without random numbers in them. Their running statistics move once.
    maps : Tensor

    Examples
    --------
    >>> layer = nn.BatchNorm2d(1)
    >>> maps = torch.ones(1, 1, 2, 2, requires_grad=True)
    >>> recomputed(layer, maps).sum().backward()
    >>> layer.num_batches_tracked.item()
    1
    """
    half = torch.is_autocast_enabled(maps.device.type)
    if not torch.is_grad_enabled() or not layers.training or half:
        result: torch.Tensor = layers(maps)
        return result

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(layers)

    again: torch.Tensor = checkpoint(
        layers, maps, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )
    return again


@contextmanager
def _statistics_kept(layers: nn.Module) -> Iterator[None]:
    """Normalise by the batch, and leave the running statistics and their count as they are."""
    found = [layer for layer in layers.modules() if isinstance(layer, _BatchNorm)]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in found]
    for layer in found:
        # They have to be there: what is kept the second time must be of the same number.
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(found, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count
