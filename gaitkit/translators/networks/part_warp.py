"""Deformable skip connections: feature maps moved part by part to where the target has the part.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018, section 3.2. There each part is moved by an affine map on the whole plane. Here a part's
rows are the same in every GEI, so that its map is a scale and a shift of columns, in closed form:
one small matrix for each part turns rows of the source into rows of the target, and it is applied
to the part's own rows only.
"""

from __future__ import annotations

import math
from itertools import groupby

import torch
from torch import nn

from gaitkit.translators.networks.body_boxes import ROWS, part_rows

__all__ = ["PartWarp", "column_matrices", "column_transforms", "row_masks", "soft_columns"]

SCALES = (0.5, 2.0)
"""A part is widened or narrowed by no more than this."""

FEATHER = 1.0
"""Standard deviation of a mask's edge, in pixels of a 64×64 image."""

NEGLIGIBLE = 0.01
"""A row whose mask is below this belongs to the part no more."""


def _feathered(low: torch.Tensor, high: torch.Tensor, size: int) -> torch.Tensor:
    """An interval of pixels whose edges are blurred by a Gaussian, at `size` pixels' centres."""
    centre = torch.arange(size, device=low.device, dtype=low.dtype) + 0.5
    blur = math.sqrt(2.0) * FEATHER * size / ROWS
    rise = torch.erf((centre - low.unsqueeze(-1)) / blur)
    fall = torch.erf((centre - high.unsqueeze(-1)) / blur)
    return (rise - fall) / 2.0


def row_masks(height: int) -> torch.Tensor:
    """How much of each row belongs to each part, in [0, 1], shape (parts, height); constant."""
    top, bottom = part_rows(height).unbind(-1)
    rows = _feathered(top, bottom, height)
    return torch.where(rows < NEGLIGIBLE, torch.zeros_like(rows), rows)


def soft_columns(columns: torch.Tensor, width: int) -> torch.Tensor:
    """How much of each column belongs to each part.

    Parameters
    ----------
    columns : Tensor, shape (n, parts, 2)
        Left and right edges, the image spanning [-1, 1].
    width : int
        Columns of the image.

    Returns
    -------
    Tensor, shape (n, parts, width)
        In [0, 1]; all 0 for a part without width.
    """
    left, right = ((columns + 1.0) * (width / 2.0)).unbind(-1)
    return _feathered(left, right.maximum(left), width)


def column_transforms(
    own: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The map of each part from the target's columns to the source's: x ↦ scale · x + shift.

    Edges go to edges, unless the scale would leave `SCALES`; centres go to centres always. The
    coordinates span [-1, 1] whatever the resolution, so that one map serves every feature map.

    Parameters
    ----------
    own, target : Tensor, shapes (n, parts, 2) and (1, parts, 2)
        Left and right edges of the parts.

    Returns
    -------
    scale, shift : Tensor, shape (n, parts)
    there : Tensor of bool, shape (n, parts)
        Whether both have the part.
    """
    own_width, target_width = own[..., 1] - own[..., 0], target[..., 1] - target[..., 0]
    there = (own_width > 0) & (target_width > 0)
    scale = (own_width / target_width.clamp_min(1e-6)).clamp(*SCALES)
    shift = own.mean(dim=-1) - scale * target.mean(dim=-1)
    return scale, shift, there


def column_matrices(own: torch.Tensor, target: torch.Tensor, full: int, width: int) -> torch.Tensor:
    """The maps of `column_transforms` as matrices for feature maps of one width, masks included.

    Sampling is linear between the centres of columns, 0 outside. The target's mask multiplies what
    was sampled; in a coarse map it is the mean of the fine mask over each column.

    Parameters
    ----------
    own, target : Tensor, shapes (n, parts, 2) and (1, parts, 2)
        Left and right edges of the parts.
    full : int
        Columns of the image.
    width : int
        Columns of the feature map; `full` is a multiple of it.

    Returns
    -------
    Tensor, shape (n, width, parts, width)
        Source's column, part, target's column: to be multiplied from the left by rows of features.
    """
    scale, shift, there = column_transforms(own, target)
    column = torch.arange(width, device=own.device, dtype=own.dtype)
    at = (2.0 * column + 1.0) / width - 1.0
    sampled = scale.unsqueeze(-1) * at + shift.unsqueeze(-1)
    position = ((sampled + 1.0) * width - 1.0) / 2.0
    weights = (1.0 - (position.unsqueeze(1) - column[:, None, None]).abs()).clamp_min(0.0)
    mask = (
        soft_columns(target, full).reshape(-1, target.shape[1], width, full // width).mean(dim=-1)
    )
    return weights * (mask * there.unsqueeze(-1)).unsqueeze(1)


class PartWarp(nn.Module):
    """Moves feature maps of one height; no weights.

    The result is the largest of the parts' moved and masked maps and of the map as it was, which
    keeps the background. Where no part is, there is always some whose mask is 0: the result is
    never negative.

    Parameters
    ----------
    full : int
        Rows of the image.
    height : int
        Rows of the feature map; `full` is a multiple of it.
    """

    rows: torch.Tensor

    def __init__(self, full: int, height: int) -> None:
        super().__init__()
        rows = row_masks(full).reshape(-1, height, full // height).mean(dim=-1)
        # Rows in which the same parts are, from top to bottom; the parts as a range, in which one
        # that is not there is masked.
        ranges = []
        for mask in rows.T:
            parts = torch.nonzero(mask).flatten().tolist()
            ranges.append((parts[0], parts[-1] + 1))
        self._bands: list[tuple[slice, slice]] = []
        for span, run in groupby(range(height), key=ranges.__getitem__):
            members = list(run)
            self._bands.append((slice(members[0], members[-1] + 1), slice(*span)))
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, features: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        """Move features.

        Parameters
        ----------
        features : Tensor, shape (n, channels, height, width)
            What the encoder made of the source.
        matrices : Tensor, shape (n, width, parts, width)
            From `column_matrices`.

        Returns
        -------
        Tensor, shape (n, channels, height, width)
        """
        moved = [
            self._move(features[:, :, rows], matrices[:, :, parts], self.rows[parts, rows])
            for rows, parts in self._bands
        ]
        return torch.maximum(torch.cat(moved, dim=2), features.to(moved[0].dtype)).clamp_min(0.0)

    @staticmethod
    def _move(block: torch.Tensor, matrices: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = block.shape
        parts = matrices.shape[2]
        product = torch.bmm(block.reshape(n, channels * height, width), matrices.flatten(2))
        each = product.view(n, channels, height, parts, width)
        return (each * rows.T.unsqueeze(-1).to(each.dtype)).amax(dim=3)
