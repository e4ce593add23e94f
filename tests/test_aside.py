"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitkit.aside import written_aside
from gaitkit.errors import OutputError


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with written_aside(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "new"


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with (
        pytest.raises(OutputError, match=r"page\.html cannot be written: No space left"),
        written_aside(path) as aside,
    ):
        aside.write_text("half")
        raise OSError(28, "No space left on device")
    assert [item.name for item in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "old"
