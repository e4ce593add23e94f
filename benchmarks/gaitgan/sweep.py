"""Which of GaitGAN's options pay? Trains variants, scores them, and keeps a table.

    python benchmarks/gaitgan/sweep.py walkers.h5 --out sweep.jsonl
    python benchmarks/gaitgan/sweep.py walkers.h5 --out sweep.jsonl --final \
        --only gaitgan,best --iterations 3000 --seeds 0 1 2
    python benchmarks/gaitgan/sweep.py --out sweep.jsonl --table

The first form screens: a third of the protocol's *training* people is held out (never the tested
ones), each variant learns from the others, and the held-out people are identified across views.
`--final` trains on all training people and scores the tested ones; do that once, for what the
screening has chosen. Every finished row is appended to the file at once and skipped when the
command is given again, so that it can be stopped at any time. GEIs are those of gaitkit make-gei.

Rates are rank-1, per cent, means over gallery views other than the probe's: by pixels, and by
PCA + LDA fitted on the translated GEIs of the people the variant has learned from. `--folds`
additionally fits PCA + LDA on translated GEIs of people whom the generator that translated them has
not seen: the training people are halved, each half is translated by a generator trained on the
other one.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.features import choose_components, fit_lda, pixels
from gaitkit.protocols import default_protocol, get_protocol, split_subjects
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet
from gaitkit.translators.recipes import get_recipe
from gaitkit.translators.validation import cross_view_rates, enrolled_rows

Settings = tuple[dict[str, Any], dict[str, Any]]

STEADY: dict[str, Any] = {"betas": (0.5, 0.999), "ema_decay": 0.995}
FIRST_TRY: Settings = (
    STEADY | {"l1_weight": 30.0, "identity_weight": 1.0},
    {"balanced": True, "shift": 2},
)


def _but(settings: Settings, config: dict[str, Any], training: dict[str, Any]) -> Settings:
    return settings[0] | config, settings[1] | training


def _recipe(name: str) -> Settings:
    recipe = get_recipe(name)
    return dict(recipe.config), dict(recipe.training)


ALONE: Settings = _but(FIRST_TRY, {"adversarial_weight": 0.0}, {})
"""The first try without discriminators."""

CONTRAST: Settings = _but(ALONE, {"identity_weight": 0.0, "contrast_weight": 1.0}, {"warp": 1.0})
"""Without a network that tells people apart: generated images find their targets by pixels."""

BEST: Settings = _recipe("best")

VARIANTS: dict[str, Settings] = {
    "raw": ({}, {}),
    "gaitgan": ({}, {}),
    "betas 0.5": ({"betas": (0.5, 0.999)}, {}),
    "EMA": ({"ema_decay": 0.995}, {}),
    "balanced": ({}, {"balanced": True}),
    "R1": ({"r1_weight": 1.0}, {}),
    "L1 30": ({"l1_weight": 30.0}, {}),
    "identity softmax": ({"identity_weight": 1.0}, {}),
    "U-Net": ({"skips": 2}, {}),
    "matte": ({"matte": True}, {}),
    "shift 2": ({}, {"shift": 2}),
    "warp": ({}, {"warp": 1.0}),
    "first try": FIRST_TRY,
    "critics 0.1": _but(FIRST_TRY, {"adversarial_weight": 0.1}, {}),
    "critics 0": ALONE,
    "critics 0 + warp": _but(ALONE, {}, {"warp": 1.0}),
    "E contrastive + warp": _but(ALONE, {"identity_loss": "contrastive"}, {"warp": 1.0}),
    "contrast + warp": CONTRAST,
    "best + critics 0.1": _but(BEST, {"adversarial_weight": 0.1}, {}),
    "best - warp": _but(BEST, {}, {"warp": 0.0}),
    "best + U-Net": _but(BEST, {"skips": 2}, {}),
    "best + matte": _but(BEST, {"matte": True}, {}),
    "gaitgan-v2": _recipe("gaitgan-v2"),
    "best": BEST,
}


def main() -> None:
    """Run the variants that the file does not have yet, or print what it has."""
    args = _arguments()
    if not args.table:
        for row in _missing(args):
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(_line(row["variant"], [row]), flush=True)
    else:
        print_table(read_rows(args.out))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("geis", type=Path, nargs="?", help="a GEI artefact")
    parser.add_argument("--out", type=Path, required=True, help="the file of finished rows")
    parser.add_argument("--table", action="store_true", help="print the file as a table")
    parser.add_argument("--final", action="store_true", help="score the tested people")
    parser.add_argument("--folds", action="store_true", help="LDA on people that G has not seen")
    parser.add_argument("--protocol", help="who trains  [default: as gaitkit train-gan]")
    parser.add_argument("--only", default="", help="variants, with commas between them")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    args.only = [name for name in args.only.split(",") if name] or list(VARIANTS)
    unknown = set(args.only) - set(VARIANTS)
    if unknown:
        parser.error(f"unknown variant {min(unknown)!r}; known: {', '.join(VARIANTS)}")
    if args.geis is None and not args.table:
        parser.error("give a GEI artefact, or --table")
    return args


def _missing(args: argparse.Namespace) -> Iterable[dict[str, Any]]:
    geis = GeiSet.open(args.geis)
    protocol = get_protocol(args.protocol) if args.protocol else default_protocol(geis.labels)
    people = split_subjects(protocol, geis.labels)
    done = {json.dumps(_key(row)) for row in read_rows(args.out)}
    for seed in args.seeds:
        for variant in args.only:
            row = {
                "data": geis.dataset,
                "protocol": protocol.name,
                "stage": "final" if args.final else "screen",
                "variant": variant,
                "iterations": args.iterations,
                "width": args.width,
                "batch_size": args.batch_size,
                "precision": args.precision,
                "folds": args.folds,
                "seed": seed,
            }
            if json.dumps(_key(row)) in done:
                continue
            learners, tested = list(people.train), list(people.test)
            if not args.final:
                # The last third: walkers and most people are numbered without any order.
                count = len(learners) // 3
                learners, tested = learners[:-count], learners[-count:]
            start = perf_counter()
            row |= score(variant, geis, learners, tested, args, seed)
            yield row | {"seconds": round(perf_counter() - start)}


def score(
    variant: str,
    geis: GeiSet,
    learners: list[str],
    tested: list[str],
    args: argparse.Namespace,
    seed: int,
) -> dict[str, Any]:
    """Train one variant and identify the tested people by what it makes of them."""
    learned, searched = geis.of_subjects(learners), geis.of_subjects(tested)
    translate = trained(variant, learned, args, seed)
    found, own = translate(searched), translate(learned)
    rates = {
        "pixels": rates_of(pixels(found), searched),
        "lda": rates_of(projected(own, learned, found), searched),
    }
    if args.folds:
        halves = [geis.of_subjects(learners[start::2]) for start in (0, 1)]
        unseen = [
            trained(variant, halves[1 - index], args, seed)(half)
            for index, half in enumerate(halves)
        ]
        # Rows in the order of the halves, one after the other.
        order = geis.of_subjects(learners)
        rows = np.concatenate(
            [
                np.flatnonzero(np.isin(order.labels.subject.astype(str), learners[start::2]))
                for start in (0, 1)
            ]
        )
        own = np.empty(order.images.shape, dtype=np.float32)
        own[rows] = np.concatenate(unseen)
        rates["lda on unseen"] = rates_of(projected(own, order, found), searched)
    return rates


def trained(
    variant: str, learned: GeiSet, args: argparse.Namespace, seed: int
) -> Callable[[GeiSet], NDArray[np.float32]]:
    """A variant's translation after training; of ``raw``, nothing."""
    if variant == "raw":
        return lambda geis: geis.images.astype(np.float32)
    config, training = VARIANTS[variant]
    model = GaitGAN(
        GaitGANConfig(width=args.width, image_size=learned.image_size, **config),
        seed=seed,
        precision=args.precision,
        threads=args.threads,
    )
    model.fit(learned, **{**training, "iterations": args.iterations, "batch_size": args.batch_size})
    return model.translate


def projected(
    own: NDArray[np.float32], learned: GeiSet, found: NDArray[np.float32]
) -> NDArray[np.float64]:
    """PCA + LDA fitted on the learners' images, applied to the tested people's."""
    components = choose_components(pixels(own), learned.labels)
    projection = fit_lda(pixels(own), learned.labels.subject, components=components)
    return projection.transform(pixels(found))


def rates_of(vectors: NDArray[Any], geis: GeiSet) -> dict[str, float]:
    """Mean rank-1 over different views, per cent, of every condition."""
    gallery = enrolled_rows(geis.labels, "nm")
    rates = cross_view_rates(vectors, geis.labels, gallery, threads=1)
    return {name: rate for name, rate in rates.items() if not np.isnan(rate)}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows that are finished; a last one that was cut off is not."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _key(row: dict[str, Any]) -> list[Any]:
    names = "data protocol stage variant iterations width batch_size precision folds seed"
    return [row[name] for name in names.split()]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Means over seeds, one block for each data set, stage and size of training."""
    blocks: dict[tuple[Any, ...], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        size = (row["iterations"], row["width"], row["batch_size"])
        block = (row["data"], row["protocol"], row["stage"], *size)
        name = row["variant"]
        if row["precision"] != "auto":
            name += f", {row['precision']}"
        blocks.setdefault(block, {}).setdefault(name, []).append(row)
    for (data, protocol, stage, iterations, width, batch), variants in blocks.items():
        who = "tested people" if stage == "final" else "held-out training people"
        print(
            f"\n{data}, {protocol}, {who}; {iterations:,} iterations, width {width}, batch {batch}"
        )
        print(f"{'':21} seeds  pixels nm    bg    cl   PCA+LDA nm    bg    cl    LDA on unseen")
        for variant, found in variants.items():
            print(_line(variant, found))


def _line(variant: str, rows: list[dict[str, Any]]) -> str:
    def mean(feature: str) -> str:
        present = [row[feature] for row in rows if feature in row]
        return " ".join(
            f"{statistics.mean(rates[name] for rates in present):5.1f}"
            for name in ("nm", "bg", "cl")
            if present and name in present[0]
        )

    spread, seeds = "", len({row["seed"] for row in rows})
    if seeds > 1:
        means = [statistics.mean(row["pixels"].values()) for row in rows]
        spread = f"  ±{statistics.stdev(means):.1f}"
    text = f"{variant:21} {seeds:5}      {mean('pixels')}        {mean('lda')}     "
    return f"{text}{mean('lda on unseen')}{spread}".rstrip()


if __name__ == "__main__":
    main()
