"""Do the synthetic walkers behave as CASIA-B does? Raw GEIs, 1-NN, cross-view tables.

    python benchmarks/walkers/calibration.py [--subjects 124] [--workers 2] [--lda]

Renders walkers, normalises them and averages GEIs in memory, matches them by casia-b-62-62 (or by
halves when there are not 124 people) and prints the bands for three data sets: with segmentation
noise, without, and with every body equal.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.gei.energy import mean_silhouette
from gaitkit.identification.crossview import CrossViewTable, cross_view_table, match_views
from gaitkit.identification.features import fit_lda, pixels
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels
from gaitkit.parallel import map_unordered
from gaitkit.protocols import Split, get_protocol, resolve
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.walkers import WalkerOptions, render_sequence, sequence_keys

BANDS = {"nm": (95, 100), "bg": (50, 80), "cl": (20, 50)}
BAND_DIFFERENT_VIEWS = (15, 30)


class Person(NamedTuple):
    """One unit of work."""

    options: WalkerOptions
    index: int


def person_geis(person: Person) -> tuple[NDArray[np.uint8], int]:
    """All GEIs of one person in the order of their keys, and the frames that were dropped."""
    geis = []
    dropped = 0
    for key in sequence_keys(person.options):
        if int(key.subject) == person.index + 1:
            assert key.view is not None
            frames = render_sequence(
                person.options, person.index, key.condition, key.take, key.view
            )
            named = ((f"{number:03d}", frame) for number, frame in enumerate(frames, start=1))
            sequence = normalize_sequence(named, SilhouetteOptions())
            geis.append(mean_silhouette(sequence.silhouettes))
            dropped += len(sequence.dropped)
    return np.array(geis), dropped


def dataset_geis(
    options: WalkerOptions, people: range, workers: int
) -> tuple[NDArray[np.uint8], Labels]:
    started = perf_counter()
    units = [Person(options, index) for index in people]
    parts = {
        unit.index: result for unit, result in map_unordered(person_geis, units, workers=workers)
    }
    geis = np.concatenate([parts[index][0] for index in people])
    chosen = {index + 1 for index in people}
    keys = [key for key in sequence_keys(options) if int(key.subject) in chosen]
    frames, dropped = len(keys) * options.frames, sum(part[1] for part in parts.values())
    print(
        f"{len(keys):,} GEIs of {frames:,} frames in {perf_counter() - started:.0f} s; "
        f"{100 * dropped / frames:.2f} % of the frames dropped"
    )
    return geis, Labels.from_keys(keys)


def tables(vectors: NDArray, labels: Labels, split: Split) -> dict[str, CrossViewTable]:
    views = np.array(labels.views())
    found = {}
    for name, probe in split.probes.items():
        matches = match_views(vectors, labels, split.gallery, probe, metric=get_metric("euclidean"))
        found[name] = cross_view_table(matches, probe, views)
    return found


def print_tables(title: str, found: dict[str, CrossViewTable], *, bands: bool) -> None:
    print(f"  {title}")
    print(f"    {'':4} {'same view':>10} {'lowest':>7} {'band':>9} {'different':>10}")
    for name, table in found.items():
        # The bands are CASIA-B's for raw pixels and 62 test people.
        band = "{}-{}".format(*BANDS[name]) if bands else ""
        print(
            f"    {name:4} {table.mean_identical:10.1f} {table.rate[table.identical].min():7.1f} "
            f"{band:>9} {table.mean_excluding_identical:10.1f}"
        )
    nm = found["nm"]
    angle = np.abs(nm.gallery_views[:, None] - nm.probe_views)
    band = ", band {}-{}".format(*BAND_DIFFERENT_VIEWS) if bands else ""
    print(f"    nm, different views{band}; by the angle between gallery and probe:")
    steps = [value for value in np.unique(angle) if value > 0]
    print("    " + " ".join(f"{value:5.0f}" for value in steps))
    print("    " + " ".join(f"{nm.rate[angle == value].mean():5.1f}" for value in steps))


def report(title: str, options: WalkerOptions, workers: int, *, lda: bool) -> None:
    print(title)
    whole = options.subjects == 124
    # Raw pixels need no training people.
    people = range(62, 124) if whole and not lda else range(options.subjects)
    geis, labels = dataset_geis(options, people, workers)
    split = resolve(get_protocol("casia-b-62-62" if whole else "halves"), labels)
    vectors = pixels(geis)
    print_tables("pixels", tables(vectors, labels, split), bands=True)
    if lda:
        projection = fit_lda(vectors[split.train], labels.subject[split.train].astype(str))
        print_tables("PCA + LDA", tables(projection.transform(vectors), labels, split), bands=False)
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=124)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=WalkerOptions.frames)
    parser.add_argument("--lda", action="store_true", help="also PCA + LDA on the first half")
    parser.add_argument("--only", choices=["noise", "clean", "equal"], help="one of the three")
    chosen = parser.parse_args()
    base = {"subjects": chosen.subjects, "seed": chosen.seed, "frames": chosen.frames}
    kinds = {
        "noise": ("with segmentation noise", WalkerOptions(**base)),
        "clean": ("without noise", WalkerOptions(**base, noise=0)),
        "equal": (
            "without noise, every body equal",
            WalkerOptions(**base, noise=0, equal_bodies=True),
        ),
    }
    for kind, (title, options) in kinds.items():
        if chosen.only in (None, kind):
            report(title, options, chosen.workers, lda=chosen.lda and kind == "noise")


if __name__ == "__main__":
    main()
