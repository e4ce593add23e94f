"""A whole training with checkpoints, which the same command goes on from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gaitkit.artifacts import open_artifact
from gaitkit.errors import StoppedError
from gaitkit.protocols import default_protocol, split_subjects
from gaitkit.training.callbacks import Callbacks
from gaitkit.translators import train
from gaitkit.translators.options import TranslatorOptions
from gpu_parts.task import Task
from gpu_parts.walkers import geis_of

ITERATIONS = 24_000
MOST_MINUTES = 6.0
ENDING = 12.0
"""Seconds that are kept for the last checkpoint."""


def run(task: Task) -> None:
    """Train GaitGAN until it is done or the time is over."""
    geis, output = geis_of(task), task.work / "gaitgan.h5"
    if output.exists():
        task.record("training", f"{output} is there already: trained to the end", done=ITERATIONS)
        return
    with open_artifact(geis, "gei") as artifact:
        labels = artifact.labels
    people = split_subjects(default_protocol(labels), labels).train
    # Two must be left to learn from.
    held_out = min(12, max(2, len(people) // 4), len(people) - 2)
    if task.on_gpu:
        config: dict[str, Any] = {}
        size = {"iterations": ITERATIONS, "batch_size": 128}
    else:
        config = {"width": 8}
        size = {"iterations": 400, "batch_size": 8, "validate_every": 10, "log_every": 10}
    watch = _Watch(task)
    began = time.perf_counter()
    ended = "trained to the end"
    try:
        train(
            geis,
            output,
            subjects=people,
            config=config,
            options=TranslatorOptions(validation_subjects=held_out if held_out > 1 else 0, **size),
            device=task.device,
            callbacks=watch.callbacks(),
        )
    except StoppedError as stopped:
        ended = f"stopped for want of time: {stopped}"
    seconds = time.perf_counter() - began
    watch.tell(seconds, ended, output, size["iterations"])


class _Watch:
    """Counts steps, and asks for an end when the time is over."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._ending = min(ENDING, 0.2 * task.left())
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)

    def callbacks(self) -> Callbacks:
        """For the training."""
        return Callbacks(
            on_step=self._step,
            on_progress=self._progress,
            on_validation=self._validated,
            checkpoint_every=4_000,
            stop_requested=self._over,
        )

    def _over(self) -> bool:
        # A step at least: whoever gives the command again and again comes to the end.
        return self._first is not None and self._task.left() < self._ending

    def _step(self, step: int, total: int) -> None:
        if self._first is None:
            self._first = (step, time.perf_counter())
            self._task.record("begun", f"at iteration {step:,} of {total:,}", iteration=step)
        self._last = (step, time.perf_counter())

    def _progress(self, step: int, total: int, values: dict[str, float]) -> None:
        if step % 2_000 == 0:
            told = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
            self._task.record("progress", f"{step:,}: {told}", iteration=step, values=values)

    def _validated(self, step: int, score: float, rates: dict[str, float]) -> None:
        told = " / ".join(f"{rate:.1f}" for rate in rates.values())
        text = (
            f"score, iteration {step:,}: held-out people {score:.1f} % ({told}: {'/'.join(rates)})"
        )
        self._task.record("validation", text, iteration=step, score=score, rates=rates)

    def tell(self, seconds: float, ended: str, output: Path, total: int) -> None:
        """How far it came, how fast, and how large its files are."""
        task = self._task
        if self._first is None:
            task.record("training", ended)
            return
        (first, began), (last, end) = self._first, self._last
        task.wait()
        rate = (last - first) / max(1e-9, end - began)
        minutes = total / rate / 60 if rate else float("inf")
        text = (
            f"{last:,} of {total:,} iterations, {ended}; {rate:.1f} iterations/s with validation "
            f"and checkpoints, so {total:,} take {minutes:.1f} min"
        )
        met = minutes <= MOST_MINUTES if task.on_gpu else None
        verdict = {True: "met", False: "MISSED", None: "for a GPU"}[met]
        values = {"done": last, "of": total, "rate": rate, "seconds": seconds}
        name = f"GaitGAN, {total:,} iterations, the stage train-gan"
        text += f"; bar <= {MOST_MINUTES:g} min: {verdict}"
        task.record("bar", text, name=name, value=minutes, bar=MOST_MINUTES, met=met, **values)
        files = [output, *output.with_name(output.name + ".parts").glob("*.h5")]
        sizes = {path.name: path.stat().st_size for path in files if path.exists()}
        told = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in sizes.items())
        task.record("files", f"in {output.parent}: {told}", files=sizes)
