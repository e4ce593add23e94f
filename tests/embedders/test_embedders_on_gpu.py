"""What a GPU alone can show: every embedder, its steps recorded or not, in every precision.

How trainings on a GPU are compared is told in the tests of translators there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_geis import drawn_geis
from small_sets import in_memory, keys, write_silhouettes

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.embedders import embedder_class, load, train_embedding
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.errors import StoppedError
from gaitkit.training.callbacks import Callbacks

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

# The library for matrix products reads it when it is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

PEOPLE = 6
ITERATIONS = 20
"""Often enough for a step to be recorded, and replayed."""
TRAINING: dict[str, Any] = {
    "iterations": ITERATIONS,
    "batch_size": 8,
    "people": 4,
    "frames": 3,
    "log_every": 1,
    "bodies": 2,
}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gei-parts": ("gei-parts", {"width": 4, "part_count": 4, "values": 4}),
    "gait-phases": ("gait-phases", {"width": 4, "part_count": 4, "values": 4}),
    "gaitset": ("gaitset", {"width": 4, "values": 4}),
    "gaitset, small": ("gaitset", {**EMBEDDER_RECIPES["gaitset-small"].config, "width": 4}),
    "gaitbase": ("gaitbase", {"width": 4, "part_count": 8, "values": 4}),
    "gaitbase, small": (
        "gaitbase",
        {**EMBEDDER_RECIPES["gaitbase-small"].config, "width": 4, "part_count": 8},
    ),
}
"""Each as published and as its recipe has it: by SGD and by AdamW, with and without BNNeck."""


@pytest.fixture(autouse=True)
def first_algorithm() -> Iterator[None]:
    """Of each convolution the library's first choice, without trying all: tests shall be short."""
    before = torch.backends.cudnn.benchmark_limit
    torch.backends.cudnn.benchmark_limit = 1
    yield
    torch.backends.cudnn.benchmark_limit = before


@pytest.fixture
def one_order() -> Iterator[None]:
    """Sums in one order, so that a repeated training gives the same to the last bit."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


def data_of(system: str) -> Any:
    """Drawn people as the embedder reads them."""
    if embedder_class(system).reads == "gei":
        return drawn_geis(size=(32, 32))
    return in_memory(keys(people=PEOPLE))


def built(which: str, **how: Any) -> Any:
    system, settings = SETTINGS[which]
    chosen = {**settings, "image_size": (32, 32), "subjects": 2 * PEOPLE}
    config = embedder_class(system).config_class(**chosen)
    return embedder_class(system)(config, **{"device": "cuda", "seed": 1, **how})


def trained(which: str, **how: Any) -> tuple[Any, list[dict[str, float]]]:
    """Train one, and give every step's values."""
    model, rows = built(which, **how), []
    calls = Callbacks(on_progress=lambda step, total, values: rows.append(values))
    model.fit(data_of(SETTINGS[which][0]), callbacks=calls, **TRAINING)
    return model, rows


def weights_of(model: Any) -> dict[str, NDArray[Any]]:
    return {
        name: array.copy()
        for name, array in model.state_arrays().items()
        if name.startswith("weights/")
    }


@pytest.mark.usefixtures("one_order")
@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("which", SETTINGS)
def test_recorded_steps_give_what_unrecorded_ones_give(which: str, precision: str) -> None:
    ends, values = [], []
    for mode in ("eager", "cuda-graph"):
        model, rows = trained(which, precision=precision, mode=mode)
        # A step that could not be recorded would have made the mode eager.
        assert model.runtime.mode == mode
        ends.append(weights_of(model))
        values.append(rows)
    for eager, recorded in zip(*values, strict=True):
        # The sum of a cross-entropy is added up in any order; its gradient is not.
        assert recorded == pytest.approx(eager, rel=1e-5, abs=1e-6)
    for name, weights in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], weights, name)


@pytest.mark.parametrize("which", SETTINGS)
def test_bfloat16_begins_as_float32_does_and_goes_on(which: str) -> None:
    rows = {precision: trained(which, precision=precision)[1] for precision in ("fp32", "bf16")}
    for name, expected in rows["fp32"][0].items():
        near = 0.25 if name.startswith("gradient") else 0.05
        assert rows["bf16"][0][name] == pytest.approx(expected, rel=near, abs=0.02), name
    assert len(rows["bf16"]) == ITERATIONS
    assert all(np.isfinite(list(row.values())).all() for row in rows["bf16"])


@pytest.mark.parametrize("which", SETTINGS)
def test_a_step_on_the_gpu_is_one_on_the_processor(which: str) -> None:
    system = SETTINGS[which][0]
    data, drawn, found = data_of(system), None, {}
    for device in ("cpu", "cuda"):
        model = built(which, device=device, precision="fp32", mode="eager")
        sampler = model.sampler_for(data, data, EmbedderOptions(**TRAINING))
        model.meet(sampler, ITERATIONS)
        # Drawn on the processor whatever the device, so that a seed shows the same on both.
        batch = sampler.draw(8)
        drawn = drawn or batch
        torch.testing.assert_close(batch.images.cpu(), drawn.images, rtol=0, atol=1e-4)
        assert torch.equal(batch.subject.cpu(), drawn.subject)
        model.before_step()
        with model.runtime.active(training=True):
            found[device] = {name: v.item() for name, v in model.train_step(batch).items()}
    assert found["cuda"] == pytest.approx(found["cpu"], rel=2e-3, abs=1e-3)


@pytest.mark.parametrize("which", SETTINGS)
def test_it_embeds_as_the_processor_does(which: str, tmp_path: Path) -> None:
    model, _ = trained(which, precision="bf16")
    model.save(tmp_path / "model.h5")
    data = data_of(SETTINGS[which][0])
    here, there = (load(tmp_path / "model.h5", device=device) for device in ("cpu", "cuda"))
    expected = here.embed(data)
    size = float(np.linalg.norm(expected, axis=2).mean())
    np.testing.assert_allclose(there.embed(data), expected, rtol=0, atol=5e-3 * size)


@pytest.mark.usefixtures("one_order")
@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("which", ["gei-parts", "gait-phases", "gaitset", "gaitbase, small"])
def test_stopped_and_continued_it_gives_the_same(which: str, tmp_path: Path) -> None:
    system, settings = SETTINGS[which]
    path = write_input(tmp_path / "input.h5", system)
    # A command refuses a number of frames where none are drawn.
    draws = embedder_class(system).draws_frames
    training = {name: n for name, n in TRAINING.items() if draws or name != "frames"}
    how: dict[str, Any] = {
        "protocol": "halves",
        "system": system,
        "config": settings,
        "training": {**training, "people": 2, "log_every": 5},
        "device": "cuda",
        "precision": "fp32",
    }
    train_embedding(path, tmp_path / "whole.h5", **how)
    for stop in (6, 13):
        seen = iter(range(1, 100))
        calls = Callbacks(stop_requested=lambda seen=seen, stop=stop: next(seen) > stop)
        with pytest.raises(StoppedError):
            train_embedding(path, tmp_path / "parts.h5", callbacks=calls, **how)
    train_embedding(path, tmp_path / "parts.h5", **how)
    files = {}
    for name in ("whole", "parts"):
        with open_artifact(tmp_path / f"{name}.h5", "embedder") as artifact:
            assert artifact.parameters["runtime"]["mode"] == "cuda-graph"
            files[name] = {item: artifact.read(item) for item in artifact.names()}
    names = [item for item in files["whole"] if item.startswith(("weights/", "random/"))]
    assert {"random/sampler", "random/cpu"} < set(names)
    for item in names:
        np.testing.assert_array_equal(files["parts"][item], files["whole"][item], item)


def write_input(path: Path, system: str) -> Path:
    """The drawn people as an artefact."""
    if embedder_class(system).reads == "silhouettes":
        return write_silhouettes(path, keys(people=PEOPLE))
    geis = drawn_geis(size=(32, 32))
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": geis.images},
        parameters={"silhouettes": {"alignment": "person"}, "gei": {}},
        dataset="drawn",
        labels=geis.labels,
        dropped=[],
    )
    return path
