"""`gaitkit export`: an artefact's images for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.selection import selection


@click.command("export", short_help="GEIs or silhouettes as PNGs or .npz.")
@click.argument("artifact", type=options.INPUT_FILE)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder for PNGs by CASIA-B name, or a file that ends in .npz.",
)
@selection
@options.overwrite
@options.verbosity
def command(
    artifact: Path,
    output: Path,
    subjects: tuple[str, ...],
    conditions: tuple[str, ...],
    views: tuple[float, ...],
    overwrite: bool,
) -> None:
    """Write GEIs or silhouettes as PNGs by CASIA-B name, or as one .npz.

    GEIs become OUTPUT/001/nm-01/001-nm-01-090.png, silhouettes
    OUTPUT/001/nm-01/090/001-nm-01-090-001.png: folders that gaitkit make-gei reads again.
    """
    from gaitkit.artifacts import open_artifact
    from gaitkit.cli.selection import choose
    from gaitkit.reporting.export import export_folder, export_npz

    with open_artifact(artifact, ("gei", "silhouettes"), guarded=True) as opened:
        chosen = choose(opened.labels, subjects, conditions, views)
        if output.suffix == ".npz":
            export_npz(opened, chosen, output, overwrite=overwrite)
            console.say(f"Wrote {output}: {len(chosen):,} sequences.")
        else:
            count = export_folder(opened, chosen, output, overwrite=overwrite)
            console.say(f"Wrote {count:,} images into {output}.")
