"""Time of frames, from the numbers in their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.silhouettes.times import frame_times


@pytest.mark.parametrize(
    ("names", "times"),
    [
        ([], []),
        (["007.png"], [0]),
        (["001-nm-01-090-002.png", "001-nm-01-090-003.png", "001-nm-01-090-007.png"], [0, 1, 5]),
        (["frame_1_mask.png", "frame_2_mask.png", "frame_4_mask.png"], [0, 1, 3]),
        (["2.png", "4.png", "10.png"], [0, 1, 4]),
        (["9", "10", "12"], [0, 1, 3]),
        (["0040.jpg", "0080.png", "0160.jpg"], [0, 1, 3]),
    ],
)
def test_a_missing_number_is_a_gap(names, times):
    found = frame_times(names)
    assert found.dtype == np.int32
    assert found.tolist() == times


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "b.png", "c.png"],
        ["1.png", "10.png", "2.png"],
        ["x1.png", "y2.png", "z4.png"],
        ["1.png", "1.png", "2.png"],
        ["1700000000033.png", "1700000000067.png", "1700000000100.png"],
        ["1.png", "2.png", "900000000000.png"],
        ["9" * 40 + "1", "9" * 40 + "2", "9" * 40 + "4"],
        ["12-59-58.png", "12-59-59.png", "13-00-02.png"],
    ],
)
def test_names_without_frame_numbers_count_as_they_come(names):
    assert frame_times(names).tolist() == [0, 1, 2]


@given(st.lists(st.integers(0, 10**17), min_size=1, max_size=40), st.text(max_size=5))
def test_whatever_the_numbers_are_time_increases_and_stays_small(numbers, text):
    times = frame_times([f"{text}{number}.png" for number in numbers])
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert times[-1] <= 1000 + 4 * len(numbers)


@given(st.sets(st.integers(0, 200), min_size=2, max_size=60), st.integers(1, 999))
def test_the_first_number_does_not_matter(numbers, first):
    ordered = sorted(numbers)
    early = frame_times([f"{number:06d}.png" for number in ordered])
    late = frame_times([f"{number + first:06d}.png" for number in ordered])
    assert early.tolist() == late.tolist()
