"""The gait period of walkers of known cadence, seen from the side and from the front."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.gei.period import autocorrelation, gait_period, leg_spread, whole_cycles


def walker(n: int, period: float, *, swing: float = 18.0, lame: float = 0.0) -> np.ndarray:
    """Two legs that swing against each other below a trunk, 64x64.

    `swing` is the reach of a foot in rows; `lame` makes one step shorter than the other.
    """
    frames = np.zeros((n, 64, 64), np.uint8)
    frames[:, :32, 26:38] = 255
    phase = 2 * np.pi * np.arange(n) / period
    reach = swing * np.sin(phase) * (1 - lame * (np.sin(phase) > 0))
    for t in range(n):
        for row in range(32, 64):
            for sign in (-1, 1):
                x = 32 + sign * reach[t] * (row - 32) / 32
                frames[t, row, round(x - 3) : round(x + 3)] = 255
    return frames


def stepper(n: int, period: float) -> np.ndarray:
    """Seen from the front by a camera to one side: one foot is lifted out of sight, then the other.

    The spread is hardly larger with one foot forward than with the other.
    """
    frames = np.zeros((n, 64, 64), np.uint8)
    frames[:, :60, 24:40] = 255
    forward = np.sin(2 * np.pi * np.arange(n) / period)
    for t in range(n):
        frames[t, 44:, round(24 - 4 * max(0, forward[t])) : 40] = 255
        frames[t, 44:, 24 : round(40 + 1 * max(0, -forward[t]))] = 255
    return frames


def test_leg_spread_written_out():
    frames = np.zeros((3, 8, 8), np.uint8)
    frames[0, 6:, [1, 5]] = 255  # Two columns, two pixels to either side of their mean.
    frames[1, 6:, 3] = 255
    frames[1, :6] = 255  # Above the lowest quarter: does not count.
    assert leg_spread(frames).tolist() == [2.0, 0.0, 0.0]


def test_autocorrelation_over_the_frames_that_exist():
    index = np.array([i for i in range(60) if i not in (7, 20, 21)])
    result = autocorrelation(np.sin(2 * np.pi * index / 10), index, 20)
    assert result[0] == pytest.approx(1)
    assert result[10] == pytest.approx(1, abs=0.02)
    assert result[5] == pytest.approx(-1, abs=0.05)


def test_autocorrelation_without_enough_pairs_is_unknown():
    assert np.isnan(autocorrelation(np.arange(8) % 3, np.arange(8), 4)[3:]).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(18, 40), st.integers(0, 5))
def test_from_the_side_a_cycle_is_two_steps(period, more):
    frames = walker(int(2.2 * period) + more, period)
    assert gait_period(frames) == pytest.approx(period, rel=0.05)


@pytest.mark.parametrize("lame", [0.1, 0.3, 0.5])
def test_unequal_steps_do_not_halve_or_double_it(lame):
    assert gait_period(walker(75, 26.0, lame=lame)) == pytest.approx(26, rel=0.04)


def test_from_the_front_the_spread_repeats_with_the_cycle():
    assert gait_period(stepper(80, 28.0)) == pytest.approx(28, rel=0.04)


def test_dropped_frames_leave_gaps_but_not_a_shorter_period():
    index = np.array([i for i in range(80) if i % 9 not in (4, 5)])
    frames = walker(80, 26.0)[index]
    assert gait_period(frames, index) == pytest.approx(26, rel=0.04)
    assert gait_period(frames) < 23


@pytest.mark.parametrize(
    "frames",
    [
        walker(60, 26.0)[:1].repeat(60, axis=0),
        walker(6, 26.0),
        walker(20, 26.0),
        np.zeros((40, 64, 64), np.uint8),
    ],
    ids=["standing", "six frames", "less than a cycle", "black"],
)
def test_no_period(frames):
    assert gait_period(frames) is None


def test_noise_has_no_clear_period():
    generator = np.random.default_rng(3)
    frames = (generator.random((60, 64, 64)) < 0.5).astype(np.uint8) * 255
    assert gait_period(frames) is None


def test_whole_cycles_from_the_middle():
    assert whole_cycles(np.arange(60), 25.0) == slice(5, 55)
    assert whole_cycles(np.arange(50), 25.0) == slice(0, 50)
    assert whole_cycles(np.arange(10, 70), 25.0) == slice(5, 55)
    assert whole_cycles(np.arange(57), 26.4) == slice(2, 55)


def test_whole_cycles_counts_time_and_not_frames():
    index = np.array([0, 1, 2, 3, 10, 11, 12, 13, 20, 21])  # 22 frames long: one cycle of 20.
    assert whole_cycles(index, 20.0) == slice(1, 9)


def test_whole_cycles_of_less_than_one():
    span = whole_cycles(np.arange(20), 25.0)
    assert span.start == span.stop


@given(st.integers(20, 200), st.floats(15, 40))
def test_whole_cycles_are_whole(n, period):
    chosen = np.arange(n)[whole_cycles(np.arange(n), period)]
    assert len(chosen) == round(n // period * period)
    assert n - len(chosen) < period + 1
