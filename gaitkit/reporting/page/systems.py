"""Which translator made the images behind a result, by what their artefact's parameters say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gaitkit.labels import format_view
from gaitkit.translators.aim import USUAL_TARGET, told_target

__all__ = ["Translation", "translation_of"]

_LONGEST_NAME = 40


@dataclass(frozen=True)
class Translation:
    """How translated GEIs were made.

    Attributes
    ----------
    system : str
        Name of the translator's system.
    mode : str
        ``paired`` or ``faithful``; empty where the artefact does not say.
    recipe : str
        Whose settings the model has; empty where it was trained otherwise.
    view : float
        What it shows, degrees.
    condition : str
        Likewise.
    strength : float
        How strongly the change was asked for.
    target : tuple of (float, str)
        View, degrees, and condition that it was trained to show.
    """

    system: str
    mode: str = ""
    recipe: str = ""
    view: float = USUAL_TARGET[0]
    condition: str = USUAL_TARGET[1]
    strength: float = 1.0
    target: tuple[float, str] = USUAL_TARGET

    @property
    def title(self) -> str:
        """System, recipe or mode, and what it was asked for beyond the target.

        Examples
        --------
        >>> Translation("stargan", "paired", view=54.0).title
        'stargan, paired, to 054 nm'
        """
        parts = [self.system, self.recipe or self.mode]
        if (self.view, self.condition) != USUAL_TARGET:
            parts.append(f"to {format_view(self.view)} {self.condition}")
        if self.strength != 1.0:
            parts.append(f"strength {self.strength:g}")
        return ", ".join(filter(None, parts))


def translation_of(parameters: Mapping[str, Any]) -> Translation | None:
    """What the parameters of a GEI artefact say of its translator.

    Returns
    -------
    Translation or None
        `None` for measured GEIs, and where a file by somebody else says nothing that makes sense.
    """
    described = parameters.get("translator")
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        return None
    aim = described.get("aim")
    asked = aim if isinstance(aim, Mapping) else {}
    view, condition = told_target(asked.get("view"), asked.get("condition"))
    strength = asked.get("strength")
    mode, recipe = described.get("mode"), described.get("recipe")
    return Translation(
        described["name"][:_LONGEST_NAME],
        mode if mode in ("paired", "faithful") else "",
        recipe[:_LONGEST_NAME] if isinstance(recipe, str) else "",
        view,
        condition[:_LONGEST_NAME],
        float(strength) if isinstance(strength, int | float) else 1.0,
        _target_of(described),
    )


def _target_of(described: Mapping[str, Any]) -> tuple[float, str]:
    match described.get("target"):
        case [int() | float() as view, str() as condition]:
            return float(view), condition[:_LONGEST_NAME]
    return USUAL_TARGET
