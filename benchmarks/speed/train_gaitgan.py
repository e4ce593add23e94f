r"""One training iteration of GaitGAN beside a plain loop, in memory and reading from disk.

    python benchmarks/speed/train_gaitgan.py --batch-size 64 --threads 2 \
        --out benchmarks/results/train-speed-cpu.txt
    python benchmarks/speed/train_gaitgan.py --batch-size 128 --device cuda --rounds 7 \
        --iterations 100 --out benchmarks/results/train-speed-gpu.txt

Both train the same networks from the same loss formulas on drawn images. The plain loop is what one
writes first, and what the public implementation does: float32, a forward pass of the generator for
each network, one backward pass for each, every loss read at every step; once with its data on the
device, once reading three PNG files for each triple (from the system's cache, as in a second
epoch). Timings on a shared machine are noisy: the loops run in turn inside one round, and the
medians over the rounds, of times and of ratios, are printed.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.capture import WARM_UP_STEPS, Steps
from gaitkit.training.history import History
from gaitkit.training.runtime import DEVICES, PRECISIONS, Runtime, cpu_computes_bf16
from gaitkit.translators import GaitGAN, GaitGANConfig
from gaitkit.translators.sampling import TripleSampler

SUBJECTS = [f"{number:03d}" for number in range(1, 63)]
VIEWS = [float(view) for view in range(0, 181, 18)]
FULL_RUN = 24_000
Loop = Callable[[], None]


def drawn_geis() -> tuple[NDArray[np.uint8], Labels]:
    """Smooth drawn images of as many people and views as CASIA-B's training half."""
    keys = [SequenceKey(name, "nm", take, view)
            for name in SUBJECTS for take in (1, 2) for view in VIEWS]  # fmt: skip
    coarse = np.random.default_rng(0).integers(0, 256, (len(keys), 8, 8), dtype=np.uint8)
    images = np.stack([cv2.resize(image, (64, 64)) for image in coarse])
    return images, Labels.from_keys(keys)


def multiplications(network: nn.Module, channels: int) -> tuple[int, int]:
    """Multiplications of one image's forward pass: of all convolutions, and of the first one."""
    found: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        # Every weight is used once at each position of the smaller side of the layer.
        places = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        found.append(layer.weight.numel() * places.shape[2] * places.shape[3])

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [
        layer.register_forward_hook(count)
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    network(torch.empty(1, channels, 64, 64, device="meta"))
    for hook in hooks:
        hook.remove()
    return sum(found), found[0]


def flops_of_iteration(width: int, batch_size: int) -> float:
    """Floating-point operations that an iteration needs, two for each multiplication.

    With g, d, a multiplications in a forward pass of G, D, A, and g1, d1, a1 in their first layers:
    a backward pass costs as much again for the weights and as much again for the images, the first
    layer's images excepted where nobody asks for their gradient.

        G forward                          g
        D on t, u, f; forward and back     3 (3 d - d1)
        A likewise                         3 (3 a - a1)
        G's step through D and A           2 d + 2 a      (no gradient of their weights)
        G backward                         2 g - g1

    At width 96 that is 6.39e9 multiplications for each sample. Normalisations, activations and
    Adam are left out: less than one per cent.
    """
    with torch.device("meta"):
        networks = GaitGAN.build_networks(GaitGANConfig(width=width))
    (g, g1), (d, d1), (a, a1) = (
        multiplications(networks[name], channels)
        for name, channels in (("G", 1), ("D", 1), ("A", 2))
    )
    each = 3 * g - g1 + 3 * (3 * d - d1) + 3 * (3 * a - a1) + 2 * d + 2 * a
    return 2.0 * each * batch_size


class PlainLoop:
    """GaitGAN as one writes it first; `draw` gives source, target and unrelated images."""

    def __init__(
        self, width: int, device: str, draw: Callable[[], tuple[torch.Tensor, ...]]
    ) -> None:
        # torch's default arithmetic and memory layout.
        networks = GaitGAN.build_networks(GaitGANConfig(width=width, norm_momentum=0.1))
        self.G, self.D, self.A = (networks[name].to(device) for name in "GDA")
        self.adam = {
            name: torch.optim.Adam(networks[name].parameters(), rate)
            for name, rate in (("G", 1e-4), ("D", 6.67e-5), ("A", 6.67e-5))
        }
        self.bce = nn.BCEWithLogitsLoss()
        self.draw = draw
        self.seen: list[tuple[float, float, float]] = []

    def __call__(self) -> None:
        """One iteration."""
        x, t, u = self.draw()
        ones, zeros = torch.ones(len(x), device=x.device), torch.zeros(len(x), device=x.device)
        G, D, A, bce = self.G, self.D, self.A, self.bce
        self.adam["D"].zero_grad()
        loss_d = bce(D(t), ones) + bce(D(u), ones) + bce(D(G(x).detach()), zeros)
        loss_d.backward()
        self.adam["D"].step()
        self.adam["A"].zero_grad()
        pairs = [torch.cat((x, other), 1) for other in (t, u, G(x).detach())]
        loss_a = bce(A(pairs[0]), ones) + bce(A(pairs[1]), zeros) + bce(A(pairs[2]), zeros)
        loss_a.backward()
        self.adam["A"].step()
        self.adam["G"].zero_grad()
        f = G(x)
        loss_g = bce(D(f), ones) + bce(A(torch.cat((x, f), 1)), ones)
        loss_g.backward()
        self.adam["G"].step()
        self.seen.append((loss_d.item(), loss_a.item(), loss_g.item()))


def from_memory(sampler: TripleSampler, size: int) -> Callable[[], tuple[torch.Tensor, ...]]:
    def draw() -> tuple[torch.Tensor, ...]:
        batch = sampler.draw(size)
        return batch.source, batch.target, batch.unrelated

    return draw


def from_disk(
    folder: Path, images: NDArray[np.uint8], sampler: TripleSampler, size: int, device: str
) -> Callable[[], tuple[torch.Tensor, ...]]:
    """Read the three images of each triple from PNG files, one by one."""
    for row, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{row}.png")

    def read(rows: torch.Tensor) -> torch.Tensor:
        grey = []
        for row in rows.tolist():
            with Image.open(folder / f"{row}.png") as picture:
                grey.append(np.asarray(picture, dtype=np.float32))
        return (torch.from_numpy(np.stack(grey)) / 127.5 - 1.0).unsqueeze(1).to(device)

    def draw() -> tuple[torch.Tensor, ...]:
        batch = sampler.draw(size)
        return read(batch.rows), read(batch.target_rows), read(batch.unrelated_rows)

    return draw


def gaitkit_loop(model: GaitGAN, sampler: TripleSampler, size: int) -> Loop:
    steps, history = Steps(model), History()

    def step() -> None:
        history.add(steps(sampler.draw(size)))
        model.steps_done += 1

    return step


def seconds(step: Loop, count: int, device: str) -> float:
    """Mean time of some steps; waits for the device before and after."""
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    for _ in range(count):
        step()
    wait()
    return (time.perf_counter() - start) / count


def matrix_peak(runtime: Runtime) -> float:
    """Operations per second of a large product of matrices in the training's precision."""
    dtype = torch.bfloat16 if runtime.precision == "bf16" else runtime.dtype
    side, count = (8192, 20) if runtime.device == "cuda" else (3072, 1)
    a, b = (torch.randn(side, side, device=runtime.device).to(dtype) for _ in range(2))
    with runtime.active(training=True):
        taken = min(seconds(lambda: torch.mm(a, b), count, runtime.device) for _ in range(5))
    return 2.0 * side**3 / taken


def measure(options: argparse.Namespace, folder: Path) -> str:
    model = GaitGAN(
        GaitGANConfig(width=options.width),
        device=options.device,
        precision=options.precision,
        threads=options.threads,
    )
    runtime, size = model.runtime, options.batch_size
    images, labels = drawn_geis()

    def sampler() -> TripleSampler:
        return TripleSampler(images, labels, device=runtime.device, dtype=torch.float32)

    in_memory = PlainLoop(options.width, runtime.device, from_memory(sampler(), size))
    reading = from_disk(folder, images, sampler(), size, runtime.device)
    loops: dict[str, Loop] = {
        "plain loop, in memory": in_memory,
        "plain loop, reading PNG files": PlainLoop(options.width, runtime.device, reading),
        "gaitkit": gaitkit_loop(model, sampler(), size),
    }
    timed: dict[str, list[float]] = {name: [] for name in loops}
    peaks = []
    torch.set_num_threads(runtime.threads)
    for number in range(-1, options.rounds):
        for name, step in loops.items():
            # Beside the number of threads, the plain loops take torch's defaults.
            active = runtime.active(training=True) if name == "gaitkit" else nullcontext()
            count = max(options.iterations, WARM_UP_STEPS + 2) if number < 0 else options.iterations
            with active:
                # Not timed: it fetches the memory that the loop before it gave back.
                step()
                taken = seconds(step, count, runtime.device)
            if number >= 0:
                timed[name].append(taken)
        peaks.append(matrix_peak(runtime))
    return report(options, runtime_of(model), timed, median(peaks))


def runtime_of(model: GaitGAN) -> str:
    runtime = model.runtime
    if runtime.device == "cuda":
        return f"{torch.cuda.get_device_name()}, {runtime.precision}, {runtime.mode}"
    native = "with" if cpu_computes_bf16() else "without"
    return (
        f"{platform.machine()} {native} bfloat16, {runtime.threads} threads, {runtime.precision}, "
        f"{runtime.mode}"
    )


def report(
    options: argparse.Namespace, where: str, timed: dict[str, list[float]], peak: float
) -> str:
    flops = flops_of_iteration(options.width, options.batch_size)
    lines = [
        f"GaitGAN, width {options.width}, batch {options.batch_size}: {flops / 1e12:.3f} TFLOP an "
        f"iteration ({flops / 2e9 / options.batch_size:.2f} GMAC a sample)",
        f"torch {torch.__version__}, {where}",
        f"{options.rounds} rounds of {options.iterations} iterations in turn, medians",
        "",
        f"{'':<32}{'s/iteration':>13}{'TFLOP/s':>10}{'of peak':>9}{f'{FULL_RUN:,}':>11}",
    ]
    for name, values in timed.items():
        taken = median(values)
        speed = flops / taken
        whole = f"{taken * FULL_RUN / 60:,.1f} min" if taken < 0.5 else (
            f"{taken * FULL_RUN / 3600:,.1f} h"
        )  # fmt: skip
        lines.append(
            f"{name:<32}{taken:>13.4f}{speed / 1e12:>10.3f}{speed / peak:>9.1%}{whole:>11}"
        )
    lines.append(f"{'matrix product (the peak)':<45}{peak / 1e12:>10.3f}")
    lines.append("")
    ours = timed["gaitkit"]
    for name in list(timed)[:-1]:
        ratios = [value / own for value, own in zip(timed[name], ours, strict=True)]
        lines.append(
            f"gaitkit against {name}: {median(ratios):.2f} × ({min(ratios):.2f}-{max(ratios):.2f})"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=2, help="of each loop in a round")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="of gaitkit's")
    parser.add_argument("--threads", type=int, help="on the CPU, of all loops")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(options, Path(folder))
    print(table)
    if options.out is not None:
        options.out.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
