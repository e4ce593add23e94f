"""An embedder as an ONNX file: it takes images as gaitkit stores them, and gives vectors.

GEIs are float32 grey values 0..255 of shape (n, height, width), sets of silhouettes have shape (n,
frames, height, width), any n and frames; where the means of phases are seen, these are taken, of
shape (n, phases, height, width). All else is in `gaitkit.training.onnx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaitkit.embedders.base import Embedder
from gaitkit.embedders.registry import EMBEDDER
from gaitkit.training.images import with_channels
from gaitkit.training.onnx import IMAGES, Graph, graph_bytes, write_onnx

__all__ = ["export_onnx", "onnx_model"]

SETS = (
    "float32 of shape (n, frames, height, width), 0 the background and 255 the person: aligned "
    "silhouettes of n sequences, in any order, made as `preprocessing` says"
)

PHASES = (
    "float32 of shape (n, phases, height, width), 0 the background and 255 the person: means of "
    "the aligned silhouettes of n sequences, as gaitkit.embedders.phases.phase_images makes them"
)

VECTORS = (
    "float32 of shape (n, parts, values), to be compared by `metric`: parts is the mean over the "
    "parts of the Euclidean distances, the others are those of all values in one row"
)


class _OfImages(nn.Module):
    """From the grey values of each example's image, or of several, to embeddings."""

    def __init__(self, embedder: Embedder[Any]) -> None:
        super().__init__()
        self.network = embedder.network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # Whole grey values, as the model has learned and as `embed` takes those of a translator.
        whole = with_channels(images.clamp(0.0, 255.0).round())
        found: torch.Tensor = self.network(whole / 255.0)
        return found


class _OfSets(_OfImages):
    """From sets of silhouettes to embeddings."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        count, frames = images.shape[:2]
        maps = self.network.maps(images.flatten(0, 1)[:, None] / 255.0)
        pooled = tuple(one.view(count, frames, *one.shape[1:]).amax(dim=1) for one in maps)
        if self.network.asks_mean:
            pooled = (*pooled, images.mean(dim=1, keepdim=True) / 255.0)
        found: torch.Tensor = self.network.embedding(pooled)
        return found


def export_onnx(
    model: Path | str, output: Path | str, *, weights: str | None = None, overwrite: bool = False
) -> None:
    """Write the embedding part of a model as an ONNX file.

    Parameters
    ----------
    model : path-like
        An embedder artefact.
    output, weights, overwrite
        See `gaitkit.training.onnx.write_onnx`, which also says what is raised.
    """
    write_onnx(model, output, EMBEDDER, _graph_of, weights=weights, overwrite=overwrite)


def onnx_model(embedder: Embedder[Any], metadata: Mapping[str, str]) -> bytes:
    """An embedder as the bytes of an ONNX file; see `gaitkit.training.onnx.graph_bytes`.

    The input is called ``geis`` or ``silhouettes``, the output ``embedding``.
    """
    return graph_bytes(embedder, _graph_of(embedder), metadata)


def _graph_of(embedder: Embedder[Any]) -> Graph:
    metric = {"output": VECTORS, "metric": embedder.config.metric}
    size = embedder.config.image_size
    if embedder.reads == "silhouettes" and not embedder.draws_frames:
        return Graph(
            _OfImages(embedder).eval(),
            torch.zeros(2, embedder.config.channels, *size),
            ("n",),
            ("phases", "embedding"),
            {"input": PHASES, **metric},
        )
    if embedder.reads == "silhouettes":
        return Graph(
            _OfSets(embedder).eval(),
            torch.zeros(2, 3, *size),
            ("n", "frames"),
            ("silhouettes", "embedding"),
            {"input": SETS, **metric},
        )
    return Graph(
        _OfImages(embedder).eval(),
        torch.zeros(2, *size),
        ("n",),
        ("geis", "embedding"),
        {"input": IMAGES, **metric},
    )
