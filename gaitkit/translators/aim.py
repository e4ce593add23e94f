"""What a translation is to show: view, condition, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gaitkit.training.record import recorded_options

__all__ = ["USUAL_TARGET", "Aim", "told_target", "trained_target"]


@dataclass(frozen=True)
class Aim:
    """What to translate to; by default what the system was trained for.

    Attributes
    ----------
    view : float or None
        Degrees; `None` is the view of the training's targets.
    condition : str or None
        Likewise.
    strength : float
        How strongly the change is asked for, where a system can: 1 as the system does by itself,
        below 1 halfway, beyond 1 exaggerated.
    """

    view: float | None = None
    condition: str | None = None
    strength: float = 1.0


USUAL_TARGET = (90.0, "nm")
"""View, degrees, and condition of what a translator is trained to show by default."""


def told_target(view: object, condition: object) -> tuple[float, str]:
    """What a file says of view and condition; the usual where it says nothing that makes sense."""
    return (
        float(view) if isinstance(view, int | float) else USUAL_TARGET[0],
        condition if isinstance(condition, str) else USUAL_TARGET[1],
    )


def trained_target(parameters: Mapping[str, Any]) -> tuple[float, str]:
    """View, degrees, and condition that a translator was trained to show.

    Parameters
    ----------
    parameters : mapping
        Of its artefact. Where they do not say, or nothing that makes sense, it is the usual.
    """
    told = recorded_options(parameters) or {}
    return told_target(told.get("target_view"), told.get("target_condition"))
