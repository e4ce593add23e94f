"""Nearest neighbours and ranks: by hand, against scikit-learn, and whatever the block sizes."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from gaitkit.errors import OptionError
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import METRICS, get_metric

EUCLIDEAN = get_metric("euclidean")
MANHATTAN = get_metric("manhattan")
COSINE = get_metric("cosine")


def people(*numbers):
    return np.array(numbers, dtype=np.int64)


@pytest.fixture(params=[np.uint8, np.float32, np.float64])
def dtype(request):
    return request.param


def test_two_people_on_a_line(dtype):
    gallery = np.array([[0], [4], [10]], dtype=dtype)
    found = search(
        gallery,
        people(0, 0, 1),
        np.array([[3], [9], [6]], dtype=dtype),
        people(0, 0, 1),
        metric=EUCLIDEAN,
    )
    # 3 is next to 4 (person 0); 9 is next to 10 (person 1); 6 is next to 4, so person 1 is second.
    assert found.nearest[:, 0].tolist() == [1, 2, 1]
    assert found.distance[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert found.mate_distance[:, 0].tolist() == [1.0, 5.0, 4.0]
    assert found.rank[:, 0].tolist() == [1, 2, 2]


def test_the_two_metrics_differ(dtype):
    # From the origin: (3, 3) is 4.24 or 6 away, (0, 5) is 5 away by both.
    gallery = np.array([[3, 3], [0, 5]], dtype=dtype)
    probe = np.zeros((1, 2), dtype=dtype)
    euclidean = search(gallery, people(0, 1), probe, people(0), metric=EUCLIDEAN)
    manhattan = search(gallery, people(0, 1), probe, people(0), metric=MANHATTAN)
    assert euclidean.nearest.tolist() == [[0]]
    assert euclidean.distance == pytest.approx(np.sqrt(18))
    assert manhattan.nearest.tolist() == [[1]]
    assert manhattan.mate_distance.tolist() == [[6.0]]
    assert manhattan.rank.tolist() == [[2]]


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_ties_go_to_the_lowest_row(metric, dtype):
    gallery = np.array([[7, 0], [0, 7], [7, 0]], dtype=dtype)
    probe = np.zeros((2, 2), dtype=dtype)
    found = search(gallery, people(2, 1, 1), probe, people(1, 2), metric=metric)
    assert found.nearest[:, 0].tolist() == [0, 0]
    assert found.rank[:, 0].tolist() == [2, 1]


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_rank_counts_people_and_not_their_rows(metric, dtype):
    # Three rows of person 1 come first, then person 2, then the probe's own.
    gallery = np.array([[1], [2], [3], [4], [9]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    found = search(gallery, people(1, 1, 1, 2, 0), probe, people(0), metric=metric)
    assert found.rank.tolist() == [[3]]


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_a_person_who_is_not_enrolled_has_rank_0(metric, dtype):
    gallery = np.array([[1], [2]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    found = search(gallery, people(0, 1), probe, people(5), metric=metric)
    assert found.nearest.tolist() == [[0]]
    assert found.rank.tolist() == [[0]]
    assert np.isnan(found.mate_distance).all()


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_an_empty_gallery_has_no_nearest(metric, dtype):
    gallery = np.array([[1], [2]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    groups = [people(), people(1, 0)]
    found = search(gallery, people(0, 1), probe, people(1), metric=metric, groups=groups)
    assert found.nearest.tolist() == [[-1, 0]]
    assert found.rank.tolist() == [[0, 2]]
    assert np.isnan(found.distance[0, 0])


def test_cosine_compares_directions(dtype):
    gallery = np.array([[9, 9], [0, 1], [0, 0]], dtype=dtype)
    found = search(
        gallery,
        people(0, 1, 2),
        np.array([[0, 7], [5, 5], [0, 0]], dtype=dtype),
        people(1, 0, 2),
        metric=COSINE,
        top=3,
    )
    # (0, 7) is parallel to (0, 1); nothing is parallel to zeros, which are 1 away from everybody.
    assert found.neighbours[:, 0].tolist() == [[1, 0, 2], [0, 1, 2], [0, 1, 2]]
    expected = [[0, 1 - np.sqrt(0.5), 1], [0, 1 - np.sqrt(0.5), 1], [1, 1, 1]]
    np.testing.assert_allclose(found.neighbour_distances[:, 0], expected, atol=1e-15)
    assert found.rank[:, 0].tolist() == [1, 1, 3]


def test_the_nearest_five_are_in_order(dtype):
    gallery = np.array([[8], [3], [5], [1]], dtype=dtype)
    found = search(gallery, None, np.array([[4]], dtype=dtype), None, metric=EUCLIDEAN, top=5)
    # Rows 1 and 2 are equally near; only four rows are there.
    np.testing.assert_array_equal(found.neighbours, [[[1, 2, 3, 0, -1]]])
    np.testing.assert_array_equal(found.neighbour_distances, [[[1, 1, 3, 4, np.nan]]])
    assert found.rank.tolist() == [[0]]
    assert np.isnan(found.mate_distance).all()


def random_case(seed, dtype, size=40):
    random = np.random.default_rng(seed)
    gallery = random.integers(0, 256, (37, size)).astype(dtype)
    probes = random.integers(0, 256, (23, size)).astype(dtype)
    if dtype != np.uint8:
        gallery, probes = gallery * dtype(0.37), probes * dtype(0.37)
    return gallery, random.integers(0, 9, 37), probes, random.integers(0, 9, 23)


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(metric, dtype, seed):
    gallery, gallery_people, probes, probe_people = random_case(seed, dtype)
    found = search(gallery, gallery_people, probes, probe_people, metric=metric, top=5)
    # Whatever is not an embedding is one part.
    known_as = {"parts": "euclidean"}.get(metric.name, metric.name)
    reference = KNeighborsClassifier(1, metric=known_as, algorithm="brute")
    reference.fit(gallery.astype(np.float64), gallery_people)
    distance, nearest = reference.kneighbors(probes.astype(np.float64), 5)
    np.testing.assert_array_equal(found.nearest, nearest[:, :1])
    np.testing.assert_allclose(found.neighbour_distances[:, 0], distance, rtol=1e-12)
    predicted = reference.predict(probes.astype(np.float64))
    np.testing.assert_array_equal(found.rank[:, 0] == 1, predicted == probe_people)


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_near_ties_are_decided_in_double_precision(metric):
    # Far from the origin and 1e-3 apart: a product in single precision cannot tell them apart.
    random = np.random.default_rng(0)
    probe = (200 + random.random((1, 4096))).astype(np.float32)
    gallery = np.repeat(probe, 50, axis=0)
    gallery[:, 0] += 20
    steps = random.permutation(50)
    gallery[:, 1] += (1 + steps * 1e-3).astype(np.float32)
    gallery[:, 2:] += random.random(4094).astype(np.float32)
    found = search(gallery, steps, probe, people(7), metric=metric)
    assert steps[found.nearest[0, 0]] == 0
    assert found.rank[0, 0] == 8


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_values_beyond_single_precision_when_squared(metric, scale):
    gallery, gallery_people, probes, probe_people = random_case(3, np.float32)
    expected = search(gallery, gallery_people, probes, probe_people, metric=metric)
    found = search(
        gallery * np.float32(scale),
        gallery_people,
        probes * np.float32(scale),
        probe_people,
        metric=metric,
    )
    np.testing.assert_array_equal(found.nearest, expected.nearest)
    np.testing.assert_array_equal(found.rank, expected.rank)


small_images = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))
metrics = st.sampled_from(list(map(get_metric, METRICS)))
straight_metrics = st.sampled_from([EUCLIDEAN, MANHATTAN])
dtypes = st.sampled_from([np.uint8, np.float32, np.float64])


def assert_equal(found, expected):
    for name in ("neighbours", "neighbour_distances", "mate_distance", "rank"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@given(
    small_images,
    metrics,
    dtypes,
    st.integers(1, 200),
    st.integers(1, 20),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_blocks_and_threads_change_nothing(
    random, metric, kind, block_entries, block_rows, threads, top
):
    # Few distinct values, so that ties abound; some probes' people are not enrolled.
    gallery = random.integers(0, 3, (17, 4)).astype(kind)
    probes = random.integers(0, 3, (11, 4)).astype(kind)
    who, whose = random.integers(0, 5, 17), random.integers(0, 6, 11)
    whole = search(gallery, who, probes, whose, metric=metric, top=top)
    parts = search(
        gallery,
        who,
        probes,
        whose,
        metric=metric,
        top=top,
        block_entries=block_entries,
        block_rows=block_rows,
        threads=threads,
    )
    assert_equal(parts, whole)


class MadeOnDemand:
    """A gallery that is nowhere in memory: each row is made when it is read."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape):
        self.shape = shape
        self.largest = 0

    def __getitem__(self, rows):
        self.largest = max(self.largest, len(rows))
        columns = np.arange(self.shape[1])
        return np.sin(rows[:, None] * 0.37 + columns).astype(np.float32)


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
def test_a_gallery_is_read_a_few_rows_at_a_time(metric):
    gallery = MadeOnDemand((1000, 6))
    probes = np.random.default_rng(0).random((7, 6), dtype=np.float32)
    who, whose = np.arange(1000) % 13, np.arange(7)
    found = search(gallery, who, probes, whose, metric=metric, top=3, block_rows=64)
    assert gallery.largest == 64
    whole = gallery[np.arange(1000)]
    assert_equal(found, search(whole, who, probes, whose, metric=metric, top=3))


def test_a_memory_map_is_a_gallery(tmp_path):
    gallery, who, probes, whose = random_case(1, np.float32)
    gallery.tofile(tmp_path / "gallery")
    mapped = np.memmap(tmp_path / "gallery", np.float32, "r", shape=gallery.shape)
    found = search(mapped, who, probes, whose, metric=EUCLIDEAN, block_rows=5)
    assert_equal(found, search(gallery, who, probes, whose, metric=EUCLIDEAN))


@pytest.mark.parametrize("largest", [255, 256])
def test_bytes_need_no_second_look(largest):
    # Their products are exact whatever the number of columns, black against white included.
    random = np.random.default_rng(4)
    kind = np.uint8 if largest < 256 else np.float32
    gallery = (random.integers(0, 2, (50, 5000)) * largest).astype(kind)
    probes = (random.integers(0, 2, (9, 5000)) * largest).astype(kind)
    looked = []

    def direct(a, b):
        looked.append(len(a))
        return EUCLIDEAN.direct(a, b)

    watched = dataclasses.replace(EUCLIDEAN, direct=direct)
    found = search(gallery, None, probes, None, metric=watched, top=50)
    expected = [[np.linalg.norm(a.astype(float) - b) for b in gallery] for a in probes]
    np.testing.assert_array_equal(found.neighbour_distances[:, 0], np.sort(expected, axis=1))
    assert bool(looked) == (largest == 256)


@pytest.mark.cuda
@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE], ids=lambda metric: metric.name)
def test_the_device_changes_nothing(metric, dtype):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    gallery, who, probes, whose = random_case(2, dtype, size=3000)
    here = search(gallery, who, probes, whose, metric=metric, top=4)
    there = search(gallery, who, probes, whose, metric=metric, top=4, device="cuda", block_rows=7)
    assert_equal(there, here)


def test_manhattan_has_no_product_for_a_device():
    gallery, who, probes, whose = random_case(2, np.uint8)
    with pytest.raises(OptionError, match="not a product"):
        search(gallery, who, probes, whose, metric=MANHATTAN, device="cuda")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gallery, who, probes, whose = random_case(2, np.uint8)
    with pytest.raises(OptionError, match="no CUDA device"):
        search(gallery, who, probes, whose, metric=EUCLIDEAN, device="cuda")


@given(small_images, metrics, dtypes)
def test_the_order_of_the_gallery_does_not_matter(random, metric, kind):
    gallery = random.permutation(400)[:48].reshape(12, 4).astype(kind)
    probes = random.integers(0, 256, (9, 4)).astype(kind)
    who, whose = random.integers(0, 4, 12), random.integers(0, 4, 9)
    order = random.permutation(12)
    first = search(gallery, who, probes, whose, metric=metric)
    second = search(gallery[order], who[order], probes, whose, metric=metric)
    np.testing.assert_array_equal(first.distance, second.distance)
    np.testing.assert_array_equal(first.mate_distance, second.mate_distance)


@given(small_images, straight_metrics, st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**20]))
def test_scaling_all_features_scales_the_distances(random, metric, factor):
    gallery, probes = random.random((12, 5)), random.random((9, 5))
    who, whose = random.integers(0, 4, 12), random.integers(0, 4, 9)
    plain = search(gallery, who, probes, whose, metric=metric)
    scaled = search(gallery * factor, who, probes * factor, whose, metric=metric)
    np.testing.assert_array_equal(plain.nearest, scaled.nearest)
    np.testing.assert_array_equal(plain.rank, scaled.rank)
    np.testing.assert_array_equal(plain.distance * factor, scaled.distance)


@given(small_images, straight_metrics, dtypes)
def test_a_hopeless_subject_far_away_changes_no_outcome(random, metric, kind):
    gallery = random.integers(0, 20, (12, 4)).astype(kind)
    probes = random.integers(0, 20, (9, 4)).astype(kind)
    who, whose = random.integers(0, 4, 12), random.integers(0, 4, 9)
    stranger = np.full((1, 4), 255, dtype=kind)
    plain = search(gallery, who, probes, whose, metric=metric)
    crowded = search(
        np.concatenate([gallery, stranger]), np.append(who, 9), probes, whose, metric=metric
    )
    np.testing.assert_array_equal(plain.nearest, crowded.nearest)
    np.testing.assert_array_equal(plain.rank, crowded.rank)


def test_an_unknown_metric_names_the_known_ones():
    with pytest.raises(OptionError, match="euclidean, manhattan, cosine"):
        get_metric("mahalanobis")
