"""A step is done again only when something that matters has changed."""

from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import write_artifact
from gaitkit.errors import OutputError, OutputExistsError
from gaitkit.stages.workshop import Workshop


def make(path: Path, value: int = 1) -> None:
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": np.full((1, 2, 2), value, np.uint8)},
        parameters={},
        dataset="mine",
        overwrite=True,
    )


def run(folder: Path, plan: dict, value: int = 1, **options: bool) -> tuple[list[str], list[str]]:
    workshop = Workshop(folder, **options)
    workshop.step("a.h5", plan, lambda path: make(path, value), say="making a")
    return workshop.made, workshop.kept


def test_the_same_plan_is_not_done_twice(tmp_path: Path) -> None:
    assert run(tmp_path / "w", {"size": (64, 64)}) == (["a.h5"], [])
    assert run(tmp_path / "w", {"size": (64, 64)}) == ([], ["a.h5"])


def test_another_plan_a_missing_or_a_changed_file_is_done_again(tmp_path: Path) -> None:
    run(tmp_path, {"size": 64})
    assert run(tmp_path, {"size": 32}) == (["a.h5"], [])
    (tmp_path / "a.h5").unlink()
    assert run(tmp_path, {"size": 32}) == (["a.h5"], [])
    make(tmp_path / "a.h5", value=7)
    assert run(tmp_path, {"size": 32}) == (["a.h5"], [])


def test_a_file_of_the_users_own_is_not_replaced_unasked(tmp_path: Path) -> None:
    make(tmp_path / "a.h5", value=7)
    with pytest.raises(OutputExistsError, match=r"a\.h5 exists and was not made by this command"):
        run(tmp_path, {})
    assert run(tmp_path, {}, overwrite=True) == (["a.h5"], [])


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(OutputError, match=r"damaged run\.json"):
        run(tmp_path, {})
