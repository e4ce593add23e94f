"""A tiny data set of drawn people in CASIA-B's layout, and a way to run commands for real."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_people import WALKS, draw_tree
from forked_children import children_are_forked, children_start_as_for_users
from hypothesis import settings
from made_up_people import people_images, people_labels
from ran import Ran

from gaitkit.artifacts import TrainedOn, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.labels import Labels, SequenceKey

__all__ = ["children_are_forked", "children_start_as_for_users"]

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes with a thread for each core each would wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes is the machine's affair: nothing here is a test of speed.
settings.register_profile("gaitkit", deadline=None)
settings.load_profile("gaitkit")


@pytest.fixture(scope="session")
def tiny_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn people, all ten walks of CASIA-B: 120 sequences, eight units of work."""
    return draw_tree(tmp_path_factory.mktemp("data") / "tiny", range(1, 5), WALKS)


@pytest.fixture
def wide_tree(tmp_path: Path) -> Path:
    """Eight drawn people, all ten walks: 240 sequences, fifteen units of work."""
    return draw_tree(tmp_path / "wide", range(1, 9), WALKS)


@pytest.fixture(scope="session")
def tiniest_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn people, one walk of each kind: 18 sequences, two units of work."""
    return draw_tree(
        tmp_path_factory.mktemp("data") / "tiniest", range(1, 3), ["nm-01", "bg-01", "cl-01"]
    )


@pytest.fixture
def gaitkit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command through the real entry point, in this process."""
    from gaitkit.cli.main import main

    def run(*arguments: object) -> Ran:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    monkeypatch.setenv("COLUMNS", "100")
    return run


@pytest.fixture
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the curves out of reports: to draw them takes far longer than all else of a page."""
    monkeypatch.setattr("gaitkit.reporting.page.document.curves", lambda entries: None)


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


@pytest.fixture
def write_gei(tmp_path):
    def write(name="gei.h5", labels=None, images=None, **options):
        labels = people_labels([f"p{n}" for n in range(8)]) if labels is None else labels
        images = people_images(labels) if images is None else images
        path = tmp_path / name
        options = {
            "parameters": {"alignment": "person"},
            "dataset": "made-up",
            "dropped": [],
        } | options
        write_artifact(
            path,
            kind="gei",
            arrays={"gei": images, "frames_used": np.full(len(labels), 30)},
            labels=labels,
            **options,
        )
        return path

    return write
