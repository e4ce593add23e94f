"""Makes gaitkit, its command line and the other benchmarks importable from a clone."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
CLONE = BENCHMARKS.parent
FOLDERS = (CLONE, BENCHMARKS, BENCHMARKS / "speed", BENCHMARKS / "casia_b")


def find_all() -> None:
    """Put the clone and its benchmarks before everything else."""
    sys.path[:0] = [str(folder) for folder in FOLDERS if str(folder) not in sys.path]


def find_command_line() -> None:
    """Make the folder cli/ known as gaitkit.cli, as ``python -m gaitkit`` does."""
    find_all()
    import_module("gaitkit.__main__")._find_command_line()
