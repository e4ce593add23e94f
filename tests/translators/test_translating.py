"""Translating in memory gives the same bytes whatever stands beside a GEI; states are arrays."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import DamagedArtifactError, OptionError
from gaitkit.training.runtime import Runtime
from gaitkit.translators import GaitGAN, GaitGANConfig, translator_class, translator_names
from gaitkit.translators.base import TRANSLATION_BATCH


def images(count: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, side, side), dtype=np.uint8)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(TRANSLATION_BATCH + 20)), st.integers(1, TRANSLATION_BATCH + 20))
def test_a_translation_does_not_depend_on_its_neighbours(order: list[int], count: int) -> None:
    model = GaitGAN(GaitGANConfig(width=4, image_size=(16, 16)), device="cpu", threads=2)
    rows = order[:count]
    whole = model.translate(images(len(order), 16))
    some = model.translate(images(len(order), 16)[rows])
    assert np.array_equal(some.view(np.int32), whole[rows].view(np.int32))


def test_translations_are_grey_values_not_rounded() -> None:
    result = GaitGAN(GaitGANConfig(width=4), device="cpu").translate(images(3))
    assert (result.dtype, result.shape) == (np.dtype(np.float32), (3, 64, 64))
    assert 0 <= result.min() < result.max() <= 255
    assert not np.array_equal(result, np.rint(result))


def test_no_images_give_no_translations() -> None:
    assert GaitGAN(GaitGANConfig(width=2), device="cpu").translate(images(0)).shape == (0, 64, 64)


def test_translating_leaves_the_networks_as_they_were() -> None:
    model = GaitGAN(GaitGANConfig(width=2, ema_decay=0.5), device="cpu")
    before = model.state_arrays()
    model.translate(images(3))
    after = model.state_arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert model.networks["G"].training


def test_states_go_through_arrays_and_back() -> None:
    config = GaitGANConfig(width=2)
    first, second = (GaitGAN(config, device="cpu", seed=seed) for seed in (1, 2))
    second.load_state_arrays(first.state_arrays())
    assert np.array_equal(first.translate(images(2)), second.translate(images(2)))
    kinds = {array.dtype.name for array in first.state_arrays().values()}
    assert kinds == {"float32", "int64"}


def spoil(name: str, array: np.ndarray | None) -> dict[str, np.ndarray]:
    arrays = GaitGAN(GaitGANConfig(width=2), device="cpu").state_arrays()
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    return arrays


KERNEL = "weights/G/encoder.conv1.weight"


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (KERNEL, None, "is missing"),
        ("weights/E/x", np.zeros(1, np.float32), "belongs to no network"),
        (KERNEL, np.zeros((2, 1, 4), np.float32), "has shape"),
        (KERNEL, np.zeros((2, 1, 4, 4), np.int64), "has type int64"),
        (KERNEL, np.full((2, 1, 4, 4), np.nan, np.float32), "not numbers"),
        ("optimizer/Z/exp_avg/G/x", np.zeros(1, np.float32), "belongs to no optimiser"),
        ("optimizer/G/exp_avg/G/x", np.zeros(1, np.float32), "is missing"),
    ],
)
def test_states_that_do_not_fit_are_refused(
    name: str, array: np.ndarray | None, message: str
) -> None:
    model = GaitGAN(GaitGANConfig(width=2), device="cpu")
    with pytest.raises(DamagedArtifactError, match=message):
        model.load_state_arrays(spoil(name, array))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0}, r"width must be in \[1, 512\], got 0"),
        ({"width": 10**9}, r"width must be in \[1, 512\]"),
        ({"width": 4.0}, "width must be of type int, got 4.0"),
        ({"width": True}, "width must be of type int, got True"),
        ({"width": "96"}, "width must be of type int"),
        ({"image_size": [16, 10**6]}, r"image_size must be in \[16, 512\]"),
        ({"image_size": [64]}, "image_size must be 2 numbers"),
        ({"betas": [0.9, 1.0]}, r"betas must be in \[0, 1\)"),
        ({"learning_rate_g": float("nan")}, r"learning_rate_g must be in"),
        ({"colour": 3}, "unknown setting 'colour' of GaitGANConfig; known: image_size, width"),
    ],
)
def test_settings_are_bounded(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        GaitGANConfig.from_parameters(parameters)


def test_settings_go_through_json_and_back() -> None:
    config = GaitGANConfig(width=8, betas=(0.5, 0.999), image_size=(32, 64))
    assert config.as_parameters()["image_size"] == [32, 64]
    assert GaitGANConfig.from_parameters(config.as_parameters()) == config


def test_every_registered_system_can_be_had() -> None:
    assert "gaitgan" in translator_names()
    for name in translator_names():
        assert translator_class(name).name == name
    with pytest.raises(OptionError, match="there is no translator 'gitgan'; known: attgan, "):
        translator_class("gitgan")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, got 'tpu'"),
        ({"precision": "fp8"}, "precision must be one of auto, fp32, tf32, bf16, fp64, got 'fp8'"),
        ({"threads": 0}, r"threads must be in \[1, 1024\], got 0"),
    ],
)
def test_an_unknown_arithmetic_is_refused(choice: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Runtime.choose(**choice)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_gpu_is_said() -> None:
    with pytest.raises(OptionError, match="finds no CUDA device"):
        Runtime.choose("cuda")
    assert Runtime.choose("auto").device == "cpu"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_the_gpu_translates_as_the_cpu_does() -> None:
    config = GaitGANConfig(width=8)
    cpu, gpu = (GaitGAN(config, device=device).translate(images(5)) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu, cpu, atol=0.05)


def test_importing_the_package_does_not_import_torch() -> None:
    code = (
        "import sys, gaitkit.translators, gaitkit.translators.registry;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
