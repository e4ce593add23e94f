"""`gaitkit who`: from a video, or from a folder, to names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.answers import answers_json, explain
from gaitkit.cli.frames import segmentation_of
from gaitkit.printable import printable

if TYPE_CHECKING:
    from gaitkit.identification.gallery import Answer, Identification


@click.command(
    "who",
    short_help="Say who walks in a video.",
)
@click.argument("source", metavar="SOURCE", type=options.INPUT)
@click.option("--gallery", type=options.INPUT_FILE, required=True, help="Known people.")
@options.fpir
@click.option(
    "--threshold", type=float, help="Whoever is further than this from everybody is unknown."
)
@options.calibration
@click.option(
    "--model",
    type=options.INPUT_FILE,
    help="The embedder or translator that the gallery was made with; its digest is compared.",
)
@click.option(
    "--annotate",
    type=options.FILE,
    metavar="OUT.mp4",
    help="Also write the video with a box, the name and the distance at each person; unknown "
    "people are grey.",
)
@options.segmentation_options
@options.any_segmenter
@options.workers
@options.device
@options.overwrite
@options.json_output
@options.verbosity
def command(source: Path, gallery: Path, as_json: bool, **how: Any) -> None:
    """Say who walks in SOURCE: one line for each walk, a name of GALLERY or "unknown".

    SOURCE is a video, a folder of videos, or whatever gaitkit make-gei reads; it is worked through
    as the gallery was. Without --fpir or --threshold everybody gets a name, strangers too.
    """
    from gaitkit.stages.who import who

    how["segmenter"] = segmentation_of(how)
    wrote = None if how["annotate"] is None else console.writing(how["annotate"])
    with console.progress("who", "sequences") as progress:
        found, labels = who(source, gallery, progress=progress, **how)
    if wrote is not None:
        wrote(".")
    if as_json:
        told = answers_json(found)
        for probe, label in zip(told["probes"], labels, strict=True):
            probe["label"] = label
        console.print_json(told)
        return
    for answer, label in zip(found.answers, labels, strict=True):
        console.print_line(f"{printable(label)}: {_line(found, answer)}")
    explain(found)


def _line(found: Identification, answer: Answer) -> str:
    nearest = answer.candidates[0]
    near = printable(nearest.name)
    line = near if answer.name is not None else f"unknown, nearest is {near}"
    line += f", distance {nearest.distance:.4g}"
    return line if found.own is None else f"{line} ({found.own.nearer(nearest.distance)})"
