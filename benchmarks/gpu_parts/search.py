"""Exact matching among a million vectors, on the device and on the processor."""

from __future__ import annotations

import resource

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.device_search import DeviceGallery
from gaitkit.identification.matching import Matches, Vectors, search
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
        needed = rows * columns * 4
        if needed > 0.4 * _memory():
            task.record("left out", f"{rows:,} vectors of {columns:,} do not fit here")
            continue
        if task.left() < 5 + needed / 2**30:
            task.record("left out", f"{rows:,} vectors of {columns:,}: no time left")
            continue
        million(task, rows, columns, peak)


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
    random = np.random.default_rng(1)
    probes = random.standard_normal((PROBES, columns), dtype=np.float32)
    work = 2.0 * PROBES * rows * columns
    found: dict[str, Matches] = {}
    taken: dict[str, float] = {}
    ways = {"cpu": (gallery, "cpu")}
    if task.on_gpu:
        # Where it lies decides: a gallery that is brought over for one search is waited for.
        ways = {
            "cuda, gallery there": (DeviceGallery(gallery), "cuda"),
            "cuda, gallery in host memory": (gallery, "cuda"),
            **ways,
        }
    for way, (vectors, device) in ways.items():
        if way == "cpu" and task.on_gpu and task.left() < 2.0e-13 * work + 5:
            task.record("left out", "  the processor: no time left")
            continue

        def one(vectors: Vectors = vectors, device: str = device, way: str = way) -> None:
            found[way] = search(vectors, None, probes, None, metric=EUCLIDEAN, device=device)

        # Some rows first: what is loaded and started at the first call is not the search's time.
        search(gallery[:9000], None, probes, None, metric=EUCLIDEAN, device=device)
        taken[way] = min(task.seconds(one) for _ in range(5 if device == "cuda" else 1))
        rate = work / taken[way]
        text = (
            f"{rows:,} vectors of {columns:,}, {PROBES:,} probes, {way}: "
            f"{taken[way]:.3f} s, {rate / 1e12:.2f} TFLOP/s"
        )
        values = {"rows": rows, "columns": columns, "device": way, "seconds": taken[way]}
        if way != next(iter(ways)):
            text += f" ({available_cores()} cores)" if device == "cpu" else ""
            task.record("search", text, flops=rate, **values)
            continue
        share = rate / peak
        verdict = ("met" if share >= BAR else "MISSED") if task.on_gpu else "for a GPU"
        text += f", {share:.1%} of the float32 peak; bar >= {BAR:.0%}: {verdict}"
        met = share >= BAR if task.on_gpu else None
        name = f"matching, {columns:,} values"
        task.record("bar", text, name=name, value=share, bar=BAR, met=met, flops=rate, **values)
    for way in list(found)[:-1]:
        last = found[list(found)[-1]]
        same = np.array_equal(found[way].nearest, last.nearest)
        same &= np.array_equal(found[way].distance, last.distance)
        ratio = taken[list(found)[-1]] / taken[way]
        text = f"  {way}: {ratio:.1f} x as fast as {list(found)[-1]}; decisions "
        text += "identical" if same else "DIFFERENT"
        task.record("same" if same else "failure", text, ratio=ratio, same=bool(same))
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    task.record("memory", f"  peak memory of the process {peak_memory:,.0f} MiB", mib=peak_memory)
