"""A disk that is full: told once, survived, and nothing half-written is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from full_disk import largest_file

from gaitkit.artifacts import ArtifactWriter, Provenance, open_artifact, write_artifact
from gaitkit.artifacts.disk import Disk, interrupts_later
from gaitkit.errors import OutputError


def new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def test_it_is_a_file_like_any_other(tmp_path: Path) -> None:
    disk = Disk(new_file(tmp_path / "file"))
    disk.write(b"abcdef")
    disk.seek(10)
    disk.write(b"xy")
    disk.seek(2)
    assert disk.read(9) == b"cdef\0\0\0\0x"
    disk.truncate(4)
    assert (disk.seek(0, os.SEEK_END), disk.error) == (4, None)
    disk.close()
    assert (tmp_path / "file").read_bytes() == b"abcd"


def test_what_does_not_fit_is_remembered_and_read_back(tmp_path: Path) -> None:
    with largest_file(5):
        disk = Disk(new_file(tmp_path / "file"))
        assert disk.write(b"abcd") == 4
        assert disk.write(b"efgh") == 4
        assert disk.error is not None
        disk.seek(1)
        disk.write(b"B")
        disk.seek(0)
        assert disk.read(20) == b"aBcdefgh"
        disk.close()


def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    weights = {f"weights/{i}": generator.standard_normal((64, 64)) for i in range(20)}
    return weights | {"history/step": np.arange(5000)}


def write(path: Path) -> str:
    return write_artifact(
        path, kind="checkpoint", arrays=arrays(), parameters={}, dataset="drawn", overwrite=True
    )


@pytest.mark.parametrize("limit", [0, 700, 30_000, 500_000])
def test_a_full_disk_costs_the_new_file_only(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "checkpoint.h5"
    digest = write(path)
    before = path.read_bytes()
    assert len(before) > limit
    too_large = pytest.raises(OutputError, match="cannot be written: File too large")
    with largest_file(limit), too_large as refused:
        write(path)
    assert str(refused.value.hint).startswith("What was there before is as it was.")
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["checkpoint.h5"]
    # libhdf5 would crash here if it had been told.
    with open_artifact(path) as artifact:
        assert artifact.recompute_content_sha256() == digest
    assert write(path) == digest
    assert path.read_bytes() == before


@pytest.mark.parametrize("method", ["seek", "write", "readinto", "truncate"])
def test_a_signal_waits_until_libhdf5_has_written(tmp_path: Path, method: str) -> None:
    """An exception within libhdf5's own calls would be lost, and what it writes with it."""
    done = getattr(Disk, method)
    calls = []

    def interrupted(disk: Disk, *arguments: object) -> object:
        calls.append(method)
        signal.raise_signal(signal.SIGINT)
        return done(disk, *arguments)

    path = tmp_path / "gei.h5"
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Disk, method, interrupted)
        try:
            with ArtifactWriter(path, Provenance("gei", {}, "drawn")) as writer:
                writer.append("gei", np.zeros((2, 4, 4), np.uint8))
                writer.append("gei", np.ones((2, 4, 4), np.uint8))
        finally:
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if not calls:
            raise KeyboardInterrupt  # This libhdf5 has no need of it.
    assert os.listdir(tmp_path) == []


def test_signals_of_several_kinds_wait_and_the_first_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_later(), interrupts_later():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
