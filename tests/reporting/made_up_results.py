"""Results of a few made-up people, with the images behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitkit.artifacts import InputRef, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.evaluate import evaluate

VIEWS = tuple(float(view) for view in range(0, 181, 18))
WALKS = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]


@dataclass(frozen=True)
class Files:
    """Measured and translated GEIs, and the results of each."""

    geis: Path
    translated: Path
    raw: Path
    results: Path


def write_files(
    folder: Path,
    people: list[str] | None = None,
    *,
    dataset: str = "made-up",
    renamed: Mapping[str, str] | None = None,
    evaluated: Sequence[str] = ("raw", "results"),
) -> Files:
    """Eight people by default, the last four of whom are tested, at eleven views.

    `renamed` gives conditions other names; only those `evaluated` have results.
    """
    called = renamed or {}
    names = people or [f"p{number}" for number in range(8)]
    keys = [SequenceKey(name, *walk, view) for name in names for walk in WALKS for view in VIEWS]
    labels = Labels.from_keys(
        [key._replace(condition=called.get(key.condition, key.condition)) for key in keys]
    )
    random = np.random.default_rng(0)
    person = {name: random.normal(0, 25, (16, 16)) for name in names}
    angle = {view: random.normal(0, 20, (16, 16)) for view in VIEWS}
    noise = {"nm": 12, "bg": 30, "cl": 60}
    walks = np.array(
        [
            128 + person[key.subject] + random.normal(0, noise[key.condition], (16, 16))
            for key in keys
        ]
    )
    seen = walks + [angle[key.view] for key in keys]
    files = Files(*(folder / f"{name}.h5" for name in ("gei", "translated", "raw", "results")))
    shared = {
        "kind": "gei",
        "labels": labels,
        "dataset": dataset,
        "parameters": {"gei": {"min_frames": 8}, "silhouettes": {}},
        "dropped": [
            DroppedRow.of(labels.key(0), "cut-by-border", frame="001.png"),
            DroppedRow("p7", "cl", 3, 0.0, "", "too-few-frames", "4 of 10"),
        ],
    }
    frames_used = np.full(len(keys), 30)
    digest = write_artifact(
        files.geis,
        arrays={"gei": np.clip(seen, 0, 255).astype(np.uint8), "frames_used": frames_used},
        **shared,
    )
    write_artifact(
        files.translated,
        arrays={"gei": np.clip(walks, 0, 255).astype(np.float32), "frames_used": frames_used},
        inputs=[InputRef("gei", digest)],
        **shared,
    )
    if "raw" in evaluated:
        evaluate(files.geis, protocol="halves", output=files.raw)
    if "results" in evaluated:
        evaluate(files.translated, protocol="halves", output=files.results)
    return files
