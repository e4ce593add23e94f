"""`gaitkit make-gei`: silhouettes, frames or ready-made images to gait energy images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import (
    average_fields,
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
from gaitkit.printable import counted

if TYPE_CHECKING:
    from gaitkit.cluster import Cluster
    from gaitkit.stages.make_gei import GeiInput

_OF_SILHOUETTES = {
    "alignment": "--alignment",
    "size": "--size",
    "keep_cut": "--keep-cut",
    "keep_off_trend": "--keep-off-trend",
    "invert": "--invert",
}
_OF_THE_AVERAGE = {"min_frames": "--min-frames", "cycles": "--cycles", "mirror": "--mirror"}


@click.command("make-gei", short_help="Average silhouettes into GEIs.")
@click.argument("input", type=options.INPUT, required=False)
@options.output("The GEI artefact to write.")
@manifest_option
@layout_option
@click.option(
    "--input-kind",
    type=click.Choice(["auto", "silhouettes", "frames", "geis"]),
    default="auto",
    help="What INPUT is: a silhouettes artefact, frames, or ready-made GEIs.",
)
@options.silhouette_options
@options.gei_options
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
@click.pass_context
def command(
    ctx: click.Context,
    /,
    input: Path | None,
    output: Path,
    manifest: Path | None,
    input_kind: str,
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
    """Average each sequence's silhouettes into a gait energy image (GEI).

    INPUT is a silhouettes artefact (from gaitkit normalize), frames in any form that normalize
    reads (the silhouettes are then not stored), or a folder of ready-made GEIs
    (001/nm-01/001-nm-01-090.png), which --size pads where only the width is smaller and scales
    otherwise. A stopped run continues when the same command is given again.
    """
    from gaitkit.stages.make_gei import average_of, make_gei, open_input, unit_of
    from gaitkit.stages.normalize import silhouettes_of

    fields = silhouette_fields(values)
    average_said = average_fields(values)
    path, layout = one_input(input, manifest, layout)
    kind: Any = None if input_kind == "auto" else input_kind
    given = open_input(path, kind=kind, layout=layout, name=name, reading=reading_of(values))
    _refuse_what_does_not_apply(ctx, given)
    refuse_unused_reading(given.source)
    average = average_of(given, **average_said)
    frames = given.source if given.kind == "frames" else None
    silhouettes = None if frames is None else silhouettes_of(frames, **fields)
    size = (fields["height"], fields["width"]) if "height" in fields else None
    if dry_run:
        _describe(given, output, as_json=as_json)
        return
    with telling_dropped(report, output, [path], overwrite=overwrite) as told:
        with console.progress("make-gei", unit_of(given)) as progress:
            summary = make_gei(
                given,
                output,
                silhouettes,
                average,
                size=size,
                workers=workers,
                cluster=cluster,
                overwrite=overwrite,
                restart=restart,
                progress=progress,
            )
        told(summary)
    noun = "ready-made GEIs" if given.kind == "geis" else "GEIs"
    report_stage(output, summary, noun, as_json=as_json)


def _refuse_what_does_not_apply(ctx: click.Context, given: GeiInput) -> None:
    if given.kind == "silhouettes":
        names = _OF_SILHOUETTES | {"name": "--name"}
        _refuse_given(ctx, names, "belongs to gaitkit normalize, which made this input")
    elif given.kind == "geis":
        names = _OF_SILHOUETTES | _OF_THE_AVERAGE | {"cluster": "--cluster"}
        del names["size"]  # To which they are padded or scaled.
        _refuse_given(ctx, names, "does not apply to ready-made GEIs")


def _describe(given: GeiInput, output: Path, *, as_json: bool) -> None:
    if given.source is not None:
        describe_source(given.source, output, as_json=as_json)
        return
    from gaitkit.artifacts import open_artifact

    with open_artifact(given.path, "silhouettes") as artifact:
        sequences, dataset = len(artifact.labels), artifact.dataset
    if as_json:
        told = {"source": str(given.path), "dataset": dataset, "sequences": sequences}
        console.print_json(told)
        return
    console.print_line(f"Would read {given.path}: {counted(sequences, 'sequence')}")
    console.print_line(f"Would write {output}")


def _refuse_given(ctx: click.Context, names: dict[str, str], why: str) -> None:
    from click.core import ParameterSource

    given = [
        option
        for name, option in names.items()
        if ctx.get_parameter_source(name)
        in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    ]
    if given:
        raise click.UsageError(f"{' and '.join(given)} {why}.", ctx)
