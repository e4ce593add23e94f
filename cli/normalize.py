"""`gaitkit normalize`: frames to normalised silhouettes."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import (
    describe_source,
    manifest_option,
    one_source,
    report_stage,
    silhouette_choice,
)


@click.command("normalize", short_help="Clean, crop and align silhouettes.")
@click.argument("frames", type=options.INPUT, required=False)
@options.output("The silhouettes artefact to write.")
@manifest_option
@options.silhouette_options
@click.option("--name", help="Name of the data set.  [default: the folder's or archive's name]")
@options.workers
@options.dry_run
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    frames: Path | None,
    output: Path,
    manifest: Path | None,
    alignment: str,
    size: tuple[int, int],
    keep_cut: bool,
    name: str | None,
    workers: int,
    dry_run: bool,
    restart: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Normalise silhouettes: clean, crop, align, resize.

    FRAMES is a folder in CASIA-B's layout (subject/sequence/view/*.png), a zip or tar of one, or
    CASIA-B's own zip of tar.gz; archives are read in place. A stopped run continues when the same
    command is given again.
    """
    from gaitkit.artifacts import free_to_write
    from gaitkit.stages.normalize import normalize

    free_to_write(output, overwrite=overwrite)
    source = one_source(frames, manifest, name)
    chosen = silhouette_choice(alignment, size, keep_cut)
    if dry_run:
        describe_source(source, output, as_json=as_json)
        return
    with console.progress("normalize", "units") as progress:
        summary = normalize(
            source,
            output,
            chosen,
            workers=workers,
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    report_stage(output, summary, "silhouettes", as_json=as_json)
