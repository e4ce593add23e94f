"""Exact matching among a million vectors, on the device and on the processor.

The bar is for a gallery that lies on the device: bringing one there takes longer than searching it
once, however fast the device is.
"""

from __future__ import annotations

import resource
import time
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.identification.device_search import DeviceGallery
from gaitkit.identification.matching import Matches, search
from gaitkit.identification.metrics import get_metric
from gaitkit.parallel import available_cores
from gpu_parts.task import Task

BAR = 0.5
PROBES = 1_000
EUCLIDEAN = get_metric("euclidean")


def run(task: Task) -> None:
    """Search with 1,000 probes among vectors of 256 and of 4,096 values."""
    sizes = [(1_000_000, 256), (1_000_000, 4096)] if task.on_gpu else [(20_000, 256), (2_000, 4096)]
    peak = task.matrix_peak("fp32")
    task.record("peak", f"products in float32: {peak / 1e12:.2f} TFLOP/s", flops=peak)
    for rows, columns in sizes:
        # On the host, and on the device.
        needed = rows * columns * 4
        room = 0.4 * _memory()
        if task.on_gpu:
            room = min(room, 0.7 * torch.cuda.mem_get_info()[0])
        if needed > room:
            task.record("left out", f"{rows:,} vectors of {columns:,} do not fit here")
        elif task.on_gpu and task.left() < 5 + needed / 2**30:
            task.record("left out", f"{rows:,} vectors of {columns:,}: no time left")
        else:
            million(task, rows, columns, peak)
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    task.record("memory", f"peak memory of the process {peak_memory:,.0f} MiB", mib=peak_memory)


def _memory() -> float:
    """Bytes of this machine's memory that are free or easily freed."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable"):
                return float(line.split()[1]) * 1024
    return 0.0


def gallery_of(rows: int, columns: int) -> NDArray[np.float32]:
    """A few thousand random vectors, scaled again and again."""
    random = np.random.default_rng(0)
    few = random.standard_normal((min(rows, 8192), columns), dtype=np.float32)
    whole = np.empty((rows, columns), dtype=np.float32)
    for start in range(0, rows, len(few)):
        part = whole[start : start + len(few)]
        np.multiply(few[: len(part)], np.float32(1.0 + 1e-3 * (start // len(few))), out=part)
    return whole


def million(task: Task, rows: int, columns: int, peak: float) -> None:
    """One size: time, rate, and whether the device changes the decisions."""
    gallery = gallery_of(rows, columns)
    probes = np.random.default_rng(1).standard_normal((PROBES, columns), dtype=np.float32)
    one = _One(task, f"{rows:,} vectors of {columns:,}", probes, peak)
    if not task.on_gpu:
        one.search("the processor", gallery, "cpu", 1, bar=True)
        return
    on_device = one.search("GPU, gallery on the host", gallery, "cuda", 2)
    began = time.perf_counter()
    enrolled = DeviceGallery(gallery)
    task.wait()
    taken = time.perf_counter() - began
    task.record("enrolled", f"{one.what}: brought to the GPU in {taken:.2f} s", seconds=taken)
    on_device = one.search("GPU, gallery lying there", enrolled, "cuda", 5, bar=True)
    del enrolled
    # About as fast as what this machine's processor multiplies, and once more for the rest.
    wanted = 3.0 * 2.0 * PROBES * rows * columns / _host_rate()
    if task.left() < wanted:
        task.record("left out", f"{one.what}, the processor: no time left ({wanted:.0f} s)")
        return
    here = one.search(f"the processor, {available_cores()} cores", gallery, "cpu", 1)
    same = all(
        np.array_equal(there, expected)
        for there, expected in (
            (on_device.nearest, here.nearest),
            (on_device.distance, here.distance),
        )
    )
    text = f"{one.what}: decisions of GPU and processor {'identical' if same else 'DIFFERENT'}"
    task.record("same" if same else "failure", text, same=same)


def _host_rate() -> float:
    """Operations per second of a product of matrices on the processor."""
    a = np.random.default_rng(0).standard_normal((1000, 4096), dtype=np.float32)
    a @ a.T
    began = time.perf_counter()
    a @ a.T
    return 2.0 * 1000 * 1000 * 4096 / (time.perf_counter() - began)


class _One:
    """The searches in one gallery.

    Parameters
    ----------
    task : Task
        Where results go.
    what : str
        The gallery, in words.
    probes : ndarray of float32, shape (p, d)
        Searched.
    peak : float
        Operations per second of products in float32 on the device.
    """

    def __init__(self, task: Task, what: str, probes: NDArray[np.float32], peak: float) -> None:
        self.what = what
        self._task, self._probes, self._peak = task, probes, peak

    def search(
        self, where: str, gallery: Any, device: str, count: int, *, bar: bool = False
    ) -> Matches:
        """Search some times; the median time and the rate are recorded."""
        found: list[Matches] = []

        def once() -> None:
            found[:] = [search(gallery, None, self._probes, None, metric=EUCLIDEAN, device=device)]

        if device == "cuda":
            # What is loaded and started at the first call is not the search's time.
            once()
        task = self._task
        seconds = [task.seconds(once)]
        while len(seconds) < count and task.left() > 10 + 2 * seconds[0]:
            seconds.append(task.seconds(once))
        taken = median(seconds)
        rate = 2.0 * len(self._probes) * gallery.shape[0] * gallery.shape[1] / taken
        text = f"{self.what}, {where}: {taken:.4f} s, {rate / 1e12:.2f} TFLOP/s"
        values = {"where": where, "rounds": seconds, "seconds": taken, "flops": rate}
        if not bar:
            task.record("search", text, **values)
            return found[0]
        share = rate / self._peak
        met = share >= BAR if task.on_gpu else None
        verdict = {True: "met", False: "MISSED", None: "for a GPU"}[met]
        text += f", {share:.1%} of the float32 peak; bar >= {BAR:.0%}: {verdict}"
        name = f"matching, {self.what}"
        task.record("bar", text, name=name, value=share, bar=BAR, met=met, **values)
        return found[0]
