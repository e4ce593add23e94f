"""DG-Net's layers and losses against what they are by definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from gaitkit.translators.systems.dgnet import kl_divergence, least_squares
from gaitkit.translators.systems.dgnet_networks import (
    Composer,
    DoublingConv2d,
    IdentityEncoder,
    LayoutEncoder,
    ScalesCritic,
    shrink,
)


def images(count: int = 3, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.rand(count, 1, side, side, dtype=torch.float64, generator=generator) - 1


def test_doubling_convolution_is_a_convolution_of_the_doubled_image() -> None:
    for size, reflected, mode in (
        ((6, 5), True, "reflect"),
        ((2, 3), True, "reflect"),
        ((1, 3), True, "replicate"),
        ((6, 5), False, "replicate"),
    ):
        layer = DoublingConv2d(3, 4, reflected=reflected).double()
        values = torch.randn(2, 3, *size, dtype=torch.float64)
        doubled = values.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        padded = functional.pad(doubled, (2, 2, 2, 2), mode=mode)
        plain = functional.conv2d(padded, layer.weight, layer.bias)
        torch.testing.assert_close(layer(values), plain)


def test_identity_encoder_leaves_pixels_out_as_strided_convolutions_do() -> None:
    block: Any = IdentityEncoder(4, (5,)).eval().blocks[1]
    values = torch.randn(2, 8, 16, 16)
    strided = functional.conv2d(values, block.shortcut[0].weight, stride=2)
    passed = block.shortcut[1](strided)
    torch.testing.assert_close(block(values), functional.relu(block.layers(values) + passed))


def test_identity_code_is_the_largest_value_of_each_of_four_stripes() -> None:
    encoder = IdentityEncoder(2, (5, 3)).double().eval()
    found = encoder.blocks(images(side=64))
    seen = encoder(images(side=64))
    assert found.shape == (3, 32, 8, 8)
    for stripe in range(4):
        part = found[:, :, 2 * stripe : 2 * stripe + 2]
        torch.testing.assert_close(seen.code[:, stripe], part.amax(dim=(2, 3)))
    assert [scores.shape for scores in seen.scores] == [(3, 5), (3, 3)]
    assert [features.shape for features in seen.features] == [(3, 32), (3, 32)]


def test_layout_does_not_tell_grey_from_white() -> None:
    """What differs in grey alone nearly has one layout; what differs in place has not.

    Half of the body is greyer: what is greyer as a whole is the same to instance normalisation.
    """
    torch.manual_seed(0)
    encoder = LayoutEncoder(2, (32, 32), (1, 1)).double()
    silhouette = torch.full((1, 1, 32, 32), -1.0, dtype=torch.float64)
    silhouette[..., 8:24, 8:16] = 1.0
    greyer = silhouette.clone()
    greyer[..., 16:24, 8:16] = 0.7
    moved = silhouette.roll(8, dims=3)
    codes = [encoder(shrink(image)) for image in (silhouette, greyer, moved)]
    assert codes[0].shape == (1, 16, 8, 8)
    by_grey, by_place = ((codes[0] - other).abs().mean().item() for other in codes[1:])
    # By 20 seeds 0.001 to 0.005; with grey values as they are 0.06 to 0.21.
    assert by_grey < 0.015 * by_place


def test_each_stripe_drives_its_own_block() -> None:
    composer = Composer(2, 2).double()
    layout = torch.randn(2, 16, 8, 8, dtype=torch.float64)
    identity = torch.randn(2, 4, 32, dtype=torch.float64)
    values = layout
    for stripe, each in enumerate(composer.blocks):
        block: Any = each
        scale, shift = (
            part(identity[:, stripe]).reshape(2, 2, 16, 1, 1) for part in (block.scale, block.shift)
        )
        inner = values
        for number, convolution in enumerate((block.first, block.second)):
            inner = convolution(inner)
            mean = inner.mean(dim=(2, 3), keepdim=True)
            spread = inner.var(dim=(2, 3), keepdim=True, unbiased=False).add(1e-5).sqrt()
            inner = (inner - mean) / spread * scale[:, number] + shift[:, number]
            inner = inner if number else functional.leaky_relu(inner, 0.2)
        values = values + inner
    drawn = composer(identity, layout)
    torch.testing.assert_close(drawn, torch.tanh(composer.up(values)))
    assert drawn.shape == (2, 1, 32, 32)


def test_critic_looks_at_three_sizes() -> None:
    critic = ScalesCritic(2).double()
    assert [scores.shape[2:] for scores in critic(images(side=64))] == [(16, 16), (8, 8), (4, 4)]


def test_gradient_penalty_is_the_squared_slope_found_by_differences() -> None:
    """The slope of every scale's sum by each pixel of the images at their full size."""
    critic = ScalesCritic(1).double()
    at, step = images(2, side=16), 1e-6
    penalty = 0.0
    with torch.no_grad():
        for index in np.ndindex(*at.shape):
            ahead, behind = at.clone(), at.clone()
            ahead[index] += step
            behind[index] -= step
            for above, below in zip(critic(ahead), critic(behind), strict=True):
                slope = (above.sum() - below.sum()) / (2 * step)
                penalty += slope.item() ** 2 / len(at)
    assert critic.gradient_penalty(at).item() == pytest.approx(penalty, rel=1e-5)


def test_losses_are_their_formulas() -> None:
    maps = [torch.tensor([[0.5, 2.0]]), torch.tensor([3.0])]
    assert least_squares(maps, 1.0).item() == pytest.approx((0.25 + 1) / 2 + 4)
    teacher, student = torch.randn(2, 4, 5, dtype=torch.float64)
    t, s = teacher.softmax(dim=1), student.softmax(dim=1)
    by_hand = sum((t[i, j] * (t[i, j] / s[i, j]).log()).item() for i in range(4) for j in range(5))
    assert kl_divergence(teacher, student).item() == pytest.approx(by_hand / 4)
