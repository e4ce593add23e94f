"""Do the synthetic walkers behave as CASIA-B does? Raw GEIs, 1-NN, cross-view tables.

    python benchmarks/walkers/calibration.py [--subjects 124] [--workers 2] [--lda]
    python benchmarks/walkers/calibration.py --halves [--quick] [--seed 11 | --geis gei.h5]

Renders walkers, cleans their masks of specks, aligns them as OpenGait does (CASIA-B's pickles, with
which they are compared, are aligned so; `--alignment person` asks for gaitkit's own way, of the
masks as they are), averages GEIs in memory and matches them by casia-b-62-62 (or by
halves when there are not 124 people) and prints the rates, beside those of CASIA-B, for three data
sets: with segmentation noise, without, and with every body equal.

`--halves` takes 62 people and tests each half of them with the LDA of the other; with `--geis`
people whose GEIs there are, such as CASIA-B's, so that both go through the same function. `--quick`
does that at four views with 14 frames. `--alike` prints how alike what is a person's own is from
one view to another, too, and what bags and coats do to it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact
from gaitkit.gei.energy import mean_silhouette
from gaitkit.identification.crossview import CrossViewTable, cross_view_table, match_views
from gaitkit.identification.features import fit_lda, pixels
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels
from gaitkit.parallel import map_unordered
from gaitkit.protocols import Split, SubjectRange, get_protocol, resolve
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import Alignment, SilhouetteOptions
from gaitkit.walkers import WalkerOptions, render_sequence, sequence_keys

# CASIA-B's, people 063-124, LDA learned of 001-062; rank-1 in per cent, Euclid's distance.
REAL = {
    "pixels": {
        "same": {"nm": 97.9, "bg": 57.5, "cl": 13.5},
        "different": {"nm": 21.3, "bg": 14.1, "cl": 5.3},
        "angle": (52, 20, 12, 10, 8, 9, 10, 20, 26, 48),
    },
    "PCA + LDA": {
        "same": {"nm": 99.2, "bg": 88.3, "cl": 57.3},
        "different": {"nm": 59.9, "bg": 42.5, "cl": 23.6},
        "angle": (95, 77, 53, 41, 40, 38, 39, 50, 62, 80),
    },
}

RATES_WITHIN, ANGLES_WITHIN = 4, 8
"""By how many points walkers may differ from CASIA-B."""


class Person(NamedTuple):
    """One unit of work."""

    options: WalkerOptions
    index: int
    alignment: Alignment


def without_specks(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same frames without pieces of less than a fiftieth of the largest one."""
    cleaned = frames.copy()
    for frame in cleaned:
        _, pieces, measures, _ = cv2.connectedComponentsWithStats(frame, connectivity=8)
        areas = measures[:, cv2.CC_STAT_AREA]
        small = np.flatnonzero(areas < 0.02 * areas[1:].max(initial=0))
        frame[np.isin(pieces, small)] = 0
    return cleaned


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
            if person.alignment == "opengait":
                frames = without_specks(frames)
            named = ((f"{number:03d}", frame) for number, frame in enumerate(frames, start=1))
            sequence = normalize_sequence(named, SilhouetteOptions(alignment=person.alignment))
            geis.append(mean_silhouette(sequence.silhouettes))
            dropped += len(sequence.dropped)
    return np.array(geis), dropped


def dataset_geis(
    options: WalkerOptions, people: range, workers: int, alignment: Alignment
) -> tuple[NDArray[np.uint8], Labels]:
    started = perf_counter()
    units = [Person(options, index, alignment) for index in people]
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


def by_angle(table: CrossViewTable) -> list[tuple[float, float]]:
    """The mean rate of each angle between gallery and probe but 0."""
    angle = np.abs(table.gallery_views[:, None] - table.probe_views)
    return [(float(it), float(table.rate[angle == it].mean())) for it in np.unique(angle) if it > 0]


def print_tables(title: str, found: dict[str, CrossViewTable]) -> None:
    real = REAL[title]
    print(f"  {title}")
    columns = ("same view", "lowest", "CASIA-B", "different", "CASIA-B")
    print("         " + "".join(f"{column:>10}" for column in columns))
    gaps = []
    for name, table in found.items():
        same, different = real["same"][name], real["different"][name]
        row = (
            table.mean_identical,
            table.rate[table.identical].min(),
            same,
            table.mean_excluding_identical,
            different,
        )
        print(f"    {name:5}" + "".join(f"{value:10.1f}" for value in row))
        gaps += [table.mean_identical - same, table.mean_excluding_identical - different]
    print("    nm, different views, by the angle between gallery and probe; below, CASIA-B:")
    angles = by_angle(found["nm"])
    print("    " + " ".join(f"{step:5.0f}" for step, _ in angles))
    print("    " + " ".join(f"{rate:5.1f}" for _, rate in angles))
    print("    " + " ".join(f"{value:5.0f}" for value in real["angle"]))
    near = sum(abs(gap) <= RATES_WITHIN for gap in gaps)
    by_step = zip(angles, real["angle"], strict=True)
    near_angles = sum(abs(rate - value) <= ANGLES_WITHIN for (_, rate), value in by_step)
    print(
        f"    within {RATES_WITHIN} points: {near} of {len(gaps)} rates; "
        f"within {ANGLES_WITHIN}: {near_angles} of {len(angles)} angles"
    )


# The same of CASIA-B's people 001-062 (OpenGait's alignment), at 0, 54, 90 and 180 degrees.
REAL_SPREADS = {
    "between people": (20.8, 15.2, 17.4, 20.0),
    "between takes": (5.9, 5.7, 6.4, 6.1),
    "bg, all people": (6.2, 10.4, 16.0, 7.3),
    "bg, each person": (15.8, 15.4, 17.8, 16.9),
    "cl, all people": (15.4, 13.9, 17.8, 15.6),
    "cl, each person": (22.7, 16.8, 19.8, 21.9),
}


def of_each(geis: NDArray, labels: Labels, view: float, condition: str) -> NDArray:
    """The mean GEI of each person in one condition and view; NaN for who has none."""
    there = (labels.condition.astype(str) == condition) & (labels.view == view)
    who = labels.subject.astype(str)
    means = np.full((len(labels.subjects()), *geis.shape[1:]), np.nan)
    for row, name in enumerate(labels.subjects()):
        taken = geis[there & (who == name)]
        if len(taken):
            means[row] = taken.mean(axis=0)
    return means


def spreads(geis: NDArray[np.uint8], labels: Labels, view: float) -> dict[str, float]:
    """By how many grey levels GEIs of one view differ, root mean square.

    What a bag or coat changes is split into the mean over people and the rest, each person's own.
    """
    who = labels.subject.astype(str)
    walks = (labels.condition.astype(str) == "nm") & (labels.view == view)

    def rms(difference: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.mean(difference**2)))

    normal = of_each(geis, labels, view, "nm")
    takes = [geis[walks & (who == it)].var(axis=0, ddof=1).mean() for it in labels.subjects()]
    found = {
        "between people": rms(normal - normal.mean(axis=0)),
        "between takes": float(np.sqrt(np.mean(takes))),
    }
    for what in ("bg", "cl"):
        change = of_each(geis, labels, view, what) - normal
        found[f"{what}, all people"] = rms(change.mean(axis=0))
        found[f"{what}, each person"] = rms(change - change.mean(axis=0))
    return found


def print_spreads(geis: NDArray[np.uint8], labels: Labels) -> None:
    views = (0.0, 54.0, 90.0, 180.0)
    found = [spreads(geis, labels, view) for view in views]
    print("  grey levels, root mean square, at 0, 54, 90, 180 degrees; in brackets, CASIA-B")
    for name, real in REAL_SPREADS.items():
        pairs = [f"{row[name]:5.1f} ({there:4.1f})" for row, there in zip(found, real, strict=True)]
        print(f"    {name:16}" + "  ".join(pairs))


def report(
    title: str, options: WalkerOptions, workers: int, alignment: Alignment, *, lda: bool
) -> None:
    print(title)
    whole = options.subjects == 124
    # Raw pixels need no training people.
    people = range(62, 124) if whole and not lda else range(options.subjects)
    geis, labels = dataset_geis(options, people, workers, alignment)
    split = resolve(get_protocol("casia-b-62-62" if whole else "halves"), labels)
    vectors = pixels(geis)
    print_spreads(geis, labels)
    print_tables("pixels", tables(vectors, labels, split))
    if lda:
        projection = fit_lda(vectors[split.train], labels.subject[split.train].astype(str))
        print_tables("PCA + LDA", tables(projection.transform(vectors), labels, split))
    print(flush=True)


PARTS = {"head": slice(0, 12), "trunk": slice(12, 34), "legs": slice(34, 64)}
"""Rows of a GEI of 64."""

PAIRS = ((0, 180), (18, 162), (36, 144), (54, 126), (0, 36), (36, 72), (36, 90), (0, 90))


def own(geis: NDArray[np.uint8], labels: Labels, view: float) -> NDArray[np.float64]:
    """Each person's mean normal GEI of one view, less that of all; 0 for who has none."""
    means = of_each(geis, labels, view, "nm")
    return np.nan_to_num(means - np.nanmean(means, axis=0))


def print_alike(geis: NDArray[np.uint8], labels: Labels) -> None:
    """The correlation of what is people's own in two views, over people and pixels."""
    kept = {view: own(geis, labels, view) for view in labels.views()}
    print("  alike, two views: " + ", ".join(PARTS))
    for one, other in PAIRS:
        if one not in kept or other not in kept:
            continue
        found = []
        for rows in PARTS.values():
            left, right = kept[one][:, rows], kept[other][:, rows]
            found.append((left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum()))
        print(f"    {one:3} {other:3}  " + "  ".join(f"{value:5.2f}" for value in found))


WORN_VIEWS = (0, 54, 90, 126, 180)
SHOULDERS, SHANKS = slice(14, 20), slice(48, 60)
"""Rows of a GEI of 64, as `PARTS`."""


def print_worn(geis: NDArray[np.uint8], labels: Labels) -> None:
    """What a bag and a coat do to the body, by view: leans, widths and their likeness."""

    def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return float(np.corrcoef(one, other)[0, 1])

    columns = np.arange(geis.shape[2])
    names = (
        "head aside with a bag, deviation in columns",
        "shanks, deviation of their width in columns",
        "shanks in a coat and without, correlation",
        "shoulders, deviation of their width",
        "shoulders in a coat, the same",
        "shoulders in a coat and without, correlation",
        "trunk, what a coat changes in all, in levels",
    )
    views, rows = [view for view in WORN_VIEWS if view in labels.views()], []
    for view in views:
        worn = np.stack([of_each(geis, labels, view, it) for it in ("nm", "bg", "cl")]) / 255
        nm, bg, cl = worn[:, ~np.isnan(worn).any(axis=(0, 2, 3))]
        head_nm, head_bg = (it[:, :8].sum(axis=1) for it in (nm, bg))
        aside = head_bg @ columns / head_bg.sum(axis=1) - head_nm @ columns / head_nm.sum(axis=1)
        shanks, shanks_cl = (it[:, SHANKS].sum(axis=2).mean(axis=1) for it in (nm, cl))
        shoulders, shoulders_cl = (it[:, SHOULDERS].sum(axis=2).mean(axis=1) for it in (nm, cl))
        changed = (cl - nm)[:, PARTS["trunk"]].mean(axis=0)
        rows.append(
            (
                aside.std(),
                shanks.std(),
                correlation(shanks, shanks_cl),
                shoulders.std(),
                shoulders_cl.std(),
                correlation(shoulders, shoulders_cl),
                255 * np.sqrt(np.mean(changed**2)),
            )
        )
    if not rows:
        return
    print("  at " + ", ".join(f"{view}" for view in views) + " degrees:")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"    {name:46}" + "  ".join(f"{value:5.2f}" for value in values))


QUICK = {"frames": 14, "views": (0.0, 54.0, 90.0, 144.0)}


def both_halves(title: str, geis: NDArray, labels: Labels) -> None:
    """Rates of each half of the people, LDA learned of the other, their mean."""
    one = resolve(get_protocol("halves"), labels)
    train, test = (
        tuple(SubjectRange(name, name) for name in people)
        for people in (one.subjects.test, one.subjects.train)
    )
    other = resolve(replace(one.protocol, train=train, test=test), labels)
    vectors = pixels(geis)
    print(f"{title}: equal views, then different ones, nm / bg / cl")
    for feature in ("pixels", "PCA + LDA"):
        rates, angles = [], []
        for split in (one, other):
            now = vectors
            if feature != "pixels":
                names = labels.subject[split.train].astype(str)
                now = fit_lda(vectors[split.train], names).transform(vectors)
            found = tables(now, labels, split)
            rates.append(
                [(it.mean_identical, it.mean_excluding_identical) for it in found.values()]
            )
            angles.append([rate for _, rate in by_angle(found["nm"])])
        same, different = np.mean(rates, axis=0).T
        told = ", ".join(" / ".join(f"{rate:.1f}" for rate in part) for part in (same, different))
        print(f"  {feature:9} {told}")
        steps = " ".join(f"{rate:.0f}" for rate in np.mean(angles, axis=0))
        print(
            f"            nm by the angle between the views, the smallest first: {steps}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=124)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=WalkerOptions.frames)
    parser.add_argument("--lda", action="store_true", help="also PCA + LDA on the first half")
    parser.add_argument("--only", choices=["noise", "clean", "equal"], help="one of the three")
    parser.add_argument("--halves", action="store_true", help="62 people, each half is tested")
    parser.add_argument("--quick", action="store_true", help="the same at four views, 14 frames")
    parser.add_argument("--alike", action="store_true", help="also views, bags and coats compared")
    parser.add_argument("--geis", type=Path, help="an artefact's people instead, with --halves")
    parser.add_argument("--alignment", choices=["opengait", "person"], default="opengait")
    chosen = parser.parse_args()
    if chosen.geis is not None:
        with open_artifact(chosen.geis, "gei") as artifact:
            title, geis, labels = str(chosen.geis), np.rint(artifact.read("gei")), artifact.labels
    elif chosen.halves or chosen.quick:
        walkers = WalkerOptions(subjects=62, seed=chosen.seed, frames=chosen.frames)
        if chosen.quick:
            walkers = replace(walkers, **QUICK)
        people, title = range(walkers.subjects), walkers.dataset_name
        geis, labels = dataset_geis(walkers, people, chosen.workers, chosen.alignment)
    else:
        report_kinds(chosen)
        return
    both_halves(title, geis, labels)
    if chosen.alike:
        print_alike(geis, labels)
        print_worn(geis, labels)


def report_kinds(chosen: argparse.Namespace) -> None:
    """All three data sets, or the one that was asked for."""
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
            report(
                title, options, chosen.workers, chosen.alignment, lda=chosen.lda and kind == "noise"
            )


if __name__ == "__main__":
    main()
