"""Processes of their own that need not load torch: it takes longer than what the tests do with it.

They are forked from a process that has loaded it once; they can be killed as any other.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

SECONDS = 300

_METHODS = multiprocessing.get_all_start_methods()
_context: Any = multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")
# The optimisers load torch._dynamo at their first step.
_context.set_forkserver_preload(
    ["torch", "torch._dynamo", "gaitkit.cli.main", "gaitkit.training.loop", "gaitkit.stages.train"]
)


def start(function: Callable[..., object], *arguments: object) -> BaseProcess:
    """Call a function of a module elsewhere."""
    process: BaseProcess = _context.Process(target=function, args=arguments)
    process.start()
    return process


def start_command(arguments: list[Any], said: Path | None = None) -> BaseProcess:
    """Begin a command of gaitkit; what it says on either stream goes to a file."""
    return start(run_here, [str(item) for item in arguments], said)


def ended(process: BaseProcess) -> int:
    """The exit code of a process, once it has ended; minus the signal that killed it."""
    process.join(SECONDS)
    assert process.exitcode is not None
    return process.exitcode


def run_command(arguments: list[Any], said: Path | None = None) -> int:
    """Run a command of gaitkit to its end."""
    return ended(start_command(arguments, said))


def run_here(arguments: list[str], said: Path | None) -> None:
    """Run a command of gaitkit in this process, which ends with it."""
    from gaitkit.cli.main import main

    to = os.open(said or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(to, 1)
    os.dup2(to, 2)
    main(arguments)
