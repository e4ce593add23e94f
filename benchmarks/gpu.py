r"""Everything of gaitkit that needs a GPU, in one command.

    python benchmarks/gpu.py --minutes 9 --out gpu-results
    python benchmarks/gpu.py --minutes 9 --out gpu-results --geis gei.h5 --only training
    python benchmarks/gpu.py --minutes 2 --out small --device cpu

Part by part, each in a process and a time box of its own, so that nothing that happens in one stops
the next: the device and its rates; the tests marked `cuda`; an iteration of every system at its
published size beside plain loops; the search among a million vectors; and with the time left a
training of GaitGAN, which the same command with the same --out goes on from.

It runs from a clone, without installation and without a network. It needs torch, numpy, scipy,
h5py, click, rich, pillow, matplotlib, scikit-image, scikit-learn, opencv-python (or
opencv-python-headless) and zlib-ng; for the tests also pytest and hypothesis, and pytest-xdist,
where it is there, makes them faster. What is missing can lie anywhere on PYTHONPATH.

The folder --out then holds `summary.txt`, `results.json`, and, written as they come,
`records.jsonl` and `log.txt`. The folder --work holds what is needed to go on: the GEIs and the
training's checkpoint (about 300 MiB at the published width). On a processor everything is made
small, and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from gpu_parts.clone import find_all, find_command_line

SYSTEMS = {
    "gaitgan": 2.4,
    "stargan": 1.6,
    "attgan": 1.0,
    "dgnet": 2.0,
    "deformable": 1.2,
    "gei-parts": 0.6,
    "gait-phases": 0.6,
    "gaitset": 1.0,
    "gaitbase": 1.4,
}
"""Each model, and its weight."""
PARTS: dict[str, tuple[float, float]] = {
    # Weight among what is left of the time, and the most seconds.
    "device": (0.7, 40),
    "tests": (2.2, 130),
    **{f"iterations/{name}": (weight, 46 * weight) for name, weight in SYSTEMS.items()},
    "search": (0.9, 70),
    "training": (3.0, 1e9),
}
MODULES = {"tests": "cuda_tests"}
GRACE = {"cuda": 20.0, "cpu": 120.0}
"""Seconds beyond its box after which a part is killed."""
LEAST = {"cuda": 0.0, "cpu": 4.0}
"""Seconds that a part has in any case, once it has begun: a processor may be busy otherwise."""


def main() -> int:
    """Run the parts, or, as a child, one of them."""
    options = parse()
    find_all()
    options.out.mkdir(parents=True, exist_ok=True)
    options.work = options.work or options.out / "work"
    options.work.mkdir(parents=True, exist_ok=True)
    if options.step is not None:
        return work(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.device == "auto":
        import torch

        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    return Conductor(options).run()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="in all  [default: 9]")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument(
        "--work", type=Path, help="folder of GEIs and checkpoints  [default: OUT/work]"
    )
    parser.add_argument("--geis", type=Path, help="a GEI artefact  [default: walkers made here]")
    parser.add_argument(
        "--silhouettes", type=Path, help="a silhouettes artefact, for systems that learn from them"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="PART",
        choices=["iterations", *PARTS],
        help=f"some of: {', '.join(PARTS)}; iterations is all of its kind",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def work(options: argparse.Namespace) -> int:
    """A child: one step."""
    import logging

    import torch
    from gpu_parts.task import Task

    find_command_line()
    part = options.step.partition("/")[0]
    module = importlib.import_module(f"gpu_parts.{MODULES.get(part, part)}")
    # A GPU's time is what is short; on a processor a part's begins when everything is imported.
    began = options.began if options.device == "cuda" else time.time()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    task = Task(
        step=options.step,
        out=options.out,
        work=options.work,
        geis=options.geis,
        silhouettes=options.silhouettes,
        device=options.device,
        until=began + options.seconds,
    )
    torch.manual_seed(0)
    try:
        module.run(task)
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(str(error).split())[:300]
        task.record("failure", f"FAILED: {type(error).__name__}: {reason}")
        return 1
    return 0


class Conductor:
    """Starts one child after the other and sums up.

    Parameters
    ----------
    options : Namespace
        The command's.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._began = time.time()
        self._end = self._began + 60 * options.minutes
        self._ended: dict[str, dict[str, Any]] = {}
        only = options.only or list(PARTS)
        self._steps = [step for step in PARTS if step in only or step.partition("/")[0] in only]

    def run(self) -> int:
        """All steps; 0 unless one of them failed."""
        from gpu_parts.summary import forget, write

        options, out = self._options, self._options.out
        walkers = None
        forget(out, [*self._steps, "walkers"])
        try:
            if "training" in self._steps:
                walkers = self._start("walkers", 120.0)
            for step in self._steps:
                # The walkers are made beside what does not need the processor.
                beside = options.device == "cuda" and step in ("device", "tests")
                if walkers is not None and not beside:
                    self._wait("walkers", walkers, 120.0)
                    walkers = None
                self._one(step)
                write(out, self._ended, self._told())
        finally:
            if walkers is not None:
                _kill(walkers)
            print(write(out, self._ended, self._told()))
        return int(any(ended["status"] != "done" for ended in self._ended.values()))

    def _told(self) -> str:
        options, taken = self._options, (time.time() - self._began) / 60
        return f"gpu.py, device {options.device}, {taken:.1f} of {options.minutes:g} minutes"

    def _one(self, step: str) -> None:
        device, left = self._options.device, self._end - time.time()
        weights = [PARTS[name][0] for name in self._steps[self._steps.index(step) :]]
        box = max(LEAST[device], min(PARTS[step][1], left * weights[0] / sum(weights)))
        if box < 5 and device == "cuda":
            self._ended[step] = {"status": "left out for want of time", "seconds": 0.0}
            return
        self._wait(step, self._start(step, box), box + GRACE[device])

    def _start(self, step: str, seconds: float) -> subprocess.Popen[bytes]:
        from gpu_parts.task import LOG

        options = self._options
        command = [sys.executable, str(Path(__file__).resolve()), "--step", step]
        command += ["--out", str(options.out), "--work", str(options.work)]
        command += ["--device", options.device]
        command += ["--began", repr(time.time()), "--seconds", repr(seconds)]
        for name in ("geis", "silhouettes"):
            if (path := vars(options)[name]) is not None:
                command += [f"--{name}", str(path)]
        print(f"{step} ...", flush=True)
        with (options.out / LOG).open("ab") as log:
            log.write(f"\n==== {step}\n".encode())
            log.flush()
            environment = os.environ | {"PYTHONUNBUFFERED": "1"}
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    def _wait(self, step: str, child: subprocess.Popen[bytes], most: float) -> None:
        began = time.time()
        try:
            code = child.wait(most)
            status = "done" if code == 0 else f"failed with {code}, see the log"
        except subprocess.TimeoutExpired:
            status = f"killed after {most:.0f} s"
        except BaseException:
            _kill(child)
            raise
        _kill(child)
        self._ended[step] = {"status": status, "seconds": round(time.time() - began, 1)}
        print(f"{step}: {status}, {time.time() - began:.0f} s", flush=True)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a step and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


if __name__ == "__main__":
    sys.exit(main())
