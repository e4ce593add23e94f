r"""One training iteration of StarGAN, AttGAN, DG-Net and the deformable GAN beside plain loops.

    python benchmarks/speed/train_translators.py --out benchmarks/results/translators-speed-cpu.txt
    python benchmarks/speed/train_translators.py --device cuda --batch-size 64 --iterations 50 \
        --out benchmarks/results/translators-speed-gpu.txt

Networks and batches are those of `gaitkit train-gan`, training goes by the published losses. The
plain loops in `plain/` are what one writes first from the papers: float32, a forward pass for every
use, every loss read at every step. Each loop has a process of its own, whose memory is told (above
that of the imported libraries, at its peak; on a GPU the allocator's peak); they take turns in
every round, and the medians of times and ratios over the rounds are printed: of processor time with
one thread on a CPU, else of wall time. GaitGAN has its own script, `train_gaitgan.py`.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.capture import WARM_UP_STEPS, Steps
from gaitkit.training.history import History
from gaitkit.training.runtime import DEVICES, PRECISIONS
from gaitkit.translators import translator_class
from gaitkit.translators.sampling import TripleSampler

SYSTEMS = ("stargan", "attgan", "dgnet", "deformable")
KINDS = ("plain", "gaitkit")
LENGTH = 100_000
"""Of the training whose four fifths are thought done: every term has its full weight by then."""


def drawn_geis() -> tuple[NDArray[np.uint8], Labels]:
    """Smooth drawn images of as many people, views and conditions as CASIA-B's training half."""
    keys = [
        SequenceKey(f"{number:03d}", condition, take, float(view))
        for number in range(1, 63)
        for condition, take in (("nm", 1), ("nm", 2), ("bg", 1), ("cl", 1))
        for view in range(0, 181, 18)
    ]
    coarse = np.random.default_rng(0).integers(0, 256, (len(keys), 8, 8), dtype=np.uint8)
    images = np.stack([cv2.resize(image, (64, 64)) for image in coarse])
    return images, Labels.from_keys(keys)


def batch_size_of(system: str, options: argparse.Namespace) -> int:
    """The batch that was asked for, or the system's own."""
    own = translator_class(system).default_training["batch_size"]
    return int(options.batch_size or own)


def our_steps(system: str, options: argparse.Namespace) -> tuple[Callable[[], None], Any]:
    """Gaitkit's own iteration, and the translator."""
    images, labels = drawn_geis()
    found = translator_class(system)
    model = found(device=options.device, precision=options.precision, threads=options.threads)
    sampler = TripleSampler(
        images,
        labels,
        device=model.runtime.device,
        dtype=model.runtime.dtype,
        positives=found.wants_positive,
        need_targets=model.needs_targets(),
    )
    model.meet(sampler, LENGTH)
    model.steps_done = LENGTH * 4 // 5
    batch_size = batch_size_of(system, options)
    steps, history = Steps(model), History()

    def step() -> None:
        history.add(steps(sampler.draw(batch_size)))
        model.steps_done += 1

    return step, model


def work(pipe: Connection, system: str, kind: str, options: argparse.Namespace) -> None:
    """A process: build one loop, do as many iterations as are asked for, tell time and memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    torch.set_num_threads(options.threads)
    told = ""
    # Beside the number of threads, the plain loops take torch's defaults.
    active: AbstractContextManager[None] = nullcontext()
    if kind == "gaitkit":
        step, model = our_steps(system, options)
        active = model.runtime.active(training=True)
        device = model.runtime.device
        sizes = ", ".join(f"{k} {v / 1e6:.1f} M" for k, v in model.parameter_counts().items())
        told = f"{system}: {sizes}; {model.runtime.precision}, {model.runtime.mode}"
    else:
        model = translator_class(system)(device=options.device)
        device, config = model.runtime.device, model.config
        del model
        plain = importlib.import_module(f"plain.{system}")
        batch_size = batch_size_of(system, options)
        step = plain.plain_steps(config, *drawn_geis(), batch_size, device)
    on_gpu = device == "cuda"
    # On one core, what else the machine does must not count; several threads wait for each other.
    clock = time.process_time if options.threads == 1 and not on_gpu else time.perf_counter
    pipe.send(told)
    with active:
        while (count := pipe.recv()) > 0:
            began = clock()
            for _ in range(count):
                step()
            if on_gpu:
                torch.cuda.synchronize()
            taken = (clock() - began) / count
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            pipe.send((taken, torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak / 1024))


def measure(system: str, options: argparse.Namespace) -> list[str]:
    """Two lines for one system: times, ratio, memory; sizes."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for kind in KINDS:
        pipes[kind], there = context.Pipe()
        context.Process(target=work, args=(there, system, kind, options), daemon=True).start()
        # Only the process has its end then: where it fails, there is an error and no waiting.
        there.close()
    told = [pipe.recv() for pipe in pipes.values()][-1]
    timed: dict[str, list[float]] = {kind: [] for kind in KINDS}
    memory = {}
    for number in range(-1, options.rounds):
        for kind, pipe in pipes.items():
            # Every kind of step is warm before the first round.
            warm = options.iterations * (WARM_UP_STEPS + 2 if options.device == "cuda" else 1)
            pipe.send(warm if number < 0 else options.iterations)
            taken, memory[kind] = pipe.recv()
            if number >= 0:
                timed[kind].append(taken)
    for pipe in pipes.values():
        pipe.send(0)
    ratios = [a / b for a, b in zip(timed["plain"], timed["gaitkit"], strict=True)]
    batch_size = batch_size_of(system, options)
    line = f"{system:<10}{batch_size:>6}" + "".join(
        f"{median(timed[kind]):10.3f}" for kind in KINDS
    )
    line += f"{median(ratios):9.2f}x  ({min(ratios):.2f}-{max(ratios):.2f})"
    return [line + "".join(f"{memory[kind]:10.0f}" for kind in KINDS), told]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--batch-size", type=int, help="[default: each system's own]")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5, help="of a round; multiples of 5")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    lines = [
        f"{where}, torch {torch.__version__}, {options.threads} "
        f"thread(s); {options.rounds} rounds of {options.iterations} iterations in turn, medians",
        "",
        f"{'':<16}{'s/iteration':>20}{'':>24}{'memory, MiB':>20}",
        f"{'':<10}{'batch':>6}{'plain':>10}{'gaitkit':>10}{'plain / gaitkit':>20}"
        f"{'plain':>14}{'gaitkit':>10}",
    ]
    notes = []
    for system in options.only:
        line, told = measure(system, options)
        print(line, flush=True)
        lines.append(line)
        notes.append(told)
    text = "\n".join([*lines, "", *notes]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
