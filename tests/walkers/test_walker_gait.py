import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.walkers.draws import Spread, draw, generator
from gaitkit.walkers.gait import (
    ANKLE,
    HIP,
    KNEE,
    SHOULDER,
    STYLE,
    evaluate_curve,
    fit_curve,
    joint_angles,
)

PHASE = np.arange(200) / 200
MEAN = {name: spread.mean for name, spread in STYLE.items()}


def test_a_series_goes_through_its_knots_when_it_has_enough_harmonics():
    knots = np.array([1.0, 4.0, 2.0, -1.0, 0.0])
    phases = np.arange(5) / 5
    np.testing.assert_allclose(evaluate_curve(fit_curve(knots, 2), phases), knots, atol=1e-12)


@given(phase=st.floats(-5, 5), shift=st.floats(-1, 1))
def test_curves_repeat_every_cycle(phase, shift):
    here, later = evaluate_curve(KNEE, np.array([phase, phase + 1]), shift=shift)
    assert here == pytest.approx(later, abs=1e-6)


def test_the_knee_bends_twice():
    knee = evaluate_curve(KNEE, PHASE)
    assert knee.max() == pytest.approx(61, abs=3)  # in swing
    assert PHASE[knee.argmax()] == pytest.approx(0.71, abs=0.03)
    loading = knee[(PHASE > 0.05) & (PHASE < 0.30)]
    assert loading.max() == pytest.approx(17, abs=2)
    assert knee[PHASE < 0.5].min() > 0


def test_the_thigh_swings_from_25_forward_to_17_back():
    thigh = evaluate_curve(HIP, PHASE)
    assert thigh.max() == pytest.approx(25, abs=1.5)
    assert thigh.min() == pytest.approx(-16.5, abs=1.5)
    assert PHASE[thigh.argmin()] == pytest.approx(0.52, abs=0.03)


def test_the_foot_pushes_off_at_the_end_of_stance():
    ankle = evaluate_curve(ANKLE, PHASE)
    assert ankle.min() == pytest.approx(-18, abs=2)
    assert 0.60 < PHASE[ankle.argmin()] < 0.68


def test_the_arm_swings_against_the_leg_of_its_side():
    assert np.corrcoef(evaluate_curve(SHOULDER, PHASE), evaluate_curve(HIP, PHASE))[0, 1] < -0.8


def test_the_left_side_follows_half_a_cycle_later():
    angles = joint_angles(MEAN, PHASE)
    for joint in (angles.hip, angles.knee, angles.ankle, angles.shoulder, angles.elbow):
        np.testing.assert_allclose(joint["left"], np.roll(joint["right"], 100), atol=1e-9)


def test_gain_and_asymmetry_change_the_range():
    style = MEAN | {"hip_gain": 1.2, "leg_asymmetry": 0.1}
    mean, changed = joint_angles(MEAN, PHASE), joint_angles(style, PHASE)
    ratio = {side: np.ptp(changed.hip[side]) / np.ptp(mean.hip[side]) for side in mean.hip}
    expected = 1.2 / STYLE["hip_gain"].mean
    assert ratio["right"] == pytest.approx(1.1 * expected)
    assert ratio["left"] == pytest.approx(0.9 * expected)


def test_people_differ_more_than_their_takes():
    # How far people lean to a side was made less, and their takes were left as they were.
    lean = STYLE["trunk_side_lean"]
    assert lean.take_sd < 0.7 * lean.subject_sd
    for name, spread in STYLE.items():
        if name != "trunk_side_lean":
            assert spread.take_sd < 0.55 * spread.subject_sd


def test_draws_depend_on_names_only():
    spreads = {"a": Spread(1.0, 0.5, 0.1), "b": Spread(0.0, 1.0, 1.0, -0.2, 0.2)}
    first = draw(spreads, generator(3, "x"), generator(3, "x", "1"))
    again = draw(spreads, generator(3, "x"), generator(3, "x", "1"))
    other = draw(spreads, generator(3, "x"), generator(3, "x", "2"))
    assert first == again
    assert first["a"] != other["a"]
    assert abs(first["a"] - other["a"]) < 1.0
    assert -0.2 <= first["b"] <= 0.2
    # Names are not simply joined.
    assert generator(3, "ab", "c").random() != generator(3, "a", "bc").random()


def test_on_an_occasion_people_are_as_like_themselves_as_was_asked():
    spreads = {"angle": Spread(10.0, 2.0, 0.0)}

    def mean_of(person, **asked):
        return draw(spreads, generator(3, str(person)), None, **asked)["angle"]

    def in_a_coat(person, likeness):
        return mean_of(person, occasion=generator(3, str(person), "cl"), likeness=likeness)

    usual = np.array([mean_of(person) for person in range(2000)])
    changed = np.array([in_a_coat(person, 0.8) for person in range(2000)])
    assert np.corrcoef(usual, changed)[0, 1] == pytest.approx(0.8, abs=0.03)
    # They differ among each other as much as before.
    assert (usual.std(), changed.std()) == pytest.approx((2.0, 2.0), rel=0.05)
    assert in_a_coat(0, 1.0) == usual[0]
