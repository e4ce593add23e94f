"""A small artefact of drawn GEIs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.artifacts import TrainedOn, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.labels import Labels, SequenceKey

PREPROCESSING = {
    "silhouettes": {"alignment": "person", "height": 32, "width": 32},
    "gei": {"min_frames": 5},
}
KEYS = [
    SequenceKey(subject, condition, take, view)
    for subject in ("001", "002", "003", "004")
    for condition, take in (("nm", 1), ("nm", 2), ("cl", 1))
    for view in (0.0, 90.0)
]
DROPPED = [DroppedRow.of(SequenceKey("001", "bg", 1, 0.0), "too-few-frames", detail="2 of 5")]


@pytest.fixture
def write_geis(tmp_path: Path) -> Callable[..., Path]:
    """Write drawn GEIs of four people; keyword arguments replace those of `write_artifact`."""

    def write(name: str = "gei.h5", size: tuple[int, int] = (32, 32), **changes: Any) -> Path:
        images = np.random.default_rng(1).integers(0, 256, (len(KEYS), *size), dtype=np.uint8)
        options: dict[str, Any] = {
            "kind": "gei",
            "arrays": {
                "gei": images,
                "frames_used": np.arange(len(KEYS), dtype=np.int64),
                "mirrored": np.zeros(len(KEYS), dtype=np.bool_),
            },
            "labels": Labels.from_keys(KEYS),
            "dropped": DROPPED,
            "parameters": PREPROCESSING,
            "dataset": "drawn",
            "trained_on": [TrainedOn("other", "x", "training")],
        }
        write_artifact(tmp_path / name, **(options | changes))
        return tmp_path / name

    return write
