"""Kills and signals at random moments; the same command again has to end as if there were none."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterable

from reliability_parts.bench import (
    SECONDS_TO_END,
    Bench,
    Undisturbed,
    half_files,
    of_first,
    state_of,
    the_same_again,
)
from reliability_parts.commands import Command, contents
from reliability_parts.stages import Stage

_KEPT_LETTERS = 4000

# Signal, to the whole session, twice.
SIGNALS = (
    (signal.SIGTERM, False, False),
    (signal.SIGINT, True, False),
    (signal.SIGINT, True, True),
    (signal.SIGHUP, False, False),
)


def kills(bench: Bench, stages: Iterable[Stage]) -> None:
    """Kill each stage in turn: alone and with its session, by time and by file operation."""
    for stage in stages:
        for number in range(bench.tries):
            _kill(bench, stage, number)


def signals(bench: Bench, stages: Iterable[Stage]) -> None:
    """Stop each stage as users and systems do."""
    for stage in stages:
        for number in range(bench.tries):
            for which in range(len(SIGNALS)):
                _signal(bench, stage, number, which)


def _kill(bench: Bench, stage: Stage, number: int) -> None:
    good = bench.undisturbed(stage)
    rng = random.Random(f"{bench.seed} kill {stage.name} {number}")
    folder = bench.folder(stage)
    session, by_operation = number % 2 == 1, number % 4 >= 2
    whom = "session" if session else "main process"
    if by_operation:
        at = rng.randint(1, good.operations)
        when = f"before file operation {at} of {good.operations}"
        command = bench.start(stage, folder, kill_at=at, with_session=session)
        command.wait()
    else:
        command, when = _at_a_random_moment(bench, stage, good, rng)
        command.signal(signal.SIGKILL, whole_session=session)
    killed = time.monotonic()
    first = command.wait()
    found = contents(folder)
    broken = of_first(first)
    broken += [f"half under its final name: {name}" for name in half_files(folder, found, good)]
    # What is left of the killed one may still be running: that is part of the trial.
    broken += the_same_again(bench, stage, folder, good)
    if left := command.end_session(killed + SECONDS_TO_END - time.monotonic()):
        broken.append(f"{left} processes left")
    outcome = state_of(found, good, stage) if first.code else "too late"
    bench.record.add(
        "kills",
        stage.name,
        outcome,
        broken,
        number=number,
        killed=whom,
        when=when,
        code=first.code,
        said=first.err[-_KEPT_LETTERS:] if broken else "",
    )


def _signal(bench: Bench, stage: Stage, number: int, which: int) -> None:
    sent, session, twice = SIGNALS[which]
    good = bench.undisturbed(stage)
    rng = random.Random(f"{bench.seed} {sent.name} {twice} {stage.name} {number}")
    folder = bench.folder(stage)
    command, when = _at_a_random_moment(bench, stage, good, rng)
    command.signal(sent, whole_session=session)
    if twice:
        time.sleep(rng.uniform(0, 0.05))
        command.signal(sent, whole_session=session)
    stopped = time.monotonic()
    first = command.wait()
    found = contents(folder)
    broken = of_first(first)
    broken += [f"half under its final name: {name}" for name in half_files(folder, found, good)]
    broken += the_same_again(bench, stage, folder, good)
    if left := command.end_session(stopped + SECONDS_TO_END - time.monotonic()):
        broken.append(f"{left} processes left")
    bench.record.add(
        "signals",
        stage.name,
        state_of(found, good, stage) if first.code else "too late",
        broken,
        number=number,
        signal=sent.name + (" twice" if twice else ""),
        when=when,
        code=first.code,
        said=first.err[-_KEPT_LETTERS:] if broken else "",
    )


def _at_a_random_moment(
    bench: Bench, stage: Stage, good: Undisturbed, rng: random.Random
) -> tuple[Command, str]:
    """Start a stage and wait until a random share of its work is done."""
    # The main process of several waits most of the time.
    processor = stage.workers == 1
    seconds = rng.random() * (good.processor_seconds if processor else good.seconds)
    command = bench.start(stage, bench.work / stage.name)
    command.reach(seconds, processor=processor)
    return command, f"after {seconds:.3f} s {'of processor time' if processor else ''}".rstrip()
