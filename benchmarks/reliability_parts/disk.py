"""A disk that becomes full in the middle: a message, no half file, and then the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reliability_parts.bench import (
    Bench,
    Undisturbed,
    half_files,
    of_first,
    the_same_again,
)
from reliability_parts.commands import Ended, contents
from reliability_parts.stages import Stage

_ROOMY = 512 << 20


def full_disk(bench: Bench, stages: Iterable[Stage]) -> None:
    """Try each stage with a limit on a file's size, and on a small disk where one can be had."""
    disks = _can_mount(bench.work / "disk")
    if not disks:
        bench.record.note("full-disk", "Small disks left out: they need Linux, and root's rights.")
    for stage in stages:
        for number in range(bench.tries):
            if disks and number % 2 == 0:
                _on_a_small_disk(bench, stage, number)
            else:
                _with_small_files(bench, stage, number)


def _with_small_files(bench: Bench, stage: Stage, number: int) -> None:
    good = bench.undisturbed(stage)
    rng = random.Random(f"{bench.seed} file size {stage.name} {number}")
    most = rng.randrange(min(1024, good.largest // 2), good.largest)
    folder = bench.folder(stage)
    ended = bench.start(stage, folder, file_bytes=most).wait()
    _judge(bench, stage, folder, good, ended, number=number, file_bytes=most)


def _on_a_small_disk(bench: Bench, stage: Stage, number: int) -> None:
    good = bench.undisturbed(stage)
    rng = random.Random(f"{bench.seed} disk {stage.name} {number}")
    room = int(rng.uniform(0, 1.5) * good.total)
    with small_disk(bench.work / "disk") as folder:
        for name in stage.brought:
            (folder / name).write_bytes((bench.inputs / name).read_bytes())
        found = os.statvfs(folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        resize(folder, used + max(4096, room))
        ended = bench.start(stage, folder).wait()
        resize(folder, _ROOMY)
        _judge(bench, stage, folder, good, ended, number=number, room=room)


def _judge(
    bench: Bench, stage: Stage, folder: Path, good: Undisturbed, ended: Ended, **case: int
) -> None:
    broken = of_first(ended)
    if ended.code not in (0, 1) or (ended.code == 1 and not ended.err.strip()):
        broken.append(f"exits with {ended.code}: {ended.last}")
    found = contents(folder)
    broken += [f"half under its final name: {name}" for name in half_files(folder, found, good)]
    broken += the_same_again(bench, stage, folder, good)
    outcome = "had room" if ended.code == 0 else "told"
    said = ended.err[-4000:] if broken else ""
    bench.record.add("full-disk", stage.name, outcome, broken, **case, said=said)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own in memory, at a folder; only root on Linux may."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def resize(folder: Path, most_bytes: int) -> None:
    """Give such a disk another size."""
    _mount("-o", f"remount,size={most_bytes}", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _can_mount(folder: Path) -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        with small_disk(folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
