"""GaitBase has the published layers, sizes, training and augmentation."""

from __future__ import annotations

import pytest
import torch

from gaitkit.embedders import GaitBase, GaitBaseConfig
from gaitkit.embedders.base import varied_by
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.errors import OptionError


def test_parameters_are_those_counted_by_hand() -> None:
    def residual(a: int, b: int) -> int:
        beside = a * b + 2 * b if a != b else 0
        return 9 * a * b + 2 * b + 9 * b * b + 2 * b + beside

    stem = 9 * 64 + 2 * 64
    stages = residual(64, 64) + residual(64, 128) + residual(128, 256) + residual(256, 512)
    parts = 16 * 512 * 256
    neck = 2 * 16 * 256 + 16 * 256 * 74
    with torch.device("meta"):
        network = GaitBase.build_network(GaitBaseConfig(subjects=74))
    assert sum(weight.numel() for weight in network.parameters()) == stem + stages + parts + neck
    assert stem + stages == 4_896_960


def test_the_training_is_the_published_one() -> None:
    model = GaitBase(width=1, values=1, device="cpu")
    options = EmbedderOptions.from_parameters(dict(GaitBase.default_training))
    assert (options.iterations, options.batch_size, options.people, options.frames) == (
        60_000,
        128,
        8,
        30,
    )
    how = varied_by(options)
    assert (how.rotate, how.rotate_chance, how.erase, how.erase_area) == (10.0, 0.3, 0.3, 0.2)
    assert how.shear == how.stretch == how.shift == how.warp == 0.0
    steps = (0, 19_999, 20_000, 40_000, 50_000)
    rates = [model.rate_at(step, 60_000) for step in steps]
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.001])
    assert (model.config.softmax_weight, model.config.smoothing) == (1.0, 0.1)


@pytest.mark.parametrize("stem", ["full", "half"])
def test_sixteen_parts_at_either_resolution(stem: str) -> None:
    model = GaitBase(width=2, values=3, stem=stem, device="cpu")
    net = model.networks["E"]
    (maps,) = net.maps(torch.rand(2, 1, 64, 64))  # type: ignore[operator]
    assert maps.shape == (2, 16, 16, 11)
    assert net(torch.rand(2, 2, 64, 64)).shape == (2, 16, 3)


def test_parts_that_do_not_divide_the_rows_are_refused() -> None:
    with pytest.raises(OptionError, match="must divide a quarter of the height, 16, got 5"):
        GaitBaseConfig(part_count=5)
