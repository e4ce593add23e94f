"""Embedders of gait energy images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.artifacts import Artifact
from gaitkit.embedders.base import ConfigT, Embedder
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.sampling import GeiSampler
from gaitkit.errors import OptionError
from gaitkit.training.geis import GeiSet, grey_values

__all__ = ["GeiEmbedder"]

_GEIS_PER_PIECE = 4096


class GeiEmbedder(Embedder[ConfigT]):
    """Base of the embedders of GEIs; see `Embedder`."""

    reads: ClassVar[str] = "gei"
    data_class: ClassVar[type[Any]] = GeiSet
    offers: ClassVar[frozenset[str]] = frozenset({"data sets"})

    @classmethod
    def open_data(cls, path: Path | str) -> GeiSet:
        """GEIs, measured or translated."""
        return GeiSet.open(path, translated=True)

    def sampler_for(
        self, learned: GeiSet, everybody: GeiSet, options: EmbedderOptions
    ) -> GeiSampler:
        """GEIs of several people, several of each."""
        return self.image_sampler(learned.images, learned.labels, everybody.labels, options)

    def embed(self, data: GeiSet | Path | str | ArrayLike) -> NDArray[np.float32]:
        """The embeddings of GEIs.

        Always computed in float32 (or fp64 when so built).

        Parameters
        ----------
        data : array of shape (n, height, width), GeiSet or path
            Grey values 0..255, or floats 0..1 (see `gaitkit.training.geis.grey_values`).

        Returns
        -------
        ndarray of float32, shape (n, parts, values)

        Raises
        ------
        OptionError
            When the images have another size than the networks.
        """
        if isinstance(data, str | os.PathLike):
            data = self.open_data(data)
        images = data.images if isinstance(data, GeiSet) else grey_values(data)
        return self._embedded(images)

    def pieces_of(self, source: Artifact) -> Iterator[slice]:
        """Some thousand GEIs each."""
        total = len(source.labels)
        for start in range(0, total, _GEIS_PER_PIECE):
            yield slice(start, min(start + _GEIS_PER_PIECE, total))

    def embed_rows(self, source: Artifact, rows: slice) -> NDArray[np.float32]:
        """The embeddings of some GEIs of an artefact."""
        return self._embedded(source.read_rows("gei", rows.start, rows.stop))

    def _embedded(self, images: NDArray[Any]) -> NDArray[np.float32]:
        if images.ndim != 3 or images.shape[1:] != self.config.image_size:
            height, width = self.config.image_size
            raise OptionError(
                f"expected GEIs of shape (n, {height}, {width}), got {images.shape}",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )
        # Those of a translator are learned from as whole grey values.
        whole = images if images.dtype == np.uint8 else np.rint(images.clip(0.0, 255.0))
        return self.vectors_of(whole.astype(np.uint8, copy=False))
