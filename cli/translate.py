"""`gaitkit translate`: every GEI to the 90° normal-walking GEI of the same person."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options


@click.command("translate", short_help="Translate GEIs to 90°, normal walking.")
@click.argument("geis", metavar="GEIS", type=options.INPUT_FILE)
@click.option(
    "--model", type=options.INPUT_FILE, required=True, help="A translator from gaitkit train-gan."
)
@options.output("The GEI artefact to write.")
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    help="Of the model: those that scored highest in validation, or those at the end.  [default: "
    "best where there are such]",
)
@options.device
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    geis: Path,
    model: Path,
    output: Path,
    weights: str | None,
    device: str,
    restart: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Translate GEIs of any view and condition to 90°, walking normally.

    All GEIs go through the model, those of 90° too. GEIs that were made differently from those
    that the model has learned are refused. A stopped run continues when the command is repeated.
    """
    from gaitkit.translators import translate

    with console.progress("translate", "GEIs") as progress:
        digest = translate(
            geis,
            model,
            output,
            device=device,
            weights=weights,
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    if as_json:
        console.print_json({"output": str(output), "content_sha256": digest})
        return
    console.say(f"Wrote {output}.")
