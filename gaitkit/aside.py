"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaitkit.errors import OutputError

__all__ = ["written_aside"]


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its place when the block ends normally.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced.

    Yields
    ------
    Path
        A hidden name beside it; nothing is left there when writing fails.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        yield aside
        os.replace(aside, path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
