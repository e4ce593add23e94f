"""A few drawn walkers as sequences of silhouettes, in arrays and in an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import write_artifact
from gaitkit.embedders import SilhouetteSet, embedder_class
from gaitkit.labels import Labels, SequenceKey

SMALL: dict[str, dict[str, Any]] = {
    "gaitset": {"width": 2, "values": 4, "device": "cpu", "threads": 1},
    "gaitbase": {"width": 2, "part_count": 8, "values": 4, "device": "cpu", "threads": 1},
}
"""Settings by which each embedder of sets is small."""
FEW: dict[str, Any] = {"iterations": 4, "batch_size": 6, "people": 3, "frames": 3, "log_every": 2}
PREPROCESSING = {"silhouettes": {"alignment": "person", "height": 32, "width": 32}}


def small(system: str, **changes: Any) -> Any:
    """An embedder of sets, made small."""
    return embedder_class(system)(**(SMALL[system] | changes))


def walk(person: int, take: int, frames: int, size: tuple[int, int] = (32, 32)) -> NDArray[Any]:
    """A body as broad and high as its person, legs that swing, a little noise."""
    random = np.random.default_rng([person, take])
    height, width = size
    images = np.zeros((frames, height, width), dtype=np.uint8)
    girth, top = 2 + person % 4, 2 + 2 * (person // 4)
    for frame in range(frames):
        swing = int(4 * np.sin(frame + take))
        middle = width // 2 + int(random.integers(-1, 2))
        images[frame, top : height * 2 // 3, middle - girth : middle + girth] = 255
        for side in (-1, 1):
            at = middle + side * abs(swing)
            images[frame, height * 2 // 3 : height - 2, at - 1 : at + 1] = 255
    noise = random.integers(0, 40, images.shape, dtype=np.uint8)
    return np.where(images > 0, images - noise, noise)


def keys(people: int = 4, takes: int = 2, views: tuple[float, ...] = (0.0, 90.0)) -> list[Any]:
    return [
        SequenceKey(f"{person:03d}", "nm", take, view)
        for person in range(people)
        for take in range(1, takes + 1)
        for view in views
    ]


def walks(rows: list[SequenceKey], size: tuple[int, int] = (32, 32)) -> list[NDArray[Any]]:
    """Of different lengths, one of them a single frame."""
    return [
        walk(int(key.subject), 10 * key.take + int(key.view or 0), 1 + 3 * row % 11, size)
        for row, key in enumerate(rows)
    ]


def in_memory(rows: list[SequenceKey] | None = None) -> SilhouetteSet:
    rows = rows or keys()
    return SilhouetteSet.from_arrays(
        walks(rows),
        [key.subject for key in rows],
        views=[key.view for key in rows],
        takes=[key.take for key in rows],
        dataset="drawn",
    )


def write_silhouettes(
    path: Path,
    rows: list[SequenceKey] | None = None,
    *,
    size: tuple[int, int] = (32, 32),
    sequences: list[NDArray[Any]] | None = None,
    **changes: Any,
) -> Path:
    """An artefact as `gaitkit normalize` writes it, of the same walks."""
    rows = rows or keys()
    sequences = sequences or walks(rows, size)
    lengths = np.array([len(one) for one in sequences], dtype=np.int64)
    frames = np.concatenate(sequences)
    options: dict[str, Any] = {
        "arrays": {
            "frames": frames,
            "start": np.cumsum(lengths) - lengths,
            "length": lengths,
            "track_x_px": np.zeros(len(frames)),
            "height_px": np.full(len(frames), 30.0),
            "frame_index": np.concatenate([np.arange(n) for n in lengths]),
        },
        "parameters": PREPROCESSING,
        "dataset": "drawn",
        "labels": Labels.from_keys(rows),
        "dropped": [],
    }
    write_artifact(path, kind="silhouettes", **(options | changes))
    return path
