"""The nearest-neighbour loss against a search, and its filters against their definitions."""

from __future__ import annotations

import pytest
import torch

from gaitkit.translators.networks.losses import l1
from gaitkit.translators.systems.deformable import FeatureBank, nearest_neighbour_loss


def drawn(seed: int, shape: tuple[int, ...] = (2, 3, 6, 5)) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_it_equals_a_search_pixel_by_pixel(window: int) -> None:
    generated, real = drawn(1), drawn(2)
    n, _, height, width = generated.shape
    radius, distances = window // 2, []
    for image in range(n):
        for row in range(height):
            for column in range(width):
                here = generated[image, :, row, column]
                near = [
                    (here - real[image, :, y, x]).abs().sum().item()
                    for y in range(max(row - radius, 0), min(row + radius + 1, height))
                    for x in range(max(column - radius, 0), min(column + radius + 1, width))
                ]
                distances.append(min(near))
    found = nearest_neighbour_loss(generated, real, window).item()
    assert found == pytest.approx(sum(distances) / len(distances), rel=1e-12)


def test_its_gradient_is_a_numerical_derivative() -> None:
    generated, real = drawn(3, (1, 2, 4, 4)).requires_grad_(), drawn(4, (1, 2, 4, 4))
    assert torch.autograd.gradcheck(lambda g: nearest_neighbour_loss(g, real, 3), (generated,))


def test_a_shift_by_a_pixel_costs_nothing() -> None:
    real = drawn(5, (1, 1, 8, 8))
    shifted = torch.roll(real, 1, dims=3)
    inside = nearest_neighbour_loss(shifted[..., 1:7], real[..., 1:7], 3).item()
    assert inside < 0.3 * l1(shifted[..., 1:7], real[..., 1:7]).item()
    assert nearest_neighbour_loss(real, real, 3).item() == 0.0


def test_filters_are_intensity_sobel_and_laplacian() -> None:
    bank = FeatureBank()
    row, column = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    images = torch.stack([torch.ones(24, 24), 2 * column, 3 * row, column.square() + row.square()])
    features = bank(images.unsqueeze(1))[:, :, 12, 10]
    sharp, blurred = features[:, :4], features[:, 4:]
    expected = torch.tensor(
        [[1.0, 0, 0, 0], [20.0, 2, 0, 0], [36.0, 0, 3, 0], [244.0, 20, 24, 4.0]]
    )
    torch.testing.assert_close(sharp, expected)
    # A Gaussian keeps straight lines; it adds its variance, 0.996 for its seven values, to squares.
    torch.testing.assert_close(blurred[:3], expected[:3], atol=1e-3, rtol=0)
    torch.testing.assert_close(blurred[3], torch.tensor([246.0, 20, 24, 4.0]), atol=0.05, rtol=0)


def test_each_filter_is_divided_by_its_deviation_in_training() -> None:
    bank = FeatureBank()
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    bank.fit(images)
    deviations = bank(images).transpose(0, 1).flatten(1).std(dim=1, correction=0)
    torch.testing.assert_close(deviations, torch.ones(8))
    bank.fit(torch.zeros(2, 1, 16, 16))
    assert torch.isfinite(bank(images)).all()
