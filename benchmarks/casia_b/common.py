"""What the scripts of this folder share: options, doing what is missing, and differences.

The data is frames, silhouettes.h5, ready-made GEIs, GEIs measured (gei.h5: a model is trained) or
translated (they are only evaluated). Everything is kept in the folder --out; the same command again
does only what is missing.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from math import isnan
from pathlib import Path

from gaitkit.artifacts import open_artifact
from gaitkit.errors import GaitkitError
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.results import EvaluationResult
from gaitkit.parallel import available_cores
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.run import PipelineOptions, run_pipeline
from gaitkit.stages.workshop import Workshop

TAKEN_AS_FIXED = (
    "In brackets: 95 % intervals over our people; the published figures are taken as fixed. "
    "They are\nof CASIA-B: on other data a difference says nothing."
)


def run(description: str, protocol: str, show: Callable[[Path, argparse.Namespace], None]) -> int:
    """Parse the command line, make translated GEIs where they are missing, show what they give.

    Parameters
    ----------
    description : str
        The script's docstring.
    protocol : str
        Of the published table.
    show : callable
        Gets the translated GEIs and the options.

    Returns
    -------
    int
        Exit code: 0 when everything ran, whatever the figures.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="frames, silhouettes.h5, or GEIs of any kind")
    parser.add_argument("--out", type=Path, default=Path(protocol))
    parser.add_argument("--protocol", default=protocol, help="another one for a trial run")
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
    try:
        show(translated(given), given)
    except GaitkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def translated(given: argparse.Namespace) -> Path:
    """The translated GEIs: the data itself, or what the pipeline makes of it."""
    if given.data.suffix == ".h5":
        with open_artifact(given.data, kind=("gei", "silhouettes")) as artifact:
            if "translator" in artifact.parameters:
                return Path(given.data)
    options = PipelineOptions(
        protocol=given.protocol,
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
    workshop = Workshop(given.out)
    run_pipeline(given.data, workshop, options)
    return workshop.path("translated.h5")


def identified(
    path: Path, given: argparse.Namespace, probe_view: float | None = None
) -> EvaluationResult:
    """As the paper does: pixels, Euclidean distance, nearest neighbour."""
    return evaluate(path, protocol=given.protocol, probe_view=probe_view)[0]


def beside(ours: Interval | None, published: float | None) -> str:
    """Ours with its interval, the published figure, and the difference with its interval."""
    if ours is None or isnan(ours.estimate):
        return f"{'-':>6}{'':17}{_rate(published):>8}"
    text = f"{ours.estimate:6.1f}{_span(ours, '.1f'):>17}{_rate(published):>8}"
    if published is None:
        return text
    gap = Interval(*(value - published for value in ours))
    return f"{text}{gap.estimate:+8.1f}{_span(gap, '+.1f'):>19}"


HEAD = f"{'ours':>6}{'':17}{'paper':>8}{'diff.':>8}"
"""Names of the columns of `beside`."""


def _span(figure: Interval, form: str) -> str:
    return "" if isnan(figure.low) else f"({figure.low:{form}} to {figure.high:{form}})"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
