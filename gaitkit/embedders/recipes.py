"""Named settings of an embedder and its training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gaitkit.errors import OptionError
from gaitkit.training.recipes import Recipe, named_recipe

__all__ = ["DEFAULT_EMBEDDER", "EMBEDDER_RECIPES", "choose_embedder"]

DEFAULT_EMBEDDER = "gei-parts"

EMBEDDER_RECIPES: Mapping[str, Recipe] = MappingProxyType({})
"""All recipes of embedders, by name."""


def choose_embedder(system: str | None, recipe: Recipe | str | None, reads: str) -> Recipe:
    """What to train when an embedder, a recipe, both or neither is given.

    Parameters
    ----------
    system : str or None
        A name of `gaitkit.embedders.registry`.
    recipe : Recipe, str or None
        A recipe, or a name of `EMBEDDER_RECIPES`.
    reads : str
        Kind of the artefact that is to be learned from, by which the embedder is chosen where
        nothing is given.

    Raises
    ------
    OptionError
        There is no such recipe, or it is one of another embedder.
    """
    if recipe is None:
        return Recipe(system or DEFAULT_EMBEDDER, "as published", system or DEFAULT_EMBEDDER)
    named = named_recipe(EMBEDDER_RECIPES, recipe)
    if system not in (None, named.system):
        raise OptionError(
            f"the recipe {named.name!r} is one of {named.system}, not of {system}",
            hint=f"Leave out one of the two; gaitkit models {system} lists what can be set.",
        )
    return named
