"""Finding the person: threshold, opening, what belongs to the body and what is a speck."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.dropped import REASONS
from gaitkit.silhouettes.body import Body, Rejected, find_body
from gaitkit.silhouettes.options import SilhouetteOptions

OPTIONS = SilhouetteOptions(min_height_px=4)


def person(height: int = 120, width: int = 160) -> np.ndarray:
    """A trunk of 16x60 pixels with its top left corner in row 30, column 70."""
    frame = np.zeros((height, width), np.uint8)
    frame[30:90, 70:86] = 255
    return frame


def test_a_person_is_cut_out_tightly():
    body = find_body(person(), OPTIONS)
    assert isinstance(body, Body)
    assert body.mask.shape == (60, 16)
    assert body.mask.sum() == 60 * 16 - 4  # Opening with a cross takes the four corners.
    assert (body.left, body.top) == (70, 30)


@pytest.mark.parametrize("scale", [1, 2, 37, 128])
def test_masks_of_any_scale_give_the_same_body(scale):
    mask = find_body(person(), OPTIONS)
    other = find_body(person() // 255 * np.uint8(scale), OPTIONS)
    assert np.array_equal(mask.mask, other.mask)


def test_greys_below_half_of_the_brightest_are_background():
    frame = person()
    frame[30:90, 86:100] = 127
    frame[30:90, 60:70] = 128
    body = find_body(frame, OPTIONS)
    assert body.left == 60
    assert body.mask.shape == (60, 26)


def test_opening_removes_lines_and_single_pixels_but_not_corners_worth_mentioning():
    frame = person()
    frame[60, 86:130] = 255
    frame[10, 10] = 255
    body = find_body(frame, OPTIONS)
    assert body.mask.shape == (60, 17)  # One pixel of the line's root stays.
    kept = find_body(frame, SilhouetteOptions(opening_px=1, min_height_px=4))
    assert kept.mask.shape == (60, 60)


def speck(frame: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    frame[top : top + size, left : left + size] = 255
    return frame


def test_specks_are_removed():
    clean = find_body(person(), OPTIONS)
    for top, left, size in [
        (5, 5, 4),  # small and far away
        (22, 76, 4),  # small, near the head
        (100, 5, 12),  # large but far away
    ]:
        body = find_body(speck(person(), top, left, size), OPTIONS)
        assert np.array_equal(body.mask, clean.mask), (top, left, size)


@pytest.mark.parametrize(
    ("rows", "columns", "shape"),
    [
        (slice(93, 98), slice(68, 82), (68, 18)),  # a foot, three rows below the leg
        (slice(45, 70), slice(88, 92), (60, 22)),  # an arm beside the trunk
        (slice(60, 75), slice(90, 102), (60, 32)),  # a bag, four columns away
        (slice(18, 28), slice(73, 83), (72, 16)),  # a head above a gap at the neck
    ],
    ids=["foot", "arm", "bag", "head"],
)
def test_parts_that_noise_cut_off_stay(rows, columns, shape):
    frame = person()
    frame[rows, columns] = 255
    assert find_body(frame, OPTIONS).mask.shape == shape


def test_a_part_hangs_on_another_part():
    """A lower leg cut off twice: the foot is far from the trunk but near the shin."""
    frame = person()
    frame[93:108, 74:82] = 255
    frame[111:116, 72:84] = 255
    assert find_body(frame, OPTIONS).mask.shape == (86, 16)


def test_a_small_part_must_be_nearer_than_it_is_long():
    frame = person()
    frame[96:101, 74:80] = 255  # Six long, six rows away: stays.
    assert find_body(frame, OPTIONS).mask.shape == (71, 16)
    frame = person()
    frame[97:102, 74:80] = 255  # Seven rows away: goes.
    assert find_body(frame, OPTIONS).mask.shape == (60, 16)


def test_a_second_person_far_away_goes():
    frame = person()
    frame[30:85, 110:124] = 255
    body = find_body(frame, OPTIONS)
    assert (body.left, body.mask.shape) == (70, (60, 16))


def test_empty():
    assert find_body(np.zeros((20, 20), np.uint8), OPTIONS).reason == "empty"
    dust = np.zeros((20, 20), np.uint8)
    dust[::4, ::4] = 255
    assert find_body(dust, OPTIONS) == Rejected("empty", "nothing is left after the opening")


def test_too_small():
    frame = np.zeros((60, 60), np.uint8)
    frame[20:39, 20:30] = 255
    rejected = find_body(frame, SilhouetteOptions())
    assert rejected == Rejected("too-small", "19 px high, at least 20 needed")


@pytest.mark.parametrize(
    ("moved", "sides"),
    [((-30, 0), "top"), ((30, 0), "bottom"), ((0, -70), "left"), ((0, 74), "right")]
    + [((-40, -75), "top, left")],
)
def test_cut_by_the_border(moved, sides):
    frame = np.zeros((120, 160), np.uint8)
    rows = slice(max(0, 30 + moved[0]), 90 + moved[0])
    frame[rows, max(0, 70 + moved[1]) : 86 + moved[1]] = 255
    assert find_body(frame, OPTIONS) == Rejected("cut-by-border", f"touches {sides}")
    kept = find_body(frame, SilhouetteOptions(drop_cut=False, min_height_px=4))
    assert isinstance(kept, Body)


def test_a_speck_at_the_border_does_not_cut_the_person():
    assert isinstance(find_body(speck(person(), 0, 0, 5), OPTIONS), Body)


@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_any_frame_gives_a_tight_body_or_a_known_reason(frame):
    found = find_body(frame, OPTIONS)
    if isinstance(found, Rejected):
        assert found.reason in REASONS
        return
    assert set(np.unique(found.mask)) <= {0, 1}
    for edge in (found.mask[0], found.mask[-1], found.mask[:, 0], found.mask[:, -1]):
        assert edge.any()
    assert found.top > 0
    assert found.top + found.mask.shape[0] < frame.shape[0]
