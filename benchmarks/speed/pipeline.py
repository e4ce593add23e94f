"""Speed and memory of the stages from frames to GEIs, beside decoding alone.

    python benchmarks/speed/pipeline.py [--subjects 8] [--rounds 5] [--tree FOLDER]

Timings on a shared machine are noisy: what is compared runs in turn inside one round, and the
medians over the rounds and of the ratios are printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from gaitkit._opencv import cv2
from gaitkit.datasets.layouts import open_source
from gaitkit.gei.options import GeiOptions
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.make_gei import gei_from_frames, gei_from_silhouettes
from gaitkit.stages.normalize import normalize
from gaitkit.walkers import WalkerOptions, write_tree


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def decode_only(paths: list[Path]) -> None:
    for path in paths:
        cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)


def make_gei(tree: Path, work: Path, *, workers: int, alignment: str = "person") -> None:
    gei_from_frames(
        open_source(tree),
        work / "gei.h5",
        SilhouetteOptions(alignment=alignment),
        GeiOptions(),
        workers=workers,
        overwrite=True,
    )


def both_stages(tree: Path, work: Path) -> None:
    silhouettes = work / "silhouettes.h5"
    normalize(open_source(tree), silhouettes, SilhouetteOptions(), overwrite=True)
    gei_from_silhouettes(silhouettes, work / "gei2.h5", GeiOptions(), overwrite=True)


def peak_mib(tree: Path, work: Path) -> float:
    """Peak resident memory of `gaitkit make-gei` with one worker, above that of the interpreter.

    From Linux's /proc: getrusage's figure is inherited from the parent process.
    """
    code = (
        "import re, sys\n"
        "def peak():\n"
        "    status = open('/proc/self/status').read()\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
        "before = peak()\n"
        "from gaitkit.cli.main import cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        "print(peak() - before)\n"
    )
    arguments = ["make-gei", str(tree), "-o", str(work / "m.h5"), "--workers", "1", "--overwrite"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments, "-q"], capture_output=True, text=True, check=True
    )
    return int(ran.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=8, help="people of the synthetic tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tree", type=Path, help="measure on this tree instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        rows: list[tuple[str, str, str]] = []
        tree = options.tree
        if tree is None:
            tree = work / "walkers"
            walkers = WalkerOptions(subjects=options.subjects)
            taken = seconds(lambda: write_tree(tree, walkers, workers=1))
            frames = sum(len(files) for _, _, files in os.walk(tree)) - 1
            rows.append(("synth, one process", f"{frames / taken:,.0f} frames/s", ""))
        paths = sorted(tree.rglob("*.png"))
        timed: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for name, function in {
                "decoding alone (OpenCV)": lambda: decode_only(paths),
                "make-gei, one process": lambda: make_gei(tree, work, workers=1),
                "make-gei --alignment opengait": lambda: make_gei(
                    tree, work, workers=1, alignment="opengait"
                ),
                "normalize + make-gei": lambda: both_stages(tree, work),
                "make-gei, two processes": lambda: make_gei(tree, work, workers=2),
            }.items():
                timed.setdefault(name, []).append(seconds(function))
        base = timed["decoding alone (OpenCV)"]
        for name, values in timed.items():
            ratio = median(value / other for value, other in zip(values, base, strict=True))
            each = f"{median(values) / len(paths) * 1e6:.0f} µs/frame"
            rows.append((name, each, f"{ratio:.2f} × decoding"))
        one, two = timed["make-gei, one process"], timed["make-gei, two processes"]
        speed_up = median(a / b for a, b in zip(one, two, strict=True))
        rows.append(("two processes against one", f"{speed_up:.2f} ×", ""))
        rows.append(
            ("memory of make-gei above the interpreter", f"{peak_mib(tree, work):.0f} MiB", "")
        )
    print(f"{len(paths):,} frames, {options.rounds} rounds, medians\n")
    for name, value, note in rows:
        print(f"{name:<42} {value:>18}  {note}".rstrip())


if __name__ == "__main__":
    main()
