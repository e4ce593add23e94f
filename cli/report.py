"""`gaitkit report`: results as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options


@click.command("report", short_help="Explain results on one HTML page.")
@click.argument("results", type=options.INPUT_FILE, nargs=-1, required=True)
@options.output("The HTML page to write.")
@click.option(
    "--geis",
    type=options.INPUT_FILE,
    multiple=True,
    help="GEIs behind the results, measured or translated, for pictures of people; repeatable.",
)
@click.option(
    "--model",
    "models",
    type=options.INPUT_FILE,
    multiple=True,
    help="A translator or embedder behind the results, for the command of its training in full; "
    "repeatable.",
)
@click.option(
    "--person",
    "people",
    multiple=True,
    help="Show this person's probes instead of a range of outcomes; repeatable.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="What to call a result on the page, such as 'raw images'; repeated, one for each result "
    "or one for each file, in their order.  [default: the file's name]",
)
@click.option(
    "--date",
    metavar="YYYY-MM-DD",
    help="Date the page; without it equal results give equal bytes.",
)
@options.overwrite
@options.verbosity
def command(
    results: tuple[Path, ...],
    output: Path,
    geis: tuple[Path, ...],
    models: tuple[Path, ...],
    people: tuple[str, ...],
    labels: tuple[str, ...],
    date: str | None,
    overwrite: bool,
) -> None:
    """Explain one or several results on one HTML page.

    The page needs nothing but a browser. It opens with the rates in words and two pictures; then
    come figures with intervals, matrices whose cells show their probes, curves, people, mistakes,
    what was left out, and where all of it comes from. With --geis, a click on a probe or a person
    shows what was seen and what was nearest. Several results stand side by side with paired
    differences from the first. With the GEIs of several translators, so do the same people's
    source, translations and truth.
    """
    from gaitkit.cli.command_lines import command_line
    from gaitkit.reporting.page.document import write_report

    if people and not geis:
        raise click.UsageError("--person needs --geis: the images to show.")
    wrote = console.writing(output)
    write_report(
        results,
        output,
        geis=geis,
        models=models,
        people=people,
        labels=labels,
        date=date,
        overwrite=overwrite,
        write_step=command_line,
    )
    wrote(".")
