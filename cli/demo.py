"""`gaitkit demo`: the whole thing on synthetic walkers, on any laptop."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.pipeline import run_and_print, say_report
from gaitkit.translators.recipes import get_recipe

_WIDTH = 16
_RECIPE = get_recipe("best")


@click.command("demo", short_help="Run the whole pipeline on synthetic walkers.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("gaitkit-demo"),
    help="The folder for the walkers and all artefacts.",
)
@click.option(
    "--subjects",
    type=click.IntRange(8, 124),
    default=40,
    help="How many people; half of them train, the others are tested.",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=900,
    help="Training steps of the small model.",
)
@options.seed
@options.workers
@options.json_output
@options.verbosity
def command(
    output: Path, subjects: int, iterations: int, seed: int, workers: int, as_json: bool
) -> None:
    """Show the whole pipeline on synthetic walkers: no data, no GPU, a few minutes.

    The model is GaitGAN's generator at a sixth of the paper's width, trained by the recipe best for
    a minute or two. Given again, the command does only what is missing.
    """
    from gaitkit.stages.run import PipelineOptions
    from gaitkit.stages.workshop import Workshop
    from gaitkit.walkers import WalkerOptions, write_tree

    workshop = Workshop(output)
    walkers = WalkerOptions(subjects=subjects, seed=seed, frames=24)
    tree = output / "walkers"
    console.say(f"Making {subjects} synthetic walkers in {tree}")
    with console.progress("synth", "sequences") as progress:
        write_tree(tree, walkers, workers=workers, overwrite=True, progress=progress)
    chosen = PipelineOptions(
        protocol="halves",
        config=dict(_RECIPE.config) | {"width": _WIDTH},
        training=dict(_RECIPE.training)
        | {"iterations": iterations, "batch_size": 32, "seed": seed},
        device="cpu",
        precision="auto",
        # So small a network gains nothing from a second thread, and loses much where the other
        # cores are busy.
        threads=1,
        workers=workers,
    )
    run_and_print(tree, workshop, chosen, title="demo", checkpoint_every=100, as_json=as_json)
    if as_json:
        return
    console.print_line()
    paths = {f"{output / name}{'/' * name.endswith('/')}": what for name, what in _FILES.items()}
    width = max(map(len, paths))
    for path, what in paths.items():
        console.print_line(f"{path:<{width}}  {what}")
    say_report(workshop)


_FILES = {
    "walkers/": "the silhouettes, laid out as CASIA-B's",
    "gei.h5": "their gait energy images",
    "gei.png": "a sheet of them",
    "gaitgan.h5": "the trained model, a small one",
    "translated.h5": "every image as the person would look at 90°, walking normally",
    "translated.png": "a sheet of them",
    "results-raw.h5": "identification by the raw images",
    "results.h5": "identification by the translated ones",
    "report.html": "the page that explains both",
}
