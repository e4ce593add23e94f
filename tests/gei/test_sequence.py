"""One sequence to its GEI: which frames, mirrored or not, or the reason why there is none."""

import numpy as np
import pytest

from gaitkit.dropped import REASONS
from gaitkit.errors import OptionError
from gaitkit.gei.energy import mean_silhouette
from gaitkit.gei.options import GeiOptions
from gaitkit.gei.sequence import sequence_gei

N = 60
RIGHT = np.linspace(20, 300, N)
HEIGHT = np.full(N, 110.0)


def legs(n: int = N, period: float = 24.0) -> np.ndarray:
    """A trunk, two swinging legs, and a nose to the right that shows the direction."""
    frames = np.zeros((n, 64, 64), np.uint8)
    frames[:, :32, 26:38] = 255
    frames[:, 6:8, 38:42] = 255
    for t in range(n):
        reach = 18 * np.sin(2 * np.pi * t / period)
        for row in range(32, 64):
            for sign in (-1, 1):
                x = 32 + sign * reach * (row - 32) / 32
                frames[t, row, round(x - 3) : round(x + 3)] = 255
    return frames


def test_all_frames():
    result = sequence_gei(legs(), RIGHT, HEIGHT, 90.0, GeiOptions())
    assert np.array_equal(result.gei, mean_silhouette(legs()))
    assert result[1:] == (N, None, False, 90.0, "", "")


def test_whole_cycles_leave_out_both_ends():
    result = sequence_gei(legs(), RIGHT, HEIGHT, 90.0, GeiOptions(cycles="whole"))
    assert result.period_frames == pytest.approx(24, rel=0.03)
    assert result.frames_used == 48
    assert np.array_equal(result.gei, mean_silhouette(legs()[6:54]))


def test_whole_cycles_mind_the_gaps():
    index = np.array([i for i in range(N) if i % 8 != 3])
    options = GeiOptions(cycles="whole")
    result = sequence_gei(
        legs()[index], RIGHT[index], HEIGHT[index], 90.0, options, frame_index=index
    )
    assert result.period_frames == pytest.approx(24, rel=0.03)
    assert result.frames_used == 42


def dropped(result, reason: str) -> str:
    assert result.gei is None
    assert result.reason == reason
    assert reason in REASONS
    return result.detail


def test_too_few_frames():
    result = sequence_gei(legs(9), RIGHT[:9], HEIGHT[:9], 90.0, GeiOptions())
    assert dropped(result, "too-few-frames") == "9 usable frames, at least 10 needed"
    kept = sequence_gei(legs(9), RIGHT[:9], HEIGHT[:9], 90.0, GeiOptions(min_frames=9))
    assert kept.frames_used == 9


def test_no_frames_at_all():
    nothing = np.zeros((0, 64, 64), np.uint8)
    for options in (GeiOptions(), GeiOptions(cycles="whole"), GeiOptions(mirror="view")):
        result = sequence_gei(nothing, RIGHT[:0], HEIGHT[:0], None, options)
        dropped(result, "too-few-frames")


def test_no_period():
    still = legs()[:1].repeat(30, axis=0)
    result = sequence_gei(still, RIGHT[:30], HEIGHT[:30], 90.0, GeiOptions(cycles="whole"))
    assert dropped(result, "no-period") == "no gait cycle found in 30 frames"


@pytest.mark.parametrize(
    ("view", "mirrored", "seen"),
    [(90.0, False, 90.0), (180.0, False, 180.0), (270.0, True, 90.0), (342.0, True, 18.0)]
    + [(None, False, None)],
)
def test_mirror_by_view(view, mirrored, seen):
    plain = mean_silhouette(legs())
    result = sequence_gei(legs(), RIGHT, HEIGHT, view, GeiOptions(mirror="view"))
    assert (result.mirrored, result.view) == (mirrored, seen)
    assert np.array_equal(result.gei, plain[:, ::-1] if mirrored else plain)


@pytest.mark.parametrize("view", [90.0, 54.0, None])
def test_mirror_by_track_brings_both_directions_together(view):
    options = GeiOptions(mirror="track")
    right = sequence_gei(legs(), RIGHT, HEIGHT, view, options)
    left = sequence_gei(legs()[:, :, ::-1], RIGHT[::-1], HEIGHT, view, options)
    assert (right.mirrored, left.mirrored) == (False, True)
    assert right.view == left.view == view
    assert np.array_equal(right.gei, left.gei)


def test_mirror_by_track_where_nobody_moves_sideways():
    options, still = GeiOptions(mirror="track"), np.full(N, 160.0)
    for view in (0.0, 18.0, 180.0):  # Front and back views have no side.
        result = sequence_gei(legs(), still, HEIGHT, view, options)
        assert (result.mirrored, result.view) == (False, view)
    for side in (90.0, None):
        result = sequence_gei(legs(), still, HEIGHT, side, options)
        dropped(result, "no-direction")


def test_options_and_back():
    options = GeiOptions(min_frames=3, cycles="whole", mirror="track")
    assert options.as_parameters() == {"min_frames": 3, "cycles": "whole", "mirror": "track"}
    assert GeiOptions.from_parameters(options.as_parameters()) == options


@pytest.mark.parametrize("wrong", [{"min_frames": 0}, {"cycles": "half"}, {"mirror": "yes"}])
def test_wrong_options_are_named(wrong):
    with pytest.raises(OptionError, match=f"^`{next(iter(wrong))}` must be"):
        GeiOptions(**wrong)
    with pytest.raises(OptionError, match="(?s)no GEI option 'cycle'.*mean 'cycles'"):
        GeiOptions.from_parameters({"cycle": "all"})
