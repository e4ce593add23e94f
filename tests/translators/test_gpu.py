"""What a GPU alone can show: every system, its steps recorded or not, in every precision.

As it is used nothing is the same to the last bit: gradients are added up in an order that changes
from run to run, and Adam moves a weight as far by a small gradient as by a large one. Where two
trainings must be the same, torch is asked for algorithms that add up in one order; what a GPU and a
processor give is compared by how far apart their weights are, in units of how far they have moved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_systems import small_config
from torch import nn

from gaitkit.artifacts import open_artifact
from gaitkit.errors import DeviceError, StoppedError
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.health import panel_of
from gaitkit.translators import Aim, GeiSet, load, train, translator_class, translator_names
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.recipes import get_recipe
from gaitkit.translators.sampling import Batch, TripleSampler

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

SYSTEMS = translator_names()
# The library for matrix products reads it when it is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

WIDER = {"width": 8, "identity_width": 8, "pair_width": 8, "n_critic": 2}
UNMOVED = {"forced": 1.0, "penalty_weight": 0.0, "erase_probability": 0.0, "dropout": 0.0}
"""Settings without which a step draws random numbers, and each device draws others."""
ITERATIONS = 40
"""Every kind of step is done often enough to be recorded, and replayed."""

Arrays = dict[str, NDArray[Any]]
Write = Callable[..., Path]


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


def known(system: str, *settings: dict[str, Any]) -> dict[str, Any]:
    """Those of some settings that a system has."""
    names = set(vars(translator_class(system).config_class()))
    together = {name: value for each in settings for name, value in each.items()}
    return {name: value for name, value in together.items() if name in names}


def built(system: str, geis: GeiSet, settings: dict[str, Any] | None = None, **how: Any) -> Any:
    config = small_config(system, geis, **known(system, WIDER, settings or {}))
    return translator_class(system)(config, **{"device": "cuda", "seed": 1, **how})


def without_dropout(model: Any) -> None:
    """Which values are left out is drawn: otherwise on each device, and for each kind of number."""
    for network in model.networks.values():
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0


def weights_of(model: Any) -> Arrays:
    found = {name: array.copy() for name, array in model.state_arrays().items()}
    return {
        name: array
        for name, array in found.items()
        if name.startswith("weights/") and array.dtype.kind == "f"
    }


def apart(one: Arrays, other: Arrays, start: Arrays) -> float:
    """How far apart two states are, in units of the way that the first has gone."""
    gap = sum(float(np.abs(one[name] - other[name]).sum()) for name in one)
    return gap / sum(float(np.abs(one[name] - start[name]).sum()) for name in one)


def trained(model: Any, geis: GeiSet, **options: Any) -> list[dict[str, float]]:
    """Train, and give every step's values."""
    rows: list[dict[str, float]] = []
    calls = Callbacks(on_progress=lambda step, total, values: rows.append(values))
    chosen = {"iterations": ITERATIONS, "batch_size": 8, "log_every": 1, "sample_every": 1000}
    model.fit(geis, callbacks=calls, **{**chosen, **options})
    return rows


@pytest.mark.usefixtures("one_order")
@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_recorded_steps_give_what_unrecorded_ones_give(
    system: str, precision: str, write_geis: Write
) -> None:
    geis = GeiSet.open(write_geis())
    ends, values = [], []
    for mode in ("eager", "cuda-graph"):
        model = built(system, geis, precision=precision, mode=mode)
        values.append(trained(model, geis))
        # A step that could not be recorded would have made the mode eager.
        assert model.runtime.mode == mode
        ends.append(weights_of(model))
    assert values[0] == values[1]
    for name, weights in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], weights, name)


CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("gaitgan", dict(get_recipe("best").config)),
    ("gaitgan", dict(get_recipe("gaitgan-v2").config)),
    ("gaitgan", {"r1_weight": 1.0, "matte": True, "skips": 2, "identity_weight": 1.0}),
    *(
        (name, {"paired": True, "pair_contrast_weight": 1.0})
        for name in SYSTEMS
        if name != "gaitgan"
    ),
    ("stargan", {"identity_weight": 1.0}),
    ("deformable", {"boxes": "blend"}),
]


@pytest.mark.parametrize(("system", "settings"), CHOICES)
def test_what_is_off_by_default_is_recorded_too(
    system: str, settings: dict[str, Any], write_geis: Write
) -> None:
    geis = GeiSet.open(write_geis())
    model = built(system, geis, {**settings, "width": 8}, precision="bf16")
    rows = trained(model, geis, iterations=20, shift=1, warp=0.5, balanced=True)
    assert model.runtime.mode == "cuda-graph"
    assert all(np.isfinite(list(row.values())).all() for row in rows)


def test_several_data_sets_are_recorded(write_geis: Write) -> None:
    geis = GeiSet.open(write_geis())
    both = geis.beside([GeiSet.open(write_geis("other.h5", dataset="another"))])
    model = built("stargan", both, precision="bf16")
    trained(model, both, iterations=20)
    assert model.runtime.mode == "cuda-graph"


@pytest.mark.parametrize("system", SYSTEMS)
def test_bfloat16_begins_as_float32_does(system: str, write_geis: Write) -> None:
    """Losses within 5 % (or 0.02), the length of gradients within a fifth, of the first step."""
    geis = GeiSet.open(write_geis())
    rows = {}
    for precision in ("fp32", "bf16"):
        model = built(system, geis, UNMOVED, precision=precision, mode="eager")
        without_dropout(model)
        (rows[precision],) = trained(model, geis, iterations=1)
    for name, expected in rows["fp32"].items():
        if panel_of(name) != "accuracy":
            near = 0.2 if panel_of(name) == "gradient" else 0.05
            assert rows["bf16"][name] == pytest.approx(expected, rel=near, abs=0.02), name


@pytest.mark.parametrize(
    ("system", "settings"), [*((system, {}) for system in SYSTEMS), ("gaitgan", {"r1_weight": 1.0})]
)
def test_a_step_on_the_gpu_is_one_on_the_processor(
    system: str, settings: dict[str, Any], write_geis: Write
) -> None:
    geis = GeiSet.open(write_geis())
    chosen = {**UNMOVED, **settings}
    models = {
        device: built(system, geis, chosen, device=device, precision="fp32", mode="eager")
        for device in ("cpu", "cuda")
    }
    found = translator_class(system)
    drawn: Batch | None = None
    values, ends, start = {}, {}, weights_of(models["cpu"])
    for device, model in models.items():
        sampler = TripleSampler(
            geis.images, geis.labels, device=device, positives=found.wants_positive
        )
        model.meet(sampler, ITERATIONS)
        model.steps_done = ITERATIONS - 1
        without_dropout(model)
        drawn = drawn or sampler.draw(8)
        batch = Batch(**{name: tensor.to(device) for name, tensor in vars(drawn).items()})
        model.before_step()
        with model.runtime.active(training=True):
            values[device] = {name: v.item() for name, v in model.train_step(batch).items()}
        ends[device] = weights_of(model)
    for name, expected in values["cpu"].items():
        if panel_of(name) != "accuracy":
            assert values["cuda"][name] == pytest.approx(expected, rel=2e-3, abs=1e-4), name
    assert apart(ends["cpu"], ends["cuda"], start) < 0.05


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_translates_as_the_processor_does(
    system: str, write_geis: Write, tmp_path: Path
) -> None:
    geis = GeiSet.open(write_geis())
    model = built(system, geis, precision="bf16", mode="eager")
    trained(model, geis, iterations=3)
    model.save(tmp_path / "model.h5")
    here, there = (load(tmp_path / "model.h5", device=device) for device in ("cpu", "cuda"))
    # Of 255 grey values.
    np.testing.assert_allclose(there.translate(geis), here.translate(geis), atol=0.1)
    if "views" in here.offers:
        aim = Aim(0.0, "cl")
        np.testing.assert_allclose(there.translate(geis, aim), here.translate(geis, aim), atol=0.1)
    if "embedding" in here.offers:
        np.testing.assert_allclose(there.embed(geis), here.embed(geis), rtol=0.01, atol=1e-3)


@pytest.mark.usefixtures("one_order")
@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("system", SYSTEMS)
def test_stopped_and_continued_it_gives_the_same(
    system: str, write_geis: Write, tmp_path: Path
) -> None:
    path = write_geis()
    geis = GeiSet.open(path)
    config = small_config(system, geis, **known(system, WIDER)).as_parameters()
    options = {"iterations": ITERATIONS, "batch_size": 8, "log_every": 5, "sample_every": 1000}
    how: dict[str, Any] = {
        "subjects": geis.labels.subjects(),
        "system": system,
        "config": config,
        "options": TranslatorOptions(**options),
        "device": "cuda",
        "precision": "fp32",
    }
    train(path, tmp_path / "whole.h5", **how)
    for stop in (6, 23):
        seen = iter(range(1, 100))
        calls = Callbacks(stop_requested=lambda seen=seen, stop=stop: next(seen) > stop)
        with pytest.raises(StoppedError):
            train(path, tmp_path / "parts.h5", callbacks=calls, **how)
    train(path, tmp_path / "parts.h5", **how)
    files = {}
    for name in ("whole", "parts"):
        with open_artifact(tmp_path / f"{name}.h5", "translator") as artifact:
            assert artifact.parameters["runtime"]["mode"] == "cuda-graph"
            files[name] = {item: artifact.read(item) for item in artifact.names()}
    names = [item for item in files["whole"] if item.startswith(("weights/", "random/"))]
    assert {"random/sampler", "random/cpu"} < set(names)
    for item in names:
        np.testing.assert_array_equal(files["parts"][item], files["whole"][item], item)


def test_people_held_out_are_scored(write_geis: Write) -> None:
    geis = GeiSet.open(write_geis())
    model = built("gaitgan", geis, precision="bf16")
    trained(model, geis, iterations=20, validation_subjects=2, validate_every=5)
    assert model.runtime.mode == "cuda-graph"
    assert model.training.history.validation_steps == [5, 10, 15, 20]
    assert np.isfinite(model.training.history.validation_scores).all()


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Nearly nothing of the GPU's memory for this process."""
    torch.cuda.empty_cache()
    have = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**29) / have)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("mode", ["eager", "cuda-graph"])
def test_too_little_memory_is_said_and_does_no_harm(mode: str, write_geis: Write) -> None:
    geis = GeiSet.open(write_geis())
    model = built("gaitgan", geis, precision="fp32", mode=mode)
    with pytest.raises(DeviceError, match=r"too little memory for iteration 1: .*[Oo]ut of memory"):
        trained(model, geis, batch_size=2**16)
    again = built("gaitgan", geis, precision="fp32", mode=mode)
    trained(again, geis, iterations=10)
    assert again.runtime.mode == mode


@pytest.mark.usefixtures("little_memory")
def test_the_command_says_too_little_memory_in_words(
    gaitkit: Callable[..., Any], write_geis: Write, tmp_path: Path
) -> None:
    options = ["--protocol", "halves", "--device", "cuda", "--precision", "fp32", "--width", 8]
    output = tmp_path / "model.h5"
    ran = gaitkit("train-gan", write_geis(), "-o", output, "--batch-size", 4096, *options)
    assert ran.code == 1
    assert "Error: The device has too little memory for iteration 1" in ran.stderr
    assert "smaller --batch-size" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_draws_on_the_gpu_are_what_they_should_be(write_geis: Write) -> None:
    geis = GeiSet.open(write_geis())
    sampler = TripleSampler(
        geis.images, geis.labels, device="cuda", balanced=True, shift=1, warp=0.5, positives=True
    )
    state = sampler.state_array()
    batch = sampler.draw(512)
    rows = {name: values.cpu().numpy() for name, values in vars(batch).items()}
    subject = geis.labels.subject
    assert (subject[rows["rows"]] == subject[rows["target_rows"]]).all()
    assert (subject[rows["rows"]] == subject[rows["positive_rows"]]).all()
    assert (subject[rows["rows"]] != subject[rows["unrelated_rows"]]).all()
    assert set(geis.labels.view[rows["target_rows"]]) == {90.0}
    assert np.abs(rows["source"]).max() <= 1.0
    shown = geis.labels.condition[rows["rows"]]
    assert 0.35 < (shown == "cl").mean() < 0.65
    sampler.load_state_array(state)
    again = sampler.draw(512)
    assert torch.equal(again.source, batch.source)
    assert torch.equal(again.rows, batch.rows)
