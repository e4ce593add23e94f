"""`gaitkit evaluate`: who is it? Cross-view identification rates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gaitkit.cli import console, options

if TYPE_CHECKING:
    from gaitkit.protocols import Protocol


_log = logging.getLogger(__name__)


def _numbers(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    """Numbers with commas between them."""
    if text is None:
        return None
    try:
        return tuple(float(item) for item in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not numbers with commas between them, such as 0.9,0.1."
        ) from None


def _refuse_twice(geis: Sequence[Path]) -> None:
    """Refuse an artefact beside itself, and warn of one beside its copy.

    Raises
    ------
    click.UsageError
        The same file is given twice.
    """
    from gaitkit.stages.workshop import content_of

    for place, path in enumerate(geis):
        for earlier in geis[:place]:
            if path.samefile(earlier):
                raise click.UsageError(
                    f"{path} is given twice, and nothing differs from itself: give each artefact "
                    "once."
                )
            # Digests are asked only of what could be a copy.
            as_long = path.stat().st_size == earlier.stat().st_size
            if as_long and content_of(path) == content_of(earlier):
                _log.warning(
                    "%s holds the same as %s: nothing will differ between them", path, earlier
                )


@click.command("evaluate", short_help="Identify people across views.")
@click.argument("geis", type=options.INPUT_FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=options.FILE,
    help="Also write the results as an artefact (one input, or several with --fuse).",
)
@options.protocol
@click.option(
    "--probe-view", type=float, help="Only this probe view, with published figures beside it."
)
@click.option(
    "--matrices",
    is_flag=True,
    help="Print every figure and the rate of each pair of views, 100 columns wide.",
)
@options.feature
@options.metric
@click.option(
    "--k",
    type=click.IntRange(1, 1000),
    default=1,
    help="Nearest gallery rows that vote for a person; 1 is the nearest neighbour.",
)
@click.option(
    "--fuse",
    is_flag=True,
    help="Match the given artefacts together instead of side by side: their normalised distances "
    "are added, with weights from the training people. A walk that one has left out is left out of "
    "all.",
)
@click.option(
    "--weights",
    metavar="W,W,…",
    callback=_numbers,
    help="With --fuse: how much each artefact weighs, such as 0.9,0.1. The training people would "
    "weigh a model too much that was trained on them.",
)
@click.option(
    "--count-failures",
    is_flag=True,
    help="Count probes that were dropped before matching as errors.",
)
@click.option(
    "--rounding",
    type=click.Choice(["none", "opengait"]),
    default="none",
    help="opengait rounds each cell before averaging, as that toolkit does.",
)
@click.option(
    "--rank-by",
    type=click.Choice(["people", "rows"]),
    default="people",
    help="What rank-5 and the CMC count: people by their nearest row (ISO/IEC 19795-1), or gallery "
    "rows, as torchreid and OpenGait do.",
)
@click.option(
    "--truth",
    type=options.INPUT_FILE,
    help="The measured GEIs behind a translated input: adds SSIM and mean absolute error.",
)
@click.option(
    "--answers",
    type=options.FILE,
    metavar="FILE.csv",
    help="Write whom each probe is taken for, videoId,rank1,…,rank20 (GREW's form); also of probes "
    "whose people nobody knows.",
)
@options.seed
@options.overwrite
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json", "markdown", "latex"]),
    default="text",
    help="How to print the results.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@options.verbosity
def command(
    geis: tuple[Path, ...],
    output: Path | None,
    protocol: Protocol | str | None,
    probe_view: float | None,
    matrices: bool,
    features: tuple[str, ...],
    metrics: tuple[str, ...],
    k: int,
    fuse: bool,
    weights: tuple[float, ...] | None,
    count_failures: bool,
    rounding: str,
    rank_by: str,
    truth: Path | None,
    answers: Path | None,
    seed: int,
    overwrite: bool,
    form: str,
    as_json: bool,
) -> None:
    """Identify the tested people by their nearest neighbour, across views.

    For each pair of views the probes of one are matched against the gallery of the other alone;
    the headline is the mean without identical views. A probe whose person is absent from a
    gallery view counts as an error. People whom a model has seen are refused. GEIS are GEI
    artefacts or identity embeddings; several (gei.h5 translated.h5 embedded.h5) are evaluated side
    by side, or together with --fuse. Intervals are of 95 % over people, by bootstrap. The headline
    is printed in 80 columns, all the rest with --matrices.
    """
    from gaitkit.identification.evaluation import EvaluationResults
    from gaitkit.identification.formats import FORMATS, to_json
    from gaitkit.stages.evaluate import evaluate

    if output is not None and len(geis) > 1 and not fuse:
        raise click.UsageError(
            "-o takes the results of one input; give one GEIS, fuse them, or leave -o out."
        )
    if fuse and len(geis) < 2:
        raise click.UsageError(
            "--fuse puts several artefacts together, and there is one only: give GEIs and what was "
            "made of them, or leave --fuse out."
        )
    if weights is not None and not fuse:
        raise click.UsageError("--weights are those of --fuse, which was not given.")
    if answers is not None and len(geis) > 1 and not fuse:
        raise click.UsageError("--answers are of one input; give one GEIS, or fuse them.")
    _refuse_twice(geis)
    wrote = None if output is None else console.writing(output)
    with console.said_once():
        results = EvaluationResults(
            result
            for path, *others in ([geis] if fuse else [(path,) for path in geis])
            for result in evaluate(
                path,
                fuse_with=others,
                weights=weights,
                k=k,
                count_failures=count_failures,
                rounding=rounding,
                rank_by=rank_by,
                protocol=protocol,
                features=features or None,
                metrics=metrics or None,
                probe_view=probe_view,
                truth=truth,
                output=output,
                answers=answers,
                overwrite=overwrite,
                seed=seed,
            )
        )
    if not results:
        # Nobody knows the probes' people: there are answers only.
        if as_json or form == "json":
            console.print_json({"results": [], "answers": str(answers)})
        else:
            console.say(f"Wrote {answers}.")
        return
    if as_json or form == "json":
        console.print_json(to_json(results))
    elif form in FORMATS:
        console.print_text(FORMATS[form](results))
    else:
        console.print_text(results.table(probe_view=probe_view, matrices=matrices))
        if not matrices:
            console.say("Every figure, and the rate of each pair of views: add --matrices.")
    if wrote is not None:
        wrote(".")
