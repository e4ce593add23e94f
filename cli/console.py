"""What goes to the terminal beside results: notices, progress, questions of taste in one place.

Results go to stdout, everything else to stderr; progress bars only where stderr is a terminal.
Names come from anybody's files: what is written here has no control characters (see
`gaitkit.printable`), and JSON has them escaped, so that it is read back as it was.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from gaitkit.cli import parameters
from gaitkit.cli.streams import write_lines
from gaitkit.display import Bar, StepBar, progress_bar
from gaitkit.outputs import file_identity
from gaitkit.parallel import process_rank
from gaitkit.printable import harmless, harmless_in_json, one_line, wrapped

__all__ = [
    "Bar",
    "StepBar",
    "in_options",
    "print_entries",
    "print_entry",
    "print_json",
    "print_line",
    "print_text",
    "progress",
    "said_once",
    "say",
    "set_verbosity",
    "verbosity",
    "writing",
]

_WIDTH, _LEAST_WIDTH = 80, 24
_verbosity = 0
_said: set[str] | None = None


class _Notices(logging.Handler):
    """Write log records to stderr, warnings marked as such."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.capitalize()}: "
        # As in `say`, but errors and warnings also where one asked for quiet.
        with contextlib.suppress(OSError):
            text = prefix + in_options(record.getMessage())
            if _said is not None:
                if text in _said:
                    return
                _said.add(text)
            write_lines(sys.stderr, one_line(text))


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
    # Where it keeps its list of fonts is of interest to who looks for a fault.
    logging.getLogger("matplotlib").setLevel(logging.WARNING if level >= 2 else logging.ERROR)
    levels = {-1: logging.ERROR, 0: logging.INFO}
    logger.setLevel(levels.get(max(-1, level), logging.DEBUG))


@contextlib.contextmanager
def said_once() -> Iterator[None]:
    """What is the same of several inputs, such as their protocol, is noticed once within."""
    global _said
    before, _said = _said, set()
    try:
        yield
    finally:
        _said = before


def verbosity() -> int:
    """The level that was set last."""
    return _verbosity


def say(text: str) -> None:
    """Write a notice of one line to stderr unless told to be quiet.

    One that cannot be written is left out: stderr may be a file on a full disk, and a notice must
    never end the work that it tells of.
    """
    if _verbosity >= 0:
        # A signal that is told of may come while something is written: a RuntimeError.
        with contextlib.suppress(OSError, RuntimeError):
            write_lines(sys.stderr, one_line(text))


def writing(output: Path) -> Callable[[str], None]:
    """What is to be said when an output is written.

    Called before the work; what it gives is called after it, with what follows the output's name.
    Of an output that is left as it was a notice has told already.
    """
    before = file_identity(output)

    def wrote(rest: str = "") -> None:
        left = before is not None and file_identity(output) == before
        if not left:
            say(f"Wrote {output}{rest}")
        elif rest != ".":
            say(f"{output}{rest}")

    return wrote


def in_options(text: str) -> str:
    """A text of the library with its parameters as options, those of the running command first."""
    context = click.get_current_context(silent=True)
    if context is None:
        return text
    group = context.find_root().command
    running = context.command
    return parameters.in_options(text, running, group) if isinstance(group, click.Group) else text


def print_line(text: str = "") -> None:
    """Write one line of a result to stdout, whatever the names in it hold."""
    write_lines(sys.stdout, one_line(text))


def print_entry(head: str, said: str) -> None:
    """Write what stands at the left of a line, and what is said behind it, to stdout.

    On a terminal what is longer than 80 columns goes on below itself; elsewhere it has one line,
    which is what scripts read.
    """
    lines = [said]
    if sys.stdout.isatty():
        width = max(_LEAST_WIDTH, _WIDTH - len(head))
        lines = wrapped(said, width)
    print_line(f"{head}{lines[0]}".rstrip())
    for line in lines[1:]:
        print_line(f"{'':<{len(head)}}{line}")


def print_entries(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Write rows of a table to stdout, each as `print_entry` does: what is said stands last."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, said in rows:
        padded = (f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
        print_entry(indent + "".join(padded), said)


def print_text(text: str) -> None:
    """Write a result of several lines to stdout; names in it were made printable before."""
    write_lines(sys.stdout, harmless(text))


def print_json(value: Any) -> None:
    """Write one JSON document to stdout, in the first of several processes only."""
    if process_rank() == 0:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        write_lines(sys.stdout, harmless_in_json(text))


@contextlib.contextmanager
def progress(title: str, unit: str = "pieces") -> Iterator[StepBar | None]:
    """A progress bar with time left, on a terminal; nothing elsewhere.

    Yields
    ------
    StepBar or None
        To be called with the number done and the total, and words to stand beside them.
    """
    if _verbosity < 0:
        yield None
        return
    with progress_bar(title, unit) as bar:
        yield bar
