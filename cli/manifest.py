"""`gaitkit manifest`: how the names of a data set are read, as a table to correct."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import layout_option
from gaitkit.printable import counted


@click.command("manifest", short_help="List a folder's sequences as a table to correct.")
@click.argument("frames", type=options.INPUT)
@click.option(
    "-o",
    "--output",
    type=options.FILE,
    help="Write the table there, its paths relative to it.  [default: stdout, paths relative to "
    "the current folder]",
)
@layout_option
@options.overwrite
@options.verbosity
def command(frames: Path, output: Path | None, layout: str | None, overwrite: bool) -> None:
    """Print how the names in FRAMES are read: path, subject, condition, take and view.

    FRAMES is a folder in any layout that make-gei reads, its frames loose or in videos. Correct
    the table where it is wrong, and give it to make-gei or normalize: gaitkit manifest people/ >
    people.csv, then gaitkit make-gei --manifest people.csv -o gei.h5
    """
    from gaitkit.datasets.layouts import open_source
    from gaitkit.datasets.manifest_of import manifest_of
    from gaitkit.outputs import Output

    source = open_source(frames, layout=layout)
    left = False
    if output is None:
        made = manifest_of(source)
        console.print_text(made.text.rstrip("\n"))
    else:
        with Output(
            output,
            overwrite=overwrite,
            inputs=[frames],
            other_than_artefact=("a table in CSV", "people.csv"),
        ) as claim:
            source.pass_over(claim.path)
            made = manifest_of(source, claim.path.parent)
            content = made.text.encode()
            left = claim.taken and claim.path.read_bytes() == content
            if not left:
                claim.refuse_existing()
                with claim.writing() as file:
                    file.write(content)
    console.say(source.recognised)
    if source.folders_passed_over:
        console.say(f"Passed over: {source.folders_passed_over}")
    if made.empty:
        console.say(f"Left out {counted(made.empty, 'sequence')} without a frame.")
    if output is not None:
        wrote = "" if left else "Wrote "
        console.say(f"{wrote}{output}: {counted(made.rows, 'sequence')}.")
