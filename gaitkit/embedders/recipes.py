"""Named settings of an embedder and its training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gaitkit.errors import OptionError
from gaitkit.training.recipes import Recipe, named_recipe

__all__ = ["DEFAULT_EMBEDDER", "EMBEDDER_RECIPES", "choose_embedder"]

DEFAULT_EMBEDDER = "gei-parts"

_DEFAULTS = {"gei": DEFAULT_EMBEDDER, "silhouettes": "gaitset"}

_BY_CYCLE = {
    "stem": "half",
    "values": 128,
    "optimizer": "adamw",
    "schedule": "one-cycle",
    "learning_rate": 3e-3,
    "ema_decay": 0.998,
}
_FEW_FRAMES = {
    "iterations": 3_000,
    "batch_size": 48,
    "people": 8,
    "frames": 10,
    "shear": 0.06,
    "stretch": 0.1,
    "shift": 2.0,
    "erase": 0.3,
}

EMBEDDER_RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "gei-analysis",
                "discriminant analysis of a GEI and its strips, in seconds, and next to no network",
                "gei-parts",
                {"width": 1, "part_count": 1, "ema_decay": 0.0, "linear_weight": 1_000.0},
                {"iterations": 1, "bodies": 1},
            ),
            Recipe(
                "gaitset-small",
                "GaitSet for two cores: half the channels and the resolution, fewer frames",
                "gaitset",
                {**_BY_CYCLE, "width": 16, "norm": "batch", "softmax_weight": 1.0},
                _FEW_FRAMES,
            ),
            Recipe(
                "gaitbase-small",
                "GaitBase for two cores: an eighth of the channels, half the resolution, fewer "
                "frames",
                "gaitbase",
                {**_BY_CYCLE, "width": 8},
                {**_FEW_FRAMES, "rotate_chance": 1.0, "rotate": 0.0, "erase_area": 0.0},
            ),
        )
    }
)
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
        name = system or _DEFAULTS.get(reads, DEFAULT_EMBEDDER)
        return Recipe(name, "as published", name)
    named = named_recipe(EMBEDDER_RECIPES, recipe)
    if system not in (None, named.system):
        raise OptionError(
            f"the recipe {named.name!r} is one of {named.system}, not of {system}",
            hint=f"Leave out one of the two; gaitkit models {system} lists what can be set.",
        )
    return named
