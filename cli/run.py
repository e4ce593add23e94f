"""`gaitkit run`: all stages, each only if it is missing or out of date."""

from __future__ import annotations

from dataclasses import replace
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
    from gaitkit.training.recipes import Recipe


def embedder_of(name: str, iterations: int | None, seed: int) -> Recipe:
    """An embedder as it is by default, of some length where one is given."""
    from gaitkit.embedders.recipes import choose_embedder

    length = {} if iterations is None else {"iterations": iterations}
    return replace(choose_embedder(name, None, "gei"), training={"seed": seed, **length})


@click.command("run", short_help="Do everything from frames to the tables.")
@click.argument("input", metavar="INPUT", type=options.INPUT, required=False)
@click.option(
    "-o",
    "--output",
    type=options.FOLDER,
    required=True,
    help="The folder for the artefacts, sheets and results.",
)
@manifest_option
@layout_option
@options.protocol
@options.silhouette_options
@options.gei_options
@translator_options
@click.option(
    "--embedder",
    type=click.Choice(["gei-parts", "gait-phases"]),
    help="Train an embedder, too, of the measured GEIs or of the silhouettes, and search by its "
    "vectors: what tells people apart best, in minutes on a processor.",
)
@click.option(
    "--embedder-iterations",
    type=click.IntRange(min=1),
    help="Its training steps.  [default: its own]",
)
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
    embedder: str | None,
    embedder_iterations: int | None,
    workers: int,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Do everything from INPUT to the cross-view tables and the report, in one folder.

    INPUT is anything that gaitkit make-gei reads, or the GEIs that it wrote; own people may come by
    --manifest. Given again, the command does only what is missing or out of date, which it sees by
    the digests of the files. Training has the paper's size unless told otherwise: for a quick try,
    --width 24 --batch-size 32 --iterations 1000. Who only wants the best rates gives --embedder
    gait-phases, and a small translator.
    """
    if embedder is None and embedder_iterations is not None:
        raise click.UsageError("--embedder-iterations are of --embedder, which was not given.")
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
        embedder=None
        if embedder is None
        else embedder_of(embedder, embedder_iterations, model.training.get("seed", 0)),
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
