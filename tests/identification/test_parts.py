"""The mean over parts of Euclidean distances: by hand, against a plain loop, in any blocks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from gaitkit.identification import parts as parts_module
from gaitkit.identification.matching import Matches, search
from gaitkit.identification.metrics import Metric, get_metric, sum_of_metrics
from gaitkit.identification.parts import PartsProduct

Random = np.random.Generator


def parts(count: int) -> Metric:
    return get_metric("parts").for_parts(count)


def by_a_loop(probes: NDArray[Any], gallery: NDArray[Any], count: int) -> NDArray[np.float64]:
    """OpenGait's distance as one writes it down: a part at a time."""
    p, g = (v.astype(np.float64).reshape(len(v), count, -1) for v in (probes, gallery))
    return np.mean([cdist(p[:, part], g[:, part]) for part in range(count)], axis=0)


def test_two_parts_by_hand() -> None:
    # Two parts of two values. From (0 0 | 0 0): row 0 is 5 and 0 away, its mean is 2.5; row 1 is
    # 1 and 2 away, mean 1.5; row 2 is 4 and 3 away, mean 3.5.
    gallery = np.array([[3, 4, 0, 0], [1, 0, 0, 2], [0, 4, 3, 0]], dtype=np.float32)
    found = search(gallery, None, np.zeros((1, 4), np.float32), None, metric=parts(2), top=3)
    assert found.neighbours.tolist() == [[[1, 0, 2]]]
    assert found.neighbour_distances.tolist() == [[[1.5, 2.5, 3.5]]]


def test_one_bad_part_counts_once_and_not_squared() -> None:
    # Euclid prefers row 0 (√8 < 4), the mean over parts row 1 (4/4 < 4·√2/4).
    gallery = np.array([[2**0.5] * 4, [4, 0, 0, 0]])
    probe = np.zeros((1, 4))
    assert search(gallery, None, probe, None, metric=get_metric("euclidean")).nearest == 0
    assert search(gallery, None, probe, None, metric=parts(4)).nearest == 1


def test_what_is_not_an_embedding_is_one_part() -> None:
    a, b = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert get_metric("parts").direct(a, b).tolist() == [5.0]
    assert get_metric("cosine").for_parts(2) is not parts(2)
    assert get_metric("cosine").for_parts(2).name == "cosine"
    assert parts(2).name == "parts"


randoms = st.integers(0, 2**32 - 1).map(np.random.default_rng)
shapes = st.sampled_from([(1, 1), (1, 7), (3, 1), (4, 5), (16, 8), (62, 3)])
dtypes = st.sampled_from([np.float16, np.float32, np.float64])


@settings(max_examples=40)
@given(randoms, shapes, dtypes, st.integers(1, 5))
def test_neighbours_are_those_of_a_plain_loop(
    random: Random, shape: tuple[int, int], dtype: type, top: int
) -> None:
    count, values = shape
    gallery = random.normal(3, 1, (29, count * values)).astype(dtype)
    probes = random.normal(3, 1, (13, count * values)).astype(dtype)
    found = search(gallery, None, probes, None, metric=parts(count), top=top)
    expected = by_a_loop(probes, gallery, count)
    order = np.argsort(expected, axis=1, kind="stable")[:, :top]
    chosen = np.take_along_axis(expected, found.neighbours[:, 0], axis=1)
    # Two rows that the loop cannot tell apart may come in either order.
    np.testing.assert_allclose(chosen, np.take_along_axis(expected, order, axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.neighbour_distances[:, 0], chosen, rtol=1e-13)


def assert_equal(found: Matches, expected: Matches) -> None:
    for name in ("neighbours", "neighbour_distances", "mate_distance", "rank"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@settings(max_examples=25)
@given(randoms, dtypes, st.integers(1, 200), st.integers(1, 20), st.integers(1, 3))
def test_blocks_and_threads_change_nothing(
    random: Random, dtype: type, block_entries: int, block_rows: int, threads: int
) -> None:
    # Few distinct values, so that ties abound: they go to the lowest row.
    gallery = random.integers(0, 3, (17, 6)).astype(dtype)
    probes = random.integers(0, 3, (11, 6)).astype(dtype)
    who, whose = random.integers(0, 5, 17), random.integers(0, 6, 11)
    whole = search(gallery, who, probes, whose, metric=parts(3), top=4)
    cut = {"block_entries": block_entries, "block_rows": block_rows, "threads": threads}
    assert_equal(search(gallery, who, probes, whose, metric=parts(3), top=4, **cut), whole)
    exact = np.stack([parts(3).direct(gallery, np.repeat(p[None], 17, axis=0)) for p in probes])
    np.testing.assert_array_equal(
        whole.neighbours[:, 0], np.argsort(exact, axis=1, kind="stable")[:, :4]
    )


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
@settings(max_examples=15)
@given(random=randoms, shape=shapes, far=st.sampled_from([0.0, 1.0, 1000.0]))
def test_no_estimate_is_further_off_than_its_bound(
    random: Random, shape: tuple[int, int], far: float, scale: float, device: str
) -> None:
    count, values = shape
    gallery = random.normal(far, 1, (19, count, values)).astype(np.float32)
    probes = random.normal(far, 1, (9, count, values)).astype(np.float32)
    # Equal rows, and rows with one equal part, are where a root is least certain.
    gallery[0], gallery[1, 0] = probes[0], probes[1, 0]
    gallery, probes = (v.reshape(len(v), -1) * np.float32(scale) for v in (gallery, probes))
    product = PartsProduct(probes, np.dtype(np.float32), count, "cpu")
    if device == "torch":
        # What a GPU does, on the processor: the bound holds in whatever order is added up.
        product._on_cpu = product._with_torch  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        values_, offset, bound = product(gallery, pool)(slice(0, 9))
    exact = np.stack([parts(count).direct(gallery, np.repeat(p[None], 19, axis=0)) for p in probes])
    assert (np.abs(values_ + offset[:, None] - exact) <= bound[:, None]).all()


def test_the_bound_leaves_few_pairs_open() -> None:
    # As large as an embedding: its bound is a few parts in 100,000 of the distance.
    random = np.random.default_rng(0)
    gallery, probes = random.normal(0, 1, (2, 50, 16 * 128)).astype(np.float32)
    with ThreadPoolExecutor(1) as pool:
        estimate = PartsProduct(probes, np.dtype(np.float32), 16, "cpu")(gallery, pool)
        values, _, bound = estimate(slice(0, 50))
    assert (bound < 2e-4 * values.min(axis=1)).all()


def test_work_is_cut_into_pieces_that_fit_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    gallery, probes = random.normal(0, 1, (2, 40, 12))
    whole = search(gallery, None, probes, None, metric=parts(4), top=3)
    monkeypatch.setattr(parts_module, "_ENTRIES", 50)
    monkeypatch.setattr(parts_module, "_MOVED_VALUES", 30)
    assert_equal(search(gallery, None, probes, None, metric=parts(4), top=3), whole)


class InAFile:
    """Gallery rows that are made when they are wanted; remembers how many at a time."""

    def __init__(self, rows: int, columns: int) -> None:
        self.shape, self.dtype, self.most = (rows, columns), np.dtype(np.float32), 0

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        self.most = max(self.most, len(rows))
        angle = rows[:, None] * np.arange(1, self.shape[1] + 1, dtype=np.float64)
        return np.cos(angle).astype(np.float32)


def test_a_gallery_is_read_a_few_rows_at_a_time() -> None:
    # 62 parts of 256 values: half a thousand rows are 32 MB.
    gallery = InAFile(1_100, 62 * 256)
    wanted = np.array([1_099, 3])
    found = search(gallery, None, gallery[wanted], None, metric=parts(62))
    assert found.nearest[:, 0].tolist() == wanted.tolist()
    assert found.distance[:, 0].tolist() == [0.0, 0.0]
    assert gallery.most <= 600


@pytest.mark.slow
def test_a_million_rows() -> None:
    gallery = InAFile(1_000_000, 4 * 8)
    wanted = np.array([999_999, 123_456, 7])
    found = search(gallery, None, gallery[wanted], None, metric=parts(4), top=2)
    assert found.nearest[:, 0].tolist() == wanted.tolist()
    assert gallery.most <= 1 << 18


@settings(max_examples=25)
@given(randoms, st.sampled_from([("parts", "euclidean"), ("cosine", "manhattan", "parts")]))
def test_a_sum_of_distances_is_searched_exactly(random: Random, names: tuple[str, ...]) -> None:
    metrics = [get_metric(name).for_parts(2) for name in names]
    weights = random.uniform(0.1, 2, len(names)).tolist()
    columns = [slice(4 * place, 4 * place + 4) for place in range(len(names))]
    gallery = random.normal(0, 1, (23, 4 * len(names))).astype(np.float32)
    probes = random.normal(0, 1, (7, 4 * len(names))).astype(np.float32)
    summed = sum_of_metrics(metrics, weights, columns)
    assert summed.name == "+".join(names)
    expected = np.zeros((7, 23))
    for metric, weight, some in zip(metrics, weights, columns, strict=True):
        for row, probe in enumerate(probes):
            one = np.repeat(probe[None, some], 23, axis=0)
            expected[row] += weight * metric.direct(gallery[:, some], one)
    found = search(gallery, None, probes, None, metric=summed, block_rows=5, top=2)
    np.testing.assert_array_equal(
        found.neighbours[:, 0], np.argsort(expected, axis=1, kind="stable")[:, :2]
    )
