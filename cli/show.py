"""`gaitkit show`: a picture of what an artefact holds."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.selection import selection
from gaitkit.errors import OptionError
from gaitkit.printable import counted


@click.command("show", short_help="Draw an artefact as a PNG.")
@click.argument("artifact", type=options.INPUT_FILE)
@options.output("The PNG to write.")
@selection
@click.option(
    "--model",
    type=options.INPUT_FILE,
    help="Show what this translator makes of one of the chosen GEIs instead.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=24, help="Rows that a sheet shows at most."
)
@click.option(
    "--frames", type=click.IntRange(1, 64), default=12, help="Silhouettes shown of each sequence."
)
@options.device
@options.overwrite
@options.verbosity
def command(
    artifact: Path,
    output: Path,
    subjects: tuple[str, ...],
    conditions: tuple[str, ...],
    views: tuple[float, ...],
    model: Path | None,
    rows: int,
    frames: int,
    device: str,
    overwrite: bool,
) -> None:
    """Draw an artefact as a PNG.

    GEIs become a labelled sheet: views across, sequences down. Silhouettes: frames across. A
    translator, or the checkpoint of a training that goes on: losses, accuracies, gradients and
    validation over the iterations, and samples. Results: the cross-view matrices.

    With --model, one GEI becomes a grid of every view and condition that the translator knows,
    above the person's true GEIs; a translator to one view gives source, translation and truth. Of
    the chosen GEIs it takes one of a person whom the model has not seen, if there is one, in the
    condition that it was trained to show, at the lowest view. --rows and --frames are for sheets.
    """
    from gaitkit.artifacts import open_artifact
    from gaitkit.cli.selection import choose
    from gaitkit.outputs import Output
    from gaitkit.reporting import views as reporting
    from gaitkit.reporting.sheet import save_png
    from gaitkit.reporting.training_page import training_page
    from gaitkit.reporting.translation_grid import translation_grid

    if output.suffix.lower() != ".png":
        raise OptionError(
            f"A picture is written as PNG, and {output} is called otherwise.",
            hint=f"Give a name that ends in .png: {output.with_suffix('.png')}",
        )
    read = [artifact] if model is None else [artifact, model]
    claim = Output(
        output, overwrite=overwrite, inputs=read, other_than_artefact=("a picture", "sheet.png")
    )
    # A translator translates GEIs and nothing else.
    kinds = None if model is None else "gei"
    wrote = console.writing(output)
    with claim, open_artifact(artifact, kinds, guarded=True) as opened:
        if opened.kind in ("gei", "silhouettes"):
            chosen = choose(opened.labels, subjects, conditions, views)
            left_out = 0
            if model is not None:
                sheet, caption = translation_grid(opened, model, chosen, device=device)
                console.say(f"{caption}.")
            elif opened.kind == "gei":
                sheet, left_out = reporting.gei_sheet(opened, chosen, max_rows=rows)
            else:
                sheet, left_out = reporting.silhouette_sheet(
                    opened, chosen, max_rows=rows, frames=frames
                )
            if left_out:
                console.say(
                    f"{counted(left_out, 'more row is', 'more rows are')} not shown; choose with "
                    "--subject and --condition, or raise --rows."
                )
        elif opened.kind == "identification":
            sheet = reporting.matrix_figure(artifact)
        else:
            sheet = training_page(artifact)
        save_png(claim, sheet)
    wrote(".")
