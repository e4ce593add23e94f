"""Frames that are cut around the person, and people whom the picture cuts."""

import pytest

from gaitkit.silhouettes.tight import Fit, are_tight

HEAD, TRUNK = 0.5, 1.0


def fits(count: int, crown: float, shape: tuple[int, int] = (128, 88)) -> list[Fit]:
    return [Fit(shape, 1.0, crown)] * count


@pytest.mark.parametrize("shape", [(64, 64), (128, 88), (240, 240), (64, 44)])
def test_frames_of_one_size_that_begin_with_a_head(shape):
    assert are_tight(fits(20, HEAD, shape), 20)


def test_a_camera_that_sees_no_head_is_too_near():
    assert not are_tight(fits(20, TRUNK), 20)


def test_a_picture_much_wider_than_high_is_the_camera_s():
    assert not are_tight(fits(20, HEAD, (240, 320)), 20)


def test_sizes_that_follow_the_person_are_cut():
    varied = [Fit((120 + i % 3, 40 + i % 11), 1.0, TRUNK) for i in range(20)]
    assert are_tight(varied, 20)


@pytest.mark.parametrize(("people", "tight"), [(20, True), (22, True), (23, False), (40, False)])
def test_nearly_all_frames_with_somebody_have_to_be_filled(people, tight):
    not_quite = [Fit((128, 88), 0.95, HEAD)] * 20
    assert are_tight(not_quite, people) is tight


def test_specks_that_were_cut_out_together_with_the_person_make_the_person_smaller_in_some_frames():
    """As in frames of 64x64 of which a shred in a corner is a part: the others are still tight."""
    assert are_tight(fits(20, HEAD), 33)
    assert not are_tight(fits(20, HEAD), 34)
    assert not are_tight(fits(20, TRUNK), 33)


def test_nobody_is_not_tight():
    assert not are_tight([], 0)
