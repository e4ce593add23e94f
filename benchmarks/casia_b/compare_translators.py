r"""Raw GEIs and all five translators under one protocol: rates, intervals, differences, one page.

    python benchmarks/casia_b/compare_translators.py DATA --out results/
    python benchmarks/casia_b/compare_translators.py walkers.h5 --minutes 3 --seeds 0 1 2 \
        --out results/walkers
    python benchmarks/casia_b/compare_translators.py --out results/walkers --table

The first form trains every system at its published size and length, which wants a GPU. `--minutes`
instead gives each training the same processor time on one thread, at the small sizes of
`small_settings.py`: the iterations that fit are measured first and are printed with the samples
seen, since time alone reproduces nothing. Each system is trained in two modes that never share a
table: *faithful* (its own supervision) and *paired* (with the L1 to the own target and GaitGAN's
identification discriminator added). All figures come from `gaitkit evaluate`: pixels, PCA + LDA,
and the system's own feature where it has one.

What is finished is kept in --out and skipped when the command is given again; several processes
may work there on different --only or --seeds. Translated GEIs are kept of the first of --seeds.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from small_settings import SMALL

from gaitkit.artifacts import open_artifact
from gaitkit.errors import GaitkitError, OptionError
from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.results import EvaluationResult, read_results
from gaitkit.identification.tables import differences_text, summary_text
from gaitkit.outputs import write_whole
from gaitkit.protocols import Protocol, default_protocol, get_protocol, split_subjects
from gaitkit.reporting.page.curves import rate_by_angle
from gaitkit.reporting.page.document import write_report
from gaitkit.reporting.sheet import contact_sheet, save_png
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.run import PipelineOptions, measured_geis
from gaitkit.stages.train import carry_out, plan_training
from gaitkit.stages.workshop import Workshop
from gaitkit.training.callbacks import Callbacks
from gaitkit.translators import GeiSet, translate, translator_class
from gaitkit.translators.options import TranslatorOptions

SYSTEMS = ("gaitgan", "stargan", "attgan", "dgnet", "deformable")
MODES = ("faithful", "paired")

TRIAL = (20, 60)
"""Iterations before the clock starts, and in all, of the trial that measures their length."""


def main() -> int:
    """Do what is missing, then print the tables and write the page."""
    given = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if not given.table:
            fill(given)
        tables(given.out, given.data)
    except GaitkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", help="frames, silhouettes.h5 or GEIs")
    parser.add_argument("--out", type=Path, required=True, help="the folder of all that is made")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--protocol", help="who trains  [default: as gaitkit train-gan]")
    parser.add_argument("--minutes", type=float, help="small networks, so long each")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, help="[default: 1 with --minutes]")
    given = parser.parse_args()
    if given.data is None and not given.table:
        parser.error("give the data, or --table")
    return given


def fill(given: argparse.Namespace) -> None:
    """Train, translate and evaluate what is missing."""
    given.out.mkdir(parents=True, exist_ok=True)
    geis = measured_geis(given.data, Workshop(given.out), PipelineOptions())
    with open_artifact(geis, "gei") as artifact:
        labels, digest = artifact.labels, artifact.content_sha256
    protocol = get_protocol(given.protocol) if given.protocol else default_protocol(labels)
    _same_data(given.out, {"data set": digest, "protocol": protocol.as_parameters()})
    raw = given.out / "results-raw.h5"
    if not raw.exists():
        evaluate(geis, protocol=protocol, features=("pixels", "lda"), truth=geis, output=raw)
    for seed in given.seeds:
        for system in given.only:
            for mode in given.modes:
                row = _Row(given, geis, protocol, system, mode, seed)
                if row.results.exists():
                    row.check()
                else:
                    row.make()


def _same_data(out: Path, asked: dict[str, Any]) -> None:
    """Note on what data and by which protocol a folder compares; refuse others later on."""
    note, asked = out / "data.json", json.loads(json.dumps(asked))
    before = json.loads(note.read_text(encoding="utf-8")) if note.exists() else asked
    for name, value in asked.items():
        if before.get(name) != value:
            raise OptionError(
                f"{out} holds results of another {name}, says {note.name}.",
                hint="Give another --out.",
            )
    _keep(note, asked)


def _keep(path: Path, note: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(note, indent=1) + "\n").encode())


class _Row:
    """One system, mode and seed: its files, and how they are made."""

    def __init__(
        self,
        given: argparse.Namespace,
        geis: Path,
        protocol: Protocol,
        system: str,
        mode: str,
        seed: int,
    ) -> None:
        self.geis, self.protocol, self.system, self.seed = geis, protocol, system, seed
        name = f"{system}-{mode}-{seed}"
        self.note = given.out / f"{name}.json"
        self.model = given.out / f"{name}.h5"
        self.translated = given.out / f"{name}-translated.h5"
        self.results = given.out / f"results-{name}.h5"
        config, training = SMALL[system][mode] if given.minutes else ({}, {})
        if mode == "paired":
            config = translator_class(system).config_class.paired_settings() | config
        self.config = config
        self.training = {**translator_class(system).default_training, **training, "seed": seed}
        self.minutes = given.minutes
        self.keeps_images = seed == given.seeds[0]
        threads = given.threads or (1 if given.minutes else None)
        self.how = {"device": given.device, "threads": threads}
        self.asked = {
            "system": system,
            "mode": mode,
            "seed": seed,
            "minutes": given.minutes,
            "config": config,
            "training": self.training,
        }

    def make(self) -> None:
        """Train, translate, evaluate."""
        note = self._note()
        # Minutes are processor time and go by without a checkpoint, days are neither.
        clock = process_time if self.minutes else perf_counter
        steps: list[int] = []
        calls = Callbacks(on_step=lambda step, total: steps.append(step))
        began = clock()
        plan = plan_training(
            self.geis,
            self.model,
            protocol=self.protocol,
            system=self.system,
            config=self.config,
            training={**self.training, "iterations": note["iterations"]},
            overwrite=True,
            **self.how,
        )
        carry_out(plan, replace(calls, checkpoint_every=10**9) if self.minutes else calls)
        # Of the whole training, also when this is the rest of a stopped one.
        note["seconds"] = (clock() - began) * note["iterations"] / max(len(steps), 1)
        _keep(self.note, note)
        translate(self.geis, self.model, self.translated, overwrite=True, **self.how)
        with open_artifact(self.translated, "gei") as artifact:
            own = ["embedding"] if "features/embedding" in artifact.names() else []
        evaluate(
            self.translated,
            protocol=self.protocol,
            features=["pixels", "lda", *own],
            truth=self.geis,
            output=self.results,
            threads=self.how["threads"],
        )
        if not self.keeps_images:
            self.translated.unlink()
        print(_line(self.results.stem, read_results(self.results)[0]), flush=True)

    def check(self) -> dict[str, Any]:
        """The note of a row that was begun: rows of one table have the same settings."""
        note: dict[str, Any] = json.loads(self.note.read_text(encoding="utf-8"))
        asked = json.loads(json.dumps(self.asked))
        if {name: note.get(name) for name in asked} != asked:
            raise OptionError(
                f"{self.note} was made with other settings.", hint="Give another --out."
            )
        return note

    def _note(self) -> dict[str, Any]:
        """What was decided about the row: kept, so that a stopped run goes on with it."""
        if self.note.exists():
            return self.check()
        iterations = self.training.get("iterations", TranslatorOptions().iterations)
        if self.minutes:
            iterations = max(1, int(60 * self.minutes / self._seconds_per_iteration()))
        note = self.asked | {
            "iterations": iterations,
            "samples": iterations * self.training.get("batch_size", TranslatorOptions().batch_size),
        }
        _keep(self.note, note)
        return note

    def _seconds_per_iteration(self) -> float:
        """Processor time: wall time would depend on what else the machine does."""
        geis = GeiSet.open(self.geis)
        people = split_subjects(self.protocol, geis.labels).train
        system = translator_class(self.system)
        options = TranslatorOptions(**{**self.training, "iterations": TRIAL[1]})
        geis = geis.of_subjects(people)
        decided = system.config_class.of_data(geis, options)
        config = system.config_class.from_parameters({**self.config, **decided})
        times: list[float] = []
        system(config, seed=self.seed, **self.how).fit(
            geis,
            callbacks=Callbacks(on_step=lambda step, total: times.append(process_time())),
            progress=False,
            **{**self.training, "iterations": TRIAL[1], "sample_every": 10**6},
        )
        return (times[-1] - times[TRIAL[0] - 1]) / (TRIAL[1] - TRIAL[0])


def tables(out: Path, data: Path | None) -> None:
    """Print one set of tables for each mode, and write a page of its first seed."""
    measured = [path for path in (out / "gei.h5", data) if path and path.suffix == ".h5"]
    raw = read_results(out / "results-raw.h5")
    for mode in MODES:
        rows = {
            (system, seed): path
            for system in SYSTEMS
            for seed, path in sorted(
                (int(path.stem.rpartition("-")[2]), path)
                for path in out.glob(f"results-{system}-{mode}-*.h5")
            )
        }
        if not rows:
            continue
        first = {system: path for (system, seed), path in reversed(rows.items())}
        first = {system: first[system] for system in SYSTEMS if system in first}
        print(f"== {mode} ==\n")
        print(_seeds_table(raw, rows, mode, out), end="\n\n")
        found = {system: read_results(path) for system, path in first.items()}
        for feature in ("pixels", "lda", "embedding"):
            _print_feature(raw, found, feature)
        print("by pixels, over the angle between the views\n")
        print(_angle_table({"raw": raw, **found}), end="\n\n")
        _write_page(out, mode, first, [path for path in measured if path.exists()][:1])


def _print_feature(
    raw: Sequence[EvaluationResult], found: dict[str, list[EvaluationResult]], feature: str
) -> None:
    base = [result for result in raw if result.feature == feature] or [raw[0]]
    rows = {"raw" if base[0].feature == feature else "raw, pixels": base[0]}
    for system, results in found.items():
        for result in results:
            if result.feature == feature:
                rows[system] = result
    if len(rows) < 2:
        return
    print(f"{feature}, first seed\n")
    print(summary_text(list(rows.values()), list(rows)), end="\n\n")
    print(differences_text(list(rows.values()), list(rows)), end="\n\n")


def _seeds_table(
    raw: Sequence[EvaluationResult], rows: dict[tuple[str, int], Path], mode: str, out: Path
) -> str:
    """Rank-1 by pixels and SSIM, mean over the seeds and half their range; what was trained."""
    sets = list(raw[0].tables)
    head = f"{'':<12}" + "".join(f"{name:>13.11}" for name in sets)
    lines = ["pixels, different views: mean over the seeds, half of their range"]
    lines.append(f"{head}{'SSIM':>8}{'seeds':>6}{'iterations':>13}{'samples':>9}{'s/iter':>7}")
    lines.append(_seed_line("raw", [raw[0]], sets, []))
    for system in dict.fromkeys(system for system, _ in rows):
        paths = [(seed, path) for (name, seed), path in rows.items() if name == system]
        results = [read_results(path)[0] for _, path in paths]
        notes = [
            json.loads((out / f"{system}-{mode}-{seed}.json").read_text(encoding="utf-8"))
            for seed, _ in paths
        ]
        lines.append(_seed_line(system, results, sets, notes))
    return "\n".join(lines)


def _seed_line(
    name: str,
    results: Sequence[EvaluationResult],
    sets: Sequence[str],
    notes: Sequence[dict[str, Any]],
) -> str:
    cells = ""
    for key in sets:
        rates = [figure.estimate for r in results if (figure := rank1_of(r, key)) is not None]
        half = (max(rates) - min(rates)) / 2
        cells += f"{statistics.mean(rates):7.1f} " + (
            f"±{half:<4.1f}" if len(rates) > 1 else " " * 5
        )
    ssim = [float(np.nanmean(r.quality.ssim)) for r in results if r.quality is not None]
    cells += f"{statistics.mean(ssim):8.3f}" if ssim else f"{'-':>8}"
    if not notes:
        return f"{name:<12}{cells}".rstrip()
    iterations = [note["iterations"] for note in notes]
    told = (
        f"{min(iterations)}-{max(iterations)}" if len(set(iterations)) > 1 else f"{iterations[0]}"
    )
    samples = statistics.mean(note["samples"] for note in notes)
    seconds = statistics.median(note["seconds"] / note["iterations"] for note in notes)
    return f"{name:<12}{cells}{len(results):6}{told:>13}{samples:9.0f}{seconds:7.3f}"


def _angle_table(found: dict[str, Sequence[EvaluationResult]]) -> str:
    lines = []
    for name in next(iter(found.values()))[0].tables:
        for index, (system, results) in enumerate(found.items()):
            angles, rates = rate_by_angle(results[0].tables[name])
            if index == 0:
                lines.append(f"{name:<14}" + "".join(f"{angle:6.0f}°" for angle in angles))
            lines.append(f"{system:<14}" + "".join(f"{rate:7.1f}" for rate in rates))
        lines.append("")
    return "\n".join(lines).rstrip()


def _write_page(out: Path, mode: str, first: dict[str, Path], measured: list[Path]) -> None:
    translated = {
        system: out / f"{path.stem.removeprefix('results-')}-translated.h5"
        for system, path in first.items()
    }
    translated = {system: path for system, path in translated.items() if path.exists()}
    geis = [*measured, *translated.values()]
    if measured:
        _draw(out, mode, translated, measured[0])
    page = out / f"report-{mode}.html"
    write_report([out / "results-raw.h5", *first.values()], page, geis=geis, overwrite=True)
    print(f"Wrote {page}.\n")


def _draw(out: Path, mode: str, files: dict[str, Path], truth: Path) -> None:
    """A few walks of two tested people: measured, by each system, and the true 90° normal walk."""
    with open_artifact(truth, "gei") as artifact:
        labels, measured = artifact.labels, artifact.read("gei")
    seen: set[str] = set()
    for path in files.values():
        with open_artifact(path, "gei") as artifact:
            seen |= {row.subject for row in artifact.trained_on}
    last = [name for name in labels.subjects() if name not in seen][-2:]
    wanted = [("nm", 0.0), ("nm", 54.0), ("bg", 36.0), ("cl", 90.0), ("cl", 144.0)]
    walks = [(name, condition, view) for name in last for condition, view in wanted]

    def row_of(name: str, condition: str, view: float) -> int | None:
        found = np.flatnonzero(
            (labels.subject == name) & (labels.condition == condition) & (labels.view == view)
        )
        return int(found[0]) if len(found) else None

    rows = [row_of(*walk) for walk in walks]
    shown = {"source": [None if row is None else measured[row] for row in rows]}
    for system, path in files.items():
        with open_artifact(path, "gei") as artifact:
            shown[system] = [
                None
                if row is None
                else np.rint(artifact.read_rows("gei", row, row + 1)[0]).astype(np.uint8)
                for row in rows
            ]
    true = [row_of(name, "nm", 90.0) for name, _, _ in walks]
    shown["truth"] = [None if row is None else measured[row] for row in true]
    sheet = contact_sheet(
        list(shown.values()),
        rows=list(shown),
        columns=[f"{condition} {view:g}°" for _, condition, view in walks],
        title=f"{mode}: people {' and '.join(last)}, whom no system has seen",
    )
    save_png(out / f"translators-{mode}.png", sheet)


def _line(name: str, result: EvaluationResult) -> str:
    figures: Iterable[Any] = (rank1_of(result, key) for key in result.tables)
    rates = "  ".join(f"{figure.estimate:5.1f}" for figure in figures if figure is not None)
    return f"{name:<32}{rates}"


if __name__ == "__main__":
    sys.exit(main())
