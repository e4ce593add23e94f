"""What a terminal or a notebook shows beside results: a progress bar, a small table."""

from __future__ import annotations

import contextlib
import html
import importlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from gaitkit.printable import printable

__all__ = ["Bar", "StepBar", "html_table", "in_notebook", "progress_bar"]


class Bar(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show the number done, their total, and a few words beside them."""


class StepBar(Bar, Protocol):
    """A bar of several steps, one after the other."""

    def begin(self, title: str, unit: str) -> None:
        """Begin a step: what is done, and what is counted from here on."""


def in_notebook() -> bool:
    """Whether this process computes the cells of a notebook."""
    shells = sys.modules.get("IPython")
    shell = None if shells is None else shells.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextlib.contextmanager
def progress_bar(
    title: str, unit: str = "pieces", *, shown: bool | None = None
) -> Iterator[StepBar | None]:
    """A progress bar with the time left, on stderr of a terminal or below a notebook's cell.

    Parameters
    ----------
    title : str
        What is done.
    unit : str
        What is counted.
    shown : bool, optional
        By default there is a bar in a notebook, and where stderr is a terminal.

    Yields
    ------
    StepBar or None
        To be called with the number done and the total, and words to stand beside them; its
        ``begin`` names another step. `None` where there is no bar.
    """
    notebook = in_notebook()
    if not (notebook or _is_terminal(sys.stderr) if shown is None else shown):
        yield None
    elif notebook:
        yield _NotebookBar(title, unit)
    else:
        with _terminal_bar(title, unit, forced=bool(shown)) as bar:
            yield bar


def _is_terminal(stream: Any) -> bool:
    # A program without a console has none; asking a terminal that was closed may fail.
    try:
        return stream is not None and bool(stream.isatty())
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _terminal_bar(title: str, unit: str, *, forced: bool) -> Iterator[StepBar]:
    from rich import progress as bars
    from rich.console import Console
    from rich.table import Column

    # Without markup: brackets in a name are not the colours of a line.
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(bar_width=16),
        bars.TextColumn(
            "{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}", markup=False
        ),
        bars.TimeRemainingColumn(table_column=Column(min_width=7)),
        bars.TextColumn("{task.fields[note]}", markup=False),
    )
    # The command line's stderr escapes control sequences; this one may draw with them.
    file = getattr(sys.stderr, "styled", None)
    console = Console(file=file, stderr=file is None, force_terminal=forced or None)
    with bars.Progress(*columns, console=console, transient=True) as bar:
        yield _TerminalBar(bar, title, unit)


class _TerminalBar:
    def __init__(self, bar: Any, title: str, unit: str) -> None:
        self._bar, self._title, self._unit = bar, title, unit

    def begin(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit
        # The time left is estimated anew: a step says nothing of the next one.
        for task in list(self._bar.task_ids):
            self._bar.remove_task(task)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        # The bar begins with the first step: preparing would spoil its estimate of the time.
        note = printable(note, 120)
        bar = self._bar
        if not bar.tasks:
            shown = {"note": note, "unit": printable(self._unit)}
            bar.add_task(printable(self._title), total=total, completed=done, **shown)
        bar.update(bar.task_ids[0], completed=done, total=total, note=note)


class _NotebookBar:
    def __init__(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit
        # rich needs ipywidgets in a notebook; every notebook can replace what it has displayed.
        self._display = importlib.import_module("IPython.display")
        self._begun = self._display.display(self._display.HTML(""), display_id=True)

    def begin(self, title: str, unit: str) -> None:
        self._title, self._unit = title, unit

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if done % max(1, total // 200) and done != total:
            return
        self._begun.update(
            self._display.HTML(
                f'{html.escape(self._title)} <progress value="{done}" max="{total}"></progress> '
                f"{done:,}/{total:,} {html.escape(self._unit)} {html.escape(note)}"
            )
        )


def html_table(title: str, rows: Iterable[tuple[str, Any]]) -> str:
    """A small table for a notebook: a caption, and a name and a value in each row.

    Examples
    --------
    >>> html_table("GEIs", [("people", 4)])
    '<table><caption>GEIs</caption><tr><th>people</th><td>4</td></tr></table>'
    """
    lines = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{lines}</table>"
