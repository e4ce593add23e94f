"""Silhouettes to a GEI: the average, the period, the direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.gei.direction import walking_direction
from gaitkit.gei.energy import gait_energy_image
from gaitkit.gei.options import GeiOptions
from gaitkit.gei.period import gait_period, leg_spread, whole_cycles
from gaitkit.gei.sequence import sequence_gei

STACKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)))


def test_the_gei_is_the_mean_rounded_half_up() -> None:
    silhouettes = np.array([[[0, 255, 1]], [[255, 255, 0]]], dtype=np.uint8)
    assert gait_energy_image(silhouettes).tolist() == [[128, 255, 1]]


@given(STACKS, st.randoms(use_true_random=False))
def test_the_order_of_frames_does_not_matter(stack: NDArray[np.uint8], random: object) -> None:
    order = list(range(len(stack)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert (gait_energy_image(stack[order]) == gait_energy_image(stack)).all()


@given(STACKS)
def test_the_gei_lies_between_the_frames_and_within_half_a_grey_of_the_mean(
    stack: NDArray[np.uint8],
) -> None:
    gei = gait_energy_image(stack)
    assert (gei >= stack.min(axis=0)).all()
    assert (gei <= stack.max(axis=0)).all()
    assert np.abs(gei - stack.mean(axis=0)).max() <= 0.5


def test_no_frames_or_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        gait_energy_image(np.zeros((0, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="got float64"):
        gait_energy_image(np.zeros((1, 4, 4)))


def walker(frames: int, period: float, *, swing: float = 12, limp: float = 0) -> NDArray[np.uint8]:
    """A block with two legs that swing against each other with the given gait period."""
    images = np.zeros((frames, 64, 64), dtype=np.uint8)
    images[:, :42, 26:38] = 255
    for frame in range(frames):
        phase = 2 * np.pi * frame / period
        for sign in (1, -1):
            reach = sign * swing * np.sin(phase) * (1 + sign * limp * np.sign(np.sin(phase)))
            for row in range(42, 64):
                x = round(32 + reach * (row - 42) / 22)
                images[frame, row, x - 3 : x + 3] = 255
    return images


@pytest.mark.parametrize("period", [16, 21.5, 24, 28, 33])
def test_the_period_of_a_walker_of_known_cadence(period: float) -> None:
    assert gait_period(walker(80, period)) == pytest.approx(period, rel=0.04)


def test_a_limp_does_not_double_the_period() -> None:
    assert gait_period(walker(90, 26, limp=0.2)) == pytest.approx(26, rel=0.05)


def test_without_rhythm_there_is_no_period() -> None:
    assert gait_period(np.repeat(walker(1, 20), 60, axis=0)) is None
    assert gait_period(walker(10, 20)) is None
    assert gait_period(np.zeros((40, 64, 64), np.uint8)) is None


def test_leg_spread_is_large_when_the_feet_are_apart() -> None:
    spread = leg_spread(walker(20, 20))
    assert spread.argmax() in (5, 15)
    assert spread.argmin() in (0, 10)


def test_whole_cycles_counts_frames() -> None:
    assert [whole_cycles(frames, 10.5) for frames in (10, 11, 21, 40)] == [0, 10, 21, 32]


@pytest.mark.parametrize(("step", "expected"), [(3, 1), (-3, -1), (0.1, 0)])
def test_direction_follows_the_track(step: float, expected: int) -> None:
    track = (100 + step * np.arange(30)).astype(np.float32)
    track[7] = 0
    assert walking_direction(track, np.full(30, 90, np.float32)) == expected


def result(options: GeiOptions, *, step: float = 2, view: float | None = 90, frames: int = 60):
    track = (100 + step * np.arange(frames)).astype(np.float32)
    silhouettes = walker(frames, 24)
    silhouettes[:, 10:20, 38:44] = 255  # a nose, so that left and right differ
    return sequence_gei(silhouettes, track, np.full(frames, 90, np.float32), view, options)


def test_all_frames_are_averaged_by_default() -> None:
    made = result(GeiOptions())
    assert (made.frames_used, made.mirrored, made.view, made.period_frames) == (60, False, 90, None)


def test_whole_cycles_are_averaged_on_demand() -> None:
    made = result(GeiOptions(cycles="whole"))
    assert made.frames_used == 48
    assert made.period_frames == pytest.approx(24, abs=0.5)


def test_short_sequences_are_dropped_with_a_reason() -> None:
    made = result(GeiOptions(min_frames=61))
    assert (made.gei, made.reason, made.detail) == (None, "too-few-frames", "60 of at least 61")
    made = result(GeiOptions(cycles="whole"), frames=20)
    assert (made.gei, made.reason) == (None, "no-period")


def test_mirroring_by_view_turns_270_into_90() -> None:
    plain, mirrored = result(GeiOptions()), result(GeiOptions(mirror="view"), view=270)
    assert (mirrored.view, mirrored.mirrored) == (90, True)
    assert (mirrored.gei == plain.gei[:, ::-1]).all()
    assert result(GeiOptions(mirror="view"), view=90).mirrored is False
    assert result(GeiOptions(mirror="view"), view=None).view is None


def test_mirroring_by_track_makes_everybody_walk_to_the_right() -> None:
    options = GeiOptions(mirror="track")
    assert result(options, step=2).mirrored is False
    left = result(options, step=-2)
    assert (left.mirrored, left.view) == (True, 90)
    assert result(options, step=0, view=0).mirrored is False
    assert result(options, step=0, view=90).reason == "no-direction"


@pytest.mark.parametrize("wrong", [{"min_frames": 0}, {"cycles": "some"}, {"mirror": "yes"}])
def test_wrong_options_are_refused(wrong: dict) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} must be"):
        GeiOptions(**wrong)
