"""What a notebook and a terminal show."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from gaitkit.display import html_table, progress_bar


class Shown:
    """Stands for what a notebook displays."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, text: str) -> None:
        self.texts.append(text)


def test_a_notebook_shows_a_bar_below_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    shell = type("ZMQInteractiveShell", (), {})()
    vars(ipython)["get_ipython"] = lambda: shell
    vars(display).update(HTML=str, display=lambda text, display_id: shown)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with progress_bar("train", "iterations") as bar:
        assert bar is not None
        bar(1, 2, "G <1>")
        bar(2, 2)
    assert '<progress value="1" max="2"></progress> 1/2 iterations G &lt;1&gt;' in shown.texts[0]
    assert len(shown.texts) == 2


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("train") as bar:
        assert bar is None
    assert capsys.readouterr() == ("", "")


def test_a_table_holds_no_markup_of_others() -> None:
    rows: list[tuple[str, Any]] = [("<b>", "<i>")]
    assert "&lt;b&gt;" in html_table("x", rows)
    assert "<i>" not in html_table("x", rows)
