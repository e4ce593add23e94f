"""A model as an ONNX file, for programs that have neither PyTorch nor gaitkit.

What goes in and out of the graph is for each kind of model to say, in values as gaitkit stores
them, so that nothing about scaling can be got wrong outside. What else a user must know, above all
how the images have to be made, is JSON in the file's metadata.

PyTorch's own exporter (the one on `torch.export`, since torch 2.6) writes the graph: it knows the
operators of systems to come, which a converter by hand would have to learn one by one.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaitkit._version import __version__
from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import LibraryError, OptionError
from gaitkit.outputs import Output
from gaitkit.printable import counted
from gaitkit.training.model import Model
from gaitkit.training.registry import ModelKind
from gaitkit.training.store import choose_weights, load_opened

__all__ = ["IMAGES", "OPSET", "Graph", "graph_bytes", "write_onnx"]

OPSET = 18
"""The ONNX operator set of the graph, which onnxruntime runs since its version 1.14."""

IMAGES = (
    "float32 of shape (n, height, width), grey values 0..255: a gait energy image is the average "
    "of aligned silhouettes, made as `preprocessing` says"
)
"""What GEIs are, for the metadata."""


@dataclass(frozen=True)
class Graph:
    """The part of a model that is written.

    Attributes
    ----------
    module : Module
        In eval mode, on the CPU; only the networks that it needs are in it.
    example : Tensor
        Something that it takes.
    free : tuple of str
        Names of the first dimensions of the example, of which any number may come; the first of
        them is also the first of the result. In the example none may be 1: the exporter would
        take that for a constant.
    names : tuple of (str, str)
        Of the input and of the output.
    told : mapping of str to str
        For the metadata: what ``input`` and ``output`` are, and what else is to be known.
    """

    module: nn.Module
    example: torch.Tensor
    free: tuple[str, ...]
    names: tuple[str, str]
    told: Mapping[str, str]


def write_onnx(
    model: Path | str,
    output: Path | str,
    kind: ModelKind,
    graph_of: Callable[[Any], Graph],
    *,
    weights: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write what is used in the end of a model as an ONNX file.

    Equal models give equal bytes, with the same versions of torch and onnx.

    Parameters
    ----------
    model : path-like
        A model's artefact.
    output : path-like
        The file. It appears when it is whole.
    kind : ModelKind
        What the model has to be.
    graph_of : callable
        Gives what is written of it.
    weights : {"best", "last"}, optional
        As for `gaitkit.training.store.load`: by default the best ones where there are some, and
        the moving average where one is kept.
    overwrite : bool
        Replace another file of that name; an equal one is left in any case.

    Raises
    ------
    LibraryError
        When onnx or onnxscript is missing, or torch is older than 2.6.
    OptionError
        When the system uses an operator that ONNX does not have.
    ArtifactError, OutputError
        When the model cannot be used, or the file exists or cannot be written.
    """
    claim = Output(
        output,
        overwrite=overwrite,
        inputs=[model],
        other_than_artefact=("an ONNX file", "model.onnx"),
    )
    _require_libraries()
    with claim, open_artifact(model, kind.name, guarded=True) as artifact:
        opened = load_opened(artifact, kind, device="cpu", weights=weights)
        graph = graph_of(opened)
        metadata = _metadata(opened, artifact, choose_weights(artifact, weights), graph)
        with claim.writing() as file:
            file.write(graph_bytes(opened, graph, metadata))


def graph_bytes(model: Model[Any], graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """A graph as the bytes of an ONNX file.

    Parameters
    ----------
    model : Model
        On the CPU, in float32.
    graph : Graph
        What is written of it.
    metadata : mapping of str to str
        Goes into the file's `metadata_props`.

    Raises
    ------
    OptionError
        When the system uses an operator that ONNX does not have.
    """
    free = (dict.fromkeys(range(len(graph.free)), torch.export.Dim.DYNAMIC),)
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                graph.module, (graph.example,), dynamic_shapes=free, strict=False
            )
            written = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[graph.names[0]],
                output_names=[graph.names[1]],
                verbose=False,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise OptionError(
            f"The system {model.name!r} cannot be written as ONNX: {reason}"
        ) from error
    if written is None:
        raise OptionError(f"The system {model.name!r} cannot be written as ONNX.")
    return _finished(written.model_proto, model.kind.name, graph.free, metadata)


def _finished(proto: Any, name: str, free: tuple[str, ...], metadata: Mapping[str, str]) -> bytes:
    """Leave out what the exporter notes about its own sources; check; turn into bytes."""
    import onnx

    graph = proto.graph
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    del graph.value_info[:]
    for axis, dimension in enumerate(free):
        graph.input[0].type.tensor_type.shape.dim[axis].dim_param = dimension
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = free[0]
    graph.name = name
    proto.producer_name, proto.producer_version = "gaitkit", __version__
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, dict(sorted(metadata.items())))
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _metadata(model: Model[Any], artifact: Artifact, weights: str, graph: Graph) -> dict[str, str]:
    people: dict[str, list[str]] = {}
    for row in artifact.trained_on:
        people.setdefault(f"{row.dataset}, {row.role}", []).append(row.subject)
    return {
        "gaitkit_version": artifact.gaitkit_version,
        "system": model.name,
        "config": canonical_json(model.config.as_parameters()),
        "preprocessing": canonical_json(model.preprocessing),
        "weights": f"{weights}, after {counted(model.steps_done, 'iteration')}",
        "content_sha256": artifact.content_sha256,
        "trained_on": canonical_json(people),
        **graph.told,
    }


def _require_libraries() -> None:
    missing = [name for name in ("onnx", "onnxscript") if not importlib.util.find_spec(name)]
    if missing:
        raise LibraryError(
            f"Writing ONNX needs {' and '.join(missing)}, which are not installed.",
            hint='Install them: pip install "gaitkit-recognition[onnx]"',
        )
    if torch.__version__ < "2.6":
        raise LibraryError(
            f"Writing ONNX needs torch 2.6 or later; this is {torch.__version__}.",
            hint="Upgrade it: pip install -U torch",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch tells its own developers from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    # It warns of each operator of torchvision, whose absence is no fault.
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        try:
            yield
        finally:
            logger.setLevel(level)
