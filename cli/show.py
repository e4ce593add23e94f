"""`gaitkit show`: a picture of what an artefact holds."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.selection import selection


@click.command("show", short_help="Draw an artefact as a PNG.")
@click.argument("artifact", type=options.INPUT_FILE)
@options.output("The PNG to write.")
@selection
@click.option(
    "--rows", type=click.IntRange(min=1), default=24, help="The most rows that a sheet shows."
)
@click.option(
    "--frames", type=click.IntRange(1, 64), default=12, help="Silhouettes shown of each sequence."
)
@options.overwrite
@options.verbosity
def command(
    artifact: Path,
    output: Path,
    subjects: tuple[str, ...],
    conditions: tuple[str, ...],
    views: tuple[float, ...],
    rows: int,
    frames: int,
    overwrite: bool,
) -> None:
    """Draw an artefact as a PNG.

    GEIs become a labelled sheet: views across, sequences down. Silhouettes: frames across. A
    translator, or the checkpoint of a training that goes on: losses, accuracies, gradients and
    validation over the iterations, and samples. Results: the cross-view matrices.
    """
    from gaitkit.artifacts import free_to_write, open_artifact
    from gaitkit.cli.selection import choose
    from gaitkit.reporting import views as reporting
    from gaitkit.reporting.sheet import save_png
    from gaitkit.reporting.training_page import training_page

    free_to_write(output, overwrite=overwrite)
    with open_artifact(artifact, guarded=True) as opened:
        if opened.kind in ("gei", "silhouettes"):
            chosen = choose(opened.labels, subjects, conditions, views)
            if opened.kind == "gei":
                sheet, left_out = reporting.gei_sheet(opened, chosen, max_rows=rows)
            else:
                sheet, left_out = reporting.silhouette_sheet(
                    opened, chosen, max_rows=rows, frames=frames
                )
            if left_out:
                console.say(
                    f"{left_out:,} more rows are not shown; choose with --subject and "
                    "--condition, or raise --rows."
                )
        elif opened.kind == "identification":
            sheet = reporting.matrix_figure(artifact)
        else:
            sheet = training_page(artifact)
    save_png(output, sheet)
    console.say(f"Wrote {output}.")
