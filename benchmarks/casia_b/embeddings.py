r"""Raw GEIs, LDA, translations and embeddings under one protocol: rates, intervals, one page.

    python benchmarks/casia_b/embeddings.py DATA --out results/
    python benchmarks/casia_b/embeddings.py DATA --out results/ --seeds 0 1 \
        --protocol benchmarks/casia_b/casia-b-42-20.toml
    python benchmarks/casia_b/embeddings.py DATA --out results/ --embedders gei-parts \
        gaitset-small --translators best --width 32 --batch-size 32 --iterations 3000

Embedders are named by system or recipe and trained as these say; translators by recipe, at the
size and length that are given, and only where any are asked for (--translators). What embeds sets
of silhouettes needs frames or silhouettes.h5 as DATA; GEIs are enough for all else.

Differences are paired over people, against PCA + LDA of raw GEIs by cosine: what needs no network.
What is finished is kept in --out and not done again.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from gaitkit.artifacts import open_artifact
from gaitkit.embedders.recipes import EMBEDDER_RECIPES, choose_embedder
from gaitkit.embedders.registry import describe_embedder, embedder_names
from gaitkit.errors import GaitkitError
from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.results import EvaluationResult, read_results
from gaitkit.identification.tables import differences_text, summary_text, title
from gaitkit.protocols import Protocol, default_protocol, get_protocol
from gaitkit.reporting.page.document import write_report
from gaitkit.stages.embed import embed
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.run import PipelineOptions, measured_geis, measured_silhouettes
from gaitkit.stages.train import carry_out, plan_training
from gaitkit.stages.train_embedding import plan_embedding
from gaitkit.stages.workshop import Workshop
from gaitkit.translators import translate
from gaitkit.translators.recipes import RECIPES

BASE = "raw, LDA, cosine"


def main() -> int:
    """Do what is missing, then print the tables and write the page."""
    given = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        rows, pages = fill(given)
        tables(rows)
        _write_page(given.out, pages)
    except GaitkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="frames, silhouettes.h5 or measured GEIs")
    parser.add_argument("--out", type=Path, required=True, help="the folder of all that is made")
    parser.add_argument("--protocol", help="name or file  [default: as gaitkit train-embedding]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the embedders")
    known = [*embedder_names(), *EMBEDDER_RECIPES]
    parser.add_argument("--embedders", nargs="*", choices=known, default=["gei-parts"])
    parser.add_argument("--translators", nargs="*", choices=list(RECIPES), default=[])
    group = parser.add_argument_group("translators")
    group.add_argument("--width", type=int)
    group.add_argument("--batch-size", type=int)
    group.add_argument("--iterations", type=int)
    parser.add_argument("--embedder-iterations", type=int, help="for a trial run")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


Rows = dict[str, list[EvaluationResult]]


def fill(given: argparse.Namespace) -> tuple[Rows, list[Path]]:
    """Make what is missing: results by row, one for each seed, and the files for the page."""
    given.out.mkdir(parents=True, exist_ok=True)
    geis = measured_geis(given.data, Workshop(given.out), PipelineOptions())
    with open_artifact(geis, "gei") as artifact:
        labels = artifact.labels
    protocol = get_protocol(given.protocol or default_protocol(labels, trains=True))
    rows: Rows = {}
    pages: list[Path] = []

    def compare(path: Path, name: str, asked: Sequence[tuple[str | None, str | None, str]]) -> None:
        """Evaluate one file by several features and metrics, each of them a row."""
        for number, (feature, metric, label) in enumerate(asked):
            output = given.out / f"results-{name}-{number}.h5"
            evaluate(path, protocol=protocol, features=feature, metrics=metric, output=output)
            rows.setdefault(label, []).append(read_results(output)[0])
            pages.append(output)

    compare(
        geis,
        "raw",
        [
            ("pixels", "euclidean", "raw, pixels"),
            ("lda", "euclidean", "raw, LDA"),
            ("lda", "cosine", BASE),
        ],
    )
    for recipe in given.translators:
        translated = _translated(given, geis, protocol, recipe)
        compare(
            translated,
            recipe,
            [
                ("pixels", "euclidean", f"{recipe}, pixels"),
                ("lda", "cosine", f"{recipe}, LDA, cosine"),
            ],
        )
    for name in given.embedders:
        for seed in given.seeds:
            embedded = _embedded(given, geis, protocol, name, seed)
            compare(embedded, f"{name}-{seed}", [(None, None, name)])
    return rows, pages


def _translated(given: argparse.Namespace, geis: Path, protocol: Protocol, recipe: str) -> Path:
    model, output = given.out / f"{recipe}.h5", given.out / f"{recipe}-translated.h5"
    sizes = {"iterations": given.iterations, "batch_size": given.batch_size}
    plan = plan_training(
        geis,
        model,
        protocol=protocol,
        recipe=recipe,
        config={} if given.width is None else {"width": given.width},
        training={name: value for name, value in sizes.items() if value is not None},
        device=given.device,
        precision=given.precision,
        threads=given.threads,
    )
    with _timed(recipe, model):
        carry_out(plan)
    translate(geis, model, output, device=given.device, threads=given.threads)
    return output


def _embedded(
    given: argparse.Namespace, geis: Path, protocol: Protocol, name: str, seed: int
) -> Path:
    recipe = name if name in EMBEDDER_RECIPES else None
    system = None if recipe else name
    source, reader = geis, choose_embedder(system, recipe, "gei").system
    if describe_embedder(reader).reads == "silhouettes":
        source = measured_silhouettes(given.data, Workshop(given.out), PipelineOptions(), reader)
    model, output = given.out / f"{name}-{seed}.h5", given.out / f"{name}-{seed}-embedded.h5"
    short = {} if given.embedder_iterations is None else {"iterations": given.embedder_iterations}
    plan = plan_embedding(
        source,
        model,
        protocol=protocol,
        system=system,
        recipe=recipe,
        training={"seed": seed, **short},
        device=given.device,
        precision=given.precision,
        threads=given.threads,
    )
    with _timed(f"{name}, seed {seed}", model):
        carry_out(plan)
    with _timed(f"{name}, seed {seed}: embedding", output):
        embed(source, model, output, device=given.device, threads=given.threads)
    return output


@contextmanager
def _timed(what: str, output: Path) -> Iterator[None]:
    """Say how long a step took that was not done before."""
    was_there, began = output.exists(), perf_counter()
    yield
    if not was_there:
        print(f"{what}: {(perf_counter() - began) / 60:.1f} minutes", file=sys.stderr, flush=True)


def tables(rows: Rows) -> None:
    """Print rates of the first seed with intervals, means over the seeds, paired differences."""
    first = {name: results[0] for name, results in rows.items()}
    print(title(first[BASE]), end="\n\n")
    print(summary_text(list(first.values()), list(first)), end="\n\n")
    several = {name: results for name, results in rows.items() if len(results) > 1}
    if several:
        print(_seeds_text(several), end="\n\n")
    order = [BASE, *(name for name in first if name != BASE)]
    print(differences_text([first[name] for name in order], order))


def _seeds_text(rows: Rows) -> str:
    """Rank-1 over different views: the mean over the seeds, and each."""
    sets = list(next(iter(rows.values()))[0].tables)
    lines = ["mean over the seeds, and each seed"]
    for name, results in rows.items():
        cells = []
        for key in sets:
            rates = [figure.estimate for one in results if (figure := rank1_of(one, key))]
            each = " ".join(f"{rate:.1f}" for rate in rates)
            cells.append(f"{key} {statistics.mean(rates):5.1f} ({each})")
        lines.append(f"{name:<24}" + "   ".join(cells))
    return "\n".join(lines)


def _write_page(out: Path, results: Iterable[Path]) -> None:
    path = out / "report.html"
    write_report([str(one) for one in results], path, overwrite=True)
    print(f"\nPage: {path}")


if __name__ == "__main__":
    sys.exit(main())
