"""Gait phases: the phases of a step as the channels of what GEI parts are embedded by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_sets import in_memory, keys, walk, walks, write_silhouettes

from gaitkit.analysis.discriminants import LinearPart
from gaitkit.analysis.fitting import fit_linear, linear_sizes
from gaitkit.artifacts import open_artifact
from gaitkit.embedders import GaitPhases, load, train_embedding
from gaitkit.embedders.onnx import onnx_model
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.phases import phase_images
from gaitkit.embedders.systems.gait_phases import GaitPhasesConfig
from gaitkit.errors import OptionError, StoppedError
from gaitkit.stages.embed import embed
from gaitkit.training.callbacks import Callbacks

SMALL: dict[str, Any] = {"width": 2, "part_count": 8, "values": 4}
FEW: dict[str, Any] = {"iterations": 4, "batch_size": 6, "people": 3, "log_every": 2}


def fitted(**changes: Any) -> GaitPhases:
    return GaitPhases(**SMALL, **changes, device="cpu", threads=1).fit(in_memory(), **FEW)


def test_the_first_convolution_and_the_linear_part_see_all_phases() -> None:
    state = GaitPhases(device="cpu").networks["E"].state_dict()
    assert state["body.0.0.weight"].shape == (32, 4, 5, 5)
    # Four phases of 64×44 pixels: the whole at half the resolution, and the eight strips.
    assert state["linear.components"].shape == (4 * 32 * 22, 150)
    assert state["linear.strips.8.components"].shape == (8, 4 * 8 * 44, 150)
    # And their mean, as in GEI parts.
    assert state["linear_of_mean.components"].shape == (32 * 22, 120)


def test_batches_are_the_phases_of_all_frames() -> None:
    data = in_memory()
    model = fitted()
    options = EmbedderOptions(**{**GaitPhases.default_training, **FEW, "bodies": 1})
    plain = dict.fromkeys(("shear", "stretch", "shift", "erase"), 0.0)
    options = EmbedderOptions(**{**vars(options), **plain})
    batch = model.sampler_for(data, data, options).draw(6)
    assert batch.images.shape == (6, 4, 32, 22)
    expected = [phase_images(one[:, :, 5:27], 4) / np.float32(255) for one in walks(keys())]
    for image in batch.images.numpy():
        assert any(np.allclose(image, one, atol=1e-6) for one in expected)


def test_embedded_together_or_alone_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    rows = keys()
    sequences = [walk(row % 4, row, 1 + (17 * row) % 70) for row in range(len(rows))]
    model = fitted()
    together = model.embed(sequences)
    assert together.shape == (len(rows), model.parts, 4) == (16, 38, 4)
    for row, one in enumerate(sequences):
        np.testing.assert_array_equal(model.embed([one])[0], together[row])
        shuffled = one[np.random.default_rng(row).permutation(len(one))]
        np.testing.assert_array_equal(model.embed([shuffled])[0], together[row])
    path = write_silhouettes(tmp_path / "silhouettes.h5", rows, sequences=sequences)
    np.testing.assert_array_equal(model.embed(path), together)
    with open_artifact(path) as artifact:
        np.testing.assert_array_equal(model.embed_rows(artifact, slice(3, 9)), together[3:9])
    assert model.embed([]).shape == (0, 38, 4)


def test_the_parts_by_analysis_are_those_of_all_phases_and_of_their_mean() -> None:
    data = in_memory()
    model = fitted()
    images = np.stack([phase_images(one[:, :, 5:27], 4) for one in walks(keys())])
    people = np.unique(data.labels.subject, return_inverse=True)[1]
    view = (data.labels.view > 0).astype(np.int64)
    several = LinearPart(linear_sizes((32, 32), views=2, values=4, channels=4))
    fit_linear(several, images, people, view)
    mean = images.mean(axis=1, keepdims=True)
    one = LinearPart(linear_sizes((32, 32), views=2, values=4))
    fit_linear(one, np.rint(mean[:, 0]).astype(np.uint8), people, view)
    found = model.embed(data)
    for parts, part, seen in ((slice(8, 23), several, images), (slice(23, 38), one, mean)):
        expected = part(torch.from_numpy(seen).float() / 255.0).numpy()
        np.testing.assert_allclose(found[:, parts], 8 / 15 * expected, atol=1e-4)


def test_the_form_before_sees_the_phases_alone() -> None:
    model = GaitPhases(GaitPhasesConfig(**SMALL, image_size=(32, 32), form=4), device="cpu")
    assert model.parts == 23
    assert "linear_of_mean.components" not in model.networks["E"].state_dict()


def test_one_phase_is_the_gei() -> None:
    one = [walk(1, 2, 9), walk(2, 3, 7)]
    model = fitted(phases=1)
    standing = [np.rint(frames.mean(axis=0, keepdims=True)).astype(np.uint8) for frames in one]
    np.testing.assert_array_equal(model.embed(one), model.embed(standing))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_silhouettes(tmp_path / "silhouettes.h5", keys(people=8))


def trained(source: Path, output: Path, **options: Any) -> str:
    how = {name: options.pop(name) for name in ("callbacks",) if name in options}
    return train_embedding(
        source,
        output,
        protocol="halves",
        system="gait-phases",
        config=SMALL,
        training=FEW | options,
        device="cpu",
        threads=1,
        **how,
    )


def test_the_stages_train_stop_go_on_and_embed(source: Path, tmp_path: Path) -> None:
    digest = trained(source, tmp_path / "whole.h5")
    embed(source, tmp_path / "whole.h5", tmp_path / "embedded.h5", device="cpu", threads=1)
    model = load(tmp_path / "whole.h5", device="cpu", threads=1)
    with open_artifact(tmp_path / "embedded.h5", "embedding") as artifact:
        np.testing.assert_array_equal(artifact.read("vectors"), model.embed(source))
        assert artifact.parameters["embedder"]["name"] == "gait-phases"
    steps: list[int] = []
    stopping = Callbacks(
        on_step=lambda step, _: steps.append(step), stop_requested=lambda: bool(steps)
    )
    with pytest.raises(StoppedError):
        trained(source, tmp_path / "stopped.h5", callbacks=stopping)
    assert trained(source, tmp_path / "stopped.h5") == digest


def test_frames_are_not_drawn(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="learns from all frames") as caught:
        trained(source, tmp_path / "model.h5", frames=5)
    assert "Leave out `frames`; gaitset and gaitbase draw some" in str(caught.value.hint)


ON_REQUEST = [pytest.mark.slow, pytest.mark.by_hand]
"""An export takes ten seconds, and one phase is made the same way."""


@pytest.mark.parametrize("count", [pytest.param(1, marks=ON_REQUEST), 4])
def test_an_onnx_file_takes_phases(count: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = fitted(phases=count)
    sets = [walk(1, 2, 5), walk(2, 3, 9)]
    phases = np.stack([phase_images(one, count) for one in sets]).astype(np.float32)
    session = onnxruntime.InferenceSession(onnx_model(model, {}))
    (found,) = session.run(None, {"phases": phases})
    np.testing.assert_allclose(found, model.embed(sets), atol=1e-3)
