"""One writer of a name at a time, and no lock that outlives its holder."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gaitkit import locks
from gaitkit.errors import OutputBusyError, OutputError
from gaitkit.locks import NameLock

HOLD = """
import sys, time
from pathlib import Path
from gaitkit.locks import NameLock
lock = NameLock(Path(sys.argv[1]), Path(sys.argv[1] + ".output"))
lock.acquire()
lock.note_unfinished(["a.h5.01234567.partial"])
print("held", flush=True)
time.sleep(600)
"""


def lock_of(folder: Path) -> NameLock:
    return NameLock(folder / "lock", folder / "out.h5")


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_file_goes_with_the_lock(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    assert lock.acquire() == []
    assert [item.name for item in tmp_path.iterdir()] == ["lock"]
    lock.release()
    assert list(tmp_path.iterdir()) == []
    lock.release()
    assert lock.acquire() == []
    lock.release()


def test_the_second_is_told_who_holds_it(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(OutputBusyError) as caught:
        lock_of(tmp_path).acquire()
    assert caught.value.message.startswith(f"{tmp_path / 'out.h5'} is being written by another")
    assert f"process {holder.pid}" in caught.value.message
    assert caught.value.exit_code == 1
    assert (tmp_path / "lock").exists()


def test_one_process_does_not_hold_it_twice(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    lock.acquire()
    for _ in range(2):
        with pytest.raises(OutputBusyError, match=f"process {os.getpid()}"):
            lock_of(tmp_path).acquire()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_holds_nothing(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()
    lock = lock_of(tmp_path)
    assert lock.acquire() == ["a.h5.01234567.partial"]
    # They stay noted until they are removed.
    assert "a.h5.01234567.partial" in (tmp_path / "lock").read_text()
    lock.note_unfinished([])
    lock.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 9999, b"[1]", b'{"unfinished": 3}', b"\xff"])
def test_whatever_the_file_says_it_is_taken_over(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "lock").write_bytes(text)
    lock = lock_of(tmp_path)
    assert lock.acquire() == []
    assert json.loads((tmp_path / "lock").read_text())["process"] == os.getpid()
    lock.release()


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed here")
def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "lock").symlink_to("thesis.tex")
    with pytest.raises(OutputError, match=r"out\.h5 cannot be written"):
        lock_of(tmp_path).acquire()
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_another_machines_lock_is_taken_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lock").write_text('{"host": "elsewhere", "process": 1}')
    lock = lock_of(tmp_path)
    with caplog.at_level(logging.WARNING, "gaitkit"):
        lock.acquire()
    assert "begun on the machine elsewhere" in caplog.text
    lock.release()


def without_locks(file: int) -> bool:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize(
    ("process", "free"),
    [(0, True), (os.getpid(), False), (1 << 22, True)],
    ids=["none", "alive", "dead"],
)
def test_a_disk_without_locks_is_told_and_known_by_process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    process: int,
    free: bool,
) -> None:
    monkeypatch.setattr(locks, "_lock_file", without_locks)
    (tmp_path / "lock").write_text(
        json.dumps({"host": socket.gethostname(), "process": process, "command": "gaitkit run"})
    )
    lock = lock_of(tmp_path)
    if free:
        lock.acquire()
        lock.release()
        assert list(tmp_path.iterdir()) == []
    else:
        with pytest.raises(OutputBusyError, match=r"\(gaitkit run, process \d+\)"):
            lock.acquire()
    assert "has no locks" in caplog.text


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        NameLock(tmp_path / "none" / "lock", tmp_path / "none" / "out.h5").acquire()


def test_what_could_not_be_removed_stays_known(tmp_path: Path) -> None:
    lock = NameLock(tmp_path / ".a.gaitkit-lock", tmp_path / "a")
    lock.acquire()
    (tmp_path / "a.01234567.partial").mkdir()
    lock.note_unfinished(["a.01234567.partial"])
    # A second Ctrl-C has stopped the removal.
    lock.release()
    assert lock.acquire() == ["a.01234567.partial"]
    (tmp_path / "a.01234567.partial").rmdir()
    lock.release()
    assert os.listdir(tmp_path) == []
