"""The command for everything that needs a GPU, run small on the processor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.artifacts import write_artifact
from gaitkit.labels import Labels, SequenceKey

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COMMAND = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu"]


@pytest.fixture(scope="module")
def geis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn GEIs of eight people."""
    keys = [
        SequenceKey(f"{number:03d}", condition, take, view)
        for number in range(1, 9)
        for condition, take in (("nm", 1), ("nm", 2), ("cl", 1))
        for view in (0.0, 90.0)
    ]
    path = tmp_path_factory.mktemp("geis") / "gei.h5"
    shape = (len(keys), 32, 32)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images, "frames_used": np.arange(len(keys), dtype=np.int64)},
        labels=Labels.from_keys(keys),
        parameters={"silhouettes": {"height": 32, "width": 32}, "gei": {"min_frames": 5}},
        dataset="drawn",
    )
    return path


def run(out: Path, *options: object) -> tuple[int, str, dict[str, Any]]:
    """The exit code, what was printed, and the results."""
    command = [*COMMAND, "--out", str(out), *map(str, options)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout, json.loads((out / "results.json").read_text())


def records(results: dict[str, Any], step: str, what: str) -> list[dict[str, Any]]:
    return [item for item in results["steps"][step]["records"] if item["what"] == what]


@pytest.mark.slow
@pytest.mark.parametrize("system", ["gei-parts", "gait-phases", "gaitset", "gaitbase"])
def test_an_embedders_iteration_is_measured(system: str, tmp_path: Path) -> None:
    part = f"iterations/{system}"
    code, told, results = run(tmp_path, "--minutes", 0.3, "--only", part)
    assert code == 0, (told, (tmp_path / "log.txt").read_text())
    assert results["steps"][part]["status"] == "done"
    loops = {item["loop"]: item for item in records(results, part, "iteration")}
    assert loops.keys() == {"plain", "gaitkit, drawing", "gaitkit"}
    assert all(item["seconds"] > 0 and item["timed"] >= 1 for item in loops.values())
    assert not records(results, part, "failure")
    assert [item["met"] for item in records(results, part, "bar")] == [None]


@pytest.mark.slow
def test_every_part_measures_and_the_training_goes_on(geis: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    parts = ["device", "iterations/gaitgan", "search", "training"]
    code, told, results = run(out, "--minutes", 0.7, "--geis", geis, "--only", *parts)
    assert code == 0, (told, (out / "log.txt").read_text())
    assert {step: how["status"] for step, how in results["steps"].items()} == dict.fromkeys(
        [*parts, "walkers"], "done"
    )
    (rate,) = records(results, "device", "product")
    assert rate["flops"] > 1e8
    loops = {item["loop"]: item for item in records(results, "iterations/gaitgan", "iteration")}
    assert loops.keys() == {"plain", "plain, from disk", "gaitkit"}
    assert all(item["seconds"] > 0 and item["timed"] >= 1 for item in loops.values())
    (size,) = records(results, "iterations/gaitgan", "size")
    assert "SMALL: width 16, batch 4" in size["text"]
    # Nothing is met or missed on a processor.
    bars = [item for step in results["steps"] for item in records(results, step, "bar")]
    assert len(bars) == 7
    assert all(item["met"] is None for item in bars)
    (trained,) = [item for item in records(results, "training", "bar") if "done" in item]
    assert trained["done"] >= 1
    assert len(records(results, "training", "validation")) == trained["done"] // 10
    # The summary is the end of what is printed.
    summary = (out / "summary.txt").read_text()
    assert told.endswith(summary)
    assert len(summary.splitlines()) <= 80
    assert "for a GPU" in summary

    if trained["done"] < trained["of"]:
        code, told, results = run(out, "--minutes", 0.1, "--geis", geis, "--only", "training")
        assert code == 0, told
        (begun,) = records(results, "training", "begun")
        assert begun["iteration"] == trained["done"] + 1
        # What other parts have measured stays.
        assert records(results, "device", "product") == [rate]


@pytest.mark.slow
def test_a_part_that_fails_stops_no_other(tmp_path: Path) -> None:
    broken = tmp_path / "gei.h5"
    broken.write_bytes(b"no such thing")
    out = tmp_path / "out"
    code, told, results = run(
        out, "--minutes", 0.2, "--geis", broken, "--only", "training", "device"
    )
    assert code == 1
    assert results["steps"]["device"]["status"] == "done"
    assert results["steps"]["training"]["status"].startswith("failed")
    (failure,) = records(results, "training", "failure")
    assert "FAILED: " in failure["text"]
    assert failure["text"] in " ".join(told.split())


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the parts importable, as the command does."""
    for folder in ("casia_b", "speed", "."):
        monkeypatch.syspath_prepend(BENCHMARKS / folder)


@pytest.mark.usefixtures("parts")
def test_a_summary_is_one_page_and_survives_a_part_killed_as_it_writes(tmp_path: Path) -> None:
    from gpu_parts.summary import forget, read, write

    lines = [
        json.dumps({"step": "search", "what": "search", "text": f"line {number}"})
        for number in range(200)
    ]
    lines.append(json.dumps({"step": "device", "what": "bar", "text": "fast", "met": True}))
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + '\n{"step": "dev')
    text = write(tmp_path, {"tests": {"status": "killed after 9 s", "seconds": 9.0}}, "head")
    assert len(text.splitlines()) == 80
    assert "lines more in results.json" in text
    assert "tests killed after 9 s" in text
    assert "met     fast" in text
    assert len(json.loads((tmp_path / "results.json").read_text())["steps"]["search"]["records"])
    forget(tmp_path, ["search"])
    assert [record["step"] for record in read(tmp_path)] == ["device"]


@pytest.mark.usefixtures("parts")
def test_a_part_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    import gpu

    script = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    child = subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.DEVNULL
    )
    options = gpu.argparse.Namespace(only=["device"], minutes=1, out=tmp_path, device="cpu")
    conductor = gpu.Conductor(options)
    conductor._wait("device", child, 1.0)
    assert child.returncode is not None
    assert conductor._ended["device"]["status"] == "killed after 1 s"


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("system", ["gei-parts", "gait-phases", "gaitset", "gaitbase"])
def test_a_plain_loop_reads_the_batches_that_embedders_draw(system: str, tmp_path: Path) -> None:
    from gpu_parts.contenders import CONTENDERS, PLAIN
    from gpu_parts.task import Task

    task = Task("", tmp_path, tmp_path, None, None, "cpu", 0.0)
    contender = CONTENDERS[system]
    contender.loops(task, contender.size(task), tmp_path)[PLAIN]().step()


@pytest.mark.usefixtures("parts")
def test_operations_are_counted_through_every_gradient() -> None:
    import torch
    from gpu_parts.iterations import Flops
    from torch import nn
    from train_gaitgan import drawn_geis, flops_of_iteration

    from gaitkit.translators import GaitGAN, GaitGANConfig
    from gaitkit.translators.sampling import TripleSampler

    model = GaitGAN(GaitGANConfig(width=4), device="cpu", precision="fp32", threads=1)
    batch = TripleSampler(*drawn_geis()).draw(2)
    with Flops() as counted:
        model.train_step(batch)
    assert counted.total == flops_of_iteration(4, 2)

    layer, image = nn.Conv2d(3, 5, 3, bias=False), torch.zeros(2, 3, 8, 8, requires_grad=True)
    with Flops() as counted:
        (gradient,) = torch.autograd.grad(layer(image).sum(), image, create_graph=True)
        torch.autograd.grad(gradient.square().sum(), layer.weight)
    # Forward, the image's gradient, and that of the weights once more through it.
    assert counted.total >= 3 * 2 * layer.weight.numel() * 2 * 36
