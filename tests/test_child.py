"""How processes ended is told apart, and a child keeps to its limits and ends with its parent."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from gaitkit.child import Child, ChildEndedError, how_it_ended
from gaitkit.errors import LibraryError

SERVING = "from gaitkit.child import limit_answer, serving\n"
SERVING += "with serving(memory_bytes=1 << 30, cpu_seconds=60) as (source, sink):\n    "

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")


def child(code: str, *, seconds: float = 60.0, before: str = SERVING) -> Child:
    return Child(before + code, "a file", does="reads", needs="math", seconds=seconds)


def answer(code: str, *, seconds: float = 60.0) -> bytes:
    reader = child(code)
    reader.seconds = seconds  # From here on: a start takes as long as a busy machine lets it.
    try:
        buffer = bytearray(4)
        reader.fill(buffer)
        return bytes(buffer)
    finally:
        reader.close()


@posix
@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("SIGSEGV", "crash", "crashed (SIGSEGV)"),
        ("SIGABRT", "crash", "crashed (SIGABRT)"),
        ("SIGBUS", "crash", "crashed (SIGBUS)"),
        ("SIGFPE", "crash", "crashed (SIGFPE)"),
        ("SIGILL", "crash", "crashed (SIGILL)"),
        ("SIGKILL", "killed", "was killed (SIGKILL), most likely for want of memory"),
        ("SIGTERM", "killed", "was killed (SIGTERM)"),
        ("SIGXCPU", "limit", "took too much time (SIGXCPU)"),
        ("SIGALRM", "limit", "took too much time (SIGALRM)"),
    ],
)
def test_signals_are_crashes_kills_or_limits(name: str, kind: str, text: str) -> None:
    assert how_it_ended(-signal.Signals[name], windows=False) == (kind, text)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0xC0000005, "crash"),  # Access violation.
        (0xC0000374, "crash"),  # Heap corruption.
        (0xC0000017, "killed"),  # No memory.
        (0xC000013A, "killed"),  # Ctrl-C.
        (1, "killed"),  # What the task manager leaves.
        (70, "exit"),
        (0, "exit"),
        (None, "exit"),
    ],
)
def test_windows_tells_it_by_the_status(status: int | None, kind: str) -> None:
    assert how_it_ended(status, windows=True).kind == kind


def test_elsewhere_one_is_a_status_like_others() -> None:
    assert how_it_ended(1, windows=False) == ("exit", "ended with exit status 1")
    assert how_it_ended(-77, windows=False) == ("killed", "was killed (signal 77)")


def test_what_the_child_prints_is_no_answer() -> None:
    assert answer("print('noise', flush=True); sink.write(b'good')") == b"good"


@pytest.mark.parametrize("code", ["pass", "sink.write(b'no')", "raise ValueError", "exit()"])
def test_a_child_that_ends_early_gives_no_answer(code: str) -> None:
    with pytest.raises(ChildEndedError) as caught:
        answer(code)
    assert caught.value.ending.kind == "exit"


def test_a_child_may_not_take_longer_than_its_seconds() -> None:
    with pytest.raises(ChildEndedError, match=r"took more than 0\.5 s"):
        answer("sink.write(b'oh'); sink.flush(); source.read()", seconds=0.5)


@posix
def test_a_child_that_computes_for_ever_ends_even_without_its_parent() -> None:
    # Here the parent is there and has patience; the limit is the child's own.
    with pytest.raises(ChildEndedError, match="SIGPROF"):
        answer("limit_answer(0.1)\n    while True: pass")


@posix
def test_a_child_that_was_killed_is_not_the_files_fault() -> None:
    with pytest.raises(LibraryError, match=r"was killed \(SIGKILL\).*while it read a file") as told:
        answer("import os; os.kill(os.getpid(), 9)")
    assert told.value.hint is not None
    assert "Nothing is known to be wrong with the file" in told.value.hint


def test_a_child_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LibraryError, match="could not be started: it ended with exit status 3"):
        child("raise SystemExit(3)", before="")
    monkeypatch.setattr(sys, "executable", "no-such-python")
    with pytest.raises(LibraryError, match="could not be started"):
        child("pass")


@posix
def test_a_child_does_not_outlive_a_killed_parent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        # The connection lasts as long as the child does.
        serve = f"import socket; s = socket.create_connection({address}); source.read()"
        parent = (
            "import os\nfrom gaitkit.child import Child\n"
            f"Child({SERVING + serve!r}, 'a file', does='reads', needs='math', seconds=60.0)\n"
            "os.kill(os.getpid(), 9)"
        )
        ran = subprocess.run([sys.executable, "-c", parent], timeout=60)
        assert ran.returncode == -signal.SIGKILL
        server.settimeout(60)
        connection, _ = server.accept()
        connection.settimeout(60)
        assert connection.recv(1) == b""
        connection.close()
