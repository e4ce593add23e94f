"""A translator as an ONNX file, for programs that have neither PyTorch nor gaitkit.

The graph takes and gives GEIs as gaitkit stores them, so that nothing about scaling can be got
wrong outside: float32 grey values 0..255 of shape (n, height, width), any n. What else a user must
know, above all how the GEIs have to be made, is JSON in the file's metadata.

PyTorch's own exporter (the one on `torch.export`, since torch 2.6) writes the graph: it knows the
operators of systems to come, which a converter by hand would have to learn one by one.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaitkit._version import __version__
from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import LibraryError, OptionError
from gaitkit.outputs import Output
from gaitkit.training.images import from_network, to_network
from gaitkit.training.store import choose_weights
from gaitkit.translators.base import Translator, load_opened

__all__ = ["OPSET", "export_onnx", "onnx_model"]

OPSET = 18
"""The ONNX operator set of the graph, which onnxruntime runs since its version 1.14."""

IMAGES = (
    "float32 of shape (n, height, width), grey values 0..255: a gait energy image is the average "
    "of aligned silhouettes, made as `preprocessing` says"
)


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
    """Write the translating part of a model as an ONNX file.

    Equal models give equal bytes, with the same versions of torch and onnx.

    Parameters
    ----------
    model : path-like
        A translator artefact.
    output : path-like
        The file. It appears when it is whole.
    weights : {"best", "last"}, optional
        As for `gaitkit.translators.load`: by default the best ones where there are some, and the
        moving average where one is kept.
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
    claim = Output(output, overwrite=overwrite, inputs=[model])
    _require_libraries()
    with claim, open_artifact(model, "translator", guarded=True) as artifact:
        translator = load_opened(artifact, device="cpu", weights=weights)
        metadata = _metadata(translator, artifact, choose_weights(artifact, weights))
        with claim.writing() as file:
            file.write(onnx_model(translator, metadata))


def onnx_model(translator: Translator[Any], metadata: Mapping[str, str]) -> bytes:
    """A translator as the bytes of an ONNX file.

    Parameters
    ----------
    translator : Translator
        On the CPU, in float32.
    metadata : mapping of str to str
        Goes into the file's `metadata_props`.

    Returns
    -------
    bytes
        One graph, input ``geis`` and output ``translated``.

    Raises
    ------
    OptionError
        When the system uses an operator that ONNX does not have.
    """
    # Two images: with a single one, the exporter would take the number for a constant.
    example = torch.zeros(2, *translator.config.image_size)
    module = _OnGreyValues(translator).eval()
    any_number = ({0: torch.export.Dim.DYNAMIC},)
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                module, (example,), dynamic_shapes=any_number, strict=False
            )
            written = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=["geis"],
                output_names=["translated"],
                verbose=False,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise OptionError(
            f"The system {translator.name!r} cannot be written as ONNX: {reason}"
        ) from error
    if written is None:
        raise OptionError(f"The system {translator.name!r} cannot be written as ONNX.")
    return _finished(written.model_proto, metadata)


def _finished(model: Any, metadata: Mapping[str, str]) -> bytes:
    """Leave out what the exporter notes about its own sources; check; turn into bytes."""
    import onnx

    graph = model.graph
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    del graph.value_info[:]
    for image in (*graph.input, *graph.output):
        image.type.tensor_type.shape.dim[0].dim_param = "n"
    graph.name = "translator"
    model.producer_name, model.producer_version = "gaitkit", __version__
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _metadata(translator: Translator[Any], artifact: Artifact, weights: str) -> dict[str, str]:
    people: dict[str, list[str]] = {}
    for row in artifact.trained_on:
        people.setdefault(f"{row.dataset}, {row.role}", []).append(row.subject)
    return {
        "gaitkit_version": artifact.gaitkit_version,
        "system": translator.name,
        "config": canonical_json(translator.config.as_parameters()),
        "preprocessing": canonical_json(translator.preprocessing),
        "input": IMAGES,
        "output": "the same, of the same person at 90 degrees, walking normally",
        "weights": f"{weights}, after {translator.steps_done} iterations",
        "content_sha256": artifact.content_sha256,
        "trained_on": canonical_json(people),
    }


def _require_libraries() -> None:
    missing = [name for name in ("onnx", "onnxscript") if not importlib.util.find_spec(name)]
    if missing:
        raise LibraryError(
            f"Writing ONNX needs {' and '.join(missing)}, which are not installed.",
            hint="Install them: pip install onnx onnxscript",
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
