"""How examples are varied: one variation at a time, alike for all frames of a set."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.embedders.augmentation import Augmentation, augmented


def body(count: int = 3, frames: int = 1) -> torch.Tensor:
    """An upright box in the middle of 32×32."""
    images = torch.zeros(count, frames, 32, 32)
    images[:, :, 8:24, 13:19] = 1.0
    return images


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def middle_of(image: torch.Tensor) -> tuple[float, float]:
    """Centre of mass: row and column."""
    at = torch.arange(32.0)
    mass = image.sum()
    rows, columns = (image.sum(1) @ at / mass, image.sum(0) @ at / mass)
    return rows.item(), columns.item()


def test_nothing_is_changed_where_nothing_is_asked_for() -> None:
    images = body()
    before = generator().get_state()
    drawn = generator()
    assert augmented(images, Augmentation(), drawn) is images
    assert torch.equal(drawn.get_state(), before)


def test_a_shear_leans_the_body_and_keeps_its_middle() -> None:
    (leaning,) = augmented(body(1), Augmentation(shear=0.3), generator(1))[:, 0]
    assert middle_of(leaning) == pytest.approx((15.5, 15.5), abs=0.1)
    head, feet = (leaning[row] @ torch.arange(32.0) / leaning[row].sum() for row in (10, 21))
    assert 0.5 < abs(head.item() - feet.item()) < 0.3 * 11 + 0.1


def test_a_shift_moves_it_by_no_more_than_asked_for() -> None:
    moved = augmented(body(20), Augmentation(shift=3.0), generator())
    places = torch.tensor([middle_of(image[0]) for image in moved]) - 15.5
    assert places.abs().max() <= 3.01
    assert places.std(dim=0).min() > 0.5


def test_turning_keeps_what_lies_in_the_middle() -> None:
    turned = augmented(body(1), Augmentation(rotate=90.0), generator(3))
    assert turned.sum().item() == pytest.approx(body(1).sum().item(), rel=0.05)
    assert middle_of(turned[0, 0]) == pytest.approx((15.5, 15.5), abs=0.2)


def test_a_stretch_changes_the_width_by_no_more_than_asked_for() -> None:
    wide = augmented(body(20), Augmentation(stretch=0.2), generator())[:, 0]
    widths = wide[:, 16].sum(dim=1)
    assert widths.min() >= 6.0 / 1.2215 - 0.6
    assert widths.max() <= 6.0 * 1.2215 + 0.6
    assert widths.std() > 0.2


@given(st.integers(0, 2**31))
@settings(max_examples=30)
def test_erasing_blanks_one_box_of_a_bounded_size(seed: int) -> None:
    (image,) = augmented(torch.ones(1, 1, 40, 20), Augmentation(erase=1.0), generator(seed))[0]
    blank = image == 0
    rows, columns = blank.any(dim=1), blank.any(dim=0)
    assert torch.equal(blank, rows[:, None] & columns[None, :])
    assert 0.1 * 40 - 1 <= rows.sum() <= 0.4 * 40 + 1
    assert 0.2 * 20 - 1 <= columns.sum() <= 0.7 * 20 + 1


def test_erasing_happens_as_often_as_asked_for() -> None:
    images = augmented(torch.ones(400, 1, 8, 8), Augmentation(erase=0.25), generator())
    assert (images == 0).flatten(1).any(dim=1).float().mean().item() == pytest.approx(
        0.25, abs=0.06
    )


def test_all_frames_of_a_set_are_varied_alike_and_sets_differently() -> None:
    how = Augmentation(shear=0.1, stretch=0.1, shift=2.0, rotate=10.0, erase=1.0, warp=1.0)
    varied = augmented(body(2, frames=3), how, generator())
    assert torch.equal(varied[0, 0], varied[0, 2])
    assert not torch.equal(varied[0, 0], varied[1, 0])


def test_the_same_seed_varies_alike() -> None:
    how = Augmentation(shear=0.1, warp=1.0, erase=0.5)
    one, other = (augmented(body(), how, generator(7)) for _ in range(2))
    assert torch.equal(one, other)


def test_values_stay_between_background_and_body() -> None:
    how = Augmentation(shear=0.3, stretch=0.5, shift=8.0, rotate=45.0, erase=0.5, warp=3.0)
    varied = augmented(body(20), how, generator())
    assert varied.min() >= 0.0
    assert varied.max() <= 1.0
