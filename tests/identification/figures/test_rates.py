"""The rates: hand-made scores that fix the direction, and scikit-learn on random ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_curve

from gaitkit.identification.figures.rates import (
    average_precision,
    cumulative_matches,
    equal_error_rate,
    error_curve,
    identification_rate,
    inverse_negative_penalty,
    open_set_curve,
    rate_at,
    supports,
)

# Genuine comparisons are near, impostors far: three of four genuine ones are nearer than any
# impostor, so a system with swapped labels would be wrong nearly always.
GENUINE = np.array([1.0, 2.0, 3.0, 6.0])
IMPOSTOR = np.array([5.0, 7.0, 8.0, 9.0, 10.0])


def test_the_direction_by_hand():
    curve = error_curve(GENUINE, IMPOSTOR)
    assert curve.threshold.tolist() == [-np.inf, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    np.testing.assert_allclose(curve.fmr, [0, 0, 0, 0, 0.2, 0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_allclose(curve.fnmr, [1, 0.75, 0.5, 0.25, 0.25, 0, 0, 0, 0, 0])


def test_the_equal_error_rate_lies_between_two_points():
    # At 5: FMR 0.2, FNMR 0.25; at 6: 0.2 and 0. Both are 0.2 on the line between them.
    curve = error_curve(GENUINE, IMPOSTOR)
    assert equal_error_rate(curve.fmr, curve.fnmr) == pytest.approx(0.2)
    # Two points (0, 1) and (1, 0) only: half way.
    assert equal_error_rate(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 0.5


def test_separated_scores_have_no_error_and_swapped_ones_only_errors():
    right = error_curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert equal_error_rate(right.fmr, right.fnmr) == 0.0
    assert rate_at(right.fmr, right.fnmr, 0.001) == 0.0
    swapped = error_curve(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    assert equal_error_rate(swapped.fmr, swapped.fnmr) == 1.0


def test_fnmr_at_fmr_reads_the_lowest_at_a_point_and_a_line_between():
    curve = error_curve(GENUINE, IMPOSTOR)
    assert rate_at(curve.fmr, curve.fnmr, 0.0) == 0.25
    assert rate_at(curve.fmr, curve.fnmr, 0.2) == 0.0
    steps = error_curve(np.array([2.0, 4.0]), np.array([1.0, 3.0]))
    # (0.5, 1) at 1, (0.5, 0.5) at 2, (1, 0.5) at 3, (1, 0) at 4.
    assert rate_at(steps.fmr, steps.fnmr, 0.25) == 1.0
    assert rate_at(steps.fmr, steps.fnmr, 0.75) == 0.5


def test_rates_need_both_kinds_of_comparisons():
    with pytest.raises(ValueError, match="mated and non-mated"):
        error_curve(GENUINE, IMPOSTOR[:0])
    with pytest.raises(ValueError, match="mated and non-mated"):
        open_set_curve(GENUINE[:0], np.zeros(0, dtype=bool), IMPOSTOR)


def test_the_open_set_by_hand():
    # Mated searches: found at 1; found at 4; somebody else is nearer (never found).
    # Non-mated searches return somebody at 2 and 5.
    curve = open_set_curve(
        np.array([1.0, 4.0, 3.0]), np.array([True, True, False]), np.array([2.0, 5.0])
    )
    assert curve.threshold.tolist() == [-np.inf, 1, 2, 4, 5]
    assert curve.fpir.tolist() == [0, 0, 0.5, 0.5, 1]
    np.testing.assert_allclose(curve.fnir, [1, 2 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert 1 - rate_at(curve.fpir, curve.fnir, 0.5) == pytest.approx(2 / 3)


def test_ranks_and_absent_people():
    rank = np.array([1, 3, 0, 2])
    assert identification_rate(rank, 1) == 0.25
    assert identification_rate(rank, 10) == 0.75
    assert cumulative_matches(rank, 4).tolist() == [0.25, 0.5, 0.75, 0.75]
    assert np.isnan(identification_rate(rank[:0], 1))
    assert np.isnan(cumulative_matches(rank[:0], 2)).all()


def test_average_precision_by_hand():
    distances = np.array([[1.0, 2.0, 3.0, 4.0]] * 3)
    mates = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    np.testing.assert_allclose(average_precision(distances, mates), [(1 + 2 / 3) / 2, 0.25, 0])


def test_the_rule_of_three():
    assert supports(300, 0.01)
    assert not supports(299, 0.01)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_curve_equals_scikit_learn(seed, ties):
    random = np.random.default_rng(seed)
    genuine, impostor = random.random(random.integers(1, 50)), 0.3 + random.random(200)
    if ties:
        genuine, impostor = genuine.round(1), impostor.round(1)
    curve = error_curve(genuine, impostor)
    truth = np.repeat([1, 0], [len(genuine), len(impostor)])
    scores = -np.concatenate([genuine, impostor])
    fmr, tmr, threshold = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.fmr, fmr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(1 - curve.fnmr, tmr, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.threshold[1:], -threshold[1:])


def test_of_equal_distances_the_first_row_comes_first():
    distances = np.array([[1.0, 1.0, 1.0, 2.0]] * 2)
    mates = np.array([[1, 0, 0, 1], [0, 0, 1, 0]], dtype=bool)
    np.testing.assert_allclose(average_precision(distances, mates), [(1 + 2 / 4) / 2, 1 / 3])
    np.testing.assert_allclose(inverse_negative_penalty(distances, mates), [2 / 4, 1 / 3])


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_average_precision_equals_scikit_learn(seed, ties):
    """Where distances are equal, of the places that the first row's coming first gives."""
    random = np.random.default_rng(seed)
    distances = random.random((5, 30))
    distances = distances.round(1) if ties else distances
    mates = random.random((5, 30)) < 0.2
    mates[:, 0] = True
    places = distances.argsort(axis=1, kind="stable").argsort(axis=1)
    expected = [average_precision_score(m, -p) for p, m in zip(places, mates, strict=True)]
    np.testing.assert_allclose(average_precision(distances, mates), expected, rtol=0, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_scaling_the_distances_changes_no_rate(seed, scale):
    random = np.random.default_rng(seed)
    genuine, impostor = random.integers(0, 20, 30) / 16, random.integers(5, 30, 90) / 16
    one = error_curve(genuine, impostor)
    other = error_curve(scale * genuine, scale * impostor)
    np.testing.assert_array_equal(one.fmr, other.fmr)
    np.testing.assert_array_equal(one.fnmr, other.fnmr)


@given(st.integers(0, 2**32 - 1))
def test_more_impostors_far_away_never_raise_an_error_rate(seed):
    random = np.random.default_rng(seed)
    genuine, impostor = random.random(20), 0.2 + random.random(100)
    one = error_curve(genuine, impostor)
    other = error_curve(genuine, np.append(impostor, np.full(10, 9.0)))
    assert equal_error_rate(other.fmr, other.fnmr) <= equal_error_rate(one.fmr, one.fnmr) + 1e-12
    assert rate_at(other.fmr, other.fnmr, 0.1) <= rate_at(one.fmr, one.fnmr, 0.1) + 1e-12


@given(st.integers(0, 2**32 - 1))
def test_several_curves_at_once_are_each_read_alone(seed):
    random = np.random.default_rng(seed)
    fmr = np.sort(random.random((3, 4, 6)), axis=-1)
    fnmr = -np.sort(-random.random((3, 4, 6)), axis=-1)
    fmr[..., 0], fnmr[..., 0], fmr[..., -1], fnmr[..., -1] = 0, 1, 1, 0
    for index in np.ndindex(3, 4):
        assert equal_error_rate(fmr, fnmr)[index] == equal_error_rate(fmr[index], fnmr[index])
        assert rate_at(fmr, fnmr, 0.3)[index] == rate_at(fmr[index], fnmr[index], 0.3)
