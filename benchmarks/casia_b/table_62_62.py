"""GaitGAN's cross-view tables under the 62/62 protocol, ours beside the paper's.

    python benchmarks/casia_b/table_62_62.py GaitDatasetB-silh.zip --out casia-b-62-62/

The data is anything that `gaitkit make-gei` reads, with subjects 001-124. Everything is kept in the
folder; the same command again does only what is missing. The defaults train the paper's network
for 24,000 iterations: take a GPU, or smaller --width and --iterations.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from gaitkit.datasets.published import published_system
from gaitkit.errors import GaitkitError
from gaitkit.identification.overview import summary_text
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.tables import results_text
from gaitkit.parallel import available_cores
from gaitkit.workflow import PipelineOptions, run_pipeline
from gaitkit.workshop import Workshop


def beside_published(result: EvaluationResult) -> str:
    """Mean rank-1 per probe view, ours and the paper's, and the difference."""
    paper = published_system("gaitgan")
    lines = [
        "Mean rank-1 over different gallery views, per cent.",
        f"Ours: {result.dataset}. The paper: published, CASIA-B.",
    ]
    for name, table in result.tables.items():
        lines.append(f"{name:<6}{'ours':>8}{'paper':>8}{'diff.':>8}")
        for view, mean in table.per_probe_view().items():
            lines.append(_row(f"{view:03.0f}", mean, paper.mean_at_probe_view(name, view)))
        headline = paper.mean_excluding_identical(name)
        lines.append(_row("mean", table.mean_excluding_identical, headline))
    return "\n".join(lines)


def _row(label: str, ours: float | None, theirs: float | None) -> str:
    cells = [f"{'-':>8}" if value is None else f"{value:8.1f}" for value in (ours, theirs)]
    gap = "" if ours is None or theirs is None else f"{ours - theirs:+8.1f}"
    return f"{label:<6}{''.join(cells)}{gap}".rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="frames, silhouettes.h5 or ready-made GEIs")
    parser.add_argument("--out", type=Path, default=Path("casia-b-62-62"))
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=24_000)
    parser.add_argument("--alignment", choices=["person", "opengait"], default="person")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = PipelineOptions(
        protocol="casia-b-62-62",
        silhouettes={"alignment": given.alignment},
        config={"width": given.width},
        training={
            "iterations": given.iterations,
            "batch_size": given.batch_size,
            "seed": given.seed,
        },
        device=given.device,
        precision=given.precision,
        threads=given.threads,
        workers=given.workers,
    )
    try:
        results = run_pipeline(given.data, Workshop(given.out), options)
    except GaitkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    translated = next(r for name, r in results if name == "translated" and r.feature == "pixels")
    print(results_text(translated), end="\n\n")
    print(beside_published(translated), end="\n\n")
    names = [f"{name}, {result.feature}" for name, result in results]
    print(summary_text([result for _, result in results], names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
