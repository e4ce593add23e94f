"""Device, precision, threads, memory: chosen by what the machine says of itself, and put back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gaitkit.errors import OptionError
from gaitkit.training import runtime
from gaitkit.training.runtime import Runtime

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize(("native", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bfloat16_where_the_processor_computes_it(
    native: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gaitkit.training.runtime.cpu_computes_bf16", lambda: native)
    assert Runtime.choose("cpu").precision == chosen
    assert Runtime.choose("cpu", "fp32").precision == "fp32"


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16\n\nflags\t: fpu\n", {"fpu", "avx512_bf16"}),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", {"fp", "asimd", "bf16"}),
        ("nothing of the kind\n", set()),
    ],
)
def test_linux_tells_the_features_of_a_processor(
    text: str, flags: set[str], tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert runtime._linux_flags(tmp_path / "cpuinfo") == flags
    assert runtime._linux_flags(tmp_path / "missing") == set()


def test_threads_are_no_more_than_the_cores_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitkit.training.runtime.available_cores", lambda: 1)
    assert Runtime.choose("cpu").threads == 1
    assert Runtime.choose("cpu", threads=3).threads == 3


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "tf32"}, "precision tf32 exists on NVIDIA GPUs since Ampere only"),
        ({"precision": "fp8"}, "precision must be one of auto, fp32, tf32, bf16, fp64, got 'fp8'"),
        ({"mode": "cuda-graph"}, "mode cuda-graph needs a CUDA device"),
        ({"mode": "fast"}, "mode must be one of auto, eager, cuda-graph, got 'fast'"),
        ({"threads": 0}, r"threads must be in \[1, 1024\], got 0"),
    ],
)
def test_what_a_processor_cannot_do_is_refused(asked: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Runtime.choose("cpu", **asked)


def test_everything_that_changes_the_computation_is_recorded() -> None:
    assert Runtime.choose("cpu", "fp32", 2).as_parameters() == {
        "device": "cpu",
        "precision": "fp32",
        "threads": 2,
        "mode": "eager",
        "processes": 1,
    }


def test_threads_are_set_and_put_back() -> None:
    before = torch.get_num_threads()
    with Runtime.choose("cpu", threads=before + 1).active(training=True):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("precision", "rounded"), [("fp32", False), ("fp64", False), ("tf32", True), ("bf16", True)]
)
def test_a_gpu_rounds_the_factors_for_tf32_and_beside_bf16(precision: str, rounded: bool) -> None:
    """The switches exist in every torch, so that they can be looked at without a GPU."""
    runtime = Runtime("cuda", precision)
    before = _rounds()
    with runtime.active(training=True):
        assert _rounds() == (rounded, rounded)
        assert torch.backends.cudnn.benchmark
        with runtime.active():
            assert _rounds() == (False, False)
            assert not torch.backends.cudnn.benchmark
        assert _rounds() == (rounded, rounded)
    assert _rounds() == before


def _rounds() -> tuple[bool, bool]:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(cudnn, "conv"):
        return matmul.fp32_precision == "tf32", cudnn.conv.fp32_precision == "tf32"
    return matmul.allow_tf32, cudnn.allow_tf32


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-5), ("tf32", 1e-2)])
def test_fp32_is_really_fp32_on_a_gpu(precision: str, error: float) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 64, 32, 32, generator=generator).double()
    kernel = torch.rand(64, 64, 4, 4, generator=generator).double()
    exact = torch.nn.functional.conv2d(image, kernel)
    with Runtime.choose("cuda", precision).active(training=True):
        found = torch.nn.functional.conv2d(image.float().to("cuda"), kernel.float().to("cuda"))
    difference = ((found.cpu().double() - exact).abs() / exact.abs()).max().item()
    assert difference < error
    assert precision == "fp32" or difference > 1e-6


COUNT_FAULTS = """
import resource, torch
from contextlib import nullcontext
from gaitkit.training.runtime import freed_memory_kept

def step():
    maps = [torch.ones(4, 1024, 1024) for _ in range(8)]  # 16 MiB each

def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 2**20

for keep in (nullcontext, freed_memory_kept):
    with keep():
        faults(2)
        print(faults(10), resident())
print(0, resident())
"""


@pytest.mark.skipif(
    runtime.platform.libc_ver()[0] != "glibc", reason="other allocators are left alone"
)
def test_a_step_gets_the_pages_of_the_step_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], capture_output=True, text=True, check=True
    )
    (fetched, _), (kept, within), (_, after) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert kept < fetched / 10
    assert after < within - 100  # MiB of the 128 of a step


@pytest.mark.skipif(
    runtime.platform.libc_ver()[0] != "glibc", reason="other allocators are left alone"
)
def test_memory_is_kept_until_the_last_one_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    class Libc:
        def mallopt(self, what: int, value: int) -> None:
            asked.append(("trim threshold" if what == -1 else "mmap threshold", value))

        def malloc_trim(self, pad: int) -> None:
            asked.append(("trim", pad))

    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: Libc())
    with runtime.freed_memory_kept():
        with runtime.freed_memory_kept():
            assert asked == [("mmap threshold", 2**25), ("trim threshold", -1)] * 2
        assert asked[4:] == []
    assert asked[4:] == [("mmap threshold", 2**25), ("trim threshold", 2**26), ("trim", 0)]


FAULTS_OF_ONE_BLOCK = """
import resource, sys, torch
from gaitkit.training.runtime import Runtime

def faults(mebibytes):
    counts = []
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(mebibytes, 2**20, dtype=torch.uint8)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(counts[1:])  # glibc tries several places before it finds the free one again

with Runtime(precision=sys.argv[1]).active():
    print(*map(faults, (15, 17, 31, 33)))
"""


@pytest.mark.skipif(
    runtime.platform.libc_ver()[0] != "glibc", reason="other allocators are left alone"
)
@pytest.mark.parametrize(("precision", "largest"), [("fp32", 32), ("bf16", 16)])
def test_of_bfloat16_blocks_of_half_the_size_are_kept(precision: str, largest: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS_OF_ONE_BLOCK, precision],
        capture_output=True,
        text=True,
        check=True,
    )
    fetched_again = [int(count) > 1000 for count in done.stdout.split()]
    assert fetched_again == [size > largest for size in (15, 17, 31, 33)]


def test_other_allocators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: pytest.fail("asked libc"))
    with runtime.freed_memory_kept():
        pass
