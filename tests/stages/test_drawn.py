"""Videos that are written: whole ones, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from full_disk import largest_file
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.errors import OutputError
from gaitkit.outputs import Output
from gaitkit.stages.drawn import write_drawn

FRAMES = 40


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Noise, which no codec makes small; of an odd width."""
    random = np.random.default_rng(0)
    return (random.integers(0, 256, (64, 49, 3), dtype=np.uint8) for _ in range(FRAMES))


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("rate", [25.0, 29.97, 1.0])
def test_every_frame_is_in_the_video(suffix: str, rate: float, tmp_path: Path) -> None:
    path = tmp_path / f"drawn{suffix}"
    with Output(path) as output:
        assert write_drawn(pictures(), output, rate) == FRAMES
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.read()[0]:
        count += 1
    assert count == FRAMES


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("limit", [0, 1_000, 10_000])
def test_a_full_disk_leaves_the_video_that_was_there(
    suffix: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV passes over what cannot be written, and says nothing."""
    scratch, path = tmp_path / "scratch", tmp_path / f"drawn{suffix}"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path.write_bytes(b"the one before")
    with (
        Output(path, overwrite=True) as output,
        largest_file(limit),
        pytest.raises(OutputError, match="cannot be written") as refused,
    ):
        write_drawn(pictures(), output, 25.0)
    assert "TMPDIR" in str(refused.value.hint)
    assert path.read_bytes() == b"the one before"
    assert sorted(item.name for item in tmp_path.iterdir()) == [path.name, "scratch"]
    assert not list(scratch.iterdir())
