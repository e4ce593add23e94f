"""Scaling and centring by exact area averaging."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaitkit.silhouettes.align import align_person


def test_one_to_one_is_a_centred_copy():
    mask = np.array([[1, 1], [1, 1], [1, 1], [1, 1]], np.uint8)
    silhouette, centre, area = align_person(mask, 4, 4)
    assert silhouette.tolist() == [[0, 255, 255, 0]] * 4
    assert (centre, area) == (1.0, 8)


def test_a_centre_between_pixels_is_shared_out():
    mask = np.ones((4, 3), np.uint8)
    silhouette, centre, _ = align_person(mask, 4, 4)
    assert silhouette.tolist() == [[128, 255, 255, 128]] * 4
    assert centre == 1.5


def test_halving_averages_two_by_two():
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 1, 1]], np.uint8)
    silhouette, _, area = align_person(mask, 2, 2)
    assert silhouette.tolist() == [[255, 255], [128, 191]]
    assert area == 13


def test_doubling_repeats():
    mask = np.array([[1, 1], [0, 1]], np.uint8)
    silhouette, _, _ = align_person(mask, 4, 4)
    assert silhouette.tolist() == [[255] * 4] * 2 + [[0, 0, 255, 255]] * 2


def test_only_the_upper_part_decides_about_the_centre():
    """Head and trunk over column 2; a leg to the right does not move them."""
    mask = np.zeros((10, 9), np.uint8)
    mask[:7, 1:4] = 1
    mask[7:, 4:] = 1
    mask[6, 3:5] = 1
    _, centre, _ = align_person(mask, 10, 10, centre_part=0.5)
    assert centre == 2.5
    _, whole, _ = align_person(mask, 10, 10, centre_part=1.0)
    assert whole > 3.5


def test_what_is_wider_than_the_window_is_cut():
    silhouette, _, _ = align_person(np.ones((4, 40), np.uint8), 4, 6)
    assert silhouette.tolist() == [[255] * 6] * 4


masks = arrays(
    np.uint8, st.tuples(st.integers(2, 24), st.integers(1, 24)), elements=st.integers(0, 1)
)


def brute_force(mask: np.ndarray, height: int, width: int, centre: float) -> np.ndarray:
    """Share of each target pixel that the mask covers, by summing overlaps of intervals."""
    step = mask.shape[0] / height
    shares = []
    for size, edges in (
        (mask.shape[0], np.arange(height + 1) * step),
        (mask.shape[1], centre + (np.arange(width + 1) - width / 2) * step),
    ):
        overlap = np.zeros((len(edges) - 1, size))
        for i in range(len(edges) - 1):
            for j in range(size):
                overlap[i, j] = max(0, min(edges[i + 1], j + 1) - max(edges[i], j)) / step
        shares.append(overlap)
    return 255 * shares[0] @ mask @ shares[1].T


@given(masks, st.integers(2, 20), st.integers(1, 20))
def test_equals_summing_overlaps(mask, height, width):
    mask[0, 0] = 1
    silhouette, centre, area = align_person(mask, height, width, centre_part=1.0)
    columns = np.arange(mask.shape[1]) + 0.5
    assert np.isclose(centre, (mask.sum(axis=0) * columns).sum() / mask.sum())
    assert area == mask.sum()
    assert np.abs(silhouette - brute_force(mask, height, width, centre)).max() <= 0.5 + 1e-6


@given(masks)
def test_mirrored_in_mirrored_out(mask):
    mask[0, :] = 1
    there, _, _ = align_person(mask, 8, 8)
    back, _, _ = align_person(np.ascontiguousarray(mask[:, ::-1]), 8, 8)
    assert np.abs(there[:, ::-1].astype(int) - back).max() <= 1
