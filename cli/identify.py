"""`gaitkit identify`: who is this? Names and distances from a gallery of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.answers import answers_json, explain


@click.command("identify", short_help="Name the people in GEIs.")
@click.argument("probe", metavar="PROBE", type=options.INPUT_FILE)
@click.option("--gallery", type=options.INPUT_FILE, required=True, help="Known people.")
@click.option("--top", type=click.IntRange(min=1), default=5, help="People listed for each probe.")
@click.option(
    "--threshold", type=float, help="A probe that is further than this from everybody is unknown."
)
@options.fpir
@options.calibration
@click.option(
    "--feature",
    help="What is compared: pixels, or one that was fitted for the results of --calibration.  "
    "[default: pixels; vectors of an embedding]",
)
@click.option(
    "--metric",
    type=options.METRIC,
    help="How distance is measured.  [default: euclidean; of lda cosine; of an embedding the one "
    "that its embedder names]",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    help="Where matrices are multiplied; the result does not depend on it.",
)
@options.any_segmenter
@options.json_output
@options.verbosity
def command(probe: Path, gallery: Path, as_json: bool, **how: Any) -> None:
    """Find the nearest people of GALLERY for each sequence of PROBE.

    Both are GEI artefacts or identity embeddings made in the same way (make-gei, and translate or
    embed with the same model).
    All walks and views of the gallery are searched together. Without --fpir or --threshold
    everybody gets a name, strangers too.
    """
    from gaitkit.stages.identify import identify

    found = identify(probe, gallery, **how)
    if as_json:
        console.print_json(answers_json(found))
        return
    if found.answers:
        console.print_text(found.table())
    explain(found)
