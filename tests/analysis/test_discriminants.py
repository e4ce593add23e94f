"""Discriminant analysis as a part of an embedding: hand-made images, and what they must give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.analysis.discriminants import (
    UNKNOWN_VIEW,
    LinearPart,
    LinearSizes,
    halved,
    seen_images,
    seen_size,
    strips_of,
)
from gaitkit.analysis.fitting import _discriminants, _moments, fit_linear, linear_sizes

PEOPLE, VIEWS, TAKES = 6, 3, 4
"""Of the images that are drawn here, 16 pixels high and wide."""


def drawn(seed: int = 0, people: int = PEOPLE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images: a bright row that says from where, one whose pattern says who, and noise elsewhere.

    From the second side a person's pattern is its own negative.
    """
    random = np.random.default_rng(seed)
    subject, view, _ = (axis.ravel() for axis in np.indices((people, VIEWS, TAKES)))
    images = random.integers(0, 20, (len(subject), 16, 16))
    images[np.arange(len(subject)), view, 4:12] = 200
    pattern = np.random.default_rng(5).integers(0, 200, (people, 8))[subject]
    images[:, 8, 4:12] = np.where(view[:, None] == 1, 200 - pattern, pattern)
    return images.astype(np.uint8), subject.astype(np.int64), view.astype(np.int64)


def fitted(
    images: np.ndarray,
    subject: np.ndarray,
    view: np.ndarray,
    *,
    views: int,
    values: int = 5,
    strips: tuple[int, ...] = (),
) -> LinearPart:
    part = LinearPart(linear_sizes((16, 16), views, values, strips=strips))
    fit_linear(part, images, subject, view)
    return part


def vectors(part: LinearPart, images: np.ndarray) -> np.ndarray:
    """Of the whole image, shape (n, values)."""
    return all_vectors(part, images)[:, 0]


def all_vectors(part: LinearPart, images: np.ndarray) -> np.ndarray:
    """Of the whole and its strips, shape (n, vectors, values)."""
    found: np.ndarray = part(torch.from_numpy(images)[:, None].float() / 255).numpy()
    return found


def rank_1_across_views(found: np.ndarray, subject: np.ndarray, view: np.ndarray) -> float:
    distances = np.linalg.norm(found[:, None] - found[None], axis=2)
    distances[view[:, None] == view[None]] = np.inf
    return float((subject[distances.argmin(axis=1)] == subject).mean())


def test_people_are_told_apart_across_views_that_nobody_names() -> None:
    images, subject, view = drawn()
    others, who, whence = drawn(seed=1)
    by_view = vectors(fitted(images, subject, view, views=VIEWS), others)
    np.testing.assert_allclose(np.linalg.norm(by_view, axis=1), 1.0, atol=1e-5)
    # One matrix for all views cannot turn the negatives round.
    alike = vectors(fitted(images, subject, view, views=0), others)
    rates = [rank_1_across_views(found, who, whence) for found in (by_view, alike)]
    assert rates[0] > 0.8 > rates[1]


def test_the_view_is_told_from_the_image() -> None:
    images, subject, view = drawn()
    part = fitted(images, subject, view, views=VIEWS)
    others, _, whence = drawn(seed=1)
    pixels = seen_images(torch.from_numpy(others)[:, None].float() / 255).flatten(1)
    scores = part.reduced(pixels) @ part.tell + part.bias
    assert scores.argmax(dim=1).tolist() == whence.tolist()


def test_an_image_whose_view_is_unknown_is_learned_from_as_one_of_the_view_it_seems_to_have() -> (
    None
):
    images, subject, view = drawn()
    some = view.copy()
    some[::5] = UNKNOWN_VIEW
    told, untold = (
        vectors(fitted(images, subject, known, views=VIEWS), images) for known in (view, some)
    )
    assert np.abs(told - untold).max() < 0.2


def test_what_a_fit_cannot_use_does_no_harm() -> None:
    images, subject, view = drawn(people=2)
    # Two people differ in one direction; the other values are 0.
    found = vectors(fitted(images, subject, view, views=VIEWS), images)
    assert np.abs(found[:, 0]).min() > 0.99
    assert not found[:, 1:].any()
    # A fourth view that nobody was seen from, and images without any difference.
    assert np.isfinite(vectors(fitted(images, subject, view, views=4), images)).all()
    blank = np.zeros_like(images)
    assert not vectors(fitted(blank, subject, view, views=VIEWS), blank).any()
    # Noise alone still gives vectors.
    assert np.isfinite(vectors(fitted(blank, subject, view, views=0), images)).all()


@given(st.integers(0, 5))
@settings(max_examples=5, deadline=None)
def test_the_order_of_the_images_means_nothing(seed: int) -> None:
    images, subject, view = drawn()
    order = np.random.default_rng(seed).permutation(len(images))
    once = vectors(fitted(images, subject, view, views=VIEWS), images)
    again = vectors(fitted(images[order], subject[order], view[order], views=VIEWS), images)
    np.testing.assert_allclose(again, once, atol=1e-3)


def test_a_strip_is_analysed_for_itself_and_its_view_told_from_the_whole() -> None:
    images, subject, view = drawn()
    others, who, whence = drawn(seed=1)
    # What says from where is at the top, and what says who is in the third quarter.
    found = all_vectors(fitted(images, subject, view, views=VIEWS, strips=(4,)), others)
    assert found.shape == (len(others), 5, 5)
    rates = [rank_1_across_views(found[:, place], who, whence) for place in range(1, 5)]
    assert rates[2] > 0.8 > 0.4 > max(rates[0], rates[1], rates[3])


def test_strips_do_not_see_each_other() -> None:
    images, subject, view = drawn()
    part = fitted(images, subject, view, views=0, strips=(2, 4))
    changed = images.copy()
    changed[:, 12:] = 255 - changed[:, 12:]
    moved = np.abs(all_vectors(part, changed) - all_vectors(part, images)).max(axis=(0, 2)) > 0
    # The whole, halves, quarters.
    assert moved.tolist() == [True, False, True, False, False, False, True]


def test_only_strip_counts_that_divide_the_height_are_cut() -> None:
    assert linear_sizes((20, 20), views=0, values=4).strips == (2, 4)
    part = LinearPart(linear_sizes((20, 20), views=0, values=4))
    # 14 columns are seen; the whole and the halves are averaged over squares.
    assert part.mean.shape == (70,)
    assert [strips.mean.shape for _, strips in part.each_count()] == [(2, 35), (4, 70)]


def test_sums_by_view_are_those_of_all_columns() -> None:
    random = np.random.default_rng(2)
    components, subject = random.normal(size=(40, 4)), np.arange(40) % 5
    share = np.eye(3)[np.arange(40) // 2 % 3]
    share[::7] = random.dirichlet(np.ones(3), 6)
    moments = _moments(components, 2, share, subject)
    changing = share[:, :, None] * components[:, None, :2]
    rows = np.concatenate([components, changing.reshape(40, 6)], axis=1)
    np.testing.assert_allclose(moments.products, rows.T @ rows / 40, atol=1e-12)
    means = [rows[subject == person].mean(axis=0) for person in range(5)]
    np.testing.assert_allclose(moments.means, means, atol=1e-12)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-12)


def test_directions_are_the_widest_between_people_where_those_within_are_round() -> None:
    random = np.random.default_rng(3)
    subject = np.repeat(np.arange(4), 50)
    rows = random.normal(size=(200, 3)) * [1.0, 2.0, 4.0] + np.eye(4)[subject][:, :3] * [9, 2, 1]
    moments = _moments(rows, 0, np.zeros((200, 0)), subject)
    matrix = _discriminants(moments, 5)
    assert matrix.shape == (3, 5)
    # Three directions among four people; the first is that in which they are far apart.
    assert not matrix[:, 3:].any()
    assert np.abs(matrix[:, 0]).argmax() == 0
    found = (rows - moments.mean) @ matrix
    within = found - np.array([found[subject == one].mean(axis=0) for one in range(4)])[subject]
    spread = within.T @ within / 200
    off = spread[:3, :3] - np.diag(np.diag(spread[:3, :3]))
    assert np.abs(off).max() < 0.1


def test_large_images_are_averaged_over_squares() -> None:
    image = torch.zeros(1, 1, 128, 128)
    image[..., :2, 20:22] = 1.0
    assert seen_images(image).shape == (1, 1, 64, 44)
    assert seen_images(image)[0, 0, 0, 0] == 1.0


@given(
    size=st.tuples(st.integers(4, 200), st.integers(4, 200)),
    channels=st.integers(1, 3),
    count=st.sampled_from((1, 2, 4, 8)),
)
@settings(max_examples=60)
def test_sizes_told_beforehand_are_those_of_what_is_seen(
    size: tuple[int, int], channels: int, count: int
) -> None:
    seen = seen_images(torch.zeros(2, channels, *size))
    height, width = seen_size(*size)
    assert seen.shape == (2, channels, height, width)
    if height % count == 0:
        sizes = LinearSizes((channels, height, width), 120, 0, 0, 8, strips=(count,))
        strips = strips_of(seen, halved(seen), count)
        assert strips.shape == (count, 2, *sizes.of_strip(count).shape)


def test_of_very_many_examples_some_are_taken_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    people, views = np.arange(40) % 5, np.full(40, UNKNOWN_VIEW)
    half, few = (LinearPart(linear_sizes((16, 16), views=0, values=4)) for _ in range(2))
    fit_linear(half, images[::2], people[::2], views[::2])
    monkeypatch.setattr("gaitkit.analysis.fitting._MOST_NUMBERS", 20 * 16 * 11)
    fit_linear(few, images, people, views)
    for name, values in half.state_dict().items():
        assert torch.equal(few.state_dict()[name], values), name
