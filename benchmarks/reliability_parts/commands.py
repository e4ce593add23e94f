"""The command line in a forked child: a head start of seconds, and a process to do anything to.

The parent has everything imported, so a command begins within milliseconds, and how far it has come
can be told from its processor time or from the file operations that it has done.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PATIENCE_SECONDS = 120.0
"""After it a command hangs."""

STEP_SECONDS = 0.001
BUG = "failed in a way that it should not"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Exit status, or the negative number of a signal.
    out, err : str
        What it printed.
    processor_seconds : float
        Of the main process, where it came to its end.
    hung : bool
        Whether it had to be killed for want of an end.
    """

    code: int
    out: str
    err: str
    seconds: float
    processor_seconds: float
    hung: bool

    @property
    def wrong_words(self) -> list[str]:
        """What no user should ever read in it."""
        found = []
        if "Traceback (most recent call last)" in self.out + self.err:
            found.append("a traceback")
        if BUG in self.err:
            found.append("a bug message")
        if self.hung:
            found.append("it hung")
        return found

    @property
    def last(self) -> str:
        """The end of what it said, for a report."""
        return " | ".join((self.err.strip() or self.out.strip()).splitlines()[-2:])[:300]


class Command:
    """A command that runs in a child, the head of a session of its own.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``gaitkit`` on the command line.
    folder : Path
        Where it works.
    kill_at : int, optional
        The command is killed before this file operation in the folder, counted from 1.
    with_session : bool
        Whether its session is then killed as well.
    file_bytes : int, optional
        Largest file that it may write.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        kill_at: int = 0,
        with_session: bool = False,
        file_bytes: int | None = None,
    ) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self._counter = mmap.mmap(-1, 16)
        self._began = time.monotonic()
        self._ended: Ended | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            return
        code = 70
        try:
            os.setsid()
            os.chdir(folder)
            _as_at_the_start(self._out, self._err)
            if file_bytes is not None:
                limit_file_size(file_bytes)
            hook = _Operations(folder, self._counter, kill_at, with_session)
            sys.addaudithook(hook)
            code = run_here(arguments)
            self._counter[8:] = struct.pack("<d", time.process_time())
        finally:
            os._exit(code)

    @property
    def operations(self) -> int:
        """File operations in the folder so far, of the main process alone."""
        found: int = struct.unpack("<q", self._counter[:8])[0]
        return found

    def has_ended(self) -> bool:
        """Whether it has; it is then waited for."""
        return self._ended is not None or self._reap(os.WNOHANG)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Wait for its end; kill it and its session when that does not come."""
        until = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > until:
                self.signal(signal.SIGKILL, whole_session=True)
                self._reap(0, hung=True)
                break
            time.sleep(STEP_SECONDS)
        assert self._ended is not None
        return self._ended

    def _reap(self, how: int, *, hung: bool = False) -> bool:
        pid, status = os.waitpid(self.pid, how)
        if not pid:
            return False
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read(1 << 20).decode(errors="replace"))
            file.close()
        self._ended = Ended(
            os.waitstatus_to_exitcode(status),
            texts[0],
            texts[1],
            time.monotonic() - self._began,
            struct.unpack("<d", self._counter[8:])[0],
            hung,
        )
        return True

    def signal(self, number: signal.Signals, *, whole_session: bool = False) -> None:
        """Send it a signal, or all of its session."""
        with contextlib.suppress(ProcessLookupError):
            if whole_session:
                os.killpg(self.pid, number)
            elif not self.has_ended():
                os.kill(self.pid, number)

    def reach(self, seconds: float, *, processor: bool) -> None:
        """Wait until it has used so much processor time, or so much time, or has ended."""
        while not self.has_ended() and self._progress(processor) < seconds:
            time.sleep(STEP_SECONDS)

    def _progress(self, processor: bool) -> float:
        if processor and sys.platform == "linux":
            # The clock of another process; its number is the complement of that process's.
            with contextlib.suppress(OSError):
                return time.clock_gettime((~self.pid << 3) | 2)
        return time.monotonic() - self._began

    def session(self) -> set[int]:
        """The living processes of its session."""
        return {pid for pid, group in living_processes() if group == self.pid}

    def end_session(self, after_seconds: float) -> int:
        """Wait so long for its session to end; kill what is left, and say how many that were."""
        until = time.monotonic() + after_seconds
        while (left := self.session()) and time.monotonic() < until:
            time.sleep(0.02)
        if left:
            self.signal(signal.SIGKILL, whole_session=True)
        return len(left)


def run(arguments: Sequence[str], folder: Path, **how: Any) -> Ended:
    """Run a command to its end."""
    command = Command(arguments, folder, **how)
    ended = command.wait()
    command.end_session(0.0)
    return ended


def run_here(arguments: Sequence[str]) -> int:
    """Run the command line in this process; its exit code."""
    from gaitkit.cli.main import main

    sys.argv = ["gaitkit", *arguments]
    code = 0
    try:
        main(list(arguments))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
        code = 70
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code


def _as_at_the_start(out: IO[bytes], err: IO[bytes]) -> None:
    """Streams and signals as a shell gives them to a new process."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for stream, file in enumerate((os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())):
        os.dup2(file, stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def limit_file_size(most_bytes: int) -> None:
    """No file of this process can become larger: what is written beyond fails."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))


class _Operations:
    """Counts what a process changes in a folder, and kills it before a chosen change."""

    def __init__(self, folder: Path, counter: mmap.mmap, kill_at: int, session: bool) -> None:
        self._folder = os.path.realpath(folder) + os.sep
        self._counter = counter
        self._count = 0
        self._kill_at = kill_at
        self._session = session

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not (event in _CHANGES or opens_to_write(event, arguments)):
            return
        path = path_of(arguments[0])
        if path is not None and not path.startswith(self._folder):
            return
        self._count += 1
        self._counter[:8] = struct.pack("<q", self._count)
        if self._count == self._kill_at:
            os.kill(0 if self._session else os.getpid(), signal.SIGKILL)


def opens_to_write(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audited event opens a file by its name, to write into it."""
    return event == "open" and bool(arguments[2] & _WRITING) and not isinstance(arguments[0], int)


def changes_of(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """The paths at which an audited event changes something."""
    if opens_to_write(event, arguments):
        names = arguments[:1]
    elif event in _CHANGES:
        names = arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]
    else:
        return []
    return [path for name in names if (path := path_of(name)) is not None]


def path_of(name: Any) -> str | None:
    """A whole path, without links; `None` for a file that is open."""
    if isinstance(name, int):
        return None
    return os.path.realpath(os.fsdecode(name))


def living_processes() -> list[tuple[int, int]]:
    """Number and process group of every process that is no zombie."""
    found = []
    if sys.platform == "linux":
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                text = Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
                state, _, group = text.rpartition(")")[2].split()[:3] if text else ("Z", "", "0")
                if state not in "ZX":
                    found.append((int(entry), int(group)))
        return found
    table = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True)
    for line in table.stdout.splitlines():
        pid, group, state = line.split()[:3]
        if state[0] != "Z":
            found.append((int(pid), int(group)))
    return found


def import_what_it_needs(arguments: Sequence[str], folder: Path) -> None:
    """Run a command once and import here whatever it has imported.

    Raises
    ------
    RuntimeError
        The command fails.
    """
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8") as names:
        pid = os.fork()
        if not pid:
            code = 70
            try:
                os.chdir(folder)
                with tempfile.TemporaryFile() as out:
                    _as_at_the_start(out, out)
                    code = run_here(arguments)
                    out.seek(0)
                    names.write("\n".join(sys.modules) if code == 0 else out.read().decode())
                    names.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        names.seek(0)
        found = names.read().splitlines()
    if status:
        raise RuntimeError(f"gaitkit {' '.join(arguments)}: {' | '.join(found)[-500:]}")
    for name in found:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder: name, and the SHA-256 of a file's bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        with contextlib.suppress(FileNotFoundError):
            if path.is_symlink():
                found[name] = f"link to {os.readlink(path)}"
            elif path.is_dir():
                found[name] = "folder"
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
