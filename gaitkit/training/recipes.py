"""Named settings of a model and its training, so that a result can be asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gaitkit.errors import OptionError, did_you_mean

__all__ = ["Recipe", "named_recipe"]


@dataclass(frozen=True)
class Recipe:
    """Where a training departs from the defaults of its model and of its options.

    Attributes
    ----------
    name, summary : str
        What the command line takes, and one line on what it is.
    system : str
        Name of the model's class in the registry of its kind.
    config, training : mapping
        Fields of the model's config, and of its options of training.
    """

    name: str
    summary: str
    system: str
    config: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def as_parameters(self) -> dict[str, Any]:
        """What it changes, as JSON-able values."""
        return {
            "system": self.system,
            "config": dict(self.config),
            "training": dict(self.training),
        }


def named_recipe(recipes: Mapping[str, Recipe], name: Recipe | str) -> Recipe:
    """A recipe by name; one that is given as such is given back.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    if isinstance(name, Recipe):
        return name
    if not isinstance(name, str) or name not in recipes:
        raise OptionError(
            f"there is no recipe {name!r}; known: {', '.join(recipes)}",
            hint=did_you_mean(str(name), recipes).strip() or None,
        )
    return recipes[name]
