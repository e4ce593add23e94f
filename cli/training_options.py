"""The options of a training, shared by `gaitkit train-gan` and `gaitkit run`.

None of them has a default here: what is not given comes from the recipe, from the system, or from
the model that is trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from gaitkit.cli import options
from gaitkit.translators.recipes import DEFAULT_RECIPE, RECIPES, choose_recipe
from gaitkit.translators.registry import translator_names

__all__ = ["TrainingChoice", "training_choice", "training_options"]

_FROM_RECIPE = "[default: the recipe's, or the system's]"

_TRAINING = (
    "iterations",
    "batch_size",
    "balanced",
    "shift",
    "warp",
    "target_view",
    "target_condition",
    "validation_subjects",
    "validate_every",
)
"""The options that are fields of `TrainingOptions`, under their names."""


def training_options(command: options.Function) -> options.Function:
    """Recipe, settings, length, validation, and where to compute."""
    for decorate in (
        click.option(
            "--threads",
            type=click.IntRange(1, 1024),
            help="CPU threads. The last bits of the weights depend on their number, and more "
            "threads than free cores are many times slower.  [default: the number of cores]",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", "fp32", "tf32", "bf16"]),
            default="auto",
            help="Precision of the convolutions; weights, losses and optimiser are always float32. "
            "auto takes bf16 where the processor or GPU has it, and for a training that is "
            "continued what it began with.",
        ),
        options.device,
        click.option(
            "--refit",
            is_flag=True,
            help="After validation, train again on all training people for as many iterations as "
            "scored highest.",
        ),
        click.option(
            "--validate-every",
            type=click.IntRange(min=1),
            help="Iterations between scores.  [default: 500]",
        ),
        click.option(
            "--validation-subjects",
            type=click.IntRange(min=0),
            metavar="N",
            help="Hold out N training people, score the training on them, and keep the weights "
            "that score highest.  [default: 0]",
        ),
        click.option(
            "--target-condition",
            metavar="NAME",
            help="Condition of the GEIs that sources are translated to.  [default: nm]",
        ),
        click.option(
            "--target-view",
            type=click.FloatRange(0, 360),
            metavar="DEGREES",
            help="View of the GEIs that sources are translated to.  [default: 90]",
        ),
        click.option(
            "--warp",
            type=click.FloatRange(0, 3),
            help=f"Strength of random changes of body proportions.  {_FROM_RECIPE}",
        ),
        click.option(
            "--shift",
            type=click.IntRange(0, 64),
            help=f"Shift sources at random by up to this many pixels.  {_FROM_RECIPE}",
        ),
        click.option(
            "--balanced/--uniform",
            default=None,
            help=f"Draw every condition equally often, or every source.  {_FROM_RECIPE}",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(2, 4096),
            help=f"Triples in a batch.  {_FROM_RECIPE}",
        ),
        click.option(
            "--width",
            type=click.IntRange(1, 512),
            help=f"Channels of the first layer; time grows with its square.  {_FROM_RECIPE}",
        ),
        click.option(
            "--iterations", type=click.IntRange(min=1), help=f"Training steps.  {_FROM_RECIPE}"
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            help="Change a setting of the system, such as l1_weight=30; gaitkit models SYSTEM "
            "lists them. May be repeated.",
        ),
        click.option(
            "--paired",
            is_flag=True,
            help="Add to the system's own losses the L1 to a target of the same person, and "
            "GaitGAN's identification discriminator.",
        ),
        click.option(
            "--recipe",
            type=click.Choice(list(RECIPES)),
            help="Named settings; options that are given override them.  [default: "
            f"{DEFAULT_RECIPE}]",
        ),
        click.option(
            "--model",
            "system",
            type=click.Choice(translator_names()),
            help="The system, trained as published; gaitkit models says what each is.  [default: "
            "the recipe's]",
        ),
    ):
        command = decorate(command)
    return command


@dataclass(frozen=True)
class TrainingChoice:
    """What was given on the command line, and nothing else.

    Attributes
    ----------
    system, recipe : str or None
        Names.
    config, training : dict
        Fields of the system's config and of `TrainingOptions`.
    how : dict
        Refit, device, precision and threads.
    """

    system: str | None
    recipe: str | None
    config: dict[str, Any]
    training: dict[str, Any]
    how: dict[str, Any]


def training_choice(values: Mapping[str, Any]) -> TrainingChoice:
    """Collect the values of `training_options`, and the seed of the running command.

    Parameters
    ----------
    values : mapping
        The command's parameters.

    Raises
    ------
    UsageError
        The width is given in two ways.
    OptionError
        A setting is unknown or malformed.
    """
    ctx = click.get_current_context()
    config: dict[str, Any] = {}
    chosen = choose_recipe(values["system"], values["recipe"])
    if values["settings"] or values["paired"]:
        from gaitkit.training.config import parse_settings
        from gaitkit.translators.registry import translator_class

        config_class = translator_class(chosen.system).config_class
        if values["paired"]:
            if config_class.from_parameters(chosen.config).mode == "paired":
                raise click.UsageError(
                    f"The recipe {chosen.name} compares with a person's own targets already. Leave "
                    "out --paired.",
                    ctx,
                )
            config |= config_class.paired_settings()
        config |= parse_settings(config_class, values["settings"])
    if values["width"] is not None:
        if "width" in config:
            raise click.UsageError("Give --width or --set width=…, not both.", ctx)
        config["width"] = values["width"]
    training = {name: values[name] for name in _TRAINING if values[name] is not None}
    if ctx.get_parameter_source("seed") is not click.core.ParameterSource.DEFAULT:
        training["seed"] = values["seed"]
    how = {name: values[name] for name in ("refit", "device", "precision", "threads")}
    return TrainingChoice(values["system"], values["recipe"], config, training, how)
