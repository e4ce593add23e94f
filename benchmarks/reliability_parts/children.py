"""Trials in forked children: what a mutant does to a process, its memory and its time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reliability_parts.commands import changes_of

MAX_LETTERS = 500
MAX_BYTES = 2 << 30
SECONDS = 60
PROMISED = ("read", "told")
_PER_CHILD = 200
_ROOM_BYTES = 3 << 30

# Controls, marks of the direction of reading, ends of lines, halves of characters.
_HARMFUL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Attempt(NamedTuple):
    """What a mutant did.

    Attributes
    ----------
    outcome : str
        ``read``, ``told``; anything else is not as promised.
    text : str
        The message, or what else there is to say.
    """

    outcome: str
    text: str = ""


class Outcome(NamedTuple):
    """An attempt, seen from outside.

    Attributes
    ----------
    number : int
        Which attempt.
    outcome, text : str
        Those of the attempt; ``crash`` and ``too slow`` where its process was ended.
    peak_bytes : int
        Most memory that the process has had so far.
    """

    number: int
    outcome: str
    text: str
    peak_bytes: int


def attempts(
    indices: Sequence[int],
    attempt: Callable[[int, Path], Attempt],
    scratch: Path,
    keep: Callable[[int, Path], object],
) -> Iterator[Outcome]:
    """Make attempts in children of bounded memory and time.

    Parameters
    ----------
    indices : sequence of int
        Which.
    attempt : callable
        Gets the index and an empty folder, which it may fill and which is the working one.
        What it changes outside of that folder is an outcome of its own.
    scratch : Path
        Where such folders are made.
    keep : callable
        Gets index and folder of an attempt that did not end as promised.

    Yields
    ------
    Outcome
        One for each index, in order.
    """
    done = 0
    while done < len(indices):
        batch = indices[done : done + _PER_CHILD]
        done += yield from _batch(batch, attempt, scratch / "case", keep)


def _batch(
    batch: Sequence[int],
    attempt: Callable[[int, Path], Attempt],
    folder: Path,
    keep: Callable[[int, Path], object],
) -> Generator[Outcome, None, int]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        code = 70
        try:
            os.close(reading)
            _be_the_child(batch, attempt, folder, keep, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    count = peak = 0
    with os.fdopen(reading) as lines:
        for line in lines:
            index, outcome, text, peak = json.loads(line)
            yield Outcome(index, outcome, text, peak)
            count += 1
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if count < len(batch) and status:
        code = os.waitstatus_to_exitcode(status)
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        keep(batch[count], folder)
        outcome = "too slow" if code == -signal.SIGALRM else "crash"
        yield Outcome(batch[count], outcome, name, peak)
        count += 1
    return count


def _be_the_child(
    batch: Sequence[int],
    attempt: Callable[[int, Path], Attempt],
    folder: Path,
    keep: Callable[[int, Path], object],
    pipe: int,
) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    _limit_memory()
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    outside = _Outside(folder)
    sys.addaudithook(outside)
    for index in batch:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tempfile.tempdir = str(folder)
        os.chdir(folder)
        outside.found.clear()
        signal.alarm(SECONDS)
        try:
            found = attempt(index, folder)
        except BaseException as error:
            found = Attempt(f"raised {type(error).__name__}", where_and_what(error))
        signal.alarm(0)
        if outside.found:
            found = Attempt("wrote outside", ", ".join(outside.found[:3]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        if found.outcome not in PROMISED or peak > MAX_BYTES:
            keep(index, folder)
        line = json.dumps([index, found.outcome, found.text[:2000], peak]) + "\n"
        os.write(pipe, line.encode())
        if peak > MAX_BYTES:
            return  # The next ones have a process that has not had so much.


def _limit_memory() -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + _ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


class _Outside:
    """Notes what is changed outside of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        for path in changes_of(event, arguments):
            if not (path == self._folder or path.startswith((self._folder + os.sep, "/dev/"))):
                self.found.append(path[:200])


def where_and_what(error: BaseException) -> str:
    """The innermost line of ours that an exception came through, and what it says."""
    trace, place = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        if "gaitkit" in code.co_filename or f"{os.sep}cli{os.sep}" in code.co_filename:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    with contextlib.suppress(Exception):
        return f"{place}: {str(error)[:200]!a}"
    return place


def of_message(text: str) -> Attempt:
    r"""The outcome of an error of ours, by what it says.

    Examples
    --------
    >>> of_message("gei.h5 does not exist.").outcome
    'told'
    >>> of_message("m" * 501).outcome, of_message("red \x1b[31m").outcome
    ('told at length', 'told raw')
    """
    if len(text) > MAX_LETTERS:
        return Attempt("told at length", f"{len(text)} letters: {text[:300]!a}")
    if found := _HARMFUL.search(text):
        return Attempt("told raw", f"{found[0]!a} in {text[:300]!a}")
    return Attempt("told", text)


def of_printed(text: str) -> Attempt | None:
    """Likewise of what is printed; `None` where nothing is wrong with it."""
    found = _HARMFUL.search(text.replace("\r", ""))
    return Attempt("printed raw", f"{found[0]!a} in {text[:300]!a}") if found else None


def broken_by(found: Outcome, how: str = "") -> list[str]:
    """Promises that an outcome breaks."""
    broken = []
    if found.outcome not in PROMISED:
        broken.append(f"{found.outcome}{how}: {found.text}")
    if found.peak_bytes > MAX_BYTES:
        broken.append(f"{found.peak_bytes >> 20} MiB")
    return broken


def elapsed_told(began: float, count: int, peak_bytes: int) -> str:
    """A line for the report."""
    seconds = time.monotonic() - began
    return f"{count} in {seconds:.0f} s, at most {peak_bytes >> 20} MiB"
