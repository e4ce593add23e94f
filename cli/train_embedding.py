"""`gaitkit train-embedding`: teach an embedder to tell people apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import options, training_options
from gaitkit.cli.training_runs import train_and_tell
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.embedders.registry import embedder_names

if TYPE_CHECKING:
    from gaitkit.embedders.config import EmbedderConfig

_VARIED = (
    "shear",
    "stretch",
    "shift",
    "rotate",
    "rotate_chance",
    "erase",
    "erase_area",
    "warp",
)
_TRAINING = (
    "iterations",
    "people",
    "batch_size",
    "balanced",
    "bodies",
    "frames",
    *_VARIED,
    "normal_condition",
    "validation_subjects",
    "validate_every",
)
"""The options that are fields of `EmbedderOptions`, under their names."""


def _recipes() -> Sequence[str]:
    return list(EMBEDDER_RECIPES)


def _varied(name: str, largest: float, help: str) -> training_options.Decorator:
    return click.option(
        f"--{name}",
        type=click.FloatRange(0, largest),
        help=f"{help}  {training_options.FROM_RECIPE}",
    )


@click.command("train-embedding", short_help="Train an embedder: a vector that tells who it is.")
@click.argument("input", metavar="INPUT", type=options.INPUT_FILE)
@options.output("The embedder artefact to write.")
@options.protocol
@training_options.decorated(
    *training_options.named(embedder_names, _recipes, ""),
    training_options.settings("margin=0.3"),
    *training_options.LENGTH,
    click.option(
        "--people",
        type=click.IntRange(2, 2**15),
        help=f"Different people in a batch, at most.  {training_options.FROM_RECIPE}",
    ),
    training_options.batch_size("Sequences, a multiple of --people,"),
    training_options.balanced("Draw every condition of a person equally often, or every sequence."),
    click.option(
        "--bodies",
        type=click.IntRange(1, 256),
        help="Learn each person as so many: as they are, and warped to other proportions.  "
        f"{training_options.FROM_RECIPE}",
    ),
    click.option(
        "--frames",
        type=click.IntRange(1, 1024),
        help="Frames drawn of each sequence; for what reads silhouettes.  "
        f"{training_options.FROM_RECIPE}",
    ),
    _varied("shear", 1, "Lean examples by up to this share of their height."),
    _varied("stretch", 1, "Stretch examples by a factor of up to exp(±FLOAT)."),
    _varied("shift", 64, "Move examples by up to this many pixels."),
    _varied("rotate", 180, "Turn examples by up to this many degrees."),
    _varied("rotate-chance", 1, "Probability that an example is turned at all."),
    _varied("erase", 1, "Probability that a box of an example is blanked."),
    _varied("erase-area", 1, "Above 0, the box covers up to this share of the image."),
    training_options.warp,
    click.option(
        "--normal-condition",
        metavar="NAME",
        help="Condition by which held-out people are enrolled.  [default: nm]",
    ),
    *training_options.VALIDATION,
    *training_options.COMPUTING,
    training_options.also(
        "Another data set of the same kind, all of whose people are learned from as well; may be "
        "repeated."
    ),
    *training_options.GOING_ON,
)
def command(input: Path, output: Path, **values: Any) -> None:
    """Train an embedder on the training people of a protocol.

    INPUT holds GEIs, measured or translated, or silhouettes: it decides what --model can be. GEIs
    take minutes on a processor. Ctrl-C writes a checkpoint; the same command again continues, also
    after a crash, and gives the same weights as if it had not been stopped.

    A batch is --people different people with --batch-size / --people sequences each. "triplets
    nonzero" is the share of comparisons that still teach something; where the distances of
    different people go to zero with the margin left, the training has collapsed and ends with what
    to change.

    With --validation-subjects the training holds out people of its own, never the tested ones, and
    keeps the weights that identify them best. Several processes share each batch's people under
    torchrun --nproc-per-node=2 -m gaitkit train-embedding ….
    """
    from gaitkit.embedders.registry import EMBEDDER
    from gaitkit.stages.train_embedding import plan_embedding

    training_options.take_up(values, output, EMBEDDER)

    def config_class() -> type[EmbedderConfig]:
        from gaitkit.artifacts import open_artifact
        from gaitkit.embedders.recipes import choose_embedder
        from gaitkit.embedders.registry import embedder_class

        with open_artifact(input) as opened:
            found = choose_embedder(values["system"], values["recipe"], opened.kind)
        return embedder_class(found.system).config_class

    chosen = training_options.choice(values, _TRAINING, config_class)
    train_and_tell(plan_embedding, input, output, chosen, values)
