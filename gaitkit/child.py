"""How a process ended, and a child process for what strangers made.

A library in C that reads somebody else's file (libhdf5, FFmpeg) can crash on it, run for ever or
take all memory. `Child` is a Python of its own that such a library runs in; this process gets
plain bytes from it through a pipe, within a time limit, and looks at sizes before it allocates.
`serving` is the other end, in the child.

A child ends with its parent, even where that was killed: between questions, because its standard
input ends; within one, by a limit of processor time, since nothing in Python runs while a library
computes. No question takes processor time for ever.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal, NamedTuple

from gaitkit.errors import LibraryError

__all__ = [
    "Child",
    "ChildEndedError",
    "Ending",
    "ctrl_c_later",
    "how_it_ended",
    "ignore_ctrl_c",
    "limit_answer",
    "memory_is_short",
    "serving",
]

_READY = b"ready\n"
_FAILED = 70
"""Exit status of a child that an exception ended: 1 is what a killed process has on Windows."""

_CRASHES = {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}
_LIMITS = {"SIGXCPU", "SIGPROF", "SIGALRM", "SIGVTALRM"}

# Windows tells crashes by statuses of this severity; these three of them say what else it was.
_NT_ERROR = 0xC0000000
_NT_WANT_OF_MEMORY = {0xC0000017, 0xC000009A, 0xC000012D}
_NT_CONTROL_C = 0xC000013A


class Ending(NamedTuple):
    """How a process ended.

    Attributes
    ----------
    kind : str
        ``crash``: by a fault of its own, such as reading where no memory is. ``killed``: by
        somebody else, the system that ran out of memory included. ``limit``: by a limit of time
        that it was given. ``exit``: by itself.
    text : str
        For people, to follow the name of the process: ``was killed (SIGKILL), …``.
    """

    kind: Literal["crash", "killed", "limit", "exit"]
    text: str


def how_it_ended(status: int | None, *, windows: bool = os.name == "nt") -> Ending:
    """Say in words how a process ended.

    Parameters
    ----------
    status : int or None
        What `subprocess.Popen.returncode` and `multiprocessing.Process.exitcode` give: the exit
        status, or the negative number of a signal; `None` where nobody knows.
    windows : bool
        Whether the status is one of Windows, which has no signals.

    Returns
    -------
    Ending
        Its kind and its description.

    Examples
    --------
    >>> how_it_ended(3).text
    'ended with exit status 3'
    >>> how_it_ended(0xC0000005, windows=True)
    Ending(kind='crash', text='crashed (0xC0000005)')
    """
    if status is None:
        return Ending("exit", "ended")
    if windows and status >= _NT_ERROR:
        if status in _NT_WANT_OF_MEMORY:
            return Ending("killed", f"found no memory (0x{status:X})")
        if status == _NT_CONTROL_C:
            return Ending("killed", "was stopped (Ctrl-C)")
        return Ending("crash", f"crashed (0x{status:X})")
    if windows and status == 1:
        return Ending("killed", "was killed, most likely for want of memory")
    if status >= 0:
        return Ending("exit", f"ended with exit status {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name in _CRASHES:
        return Ending("crash", f"crashed ({name})")
    if name in _LIMITS:
        return Ending("limit", f"took too much time ({name})")
    # The system that runs out of memory kills in this way, and hardly anything else does.
    reason = ", most likely for want of memory" if name == "SIGKILL" else ""
    return Ending("killed", f"was killed ({name}){reason}")


class ChildEndedError(Exception):
    """A child gave no whole answer; `ending` says how it ended."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.text)
        self.ending = ending


class Child:
    """A Python in a process of its own that reads one file of a stranger's.

    Parameters
    ----------
    code : str
        What it runs: code that calls `serving`.
    path : str
        The file, its only argument.
    does : str
        What the process does, for messages: ``reads other people's files``.
    needs : str
        The module that its work needs.
    seconds : float
        How long each answer may take. Time for which everything was stopped does not count.
    environment : mapping of str to str, optional
        Variables to set for it.

    Raises
    ------
    LibraryError
        The child cannot be started, or was killed from outside.
    """

    def __init__(
        self,
        code: str,
        path: str,
        *,
        does: str,
        needs: str,
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.seconds = seconds
        self._does = does
        self._path = path
        self._closed = threading.Event()
        self._timed_out = False
        self._turn = 0  # Odd while an answer is awaited.
        self._process = self._start(code, environment or {})
        try:
            self._watchdog = threading.Thread(target=self._watch, daemon=True)
            self._watchdog.start()
            if self.read_line(len(_READY)) != _READY:
                ending = self._ended()
                raise self._not_started(
                    f"it {ending.text}",
                    needs if ending.kind == "exit" or os.name == "nt" else None,
                )
        except BaseException as error:
            self.close()
            if isinstance(error, RuntimeError):  # No thread can be started.
                raise self._not_started(str(error)) from error
            raise

    def _start(self, code: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        paths = [entry or os.getcwd() for entry in sys.path]
        # -P: the working folder, where a stranger's file often lies, is no place to import from.
        command = [sys.executable, "-P", "-c", code, self._path]
        try:
            with ctrl_c_later():
                return subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={
                        **os.environ,
                        "PYTHONPATH": os.pathsep.join(paths),
                        # A thread pool's stacks, and what the C library sets aside for each
                        # thread, would count as the child's memory.
                        "OPENBLAS_NUM_THREADS": "1",
                        "OMP_NUM_THREADS": "1",
                        "MALLOC_ARENA_MAX": "1",
                        **environment,
                    },
                )
        except OSError as error:
            raise self._not_started(str(error)) from error

    def _not_started(self, why: str, needs: str | None = None) -> LibraryError:
        hint = f"Check that Python can import {needs}: python -c 'import {needs}'"
        return LibraryError(
            f"The process that {self._does} could not be started: {why}.",
            hint=hint if needs else "Close other programs, and try again.",
        )

    def ask(self, question: bytes) -> None:
        """Send bytes to the child.

        Raises
        ------
        ChildEndedError
            It is gone.
        """
        try:
            self._pipes[0].write(question)
            self._pipes[0].flush()
        except OSError:
            raise self.gone() from None

    def read_line(self, most: int) -> bytes:
        """The next line of the child's, or as much as there is of it, within the time limit."""
        with self._waiting():
            line: bytes = self._pipes[1].readline(most)
        return line

    def fill(self, buffer: Any) -> None:
        """Fill a writable buffer of bytes with what comes next, within the time limit.

        Raises
        ------
        ChildEndedError
            It ended before.
        """
        left = memoryview(buffer)
        with self._waiting():
            while left:
                count = self._pipes[1].readinto(left)
                if not count:
                    raise self.gone()
                left = left[count:]

    def gone(self) -> ChildEndedError:
        """The error for a child that gave no answer, or one without sense; it is ended.

        Raises
        ------
        LibraryError
            It was killed from outside, which is not the fault of what it read.
        """
        ending = self._ended()
        if ending.kind == "killed":
            raise LibraryError(
                f"The process that {self._does} {ending.text}, while it read {self._path}.",
                hint="Nothing is known to be wrong with the file: try again when more memory is "
                "free.",
            )
        return ChildEndedError(ending)

    def too_little_memory(self) -> LibraryError:
        """The error for a child that found no memory on this machine."""
        return LibraryError(
            f"The process that {self._does} finds too little memory for {self._path}.",
            hint="Close other programs, or give this one more memory.",
        )

    def close(self) -> None:
        """End the child, which keeps nothing."""
        self._closed.set()
        self._process.kill()
        for pipe in self._pipes:
            # What could not be flushed to a child that is gone is not needed.
            with suppress(OSError):
                pipe.close()
        self._process.wait()

    @property
    def _pipes(self) -> tuple[Any, Any]:
        return self._process.stdin, self._process.stdout

    def _ended(self) -> Ending:
        try:
            # Its answers have ended, or make no sense; it is about to end, unless it pretends.
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return Ending("exit", "gave no answer")
        if self._timed_out:
            return Ending("limit", f"took more than {self.seconds:g} s")
        return how_it_ended(status)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._turn += 1
        try:
            yield
        finally:
            self._turn += 1

    def _watch(self) -> None:
        # A pipe cannot be waited on with a time limit everywhere. Counted in steps, because a
        # clock would go on while both processes are stopped (Ctrl-Z, a sleeping machine).
        seen, waited = 0, 0.0
        while not self._closed.wait(step := min(1.0, self.seconds / 4)):
            if seen != self._turn:
                seen, waited = self._turn, 0.0
            elif seen % 2:
                waited += step
                if waited >= self.seconds:
                    self._timed_out = True
                    self._process.kill()
                    return


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: it goes to all, and only the parent acts on it.

    Not even while they import what they need, before they can say so themselves.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_ctrl_c() -> None:
    """In a process that was started under `ctrl_c_later`: what it could not do itself until now."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def serving(*, memory_bytes: int, cpu_seconds: int) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Be the child: bounded, silent, and gone when the work is done or has failed.

    Parameters
    ----------
    memory_bytes : int
        Address space, where the system can limit it.
    cpu_seconds : int
        Processor time of its whole life, where the system can limit it.

    Yields
    ------
    source, sink : binary files
        Where questions come from, and where answers go. Whatever else writes to the standard
        output does not get among them.
    """
    ignore_ctrl_c()
    _limit_resources(memory_bytes, cpu_seconds)
    try:
        with os.fdopen(os.dup(1), "wb") as sink:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
            sink.write(_READY)
            sink.flush()
            yield sys.stdin.buffer, sink
    except BaseException:
        os._exit(_FAILED)


def limit_answer(seconds: float) -> None:
    """In the child: end this process if it computes for so long; 0 takes the limit away.

    Its parent has a limit of its own; this one is for a child whose parent is gone.

    Parameters
    ----------
    seconds : float
        Processor time from now on. Where there are no such limits (Windows), nothing happens.
    """
    if sys.platform != "win32":
        # The default action, whatever this process inherited: no Python runs in a library.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def memory_is_short(spare_bytes: int) -> bool:
    """Whether not even so much more memory is to be had."""
    try:
        mmap.mmap(-1, spare_bytes).close()
    except (OSError, MemoryError):
        return True
    return False


def _limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: (memory_bytes, memory_bytes),
        # At the soft limit the process is told that it was too long, at the hard one just killed.
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 5),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
    }
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        soft, most = (
            value if hard == resource.RLIM_INFINITY else min(value, hard) for value in wanted
        )
        # macOS refuses some of them; the time limit and the sizes checked outside still hold.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (soft, most))
