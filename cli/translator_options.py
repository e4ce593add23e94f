"""The options of a translator's training, shared by `gaitkit train-gan` and `gaitkit run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import training_options as shared
from gaitkit.cli.training_options import TrainingChoice
from gaitkit.translators.recipes import DEFAULT_RECIPE, RECIPES, choose_recipe
from gaitkit.translators.registry import translator_names

if TYPE_CHECKING:
    from gaitkit.translators.config import TranslatorConfig

__all__ = ["translator_choice", "translator_options"]

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
"""The options that are fields of `TranslatorOptions`, under their names."""


def _recipes() -> Sequence[str]:
    return list(RECIPES)


translator_options = shared.decorated(
    *shared.named(translator_names, _recipes, DEFAULT_RECIPE),
    click.option(
        "--paired",
        is_flag=True,
        help="Add to the system's own losses the L1 to a target of the same person, and "
        "GaitGAN's identification discriminator.",
    ),
    shared.settings("l1_weight=30"),
    *shared.LENGTH,
    shared.batch_size("Triples"),
    shared.balanced("Draw every condition equally often, or every source."),
    click.option(
        "--shift",
        type=click.IntRange(0, 64),
        help=f"Shift sources at random by up to this many pixels.  {shared.FROM_RECIPE}",
    ),
    shared.warp,
    click.option(
        "--target-view",
        type=click.FloatRange(0, 360),
        metavar="DEGREES",
        help="View of the GEIs that sources are translated to.  [default: 90]",
    ),
    click.option(
        "--target-condition",
        metavar="NAME",
        help="Condition of the GEIs that sources are translated to.  [default: nm]",
    ),
    *shared.VALIDATION,
    *shared.COMPUTING,
)
"""Recipe, settings, length, validation, and where to compute."""


def translator_choice(values: Mapping[str, Any]) -> TrainingChoice:
    """Collect the values of `translator_options`; see `gaitkit.cli.training_options.choice`.

    Raises
    ------
    UsageError
        The width is given in two ways; the recipe has pairs of its own.
    OptionError
        A setting is unknown or malformed, or the recipe is one of another system.
    """
    chosen = choose_recipe(values["system"], values["recipe"])

    def config_class() -> type[TranslatorConfig]:
        from gaitkit.translators.registry import translator_class

        return translator_class(chosen.system).config_class

    config: dict[str, Any] = {}
    if values["paired"]:
        found = config_class()
        if found.from_parameters(chosen.config).mode == "paired":
            raise click.UsageError(
                f"The recipe {chosen.name} compares with a person's own targets already. Leave "
                "out --paired.",
                click.get_current_context(),
            )
        config = found.paired_settings()
    return shared.choice(values, _TRAINING, config_class, config)
