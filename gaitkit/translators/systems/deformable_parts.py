"""Where the parts of a body lie in a GEI, and moving feature maps to where a target has them.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018, section 3.2, are told the poses of source and target by a pose estimator, and move each
part by an affine map of the whole plane.

Adapted to GEIs, a pose is ten boxes. A GEI is normalised, crown at the top row and soles at the
bottom one, so that a part's rows follow from its share of the stature (Drillis, Contini, "Body
Segment Parameters", 1966; Winter, "Biomechanics and Motor Control of Human Movement"): chin .870,
shoulder .818, elbow .63, hip .53, wrist .485, knee .285, ankle .039. Its columns are measured:
where the grey of those rows lies. The target's pose is always the same, that of the mean target of
the training.

As a part's rows are the same in every GEI, its map is a scale and a shift of columns, in closed
form: one small matrix for each part turns rows of the source into rows of the target, and it is
applied to the part's own rows only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

__all__ = [
    "BODY_BOXES",
    "PARTS",
    "BodyLayout",
    "Layout",
    "Part",
    "PartMeter",
    "PartWarp",
    "blend_columns",
    "column_matrices",
    "column_transforms",
    "part_rows",
    "row_masks",
    "soft_columns",
]

ROWS = 64
"""Rows of the image that `PARTS` speaks of; others are scaled to it."""

TAILS = (0.02, 0.98)
"""A band's extent: the columns from the 2nd to the 98th percentile of its grey."""

MISSING = 0.01
"""A band whose mean grey is below this share of white shows no part of a body."""

SCALES = (0.5, 2.0)
"""A part is widened or narrowed by no more than this."""

FEATHER = 1.0
"""Standard deviation of a mask's edge, in pixels of a 64×64 image."""

NEGLIGIBLE = 0.01
"""A row whose mask is below this belongs to the part no more."""

BODY_BOXES = ("measured", "template", "blend")
"""How a source's boxes are found."""

LOOK = 16
"""Side of the small images by which a source finds its template."""

BLEND = 0.5

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


@dataclass(frozen=True)
class Layout:
    """Poses of a batch's sources and of the target.

    Attributes
    ----------
    own : Tensor, shape (n, parts, height, width)
        Soft masks of the sources' parts, in [0, 1].
    target : Tensor, shape (1, parts, height, width)
        Those of the target.
    matrices : tuple of Tensor
        For each level of the encoder the maps of `column_matrices`.
    """

    own: torch.Tensor
    target: torch.Tensor
    matrices: tuple[torch.Tensor, ...]


class BodyLayout(nn.Module):
    """Finds the boxes of sources; nothing is learned but what `fit` measures, which is buffers.

    Parameters
    ----------
    image_size : tuple of int
        Height and width.
    levels : int
        Feature maps to be warped, the first of the image's size, each half as large as the last.
    boxes : {"measured", "template", "blend"}
        The source's own, those of the template that looks most like it, or the own centres with
        widths between.
    templates : int
        Views times conditions; without use, and not kept, for measured boxes.
    """

    target: torch.Tensor
    looks: torch.Tensor
    absent: torch.Tensor
    columns: torch.Tensor
    rows: torch.Tensor

    def __init__(
        self, image_size: tuple[int, int], levels: int, boxes: str, templates: int
    ) -> None:
        super().__init__()
        height, width = image_size
        self.boxes = boxes
        self._width = width
        self._widths = [width // 2**level for level in range(levels)]
        self.meter = PartMeter(height)
        self.register_buffer("rows", row_masks(height), persistent=False)
        self.register_buffer("target", torch.tensor([-0.5, 0.5]).repeat(1, len(PARTS), 1))
        if boxes != "measured":
            self.register_buffer("looks", torch.zeros(templates, LOOK * LOOK))
            self.register_buffer("absent", torch.ones(templates))
            self.register_buffer("columns", torch.zeros(templates, len(PARTS), 2))

    def fit(self, target: torch.Tensor, templates: dict[int, torch.Tensor]) -> None:
        """Measure the boxes of the mean target and of the mean GEI of each view and condition.

        Parameters
        ----------
        target : Tensor, shape (1, 1, height, width)
            Mean of the training's targets, in [-1, 1].
        templates : dict of int to Tensor
            Likewise for each view and condition that there is, by number.
        """
        self.target.copy_(self.meter(target))
        if self.boxes != "measured":
            for number, image in templates.items():
                self.looks[number] = self._look(image)[0]
                self.columns[number] = self.meter(image)[0]
                self.absent[number] = 0.0

    @staticmethod
    def _look(images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        return functional.avg_pool2d(images, (height // LOOK, width // LOOK)).flatten(1)

    def own_columns(self, images: torch.Tensor) -> torch.Tensor:
        """Left and right edges of the sources' parts, shape (n, parts, 2)."""
        own: torch.Tensor = self.meter(images)
        if self.boxes == "measured":
            return own
        look = self._look(images.to(self.looks.dtype))
        distance = (look.unsqueeze(1) - self.looks.unsqueeze(0)).square().sum(dim=-1)
        # Farther than anything in [-1, 1] can be.
        nearest = (distance + self.absent * (5.0 * LOOK * LOOK)).argmin(dim=1)
        return blend_columns(
            own, self.columns.index_select(0, nearest), BLEND if self.boxes == "blend" else 0.0,
            centred=self.boxes == "blend",
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> Layout:
        """Poses of sources of shape (n, 1, height, width) in [-1, 1], and the target's."""
        own = self.own_columns(images)
        return Layout(
            self._masks(own),
            self._masks(self.target),
            tuple(column_matrices(own, self.target, self._width, width) for width in self._widths),
        )

    def _masks(self, columns: torch.Tensor) -> torch.Tensor:
        return self.rows.unsqueeze(-1) * soft_columns(columns, self._width).unsqueeze(-2)
