"""A gallery of eight people leaves each out in turn: written out, and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import OptionError
from gaitkit.identification.metrics import get_metric
from gaitkit.identification.own_distances import own_distances, people_left_out
from gaitkit.labels import Labels, SequenceKey

ABSOLUTE = get_metric("manhattan")

EIGHT = {
    "ann": [0, 1],
    "bob": [10, 12],
    "cat": [16, 17],
    "dan": [30, 33],
    "eve": [50, 51],
    "fay": [70, 75],
    "gus": [100, 101],
    "hal": [140],
}
"""Eight people on a line, where each of their walks is a point."""


def on_a_line(people):
    keys = [
        SequenceKey(name, "nm", take, None)
        for name, points in people.items()
        for take, _ in enumerate(points, start=1)
    ]
    values = [[float(point)] for points in people.values() for point in points]
    return np.array(values), Labels.from_keys(keys)


@pytest.fixture
def eight():
    return own_distances(*on_a_line(EIGHT), ABSOLUTE)


def test_eight_people_by_hand(eight):
    # Each walk to the nearest of anybody else: ann's 10 and 9, bob's 6 and 4, cat's 4 and 5, ...
    assert eight.non_mated.tolist() == [4, 4, 5, 6, 9, 10, 13, 16, 17, 18, 19, 24, 25, 26, 39]
    assert (eight.people, eight.left_out) == (8, 8)
    # Fifteen walks, nearly two of each.
    assert 7.7 < eight.independent < 8
    assert not eight.is_sample
    # hal has one walk only.
    assert eight.mated_people == 7
    assert sorted(eight.mated.tolist()) == [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 5, 5]
    # Of both of ann's walks bob's first is the nearest, of both of bob's cat's first.
    assert eight.others.tolist()[:4] == [10, 9, 6, 4]


@pytest.mark.parametrize(
    ("rate", "threshold", "named"),
    [(0.2, 5, 3), (0.25, 5, 3), (0.3, 6, 4), (0.5, 13, 7), (0.99, 26, 14)],
)
def test_a_threshold_names_no_more_than_the_rate(eight, rate, threshold, named):
    assert eight.threshold(rate) == threshold
    assert eight.rates(threshold).false_positive[:2] == (named, 15)
    assert named / 15 <= rate


def test_eight_people_with_four_walks_each_support_exactly_one_in_eight():
    people = {f"p{n}": [n**3 + step for step in (0, 1, 2, 3)] for n in range(10, 18)}
    told = own_distances(*on_a_line(people), ABSOLUTE)
    strangers = told.rates(told.threshold(0.125)).false_positive
    assert strangers[:2] == (4, 32)
    assert strangers.number / strangers.of == 1 / 8
    # As sure as one of eight people, whose walks are alike.
    assert strangers.interval == "95 %: 0–53 %"
    assert told.independent == 8


def test_of_two_walks_that_are_nearest_to_each_other_neither_or_both_are_named():
    single = own_distances(*on_a_line({f"p{n}": [n * n] for n in range(8)}), ABSOLUTE)
    assert single.non_mated.tolist()[:3] == [1, 1, 3]
    threshold = single.threshold(0.125)
    assert 0.999 < threshold < 1
    told = single.rates(threshold).false_positive
    assert told[:2] == (0, 8)
    assert told.interval == "95 %: 0–37 %"
    assert single.rates(1).false_positive[:2] == (2, 8)


def test_somebody_who_has_most_of_the_walks_makes_nobody_surer():
    told = own_distances(*on_a_line({"ann": range(100), "ben": [200], "cat": [300]}), ABSOLUTE)
    assert 1 < told.independent < 1.1
    assert told.rates(150).false_positive.high > 0.95


def test_walks_that_are_missed(eight):
    told = eight.rates(3.9)
    # fay's two walks are 5 apart.
    assert told.false_negative[:2] == (2, 14)
    # As sure as one of seven people.
    assert told.false_negative.interval == "95 %: 0–58 %"


def test_who_is_nearer_to_somebody_else_is_missed_at_any_threshold():
    vectors, labels = on_a_line({"ann": [0, 10], "bob": [9, 30]})
    told = own_distances(vectors, labels, ABSOLUTE).rates(1000)
    # ann at 10 has bob at 9 nearer than ann at 0; bob at 9 has ann nearer, and at 30 too.
    assert told.false_negative[:2] == (4, 4)


@pytest.mark.parametrize(
    ("rate", "needed", "offered"), [(0.1, 10, "0.125"), (0.05, 20, "0.125"), (0.001, 1000, "0.125")]
)
def test_a_rate_below_one_in_n_is_refused_with_the_n_needed(eight, rate, needed, offered):
    with pytest.raises(OptionError, match=f"8 people .* at least {needed:,} people") as refused:
        eight.threshold(rate)
    assert f"`fpir={offered}`" in refused.value.hint
    assert eight.threshold(float(offered)) <= 4


@pytest.mark.parametrize("people", [2, 3, 7, 9, 11, 30, 64, 999])
def test_the_rate_that_is_offered_is_taken(people):
    spread = {f"p{n}": [n * n] for n in range(people)}
    told = own_distances(*on_a_line(spread), ABSOLUTE)
    told.threshold(told.least_rate)
    assert 1 / people <= told.least_rate < 1.01 / people + 0.01


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_that_is_none(eight, rate):
    with pytest.raises(OptionError, match="above 0 and below 1"):
        eight.threshold(rate)


def test_what_a_distance_means(eight):
    assert str(eight.nearer(4.5)) == "nearer: 9 of 10 own, 1 of 10 strangers"
    assert str(eight.nearer(0.5)) == "nearer: 0 of 10 own, 0 of 10 strangers"
    single = own_distances(*on_a_line({"ann": [0], "bob": [3]}), ABSOLUTE)
    assert str(single.nearer(4)) == "nearer: 10 of 10 strangers"
    assert single.rates(1).false_negative is None
    assert (eight.farthest_found, single.farthest_found) == (5, None)


def test_cameras_that_see_one_walk_are_not_searched_among_each_other():
    keys = [SequenceKey("ann", "nm", t, v) for t in (1, 2) for v in (0.0, 90.0)]
    keys += [SequenceKey("bob", "nm", 1, 0.0)]
    vectors = np.array([[0.0], [1.0], [20.0], [22.0], [100.0]])
    told = own_distances(vectors, Labels.from_keys(keys), ABSOLUTE)
    assert told.mated.tolist() == [20, 19, 19, 21]
    assert told.non_mated.tolist() == [78, 78, 80, 99, 100]


@pytest.mark.parametrize("people", [{}, {"ann": [1, 2]}])
def test_one_person_says_nothing(people):
    vectors, labels = on_a_line(people)
    assert own_distances(vectors.reshape(-1, 1), labels, ABSOLUTE) is None


@st.composite
def galleries(draw):
    people = draw(st.integers(2, 6))
    rows = draw(st.lists(st.integers(0, people - 1), min_size=people, max_size=14))
    takes = [rows[:place].count(person) // 2 for place, person in enumerate(rows)]
    keys = [
        SequenceKey(f"p{person}", "nm", take, float(rows[:place].count(person)))
        for place, (person, take) in enumerate(zip(rows, takes))
    ]
    numbers = st.integers(0, 30)
    values = draw(st.lists(st.tuples(numbers, numbers), min_size=len(rows), max_size=len(rows)))
    return np.array(values, dtype=np.float64), Labels.from_keys(keys)


@settings(max_examples=60)
@given(galleries(), st.sampled_from(["euclidean", "manhattan"]))
def test_it_is_what_leaving_out_one_by_one_gives(gallery, name):
    vectors, labels = gallery
    metric = get_metric(name)
    told = own_distances(vectors, labels, metric, threads=1)
    keys = labels.keys()
    if len(labels.subjects()) < 2:
        assert told is None
        return

    def between(one, other):
        pair = metric.direct(vectors[[one]], vectors[[other]])
        return float(metric.finish(pair)[0])

    rows = range(len(keys))
    strangers = {
        row: min(between(row, o) for o in rows if keys[o].subject != keys[row].subject)
        for row in rows
    }
    mates = {
        row: [
            between(row, o)
            for o in rows
            if keys[o].subject == keys[row].subject and keys[o].take != keys[row].take
        ]
        for row in rows
    }
    assert told.non_mated.tolist() == sorted(strangers.values())
    assert told.mated.tolist() == [min(found) for found in mates.values() if found]
    assert told.others.tolist() == [strangers[row] for row in rows if mates[row]]


class Counted:
    """Vectors that say how many rows were asked for at a time."""

    def __init__(self, vectors):
        self.vectors, self.shape, self.dtype = vectors, vectors.shape, vectors.dtype
        self.most = 0

    def __getitem__(self, rows):
        self.most = max(self.most, int(rows.max() - rows.min()) + 1)
        return self.vectors[rows]


def test_a_large_gallery_is_sampled_by_a_fixed_seed_and_read_in_pieces():
    random = np.random.default_rng(5)
    whose = np.repeat(np.arange(400), 5)
    vectors = (random.normal(0, 9, (400, 4))[whose] + random.normal(0, 1, (2000, 4))).astype("f4")
    keys = [SequenceKey(f"p{n:03d}", "nm", k % 5, None) for k, n in enumerate(whose.tolist())]
    labels, metric = Labels.from_keys(keys), get_metric("euclidean")
    everybody = own_distances(vectors, labels, metric, threads=1)
    sample = own_distances(Counted(vectors), labels, metric, most_pairs=1_000_000, threads=1)
    again = own_distances(vectors, labels, metric, most_pairs=1_000_000, threads=1)
    assert (len(everybody.non_mated), everybody.left_out, everybody.is_sample) == (2000, 400, False)
    assert (len(sample.non_mated), sample.left_out, sample.people) == (500, 100, 400)
    # Which is known before any distance.
    assert people_left_out(labels, most_pairs=1_000_000) == 100
    assert sample.is_sample
    assert len(sample.mated) == 500
    assert sample.non_mated.tolist() == again.non_mated.tolist()
    # Each is searched among all: the sampled are some of all, unchanged.
    assert set(sample.non_mated.tolist()) <= set(everybody.non_mated.tolist())
    assert "100 of 400 people left out" in repr(sample)


def test_somebody_with_very_many_rows_leaves_room_for_others():
    whose = np.array([0] * 5000 + [1, 2, 3])
    keys = [SequenceKey(f"p{n}", "nm", k, None) for k, n in enumerate(whose.tolist())]
    vectors = np.arange(len(whose), dtype=np.float64)[:, None]
    told = own_distances(vectors, Labels.from_keys(keys), ABSOLUTE, most_pairs=10_000, threads=1)
    assert (told.left_out, len(told.non_mated)) == (4, 67)
    assert len(told.mated) == 64


def test_distances_that_are_no_numbers_say_nothing():
    vectors, labels = on_a_line({"ann": [0], "bob": [3]})
    with np.errstate(all="ignore"):
        assert own_distances(vectors * 1e300, labels, get_metric("euclidean")) is None
