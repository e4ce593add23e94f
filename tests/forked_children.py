"""Children of `gaitkit.child` that need not start Python and load NumPy: they are forked.

Whatever opens a model starts such a child, hundreds of times in these tests, and its start takes
far longer than what it reads. Here it is forked from a process that has loaded the module whose
`serve` it runs, and has opened no file. What it does then, under which limits, and what comes
through its pipes is the same. How it is started for users is tested where it is written
(`test_guard`, `test_child`, `test_videos`, `test_network`) and by whatever runs whole commands.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from struct import Struct
from typing import Any

import pytest

from gaitkit.child import Child, ctrl_c_later

_NUMBER = Struct("<i")
_SERVES = re.compile(r"from (gaitkit[\w.]*) import (serve\w*); \2\(\)")
_MOST = 1 << 20
_start_as_for_users = Child._start

can_fork = sys.platform == "linux"


class Forked:
    """As much of `subprocess.Popen` as a `Child` uses, of a child of another process."""

    def __init__(self, status: socket.socket, asks: int, answers: int) -> None:
        self._status = status
        self._code: int | None = None
        self.stdin = os.fdopen(asks, "wb")
        self.stdout = os.fdopen(answers, "rb")
        self.pid = _NUMBER.unpack(status.recv(_NUMBER.size))[0]

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            self._status.settimeout(timeout)
            try:
                (self._code,) = _NUMBER.unpack(self._status.recv(_NUMBER.size))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0) from None
            self._status.close()
        return self._code

    def kill(self) -> None:
        try:
            self.wait(0.0)
        except subprocess.TimeoutExpired:
            # It may have ended just now, and the nursery have waited for it.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """A process that has loaded what children of one kind need, and forks them."""

    def __init__(self, start: str) -> None:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there, ctrl_c_later():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", "import forked_children as f; f.be_the_nursery()"]
                + [str(there.fileno()), start],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                env=_environment({}),
            )
        self._asks = here
        assert here.recv(_NUMBER.size), "the process that children are forked from does not start"

    def fork(self, path: str, environment: Mapping[str, str]) -> Forked:
        asks, answers = os.pipe(), os.pipe()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = json.dumps([path, os.getcwd(), _environment(environment)]).encode()
        with there:
            fds = [asks[0], answers[1], there.fileno()]
            socket.send_fds(self._asks, [told], fds)
        os.close(asks[0])
        os.close(answers[1])
        return Forked(here, asks[1], answers[0])

    def close(self) -> None:
        self._asks.close()
        self._process.wait()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    paths = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return {**os.environ, "PYTHONPATH": paths, **alone, **more}


def forking(nurseries: dict[str, Nursery]) -> Callable[..., Any]:
    """What takes the place of `Child._start`; nurseries are made as they are needed."""

    def start(self: Child, code: str, environment: Mapping[str, str]) -> Any:
        if not _SERVES.fullmatch(code):  # Of a test that has its own.
            return _start_as_for_users(self, code, environment)
        if code not in nurseries:
            nurseries[code] = Nursery(code)
        return nurseries[code].fork(self._path, environment)

    return start


def be_the_nursery() -> None:
    """Fork a child for each message, and tell how it ended, until the other end is closed."""
    number, code = sys.argv[1:]
    exec(code.partition(";")[0], {})
    asked = socket.socket(fileno=int(number))
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    running: dict[int, socket.socket] = {}
    asked.send(_NUMBER.pack(0))
    while True:
        ready, _, _ = select.select([asked, wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4096)
            _tell_who_ended(running)
        if asked in ready:
            told, fds, _, _ = socket.recv_fds(asked, _MOST, 3)
            if not told:
                return
            pid = os.fork()
            if not pid:
                _be_the_child(code, *json.loads(told), *fds[:2])
            status = socket.socket(fileno=fds[2])
            status.send(_NUMBER.pack(pid))
            running[pid] = status
            for fd in fds[:2]:
                os.close(fd)


def _tell_who_ended(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as teller:
            try:
                teller.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
            except OSError:  # Nobody waits for it.
                continue


def _be_the_child(
    code: str, path: str, folder: str, environment: dict[str, str], asks: int, answers: int
) -> None:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(asks, 0)
        os.dup2(answers, 1)
        os.closerange(3, 1024)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[:] = ["-c", path]
        exec(code, {"__name__": "__main__"})
    except BaseException:
        os._exit(1)
    os._exit(0)


@pytest.fixture(scope="session", autouse=True)
def children_are_forked() -> Any:
    """For all tests and what they share; a module that tests how children start asks otherwise."""
    nurseries: dict[str, Nursery] = {}
    with pytest.MonkeyPatch.context() as patch:
        if can_fork:
            patch.setattr(Child, "_start", forking(nurseries))
        yield
    for nursery in nurseries.values():
        nursery.close()


@pytest.fixture
def children_start_as_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each a Python of its own."""
    monkeypatch.setattr(Child, "_start", _start_as_for_users)
