"""Ways are cut where somebody turns, stands, is hidden or meets another: on drawn boxes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.segmentation.passes import Dropped, Pass, follow, packed, unpacked
from gaitkit.segmentation.people import Box, Person

SHAPE = (120, 400)


def body(x, *, rows=80, columns=24, top=20):
    left, right = max(0, round(x)), min(SHAPE[1], round(x) + columns)
    if right <= left:
        return None
    mask = np.full((rows, right - left), 255, np.uint8)
    return Person(Box(left, top, right - left, rows), mask, mask.size)


def followed(*ways, **options):
    """Passes and what was dropped; each way gives a place in each frame, or `None`."""
    frames = []
    for number, places in enumerate(zip(*ways, strict=True)):
        people = [body(place) for place in places if place is not None]
        people = sorted((person for person in people if person), key=lambda person: person.box)
        frames.append((number, number / 25, people))
    found = list(follow(frames, SHAPE, **options))
    passes = [one for one in found if isinstance(one, Pass)]
    return passes, [one.reason for one in found if isinstance(one, Dropped)]


def spans(passes):
    return [(int(one.frames[0]), int(one.frames[-1]), one.direction) for one in passes]


def test_one_who_walks_through_is_one_pass():
    passes, dropped = followed([10 + 4 * n for n in range(60)])
    assert spans(passes) == [(0, 59, 1)]
    assert dropped == []
    assert passes[0].start_s == 0
    assert passes[0].end_s == 59 / 25
    assert passes[0].boxes[0].tolist() == [10, 20, 24, 80]
    assert passes[0].middle == (140.0, 60.0)


def test_who_comes_in_and_leaves_is_followed_from_border_to_border():
    passes, _ = followed([-20 + 5 * n for n in range(83)])
    assert spans(passes) == [(0, 82, 1)]


def test_who_turns_round_makes_two_passes_without_the_turn():
    there = [40 + 5 * n for n in range(50)]
    passes, dropped = followed(there + there[::-1])
    (first, second) = passes
    assert (first.direction, second.direction) == (1, -1)
    assert first.frames[-1] < 50 < second.frames[0]
    assert 44 < len(first) < 50
    assert dropped == []


def test_who_stands_is_no_pass_and_is_told():
    passes, dropped = followed([100.0] * 60)
    assert passes == []
    assert dropped == ["stands"]


def test_who_dances_on_the_spot_is_told_in_one_line():
    frames = [(n, n / 25, [body(150 + 19 * np.sin(n / 7))]) for n in range(150)]
    (told,) = follow(frames, SHAPE)
    assert (told.reason, told.start_s, told.end_s) == ("stands", 0, 149 / 25)
    assert told.detail == "to and fro in 0.47 of the body's height, 150 frames"


def test_who_stops_and_goes_on_makes_two_passes():
    way = [20 + 4 * n for n in range(30)] + [136] * 50 + [136 + 4 * n for n in range(40)]
    passes, dropped = followed(way)
    assert [direction for *_, direction in spans(passes)] == [1, 1]
    assert dropped == ["stands"]


def test_who_is_hidden_for_long_comes_out_as_another():
    way = [10 + 4 * n for n in range(80)]
    hidden = [None if 30 <= n < 50 else x for n, x in enumerate(way)]
    assert spans(followed(hidden)[0]) == [(0, 29, 1), (50, 79, 1)]
    blinked = [None if 30 <= n < 33 else x for n, x in enumerate(way)]
    assert spans(followed(blinked)[0]) == [(0, 79, 1)]


def test_two_far_apart_are_two_passes():
    passes, _ = followed([10 + 3 * n for n in range(40)], [380 - 3 * n for n in range(40)])
    assert sorted(spans(passes)) == [(0, 39, -1), (0, 39, 1)]


def test_two_who_cross_are_four_passes_and_nobody_takes_the_others_way():
    frames = []
    for number in range(80):
        one, other = 10 + 4 * number, 360 - 4 * number
        people = [body(one), body(other)]
        if abs(one - other) < 24:  # One blob.
            left, right = min(one, other), max(one, other) + 24
            people = [body(left, columns=right - left)]
        people = sorted(people, key=lambda person: person.box)
        frames.append((number, number / 25, people))
    found = list(follow(frames, SHAPE))
    passes = [one for one in found if isinstance(one, Pass)]
    assert sorted(one.direction for one in passes) == [-1, -1, 1, 1]
    for one in passes:
        steps = np.diff(one.boxes[:, 0])
        assert (np.sign(steps) == one.direction).all()


def test_who_meets_is_told_of_the_time_in_which_nobody_knows_who_is_who():
    frames = []
    for number in range(90):
        one, other = 10 + 4 * number, max(130, 330 - 4 * number)
        people = [body(one), body(other)]
        if abs(one - other) < 26:
            people = [body(min(one, other), columns=abs(one - other) + 24)]
        frames.append((number, number / 25, sorted(people, key=lambda person: person.box)))
    (told,) = [
        one
        for one in follow(frames, SHAPE)
        if one.__class__ is Dropped and one.reason == "together"
    ]
    assert told.detail.endswith("frames in which they are one")
    assert 1.4 < told.start_s < told.end_s < 1.8


def test_leaves_and_screens_on_the_way_end_no_pass():
    """What is much lower than a person is nobody to meet."""
    frames = []
    for number in range(60):
        x = 10 + 5 * number
        people = [body(x)]
        if abs(x - 150) > 30:
            people.append(body(150, rows=20, top=30))
        elif x > 150:  # In one blob with the leaf, which it has passed.
            people = [body(150, columns=x + 24 - 150)]
        frames.append((number, number / 25, sorted(people, key=lambda person: person.box)))
    passes = [one for one in follow(frames, SHAPE) if isinstance(one, Pass)]
    assert spans(passes) == [(0, 59, 1)]


def test_what_is_seen_now_and_then_is_no_pass():
    passes, dropped = followed([20 + 3 * n if n % 3 == 0 else None for n in range(90)])
    assert (passes, dropped) == ([], ["short-pass"])


def test_short_ways_are_dropped_and_noise_is_nobody():
    way = [10 + 8 * n if n < 8 else None for n in range(20)]
    assert followed(way) == ([], ["short-pass"])
    assert len(followed(way, min_frames=6)[0]) == 1
    assert followed([10.0 if n < 3 else None for n in range(20)]) == ([], [])


def test_what_is_wider_than_high_is_no_person():
    frames = [(n, n / 25, [body(5 * n, rows=30, columns=60)]) for n in range(40)]
    assert [one.reason for one in follow(frames, SHAPE)] == ["not-a-person"]


def test_passes_come_in_the_order_in_which_they_began():
    long = [10 + 2 * n for n in range(100)]
    short = [None if not 20 <= n < 45 else 380 - 3 * (n - 20) for n in range(100)]
    assert [first for first, *_ in spans(followed(long, short)[0])] == [0, 20]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_a_packed_mask_comes_back(rows, columns, seed):
    mask = np.where(np.random.default_rng(seed).random((rows, columns)) < 0.5, 255, 0)
    assert np.array_equal(unpacked(packed(mask), Box(0, 0, columns, rows)), mask)
