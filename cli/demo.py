"""`gaitkit demo`: the whole thing on synthetic walkers, on any laptop."""

from __future__ import annotations

from pathlib import Path

import click

from gaitkit.cli import console, options
from gaitkit.cli.pipeline import run_and_print, say_report
from gaitkit.errors import OutputExistsError
from gaitkit.printable import counted
from gaitkit.training.recipes import Recipe
from gaitkit.translators.recipes import get_recipe

# Of the eleven views of CASIA-B the frontal one, the side, what lies between, and the back.
_VIEWS = (0.0, 36.0, 72.0, 90.0, 126.0, 180.0)
_FRAMES = 24  # a second: about one cycle
# A quarter of the embedder's published size, in what is computed and in what is stored.
_EMBEDDER = {"width": 16, "values": 64}
_RECIPE = get_recipe("best")
# Fourteen people differ in few directions: what is computed from those says less than elsewhere.
_SMALL = {"width": 16, "linear_share": 0.4}


@click.command("demo", short_help="Run the whole pipeline on synthetic walkers.")
@click.option(
    "-o",
    "--output",
    type=options.FOLDER,
    default=Path("gaitkit-demo"),
    help="The folder for the walkers and all artefacts.",
)
@click.option(
    "--subjects",
    type=click.IntRange(8, 124),
    default=28,
    help="How many people; half of them train, the others are tested.",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=350,
    help="Training steps of the small translator; the embedder takes half as many.",
)
@options.seed
@options.workers
@options.json_output
@options.verbosity
def command(
    output: Path, subjects: int, iterations: int, seed: int, workers: int, as_json: bool
) -> None:
    """Show the whole pipeline on synthetic walkers: no data, no GPU, a few minutes.

    A small translator, trained by the recipe best, and a small embedder stand beside the raw
    images; report.html explains what came of it. Given again, the command does only what is
    missing.
    """
    from gaitkit.embedders.recipes import DEFAULT_EMBEDDER
    from gaitkit.stages.run import PipelineOptions
    from gaitkit.stages.workshop import Workshop
    from gaitkit.walkers import WalkerOptions, write_tree

    _refuse_foreign(output)
    workshop = Workshop(output)
    walkers = WalkerOptions(subjects=subjects, seed=seed, frames=_FRAMES, views=_VIEWS)
    tree = output / _WALKERS
    console.say(f"Making {counted(subjects, 'synthetic walker')} in {tree}")
    with console.progress("synth", "sequences") as progress:
        write_tree(tree, walkers, workers=workers, overwrite=True, archives=True, progress=progress)
    chosen = PipelineOptions(
        protocol="halves",
        config=dict(_RECIPE.config) | _SMALL,
        training=dict(_RECIPE.training)
        | {"iterations": iterations, "batch_size": 32, "seed": seed},
        embedder=Recipe(
            "demo",
            "a small one",
            DEFAULT_EMBEDDER,
            _EMBEDDER,
            {"iterations": max(iterations // 2, 1), "batch_size": 48, "seed": seed},
        ),
        device="cpu",
        # Not auto: figures are to be the same on processors with bfloat16 and without.
        precision="fp32",
        # So small a network gains nothing from a second thread, and loses much where the other
        # cores are busy.
        threads=1,
        workers=workers,
    )
    run_and_print(tree, workshop, chosen, title="demo", checkpoint_every=100, as_json=as_json)
    if as_json:
        return
    console.print_line()
    console.print_line(f"In {output}:")
    console.print_entries(list(_FILES.items()), indent="  ")
    say_report(workshop)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something and no earlier demo, before anything is put into it."""
    # An earlier demo, finished or not, began with walkers. Whether these are ours is asked when
    # they are made.
    if not folder.is_dir() or (folder / _WALKERS).is_dir() or not any(folder.iterdir()):
        return
    raise OutputExistsError(
        f"{folder} exists, is not empty and holds no demo: it has no folder {_WALKERS}",
        hint="Choose a new folder.",
    )


_WALKERS = "walkers"
_FILES = {
    f"{_WALKERS}/": "silhouettes laid out as CASIA-B's, one archive a person",
    "gei.h5": "their gait energy images",
    "gei.png": "a sheet of them",
    "gaitgan.h5": "the trained translator, a small one",
    "translated.h5": "all of them as seen from the side, walking normally",
    "translated.png": "a sheet of them",
    "gei-parts.h5": "the trained embedder, a small one",
    "embedded.h5": "a vector for every image that tells who it is",
    "results-raw.h5": "identification by the raw images",
    "results.h5": "identification by the translated ones",
    "results-embedded.h5": "identification by the vectors",
    "report.html": "the page that explains all three",
}
