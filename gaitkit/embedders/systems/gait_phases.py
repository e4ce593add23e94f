"""Gait phases: the network of GEI parts, of several GEIs of a walk, one for each phase of a step.

Our own. Sets of silhouettes say more of a walk than its GEI does, and networks that see every
frame (GaitSet, GaitBase) take a GPU for hours. Here a set becomes a few images first
(`gaitkit.embedders.phases`), and what follows is as quick as it is for GEIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.embedders.config import EmbedderConfig
from gaitkit.embedders.networks.parts import EmbeddingNet
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.phases import phase_images
from gaitkit.embedders.sampling import GeiSampler
from gaitkit.embedders.silhouette_sets import Frames, SilhouetteSet
from gaitkit.embedders.silhouettes import SilhouetteConfig, SilhouetteEmbedder
from gaitkit.embedders.systems.gei_parts import GeiPartsConfig, GeiPartsNet, PartsOfRows
from gaitkit.training.config import network_form, setting

__all__ = ["GaitPhases", "GaitPhasesConfig", "GaitPhasesNet"]


@dataclass(frozen=True)
class GaitPhasesConfig(GeiPartsConfig, SilhouetteConfig):
    """Settings of gait phases."""

    form: int = network_form(5)
    phases: int = setting(4, 1, 16, "phases of a step, from legs together to farthest apart")

    @property
    def channels(self) -> int:
        """The phases."""
        return self.phases

    @property
    def linear_of_mean(self) -> bool:
        """Whether there are parts by analysis of the GEI beside those of its phases."""
        return self.form >= 5 and self.phases > 1


class GaitPhasesNet(GeiPartsNet):
    """The network of GEI parts, whose first convolution and linear part see all phases at once.

    Beside them another linear part sees the GEI, the mean of the phases.

    Parameters
    ----------
    config : GeiPartsConfig
        Its settings, with several `channels`.
    """

    def pooled(self, sets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The map of images of shape (s, phases, height, width); then the images."""
        maps = self.maps(sets)
        return (*maps, sets) if self.asks_mean else maps


class GaitPhases(PartsOfRows[GaitPhasesConfig], SilhouetteEmbedder[GaitPhasesConfig]):
    """The embedder; see `Embedder` for the parameters.

    Examples
    --------
    >>> walks = np.random.default_rng(0).integers(0, 2, (8, 5, 32, 32)).astype(bool)
    >>> model = GaitPhases(width=2, part_count=8, values=4, device="cpu").fit(
    ...     walks, list("aabbccdd"), iterations=2, batch_size=8, people=4
    ... )
    >>> model.embed(walks).shape
    (8, 38, 4)
    """

    name: ClassVar[str] = "gait-phases"
    summary: ClassVar[str] = "GEIs of the phases of a step, horizontal parts told apart"
    source: ClassVar[str] = "ours, after GaitSet (AAAI 2019) and GaitBase (CVPR 2023)"
    # Said here as well, for what reads classes without importing them.
    reads: ClassVar[str] = "silhouettes"
    config_class: ClassVar[type[EmbedderConfig]] = GaitPhasesConfig

    @staticmethod
    def build_network(config: GeiPartsConfig) -> EmbeddingNet:
        """The network with arbitrary weights."""
        return GaitPhasesNet(config)

    @classmethod
    def open_data(cls, path: Path | str) -> SilhouetteSet:
        """Sequences of silhouettes, whose frames are read once and not kept."""
        return SilhouetteSet.open(path, memory_bytes=0)

    def sampler_for(
        self, learned: SilhouetteSet, everybody: SilhouetteSet, options: EmbedderOptions
    ) -> GeiSampler:
        """Sequences of several people, several of each, as images of their phases.

        The images of all sequences are made at once and stay in memory: a hundredth of the frames.
        """
        rows = range(len(learned.lengths))
        images = self._images(learned, rows, most=int(learned.lengths.max()))
        return self.image_sampler(images, learned.labels, everybody.labels, options)

    def vectors_of_sets(self, frames: Frames, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `SilhouetteEmbedder`."""
        return self.vectors_of(self._images(frames, rows, most=self.config.test_frames))

    def _images(self, frames: Frames, rows: Sequence[int], *, most: int) -> NDArray[np.uint8]:
        """The phases of sequences, of at most so many frames each: (n, phases, height, width)."""
        sets = (np.concatenate(list(frames.blocks(row, most))) for row in rows)
        return np.array([phase_images(one, self.config.phases) for one in sets], dtype=np.uint8)
