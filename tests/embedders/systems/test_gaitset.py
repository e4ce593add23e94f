"""GaitSet has the published layers, sizes and training."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gaitkit.embedders import GaitSet, GaitSetConfig
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.systems.gaitset import GaitSetNet
from gaitkit.errors import OptionError


def test_parameters_are_those_counted_by_hand() -> None:
    first = 25 * 1 * 32 + 9 * 32 * 32
    second = 9 * 32 * 64 + 9 * 64 * 64
    third = 9 * 64 * 128 + 9 * 128 * 128
    matrices = 62 * 128 * 256
    shapes = GaitSet.expected_shapes(GaitSetConfig())
    total = sum(torch.Size(shape).numel() for shape in shapes.values())
    assert total == first + 2 * (second + third) + matrices == 2_594_592


def test_the_training_is_the_published_one() -> None:
    model = GaitSet(width=1, values=1, device="cpu")
    options = EmbedderOptions.from_parameters(dict(GaitSet.default_training))
    assert (options.iterations, options.batch_size, options.people, options.frames) == (
        40_000,
        128,
        8,
        30,
    )
    (group,) = model.optimizers["E"].param_groups
    assert type(model.optimizers["E"]) is torch.optim.SGD
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 5e-4)
    rates = [model.rate_at(step, 40_000) for step in (0, 9_999, 10_000, 20_000, 30_000, 39_999)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.001, 0.001])
    assert (model.config.metric, model.config.softmax_weight, model.config.margin) == (
        "parts",
        0.0,
        0.2,
    )


def written_out(net: GaitSetNet, sets: torch.Tensor) -> torch.Tensor:
    """The paper's formulas, frame by frame and strip by strip, with PyTorch's plain operations."""
    weights = dict(net.named_parameters())

    def block(name: str, maps: torch.Tensor, *, pool: bool) -> torch.Tensor:
        for which in ("first", "second"):
            weight = weights[f"{name}.{which}.weight"]
            maps = functional.conv2d(maps, weight, padding=weight.shape[-1] // 2)
            maps = functional.leaky_relu(maps, 0.01)
        return functional.max_pool2d(maps, 2) if pool else maps

    found = []
    for one in sets[..., 5:27]:  # 22 of 32 columns: as 44 of 64.
        a = [block("block1", frame[None, None], pool=True) for frame in one]
        b = [block("block2", maps, pool=True) for maps in a]
        c = [block("block3", maps, pool=False) for maps in b]
        a, b, c = (torch.cat(maps).amax(dim=0, keepdim=True) for maps in (a, b, c))
        whole = block("global2", a, pool=True) + b
        whole = block("global3", whole, pool=False) + c
        parts = [
            strip.mean(dim=(1, 2)) + strip.amax(dim=(1, 2))
            for maps in (c[0], whole[0])
            for count in (8, 4, 2, 1)
            for strip in maps.chunk(count, dim=1)
        ]
        found.append(torch.stack([p @ m for p, m in zip(parts, weights["matrices.weight"])]))
    return torch.stack(found)


def test_the_network_is_what_its_formulas_say() -> None:
    config = GaitSetConfig(width=2, values=3, image_size=(32, 32))
    model = GaitSet(config, device="cpu", precision="fp64")
    net = model.networks["E"]
    assert isinstance(net, GaitSetNet)
    sets = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = net(sets)
    expected = written_out(net, sets)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    weights = list(net.parameters())
    own = torch.autograd.grad(found.square().sum(), weights)
    theirs = torch.autograd.grad(expected.square().sum(), weights)
    for one, other in zip(own, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_half_resolution_leaves_the_parts_as_they_are() -> None:
    for stem in ("full", "half"):
        config = GaitSetConfig(width=2, values=3, stem=stem, norm="batch")
        model = GaitSet(config, device="cpu")
        assert model.networks["E"](torch.rand(2, 2, 64, 64)).shape == (2, 62, 3)


def test_a_height_that_cannot_be_quartered_is_refused() -> None:
    with pytest.raises(OptionError, match="multiple of 4, got 30"):
        GaitSetConfig(image_size=(30, 32))
