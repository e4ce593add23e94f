"""Work is mapped over processes without changing what comes out."""

import os
from pathlib import Path

import pytest

from gaitkit.errors import DatasetError, GaitkitError, OptionError
from gaitkit.parallel import _cores_of_container, available_cores, map_unordered


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise DatasetError(f"number {number}", hint="take another")


def die(number: int) -> int:
    os._exit(9)


@pytest.mark.parametrize(
    ("told", "cores"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", None)],
)
def test_a_containers_quota_is_whole_cores(told: str, cores: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(told + "\n")
    assert _cores_of_container(tmp_path / "cpu.max") == cores
    assert _cores_of_container(tmp_path / "missing") is None


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_done_once(workers: int) -> None:
    results = dict(map_unordered(square, range(7), workers=workers))
    assert results == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25, 6: 36}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_crosses_the_process_with_its_hint(workers: int) -> None:
    with pytest.raises(DatasetError, match="number .\ntake another"):
        list(map_unordered(fail, range(3), workers=workers))


def test_a_dead_worker_is_reported() -> None:
    with pytest.raises(GaitkitError, match="worker process died"):
        list(map_unordered(die, range(3), workers=2))


def test_workers_must_be_positive() -> None:
    with pytest.raises(OptionError, match="at least 1, got 0"):
        list(map_unordered(square, [1], workers=0))
    assert available_cores() >= 1
