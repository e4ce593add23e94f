"""The average: exact, one rounding, order does not matter."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.gei.energy import gait_energy_image


def test_written_out():
    silhouettes = np.array([[[0, 255, 0]], [[0, 255, 1]], [[1, 255, 1]], [[1, 255, 255]]], np.uint8)
    # 2/4 is rounded up to 1; 257/4 = 64.25 down to 64.
    assert gait_energy_image(silhouettes).tolist() == [[1, 255, 64]]


def test_one_silhouette_is_its_own_mean():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert np.array_equal(gait_energy_image(image), image[0])


def test_none_is_an_error():
    with pytest.raises(ValueError, match="got \\(0, 2, 2\\)"):
        gait_energy_image(np.zeros((0, 2, 2), np.uint8))


def test_many_white_frames_do_not_overflow():
    assert gait_energy_image(np.full((70_000, 1, 1), 255, np.uint8)).tolist() == [[255]]


stacks = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4)))


@given(stacks, st.randoms())
def test_exact_bounded_and_the_same_in_any_order(stack, random):
    gei = gait_energy_image(stack)
    assert gei.dtype == np.uint8
    assert np.all(gei >= stack.min(axis=0))
    assert np.all(gei <= stack.max(axis=0))
    for place in np.ndindex(gei.shape):
        mean = Fraction(sum(int(value) for value in stack[(slice(None), *place)]), len(stack))
        assert gei[place] == int(mean + Fraction(1, 2))
    order = list(range(len(stack)))
    random.shuffle(order)
    assert np.array_equal(gait_energy_image(stack[order]), gei)


@given(stacks)
def test_mirrored_silhouettes_give_the_mirrored_mean(stack):
    gei = gait_energy_image(stack)
    assert np.array_equal(gait_energy_image(stack[:, :, ::-1]), gei[:, ::-1])
