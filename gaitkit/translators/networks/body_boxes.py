"""Where the parts of a body lie in a GEI: ten boxes, without a pose estimator.

A GEI is normalised: crown at the top row, soles at the bottom one. So a part's rows follow from
its share of the stature (Drillis, Contini, "Body Segment Parameters", 1966; Winter, "Biomechanics
and Motor Control of Human Movement"): chin .870, shoulder .818, elbow .63, hip .53, wrist .485,
knee .285, ankle .039. Its columns are measured: where the grey of those rows lies.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

__all__ = [
    "PARTS",
    "Part",
    "PartMeter",
    "blend_columns",
    "part_rows",
]

ROWS = 64
"""Rows of the image that `PARTS` speaks of; others are scaled to it."""

TAILS = (0.02, 0.98)
"""A band's extent: the columns from the 2nd to the 98th percentile of its grey."""

MISSING = 0.01
"""A band whose mean grey is below this share of white shows no part of a body."""

_Weights = tuple[float, float, float]


class Part(NamedTuple):
    """One part of the body.

    Attributes
    ----------
    name : str
        What it is.
    top, bottom : int
        Its rows, of `ROWS`: the first one, and the first one below.
    left, right : tuple of float
        Its columns, as weights of its band's left end, centre of mass and right end.
    """

    name: str
    top: int
    bottom: int
    left: _Weights = (1.0, 0.0, 0.0)
    right: _Weights = (0.0, 0.0, 1.0)


_CENTRE: _Weights = (0.0, 1.0, 0.0)

PARTS = (
    Part("head", 0, 12),
    Part("upper torso", 10, 24),
    Part("lower torso", 22, 34, (0.8, 0.0, 0.2), (0.2, 0.0, 0.8)),
    Part("left arm", 20, 36, right=(0.7, 0.0, 0.3)),
    Part("right arm", 20, 36, left=(0.3, 0.0, 0.7)),
    Part("left thigh", 31, 47, right=_CENTRE),
    Part("right thigh", 31, 47, left=_CENTRE),
    Part("left shank", 45, 62, right=_CENTRE),
    Part("right shank", 45, 62, left=_CENTRE),
    Part("feet", 59, 64),
)
"""The ten parts. Left and right are the image's: which leg is in front, a GEI does not show."""


def part_rows(height: int) -> torch.Tensor:
    """Top and bottom of each part in rows of an image, shape (parts, 2), on the CPU.

    The first part begins above the image and the last one ends below it, so that feathered masks
    reach the border in full.
    """
    scale = height / ROWS
    rows = [[part.top * scale, part.bottom * scale] for part in PARTS]
    rows[0][0], rows[-1][1] = -float(height), 2.0 * height
    return torch.tensor(rows, device="cpu")


class PartMeter(nn.Module):
    """Measures the columns of each part; no weights.

    Parameters
    ----------
    height : int
        Rows of the images.
    """

    bands: torch.Tensor
    weights: torch.Tensor

    def __init__(self, height: int) -> None:
        super().__init__()
        row = torch.arange(height, dtype=torch.float32, device="cpu")
        top, bottom = part_rows(height).unsqueeze(-1).unbind(1)
        bands = (torch.minimum(row + 1, bottom) - torch.maximum(row, top)).clamp(0.0, 1.0)
        weights = torch.tensor([[part.left, part.right] for part in PARTS], device="cpu")
        self.register_buffer("bands", bands, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Boxes of images.

        Parameters
        ----------
        images : Tensor, shape (n, 1, height, width)
            GEIs in [-1, 1].

        Returns
        -------
        Tensor, shape (n, parts, 2)
            Left and right edge in coordinates where the image spans [-1, 1]; both 0 for a part
            that is not there.
        """
        profile = self.bands @ ((images.squeeze(1).to(self.bands.dtype) + 1.0) / 2.0)
        width = profile.shape[-1]
        total = profile.sum(dim=-1, keepdim=True)
        before = profile.cumsum(dim=-1) - profile
        # Within a column the grey is spread evenly: an edge moves smoothly with the image.
        left, right = (
            ((tail * total - before) / profile.clamp_min(1e-6)).clamp(0.0, 1.0).sum(dim=-1)
            for tail in TAILS
        )
        middle = torch.arange(width, device=profile.device, dtype=profile.dtype) + 0.5
        centre = (profile * middle).sum(dim=-1) / total.squeeze(-1).clamp_min(1e-6)
        measured = torch.stack([left, centre, right], dim=-1).unsqueeze(-2)
        columns = (measured * self.weights).sum(dim=-1) * (2.0 / width) - 1.0
        there = total > MISSING * width * self.bands.sum(dim=-1, keepdim=True)
        return torch.where(there, columns, torch.zeros_like(columns))


def blend_columns(
    own: torch.Tensor, template: torch.Tensor, share: float, *, centred: bool
) -> torch.Tensor:
    """Boxes between a person's own and a template's: its width times (own / template) to a power.

    A box as wide as the person's own lets the warp make everybody equally wide, and that is a
    feature lost; one of the template's width keeps it.

    Parameters
    ----------
    own, template : Tensor, shape (n, parts, 2)
        Left and right edges. Where either has no width, the part is the own one.
    share : float
        The power: 0 is the template's width, 1 the own.
    centred : bool
        Whether the box lies about the own centre, not the template's.
    """
    own_width, template_width = own[..., 1] - own[..., 0], template[..., 1] - template[..., 0]
    both = (own_width > 0) & (template_width > 0)
    ratio = (own_width / template_width.clamp_min(1e-6)).clamp_min(1e-6)
    half = 0.5 * template_width * ratio**share
    centre = (own if centred else template).mean(dim=-1)
    blended = torch.stack([centre - half, centre + half], dim=-1)
    return torch.where(both.unsqueeze(-1), blended, own)
