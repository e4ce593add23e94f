"""Between grey values 0..255, as GEIs are stored, and [-1, 1], as networks see them."""

from __future__ import annotations

import torch

__all__ = ["from_network", "to_network"]


def to_network(grey: torch.Tensor) -> torch.Tensor:
    """Images for a network.

    Parameters
    ----------
    grey : Tensor of uint8 or floats, shape (n, height, width)
        Grey values 0..255.

    Returns
    -------
    Tensor of float32, shape (n, 1, height, width)
        In [-1, 1].
    """
    return (grey.to(torch.float32) / 127.5 - 1.0).unsqueeze(1)


def from_network(images: torch.Tensor) -> torch.Tensor:
    """The reverse of `to_network`: float32 grey values 0..255, not rounded."""
    return ((images.squeeze(1).to(torch.float32) + 1.0) * 127.5).clamp(0.0, 255.0)
