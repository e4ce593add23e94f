"""Named settings of a system and its training, so that a result can be asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from gaitkit.errors import OptionError
from gaitkit.training.recipes import Recipe, named_recipe

if TYPE_CHECKING:
    from gaitkit.translators.config import TranslatorConfig

__all__ = ["DEFAULT_RECIPE", "RECIPES", "Recipe", "choose_recipe", "get_recipe", "recipe_of"]


DEFAULT_RECIPE = "gaitgan"

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe("gaitgan", "GaitGAN as published, targets over all normal takes", "gaitgan"),
            Recipe(
                "gaitgan-v2",
                "as GaitGANv2: softmax and centre loss, balanced conditions; weights of our own",
                "gaitgan",
                config={"identity_weight": 1.0, "centre_weight": 0.003},
                training={"balanced": True},
            ),
            Recipe(
                "best",
                "best in our sweep: people told apart by pixels, a network, and in closed form",
                "gaitgan",
                config={
                    "learning_rate_g": 4e-4,
                    "betas": (0.5, 0.999),
                    "adversarial_weight": 0.0,
                    "l1_weight": 10.0,
                    "contrast_weight": 1.0,
                    "contrast_temperature": 0.05,
                    "identity_weight": 1.0,
                    "ema_decay": 0.995,
                    "linear_share": 0.7,
                },
                training={"balanced": True, "shift": 2, "warp": 1.0},
            ),
            Recipe(
                "linear",
                "discriminant analysis and regression, in seconds, and next to no network",
                "gaitgan",
                config={
                    "width": 1,
                    "adversarial_weight": 0.0,
                    "l1_weight": 1.0,
                    "linear_share": 1.0,
                },
                training={"iterations": 1},
            ),
        )
    }
)
"""All recipes, by name."""


def get_recipe(name: Recipe | str) -> Recipe:
    """A recipe by name; one that is given as such is given back.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    return named_recipe(RECIPES, name)


def recipe_of(system: str, config: TranslatorConfig) -> str:
    """Name of the recipe whose settings a model has; empty where it is none, or as published.

    Parameters
    ----------
    system : str
        A name of `gaitkit.translators.registry`.
    config : TranslatorConfig
        All settings of the model.

    Examples
    --------
    >>> from gaitkit.translators import GaitGANConfig
    >>> recipe_of("gaitgan", GaitGANConfig(**RECIPES["best"].config, width=16))
    'best'
    """
    having = (
        recipe
        for recipe in RECIPES.values()
        if recipe.system == system
        and all(vars(config)[name] == value for name, value in recipe.config.items())
    )
    # One that changes nothing is what every model has.
    found = max(having, key=lambda recipe: len(recipe.config), default=None)
    return found.name if found is not None and found.config else ""


def choose_recipe(system: str | None, recipe: Recipe | str | None) -> Recipe:
    """What to train when a system, a recipe, both or neither is given.

    Parameters
    ----------
    system : str or None
        A name of `gaitkit.translators.registry`; without a recipe, it is trained as published.
    recipe : Recipe, str or None
        A recipe, or a name of `RECIPES`.

    Raises
    ------
    OptionError
        There is no such recipe, or it is one of another system.
    """
    if recipe is None and system is not None:
        return Recipe(system, "as published", system=system)
    named = get_recipe(recipe or DEFAULT_RECIPE)
    if system not in (None, named.system):
        raise OptionError(
            f"the recipe {named.name!r} is one of {named.system}, not of {system}",
            hint=f"Leave out one of the two; gaitkit models {system} lists what can be set.",
        )
    return named
