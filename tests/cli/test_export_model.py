"""`gaitkit export` of a translator: an ONNX file that runs, and refusals of what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet, load


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = [SequenceKey(name, "nm", 1, view) for name in ("a", "b") for view in (0.0, 90.0)]
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16), dtype=np.uint8)
    translator = GaitGAN(GaitGANConfig(width=1, image_size=(16, 16)), device="cpu", threads=1)
    translator.fit(GeiSet(images, Labels.from_keys(keys), "drawn"), iterations=2, batch_size=2)
    path = tmp_path_factory.mktemp("model") / "model.h5"
    translator.save(path)
    return path


@pytest.mark.slow
def test_a_translator_becomes_an_onnx_file(
    gaitkit: Callable, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    output = tmp_path / "generator.onnx"
    ran = gaitkit("export", model, "-o", output)
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", f"Wrote {output}.\n")
    geis = np.random.default_rng(1).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    session = onnxruntime.InferenceSession(output)
    (found,) = session.run(None, {"geis": geis.astype(np.float32)})
    np.testing.assert_allclose(found, load(model, device="cpu").translate(geis), atol=0.02)
    # What follows is about files; that the same model gives the same bytes is tested elsewhere.
    content = output.read_bytes()
    monkeypatch.setattr("gaitkit.training.onnx.graph_bytes", lambda *_: content)
    assert gaitkit("export", model, "-o", output).code == 0  # The same once more is done already.
    output.write_bytes(b"somebody's")
    assert gaitkit("export", model, "-o", output).code == 2
    assert output.read_bytes() == b"somebody's"
    assert gaitkit("export", model, "-o", output, "--overwrite").code == 0
    assert output.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir()] == ["generator.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "folder"], "a file that ends in .onnx"),
        (["-o", "a.onnx", "--subject", "001"], "choose images"),
        (["-o", "a.onnx", "--weights", "best"], "has no best weights"),
    ],
)
def test_what_does_not_fit_a_translator_is_refused(
    gaitkit: Callable,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = gaitkit("export", model, *arguments)
    assert ran.code == 2
    assert message in ran.stderr
    assert list(tmp_path.iterdir()) == []
