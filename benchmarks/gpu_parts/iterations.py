"""One training iteration of a system, by several loops in turn."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gpu_parts.contenders import CONTENDERS, EAGER, RECORDED, Contender, Loop
from gpu_parts.task import Task

WANTED = 500
ROUNDS = 5
CYCLE = 5
"""Some systems update their generator every fifth time only: counts are multiples of it."""
WARM_UP = 5 * CYCLE
"""Every kind of step is done as often as it takes to be recorded."""
ACTIVITIES = (torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA)


def run(task: Task) -> None:
    """Build the loops, warm them up, and time them in turn."""
    name = task.step.partition("/")[2]
    contender = CONTENDERS[name]
    size = contender.size(task)
    precision = "bf16" if task.on_gpu else "fp32"
    peak = task.matrix_peak(precision)
    task.record("size", f"{name}: {size.told}; peak {peak / 1e12:.2f} TFLOP/s ({precision})")
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    told = f"the plain loop: float32, TF32 in convolutions {tf32[0]}, in products {tf32[1]}"
    task.record("plain", told, tf32_convolutions=tf32[0], tf32_products=tf32[1])
    with tempfile.TemporaryDirectory() as folder:
        loops: dict[str, Loop] = {}
        once: dict[str, float] = {}
        memory: dict[str, float] = {}
        for what, build in contender.loops(task, size, Path(folder)).items():
            found = warmed_up(task, what, build)
            if found is not None:
                loops[what], once[what], memory[what] = found
        unrecorded = loops.get(EAGER if task.on_gpu else RECORDED)
        if unrecorded is None:
            return
        flops = count_flops(task, unrecorded)
        timed = in_turn(task, loops, once)
        report(task, name, contender, timed, memory, flops, peak)
        finite(task, loops)
        if task.on_gpu:
            profile(task, name, unrecorded)


def warmed_up(task: Task, what: str, build: Callable[[], Loop]) -> tuple[Loop, float, float] | None:
    """Build a loop and do its first iterations; the seconds of one, and its peak of memory."""
    gc.collect()
    if task.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    values: dict[str, float] = {}
    try:
        loop = build()
        count = WARM_UP if task.on_gpu else 1
        with loop.active():
            values["warm_up_seconds"] = task.seconds(loop.step, count) * count
            once = task.seconds(loop.step, CYCLE if task.on_gpu else 1)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        task.record("failure", f"{what}: {type(error).__name__}: {reason}", loop=what)
        return None
    text = f"{what}: {1e3 * once:.2f} ms at first"
    if task.on_gpu:
        values["memory_mib"] = (torch.cuda.max_memory_allocated() - before[0]) / 2**20
        values["reserved_mib"] = (torch.cuda.max_memory_reserved() - before[1]) / 2**20
        text += f", peak memory {values['memory_mib']:,.0f} MiB"
    mode = loop.model.runtime.mode if loop.model is not None else "plain"
    precision = loop.model.runtime.precision if loop.model is not None else "fp32"
    task.record("loop", text, loop=what, mode=mode, precision=precision, **values)
    if what == RECORDED and task.on_gpu and mode != "cuda-graph":
        text = f"{what}: the step could NOT BE RECORDED, the log says why"
        task.record("failure", text, loop=what)
    return loop, once, values.get("memory_mib", 0.0)


class Flops(TorchDispatchMode):
    """Counts by torch's own formulas, also where gradients are asked for by `autograd.grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def count_flops(task: Task, loop: Loop) -> float:
    """Floating-point operations of one iteration of ours, two for each multiplication."""
    count = CYCLE if task.on_gpu else 1
    with loop.active(), Flops() as counter:
        for _ in range(count):
            loop.step()
    flops = counter.total / count
    task.record("flops", f"{flops / 1e12:.4f} TFLOP an iteration", flops=flops)
    return flops


def in_turn(
    task: Task, loops: dict[str, Loop], once: dict[str, float]
) -> dict[str, list[tuple[float, int]]]:
    """Seconds of an iteration and how many were timed, by loop and round."""
    timed: dict[str, list[tuple[float, int]]] = {what: [] for what in loops}
    each = sum(once[what] for what in loops)
    # What comes after takes a little, on a GPU.
    room = max(0.0, task.left() - 6.0 * task.on_gpu) / (1.15 * each)
    count = int(min(WANTED, room) / ROUNDS / CYCLE) * CYCLE
    rounds = ROUNDS
    if count == 0:
        # Not even a cycle in each round.
        count, rounds = (CYCLE if room >= CYCLE else 1), max(1, int(room / CYCLE))
    for number in range(rounds):
        order = list(loops)
        if number % 2:
            order.reverse()
        for what in order:
            loop = loops[what]
            with loop.active():
                # Not timed: it fetches the memory that the loop before it gave back.
                loop.step()
                taken = task.seconds(loop.step, count)
            timed[what].append((taken, count))
        if task.left() < 1.2 * each * count:
            break
    return timed


def report(
    task: Task,
    name: str,
    contender: Contender,
    timed: dict[str, list[tuple[float, int]]],
    memory: dict[str, float],
    flops: float,
    peak: float,
) -> None:
    """The table of one system."""
    for what, rounds in timed.items():
        seconds = [taken for taken, _ in rounds]
        taken, count = median(seconds), sum(number for _, number in rounds)
        spread = max(seconds) / min(seconds) - 1
        rate = flops / taken
        text = (
            f"{name:<11}{what:<22}{1e3 * taken:10.2f} ms {rate / 1e12:9.3f} TFLOP/s "
            f"{rate / peak:7.1%} of peak, {count} timed, spread {spread:.0%}"
        )
        if task.on_gpu:
            text += f", {memory[what]:,.0f} MiB"
        task.record(
            "iteration",
            text,
            system=name,
            loop=what,
            seconds=taken,
            rounds=seconds,
            timed=count,
            flops=rate,
            share=rate / peak,
            memory_mib=memory[what] if task.on_gpu else None,
        )
    if RECORDED not in timed:
        return
    ours = [taken for taken, _ in timed[RECORDED]]
    for what, rounds in timed.items():
        if what == RECORDED:
            continue
        ratios = [taken / own for (taken, _), own in zip(rounds, ours)]
        ratio = median(ratios)
        text = f"{name}: {ratio:.2f} x {what} ({min(ratios):.2f}-{max(ratios):.2f})"
        _with_bar(task, text, contender.bars.get(what), ratio, f"{name} against {what}", "x")
    if contender.full_run is not None:
        iterations, most = contender.full_run
        minutes = median(ours) * iterations / 60
        text = f"{name}: {iterations:,} iterations in {minutes:.1f} min, by this rate"
        _with_bar(task, text, most, minutes, f"{name}, {iterations:,} iterations", "min", low=True)
    if contender.peak_share is not None:
        share = flops / median(ours) / peak
        text = f"{name}: {share:.1%} of the peak"
        _with_bar(task, text, contender.peak_share, share, f"{name}, share of the peak", "")


def _with_bar(
    task: Task, text: str, bar: float | None, value: float, name: str, unit: str, low: bool = False
) -> None:
    if bar is None:
        task.record("ratio", text, name=name, value=value)
        return
    met = value <= bar if low else value >= bar
    told = f"{bar:.0%}" if not unit else f"{bar:g} {unit}"
    verdict = ("met" if met else "MISSED") if task.on_gpu else "for a GPU"
    text += f"; bar {'<=' if low else '>='} {told}: {verdict}"
    task.record("bar", text, name=name, value=value, bar=bar, met=met if task.on_gpu else None)


def finite(task: Task, loops: dict[str, Loop]) -> None:
    """Whether the weights are still numbers after all this."""
    for what, loop in loops.items():
        if loop.model is None:
            continue
        good = all(
            bool(weight.isfinite().all())
            for network in loop.model.networks.values()
            for weight in network.parameters()
        )
        if not good:
            task.record("failure", f"{what}: weights are not finite any more", loop=what)


def profile(task: Task, name: str, loop: Loop) -> None:
    """Which kernels the device's time of an iteration goes into."""
    if task.left() < 4:
        return
    try:
        with loop.active(), torch.profiler.profile(activities=list(ACTIVITIES)) as seen:
            for _ in range(CYCLE):
                loop.step()
            task.wait()
        kernels = [
            (event.self_device_time_total / CYCLE, event.count / CYCLE, event.key)
            for event in seen.key_averages()
            if event.device_type == torch.autograd.DeviceType.CUDA
        ]
    except Exception as error:
        task.record("profile", f"{name}: no profile: {type(error).__name__}: {error}")
        return
    kernels.sort(reverse=True)
    total = sum(taken for taken, _, _ in kernels)
    count = sum(number for _, number, _ in kernels)
    text = f"{name}: {count:.0f} kernels of {total / 1e3:.2f} ms in an iteration"
    most = [
        {"ms": round(taken / 1e3, 4), "count": number, "kernel": key[:160]}
        for taken, number, key in kernels[:40]
    ]
    task.record("profile", text, milliseconds=total / 1e3, kernels=count, most=most)
