"""The running trend: steady growth and swinging legs are normal, sudden changes are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.silhouettes.trend import off_trend, running_trend

FRAMES = np.arange(80)


def test_a_straight_line_is_its_own_trend():
    position = np.array([0, 1, 2, 5, 6, 9, 10.0])
    assert running_trend(position, 3 * position - 7, 5) == pytest.approx(3 * position - 7)


def test_an_outlier_does_not_bend_the_trend():
    values = 2.0 * np.arange(7)
    values[3] = 1000
    assert running_trend(np.arange(7), values, 7) == pytest.approx(2.0 * np.arange(7))


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_frames_have_no_trend(n):
    off, ratio, _ = off_trend(np.arange(n), np.full(n, 50.0), 25, 0.1)
    assert off.tolist() == [False] * n
    assert ratio.tolist() == [1.0] * n


def approaching(start_m: float = 9.0, end_m: float = 3.0) -> np.ndarray:
    """Height in pixels of somebody who walks towards the camera at a constant speed."""
    return np.round(540 / np.linspace(start_m, end_m, len(FRAMES)))


def swinging(height: np.ndarray, period: float = 26.0, depth: float = 0.2) -> np.ndarray:
    """Area that swings with the legs: two steps per period."""
    return height**2 * 0.22 * (1 + depth * np.sin(4 * np.pi * FRAMES / period))


@pytest.mark.parametrize("height", [np.full(80, 120.0), approaching(), approaching(3, 9)])
def test_walkers_are_on_their_trend(height):
    """Height triples between the first and the last frame, which a median would not forgive."""
    bob = height * (1 + 0.02 * np.sin(4 * np.pi * FRAMES / 26))
    assert not off_trend(FRAMES, bob, 25, 0.1)[0].any()
    assert not off_trend(FRAMES, swinging(height), 25, 0.5)[0].any()


def test_somebody_who_comes_near_fast_is_on_the_trend_of_one_over_the_height():
    """From 9 to 1.5 m, ten frames a second: no line fits logarithms at the end."""
    height = 540 / (9 - 0.14 * np.arange(54))
    position = np.arange(54)
    assert off_trend(position, height, 25, 0.1)[0].any()
    assert not off_trend(position, height, 25, 0.1, power=1)[0].any()
    assert not off_trend(position, 0.2 * height**2, 25, 0.1, power=0.5)[0].any()
    height[[20, 50]] *= 0.75
    assert np.flatnonzero(off_trend(position, height, 25, 0.1, power=1)[0]).tolist() == [20, 50]


@given(
    st.sets(st.integers(0, 79), min_size=1, max_size=5),
    st.sampled_from([0.5, 0.8, 0.87, 1.15, 1.3, 2.0]),
)
def test_just_the_planted_outliers_are_off(planted, factor):
    height = approaching()
    height[sorted(planted)] *= factor
    off, ratio, limit = off_trend(FRAMES, height, 25, 0.1)
    assert set(np.flatnonzero(off).tolist()) == planted
    assert np.all(np.maximum(ratio, 1 / ratio)[off] > limit)


def test_several_bad_frames_in_a_row():
    area = swinging(approaching())
    area[30:35] *= 0.3
    assert np.flatnonzero(off_trend(FRAMES, area, 25, 0.5)[0]).tolist() == [30, 31, 32, 33, 34]


def test_a_restless_sequence_is_judged_by_its_own_swing_up_to_twice_the_tolerance():
    swing = 1 + 0.14 * np.sin(FRAMES)
    off, _, limit = off_trend(FRAMES, 100 * swing, 25, 0.1)
    assert not off.any()
    assert 1.14 < limit <= 1.2
    off, _, limit = off_trend(FRAMES, 100 * (1 + 0.5 * np.sin(FRAMES)), 25, 0.1)
    assert off.any()
    assert limit == pytest.approx(1.2)
