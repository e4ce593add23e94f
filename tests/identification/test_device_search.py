"""The search on a device finds what the search on the processor finds, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import OptionError
from gaitkit.identification import device_search
from gaitkit.identification.device_search import COSINE, EUCLIDEAN, DeviceGallery
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import get_metric

METRICS = {"euclidean": EUCLIDEAN, "cosine": COSINE}


def both(gallery, probes, metric, top=1, device="cpu"):
    """The two answers; torch's own processor stands in for a GPU."""
    enrolled = DeviceGallery(gallery, METRICS[metric], device)
    there = search(enrolled, None, probes, None, metric=get_metric(metric), top=top)
    here = search(gallery, None, probes, None, metric=get_metric(metric), top=top)
    return there, here


def assert_same(there, here):
    np.testing.assert_array_equal(there.neighbours, here.neighbours)
    np.testing.assert_array_equal(there.neighbour_distances, here.neighbour_distances)


def test_three_rows_by_hand():
    gallery = np.array([[0, 0], [3, 4], [6, 8]], dtype=np.float32)
    found, _ = both(gallery, np.array([[3, 3]], dtype=np.float32), "euclidean", top=5)
    # (3, 3) is 1 from (3, 4), √18 from (0, 0), √34 from (6, 8); there are no more rows.
    assert found.neighbours[0, 0].tolist() == [1, 0, 2, -1, -1]
    np.testing.assert_array_equal(
        found.neighbour_distances[0, 0], [1, np.sqrt(18), np.sqrt(34), np.nan, np.nan]
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
@pytest.mark.parametrize("top", [1, 3, 300])
def test_the_processor_finds_the_same(metric, dtype, top):
    random = np.random.default_rng(0)
    gallery = random.integers(0, 256, (1500, 20)).astype(dtype)
    gallery[700] = gallery[3]  # A tie goes to the lowest row.
    probes = random.integers(0, 256, (9, 20)).astype(dtype)
    probes[4] = gallery[700]
    there, here = both(gallery, probes, metric, top)
    assert_same(there, here)
    assert here.nearest[4, 0] == 3


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 600),
    columns=st.integers(1, 9),
    top=st.integers(1, 7),
    grid=st.sampled_from([2, 5, 1000]),
    metric=st.sampled_from(list(METRICS)),
)
def test_whatever_the_vectors(seed, rows, columns, top, grid, metric):
    # On a grid of few values there are many ties, and vectors of zeros.
    random = np.random.default_rng(seed)
    gallery = random.integers(0, grid, (rows, columns)).astype(np.float32)
    probes = random.integers(0, grid, (5, columns)).astype(np.float32)
    assert_same(*both(gallery, probes, metric, top))


def test_blocks_and_probes_are_cut_without_a_trace(monkeypatch):
    monkeypatch.setattr(device_search, "_BLOCK_ENTRIES", 256)
    monkeypatch.setattr(device_search, "_BLOCK_BYTES", 4 * 256 * 8)
    monkeypatch.setattr(device_search, "_PROBES", 3)
    random = np.random.default_rng(1)
    gallery = random.standard_normal((1000, 8), dtype=np.float32)
    probes = random.standard_normal((10, 8), dtype=np.float32)
    assert_same(*both(gallery, probes, "euclidean", top=2))


@pytest.mark.parametrize("value", [1e30, 1e-30])
def test_numbers_that_single_precision_cannot_square(value):
    gallery = (np.eye(4, dtype=np.float32) + 1) * np.float32(value)
    probes = gallery[:2] * np.float32(1.25)
    assert_same(*both(gallery, probes, "euclidean"))


def test_many_equal_rows_are_searched_as_everywhere():
    gallery = np.ones((256 * 70, 2), dtype=np.uint8)
    there, here = both(gallery, np.zeros((2, 2), dtype=np.uint8), "euclidean")
    assert_same(there, here)
    assert here.nearest.tolist() == [[0], [0]]


def test_a_gallery_that_lies_there_for_another_metric_is_searched_as_everywhere():
    gallery = np.array([[9, 9], [0, 1]], dtype=np.float32)
    enrolled = DeviceGallery(gallery, EUCLIDEAN, "cpu")
    probe = np.array([[1, 1]], dtype=np.float32)
    found = search(enrolled, None, probe, None, metric=get_metric("cosine"))
    # (1, 1) points where (9, 9) does, and is nearer to (0, 1).
    assert found.nearest.tolist() == [[0]]


def test_other_types_are_refused_in_words():
    with pytest.raises(OptionError, match="got float64 of shape"):
        DeviceGallery(np.zeros((2, 2)), device="cpu")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("on_device", [False, True])
def test_a_gpu_finds_the_same(metric, on_device):
    random = np.random.default_rng(2)
    gallery = random.standard_normal((20_000, 256), dtype=np.float32)
    probes = random.standard_normal((100, 256), dtype=np.float32)
    there = search(
        DeviceGallery(gallery, METRICS[metric]) if on_device else gallery,
        None,
        probes,
        None,
        metric=get_metric(metric),
        top=5,
        device="cuda",
    )
    here = search(gallery, None, probes, None, metric=get_metric(metric), top=5)
    assert_same(there, here)
