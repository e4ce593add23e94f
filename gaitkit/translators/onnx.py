"""A translator as an ONNX file: it takes and gives GEIs as gaitkit stores them.

float32 grey values 0..255 of shape (n, height, width), any n. All else is in
`gaitkit.training.onnx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaitkit.training.images import from_network, to_network
from gaitkit.training.onnx import IMAGES, OPSET, Graph, graph_bytes, write_onnx
from gaitkit.translators.base import Translator
from gaitkit.translators.registry import TRANSLATOR

__all__ = ["OPSET", "export_onnx", "onnx_model"]


class _OnGreyValues(nn.Module):
    """A translator from grey values to grey values, with the networks that it needs."""

    def __init__(self, translator: Translator[Any]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(
            {name: translator.networks[name] for name in translator.translating()}
        )
        self._translate = translator.translate_batch

    def forward(self, geis: torch.Tensor) -> torch.Tensor:
        return from_network(self._translate(to_network(geis)))


def export_onnx(
    model: Path | str, output: Path | str, *, weights: str | None = None, overwrite: bool = False
) -> None:
    """Write the translating part of a model as an ONNX file; see `write_onnx`.

    Parameters
    ----------
    model : path-like
        A translator artefact.
    output, weights, overwrite
        See `gaitkit.training.onnx.write_onnx`, which also says what is raised.
    """
    write_onnx(model, output, TRANSLATOR, _graph_of, weights=weights, overwrite=overwrite)


def onnx_model(translator: Translator[Any], metadata: Mapping[str, str]) -> bytes:
    """A translator as the bytes of an ONNX file: input ``geis``, output ``translated``.

    Parameters
    ----------
    translator : Translator
        On the CPU, in float32.
    metadata : mapping of str to str
        Goes into the file's `metadata_props`.

    Raises
    ------
    OptionError
        When the system uses an operator that ONNX does not have.
    """
    return graph_bytes(translator, _graph_of(translator), metadata)


def _graph_of(translator: Translator[Any]) -> Graph:
    return Graph(
        _OnGreyValues(translator).eval(),
        torch.zeros(2, *translator.config.image_size),
        ("n",),
        ("geis", "translated"),
        {
            "input": IMAGES,
            "output": "the same, of the same person at 90 degrees, walking normally",
        },
    )
