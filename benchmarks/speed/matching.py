"""Speed and memory of the nearest-neighbour search.

    python benchmarks/speed/matching.py [--geis gei.h5] [--rounds 3]
        [--gallery 1000000] [--probes 1000] [--columns 4096] [--device cpu] [--skip protocol]

Two parts. A gallery of a million vectors, made block by block as it is searched (16 GB of them
would not fit), for 1,000 probes: time, peak memory, and which share of the rate of plain matrix
products on this machine, measured in turn, the search reaches. Then the whole of CASIA-B's 62/62
protocol, 121 cells for each of three probe sets, in turn with the same through scikit-learn's
KNeighborsClassifier, fitted and asked for each cell: time, and whether all decisions are the same.
Timings on a shared machine are noisy: medians over the rounds, and of the ratios, are printed.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from gaitkit.artifacts import open_artifact
from gaitkit.identification.distances import get_product
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels, SequenceKey
from gaitkit.protocols import Split, get_protocol, resolve

VIEWS = tuple(range(0, 181, 18))
WALKS = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]
EUCLIDEAN = get_metric("euclidean")


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_mib() -> float:
    """Peak resident memory of this process so far, from Linux's /proc."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else float("nan")


class MadeByBlocks:
    """A gallery of any length that is nowhere whole: a few thousand vectors, scaled again."""

    dtype = np.dtype(np.float32)

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = (rows, columns)
        random = np.random.default_rng(0)
        self._few = random.standard_normal((min(rows, 8192), columns), dtype=np.float32)

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        scale = (1.0 + 1e-3 * (rows // len(self._few))).astype(np.float32)[:, None]
        first = int(rows[0]) % len(self._few)
        if first + len(rows) <= len(self._few) and rows[-1] - rows[0] == len(rows) - 1:
            return np.asarray(self._few[first : first + len(rows)] * scale)
        return np.asarray(self._few[rows % len(self._few)] * scale)


def million(rows: int, probes: int, columns: int, rounds: int, device: str) -> None:
    before = peak_mib()
    gallery = MadeByBlocks(rows, columns)
    random = np.random.default_rng(1)
    searched = random.standard_normal((probes, columns), dtype=np.float32)
    a, b = searched, gallery[np.arange(min(rows, 4096))]
    product, work = get_product(device), 2.0 * probes * columns
    product(a, b)  # The first one starts threads, or a device.
    rates, taken = [], []
    for _ in range(rounds):
        plain = seconds(lambda: a @ b.T) if device == "cpu" else seconds(lambda: product(a, b))
        rates.append(work * len(b) / plain)
        taken.append(
            seconds(lambda: search(gallery, None, a, None, metric=EUCLIDEAN, device=device))
        )
    rate = median(rates)
    share = median(work * rows / one / other for one, other in zip(taken, rates, strict=True))
    print(f"{rows:,} gallery vectors of {columns:,}, {probes:,} probes, {device}")
    print(f"  time                     {median(taken):10.2f} s")
    print(f"  peak memory above start  {peak_mib() - before:10,.0f} MiB")
    print(f"  plain matrix product     {rate / 1e9:10.1f} GFLOP/s")
    print(f"  the search reaches       {100 * share:10.0f} % of it")


def walkers(seed: int = 0) -> tuple[NDArray[np.uint8], Labels]:
    """Images of 124 made-up people as CASIA-B has them: a person, a view, a walk's own noise."""
    random = np.random.default_rng(seed)
    people = [f"{number:03d}" for number in range(1, 125)]
    person = random.normal(0, 12, (len(people), 64 * 64))
    view = random.normal(0, 20, (len(VIEWS), 64 * 64))
    keys, images = [], []
    for who, name in enumerate(people):
        for condition, take in WALKS:
            for seen, degrees in enumerate(VIEWS):
                noise = random.normal(0, 25 if condition == "nm" else 60, 64 * 64)
                image = 128 + person[who] + view[seen] + noise
                images.append(np.clip(image, 0, 255).astype(np.uint8))
                keys.append(SequenceKey(name, condition, take, float(degrees)))
    return np.stack(images), Labels.from_keys(keys)


def by_gaitkit(vectors: NDArray[Any], labels: Labels, split: Split) -> dict[Any, Any]:
    """Whose each probe is said to be, by (probe set, gallery view, probe view)."""
    enrolled, probes = np.flatnonzero(split.gallery), np.flatnonzero(split.probe)
    views = np.unique(labels.view[enrolled])
    people = np.unique(labels.subject.astype(str), return_inverse=True)[1]
    found = search(
        vectors[enrolled],
        people[enrolled],
        vectors[probes],
        people[probes],
        metric=EUCLIDEAN,
        groups=[np.flatnonzero(labels.view[enrolled] == view) for view in views],
    )
    said = labels.subject[enrolled[found.nearest]]
    return {
        (name, float(view), float(seen)): said[rows[probes] & (labels.view[probes] == seen), column]
        for name, rows in split.probes.items()
        for column, view in enumerate(views)
        for seen in np.unique(labels.view[probes])
    }


def by_scikit_learn(vectors: NDArray[Any], labels: Labels, split: Split) -> dict[Any, Any]:
    """The same, one classifier for each cell."""
    said = {}
    for name, rows in split.probes.items():
        for view in np.unique(labels.view[split.gallery]):
            for seen in np.unique(labels.view[rows]):
                enrolled = split.gallery & (labels.view == view)
                classifier = KNeighborsClassifier(n_neighbors=1)
                classifier.fit(vectors[enrolled], labels.subject[enrolled].astype(str))
                probes = rows & (labels.view == seen)
                said[name, float(view), float(seen)] = classifier.predict(vectors[probes])
    return said


def protocol(geis: Path | None, rounds: int) -> None:
    if geis is None:
        images, labels = walkers()
    else:
        with open_artifact(geis, kind="gei") as artifact:
            images, labels = artifact.read("gei"), artifact.labels
    vectors = images.reshape(len(images), -1)
    split = resolve(get_protocol("casia-b-62-62"), labels)
    # As people do it: float64 once for all cells; it is scikit-learn's fastest exact way here.
    floats = vectors.astype(np.float64)
    ours, theirs, same = [], [], True
    for _ in range(rounds):
        start = time.perf_counter()
        mine = by_gaitkit(vectors, labels, split)
        between = time.perf_counter()
        reference = by_scikit_learn(floats, labels, split)
        ours.append(between - start)
        theirs.append(time.perf_counter() - between)
        same &= all(np.array_equal(mine[cell], reference[cell]) for cell in reference)
    ratio = median(other / own for own, other in zip(ours, theirs, strict=True))
    print(
        f"the 62/62 protocol, {len(reference)} cells, {int(split.probe.sum()):,} probes, Euclidean"
    )
    print(f"  gaitkit                  {median(ours):10.2f} s")
    print(f"  KNeighborsClassifier     {median(theirs):10.2f} s")
    print(f"  ratio                    {ratio:10.2f} x")
    print(f"  decisions                {'identical' if same else 'DIFFERENT':>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--geis", type=Path, help="a GEI artefact of CASIA-B's 124 people")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gallery", type=int, default=1_000_000, help="vectors of the large one")
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=4096)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the large one")
    parser.add_argument("--skip", choices=["large", "protocol"], help="leave one part out")
    options = parser.parse_args()
    if options.skip != "large":
        # First, so that its peak of memory is its own.
        rounds = 1 if options.gallery >= 500_000 else options.rounds
        million(options.gallery, options.probes, options.columns, rounds, options.device)
    if options.skip != "protocol":
        protocol(options.geis, options.rounds)


if __name__ == "__main__":
    main()
