"""Stdout and stderr closed, full, or read by nobody: work is finished, exit codes are told."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gaitkit.cli.main import main
from gaitkit.cli.streams import standard_streams

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


class Broken(io.RawIOBase):
    """A file that cannot be written."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(self.number, os.strerror(self.number))


def text_over(raw: io.RawIOBase, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command on given streams, in this process."""

    def run(*arguments: object, stdout: Any, stderr: Any = None) -> int:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def test_a_full_stdout_is_told_when_the_work_is_done(
    run: Callable[..., int], write_geis: Callable[..., Path], tmp_path: Path
) -> None:
    told = io.BytesIO()
    stderr = io.TextIOWrapper(told, encoding="utf-8")
    output = tmp_path / "results.h5"
    arguments = ("evaluate", write_geis(), "--protocol", "halves", "-o", output)
    assert run(*arguments, stdout=text_over(Broken(errno.ENOSPC)), stderr=stderr) == 1
    assert output.exists()
    message = told.getvalue().decode().splitlines()[-1]
    assert message.startswith("Error: stdout cannot be written: ")
    assert message.endswith("All else is done.")


def test_a_reader_that_left_is_no_error(run: Callable[..., int]) -> None:
    stderr = io.StringIO()
    assert run("protocol", "list", stdout=text_over(Broken(errno.EPIPE)), stderr=stderr) == 141
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("stderr", [None, Broken(errno.ENOSPC), Broken(errno.EPIPE)])
def test_a_lost_stderr_changes_nothing(
    run: Callable[..., int], write_geis: Callable[..., Path], tmp_path: Path, stderr: Any
) -> None:
    stream = None if stderr is None else text_over(stderr)
    output = tmp_path / "copy.h5"
    arguments = ("evaluate", write_geis(), "--protocol", "halves", "-o", output)
    assert run(*arguments, stdout=io.StringIO(), stderr=stream) == 0
    assert output.exists()
    assert run("inspect", output, "--no-option", stdout=io.StringIO(), stderr=stream) == 2
    assert run("protocol", "show", "none", stdout=io.StringIO(), stderr=stream) == 2
    assert run("no-command", stdout=io.StringIO(), stderr=stream) == 2


def test_streams_are_put_back_and_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.FileIO(os.open(os.devnull, os.O_WRONLY), "w")
    before = text_over(raw)
    monkeypatch.setattr(sys, "stdout", before)
    with standard_streams() as lost:
        assert sys.stdout is not before
        sys.stdout.write("text")
    assert sys.stdout is before
    assert lost.error is None
    before.write("more")
    before.close()


def test_letters_that_an_encoding_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(Broken):
        data = b""

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    kept = Kept(0)
    monkeypatch.setattr(sys, "stdout", text_over(kept, "cp1252"))
    with standard_streams():
        sys.stdout.write("Zoë 王 \x1b[31m \udcff\n")
    assert kept.data.decode("cp1252").rstrip() == r"Zoë \u738b \x1b[31m \udcff"


SHELL = [
    ("gaitkit --version >&-", 1, "Error: stdout cannot be written: Bad file descriptor."),
    ("gaitkit --help >&- 2>&-", 1, ""),
    ("gaitkit no-command 2>&-", 2, ""),
    ("gaitkit protocol list <&- 2>&- >/dev/null", 0, ""),
    ("gaitkit protocol list --json | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("PYTHONUNBUFFERED=1 gaitkit protocol list --json | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("ulimit -f 0; gaitkit protocol list > FILE", 1, "stdout cannot be written: File too large."),
    ("PYTHONIOENCODING=ascii gaitkit evaluate --help | wc -l >/dev/null", 0, ""),
]


@posix
@pytest.mark.parametrize(("line", "code", "told"), SHELL)
def test_streams_in_a_shell(line: str, code: int, told: str, tmp_path: Path) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    script = f'gaitkit() {{ "{sys.executable}" -m gaitkit "$@"; }}\n'
    script += line.replace("FILE", f'"{tmp_path}/out"')
    ran = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stderr
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) <= (1 if told else 0)
    assert "Traceback" not in ran.stderr


@posix
def test_a_closed_descriptor_never_becomes_an_artefact(
    write_geis: Callable[..., Path], tmp_path: Path
) -> None:
    code = (
        "import os, sys\n"
        "from gaitkit.cli.streams import standard_streams\n"
        "with standard_streams():\n"
        f"    file = open({str(tmp_path / 'file')!r}, 'w')\n"
        "    os._exit(0 if file.fileno() > 2 else 3)\n"
    )
    ran = subprocess.run(
        ["bash", "-c", f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-', code], cwd=ROOT, check=False
    )
    assert ran.returncode == 0
