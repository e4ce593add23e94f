"""Shifted sources and bodies of other proportions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.training.images import crop_width, shift_images, warp_bodies, warp_grid


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_shift_moves_whole_pixels_and_fills_with_background() -> None:
    image = torch.full((400, 1, 5, 4), -1.0)
    image[:, 0, 2, 1] = 0.5
    moved = shift_images(image, 1, seeded())
    # Nine displacements, all of them drawn, each with the one bright pixel beside where it was.
    places = {tuple(place) for place in (moved[:, 0] == 0.5).nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in (1, 2, 3) for column in (0, 1, 2)}
    assert (moved == -1.0).sum() == image.numel() - 400


@given(largest=st.integers(0, 3), seed=st.integers(0, 2**31))
def test_a_shift_keeps_size_type_and_seed(largest: int, seed: int) -> None:
    images = torch.rand((3, 1, 6, 5), generator=seeded(1)) * 2 - 1
    moved = shift_images(images, largest, seeded(seed))
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert torch.equal(moved, shift_images(images, largest, seeded(seed)))
    if largest == 0:
        assert torch.equal(moved, images)


def test_no_strength_leaves_bodies_as_they_are() -> None:
    images = torch.rand((2, 1, 8, 6), generator=seeded()) * 2 - 1
    grid = warp_grid(2, (8, 6), 0.0, generator=seeded())
    torch.testing.assert_close(warp_bodies(images, grid), images)


@given(seed=st.integers(0, 2**31))
def test_heights_stay_in_order_and_head_and_feet_in_place(seed: int) -> None:
    grid = warp_grid(4, (64, 64), 1.0, generator=seeded(seed))
    x, y = grid.unbind(dim=-1)
    assert (y[:, 1:] > y[:, :-1]).all()
    torch.testing.assert_close(y[:, 0], torch.full((4, 64), -1.0))
    torch.testing.assert_close(y[:, -1], torch.full((4, 64), 1.0), atol=1e-5, rtol=0)
    # A row is stretched about its middle: left and right mirror each other.
    torch.testing.assert_close(x, -x.flip(2))


def test_a_row_is_stretched_about_its_middle() -> None:
    image = torch.full((1, 1, 3, 5), -1.0)
    image[0, 0, :, 1:4] = 1.0
    across = torch.linspace(-1, 1, 5).expand(3, 5)
    down = torch.linspace(-1, 1, 3)[:, None].expand(3, 5)
    # Taken from half as far out: all five columns show the three bright ones.
    wide = warp_bodies(image, torch.stack([across / 2, down], dim=-1)[None])
    assert torch.equal(wide, torch.ones(1, 1, 3, 5))
    # Taken from twice as far out: only the middle column does, the others lie outside or between.
    slim = warp_bodies(image, torch.stack([across * 2, down], dim=-1)[None])
    assert slim[0, 0, 0].tolist() == pytest.approx([-1, -1, 1, -1, -1])


def test_columns_at_both_sides_are_cut_off() -> None:
    frames = torch.arange(64.0).expand(1, 1, 64, 64)
    assert crop_width(frames)[0, 0, 0].tolist() == list(range(10, 54))
    narrow = torch.zeros(1, 1, 64, 32)
    assert crop_width(narrow).shape == narrow.shape
