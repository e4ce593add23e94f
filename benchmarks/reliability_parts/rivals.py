"""Two commands on one output: one writes, the other is told so or finds the work done."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterable

from reliability_parts.bench import (
    SECONDS_TO_END,
    Bench,
    differences,
    half_files,
    of_first,
)
from reliability_parts.commands import Ended, contents
from reliability_parts.stages import Stage

_BUSY = "is being written by another command"


def two_writers(bench: Bench, stages: Iterable[Stage]) -> None:
    """Let each stage race against itself; every other time the first one is stopped meanwhile."""
    for stage in stages:
        for number in range(bench.tries):
            _race(bench, stage, number, stopped=number % 2 == 1)


def _race(bench: Bench, stage: Stage, number: int, *, stopped: bool) -> None:
    good = bench.undisturbed(stage)
    rng = random.Random(f"{bench.seed} race {stage.name} {number}")
    folder = bench.folder(stage)
    processor = stage.workers == 1
    seconds = rng.random() * (good.processor_seconds if processor else good.seconds)
    first = bench.start(stage, folder)
    first.reach(seconds, processor=processor)
    if stopped:
        first.signal(signal.SIGSTOP, whole_session=True)
    second = bench.start(stage, folder)
    of_second = second.wait()
    broken = []
    if stopped:
        found = contents(folder)
        broken += [f"half under its final name: {name}" for name in half_files(folder, found, good)]
        first.signal(signal.SIGCONT, whole_session=True)
    both = [first.wait(), of_second]
    for which, ended in zip(("first", "second"), both, strict=True):
        broken += [f"the {which}: {what}" for what in of_first(ended)]
        if _word(ended) == "failed":
            broken.append(f"the {which} exits with {ended.code}: {ended.last}")
    if all(ended.code for ended in both):
        broken.append("neither has done it")
    broken += differences(contents(folder), good)
    if left := first.end_session(SECONDS_TO_END) + second.end_session(SECONDS_TO_END):
        broken.append(f"{left} processes left")
    bench.record.add(
        "two-writers",
        stage.name,
        " and ".join(_word(ended) for ended in both),
        broken,
        number=number,
        stopped=stopped,
        when=f"after {seconds:.3f} s",
    )


def _word(ended: Ended) -> str:
    if ended.code == 0:
        return "done"
    return "told" if ended.code == 1 and _BUSY in ended.err else "failed"
