"""A step is done again only when something that matters has changed."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.errors import ArtifactError, OutputBusyError, OutputExistsError, StoppedError
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


def holds(path: Path, value: int) -> bool:
    try:
        with open_artifact(path) as artifact:
            return bool((artifact.read("gei") == value).all())
    except ArtifactError:
        return False


def stage(value: int) -> Callable[[Path, bool], None]:
    """A stage as all are: the same finished work is left, another file only replaced if told."""

    def make_or_leave(path: Path, replace: bool) -> None:
        if path.exists() and not replace:
            if holds(path, value):
                return
            raise OutputExistsError(f"{path} exists.")
        make(path, value)

    return make_or_leave


def run(folder: Path, plan: dict, value: int = 1, **options: bool) -> tuple[list[str], list[str]]:
    with Workshop(folder, **options) as workshop:
        workshop.step("a.h5", plan, stage(value), say="making a")
    return workshop.made, workshop.kept


def test_the_same_plan_is_not_done_twice(tmp_path: Path) -> None:
    assert run(tmp_path / "w", {"size": (64, 64)}) == (["a.h5"], [])
    assert run(tmp_path / "w", {"size": (64, 64)}) == ([], ["a.h5"])


def test_another_plan_a_missing_or_a_changed_file_is_done_again(tmp_path: Path) -> None:
    run(tmp_path, {"size": 64})
    assert run(tmp_path, {"size": 32}, value=2) == (["a.h5"], [])
    (tmp_path / "a.h5").unlink()
    assert run(tmp_path, {"size": 32}, value=2) == (["a.h5"], [])
    make(tmp_path / "a.h5", value=7)
    assert run(tmp_path, {"size": 32}, value=2) == (["a.h5"], [])
    assert holds(tmp_path / "a.h5", 2)


def test_a_damaged_output_of_its_own_is_made_again(tmp_path: Path) -> None:
    run(tmp_path, {})
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:-1])
    assert run(tmp_path, {}) == (["a.h5"], [])
    assert holds(tmp_path / "a.h5", 1)


def test_a_file_of_the_users_own_is_not_replaced_unasked(tmp_path: Path) -> None:
    make(tmp_path / "a.h5", value=7)
    with pytest.raises(OutputExistsError, match=r"a\.h5 exists and was not made by this command"):
        run(tmp_path, {})
    assert holds(tmp_path / "a.h5", 7)
    assert run(tmp_path, {}, overwrite=True) == (["a.h5"], [])


def test_what_was_finished_and_not_recorded_is_found(tmp_path: Path) -> None:
    # A command that is killed between the two leaves just this.
    make(tmp_path / "a.h5", value=1)
    assert run(tmp_path, {}, value=1) == ([], ["a.h5"])
    assert run(tmp_path, {}, value=1) == ([], ["a.h5"])


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[" * 5000,
        b"\xff",
        b'{"a.h5": 3}',
        b'{"a.h5": {}}',
        b'{"a.h5": {"plan": 1}}',
        b'{"a.h5": {"plan": {}, "content": 1e999}}',
        b"[]",
        b"null",
    ],
)
def test_a_damaged_record_is_told_and_written_anew(
    tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, {})
    whole = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").write_bytes(text)
    with caplog.at_level(logging.WARNING, "gaitkit"):
        assert run(tmp_path, {}) == ([], ["a.h5"])
    assert ("run.json is damaged" in caplog.text) == (text != b"[]")
    assert (tmp_path / "run.json").read_bytes() == whole


def test_two_are_never_at_work_in_one_folder(tmp_path: Path) -> None:
    with (
        Workshop(tmp_path),
        pytest.raises(OutputBusyError, match="is being written by another command"),
        Workshop(tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_stop_is_answered_before_the_next_step(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.step("a.h5", {}, stage(1), say="making a")
    workshop.stop_requested = lambda: True
    with pytest.raises(StoppedError, match=r"Stopped before .*b\.h5") as caught:
        workshop.step("b.h5", {}, stage(1), say="making b")
    assert "to continue" in str(caught.value.hint)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.h5", "run.json"]
