"""Drawn people for embedders: each with widths of their own, and noise over them."""

from __future__ import annotations

import numpy as np

from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.geis import GeiSet

WALKS = (("nm", 1), ("nm", 2), ("bg", 1), ("cl", 1))
VIEWS = (0.0, 54.0, 90.0)


def keys_of(people: str, walks: tuple[tuple[str, int], ...] = WALKS) -> list[SequenceKey]:
    return [SequenceKey(name, *walk, view) for name in people for walk in walks for view in VIEWS]


def drawn_geis(people: str = "abcdef", size: tuple[int, int] = (16, 16), seed: int = 5) -> GeiSet:
    """Bodies that are wide here and narrow there, each in its own way, in any light."""
    generator = np.random.default_rng(seed)
    keys = keys_of(people)
    height, width = size
    across = np.abs(np.arange(width) - (width - 1) / 2)
    own = {}
    for name in people:
        half = np.repeat(generator.uniform(0.5, width / 2, 4), height // 4)
        own[name] = across < half[:, None]
    # How bright somebody is says nothing of who it is.
    images = [
        generator.uniform(30, 200) * own[key.subject] + generator.integers(0, 50, size)
        for key in keys
    ]
    return GeiSet(np.array(images, dtype=np.uint8), Labels.from_keys(keys), "drawn")
