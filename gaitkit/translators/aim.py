"""What a translation is to show: view, condition, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Aim"]


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

    @property
    def is_default(self) -> bool:
        """Whether nothing in particular is asked for."""
        return self == Aim()
