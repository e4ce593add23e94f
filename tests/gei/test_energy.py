"""The average: exact, one rounding, order does not matter."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.errors import OptionError
from gaitkit.gei.energy import mean_silhouette


def test_written_out():
    silhouettes = np.array([[[0, 255, 0]], [[0, 255, 1]], [[1, 255, 1]], [[1, 255, 255]]], np.uint8)
    # 2/4 is rounded up to 1; 257/4 = 64.25 down to 64.
    assert mean_silhouette(silhouettes).tolist() == [[1, 255, 64]]


def test_one_silhouette_is_its_own_mean():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert np.array_equal(mean_silhouette(image), image[0])


def test_none_is_an_error():
    with pytest.raises(OptionError, match="the shape is \\(0, 2, 2\\)"):
        mean_silhouette(np.zeros((0, 2, 2), np.uint8))


def test_many_white_frames_do_not_overflow():
    assert mean_silhouette(np.full((70_000, 1, 1), 255, np.uint8)).tolist() == [[255]]


stacks = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4)))


@pytest.mark.parametrize(
    "kind", [lambda m: m, lambda m: m.astype(np.uint8), lambda m: m.astype(np.float32)]
)
def test_masks_of_booleans_and_of_0_and_1_are_no_black_image(kind):
    masks = np.array([[[0, 1, 0]], [[0, 1, 1]]], bool)
    assert mean_silhouette(kind(masks)).tolist() == [[0, 255, 128]]


@given(stacks.filter(lambda stack: stack.max() != 1), st.randoms())
def test_exact_bounded_and_the_same_in_any_order(stack, random):
    gei = mean_silhouette(stack)
    assert gei.dtype == np.uint8
    assert np.all(gei >= stack.min(axis=0))
    assert np.all(gei <= stack.max(axis=0))
    for place in np.ndindex(gei.shape):
        mean = Fraction(sum(int(value) for value in stack[(slice(None), *place)]), len(stack))
        assert gei[place] == int(mean + Fraction(1, 2))
    order = list(range(len(stack)))
    random.shuffle(order)
    assert np.array_equal(mean_silhouette(stack[order]), gei)


@given(stacks)
def test_mirrored_silhouettes_give_the_mirrored_mean(stack):
    gei = mean_silhouette(stack)
    assert np.array_equal(mean_silhouette(stack[:, :, ::-1]), gei[:, ::-1])
