"""Two processes train as one that normalises the two halves of each batch separately."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import ended, run_here, start
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gaitkit.artifacts import open_artifact
from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.parallel import process_rank
from gaitkit.training.distributed import World, joined
from gaitkit.training.loop import Training
from gaitkit.translators import (
    GaitGAN,
    GaitGANConfig,
    GeiSet,
    translator_class,
    translator_names,
)
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.sampling import TripleSampler

CONFIG = GaitGANConfig(width=4, image_size=(32, 32))
OPTIONS = TranslatorOptions(iterations=4, batch_size=8, log_every=2, sample_every=100, seed=5)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")
needs_two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices")


def drawn_geis() -> GeiSet:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return GeiSet(images, Labels.from_keys(keys), "drawn")


def new_model(device: str = "cpu") -> GaitGAN:
    return GaitGAN(CONFIG, device=device, precision="fp64", threads=1, seed=5, mode="eager")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def take_part(rank: int, port: int, device: str, folder: Path) -> None:
    """One of two processes; writes the state that it ends with."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with joined(device) as world:
        model = new_model(device)
        model.join(world)
        training = Training(model, drawn_geis(), OPTIONS)
        training.run()
        arrays = {name: values for name, values in training.arrays().items() if "names" not in name}
        np.savez(folder / f"{rank}.npz", **arrays)


def take_part_in_all(rank: int, port: int, device: str, folder: Path) -> None:
    """The same for every system, in paired mode and with averages: all networks that there are."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with joined(device) as world:
        for system in translator_names():
            config_class = translator_class(system).config_class
            settings = config_class.of_data(drawn_geis(), OPTIONS) | config_class.paired_settings()
            small = {"width": 2, "identity_width": 2, "pair_width": 2, "ema_decay": 0.5}
            known = vars(config_class())
            settings |= {name: value for name, value in small.items() if name in known}
            model = translator_class(system)(
                config_class.from_parameters(settings), device=device, threads=1, mode="eager"
            )
            model.join(world)
            Training(model, drawn_geis(), OPTIONS).run()
            np.savez(folder / f"{system}-{rank}.npz", **model.state_arrays())


def train_in_two_processes(
    folder: Path,
    device: str = "cpu",
    part: Callable[[int, int, str, Path], None] = take_part,
) -> None:
    port = free_port()
    processes = [start(part, rank, port, device, folder) for rank in (0, 1)]
    assert [ended(process) for process in processes] == [0, 0]


def ends(folder: Path, prefix: str = "") -> list[dict[str, Any]]:
    """What each process ended with."""
    return [dict(np.load(folder / f"{prefix}{rank}.npz")) for rank in (0, 1)]


def train_the_halves_in_one_process() -> list[dict[str, nn.Module]]:
    """The networks of each half: equal weights, running statistics of that half."""
    sampler = TripleSampler(drawn_geis().images, drawn_geis().labels, seed=5, dtype=torch.float64)
    halves = [new_model().networks for _ in range(2)]
    rates = {"G": CONFIG.learning_rate_g, "D": CONFIG.learning_rate_d, "A": CONFIG.learning_rate_a}
    adam = [
        {name: torch.optim.Adam(half[name].parameters(), rates[name]) for name in rates}
        for half in halves
    ]

    def step(name: str, losses: list[torch.Tensor]) -> None:
        gradients = [
            torch.autograd.grad(loss, list(half[name].parameters()), retain_graph=True)
            for loss, half in zip(losses, halves, strict=True)
        ]
        for half, stepper in zip(halves, adam, strict=True):
            for weight, one, other in zip(half[name].parameters(), *gradients, strict=True):
                weight.grad = (one + other) / 2
            stepper[name].step()

    def bce(scores: torch.Tensor, label: float) -> torch.Tensor:
        return binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))

    def pair(source: torch.Tensor, candidate: torch.Tensor) -> torch.Tensor:
        return torch.cat([source, candidate], dim=1)

    for _ in range(OPTIONS.iterations):
        batch = sampler.draw(8)
        parts = [slice(0, 4), slice(4, 8)]
        x, t, u = (
            [images[part] for part in parts]
            for images in (batch.source, batch.target, batch.unrelated)
        )
        f = [half["G"](x[i]) for i, half in enumerate(halves)]
        critic = []
        for i, half in enumerate(halves):
            D = half["D"]
            critic.append(bce(D(t[i]), 1) + bce(D(u[i]), 1) + bce(D(f[i].detach()), 0))
        step("D", critic)
        critic = []
        for i, half in enumerate(halves):
            A = half["A"]
            real = bce(A(pair(x[i], t[i])), 1) + bce(A(pair(x[i], u[i])), 0)
            critic.append(real + bce(A(pair(x[i], f[i].detach())), 0))
        step("A", critic)
        fool = [
            bce(half["D"](f[i]), 1) + bce(half["A"](pair(x[i], f[i])), 1)
            for i, half in enumerate(halves)
        ]
        step("G", fool)
    return halves


@pytest.mark.slow
def test_two_processes_equal_one_that_normalises_the_halves_separately(tmp_path: Path) -> None:
    """All weights and running statistics, in float64, to 1e-10 after four iterations."""
    train_in_two_processes(tmp_path)
    both = ends(tmp_path)
    for name, values in both[0].items():
        np.testing.assert_array_equal(both[1][name], values, err_msg=name)
    halves = train_the_halves_in_one_process()
    start = new_model().state_arrays()
    for network in ("G", "D", "A"):
        states = [half[network].state_dict() for half in halves]
        for key, value in states[0].items():
            if "tracked" in key:
                continue
            name = f"weights/{network}/{key}"
            expected = ((value + states[1][key]) / 2).numpy()
            np.testing.assert_allclose(both[0][name], expected, rtol=0, atol=1e-10, err_msg=name)
            assert not np.array_equal(both[0][name], start[name])


@pytest.mark.slow
def test_two_processes_keep_every_system_the_same(tmp_path: Path) -> None:
    """All weights, running statistics, averages and optimiser states: nobody goes its own way."""
    train_in_two_processes(tmp_path, part=take_part_in_all)
    for system in translator_names():
        one, other = ends(tmp_path, f"{system}-")
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(other[name], values, err_msg=f"{system} {name}")
            assert np.isfinite(values).all(), f"{system} {name}"


@pytest.mark.slow
@pytest.mark.cuda
@needs_two_gpus
def test_two_gpus_equal_one_that_sees_the_whole_batch(tmp_path: Path) -> None:
    """SyncBatchNorm normalises the whole batch."""
    train_in_two_processes(tmp_path, "cuda")
    both = ends(tmp_path)
    alone = new_model("cuda").fit(drawn_geis(), **vars(OPTIONS))
    for name, expected in alone.state_arrays().items():
        if name.startswith("weights/") and "tracked" not in name:
            np.testing.assert_allclose(both[0][name], expected, rtol=0, atol=1e-8, err_msg=name)


def test_alone_without_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as world:
        assert world == World(0, 1)
        assert world.is_main
        assert (world.any(True), world.any(False), world.from_main(0.5)) == (True, False, 0.5)
    model = new_model()
    before = model.runtime
    model.join(world)
    assert model.runtime == before


def test_an_incomplete_launch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(OptionError, match="RANK must be a whole number, got ''"), joined("cpu"):
        pass


def test_each_process_takes_its_part_of_the_batch() -> None:
    batch = TripleSampler(drawn_geis().images, drawn_geis().labels).draw(6)
    parts = [World(rank, 3).share_of(batch) for rank in range(3)]
    assert torch.equal(torch.cat([part.source for part in parts]), batch.source)
    assert torch.equal(torch.cat([part.target_rows for part in parts]), batch.target_rows)
    assert [len(part.rows) for part in parts] == [2, 2, 2]


@pytest.mark.parametrize("processes", [3, 8])
def test_a_batch_that_cannot_be_divided_is_refused(processes: int) -> None:
    """Parts of one image have no spread over the batch."""
    model = new_model()
    model.join(World(0, processes))
    assert model.runtime.as_parameters()["processes"] == processes
    message = f"batch_size 8 cannot be divided among {processes} processes"
    with pytest.raises(OptionError, match=message):
        Training(model, drawn_geis(), OPTIONS)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [({}, 0), ({"RANK": "1", "WORLD_SIZE": "2"}, 1), ({"RANK": "1", "WORLD_SIZE": "1"}, 0)],
)
def test_the_rank_is_known_without_torch(
    environment: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == rank


def torchrun(geis: Path, output: Path, *options: object) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher += ["--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    command = ["-m", "gaitkit", *train_gan(geis, output, *options)]
    return [*launcher, *command]


def train_gan(geis: Path, output: Path, *options: object) -> list[str]:
    small = ["--width", 2, "--batch-size", 4, "--threads", 1, "--precision", "fp32"]
    command = ["train-gan", geis, "-o", output, "--protocol", "halves", "--device", "cpu"]
    return [str(item) for item in [*command, *small, *options]]


def launched(arguments: list[str], rank: int, count: int, port: int, said: Path) -> None:
    """What torchrun starts, without torchrun: it takes seconds to begin."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    run_here(arguments, said)


def run_launched(arguments: list[str], folder: Path, count: int = 2) -> tuple[list[int], str]:
    """The exit codes of all processes, and what the first said."""
    port, said = free_port(), [folder / f"said-{rank}.txt" for rank in range(count)]
    processes = [start(launched, arguments, rank, count, port, said[rank]) for rank in range(count)]
    return [ended(process) for process in processes], said[0].read_text(encoding="utf-8")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture
def geis(write_geis: Callable[..., Path]) -> Path:
    return write_geis(size=(32, 32))


@pytest.mark.slow
def test_train_gan_under_torchrun(geis: Path, tmp_path: Path) -> None:
    ran = run(torchrun(geis, tmp_path / "two.h5", "--iterations", 6, "--json"))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["iterations"] == 6
    with open_artifact(tmp_path / "two.h5", "translator") as artifact:
        assert artifact.parameters["runtime"]["processes"] == 2
        assert int(np.asarray(artifact.read("step"))) == 6
        assert np.isfinite(artifact.read("weights/G/encoder.conv1.weight")).all()
    assert not (tmp_path / "two.h5.parts").exists()


@linux
@pytest.mark.slow
def test_killed_under_torchrun_it_goes_on_bit_for_bit(geis: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    options, often = ("--iterations", 24), ("--checkpoint-every", 1)
    assert run_launched(train_gan(geis, whole, *options), tmp_path)[0] == [0, 0]
    checkpoint = tmp_path / "killed.h5.parts" / "checkpoint.h5"
    running = subprocess.Popen(
        torchrun(geis, killed, *options, *often),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(checkpoint)
    for process in [*_children(running.pid), running.pid]:
        os.kill(process, signal.SIGKILL)
    running.wait()
    assert checkpoint.exists()
    assert not killed.exists()
    (alone,), said = run_launched(train_gan(geis, killed, *options), tmp_path, count=1)
    assert alone != 0
    assert re.search(r"runtime\.processes was 2, now it is 1", said)
    assert run_launched(train_gan(geis, killed, *options), tmp_path)[0] == [0, 0]
    assert killed.read_bytes() == whole.read_bytes()


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.slow
def test_a_stop_ends_all_processes_with_a_checkpoint(geis: Path, tmp_path: Path) -> None:
    output = tmp_path / "stopped.h5"
    command = torchrun(geis, output, "--iterations", 100_000, "--checkpoint-every", 2)
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    checkpoint = tmp_path / "stopped.h5.parts" / "checkpoint.h5"
    wait_for(checkpoint)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=120)
    assert "Error: Stopped after" in said
    assert said.count("Stopped after") == 1
    assert "(process 1)" not in said
    with open_artifact(checkpoint, "checkpoint") as artifact:
        assert int(np.asarray(artifact.read("step"))) > 0


@pytest.mark.slow
def test_an_error_in_one_process_ends_all_with_its_message(geis: Path, tmp_path: Path) -> None:
    ran = run(torchrun(geis, tmp_path / "odd.h5", "--iterations", 6, "--batch-size", 5))
    assert ran.returncode != 0
    assert "Error: batch_size 5 cannot be divided among 2 processes" in ran.stderr
    assert not (tmp_path / "odd.h5").exists()


@linux
@pytest.mark.slow
def test_the_death_of_one_process_ends_the_others(geis: Path, tmp_path: Path) -> None:
    command = torchrun(geis, tmp_path / "lost.h5", "--iterations", 100_000, "--checkpoint-every", 2)
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    checkpoint = tmp_path / "lost.h5.parts" / "checkpoint.h5"
    wait_for(checkpoint)
    os.kill(max(_children(running.pid)), signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert running.returncode != 0
    assert "Another process of this training has ended or cannot be reached" in said
    with open_artifact(checkpoint, "checkpoint") as artifact:
        assert int(np.asarray(artifact.read("step"))) > 0
