import numpy as np
import pytest

from gaitkit.walkers.body import mean_body
from gaitkit.walkers.gait import STYLE
from gaitkit.walkers.options import WalkerOptions
from gaitkit.walkers.skeleton import bend, pose, roll, stride_length, turn
from gaitkit.walkers.walks import plan_walk

BODY = mean_body()
MEAN = {name: spread.mean for name, spread in STYLE.items()}
PHASE = np.arange(100) / 100


@pytest.fixture(scope="module")
def skeleton():
    return pose(BODY, MEAN, PHASE)


def test_rotations_turn_the_way_they_say():
    down, ahead, left = np.array([0, 0, -1]), np.array([1, 0, 0]), np.array([0, 1, 0])
    np.testing.assert_allclose(bend(90) @ down, ahead, atol=1e-12)  # a flexed hip
    np.testing.assert_allclose(roll(90) @ left, -down, atol=1e-12)  # the left side lifted
    np.testing.assert_allclose(turn(90) @ ahead, left, atol=1e-12)
    assert bend(np.zeros(5)).shape == (5, 3, 3)


def test_bones_keep_their_length(skeleton):
    for a, b, length in [
        ("hip", "knee", BODY.thigh),
        ("knee", "ankle", BODY.shank),
        ("shoulder", "elbow", BODY.upper_arm),
        ("elbow", "wrist", BODY.forearm),
    ]:
        for side in ("left", "right"):
            gap = skeleton.points[f"{side}_{a}"] - skeleton.points[f"{side}_{b}"]
            np.testing.assert_allclose(np.linalg.norm(gap, axis=1), length)


def test_one_foot_is_always_on_the_floor(skeleton):
    soles = [
        skeleton.points[f"{side}_{part}"][:, 2]
        for side in ("left", "right")
        for part in ("heel", "ball", "toe")
    ]
    lowest = np.min(soles, axis=0)
    assert lowest.min() > -0.01
    assert lowest.max() < 0.03


def test_the_pelvis_rises_and_falls_by_a_few_centimetres_twice_a_cycle(skeleton):
    height = skeleton.points["pelvis"][:, 2]
    assert 0.02 < np.ptp(height) < 0.06
    np.testing.assert_allclose(height, np.roll(height, 50), atol=1e-9)


def test_the_standing_foot_does_not_slide(skeleton):
    path = stride_length(BODY, MEAN) * PHASE
    ankle = skeleton.points["right_ankle"][:, 0] + path
    standing = (PHASE > 0.12) & (PHASE < 0.42)
    assert np.ptp(ankle[standing]) < 0.06
    # In swing it comes forward by a stride.
    assert np.ptp(ankle) > 0.9 * stride_length(BODY, MEAN)


def test_strides_speed_and_step_width_are_human():
    walks = [plan_walk(WalkerOptions(), index, "nm", 1) for index in range(60)]
    strides = np.array([stride_length(w.body, w.style) / w.body.stature for w in walks])
    speeds = np.array([w.speed_m_per_s for w in walks])
    assert strides.mean() == pytest.approx(0.76, abs=0.06)  # of stature
    assert strides.min() > 0.5
    assert strides.max() < 1.05
    assert speeds.mean() == pytest.approx(1.2, abs=0.1)


def test_feet_come_down_a_step_width_apart():
    for width in (0.06, 0.16):
        skeleton = pose(BODY, MEAN | {"step_width_m": width, "sway_m": 0.0}, PHASE)
        standing = slice(20, 35)
        right = skeleton.points["right_ankle"][standing, 1].mean()
        left = np.roll(skeleton.points["left_ankle"][:, 1], -50)[standing].mean()
        assert left - right == pytest.approx(width, abs=0.03)


def test_more_arm_swing_moves_the_hands_further(skeleton):
    lively = pose(BODY, MEAN | {"shoulder_gain": 1.8}, PHASE)
    reach = [np.ptp(s.points["left_wrist"][:, 0]) for s in (skeleton, lively)]
    assert reach[1] > 1.4 * reach[0]
