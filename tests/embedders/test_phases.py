"""Frames of a walk, sorted by how far apart the legs are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.embedders.phases import leg_spread, phase_images

SETS = st.integers(1, 9).flatmap(lambda n: arrays(np.uint8, (n, 8, 4)))


def standing(*columns: int) -> np.ndarray:
    """One frame, 16×8, whose legs are in these columns."""
    frame = np.zeros((16, 8), dtype=np.uint8)
    frame[:, list(columns)] = 255
    return frame


def test_the_spread_is_that_of_the_legs_alone() -> None:
    frame = standing(3, 4)
    frame[:10] = 255  # Arms and all above the legs, rows 0 to 9.
    # Columns 3 and 4, and 0 and 7: half a pixel, and three and a half, from the middle.
    assert leg_spread(np.stack([frame, standing(0, 7)])).tolist() == [0.25, 12.25]
    assert leg_spread(np.zeros((1, 8, 8), dtype=np.uint8)).tolist() == [0.0]


def test_phases_go_from_legs_together_to_legs_apart() -> None:
    frames = np.stack([standing(0, 7), standing(3, 4), standing(1, 6), standing(2, 5)])
    found = phase_images(frames, 4)
    np.testing.assert_array_equal(found, frames[[1, 3, 2, 0]])
    two = phase_images(frames, 2)
    assert two[0, 0].tolist() == [0, 0, 128, 128, 128, 128, 0, 0]
    assert two[1, 0].tolist() == [128, 128, 0, 0, 0, 0, 128, 128]


def test_a_frame_at_the_border_of_two_phases_is_in_both_by_shares() -> None:
    frames = np.stack([standing(3, 4), standing(2, 5), standing(1, 6)])
    # A frame and a half each: of the second, a third of what is seen.
    together, apart = phase_images(frames, 2)
    assert together[0].tolist() == [0, 0, 85, 170, 170, 85, 0, 0]
    assert apart[0].tolist() == [0, 170, 85, 0, 0, 85, 170, 0]


@given(SETS, st.integers(1, 5))
def test_their_mean_is_the_gei(frames: np.ndarray, count: int) -> None:
    found = phase_images(frames, count)
    assert found.shape == (count, 8, 4)
    np.testing.assert_allclose(found.mean(axis=0), frames.mean(axis=0), atol=0.5 + 1e-9)


@given(SETS, st.integers(1, 5))
def test_the_order_of_frames_means_nothing_nor_how_often_all_are_there(
    frames: np.ndarray, count: int
) -> None:
    found = phase_images(frames, count)
    order = np.random.default_rng(len(frames)).permutation(len(frames))
    np.testing.assert_array_equal(phase_images(frames[order], count), found)
    np.testing.assert_array_equal(phase_images(np.repeat(frames, 3, axis=0), count), found)
