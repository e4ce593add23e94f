"""GaitSet (Chao, He, Zhang and Feng, AAAI 2019): a walk as a set of silhouettes.

Frames go through the same convolutions one by one, and the maximum over the frames is what stays of
a sequence, whatever their order and number. A second branch goes on with the maxima of the earlier
layers. Of both, horizontal strips of five sizes are embedded by a matrix each. Sizes and training
are those of OpenGait's configuration, and so is the distance, the mean over the parts of Euclidean
distances; the original takes one Euclidean distance of the whole: ``metric=euclidean``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from gaitkit.embedders.config import EmbedderConfig
from gaitkit.embedders.networks.normed import normed
from gaitkit.embedders.networks.parts import (
    EmbeddingNet,
    PartNeck,
    part_matrices,
    strips,
)
from gaitkit.embedders.networks.pooling import halved
from gaitkit.embedders.networks.recomputing import bent, between_convolutions
from gaitkit.embedders.sets import SetConfig, SetEmbedder
from gaitkit.errors import OptionError
from gaitkit.training.config import choice, setting
from gaitkit.training.images import crop_width

__all__ = ["GaitSet", "GaitSetConfig", "GaitSetNet"]

_STRIPS = (16, 8, 4, 2, 1)

_SLOPE = 0.01
"""Of the ReLUs below 0."""


@dataclass(frozen=True)
class GaitSetConfig(SetConfig):
    """Settings of GaitSet."""

    width: int = setting(32, 1, 512, "channels of the first block; doubled twice")
    norm: str = choice("none", ("none", "batch"), "batch normalisation after each convolution")
    softmax_weight: float = setting(
        0.0, 0, 1e3, "weight of telling the training people apart (BNNeck); 0: left out"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size[0] % 4:
            raise OptionError(
                f"silhouettes must have a height that is a multiple of 4, got {self.image_size[0]}",
                hint="Normalise them to another `height`, such as 64.",
            )

    def strip_counts(self) -> tuple[int, ...]:
        """Into how many strips the last maps are cut: those of the paper that they have rows for.

        Examples
        --------
        >>> GaitSetConfig().strip_counts(), GaitSetConfig(image_size=(32, 32)).strip_counts()
        ((16, 8, 4, 2, 1), (8, 4, 2, 1))
        """
        rows = self.image_size[0] // 4
        return tuple(count for count in _STRIPS if rows % count == 0)


class GaitSetNet(EmbeddingNet):
    """Three blocks of two convolutions for frames, two more for what is pooled of them.

    Parameters
    ----------
    config : GaitSetConfig
        Its settings.
    """

    def __init__(self, config: GaitSetConfig) -> None:
        self.counts = config.strip_counts()
        parts = 2 * sum(self.counts)
        neck = None
        if config.softmax_weight > 0:
            neck = PartNeck(parts, config.values, config.subjects)
        super().__init__(neck)
        first, second, third = config.width, 2 * config.width, 4 * config.width
        normed = config.norm == "batch"
        half = config.stem == "half"
        self.block1 = _Block(1, first, size=5, stride=2 if half else 1, pool=not half, norm=normed)
        self.block2 = _Block(first, second, norm=normed)
        self.block3 = _Block(second, third, pool=False, norm=normed)
        self.global2 = _Block(first, second, norm=normed)
        self.global3 = _Block(second, third, pool=False, norm=normed)
        self.matrices = part_matrices(parts, third, config.values, config.views_told)

    def maps(self, frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each of the three blocks makes of frames."""
        first = self.block1(crop_width(frames))
        second = self.block2(first)
        return first, second, self.block3(second)

    def features(self, pooled: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The strips of the last maps, then those of the global branch."""
        first, second, third = pooled
        whole = self.global3(self.global2(first) + second) + third
        return torch.cat([strips(third, self.counts), strips(whole, self.counts)], dim=1)


class _Block(nn.Module):
    """Two convolutions with leaky ReLUs, and a maximum over two by two pixels."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        size: int = 3,
        stride: int = 1,
        pool: bool = True,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(
            channels_in, channels_out, size, stride, padding=size // 2, bias=False
        )
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out) if norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(channels_out) if norm else nn.Identity()
        self.pool = pool

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if self.training:
            maps = between_convolutions(self.first(maps), self.norm1, _SLOPE, self.second)
            if not self.pool:
                return between_convolutions(maps, self.norm2, _SLOPE, None)
            maps = self.norm2(maps)
        else:
            maps = bent(normed(self.first, self.norm1, maps), _SLOPE)
            maps = normed(self.second, self.norm2, maps)
        # A leaky ReLU grows with its input, so that it may as well follow the maximum, where there
        # is a quarter to do.
        return bent(halved(maps) if self.pool else maps, _SLOPE)


class GaitSet(SetEmbedder[GaitSetConfig]):
    """The embedder; see `Embedder` for the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> walks = np.random.default_rng(0).integers(0, 2, (8, 5, 32, 32)).astype(bool)
    >>> model = GaitSet(width=2, values=4, device="cpu").fit(
    ...     walks, list("aabbccdd"), iterations=2, batch_size=8, people=4, frames=3
    ... )
    >>> model.embed(walks).shape
    (8, 30, 4)
    """

    name: ClassVar[str] = "gaitset"
    summary: ClassVar[str] = "the maximum over the frames of a set, in two branches of strips"
    source: ClassVar[str] = "Chao et al., AAAI 2019"
    config_class: ClassVar[type[EmbedderConfig]] = GaitSetConfig
    default_training: ClassVar[Mapping[str, Any]] = {
        "iterations": 40_000,
        "batch_size": 128,
        "people": 8,
        "frames": 30,
    }

    @staticmethod
    def build_network(config: GaitSetConfig) -> EmbeddingNet:
        """The network with arbitrary weights."""
        return GaitSetNet(config)

    @property
    def strips(self) -> int:
        """Strips of both branches."""
        return 2 * sum(self.config.strip_counts())
