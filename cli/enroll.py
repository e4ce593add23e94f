"""`gaitkit enroll`: put more people, or more of their walks, into a gallery of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options


@click.command("enroll", short_help="Add people to a gallery.")
@click.argument("gallery", metavar="GALLERY", type=options.FILE)
@click.argument("new", metavar="NEW", type=options.INPUT_FILE)
@options.any_segmenter
@options.json_output
@options.verbosity
def command(gallery: Path, new: Path, any_segmenter: bool, as_json: bool) -> None:
    """Add all sequences of NEW to GALLERY: GEI artefacts, or identity embeddings.

    Both must have been made by the same options and, when translated or embedded, by the same
    model. A sequence that is enrolled already is refused. GALLERY is replaced when everything is
    written; where there is none it is made, readable by its owner alone.
    """
    from gaitkit.stages.enroll import enrol

    made = not gallery.exists()
    done = enrol(gallery, new, any_segmenter=any_segmenter)
    if as_json:
        console.print_json({"gallery": str(gallery), **done})
        return
    if not done["added"]:
        return
    names = ", ".join(done["new_subjects"][:5]) + (", …" if len(done["new_subjects"]) > 5 else "")
    start = f"Made {gallery} of" if made else "Added"
    console.say(
        f"{start} {done['added']} sequence{'' if done['added'] == 1 else 's'}"
        + ("" if made else f" to {gallery}")
        + (f", new people: {names}" if names else "")
        + f". It holds {done['sequences']} of {done['subjects']} people."
    )
