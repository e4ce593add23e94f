"""What a terminal or a notebook shows beside results: a progress bar, a small table."""

from __future__ import annotations

import contextlib
import html
import importlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from gaitkit.printable import printable

__all__ = ["Bar", "html_table", "in_notebook", "progress_bar"]


class Bar(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show the number done, their total, and a few words beside them."""


def in_notebook() -> bool:
    """Whether this process computes the cells of a notebook."""
    shells = sys.modules.get("IPython")
    shell = None if shells is None else shells.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextlib.contextmanager
def progress_bar(
    title: str, unit: str = "pieces", *, shown: bool | None = None
) -> Iterator[Bar | None]:
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
    callable or None
        To be called with the number done and the total, and words to stand beside them; `None`
        where there is no bar.
    """
    notebook = in_notebook()
    if not (notebook or _is_terminal(sys.stderr) if shown is None else shown):
        yield None
    elif notebook:
        yield _notebook_bar(title, unit)
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
def _terminal_bar(title: str, unit: str, *, forced: bool) -> Iterator[Bar]:
    from rich import progress as bars
    from rich.console import Console
    from rich.table import Column

    # Without markup: brackets in a name are not the colours of a line.
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(bar_width=16),
        bars.TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit, markup=False),
        bars.TimeRemainingColumn(table_column=Column(min_width=7)),
        bars.TextColumn("{task.fields[note]}", markup=False),
    )
    # The command line's stderr escapes control sequences; this one may draw with them.
    file = getattr(sys.stderr, "styled", None)
    console = Console(file=file, stderr=file is None, force_terminal=forced or None)
    with bars.Progress(*columns, console=console, transient=True) as bar:

        def update(done: int, total: int, note: str = "") -> None:
            # The bar begins with the first step: preparing would spoil its estimate of the time.
            note = printable(note, 120)
            if not bar.tasks:
                bar.add_task(printable(title), total=total, completed=done, note=note)
            bar.update(bar.task_ids[0], completed=done, total=total, note=note)

        yield update


def _notebook_bar(title: str, unit: str) -> Bar:
    # rich needs ipywidgets in a notebook; every notebook can replace what it has displayed.
    display = importlib.import_module("IPython.display")

    begun = display.display(display.HTML(""), display_id=True)

    def update(done: int, total: int, note: str = "") -> None:
        if done % max(1, total // 200) and done != total:
            return
        begun.update(
            display.HTML(
                f'{html.escape(title)} <progress value="{done}" max="{total}"></progress> '
                f"{done:,}/{total:,} {html.escape(unit)} {html.escape(note)}"
            )
        )

    return update


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
