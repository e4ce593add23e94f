"""Walking direction from the body's track, and views above 180 degrees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.gei.direction import folded_view, walking_direction

HEIGHT = np.full(30, 70.0)


@pytest.mark.parametrize(("speed", "expected"), [(3.0, 1), (-3.0, -1), (0.0, 0), (0.3, 0)])
def test_steady_walk(speed, expected):
    assert walking_direction(20 + speed * np.arange(30), HEIGHT) == expected


def test_wrong_positions_do_not_turn_somebody_round():
    track = 100 + 3.0 * np.arange(30)
    track[[2, 3, 25]] = [170, 175, 20]
    assert walking_direction(track, HEIGHT) == 1


def test_a_single_frame_has_no_direction():
    assert walking_direction(np.array([5.0]), np.array([70.0])) == 0


def test_short_sequences_of_large_people_move_little():
    """What counts is the way in body heights, not in pixels."""
    track = np.arange(10) * 5.0
    assert walking_direction(track, np.full(10, 100.0)) == 1
    assert walking_direction(track, np.full(10, 400.0)) == 0


@given(st.lists(st.floats(0, 320), min_size=2, max_size=40))
def test_mirrored_track_walks_the_other_way(track):
    there = walking_direction(np.array(track), np.full(len(track), 60.0))
    back = walking_direction(320 - np.array(track), np.full(len(track), 60.0))
    assert there == -back


@pytest.mark.parametrize(
    ("view", "folded"), [(0, 0), (90, 90), (180, 180), (198, 162), (270, 90), (342, 18), (360, 0)]
)
def test_folded_view(view, folded):
    assert folded_view(float(view)) == folded
