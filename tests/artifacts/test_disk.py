"""A disk that is full: told once, survived, and nothing half-written is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.artifacts.disk import Disk
from gaitkit.errors import OutputError

resource = pytest.importorskip("resource")


@contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """Files cannot grow beyond the limit: the disk is as good as full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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
    with largest_file(limit), pytest.raises(OutputError, match="cannot be written: File too large"):
        write(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["checkpoint.h5"]
    # libhdf5 would crash here if it had been told.
    with open_artifact(path) as artifact:
        assert artifact.recompute_content_sha256() == digest
    assert write(path) == digest
    assert path.read_bytes() == before
