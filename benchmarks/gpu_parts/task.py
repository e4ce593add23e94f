"""What every part is given, and where it leaves what it has measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

RECORDS = "records.jsonl"
LOG = "log.txt"


@dataclass(frozen=True)
class Task:
    """One step of the benchmark: what it works on, and until when.

    Attributes
    ----------
    step : str
        Its name, ``part`` or ``part/which``.
    out : Path
        Folder of the results.
    work : Path
        Folder of what is made on the way: walkers, checkpoints.
    geis, silhouettes : Path or None
        Measured GEIs and silhouettes to train on, where they were given.
    device : {"cpu", "cuda"}
        Where to compute.
    until : float
        When it must be over, in `time.time`'s seconds.
    """

    step: str
    out: Path
    work: Path
    geis: Path | None
    silhouettes: Path | None
    device: str
    until: float

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU; without one everything is made small."""
        return self.device == "cuda"

    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.time()

    def record(self, what: str, text: str, **values: Any) -> None:
        """Keep a result at once, as text and as JSON: the step may be stopped at any time."""
        print(f"[{self.step}] {text}", flush=True)
        line = values | {"step": self.step, "what": what, "text": text}
        with (self.out / RECORDS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def seconds(self, function: Callable[[], object], count: int = 1) -> float:
        """Mean time of some calls; waits for the device before and after."""
        self.wait()
        start = time.perf_counter()
        for _ in range(count):
            function()
        self.wait()
        return (time.perf_counter() - start) / count

    def wait(self) -> None:
        """Wait for the device."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def timed(self, function: Callable[[], object], count: int = 20, rounds: int = 5) -> float:
        """Median seconds of one call, by the device's own clock on a GPU, after warming up."""
        for _ in range(3):
            function()
        if not self.on_gpu:
            return median(self.seconds(function, 1) for _ in range(3))
        found = []
        for _ in range(rounds):
            events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            events[0].record()
            for _ in range(count):
                function()
            events[1].record()
            events[1].synchronize()
            found.append(events[0].elapsed_time(events[1]) / 1e3 / count)
        return median(found)

    def matrix_peak(self, kind: str) -> float:
        """Operations per second of a large product of matrices of random numbers.

        `kind` is bf16, tf32 or fp32.
        """
        side = 8192 if self.on_gpu else 1024
        dtype = torch.bfloat16 if kind == "bf16" else torch.float32
        a, b = (torch.randn(side, side, device=self.device).to(dtype) for _ in range(2))
        count = 20 if kind != "fp32" else 3
        with float32_products("high" if kind == "tf32" else "highest"):
            return 2.0 * side**3 / self.timed(lambda: torch.mm(a, b), count)


class float32_products(AbstractContextManager[None]):  # noqa: N801
    """Whether products of float32 matrices may round their factors, for as long as it lasts."""

    def __init__(self, precision: str) -> None:
        self._precision = precision

    def __enter__(self) -> None:
        self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self._precision)

    def __exit__(self, *error: object) -> None:
        torch.set_float32_matmul_precision(self._before)
