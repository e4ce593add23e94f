"""What goes to the terminal beside results: notices, progress, questions of taste in one place.

Results go to stdout, everything else to stderr; progress bars only where stderr is a terminal.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import click

from gaitkit.cli import parameters
from gaitkit.parallel import process_rank

__all__ = ["Bar", "in_options", "print_json", "progress", "say", "set_verbosity", "verbosity"]

_verbosity = 0


class Bar(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show the number done, their total, and a few words beside them."""


class _Notices(logging.Handler):
    """Write log records to stderr, warnings marked as such."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.capitalize()}: "
        # As in `say`, but errors and warnings also where one asked for quiet.
        with contextlib.suppress(OSError):
            click.echo(prefix + in_options(record.getMessage()), err=True)


def set_verbosity(level: int) -> None:
    """Set how much is said: below 0 only errors, 0 notices, 1 details, 2 tracebacks too.

    Of several processes that train together, only the first one says more than errors.
    """
    global _verbosity
    if process_rank() > 0:
        level = -1
    _verbosity = level
    logger = logging.getLogger("gaitkit")
    if not any(isinstance(handler, _Notices) for handler in logger.handlers):
        logger.addHandler(_Notices())
        logger.propagate = False
    levels = {-1: logging.ERROR, 0: logging.INFO}
    logger.setLevel(levels.get(max(-1, level), logging.DEBUG))


def verbosity() -> int:
    """The level that was set last."""
    return _verbosity


def say(text: str) -> None:
    """Write a notice to stderr unless told to be quiet.

    One that cannot be written is left out: stderr may be a file on a full disk, and a notice must
    never end the work that it tells of.
    """
    if _verbosity >= 0:
        with contextlib.suppress(OSError):
            click.echo(text, err=True)


def in_options(text: str) -> str:
    """A text of the library with its parameters as options, those of the running command first."""
    context = click.get_current_context(silent=True)
    if context is None:
        return text
    group = context.find_root().command
    running = context.command
    return parameters.in_options(text, running, group) if isinstance(group, click.Group) else text


def print_json(value: Any) -> None:
    """Write one JSON document to stdout, in the first of several processes only."""
    if process_rank() == 0:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


@contextlib.contextmanager
def progress(title: str, unit: str = "pieces") -> Iterator[Bar | None]:
    """A progress bar with time left, on a terminal; nothing elsewhere.

    Yields
    ------
    callable or None
        To be called with the number done and the total, and words to stand beside them.
    """
    if _verbosity < 0 or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.table import Column

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=16),
        bars.TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit),
        bars.TimeRemainingColumn(table_column=Column(min_width=7)),
        bars.TextColumn("{task.fields[note]}"),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def update(done: int, total: int, note: str = "") -> None:
            # The bar begins with the first step: preparing would spoil its estimate of the time.
            if not bar.tasks:
                bar.add_task(title, total=total, completed=done, note=note)
            bar.update(bar.task_ids[0], completed=done, total=total, note=note)

        yield update
