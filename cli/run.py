"""`gaitkit run`: all stages, each only if it is missing or out of date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import (
    average_fields,
    layout_option,
    manifest_option,
    one_input,
    silhouette_fields,
)
from gaitkit.cli.pipeline import run_and_print, say_report
from gaitkit.cli.translator_options import translator_choice, translator_options

if TYPE_CHECKING:
    from gaitkit.protocols import Protocol


@click.command("run", short_help="Do everything from frames to the tables.")
@click.argument("input", metavar="INPUT", type=options.INPUT, required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder for the artefacts, sheets and results.",
)
@manifest_option
@layout_option
@options.protocol
@options.silhouette_options
@options.gei_options
@translator_options
@options.seed
@options.workers
@click.option("--overwrite", is_flag=True, help="Replace files that this command has not made.")
@options.json_output
@options.verbosity
def command(
    input: Path | None,
    output: Path,
    manifest: Path | None,
    layout: str | None,
    protocol: Protocol | str | None,
    workers: int,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Do everything from INPUT to the cross-view tables and the report, in one folder.

    INPUT is anything that gaitkit make-gei reads; own people may come by --manifest. Given again,
    the command does only what is missing or out of date, which it sees by the digests of the
    files. Training has the paper's size unless told otherwise: for a quick try, --width 24
    --batch-size 32 --iterations 1000.
    """
    from gaitkit.stages.run import PipelineOptions
    from gaitkit.stages.workshop import Workshop

    source, layout = one_input(input, manifest, layout)
    silhouettes, average = silhouette_fields(values), average_fields(values)
    model = translator_choice(values)
    chosen = PipelineOptions(
        protocol=protocol,
        silhouettes=silhouettes,
        gei=average,
        system=model.system,
        recipe=model.recipe,
        config=model.config,
        training=model.training,
        workers=workers,
        layout=layout,
        **model.how,
    )
    workshop = Workshop(output, overwrite=overwrite)
    run_and_print(source, workshop, chosen, title="run", checkpoint_every=200, as_json=as_json)
    if as_json:
        return
    console.say(f"Everything is in {output}; look into a file with gaitkit inspect or show.")
    say_report(workshop)
