"""Embedders of sets of silhouettes: how they are read, whatever is made of them."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.artifacts import Artifact
from gaitkit.embedders.base import Embedder
from gaitkit.embedders.config import EmbedderConfig
from gaitkit.embedders.silhouette_sets import (
    Frames,
    FramesInFile,
    FramesInMemory,
    SilhouetteSet,
    sequences_of_greys,
)
from gaitkit.errors import OptionError
from gaitkit.training.config import setting

__all__ = ["SilhouetteConfig", "SilhouetteConfigT", "SilhouetteEmbedder"]

_FRAMES_PER_PIECE = 8192


@dataclass(frozen=True)
class SilhouetteConfig(EmbedderConfig):
    """What the settings of all embedders of silhouettes have in common."""

    test_frames: int = setting(
        720, 1, 100_000, "frames of a sequence that are embedded at most, evenly taken"
    )


SilhouetteConfigT = TypeVar("SilhouetteConfigT", bound=SilhouetteConfig)


class SilhouetteEmbedder(Embedder[SilhouetteConfigT]):
    """Base of the embedders of silhouettes; see `Embedder`."""

    reads: ClassVar[str] = "silhouettes"
    data_class: ClassVar[type[Any]] = SilhouetteSet
    offers: ClassVar[frozenset[str]] = frozenset({"data sets"})

    @abstractmethod
    def vectors_of_sets(self, frames: Frames, rows: Sequence[int]) -> NDArray[np.float32]:
        """The embeddings of some sequences, whose frames have the networks' size."""

    @classmethod
    def open_data(cls, path: Path | str) -> SilhouetteSet:
        """Sequences of silhouettes."""
        return SilhouetteSet.open(path)

    def embed(self, data: SilhouetteSet | Path | str | Sequence[ArrayLike]) -> NDArray[np.float32]:
        """The embeddings of sequences, of all their frames up to the setting `test_frames`.

        Always computed in float32 (or fp64 when so built). What an embedding is does not depend,
        to the byte, on the sequences beside it.

        Parameters
        ----------
        data : SilhouetteSet, path, or sequence of arrays of shape (frames, height, width)
            Aligned silhouettes of each sequence.

        Returns
        -------
        ndarray of float32, shape (n, parts, values)

        Raises
        ------
        OptionError
            When the silhouettes have another size than the networks.
        """
        if isinstance(data, str | os.PathLike):
            data = self.open_data(Path(data))
        if isinstance(data, SilhouetteSet):
            frames: Frames = data
        elif not len(data):
            return self.no_vectors()
        else:
            frames = FramesInMemory(sequences_of_greys(data))
        return self._embedded(frames, range(len(frames.lengths)))

    def pieces_of(self, source: Artifact) -> Iterator[slice]:
        """Sequences of some thousand frames each."""
        lengths = FramesInFile(source).lengths.clip(max=self.config.test_frames)
        start = frames = 0
        for row, length in enumerate(lengths.tolist()):
            if frames and frames + length > _FRAMES_PER_PIECE:
                yield slice(start, row)
                start, frames = row, 0
            frames += length
        if frames:
            yield slice(start, len(lengths))

    def embed_rows(self, source: Artifact, rows: slice) -> NDArray[np.float32]:
        """The embeddings of some sequences of an artefact, which is read as they are computed."""
        return self._embedded(FramesInFile(source), range(rows.start, rows.stop))

    def _embedded(self, frames: Frames, rows: Sequence[int]) -> NDArray[np.float32]:
        if frames.image_size != self.config.image_size:
            raise OptionError(
                "expected silhouettes of {}×{} pixels, got {}×{}".format(
                    *self.config.image_size, *frames.image_size
                ),
                hint="Normalise them to the size that the model has learned from.",
            )
        return self.vectors_of_sets(frames, rows)
