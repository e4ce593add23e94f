"""Freed memory stays with a training, and goes back to the system at its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gaitkit.training import allocator

COUNT_FAULTS = """
import resource, torch
from contextlib import nullcontext
from gaitkit.training.allocator import freed_memory_kept

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
    allocator.platform.libc_ver()[0] != "glibc", reason="other allocators are left alone"
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


def test_other_allocators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: pytest.fail("asked libc"))
    with allocator.freed_memory_kept():
        pass
