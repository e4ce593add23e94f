"""A short real training on drawn walkers: StarGAN shows what it is asked for, without pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GeiSet, StarGAN, StarGANConfig
from gaitkit.translators.aim import Aim

VIEWS = (0.0, 45.0, 90.0)
PEOPLE = [f"{number:02d}" for number in range(12)]


def drawn_people() -> tuple[NDArray[np.uint8], Labels]:
    """Upright blobs, as tall and wide as the person; the legs' spread and shade tell the view."""
    rows, columns = np.mgrid[0:32, 0:32]
    images, keys = [], []
    random = np.random.default_rng(0)
    for name in PEOPLE:
        half, top = random.uniform(3, 6), random.uniform(2, 8)
        for take in (1, 2):
            for spread, view in enumerate(VIEWS):
                lean = (rows - 16).clip(0) * 0.4 * spread
                inside = np.abs(columns - 16) < half + lean
                shade = 255.0 - 120.0 * (np.abs(columns - 16) >= half)
                grey = inside * (rows >= top) * shade + random.normal(0, 4, rows.shape)
                images.append(grey.clip(0, 255).astype(np.uint8))
                keys.append(SequenceKey(name, "nm", take, view))
    return np.stack(images), Labels.from_keys(keys)


def reader(
    images: NDArray[np.uint8], labels: Labels
) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """A classifier of views that knows measured GEIs only: ridge regression on their pixels."""
    pixels = images.reshape(len(images), -1) / 255.0
    mean = pixels.mean(axis=0)
    right = np.eye(len(VIEWS))[np.searchsorted(VIEWS, labels.view)]
    # As many unknowns as GEIs, not as pixels.
    gram = (pixels - mean) @ (pixels - mean).T + 3.0 * np.eye(len(images))
    weights = (pixels - mean).T @ np.linalg.solve(gram, right - right.mean(axis=0))
    return lambda shown: ((shown.reshape(len(shown), -1) / 255.0 - mean) @ weights).argmax(axis=1)


@pytest.mark.slow
def test_the_view_that_is_asked_for_is_the_one_that_others_read() -> None:
    images, labels = drawn_people()
    learned = np.isin(labels.subject.astype(str), PEOPLE[:9])
    model = StarGAN(
        StarGANConfig(
            width=8,
            residual_blocks=1,
            depth=4,
            image_size=(32, 32),
            views=VIEWS,
            conditions=("nm",),
            n_critic=2,
            learning_rate_g=1e-3,
            learning_rate_d=1e-3,
            classification_weight=2.0,
        ),
        device="cpu",
        precision="fp32",
        threads=1,
    )
    geis = GeiSet(images[learned], labels.select(learned))
    training = model.fit(geis, iterations=300, batch_size=8, log_every=50, sample_every=300)
    history = training.training.history
    cycle = [row[history.names.index("G.cycle")] for row in history.losses]
    assert cycle[-1] < 0.5 * cycle[0]
    read = reader(images[learned], labels.select(learned))
    assert (read(images[~learned]) == np.searchsorted(VIEWS, labels.view[~learned])).all()
    for position, view in enumerate(VIEWS):
        shown = model.translate(images[~learned], Aim(view=view))
        assert (read(shown) == position).mean() > 0.9
