"""Noise as GEIs of a few people, and a training step by step, for the tests of several systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import Translator
from gaitkit.translators.sampling import Batch, TripleSampler

__all__ = ["VIEWS", "small_sampler", "trained"]

VIEWS = (0.0, 54.0, 90.0)


def small_sampler(dtype: torch.dtype = torch.float32, unknown: bool = False) -> TripleSampler:
    """Three people, two conditions, `VIEWS` and if so wished an unknown one; 32×32 pixels."""
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in (*VIEWS, *([float("nan")] if unknown else []))
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return TripleSampler(images, Labels.from_keys(keys), dtype=dtype)


def trained(model: Translator[Any], batches: Sequence[Batch]) -> list[dict[str, float]]:
    """Train on each batch in turn; what the steps told."""
    values = []
    for batch in batches:
        model.before_step()
        step = model.train_step(batch)
        values.append({name: value.item() for name, value in step.items()})
        model.steps_done += 1
    return values
