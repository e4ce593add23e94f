"""`gaitkit make-gei`: silhouettes, frames or ready-made images to gait energy images."""

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

_OF_SILHOUETTES = {"alignment": "--alignment", "size": "--size", "keep_cut": "--keep-cut"}
_OF_THE_AVERAGE = {"min_frames": "--min-frames", "cycles": "--cycles", "mirror": "--mirror"}


@click.command("make-gei", short_help="Average silhouettes into GEIs.")
@click.argument("input", type=options.INPUT, required=False)
@options.output("The GEI artefact to write.")
@manifest_option
@click.option(
    "--input-kind",
    type=click.Choice(["auto", "silhouettes", "frames", "geis"]),
    default="auto",
    help="What INPUT is: a silhouettes artefact, frames, or ready-made GEIs.",
)
@options.silhouette_options
@options.gei_options
@click.option("--name", help="Name of the data set.  [default: the folder's or archive's name]")
@options.workers
@options.dry_run
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
@click.pass_context
def command(
    ctx: click.Context,
    input: Path | None,
    output: Path,
    manifest: Path | None,
    input_kind: str,
    alignment: str,
    size: tuple[int, int],
    keep_cut: bool,
    min_frames: int | None,
    cycles: str,
    mirror: str,
    name: str | None,
    workers: int,
    dry_run: bool,
    restart: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Average each sequence's silhouettes into a gait energy image (GEI).

    INPUT is a silhouettes artefact (from gaitkit normalize), frames in any form that normalize
    reads (the silhouettes are then not stored), or a folder of ready-made GEIs
    (001/nm-01/001-nm-01-090.png). A stopped run continues when the same command is given again.
    """
    from gaitkit.artifacts import free_to_write
    from gaitkit.gei.options import GeiOptions
    from gaitkit.stages import make_gei as stage

    free_to_write(output, overwrite=overwrite)
    kind = _kind(input, manifest, input_kind)
    average = GeiOptions.from_parameters(
        {"cycles": cycles, "mirror": mirror}
        | ({} if min_frames is None else {"min_frames": min_frames})
    )
    if kind == "silhouettes":
        assert input is not None
        _refuse_given(
            ctx,
            _OF_SILHOUETTES | {"name": "--name"},
            "belongs to gaitkit normalize, which made this input",
        )
        if dry_run:
            _describe_artifact(input, output)
            return
        with console.progress("make-gei", "units") as progress:
            summary = stage.gei_from_silhouettes(
                input,
                output,
                average,
                workers=workers,
                overwrite=overwrite,
                restart=restart,
                progress=progress,
            )
        report_stage(output, summary, "GEIs", as_json=as_json)
        return
    if kind == "geis":
        from gaitkit.datasets.gei_images import GeiImageSource

        assert input is not None
        _refuse_given(ctx, _OF_SILHOUETTES | _OF_THE_AVERAGE, "does not apply to ready-made GEIs")
        images = GeiImageSource(input, name=name)
        if dry_run:
            describe_source(images, output, as_json=as_json)
            return
        with console.progress("make-gei", "units") as progress:
            summary = stage.collect_geis(images, output, overwrite=overwrite, progress=progress)
        report_stage(output, summary, "ready-made GEIs", as_json=as_json)
        return
    source = one_source(input, manifest, name)
    if dry_run:
        describe_source(source, output, as_json=as_json)
        return
    with console.progress("make-gei", "units") as progress:
        summary = stage.gei_from_frames(
            source,
            output,
            silhouette_choice(alignment, size, keep_cut),
            average,
            workers=workers,
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    report_stage(output, summary, "GEIs", as_json=as_json)


def _kind(path: Path | None, manifest: Path | None, given: str) -> str:
    if given != "auto":
        return given
    if path is None or manifest is not None:
        return "frames"
    from gaitkit.stages.inputs import input_kind

    return input_kind(path)


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


def _describe_artifact(path: Path, output: Path) -> None:
    from gaitkit.artifacts import open_artifact

    with open_artifact(path, "silhouettes") as artifact:
        click.echo(f"Would read {path}: {len(artifact.labels):,} sequences")
    click.echo(f"Would write {output}")
