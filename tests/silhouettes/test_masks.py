"""One rule for what is foreground, whatever the numbers of a mask are."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.errors import GaitkitError, OptionError
from gaitkit.silhouettes import as_frame, as_greys, as_mask, as_mask_stack

KINDS = {
    "bool": lambda m: m,
    "0 and 1": lambda m: m.astype(np.uint8),
    "0 and 255": lambda m: m * np.uint8(255),
    "any scale": lambda m: m * np.uint8(37),
    "16 bits": lambda m: m * np.uint16(65535),
    "1 in 16 bits": lambda m: m.astype(np.uint16),
    "signed bytes": lambda m: m * np.int8(127),
    "signed": lambda m: m * np.int32(255),
    "labels": lambda m: m.astype(np.int64),
    "unsigned 64": lambda m: m * np.uint64(2**63),
    "float": lambda m: m.astype(np.float64),
    "half float": lambda m: m.astype(np.float16),
    "float greys": lambda m: m * np.float32(255),
    "share": lambda m: m * 0.9 + 0.05,
    "nested lists": lambda m: m.tolist(),
    "list of frames": list,
    "read-only": lambda m: np.broadcast_to(m, m.shape),
    "other strides": lambda m: np.asfortranarray(m),
}
stacks = arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)))


@given(stacks, st.sampled_from(sorted(KINDS)))
def test_every_kind_is_the_same_mask(masks, kind):
    found = as_mask(KINDS[kind](masks))
    assert found.dtype == np.uint8
    assert np.array_equal(found, masks * np.uint8(255))
    assert np.array_equal(as_mask_stack(KINDS[kind](masks)), found)


@given(stacks, st.sampled_from([k for k in sorted(KINDS) if k not in ("any scale", "share")]))
def test_every_kind_is_the_same_greys(masks, kind):
    if kind in ("signed bytes", "unsigned 64"):
        return
    expected = masks * np.uint8(255)
    assert np.array_equal(as_greys(KINDS[kind](masks)), expected)


@given(arrays(np.uint8, (5, 6)), st.floats(0, 0.99))
def test_greys_are_judged_by_their_own_brightest(frame, threshold):
    expected = frame > frame.max() * threshold
    assert np.array_equal(as_mask(frame, threshold=threshold) > 0, expected)
    assert np.array_equal(as_mask(frame.astype(np.int16) * 101, threshold=threshold) > 0, expected)


def test_each_frame_is_judged_by_itself():
    frames = np.array([[[0, 4, 10]], [[0, 100, 250]], [[0, 0, 0]]], np.uint8)
    assert as_mask(frames).tolist() == [[[0, 0, 255]], [[0, 0, 255]], [[0, 0, 0]]]


def test_a_network_that_sees_nobody_is_nobody():
    assert not as_mask(np.full((2, 9, 9), 0.04)).any()


def test_soft_edges_stay_in_greys():
    assert as_greys(np.array([[[0.0, 0.2, 1.0]]], np.float32)).tolist() == [[[0, 51, 255]]]
    sixteen = np.array([[[0, 13107, 65535]]], np.uint16)
    assert as_greys(sixteen).tolist() == [[[0, 51, 255]]]
    eight = np.array([[[0, 51, 255]]], np.uint8)
    assert as_greys(eight) is not None
    assert np.shares_memory(as_greys(eight), eight)


WRONG = {
    "colour": (np.zeros((20, 30, 3), np.uint8), "colour picture of 3 channels"),
    "colours": (np.zeros((2, 20, 30, 4), np.uint8), "colour picture of 4 channels"),
    "five axes": (np.zeros((1, 1, 1, 9, 9)), "found \\(1, 1, 1, 9, 9\\)"),
    "a row": (np.zeros(9), "found \\(9,\\)"),
    "nothing": (np.zeros((0, 9, 9)), "found none"),
    "no pixels": (np.zeros((3, 0, 9)), "found none"),
    "an empty list": ([], "found none"),
    "NaN": (np.array([[[np.nan, 1.0]]]), "NaN or infinity in 1 of 2"),
    "infinity": (np.array([[[np.inf, 1.0]]]), "NaN or infinity"),
    "negative": (np.array([[[-1, 0]]], np.int8), "found -1 among the int8"),
    "negative floats": (np.array([[[-1.0, 1.0]]]), "found -1 to 1"),
    "too large floats": (np.array([[[0.0, 300.0]]]), "found 0 to 300"),
    "neither scale": (np.array([[[0.0, 1.5]]]), "found 0 to 1.5"),
    "complex": (np.ones((1, 9, 9), complex), "complex128"),
    "text": (np.array([[["a"]]]), "booleans, integers or floats"),
    "objects": (np.array([[[None]]]), "of object"),
    "a path": ("walk.png", "found the path or text 'walk.png'"),
    "a Path": (Path("walk.png"), "found the path or text"),
    "paths": (["a.png", "b.png"], "found"),
    "None": (None, "found None"),
    "a dict": ({}, "found a dict"),
    "different sizes": (
        [np.zeros((9, 9)), np.zeros((9, 8))],
        "\\(9, 9\\) first and \\(9, 8\\) at place 1",
    ),
    "ragged": ([[1, 2], [3]], "one size"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_mask_is_said(name):
    value, message = WRONG[name]
    for judge in (as_mask, as_mask_stack, as_greys):
        with pytest.raises(OptionError, match=message):
            judge(value)


def test_one_frame_is_no_walk_and_a_walk_no_frame():
    with pytest.raises(OptionError, match="one frame of shape \\(9, 9\\)"):
        as_mask_stack(np.zeros((9, 9)))
    with pytest.raises(OptionError, match="Expected one frame"):
        as_frame(np.zeros((2, 9, 9)))


def test_a_colour_picture_may_be_narrow_only_where_it_can_be_no_picture():
    assert as_mask(np.ones((5, 7, 3))).shape == (5, 7, 3)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan"), "half"])
def test_thresholds_have_a_range(threshold):
    with pytest.raises(GaitkitError, match="threshold"):
        as_mask(np.ones((1, 9, 9)), threshold=threshold)


def test_bytes_are_taken_as_they_are():
    frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert as_frame(frame) is frame
