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
    help="Which weights of the model: those that scored highest in validation, or those at the "
    "end.  [default: the best, where its training was validated]",
)
@click.option(
    "--to-view",
    type=click.FloatRange(0, 360),
    help="Show another view than the training's target, degrees; for systems that can (gaitkit "
    "models).",
)
@click.option(
    "--to-condition", help="Show another condition than the training's target, such as cl."
)
@click.option(
    "--strength",
    type=click.FloatRange(0, 10),
    default=1.0,
    help="How strongly the change is asked for: 1 as usual, 0.5 half, 2 twice; for systems that "
    "can.",
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
    to_view: float | None,
    to_condition: str | None,
    strength: float,
    device: str,
    restart: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Translate GEIs of any view and condition to 90°, walking normally.

    All GEIs go through the model, those of 90° too; each keeps the labels of the walk that it was
    made from. GEIs that were made differently from those that the model has learned are refused.
    Some systems show any view and condition that they have learned, and add a feature of their own
    for gaitkit evaluate --feature embedding. A stopped run continues when the command is repeated.
    """
    from gaitkit.translators import Aim, translate

    wrote = console.writing(output)
    with console.progress("translate", "GEIs") as progress:
        digest = translate(
            geis,
            model,
            output,
            device=device,
            weights=weights,
            aim=Aim(to_view, to_condition, strength),
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    if as_json:
        console.print_json({"output": str(output), "content_sha256": digest})
        return
    wrote(".")
