"""Units of work on other machines: the same bytes, no lost work, and nobody else's workers.

The machines are two worker processes on this one, with a scheduler of their own.
"""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gaitkit import cluster as module
from gaitkit.artifacts import Pieces
from gaitkit.cluster import Cluster, as_cluster, map_on_cluster, needs, refuse_other_versions
from gaitkit.errors import (
    ClusterError,
    DatasetError,
    GaitkitError,
    LibraryError,
    OptionError,
    OutputError,
    StoppedError,
)
from gaitkit.outputs import file_identity
from gaitkit.stages.make_gei import gei_from_silhouettes, make_gei
from gaitkit.stages.normalize import normalize
from gaitkit.stages.piecework import SharedDisk

SECONDS = 60


# An address, and what goes with it.


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("head:8786", "tcp://head:8786"),
        ("tcp://10.0.0.7:8786/", "tcp://10.0.0.7:8786"),
        ("[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_an_address_is_a_host_and_a_port(given: str, taken: str) -> None:
    assert Cluster(given).address == taken


@pytest.mark.parametrize("given", ["", "8786", "head", "inproc://x:1", "head:99999", "u@h:1", None])
def test_anything_else_is_refused_before_anything_is_asked(given: Any) -> None:
    with pytest.raises(OptionError, match=r"address of a Dask scheduler.*\n.*tcp://head:8786"):
        Cluster(given)


def test_certificates_and_an_encrypted_address_belong_together(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")]
    with pytest.raises(OptionError, match=r"`tls=\(CA, CERT, KEY\)`"):
        Cluster("tls://head:8786")
    with pytest.raises(OptionError, match=r"There is no file .*ca\.pem"):
        Cluster("tls://head:8786", (files[0], files[1], files[2]))
    for file in files:
        file.touch()
    assert Cluster("head:8786", (files[0], files[1], files[2])).address == "tls://head:8786"
    with pytest.raises(OptionError, match="not encrypted"):
        Cluster("tcp://head:8786", (files[0], files[1], files[2]))
    with pytest.raises(OptionError, match="three files"):
        Cluster("tls://head:8786", tuple(files[:2]))  # type: ignore[arg-type]


def test_no_environment_names_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://elsewhere:8786")
    assert as_cluster(None) is None


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LibraryError, match=r"pip install \"gaitkit-recognition\[cluster\]\""):
        as_cluster("head:8786")


def test_options_of_the_commands(
    gaitkit: Callable[..., Any], tiny_tree: Path, tmp_path: Path
) -> None:
    ran = gaitkit("make-gei", tiny_tree, "-o", tmp_path / "g.h5", "--cluster", "tls://head:1")
    assert ran.code == 2
    assert "--cluster-tls CA CERT KEY" in ran.stderr
    key = tmp_path / "key.pem"
    key.touch()
    given = ("--cluster-tls", key, key, key)
    ran = gaitkit("normalize", tiny_tree, "-o", tmp_path / "s.h5", *given)
    assert (ran.code, "--cluster-tls belongs to --cluster" in ran.stderr) == (2, True)
    given = ("--cluster", "tcp://head:1", *given)
    ran = gaitkit("normalize", tiny_tree, "-o", tmp_path / "s.h5", *given)
    assert (ran.code, "or no --cluster-tls" in ran.stderr) == (2, True)
    assert sorted(tmp_path.iterdir()) == [key]


# The mapping itself, with a client that does all at once in this process.


class FakeFuture:
    """What a function gave or raised."""

    def __init__(self, key: str, status: str, value: Any) -> None:
        self.key, self.status, self._value = key, status, value

    def result(self) -> Any:
        return self._value

    def exception(self) -> Any:
        return self._value

    def release(self) -> None:
        self._value = None

    def add_done_callback(self, told: Callable[[Any], None]) -> None:
        told(self)


class FakeClient:
    """A scheduler with two workers that are this process."""

    def __init__(self) -> None:
        self.status = "running"
        self.cancelled: list[Any] = []
        self.most_waiting = 0

    def nthreads(self) -> dict[str, int]:
        return {"tcp://one:1": 1, "tcp://two:1": 1}

    def run(self, function: Any, *arguments: Any, on_error: str) -> dict[str, Any]:
        return {worker: function(*arguments) for worker in self.nthreads()}

    def submit(self, function: Any, item: bytes, *, key: str, pure: bool) -> FakeFuture:
        try:
            return FakeFuture(key, "finished", function(item))
        except Exception as error:
            return FakeFuture(key, "error", error)

    def cancel(self, futures: list[Any]) -> None:
        self.cancelled += futures


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """The client that `map_on_cluster` finds in the place of a real one."""
    fake = FakeClient()

    @contextmanager
    def connected(cluster: Cluster) -> Iterator[FakeClient]:
        yield fake

    monkeypatch.setattr(module, "_connected", connected)
    return fake


def test_every_item_comes_back_with_its_result(client: FakeClient) -> None:
    found = map_on_cluster(len, ["", "a", "bc"], Cluster("head:1"))
    assert sorted(found) == [("", 0), ("a", 1), ("bc", 2)]
    assert client.cancelled == []


def test_a_stage_gives_the_bytes_of_one_process(
    client: FakeClient, tiniest_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiniest_tree.parent)
    make_gei("tiniest", tmp_path / "one.h5")
    calls: list[tuple[int, int]] = []
    make_gei(
        "tiniest",
        tmp_path / "many.h5",
        cluster="head:1",
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (tmp_path / "many.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()
    assert calls == [(0, 18), (16, 18), (18, 18)]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["many.h5", "one.h5"]


def test_archives_are_known_again_by_a_worker(
    client: FakeClient, tiny_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tars").mkdir()
    for subject in ("001", "002"):
        with tarfile.open(tmp_path / "tars" / f"{subject}.tar", "w") as archive:
            archive.add(tiny_tree / subject / "nm-01", f"{subject}/nm-01")
    monkeypatch.chdir(tmp_path)
    for source in ("tars", "tars/001.tar"):
        make_gei(source, "one.h5", overwrite=True)
        make_gei(source, "many.h5", cluster="head:1", overwrite=True)
        assert Path("many.h5").read_bytes() == Path("one.h5").read_bytes()


def test_what_a_function_raises_ends_the_work_and_what_is_queued(client: FakeClient) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_on_cluster(int, ["1", "x", "2", "3"], Cluster("head:1")))
    assert client.cancelled


def test_a_lost_scheduler_is_said(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: Any, **options: Any) -> None:
        client.status = "closed"
        raise CancelledError

    monkeypatch.setattr(client, "submit", gone)
    with pytest.raises(ClusterError, match=r"head:1 is gone.*\n.*it continues"):
        list(map_on_cluster(len, ["a"], Cluster("head:1")))


def test_no_workers_is_no_hang(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "nthreads", dict)
    monkeypatch.setattr(module, "_SECONDS_TO_BEGIN", 0.0)
    with pytest.raises(ClusterError, match=r"no workers.*\n.*dask worker tcp://head:1"):
        list(map_on_cluster(len, ["a"], Cluster("head:1")))


def test_frames_in_memory_are_not_sent_with_every_unit(client: FakeClient) -> None:
    held = SimpleNamespace(frames=np.zeros(5 << 20, np.uint8))
    with pytest.raises(OptionError, match="the frames are in memory"):
        list(map_on_cluster(held.__getattribute__, ["frames"], Cluster("head:1")))


def test_workers_of_another_version_are_refused_by_name(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"gaitkit": "0.0.9", "numpy": np.__version__, "cv2": "4.9.0"}
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://two:1": other})
    with pytest.raises(ClusterError, match=r"tcp://two:1 has gaitkit 0\.0\.9; here it is"):
        list(map_on_cluster(len, ["a"], Cluster("head:1")))
    missing = ModuleNotFoundError("No module named 'gaitkit'")
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://two:1": missing})
    with pytest.raises(ClusterError, match=r"two:1.*No module named 'gaitkit'"):
        list(map_on_cluster(len, ["a"], Cluster("head:1")))


def test_equal_versions_of_different_code_are_told_apart() -> None:
    wanted = needs()
    refuse_other_versions(wanted, needs(), "It")
    with pytest.raises(ClusterError, match="other code"):
        refuse_other_versions(wanted, wanted | {"code": "0"}, "It")
    with pytest.raises(ClusterError, match=r"OpenCV 3\.x; here it is"):
        refuse_other_versions(wanted, wanted | {"cv2": "3.x"}, "It")


# What a worker has to see.


def test_a_worker_that_does_not_see_the_pieces_says_so(tmp_path: Path) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    with pieces.signed() as signed:
        signed.refuse_unshared()
        elsewhere = replace(signed, folder=tmp_path / "other")
        with pytest.raises(OutputError, match="does not see the folder"):
            elsewhere.refuse_unshared()
    assert [item.name for item in pieces.folder.iterdir()] == ["plan.json"]


def test_a_worker_that_sees_another_source_says_so(tmp_path: Path) -> None:
    source = tmp_path / "data"
    (source / "001").mkdir(parents=True)
    with Pieces.of(tmp_path / "a.h5", {}).signed() as pieces:
        look = SharedDisk.of(source, pieces)
        look()
        (source / "002").mkdir()
        with pytest.raises(DatasetError, match="sees something else as"):
            look()
        with pytest.raises(DatasetError, match=r"does not see .*gone"):
            replace(look, reads=tmp_path / "gone")()


def test_what_is_finished_after_the_end_is_not_saved(tmp_path: Path) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    with pieces.signed() as signed:
        signed.save(0, {"x": np.zeros(1)})
    with pytest.raises(OutputError, match="given up"):
        signed.save(1, {"x": np.zeros(1)})
    assert (pieces.has(0), pieces.has(1)) == (True, False)
    assert sorted(item.name for item in pieces.folder.iterdir()) == ["000000.npz", "plan.json"]


def test_a_file_is_known_again_on_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a")
    here = file_identity(path)
    assert here is not None
    there = here._replace(device=here.device + 1, number=7)
    assert here != there
    sent = here.elsewhere()
    assert sent == there
    assert hash(sent) == hash(there)
    assert sent != there._replace(size=2)
    assert (None, here) != (None, there)


# Real ones.


class Machines:
    """A scheduler and its workers, each a process of its own.

    Who lost one is given another; the scheduler gives up on a unit that two workers died of.
    """

    def __init__(self, folder: Path, stack: ExitStack, *options: str) -> None:
        self._folder, self._stack, self._options = folder, stack, options
        self.begin()

    def begin(self) -> None:
        file = self._folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--scheduler-file", str(file))
        self._wait(file.exists)
        self.address: str = json.loads(file.read_text())["address"]
        self.workers: list[subprocess.Popen[bytes]] = []

    def have_workers(self, count: int) -> None:
        """Start those that are missing."""
        if self.scheduler.poll() is not None:
            for worker in self.workers:
                worker.terminate()
            self.begin()
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        given = ("--nworkers", "1", "--nthreads", "1", "--local-directory", str(self._folder))
        while len(self.workers) < count:
            self.workers.append(self._start("dask_worker", self.address, "--no-nanny", *given))

    def _start(self, what: str, *options: str) -> "subprocess.Popen[bytes]":
        started = subprocess.Popen(
            [
                *(sys.executable, "-m", f"distributed.cli.{what}", *options, *self._options),
                *("--host", "127.0.0.1", "--no-dashboard"),
            ],
            cwd=self._folder,
            env=os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(started.wait, SECONDS)
        self._stack.callback(started.terminate)
        return started

    @staticmethod
    def _wait(for_it: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not for_it():
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler; it takes long to start, and each test says how many workers it needs."""
    pytest.importorskip("distributed")
    with ExitStack() as stack:
        yield Machines(tmp_path_factory.mktemp("machines"), stack)


@pytest.mark.slow
def test_workers_of_another_version_or_disk_are_refused(
    machines: Machines, tiny_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.have_workers(1)
    with monkeypatch.context() as patched:
        patched.setattr(module, "__version__", "9.9.0")
        with pytest.raises(ClusterError, match=r"has gaitkit .*; here it is 9\.9\.0\."):
            make_gei(tiny_tree, tmp_path / "a.h5", cluster=machines.address)
    look = SharedDisk(tmp_path / "gone", "x", Pieces(tmp_path))
    with pytest.raises(DatasetError, match=r"The worker on .*: it does not see .*gone"):
        list(map_on_cluster(len, ["a"], Cluster(machines.address), look=look))


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_only_its_unit(
    machines: Machines, tiny_tree: Path, tmp_path: Path
) -> None:
    machines.have_workers(2)
    normalize(tiny_tree, tmp_path / "one.h5")

    def kill_one(done: int, total: int) -> None:
        if 0 < done <= 16:
            machines.workers[0].kill()

    normalize(tiny_tree, tmp_path / "many.h5", cluster=machines.address, progress=kill_one)
    assert (tmp_path / "many.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()
    # The other one goes on with the next stage.
    gei_from = tmp_path / "one.h5"
    make_gei(gei_from, tmp_path / "a.h5")
    gei_from_silhouettes(gei_from, tmp_path / "b.h5", _gei_options(), cluster=machines.address)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def _gei_options() -> Any:
    from gaitkit.gei.options import GeiOptions

    return GeiOptions()


@pytest.mark.slow
def test_a_unit_that_kills_its_workers_is_named(machines: Machines) -> None:
    machines.have_workers(2)
    with pytest.raises(ClusterError, match=r"2 workers ended.* worked on 3\.\n.*memory"):
        list(map_on_cluster(os._exit, [3], Cluster(machines.address)))


@pytest.mark.slow
def test_a_lost_scheduler_and_ctrl_c_leave_work_to_go_on_with(
    machines: Machines, wide_tree: Path, tmp_path: Path
) -> None:
    # So many units that even a busy machine is not told of all at once.
    machines.have_workers(1)
    output = tmp_path / "many.h5"

    def stop(done: int, total: int) -> None:
        # Sequences are counted, sixteen of a unit.
        if 32 <= done < total:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(StoppedError, match=r"\d+ of 15 pieces are done.*\n.*it continues"):
        make_gei(wide_tree, output, cluster=machines.address, progress=stop)
    kept = len(list((tmp_path / "many.h5.parts").glob("*.npz")))
    assert 2 <= kept < 15

    def lose(done: int, total: int) -> None:
        if done > 16 * kept:
            machines.scheduler.kill()

    with pytest.raises(ClusterError, match=r"is gone.*\n.*it continues"):
        make_gei(wide_tree, output, cluster=machines.address, progress=lose)
    make_gei(wide_tree, output)
    make_gei(wide_tree, tmp_path / "one.h5")
    assert output.read_bytes() == (tmp_path / "one.h5").read_bytes()


@pytest.mark.slow
def test_nobody_at_the_address_is_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "_SECONDS_TO_CONNECT", 1.0)
    with pytest.raises(ClusterError, match=r"No Dask scheduler could be reached at tcp://127"):
        list(map_on_cluster(len, ["a"], Cluster("127.0.0.1:9")))


@pytest.mark.slow
def test_certificates_are_passed_on(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    try:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=gaitkit", "-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl")
    files = ("--tls-ca-file", str(certificate), "--tls-cert", str(certificate), "--tls-key")
    with ExitStack() as stack:
        machines = Machines(tmp_path, stack, *files, str(key), "--protocol", "tls")
        machines.have_workers(1)
        assert machines.address.startswith("tls://")
        trusted = Cluster(machines.address, (certificate, certificate, key))
        assert list(map_on_cluster(len, ["abc"], trusted)) == [("abc", 3)]


def test_errors_of_a_worker_name_it() -> None:
    def look() -> None:
        raise DatasetError("it does not see x.", hint="Share it.")

    order = module._Order(module._packed((len, look)), needs())
    found = order.look()
    assert isinstance(found, GaitkitError)
    assert str(found).startswith("The worker on ")
    assert found.hint == "Share it."
