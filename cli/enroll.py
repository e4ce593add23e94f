"""`gaitkit enroll`: put people, or more of their walks, into a gallery of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.answers import dropped_json
from gaitkit.cli.frames import segmentation_of
from gaitkit.printable import LETTERS, counted, printable

_CONSENT = (
    "The way somebody walks is personal: enrol only who has agreed to it, and tell them that "
    "--remove NAME takes them out again."
)


@click.command(
    "enroll",
    short_help="Put people into a gallery, or take them out.",
)
@click.argument("gallery", metavar="GALLERY", type=options.FILE)
@click.argument("new", metavar="[NEW]...", type=options.INPUT, nargs=-1)
@click.option("--subject", metavar="NAME", help="Who all walks of NEW are.")
@click.option(
    "--remove",
    multiple=True,
    metavar="NAME",
    help="Take this person out first, with all walks. May be repeated.",
)
@click.option("--view", type=float, help="Camera angle of videos, degrees.  [default: not known]")
@click.option(
    "--model",
    type=options.INPUT_FILE,
    help="The embedder, or translator, that the gallery is made with; its digest is compared.",
)
@click.option(
    "--mirror",
    type=click.Choice(["none", "view", "track"]),
    default="track",
    help="Of a new gallery that is made of videos or frames: track turns everybody to walk to the "
    "right, and probes alike.",
)
@options.segmentation_options
@options.any_segmenter
@options.workers
@options.device
@options.json_output
@options.verbosity
def command(gallery: Path, new: tuple[Path, ...], as_json: bool, **how: Any) -> None:
    """Put all walks of NEW into GALLERY, which is made where there is none.

    NEW are videos (of one person, with --subject), folders with a folder for each person, or
    whatever else gaitkit make-gei reads; GEIs are made of them as those of the gallery were. Or
    they are GEI artefacts or identity embeddings, made by the same options and, when translated or
    embedded, by the same model. Nobody is enrolled twice. GALLERY is replaced when everything is
    written, and readable by its owner alone.
    """
    from gaitkit.stages.enroll import enrol

    if not new and not how["remove"]:
        raise click.UsageError("Give NEW walks, or somebody to --remove.")
    how["segmenter"] = segmentation_of(how)
    with console.progress("enroll", "sequences") as progress:
        done = enrol(gallery, *new, progress=progress, **how)
    if as_json:
        left_out = {"dropped": dropped_json(done["dropped"])}
        console.print_json({"gallery": str(gallery), **done, **left_out})
        return
    if done["made"]:
        console.say(_CONSENT)
    if done["removed"]:
        names = ", ".join(printable(name, LETTERS) for name in how["remove"][:5])
        console.say(f"Removed {counted(done['removed'], 'sequence')} of {names}.")
    if not done["added"]:
        if done["removed"]:
            console.say(_holds(gallery, done))
        return
    called = [printable(name, LETTERS) for name in done["new_subjects"][:5]]
    names = ", ".join(called) + (", …" if len(done["new_subjects"]) > 5 else "")
    start = f"Made {gallery} of" if done["made"] else "Added"
    console.say(
        f"{start} {counted(done['added'], 'sequence')}"
        + ("" if done["made"] else f" to {gallery}")
        + (f", new people: {names}" if names else "")
        + f". {_holds(None, done)}"
    )


def _holds(gallery: Path | None, done: dict[str, Any]) -> str:
    walks = counted(done["sequences"], "sequence")
    return f"{gallery or 'It'} holds {walks} of {counted(done['subjects'], 'person')}."
