"""Discriminant analysis as a part of an embedding: hand-made images, and what they must give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.embedders.linear import fit_linear, linear_sizes
from gaitkit.embedders.losses import UNKNOWN_VIEW
from gaitkit.embedders.networks.linear import LinearPart, seen_pixels

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
    images: np.ndarray, subject: np.ndarray, view: np.ndarray, *, views: int, values: int = 5
) -> LinearPart:
    part = LinearPart(linear_sizes((16, 16), views, values))
    fit_linear(part, images, subject, view)
    return part


def vectors(part: LinearPart, images: np.ndarray) -> np.ndarray:
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
    pixels = seen_pixels(torch.from_numpy(others)[:, None].float() / 255)
    scores = (pixels - part.mean) @ part.components @ part.tell + part.bias
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


def test_large_images_are_averaged_over_squares() -> None:
    image = torch.zeros(1, 1, 128, 128)
    image[..., :2, 20:22] = 1.0
    assert seen_pixels(image).shape == (1, 64 * 44)
    assert seen_pixels(image)[0, 0] == 1.0


def test_of_very_many_examples_some_are_taken_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    people, views = np.arange(40) % 5, np.full(40, UNKNOWN_VIEW)
    half, few = (LinearPart(linear_sizes((16, 16), views=0, values=4)) for _ in range(2))
    fit_linear(half, images[::2], people[::2], views[::2])
    monkeypatch.setattr("gaitkit.embedders.linear._MOST_NUMBERS", 20 * few.sizes.pixels)
    fit_linear(few, images, people, views)
    for name, values in half.state_dict().items():
        assert torch.equal(few.state_dict()[name], values), name
