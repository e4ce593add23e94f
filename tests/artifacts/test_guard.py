"""A guarded artefact reads as any other; a child that crashes, hangs or lies is a damaged file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from gaitkit.artifacts import TrainedOn, guard, open_artifact, write_artifact
from gaitkit.artifacts.arrays import MalformedError
from gaitkit.artifacts.envelope import seal
from gaitkit.artifacts.guard import GuardedArrays
from gaitkit.errors import DamagedArtifactError, LibraryError

pytestmark = pytest.mark.usefixtures("children_start_as_for_users")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    arrays = {
        "weights/x": np.arange(6, dtype=np.float32).reshape(2, 3),
        "step": np.array(7),
        "names": ["one", "", "três"],
        "empty": np.zeros((0, 4)),
        "flags": np.array([True, False]),
    }
    write_artifact(
        tmp_path / "a.h5",
        kind="translator",
        arrays=arrays,
        parameters={"a": 1},
        dataset="mine",
        trained_on=[TrainedOn("mine", "001", "training")],
    )
    return tmp_path / "a.h5"


def test_a_guarded_artefact_reads_as_any_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BLOCK_BYTES", 20)
    with open_artifact(path) as plain, open_artifact(path, guarded=True) as guarded:
        assert guarded.names() == plain.names()
        for name in plain.names():
            expected, found = plain.read(name), guarded.read(name)
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected)
        assert guarded.read_rows("weights/x", 1, 5).tolist() == [[3.0, 4.0, 5.0]]
        assert guarded.parameters == plain.parameters
        assert guarded.trained_on == plain.trained_on
        assert guarded.recompute_content_sha256() == plain.content_sha256


SAY = "say = lambda text: print(text, flush=True)"


@pytest.mark.parametrize(
    ("child", "message"),
    [
        ("os.abort()", "libhdf5 crashes on it"),
        ("say('')", "libhdf5 crashes on it"),
        ("say('no JSON')", "libhdf5 crashes on it"),
        ("say('[' * 10**5)", "libhdf5 crashes on it"),
        ('say(\'{"error": "bad\\\\u001b[2J"}\')', r"bad\?\[2J"),
    ],
)
def test_a_child_that_breaks_means_a_damaged_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, child: str, message: str
) -> None:
    monkeypatch.setattr(guard, "_START", f"import os\n{SAY}\nsay('ready')\n{child}")
    with pytest.raises(DamagedArtifactError, match=f"not a well-formed artefact: {message}"):
        open_artifact(path, guarded=True)


def test_a_child_that_hangs_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = "import sys\nprint('ready\\n{\"value\": 1}', flush=True)\nsys.stdin.read()"
    monkeypatch.setattr(guard, "_START", start)
    arrays = GuardedArrays(path)
    arrays._child.seconds = 0.1
    with pytest.raises(MalformedError, match=r"takes more than 0\.1 s"):
        arrays.attributes()
    arrays.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_child_that_wants_too_much_memory_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = (
        "from gaitkit.child import serving\n"
        "with serving(memory_bytes=1 << 30, cpu_seconds=60):\n    bytearray(4 << 30)"
    )
    monkeypatch.setattr(guard, "_START", start)
    with pytest.raises(DamagedArtifactError, match="libhdf5 crashes on it"):
        open_artifact(path, guarded=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_child_that_was_killed_is_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kill = f"import os, signal\nprint('ready', flush=True)\nos.kill(os.getpid(), signal.{name})"
    monkeypatch.setattr(guard, "_START", kill)
    with pytest.raises(LibraryError, match=rf"reads other people's files was killed \({name}\)"):
        open_artifact(path, guarded=True)


def patched(changes: str) -> str:
    return f"from gaitkit.artifacts import guard\n{changes}\nguard.serve()"


WANT = "def want(path): raise MemoryError\nguard.H5Arrays = want\n"


def test_a_machine_without_memory_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = patched(WANT + "guard.memory_is_short = lambda spare: True")
    monkeypatch.setattr(guard, "_START", short)
    with pytest.raises(LibraryError, match="finds too little memory for"):
        open_artifact(path, guarded=True)
    monkeypatch.setattr(guard, "_START", patched(WANT))
    with pytest.raises(DamagedArtifactError, match="asks for too much memory"):
        open_artifact(path, guarded=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit processor time")
def test_a_child_that_computes_for_ever_ends_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = "def loop(path):\n    while True: pass\nguard.H5Arrays, guard.SECONDS = loop, 0.1"
    monkeypatch.setattr(guard, "_START", patched(changes))
    with pytest.raises(DamagedArtifactError, match="reading it takes more than 60 s"):
        open_artifact(path, guarded=True)


@pytest.mark.parametrize(
    "arrays",
    [
        '{"x": ["|O8", [1]]}',
        '{"x": ["<f4", [-1]]}',
        '{"x": ["<f4", 3]}',
        '{"x": ["<f4", [true]]}',
        '{"x": [["<f4"], [1]]}',
        "[]",
        '{"x": ["<f4", [4611686018427387904]]}',
    ],
)
def test_what_a_child_says_of_arrays_is_checked(
    path: Path, monkeypatch: pytest.MonkeyPatch, arrays: str
) -> None:
    start = f'print(\'ready\\n{{"value": 1}}\\n{{"value": {arrays}}}\', flush=True);input()'
    monkeypatch.setattr(guard, "_START", start)
    found = GuardedArrays(path)
    with pytest.raises(MalformedError):
        found.arrays()
    found.close()


def test_a_small_file_that_claims_a_lot_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_dataset("weights/y", (1 << 30,), "f4", chunks=(1024,))
    seal(path)
    with (
        open_artifact(path, guarded=True) as artifact,
        pytest.raises(DamagedArtifactError, match=r"claim to hold 4,294,\d{3},\d{3} bytes"),
    ):
        artifact.read("step")


def test_a_child_that_cannot_start_is_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_START", "raise SystemExit(1)")
    with pytest.raises(LibraryError, match="could not be started"):
        open_artifact(path, guarded=True)
    monkeypatch.setattr(sys, "executable", str(path.with_name("no-python")))
    with pytest.raises(LibraryError, match="could not be started"):
        open_artifact(path, guarded=True)


def test_nothing_is_imported_from_the_working_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("h5py", "numpy", "json"):
        (path.parent / f"{name}.py").write_text("open('trap', 'w')")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with open_artifact(path, guarded=True) as artifact:
        assert artifact.read("step") == 7
    assert not os.path.exists("trap")


@pytest.mark.parametrize("guarded", [True, False])
def test_a_text_claims_what_it_takes_in_memory(path: Path, guarded: bool) -> None:
    with h5py.File(path, "r+") as file:
        del file["names"]
        file.create_dataset("names", (1 << 28,), "S1", chunks=(1 << 16,), compression="gzip")
    seal(path)
    with (
        open_artifact(path, guarded=guarded) as artifact,
        pytest.raises(DamagedArtifactError, match=r"claim to hold 17,\d{3},\d{3},\d{3} bytes"),
    ):
        artifact.names()
