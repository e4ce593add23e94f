"""Memory of the process that leads a stage, for each sequence of a very large data set.

    python benchmarks/speed/many.py [--few 20000] [--many 100000] [--only listed]

Each stage runs alone in a process on a small and on a large data set; the difference of the two
peaks is what sequences cost. The frames are made up in memory, one of a few pixels for each
sequence, under OU-MVLP's keys: 14 views and two walks of each person, in units of one view each as
its archives are, so that the order of keys is not the order of units. At OU-MVLP's nominal 288,596
sequences 1,000 bytes each are 289 MB.

The stages whose names begin with "listed" only list a data set on the disk: OU-MVLP as 28 zips, as
28 tars and as a tree, and CASIA-B's layout in one zip, `FRAMES` files of a few bytes for each
sequence. Beside the growth of the peak they tell what stays in memory of the listing.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

from gaitkit.artifacts import open_artifact
from gaitkit.datasets.casia_b import SEQUENCES_PER_UNIT, Located
from gaitkit.datasets.layouts import open_source
from gaitkit.datasets.sources import SequenceFrames, Unit, cut_into_units
from gaitkit.dropped import DroppedRow
from gaitkit.gei.options import GeiOptions
from gaitkit.labels import SequenceKey
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.make_gei import gei_from_frames, gei_from_silhouettes
from gaitkit.stages.normalize import normalize

FRAMES = 25
VIEWS = (*range(0, 91, 15), *range(180, 271, 15))
OUMVLP = 288_596


class MadeUp:
    """One frame for each of so many sequences, with OU-MVLP's keys."""

    name = "made-up"
    description = "made-up frames"
    ignored: Mapping[str, int] = {}

    def __init__(self, sequences: int) -> None:
        self._sequences = sequences
        self.dropped: list[DroppedRow] = []

    def units(self) -> list[Unit]:
        """All sequences, view by view."""
        walks = [(view, take) for view in VIEWS for take in (0, 1)]
        people = -(-self._sequences // len(walks))
        found = [
            Located(
                SequenceKey(f"{person:05d}", "walk", take, float(view)),
                f"Silhouette_{view:03d}-{take:02d}/{person:05d}",
            )
            for view, take in walks
            for person in range(1, people + 1)
        ]
        return cut_into_units(
            found[: self._sequences], SEQUENCES_PER_UNIT, lambda item: item.folder
        )

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """One frame for each."""
        for number, (key, _) in enumerate(unit.work):
            frame = np.zeros((40, 40), np.uint8)
            frame[4:36, 15 + number % 4 : 24] = 255
            yield SequenceFrames(key, [("0001.png", frame)])


def normalized(sequences: int, folder: Path) -> None:
    normalize(MadeUp(sequences), folder / f"s{sequences}.h5", SilhouetteOptions())


def averaged(sequences: int, folder: Path) -> None:
    options = GeiOptions(min_frames=1)
    gei_from_frames(MadeUp(sequences), folder / f"g{sequences}.h5", SilhouetteOptions(), options)


def averaged_again(sequences: int, folder: Path) -> None:
    options = GeiOptions(min_frames=1)
    gei_from_silhouettes(folder / f"s{sequences}.h5", folder / f"t{sequences}.h5", options)


def labels_listed(sequences: int, folder: Path) -> None:
    with open_artifact(folder / f"g{sequences}.h5", "gei") as artifact:
        artifact.labels.keys()


def write_packed(sequences: int, folder: Path, kind: str) -> Path:
    """OU-MVLP's names over files of no more than a few bytes."""
    root = folder / f"{kind}{sequences}"
    root.mkdir()
    walks = [(view, take) for view in VIEWS for take in (0, 1)]
    people = -(-sequences // len(walks))
    frames = [f"{number:04d}.png" for number in range(1, FRAMES + 1)]
    if kind == "casia-b":
        with ZipFile(root / "all.zip", "w") as archive:
            for person in range(1, people + 1):
                for view in range(0, 14 * 14, 14):
                    for walk in ("nm-01", "nm-02"):
                        place = f"{person:05d}/{walk}/{view:03d}"
                        for name in frames:
                            archive.writestr(ZipInfo(f"{place}/{person:05d}-{walk}-{name}"), b"x")
        return root / "all.zip"
    for view, take in walks:
        stem = f"Silhouette_{view:03d}-{take:02d}"
        if kind == "tree":
            for person in range(1, people + 1):
                place = root / stem / f"{person:05d}"
                place.mkdir(parents=True)
                for name in frames:
                    (place / name).touch()
        elif kind == "zips":
            with ZipFile(root / f"{stem}.zip", "w") as archive:
                for person in range(1, people + 1):
                    for name in frames:
                        archive.writestr(ZipInfo(f"{person:05d}/{name}"), b"x")
        else:
            with tarfile.open(root / f"{stem}.tar", "w") as tar:
                for person in range(1, people + 1):
                    for name in frames:
                        tar.addfile(tarfile.TarInfo(f"{person:05d}/{name}"))
    return root


def listed(kind: str) -> Callable[[int, Path], int]:
    def stage(sequences: int, folder: Path) -> int:
        source = open_source(folder / f"{kind}{sequences}" / ("all.zip" * (kind == "casia-b")))
        source.units()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0

    return stage


KINDS = ("zips", "tars", "tree", "casia-b")
STAGES: dict[str, Callable[[int, Path], int | None]] = {
    "normalize": normalized,
    "make-gei, from frames": averaged,
    "make-gei, from silhouettes": averaged_again,
    "evaluate: the labels": labels_listed,
    **{f"listed, {kind}": listed(kind) for kind in KINDS},
}


def peak_bytes() -> int:
    """Peak resident memory of this process; getrusage's figure is inherited from the parent."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measured(stage: str, sequences: int, folder: Path) -> tuple[int, int, float]:
    """Peak bytes, bytes that stay, seconds."""
    if stage.startswith("listed, "):
        write_packed(sequences, folder, stage.removeprefix("listed, "))
    kept = 0
    start = time.perf_counter()
    arguments = [__file__, "--stage", stage, str(sequences), str(folder)]
    peak, _ = told([sys.executable, *arguments])
    seconds = time.perf_counter() - start
    if stage.startswith("listed, "):
        # Apart, since to trace memory takes memory.
        _, kept = told([sys.executable, "-X", "tracemalloc", *arguments])
    return peak, kept, seconds


def told(command: list[str]) -> tuple[int, int]:
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, kept = ran.stdout.split()[-2:]
    return int(peak), int(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=20_000, help="sequences")
    parser.add_argument("--many", type=int, default=100_000, help="sequences")
    parser.add_argument("--only", default="", help="stages whose names begin so")
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        name, sequences, folder = options.stage
        kept = STAGES[name](int(sequences), Path(folder))
        print(peak_bytes(), kept or 0)
        return
    print(
        f"{'':<32} {'bytes/sequence':>16} {f'at {OUMVLP:,}':>14} {'µs/sequence':>13} {'stay':>10}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name in (name for name in STAGES if name.startswith(options.only)):
            few, kept, first = measured(name, options.few, Path(scratch))
            many, more_kept, second = measured(name, options.many, Path(scratch))
            more = options.many - options.few
            each = (many - few) / more
            whole = (many + each * (OUMVLP - options.many)) / 2**20
            micros = (second - first) / more * 1e6
            stays = f"{(more_kept - kept) / more:,.0f}" if more_kept else ""
            row = f"{name:<32} {each:>16,.0f} {whole:>10,.0f} MiB {micros:>13,.0f} {stays:>10}"
            print(row.rstrip(), flush=True)


if __name__ == "__main__":
    main()
