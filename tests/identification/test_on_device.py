"""Neighbours found on a device are those found on the host; here the device is the processor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gaitkit.errors import DeviceError, OptionError
from gaitkit.identification import on_device
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import Metric, get_metric
from gaitkit.identification.on_device import DeviceGallery, nearest_on_device

EUCLIDEAN, COSINE, MANHATTAN = map(get_metric, ("euclidean", "cosine", "manhattan"))
TYPES = (np.uint8, np.float16, np.float32)

Vectors = NDArray[Any]


def drawn(kind: Any, rows: int, columns: int, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    numbers = random.integers(0, 256, (rows, columns)).astype(kind)
    return numbers if kind is np.uint8 else (numbers * kind(0.37)).astype(kind)


def by_device(
    gallery: Any, probes: Vectors, metric: Metric, top: int, rows: Any = None, **how: Any
) -> Any:
    every = np.arange(gallery.shape[0])
    with ThreadPoolExecutor(2) as pool:
        return nearest_on_device(
            gallery, every if rows is None else rows, probes, metric, top, "cpu", pool, **how
        )


def assert_same(found: Any, gallery: Vectors, probes: Vectors, metric: Metric, top: int) -> None:
    expected = search(gallery, None, probes, None, metric=metric, top=top)
    np.testing.assert_array_equal(found.row, expected.neighbours[:, 0])
    there = found.row >= 0
    np.testing.assert_array_equal(
        metric.finish(found.distance[there]), expected.neighbour_distances[:, 0][there]
    )


@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE], ids=lambda metric: metric.name)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(("columns", "top"), [(40, 1), (40, 7), (1500, 1), (1500, 3)])
@pytest.mark.parametrize("block_rows", [None, 5, 64, 130])
def test_the_device_finds_what_the_host_finds(
    metric: Metric, kind: Any, columns: int, top: int, block_rows: int | None
) -> None:
    gallery, probes = drawn(kind, 203, columns), drawn(kind, 17, columns, 1)
    # Equal rows, in one block and in others.
    gallery[[3, 90, 150]] = gallery[2]
    probes[0] = gallery[2]
    found = by_device(gallery, probes, metric, top, block_rows=block_rows)
    assert_same(found, gallery, probes, metric, top)
    known = DeviceGallery(gallery, metric, device="cpu")
    found = by_device(known, probes, metric, top, block_rows=block_rows)
    assert_same(found, gallery, probes, metric, top)


@pytest.mark.parametrize(
    ("of_gallery", "of_probes"), [(np.uint8, np.float32), (np.float32, np.uint8)]
)
def test_bytes_among_floats(of_gallery: Any, of_probes: Any) -> None:
    gallery, probes = drawn(of_gallery, 90, 300), drawn(of_probes, 9, 300, 1)
    for known in (gallery, DeviceGallery(gallery, EUCLIDEAN, device="cpu")):
        assert_same(by_device(known, probes, EUCLIDEAN, 2), gallery, probes, EUCLIDEAN, 2)


def test_near_ties_far_from_the_origin_are_decided_directly() -> None:
    random = np.random.default_rng(3)
    gallery = (1000 + 1e-3 * random.standard_normal((300, 64))).astype(np.float32)
    probes = (1000 + 1e-3 * random.standard_normal((11, 64))).astype(np.float32)
    for known in (gallery, DeviceGallery(gallery, EUCLIDEAN, device="cpu")):
        assert_same(by_device(known, probes, EUCLIDEAN, 3), gallery, probes, EUCLIDEAN, 3)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 6), st.integers(1, 9),
    st.sampled_from([EUCLIDEAN, COSINE]), st.sampled_from(TYPES), st.integers(1, 80),
)  # fmt: skip
def test_whatever_the_sizes(
    seed: int, rows: int, columns: int, top: int, metric: Metric, kind: Any, block_rows: int
) -> None:
    random = np.random.default_rng(seed)
    # Few values: many ties, vectors of zeros among them.
    gallery = random.integers(0, 3, (rows, columns)).astype(kind)
    probes = random.integers(0, 3, (4, columns)).astype(kind)
    found = by_device(gallery, probes, metric, top, block_rows=block_rows)
    assert_same(found, gallery, probes, metric, top)


def test_many_open_pairs_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "_PAIRS", 50)
    gallery = np.zeros((120, 3), dtype=np.float32)
    probes = np.zeros((7, 3), dtype=np.float32)
    assert_same(by_device(gallery, probes, EUCLIDEAN, 4), gallery, probes, EUCLIDEAN, 4)


def test_some_rows_only() -> None:
    gallery, probes = drawn(np.float32, 80, 20), drawn(np.float32, 5, 20, 1)
    rows = np.array([1, 2, 3, 40, 70])
    for known in (gallery, DeviceGallery(gallery, EUCLIDEAN, device="cpu")):
        found = by_device(known, probes, EUCLIDEAN, 2, rows, block_rows=4)
        expected = search(gallery, None, probes, None, metric=EUCLIDEAN, top=2, groups=[rows])
        np.testing.assert_array_equal(found.row, expected.neighbours[:, 0])


def test_what_it_is_not_for_is_left_to_the_host() -> None:
    small = drawn(np.float32, 9, 4)
    assert by_device(small.astype(np.float64), small, EUCLIDEAN, 1) is None
    assert by_device(small, small, MANHATTAN, 1) is None
    # Their squares do not fit into single precision.
    assert by_device(small * np.float32(1e18), small, EUCLIDEAN, 1) is None
    assert by_device(small, small * np.float32(1e18), EUCLIDEAN, 1) is None
    cosine = DeviceGallery(small, COSINE, device="cpu")
    assert by_device(cosine, small, EUCLIDEAN, 1) is None
    for vectors, metric in ((small.astype(np.float64), EUCLIDEAN), (small, MANHATTAN)):
        with pytest.raises(OptionError, match="not computed on a device"):
            DeviceGallery(vectors, metric, device="cpu")
    # The same search still works, on the host.
    found = search(cosine, None, small, None, metric=EUCLIDEAN)
    assert found.nearest[:, 0].tolist() == list(range(9))


def test_a_gallery_of_a_device_is_searched_for_ranks_too() -> None:
    gallery, probes = drawn(np.float32, 60, 20), drawn(np.float32, 5, 20, 1)
    who, whose = np.arange(60) % 7, np.arange(5) % 7
    known = DeviceGallery(gallery, EUCLIDEAN, device="cpu")
    here = search(gallery, who, probes, whose, metric=EUCLIDEAN)
    there = search(known, who, probes, whose, metric=EUCLIDEAN)
    np.testing.assert_array_equal(here.rank, there.rank)


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 16.00 GiB")

    monkeypatch.setattr(on_device._Space, "prepare", fail)
    small = drawn(np.float32, 9, 4)
    with pytest.raises(DeviceError, match=r"too little memory for this search: CUDA out of"):
        by_device(small, small, EUCLIDEAN, 1)
    with pytest.raises(DeviceError, match="too little memory"):
        DeviceGallery(small, EUCLIDEAN, device="cpu")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE], ids=lambda metric: metric.name)
@pytest.mark.parametrize("kind", [*TYPES, np.float64])
@pytest.mark.parametrize("rounding", ["highest", "high"])
def test_a_gpu_finds_what_the_host_finds(metric: Metric, kind: Any, rounding: str) -> None:
    gallery, probes = drawn(kind, 20_000, 1200), drawn(kind, 200, 1200, 1)
    gallery[[30, 9000]] = gallery[2]
    probes[0] = gallery[2]
    here = search(gallery, None, probes, None, metric=metric, top=3)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(rounding)
    try:
        galleries = [gallery]
        if kind is not np.float64:
            galleries.append(DeviceGallery(gallery, metric))
        for known in galleries:
            for block_rows in (None, 4096):
                there = search(
                    known, None, probes, None, metric=metric, top=3, device="cuda",
                    block_rows=block_rows,
                )  # fmt: skip
                np.testing.assert_array_equal(there.neighbours, here.neighbours)
                np.testing.assert_array_equal(there.neighbour_distances, here.neighbour_distances)
    finally:
        torch.set_float32_matmul_precision(before)
