"""Work is mapped over processes without changing what comes out, and no process is left behind."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from gaitkit import parallel
from gaitkit.errors import DatasetError, GaitkitError, OptionError
from gaitkit.parallel import _cores_of_container, available_cores, map_unordered

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")


class Piece(NamedTuple):
    label: str


class StubbornError(Exception):
    """Can be pickled, and not be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class ImmobileError(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("stuck")
        self.lock = lambda: 0


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise DatasetError(f"number {number}", hint="take another")


def stumble(number: int) -> int:
    raise ZeroDivisionError("plain")


def be_stubborn(number: int) -> NoReturn:
    raise StubbornError(1, 2)


def be_immobile(number: int) -> NoReturn:
    raise ImmobileError


def die(number: object) -> int:
    os._exit(9)


def be_killed(piece: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def give_a_function(number: int) -> object:
    return lambda: number


def process_of(number: int) -> int:
    return os.getpid()


def sleep(number: int) -> None:
    time.sleep(100 if number else 0)


@pytest.mark.parametrize(
    ("told", "cores"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", None)],
)
def test_a_containers_quota_is_whole_cores(told: str, cores: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(told + "\n")
    assert _cores_of_container(tmp_path / "cpu.max") == cores
    assert _cores_of_container(tmp_path / "missing") is None


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_item_is_done_once(workers: int) -> None:
    results = sorted(map_unordered(square, range(7), workers=workers))
    assert results == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25), (6, 36)]


def test_nothing_to_do() -> None:
    assert list(map_unordered(square, [], workers=2)) == []


def test_one_item_or_one_worker_is_done_here() -> None:
    assert list(map_unordered(process_of, [1], workers=4)) == [(1, os.getpid())]
    assert {pid for _, pid in map_unordered(process_of, [1, 2], workers=1)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in map_unordered(process_of, [1, 2], workers=2)}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_crosses_the_process_with_its_hint(workers: int) -> None:
    with pytest.raises(DatasetError, match="number .\ntake another"):
        list(map_unordered(fail, range(3), workers=workers))


def test_any_exception_comes_back_as_it_is_with_a_note_of_where_it_was() -> None:
    with pytest.raises(ZeroDivisionError, match="plain") as caught:
        list(map_unordered(stumble, range(3), workers=2))
    assert "in stumble" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("function", "told"),
    [(be_stubborn, "StubbornError: 1 and 2"), (be_immobile, "ImmobileError: stuck")],
)
def test_an_exception_that_cannot_travel_is_told(function: object, told: str) -> None:
    with pytest.raises(RuntimeError, match=told):
        list(map_unordered(function, range(3), workers=2))  # type: ignore[arg-type]


def test_a_result_that_cannot_travel_is_an_error() -> None:
    with pytest.raises(Exception, match="pickle"):
        list(map_unordered(give_a_function, range(3), workers=2))


def test_a_dead_worker_is_reported() -> None:
    with pytest.raises(
        GaitkitError, match=r"worker process died: it ended with exit status 9.*on 0"
    ):
        list(map_unordered(die, [0, 0], workers=2))


@posix
def test_a_killed_worker_is_told_with_what_it_did() -> None:
    pieces = [Piece("anna/nm-01\x1b[2J"), Piece("anna/nm-01\x1b[2J")]
    with pytest.raises(GaitkitError) as caught:
        list(map_unordered(be_killed, pieces, workers=2))
    assert caught.value.message == (
        "A worker process died: it was killed (SIGKILL), most likely for want of memory, while it "
        "worked on anna/nm-01\\x1b[2J."
    )
    assert caught.value.hint == "Do the same again with fewer `workers`: it continues."


def test_workers_end_when_nobody_wants_more() -> None:
    results = map_unordered(sleep, range(9), workers=2)
    assert next(results) == (0, None)
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_no_semaphores_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``/dev/shm`` is read-only or missing there are none."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    assert dict(map_unordered(square, range(3), workers=2)) == {0: 0, 1: 1, 2: 4}


@pytest.mark.parametrize(
    ("possible", "told"),
    [
        (0, "None of 2 worker processes could be started (no more); this one does the work."),
        (
            1,
            "Only 1 of 2 worker processes could be started (no more); the work goes on with those.",
        ),
    ],
)
def test_work_goes_on_with_the_processes_that_there_are(
    possible: int, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, started = parallel._start, iter(range(9))

    def some(packed: bytes, name: str) -> parallel._Worker:
        if next(started) >= possible:
            raise BlockingIOError(errno.EAGAIN, "no more")
        return start(packed, name)

    monkeypatch.setattr(parallel, "_start", some)
    with caplog.at_level(logging.WARNING):
        found = dict(map_unordered(process_of, range(3), workers=2))
    assert caplog.messages == [told]
    assert set(found) == {0, 1, 2}
    assert len(set(found.values())) == 1
    assert (os.getpid() in found.values()) == (possible == 0)


def program(tmp_path: Path, code: str, *, guarded: bool = True) -> list[str]:
    lines = ["import os, signal, sys", "sys.path[:0] = " + repr(sys.path)]
    lines += ["from gaitkit.parallel import map_unordered", "import test_parallel as t"]
    lines += ['if __name__ == "__main__":' if guarded else "if True:", f"    {code}"]
    (tmp_path / "program.py").write_text("\n".join(lines))
    return [sys.executable, str(tmp_path / "program.py")]


@posix
def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "for _ in map_unordered(t.sleep, [0] + [1] * 5, workers=2): "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    # The workers hold the ends of its output, too, so it ends when all of them have.
    ran = subprocess.run(program(tmp_path, code), capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGKILL, "", "")


@posix
def test_a_program_that_is_interrupted_ends_its_workers_and_says_so_once(tmp_path: Path) -> None:
    code = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    for _ in map_unordered(t.sleep, [0] + [1] * 5, workers=2): "
        "os.killpg(0, signal.SIGINT)"
    )
    ran = subprocess.run(
        program(tmp_path, code), capture_output=True, text=True, timeout=60, start_new_session=True
    )
    assert ran.returncode == -signal.SIGINT
    assert ran.stderr.count("Traceback") == 1


@pytest.mark.parametrize("guarded", [True, False])
def test_workers_need_no_program_for_what_is_elsewhere(tmp_path: Path, guarded: bool) -> None:
    code = "print('begun', sorted(map_unordered(t.square, range(3), workers=2)))"
    command = program(tmp_path, code, guarded=guarded)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "begun [(0, 0), (1, 1), (2, 4)]\n"


def test_a_function_of_the_program_itself_is_found_there(tmp_path: Path) -> None:
    command = program(tmp_path, "print(sorted(map_unordered(own, range(2), workers=2)))")
    path = Path(command[1])
    path.write_text(f"def own(number):\n    return number + 1\n\n{path.read_text()}")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[(0, 1), (1, 2)]\n", "")


def test_a_program_that_workers_cannot_import_is_told_what_to_do(tmp_path: Path) -> None:
    code = "list(map_unordered(own, range(3), workers=2))"
    command = program(tmp_path, code, guarded=False)
    path = Path(command[1])
    path.write_text(f"def own(number):\n    return number + 1\n\n{path.read_text()}")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.count("Traceback") == 1
    assert "A worker process could not begin" in ran.stderr
    assert 'below the line if __name__ == "__main__":' in ran.stderr


def test_a_function_that_only_this_process_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_else_has_it(number: int) -> int:
        return number

    nobody_else_has_it.__qualname__ = "nobody_else_has_it"
    monkeypatch.setattr(
        sys.modules[__name__], "nobody_else_has_it", nobody_else_has_it, raising=False
    )
    with pytest.raises(GaitkitError, match="cannot load what it is to do: AttributeError"):
        list(map_unordered(nobody_else_has_it, range(3), workers=2))


def test_workers_must_be_positive() -> None:
    with pytest.raises(OptionError, match="at least 1, got 0"):
        list(map_unordered(square, [1], workers=0))
    assert available_cores() >= 1


@posix
def test_a_worker_that_is_killed_while_it_starts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    start = parallel._start

    def start_and_kill(packed: bytes, name: str) -> parallel._Worker:
        worker = start(packed, name)
        worker.process.kill()
        return worker

    monkeypatch.setattr(parallel, "_start", start_and_kill)
    with pytest.raises(GaitkitError, match=r"was killed \(SIGKILL\).* it started, to work on 0\."):
        list(map_unordered(square, range(3), workers=2))
