"""Segmentation of drawn videos against the true masks, and its memory on long ones.

python benchmarks/segmentation.py recognition FOLDER --people 30
python benchmarks/segmentation.py memory FOLDER --minutes 1 10 --rate 10

Scenes are those of the tests (`tests/filmed_walkers.py`): walkers in a textured room, with noise,
light that changes, shadows, and the compression of an mp4 file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit import gait_energy_image
from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact
from gaitkit.identification import identify_vectors
from gaitkit.identification.figures.bootstrap import draw_people, interval
from gaitkit.stages.make_gei import make_gei
from gaitkit.walkers import WalkerOptions, render_sequence

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from filmed_walkers import filmed, wall, written

WALKS = (("nm", 1), ("nm", 2), ("nm", 3), ("bg", 1), ("cl", 1))
"""The first two are enrolled, the others are searched."""


def recognition(folder: Path, people: int, seed: int) -> None:
    """Rank-1 and the GEIs of segmented videos beside those of true masks."""
    walkers = WalkerOptions(
        subjects=people, frames=60, noise=0, seed=seed, takes={"nm": 3, "bg": 1, "cl": 1}
    )
    true: dict[tuple[int, str, int], NDArray[np.uint8]] = {}
    made: dict[tuple[int, str, int], NDArray[np.uint8]] = {}
    lost = 0
    for person in range(people):
        for place, (condition, take) in enumerate(WALKS):
            masks = render_sequence(walkers, person, condition, take, 90.0)
            scene = 100 * person + place
            rng = np.random.default_rng(scene)
            pictures = filmed(
                [masks],
                noise=float(rng.uniform(2, 5)),
                light=float(rng.uniform(-0.15, 0.15)),
                shadow=float(rng.uniform(0.6, 0.9)),
                seed=scene,
            )
            video = written(folder / f"{person:03d}-{condition}-{take}.mp4", pictures)
            key = (person, condition, take)
            true[key] = gait_energy_image(masks)
            out = video.with_suffix(".h5")
            make_gei(video, out, overwrite=True)
            with open_artifact(out, "gei") as artifact:
                lost += len(artifact.labels) != 1
                made[key] = artifact.read("gei")[0]
            video.unlink()
            out.unlink()
    apart = [float(np.abs(true[key].astype(float) - made[key]).mean()) for key in true]
    print(f"{len(true)} videos of {people} walkers, 60 frames of 320x240, side view, seed {seed}")
    print(f"videos that are not one pass: {lost}")
    print(
        f"GEI against that of the true masks: {np.mean(apart):.2f} greys, at most {max(apart):.2f}"
    )
    print("rank-1, two nm walks enrolled      true masks   segmented   segmented among true masks")
    for condition, take in WALKS[2:]:
        told = [
            _found(gallery, probes, people, (condition, take))
            for gallery, probes in ((true, true), (made, made), (true, made))
        ]
        rates = "".join(f"{100 * one.mean():10.1f} %" for one in told)
        print(f"  {condition}-{take:02d}" + " " * 24 + rates)
        print(f"    segmented beside true masks: {_apart(*told[:2])}")


def _found(
    gallery: dict[tuple[int, str, int], NDArray[np.uint8]],
    probes: dict[tuple[int, str, int], NDArray[np.uint8]],
    people: int,
    walk: tuple[str, int],
) -> NDArray[np.float64]:
    """1 for each person whose walk is given their name, 0 for the others."""
    rows = [(person, *enrolled) for person in range(people) for enrolled in WALKS[:2]]
    known = np.stack([gallery[row].astype(np.float64) for row in rows])
    searched = np.stack([probes[person, *walk].astype(np.float64) for person in range(people)])
    found = identify_vectors(searched, known, [str(person) for person, *_ in rows], threads=1)
    names = [str(person) for person in range(people)]
    return (np.array(found.names) == names).astype(np.float64)


def _apart(true: NDArray[np.float64], made: NDArray[np.float64]) -> str:
    """What is lost and won, and the difference with its interval, paired over people."""
    change = made - true
    drawn = draw_people(len(change)) @ change / len(change)
    told = interval(100 * change.mean(), 100 * drawn, len(change))
    return (
        f"{(change < 0).sum()} lost, {(change > 0).sum()} won, "
        f"{told.estimate:+.1f} points [{told.low:+.1f}, {told.high:+.1f}]"
    )


def memory(folder: Path, minutes: list[float], rate: float) -> None:
    """Peak memory of segment on long videos of 1080p, its decoders included."""
    for length in minutes:
        video = folder / f"long-{length:g}.mp4"
        frames = _write_long(video, round(60 * rate * length), rate)
        out = video.with_suffix(".h5")
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "gaitkit", "segment", str(video), "-o", str(out), "-q"]
        started = time.monotonic()
        peaks = _peaks(subprocess.Popen(command))
        with open_artifact(out, "masks") as artifact:
            passes = len(artifact.labels)
        told = " + ".join(f"{peak:.0f}" for peak in sorted(peaks, reverse=True))
        print(
            f"{length:g} min of 1920x1080 at {rate:g} frames a second, {frames:,} frames: "
            f"{passes} passes, peak {sum(peaks):.0f} MiB ({told}), "
            f"{frames / (time.monotonic() - started):.0f} frames a second"
        )


def _peaks(running: subprocess.Popen[bytes]) -> list[float]:
    """Largest resident memory of a process and of each of its children, MiB; Linux only."""
    peaks: dict[int, float] = {}
    while running.poll() is None:
        for number in [running.pid, *_children(running.pid)]:
            try:
                told = Path(f"/proc/{number}/status").read_text(encoding="ascii")
            except OSError:
                continue
            for line in told.splitlines():
                if line.startswith("VmHWM:"):
                    peaks[number] = int(line.split()[1]) / 1024
        time.sleep(0.2)
    assert running.returncode == 0
    return list(peaks.values())


def _children(number: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{number}/task").iterdir())
        told = [(one / "children").read_text(encoding="ascii").split() for one in threads]
    except OSError:
        return []
    return [int(child) for some in told for child in some]


def _write_long(path: Path, frames: int, rate: float) -> int:
    """Somebody who walks to and fro, leaves, and comes back some seconds later."""
    # What walks is drawn small and enlarged: how it looks is no matter here.
    options = WalkerOptions(subjects=2, frames=60, noise=0, takes={"nm": 1}, views=(90.0, 270.0))
    ways = [
        list(filmed([render_sequence(options, person, "nm", 1, view)]))
        for person, view in ((0, 90.0), (1, 270.0))
    ]
    empty = np.clip(wall(), 0, 255).astype(np.uint8)
    cycle = [*ways[0], *[empty] * 30, *ways[1], *[empty] * 30]
    large = [cv2.resize(one, (1920, 1080), interpolation=cv2.INTER_LINEAR) for one in cycle]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (1920, 1080))
    for number in range(frames):
        writer.write(large[number % len(large)])
    writer.release()
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    first = tasks.add_parser("recognition")
    first.add_argument("--people", type=int, default=30)
    first.add_argument("--seed", type=int, default=3)
    second = tasks.add_parser("memory")
    second.add_argument("--minutes", type=float, nargs="+", default=[1.0, 10.0])
    second.add_argument("--rate", type=float, default=10.0)
    for one in (first, second):
        one.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.task == "recognition":
        recognition(given.folder, given.people, given.seed)
    else:
        memory(given.folder, given.minutes, given.rate)


if __name__ == "__main__":
    main()
