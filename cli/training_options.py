"""The options of a training, of whatever kind of model, and what was given of them.

None of them has a default here: what is not given comes from the recipe, from the system, or from
the model that is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import options

if TYPE_CHECKING:
    from gaitkit.training.config import Config
    from gaitkit.training.registry import ModelKind

__all__ = [
    "COMPUTING",
    "FROM_RECIPE",
    "GOING_ON",
    "LENGTH",
    "VALIDATION",
    "Decorator",
    "TrainingChoice",
    "also",
    "balanced",
    "batch_size",
    "choice",
    "decorated",
    "named",
    "settings",
    "take_up",
    "warp",
]

Decorator = Callable[[Any], Any]

FROM_RECIPE = "[default: the recipe's, or the system's]"

COMPUTING: Sequence[Decorator] = (
    options.device,
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "tf32", "bf16"]),
        default="auto",
        help="Precision of the convolutions; weights, losses and optimiser are always float32. "
        "auto takes bf16 where the processor or GPU has it, and for a training that is "
        "continued what it began with.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        help="CPU threads. The last bits of the weights depend on their number, and more "
        "threads than free cores are many times slower.  [default: the number of cores]",
    ),
)
"""Where a training computes, and how."""

VALIDATION: Sequence[Decorator] = (
    click.option(
        "--validation-subjects",
        type=click.IntRange(min=0),
        metavar="N",
        help="Hold out N training people, score the training on them, and keep the weights "
        "that score highest.  [default: 0]",
    ),
    click.option(
        "--validate-every",
        type=click.IntRange(min=1),
        help="Iterations between scores.  [default: 500]",
    ),
    click.option(
        "--refit",
        is_flag=True,
        help="After validation, train again on all training people for as many iterations as "
        "scored highest.",
    ),
)
"""Training people who are held out."""

LENGTH: Sequence[Decorator] = (
    click.option(
        "--iterations", type=click.IntRange(min=1), help=f"Training steps.  {FROM_RECIPE}"
    ),
    click.option(
        "--width",
        type=click.IntRange(1, 512),
        help=f"Channels of the first layer; time grows with its square.  {FROM_RECIPE}",
    ),
)
"""How long a training is, and how large the model."""

GOING_ON: Sequence[Decorator] = (
    click.option(
        "--checkpoint-every",
        type=click.IntRange(min=1),
        default=200,
        help="Steps between checkpoints; the result does not depend on it.",
    ),
    options.seed,
    click.option(
        "--resume",
        is_flag=True,
        help="Continue the finished OUTPUT to more --iterations; options that are not given stay "
        "as they were. What grows or falls over a training goes by the new length.",
    ),
    options.restart,
    options.overwrite,
    options.json_output,
    options.verbosity,
)
"""Stopping and going on, and what every command has."""


def decorated(*decorators: Decorator) -> Callable[[options.Function], options.Function]:
    """A decorator that adds options in the order in which the help lists them."""

    def decorate(command: options.Function) -> options.Function:
        for one in reversed(decorators):
            command = one(command)
        return command

    return decorate


def named(
    models: Callable[[], Sequence[str]], recipes: Callable[[], Sequence[str]], recipe: str
) -> Sequence[Decorator]:
    """``--model`` and ``--recipe``.

    Parameters
    ----------
    models, recipes : callable
        Give the names of both.
    recipe : str
        Name of the recipe that is taken where none is given; empty for none.
    """
    default = "the recipe's" if recipe else "by what INPUT holds"
    return (
        click.option(
            "--model",
            "system",
            type=options.Registered(models),
            help="The system, trained as published; gaitkit models says what each is.  "
            f"[default: {default}]",
        ),
        click.option(
            "--recipe",
            type=options.Registered(recipes),
            help="Named settings; options that are given override them.  [default: "
            f"{recipe or 'none'}]",
        ),
    )


def settings(example: str) -> Decorator:
    """``--set``: settings by name, such as the example."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"Change a setting of the system, such as {example}; gaitkit models SYSTEM lists "
        "them. May be repeated.",
    )


def batch_size(what: str) -> Decorator:
    """``--batch-size``: how many of what."""
    return click.option(
        "--batch-size", type=click.IntRange(2, 4096), help=f"{what} in a batch.  {FROM_RECIPE}"
    )


def balanced(what: str) -> Decorator:
    """``--balanced`` and ``--uniform``, of what is drawn."""
    return click.option("--balanced/--uniform", default=None, help=f"{what}  {FROM_RECIPE}")


warp = click.option(
    "--warp",
    type=click.FloatRange(0, 3),
    help=f"Strength of random changes of body proportions.  {FROM_RECIPE}",
)


def also(help: str) -> Decorator:
    """``--also``: further data sets."""
    return click.option("--also", type=options.INPUT_FILE, multiple=True, help=help)


@dataclass(frozen=True)
class TrainingChoice:
    """What was given on the command line, and nothing else.

    Attributes
    ----------
    system, recipe : str or None
        Names.
    config, training : dict
        Fields of the system's config and of its options of training.
    how : dict
        Refit, device, precision and threads.
    """

    system: str | None
    recipe: str | None
    config: dict[str, Any]
    training: dict[str, Any]
    how: dict[str, Any]


def choice(
    values: Mapping[str, Any],
    fields: Sequence[str],
    config_class: Callable[[], type[Config]],
    config: Mapping[str, Any] | None = None,
) -> TrainingChoice:
    """Collect what was given, and the seed of the running command.

    Parameters
    ----------
    values : mapping
        The command's parameters.
    fields : sequence of str
        Those that are fields of the options of training, under their names.
    config_class : callable
        Gives the class of the system's settings; called where some are given.
    config : mapping, optional
        Settings that other options have decided; those that are given go before them.

    Raises
    ------
    UsageError
        The width is given in two ways.
    OptionError
        A setting is unknown or malformed.
    """
    ctx = click.get_current_context()
    chosen = dict(config or {})
    if values["settings"]:
        from gaitkit.training.config import parse_settings

        chosen |= parse_settings(config_class(), values["settings"])
    if values["width"] is not None:
        if "width" in chosen:
            raise click.UsageError("Give --width or --set width=…, not both.", ctx)
        chosen["width"] = values["width"]
    training = {name: values[name] for name in fields if values[name] is not None}
    if ctx.get_parameter_source("seed") is not click.core.ParameterSource.DEFAULT:
        training["seed"] = values["seed"]
    how = {name: values[name] for name in ("refit", "device", "precision", "threads")}
    return TrainingChoice(values["system"], values["recipe"], chosen, training, how)


def take_up(values: dict[str, Any], output: Path, kind: ModelKind) -> None:
    """Of a training that is resumed, settings are those of the system that is trained on."""
    named_here = values["system"] is not None or values["recipe"] is not None
    if values["resume"] and output.exists() and not named_here:
        from gaitkit.training.store import recorded_model

        values["system"] = recorded_model(output, kind).name
