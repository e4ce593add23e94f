r"""One training iteration of each embedder beside a plain loop, and how fast sets are embedded.

    python benchmarks/speed/train_embeddings.py --out benchmarks/results/embedders-speed-cpu.txt

The embedders are those of `gaitkit train-embedding`, at the size of their recipe for a processor
where there is one, else at their own. The plain loops in `plain/embedders.py` are what one writes
first from the papers: float32, PyTorch's layers as they come, the loss read at every step. Both
loops see the same batches, drawn before and in memory (those of gaitkit as its sampler gives them).
Each has a process of its own, whose memory is told (above that of the imported libraries and of the
batches, at its peak; on a GPU the allocator's peak); they take turns in every round, and the
medians of times and ratios over the rounds are printed.

Then `gaitkit embed` is timed, on as many drawn frames as are asked for, from an artefact on the
disk, beside the same convolutions on one batch of frames in memory, as often as it takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from plain.embedders import arrays_of, plain_steps

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.embedders import GeiSet, SilhouetteSet, embedder_class
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.embedders.sets import FRAME_BATCH
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.capture import WARM_UP_STEPS, Steps
from gaitkit.training.history import History
from gaitkit.training.runtime import DEVICES, PRECISIONS

SYSTEMS = ("gei-parts", "gaitset", "gaitbase")
KINDS = ("plain", "gaitkit")
BATCHES = 4
PREPROCESSING = {"silhouettes": {"alignment": "drawn"}}


def drawn_walks(people: int, frames: int) -> tuple[np.ndarray, Labels, np.ndarray]:
    """Random bodies, 64×64: frames of sequences one after the other, labels, lengths."""
    keys = [
        SequenceKey(f"{number:03d}", "nm", take, float(view))
        for number in range(people)
        for take in (1, 2)
        for view in (0, 54, 90, 144)
    ]
    random = np.random.default_rng(0)
    lengths = random.integers(max(1, frames * 3 // 4), frames + 1, len(keys))
    images = np.zeros((int(lengths.sum()), 64, 64), dtype=np.uint8)
    for image, width in zip(images, random.integers(6, 16, len(images)), strict=True):
        image[4:60, 32 - width : 32 + width] = 255
    return images, Labels.from_keys(keys), lengths


def settings_of(system: str, options: argparse.Namespace) -> tuple[dict[str, Any], EmbedderOptions]:
    """The config and the training of the recipe for a processor, or the embedder's own."""
    kind = embedder_class(system)
    recipe = None if options.full else EMBEDDER_RECIPES.get(f"{system}-small")
    config = {} if recipe is None else dict(recipe.config)
    training = {**kind.default_training, **({} if recipe is None else recipe.training)}
    if options.batch:
        people, each = options.batch
        training |= {"people": people, "batch_size": people * each}
    if options.frames:
        training["frames"] = options.frames
    return config, EmbedderOptions.from_parameters(training)


def built(system: str, options: argparse.Namespace) -> tuple[Any, Any]:
    """The embedder, and the sampler of its batches."""
    config, training = settings_of(system, options)
    images, labels, lengths = drawn_walks(max(12, training.people), options.drawn_frames)
    starts = np.cumsum(lengths) - lengths
    data: GeiSet | SilhouetteSet
    if embedder_class(system).reads == "gei":
        data = GeiSet(images[starts], labels, "drawn")
    else:
        sequences = np.split(images, starts[1:])
        data = SilhouetteSet.from_arrays(
            sequences, labels.subject.tolist(), views=labels.view.tolist(), dataset="drawn"
        )
    config_class = embedder_class(system).config_class
    model = embedder_class(system)(
        config_class.from_parameters({**config, **config_class.of_data(data, training)}),
        device=options.device,
        precision=options.precision,
        threads=options.threads,
    )
    sampler = model.sampler_for(data, data, training)
    model.meet(sampler, training.iterations)
    model.steps_done = training.iterations // 2
    return model, sampler


def work(pipe: Connection, system: str, kind: str, options: argparse.Namespace) -> None:
    """A process: build one loop, do as many iterations as are asked for, tell time and memory."""
    torch.set_num_threads(options.threads)
    model, sampler = built(system, options)
    size = sampler.people * sampler.each
    batches = [sampler.draw(size) for _ in range(BATCHES)]
    device = model.runtime.device
    sizes = ", ".join(f"{k} {v / 1e6:.2f} M" for k, v in model.parameter_counts().items())
    told = f"{system}: {sizes}; {model.runtime.precision}, {model.runtime.mode}"
    active: AbstractContextManager[None] = nullcontext()
    if kind == "gaitkit":
        active = model.runtime.active(training=True)
        steps, history = Steps(model), History()

        def step() -> None:
            history.add(steps(batches[model.steps_done % BATCHES]))
            model.steps_done += 1
    else:
        same = [arrays_of(one) for one in batches]
        config = model.config
        del batches, model, sampler
        step = plain_steps(system, config, same, device)
    on_gpu = device == "cuda"
    # What importing and drawing took does not count, nor is it below what follows.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.process_time if options.threads == 1 and not on_gpu else time.perf_counter
    pipe.send((told, size))
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


def measure(system: str, options: argparse.Namespace) -> tuple[str, str]:
    """A line for one embedder: times, ratio, memory; and a note on its size."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for kind in KINDS:
        pipes[kind], there = context.Pipe()
        context.Process(target=work, args=(there, system, kind, options), daemon=True).start()
        # Only the process has its end then: where it fails, there is an error and no waiting.
        there.close()
    told, size = [pipe.recv() for pipe in pipes.values()][-1]
    timed: dict[str, list[float]] = {kind: [] for kind in KINDS}
    memory = {}
    for number in range(-1, options.rounds):
        for kind, pipe in pipes.items():
            warm = options.iterations * (WARM_UP_STEPS + 2 if options.device == "cuda" else 1)
            pipe.send(warm if number < 0 else options.iterations)
            taken, memory[kind] = pipe.recv()
            if number >= 0:
                timed[kind].append(taken)
    for pipe in pipes.values():
        pipe.send(0)
    ratios = [a / b for a, b in zip(timed["plain"], timed["gaitkit"], strict=True)]
    line = f"{system:<10}{size:>6}" + "".join(f"{median(timed[kind]):10.3f}" for kind in KINDS)
    line += f"{median(ratios):9.2f}x  ({min(ratios):.2f}-{max(ratios):.2f})"
    return line + "".join(f"{memory[kind]:10.0f}" for kind in KINDS), told


def embedding_rate(system: str, options: argparse.Namespace) -> str:
    """How many images a second are embedded from an artefact, and by the convolutions alone."""
    model, _ = built(system, options)
    gei = model.reads == "gei"
    wanted = options.embed
    each = options.drawn_frames
    images, labels, lengths = drawn_walks(max(1, wanted // (8 if gei else 7 * each)), each)
    starts = np.cumsum(lengths) - lengths
    arrays = {"gei": images[starts]}
    if not gei:
        arrays = {"frames": images, "start": starts, "length": lengths}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input.h5"
        write_artifact(
            path,
            kind=model.reads,
            arrays=arrays,
            parameters=PREPROCESSING,
            dataset="drawn",
            labels=labels,
            dropped=[],
        )
        count = len(labels) if gei else len(images)
        batch = torch.from_numpy(images[:FRAME_BATCH]).clone()
        times = count // len(batch)

        def alone() -> None:
            for _ in model.batches_through(
                model.network.maps, (batch for _ in range(times)), len(batch)
            ):
                pass

        def whole() -> None:
            with open_artifact(path) as artifact:
                for rows in model.pieces_of(artifact):
                    model.embed_rows(artifact, rows)

        rates: dict[str, list[float]] = {"alone": [], "whole": []}
        ways: dict[str, tuple[Callable[[], None], int]] = {
            "alone": (alone, times * len(batch)),
            "whole": (whole, count),
        }
        for _ in range(options.rounds):
            for name, (way, done) in ways.items():
                began = time.perf_counter()
                way()
                rates[name].append(done / (time.perf_counter() - began))
    shares = [a / b for a, b in zip(rates["whole"], rates["alone"], strict=True)]
    return (
        f"{system:<10}{count:>10,} images{median(rates['whole']):>10,.0f}/s{'':4}convolutions "
        f"alone {median(rates['alone']):,.0f}/s{'':4}{100 * median(shares):.0f} %"
    )


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--full", action="store_true", help="the published sizes and batches")
    parser.add_argument("--batch", nargs=2, type=int, metavar=("PEOPLE", "EACH"))
    parser.add_argument("--frames", type=int, help="drawn of each sequence")
    parser.add_argument("--drawn-frames", type=int, default=80, help="of a sequence, at most")
    parser.add_argument("--embed", type=int, default=30_000, help="images to embed; 0: none")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5, help="of a round")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    lines = [
        f"{where}, torch {torch.__version__}, {options.threads} thread(s); {options.rounds} rounds "
        f"of {options.iterations} iterations in turn, medians",
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
    lines += ["", *notes, ""]
    if options.embed:
        lines += [embedding_rate(system, options) for system in options.only]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
