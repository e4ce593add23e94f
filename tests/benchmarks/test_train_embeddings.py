"""The benchmark of embedders runs on a few small batches and writes what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed" / "train_embeddings.py"


@pytest.mark.slow
def test_every_embedder_is_measured(tmp_path: Path) -> None:
    small = ["--rounds", "1", "--iterations", "1", "--batch", "2", "2", "--frames", "2"]
    few = ["--drawn-frames", "4", "--embed", "60", "--out", str(tmp_path / "speed.txt")]
    found = subprocess.run(
        [sys.executable, str(SCRIPT), *small, *few], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    lines = (tmp_path / "speed.txt").read_text(encoding="utf-8").splitlines()
    for system in ("gei-parts", "gaitset", "gaitbase"):
        first, note, rate = [line for line in lines if line.startswith(system)]
        assert first.split()[1] == "4"
        assert "M" in note
        assert rate.endswith("%")


def test_help_says_what_is_measured() -> None:
    found = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "beside the same convolutions on one batch" in " ".join(found.stdout.split())
