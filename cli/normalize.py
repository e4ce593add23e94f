"""`gaitkit normalize`: frames to normalised silhouettes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import (
    describe_source,
    layout_option,
    manifest_option,
    one_input,
    reading_of,
    refuse_unused_reading,
    report_stage,
    silhouette_fields,
    telling_dropped,
)

if TYPE_CHECKING:
    from gaitkit.cluster import Cluster


@click.command("normalize", short_help="Clean, crop and align silhouettes.")
@click.argument("frames", type=options.INPUT, required=False)
@options.output("The silhouettes artefact to write.")
@manifest_option
@layout_option
@options.silhouette_options
@options.video_options
@click.option("--name", help="Name of the data set.  [default: the folder's or archive's name]")
@options.workers
@options.cluster
@options.dropped_report
@options.dry_run
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    frames: Path | None,
    output: Path,
    manifest: Path | None,
    layout: str | None,
    name: str | None,
    workers: int,
    cluster: Cluster | None,
    report: Path | None,
    dry_run: bool,
    restart: bool,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Normalise silhouettes: clean, crop, align, resize.

    FRAMES is a folder in the layout of CASIA-B (subject/sequence/view/*.png), CASIA-A, CASIA-C,
    OU-MVLP, GREW or Gait3D, or with a folder of recordings for each person; archives of these, as
    they are distributed; OpenGait's pickles of any of them; or a CSV file as for --manifest.
    Archives are read in place. Pickles hold silhouettes that are aligned already: they stay as they
    are, and nothing in them is run. A video of people, alone or in a folder or CSV file, is
    segmented on the way; what gaitkit segment wrote is read as well. A stopped run continues when
    the same command is given again.
    """
    from gaitkit.datasets.layouts import open_source
    from gaitkit.datasets.sources import sequence_counts
    from gaitkit.stages.normalize import normalize, silhouettes_of

    path, layout = one_input(frames, manifest, layout)
    source = open_source(path, name=name, layout=layout, reading=reading_of(values))
    refuse_unused_reading(source)
    chosen = silhouettes_of(source, **silhouette_fields(values))
    if dry_run:
        describe_source(source, output, as_json=as_json)
        return
    with telling_dropped(report, output, [path], overwrite=overwrite) as told:
        unit = "sequences" if sequence_counts(source.units()) else "archives"
        with console.progress("normalize", unit) as progress:
            summary = normalize(
                source,
                output,
                chosen,
                workers=workers,
                cluster=cluster,
                overwrite=overwrite,
                restart=restart,
                progress=progress,
            )
        told(summary)
    report_stage(output, summary, "silhouettes", as_json=as_json)
