"""An exported model gives in onnxruntime the values that gaitkit gives, for any number of GEIs."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaitkit.errors import LibraryError, OptionError, OutputExistsError
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet, load
from gaitkit.translators.onnx import OPSET, export_onnx, onnx_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

WITHIN = 1e-4 * 255
"""1e-4 of the grey range. float32 itself is off by 5e-4 grey values from float64."""


def session(model: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.fixture
def model(tmp_path: Path, write_geis: Callable[..., Path]) -> Path:
    """A model with a moving average, trained for a few steps on drawn GEIs."""
    geis = GeiSet.open(write_geis())
    config = GaitGANConfig(width=2, image_size=(32, 32), ema_decay=0.5)
    translator = GaitGAN(config, device="cpu", precision="fp32", threads=1)
    translator.fit(geis, iterations=4, batch_size=4).save(tmp_path / "model.h5")
    return tmp_path / "model.h5"


@pytest.mark.slow
def test_a_model_runs_elsewhere_to_the_same_values(
    model: Path,
    tmp_path: Path,
    write_geis: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export_onnx(model, tmp_path / "model.onnx")
    there, here = session(tmp_path / "model.onnx"), load(model, device="cpu", threads=1)
    (given,), (result,) = there.get_inputs(), there.get_outputs()
    assert (given.name, given.type, given.shape) == ("geis", "tensor(float)", ["n", 32, 32])
    assert (result.name, result.type, result.shape) == ("translated", given.type, given.shape)
    images = np.resize(GeiSet.open(write_geis("more.h5")).images, (64, 32, 32))
    for count in (1, 5, 64):
        rows = images[:count]
        (found,) = there.run(None, {"geis": rows.astype(np.float32)})
        np.testing.assert_allclose(found, here.translate(rows), rtol=0, atol=WITHIN)

    notes = there.get_modelmeta().custom_metadata_map
    assert notes["system"] == "gaitgan"
    assert json.loads(notes["config"]) == here.config.as_parameters()
    assert json.loads(notes["preprocessing"]) == here.preprocessing
    assert json.loads(notes["trained_on"]) == {"drawn, training": ["001", "002", "003", "004"]}
    assert notes["weights"] == "last, after 4 iterations"
    assert len(notes["content_sha256"]) == 64

    graph = onnx.load(tmp_path / "model.onnx")
    assert [item.version for item in graph.opset_import if item.domain == ""] == [OPSET]
    # The average translates, and it alone is in the file; nothing says where it was written.
    assert {item.name.split(".")[1] for item in graph.graph.initializer if "conv" in item.name} == {
        "G_average"
    }
    assert b".py" not in (tmp_path / "model.onnx").read_bytes()

    # An equal file is left, any other refused: so the same once more is equal.
    before = (tmp_path / "model.onnx").read_bytes()
    export_onnx(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == before
    (tmp_path / "model.onnx").write_bytes(b"somebody's")
    monkeypatch.setattr("gaitkit.training.onnx.graph_bytes", lambda *_: before)
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        export_onnx(model, tmp_path / "model.onnx")


@pytest.mark.slow
def test_other_generators_run_elsewhere_too() -> None:
    config = GaitGANConfig(width=2, image_size=(32, 16), skips=3, matte=True)
    here = GaitGAN(config, device="cpu", threads=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 16), dtype=np.uint8)
    (found,) = session(onnx_model(here, {})).run(None, {"geis": images.astype(np.float32)})
    np.testing.assert_allclose(found, here.translate(images), rtol=0, atol=WITHIN)


def test_a_missing_library_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "onnx" else real(name)
    )
    with pytest.raises(LibraryError, match="needs onnx, which") as caught:
        export_onnx(model, tmp_path / "model.onnx")
    assert caught.value.hint == 'Install them: pip install "gaitkit-recognition[onnx]"'
    assert not (tmp_path / "model.onnx").exists()


def test_what_onnx_cannot_express_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    translator = GaitGAN(GaitGANConfig(width=1, image_size=(16, 16)), device="cpu")

    def values_decide(images: torch.Tensor) -> torch.Tensor:
        return images * 2 if float(images.sum()) > 0 else images

    monkeypatch.setattr(translator, "translate_batch", values_decide)
    with pytest.raises(OptionError, match="'gaitgan' cannot be written as ONNX: "):
        onnx_model(translator, {})
