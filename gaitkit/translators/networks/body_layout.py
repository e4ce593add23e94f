"""A source's boxes and the target's: what the deformable translator knows of poses.

Siarohin et al. (CVPR 2018) are told both poses by a pose estimator. A GEI's target pose is always
the same, so that its boxes are those of the mean target of the training; a source's are measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from gaitkit.translators.networks.body_boxes import PARTS, PartMeter, blend_columns
from gaitkit.translators.networks.part_warp import column_matrices, row_masks, soft_columns

__all__ = ["BODY_BOXES", "BodyLayout", "Layout"]

BODY_BOXES = ("measured", "template", "blend")
"""How a source's boxes are found."""

LOOK = 16
"""Side of the small images by which a source finds its template."""

BLEND = 0.5


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
        For each level of the encoder the maps of `part_warp.column_matrices`.
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
