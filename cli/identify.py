"""`gaitkit identify`: who is this? Names and distances from a gallery of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options

if TYPE_CHECKING:
    from gaitkit.identification.gallery import Identification
    from gaitkit.labels import SequenceKey


@click.command("identify", short_help="Name the people in GEIs.")
@click.argument("probe", metavar="PROBE", type=options.INPUT_FILE)
@click.option("--gallery", type=options.INPUT_FILE, required=True, help="Known people.")
@click.option("--top", type=click.IntRange(min=1), default=5, help="People listed for each probe.")
@click.option(
    "--threshold", type=float, help="A probe that is further than this from everybody is unknown."
)
@click.option(
    "--fpir",
    type=float,
    help="Choose the threshold that at most this share of strangers passes; needs --calibration.",
)
@click.option(
    "--calibration",
    type=options.INPUT_FILE,
    help="Results of gaitkit evaluate on GEIs that were made in the same way.",
)
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
@options.json_output
@options.verbosity
def command(probe: Path, gallery: Path, as_json: bool, **how: Any) -> None:
    """Find the nearest people of GALLERY for each sequence of PROBE.

    Both are GEI artefacts or identity embeddings made in the same way (make-gei, and translate or
    embed with the same model).
    All walks and views of the gallery are searched together.
    """
    from gaitkit.stages.identify import identify

    found = identify(probe, gallery, **how)
    if as_json:
        console.print_json(_json(found))
        return
    if found.answers:
        console.print_text(found.table())
    if found.embedder is not None and not found.embedder.known:
        console.say(f"Embedded by {found.embedder.title}: nobody knows whom it was trained on.")
    if found.threshold is not None:
        unknown = sum(answer.name is None for answer in found.answers)
        console.say(
            f"{unknown} of {len(found.answers)} unknown: further than {found.threshold:.6g} from "
            f"all {found.people} people."
        )


def _json(found: Identification) -> dict[str, Any]:
    return {
        "feature": found.feature,
        "metric": found.metric,
        "threshold": found.threshold,
        "people": found.people,
        **_embedder(found),
        "probes": [
            {
                **_key(answer.probe),
                "name": answer.name,
                "candidates": [
                    {**_key(candidate.sequence), "distance": candidate.distance}
                    for candidate in answer.candidates
                ],
            }
            for answer in found.answers
        ],
    }


def _embedder(found: Identification) -> dict[str, Any]:
    if found.embedder is None:
        return {}
    known = "known" if found.embedder.known else "unknown"
    return {"embedder": found.embedder.as_parameters() | {"trained_on": known}}


def _key(key: SequenceKey) -> dict[str, Any]:
    return dict(key._asdict())
