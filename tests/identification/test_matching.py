"""Nearest neighbours and ranks: by hand, against scikit-learn, and whatever the block size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from gaitkit.errors import OptionError
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import METRICS, get_metric

EUCLIDEAN = get_metric("euclidean")
MANHATTAN = get_metric("manhattan")


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


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_ties_go_to_the_lowest_row(metric, dtype):
    gallery = np.array([[7, 0], [0, 7], [7, 0]], dtype=dtype)
    probe = np.zeros((2, 2), dtype=dtype)
    found = search(gallery, people(2, 1, 1), probe, people(1, 2), metric=metric)
    assert found.nearest[:, 0].tolist() == [0, 0]
    assert found.rank[:, 0].tolist() == [2, 1]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_rank_counts_people_and_not_their_rows(metric, dtype):
    # Three rows of person 1 come first, then person 2, then the probe's own.
    gallery = np.array([[1], [2], [3], [4], [9]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    found = search(gallery, people(1, 1, 1, 2, 0), probe, people(0), metric=metric)
    assert found.rank.tolist() == [[3]]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_person_who_is_not_enrolled_has_rank_0(metric, dtype):
    gallery = np.array([[1], [2]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    found = search(gallery, people(0, 1), probe, people(5), metric=metric)
    assert found.nearest.tolist() == [[0]]
    assert found.rank.tolist() == [[0]]
    assert np.isnan(found.mate_distance).all()


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_an_empty_gallery_has_no_nearest(metric, dtype):
    gallery = np.array([[1], [2]], dtype=dtype)
    probe = np.zeros((1, 1), dtype=dtype)
    groups = [people(), people(1, 0)]
    found = search(gallery, people(0, 1), probe, people(1), metric=metric, groups=groups)
    assert found.nearest.tolist() == [[-1, 0]]
    assert found.rank.tolist() == [[0, 2]]
    assert np.isnan(found.distance[0, 0])


def random_case(seed, dtype, size=40):
    random = np.random.default_rng(seed)
    gallery = random.integers(0, 256, (37, size)).astype(dtype)
    probes = random.integers(0, 256, (23, size)).astype(dtype)
    if dtype != np.uint8:
        gallery, probes = gallery * dtype(0.37), probes * dtype(0.37)
    return gallery, random.integers(0, 9, 37), probes, random.integers(0, 9, 23)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(metric, dtype, seed):
    gallery, gallery_people, probes, probe_people = random_case(seed, dtype)
    found = search(gallery, gallery_people, probes, probe_people, metric=metric)
    reference = KNeighborsClassifier(1, metric=metric.name, algorithm="brute")
    reference.fit(gallery.astype(np.float64), gallery_people)
    distance, nearest = reference.kneighbors(probes.astype(np.float64))
    np.testing.assert_array_equal(found.nearest, nearest)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    predicted = reference.predict(probes.astype(np.float64))
    np.testing.assert_array_equal(found.rank[:, 0] == 1, predicted == probe_people)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
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


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
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
metrics = st.sampled_from(list(METRICS.values()))
dtypes = st.sampled_from([np.uint8, np.float32, np.float64])


@given(small_images, metrics, dtypes, st.integers(1, 200), st.integers(1, 3))
def test_blocks_and_threads_change_nothing(random, metric, kind, block_entries, threads):
    # Few distinct values, so that ties abound.
    gallery = random.integers(0, 3, (17, 4)).astype(kind)
    probes = random.integers(0, 3, (11, 4)).astype(kind)
    who, whose = random.integers(0, 5, 17), random.integers(0, 5, 11)
    whole = search(gallery, who, probes, whose, metric=metric)
    parts = search(
        gallery, who, probes, whose, metric=metric, block_entries=block_entries, threads=threads
    )
    for name in ("nearest", "distance", "mate_distance", "rank"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


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


@given(small_images, metrics, st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**20]))
def test_scaling_all_features_scales_the_distances(random, metric, factor):
    gallery, probes = random.random((12, 5)), random.random((9, 5))
    who, whose = random.integers(0, 4, 12), random.integers(0, 4, 9)
    plain = search(gallery, who, probes, whose, metric=metric)
    scaled = search(gallery * factor, who, probes * factor, whose, metric=metric)
    np.testing.assert_array_equal(plain.nearest, scaled.nearest)
    np.testing.assert_array_equal(plain.rank, scaled.rank)
    np.testing.assert_array_equal(plain.distance * factor, scaled.distance)


@given(small_images, metrics, dtypes)
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
    with pytest.raises(OptionError, match="euclidean, manhattan"):
        get_metric("mahalanobis")
