"""GEI parts: a small network that embeds the horizontal parts of a gait energy image.

Our own, from what the field has used for sets of silhouettes since 2019: parts with a matrix each
and batch-all triplets (GaitSet: Chao et al., AAAI 2019), beside them residual blocks and a softmax
over people behind a BNNeck (GaitBase: Fan et al., CVPR 2023). The blocks are as few as a GEI wants
and a processor computes in minutes, and the matrices change with the view. The last parts are
discriminant analysis of the image and its strips (`gaitkit.analysis`), computed in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from gaitkit.embedders.base import Embedder
from gaitkit.embedders.config import LINEAR_WEIGHT, EmbedderConfig
from gaitkit.embedders.geis import GeiEmbedder
from gaitkit.embedders.networks.normed import NormedSequential
from gaitkit.embedders.networks.parts import (
    EmbeddingNet,
    PartNeck,
    part_matrices,
    strips,
)
from gaitkit.embedders.networks.residual import Residual
from gaitkit.errors import OptionError
from gaitkit.training.config import network_form, setting
from gaitkit.training.images import crop_width
from gaitkit.training.schedules import one_cycle

__all__ = ["GeiParts", "GeiPartsConfig", "GeiPartsNet", "PartsOfRows"]

_SLOPE = 0.1
"""Of the ReLUs below 0."""


@dataclass(frozen=True)
class GeiPartsConfig(EmbedderConfig):
    """Settings of GEI parts."""

    form: int = network_form(4)
    width: int = setting(32, 1, 512, "channels of the first layers; doubled twice")
    part_count: int = setting(16, 1, 64, "horizontal parts")
    whole_weight: float = setting(
        1.0, 0, 1e3, "weight of the triplet loss of the mean over the parts; 0: left out"
    )
    view_weight: float = setting(
        0.3, 0, 1e3, "weight of telling the views apart, by which matrices change; 0: left out"
    )
    linear_weight: float = setting(1.0, 0, 1e3, LINEAR_WEIGHT)
    ema_decay: float = setting(
        0.998, 0, 1, "embed with a moving average of the network; 0: off", open_ends=(False, True)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        height, width = self.image_size
        if height % 4 or width % 4:
            raise OptionError(
                f"GEIs must have sides that are multiples of 4, got {height}×{width}",
                hint="Make the GEIs again with `size=(64, 64)`, or other multiples of 4.",
            )
        if (height // 4) % self.part_count:
            raise OptionError(
                f"part_count must divide a quarter of the height, {height // 4}, got "
                f"{self.part_count}"
            )

    @property
    def has_linear(self) -> bool:
        """Whether there are parts by discriminant analysis; the first forms had none."""
        return self.form >= 3 and self.linear_weight > 0

    @property
    def linear_by_strips(self) -> bool:
        """Whether they are of strips as well; the third form's was of the whole."""
        return self.form >= 4


class GeiPartsNet(EmbeddingNet):
    """A convolution with a stride of 2, and three residual blocks; the last map's rows are parts.

    In the first form of the networks five convolutions, one after the other, follow the first; the
    first two forms have no `LinearPart`, the third one of the whole image only.

    Parameters
    ----------
    config : GeiPartsConfig
        Its settings.
    """

    def __init__(self, config: GeiPartsConfig) -> None:
        first, second, third = config.width, 2 * config.width, 4 * config.width
        neck = None
        if config.softmax_weight > 0:
            neck = PartNeck(config.part_count, config.values, config.subjects)
        super().__init__(neck)
        blocks: list[nn.Module]
        if config.form == 1:
            blocks = [
                _convolution(first, first),
                nn.MaxPool2d(2),
                _convolution(first, second),
                _convolution(second, second),
                _convolution(second, third),
                _convolution(third, third),
            ]
        else:
            blocks = [
                Residual(first, first, slope=_SLOPE),
                Residual(first, second, 2, slope=_SLOPE),
                Residual(second, third, slope=_SLOPE),
            ]
        self.body = nn.Sequential(_convolution(config.channels, first, size=5, stride=2), *blocks)
        self.part_count = config.part_count
        self.matrices = part_matrices(config.part_count, third, config.values, config.views_told)

    def maps(self, frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The last map, a quarter as high and as wide as what is seen."""
        return (self.body(crop_width(frames)),)

    def features(self, pooled: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The strips of the last map."""
        return strips(pooled[0], [self.part_count])


def _convolution(
    channels_in: int, channels_out: int, *, size: int = 3, stride: int = 1
) -> NormedSequential:
    return NormedSequential(
        nn.Conv2d(channels_in, channels_out, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        # In place: the normalised map is not needed on the way back.
        nn.LeakyReLU(_SLOPE, inplace=True),
    )


PartsConfigT = TypeVar("PartsConfigT", bound=GeiPartsConfig)


class PartsOfRows(Embedder[PartsConfigT]):
    """What embedders by such a network have in common, whatever they read."""

    default_training: ClassVar[Mapping[str, Any]] = {
        "iterations": 2_500,
        "bodies": 8,
        "shear": 0.06,
        "stretch": 0.1,
        "shift": 2.0,
        "erase": 0.3,
    }

    @staticmethod
    def build_network(config: GeiPartsConfig) -> EmbeddingNet:
        """The network with arbitrary weights."""
        return GeiPartsNet(config)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW (Loshchilov and Hutter, ICLR 2019)."""
        return {
            "E": torch.optim.AdamW(
                self.networks["E"].parameters(),
                lr=self.config.learning_rate,
                weight_decay=self.config.weight_decay,
                fused=True,
            )
        }

    def rate_at(self, step: int, iterations: int) -> float:
        """One cycle."""
        return one_cycle(step, iterations)

    @property
    def strips(self) -> int:
        """The setting `part_count`."""
        return self.config.part_count


class GeiParts(PartsOfRows[GeiPartsConfig], GeiEmbedder[GeiPartsConfig]):
    """The embedder of GEIs; see `Embedder` for the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    >>> model = GeiParts(width=2, part_count=8, values=4, device="cpu").fit(
    ...     images, list("aabbccdd"), views=[0, 90] * 4, iterations=2, batch_size=8, people=4
    ... )
    >>> model.embed(images).shape
    (8, 23, 4)
    """

    name: ClassVar[str] = "gei-parts"
    summary: ClassVar[str] = "horizontal parts of a GEI, each told apart on its own"
    source: ClassVar[str] = "ours, after GaitSet (AAAI 2019) and GaitBase (CVPR 2023)"
    config_class: ClassVar[type[EmbedderConfig]] = GeiPartsConfig
