"""GaitBase (Fan et al., CVPR 2023): a plain residual network, well trained.

Frames go through a ResNet-9 one by one; of the maximum over the frames, sixteen horizontal strips
are embedded by a matrix each. Beside the triplet loss, the people are told apart behind a BNNeck.
Sizes, training and augmentation are those of OpenGait's configuration for CASIA-B; silhouettes are
turned and erased as networks see them, 64×44 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from gaitkit.embedders.config import EmbedderConfig
from gaitkit.embedders.networks.normed import NormedSequential
from gaitkit.embedders.networks.parts import (
    EmbeddingNet,
    PartNeck,
    part_matrices,
    strips,
)
from gaitkit.embedders.networks.residual import Residual
from gaitkit.embedders.sets import SetConfig, SetEmbedder
from gaitkit.errors import OptionError
from gaitkit.training.config import setting
from gaitkit.training.images import crop_width

__all__ = ["GaitBase", "GaitBaseConfig", "GaitBaseNet"]


@dataclass(frozen=True)
class GaitBaseConfig(SetConfig):
    """Settings of GaitBase."""

    width: int = setting(64, 1, 512, "channels of the first stage; doubled three times")
    part_count: int = setting(16, 1, 64, "horizontal parts")
    drops: tuple[float, float, float] = setting(
        (1 / 3, 2 / 3, 5 / 6),
        0,
        1,
        "after which shares of the iterations the step size is cut tenfold",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        height = self.image_size[0]
        if height % 4:
            raise OptionError(
                f"silhouettes must have a height that is a multiple of 4, got {height}",
                hint="Normalise them to another `height`, such as 64.",
            )
        if (height // 4) % self.part_count:
            raise OptionError(
                f"part_count must divide a quarter of the height, {height // 4}, got "
                f"{self.part_count}"
            )


class GaitBaseNet(EmbeddingNet):
    """A ResNet-9, strips of its maxima over the frames, one matrix each.

    Parameters
    ----------
    config : GaitBaseConfig
        Its settings.
    """

    def __init__(self, config: GaitBaseConfig) -> None:
        neck = None
        if config.softmax_weight > 0:
            neck = PartNeck(config.part_count, config.values, config.subjects)
        super().__init__(neck)
        half, width = config.stem == "half", config.width
        self.stem = NormedSequential(
            nn.Conv2d(1, width, 3, stride=2 if half else 1, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            sparing=True,
        )
        self.stages = nn.Sequential(
            Residual(width, width, 1, sparing=True),
            Residual(width, 2 * width, 1 if half else 2, sparing=True),
            Residual(2 * width, 4 * width, 2, sparing=True),
            Residual(4 * width, 8 * width, 1, sparing=True),
        )
        self.part_count = config.part_count
        self.matrices = part_matrices(
            config.part_count, 8 * width, config.values, config.views_told
        )

    def maps(self, frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The last maps, a quarter as high and as wide as what is seen."""
        return (self.stages(self.stem(crop_width(frames))),)

    def features(self, pooled: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The strips of the last maps."""
        return strips(pooled[0], [self.part_count])


class GaitBase(SetEmbedder[GaitBaseConfig]):
    """The embedder; see `Embedder` for the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> walks = np.random.default_rng(0).integers(0, 2, (8, 5, 32, 32)).astype(bool)
    >>> model = GaitBase(width=2, part_count=8, values=4, device="cpu").fit(
    ...     walks, list("aabbccdd"), iterations=2, batch_size=8, people=4, frames=3
    ... )
    >>> model.embed(walks).shape
    (8, 8, 4)
    """

    name: ClassVar[str] = "gaitbase"
    summary: ClassVar[str] = "a residual network of frames, the maximum over a set, sixteen strips"
    source: ClassVar[str] = "Fan et al., CVPR 2023"
    config_class: ClassVar[type[EmbedderConfig]] = GaitBaseConfig
    default_training: ClassVar[Mapping[str, Any]] = {
        "iterations": 60_000,
        "batch_size": 128,
        "people": 8,
        "frames": 30,
        "rotate": 10.0,
        "rotate_chance": 0.3,
        "erase": 0.3,
        "erase_area": 0.2,
    }

    @staticmethod
    def build_network(config: GaitBaseConfig) -> EmbeddingNet:
        """The network with arbitrary weights."""
        return GaitBaseNet(config)

    @property
    def strips(self) -> int:
        """The setting `part_count`."""
        return self.config.part_count
