"""How the silhouettes of a sequence are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any, Literal, get_args

from gaitkit.errors import OptionError, refuse_unknown

__all__ = ["SELECTS_SEQUENCES", "Cycles", "GeiOptions", "Mirror"]

SELECTS_SEQUENCES = frozenset({"min_frames"})
"""Options that decide which sequences are kept, and change no pixel of one that is."""

Cycles = Literal["all", "whole"]
Mirror = Literal["none", "view", "track"]


@dataclass(frozen=True)
class GeiOptions:
    """Options of `gaitkit.gei.sequence.sequence_gei`.

    Attributes
    ----------
    min_frames : int
        Sequences with fewer usable frames are dropped. Ten frames at 25 per second are most of one
        step; the mean of fewer is a posture and no longer a gait.
    cycles : {"all", "whole"}
        Average all frames, or those of an integer number of gait periods.
    mirror : {"none", "view", "track"}
        Bring both walking directions together: ``view`` mirrors sequences whose view lies between
        180 and 360 degrees; ``track`` mirrors those whose body moves to the left in the frame. In
        both, view v above 180 becomes 360 - v.

    Raises
    ------
    OptionError
        A value is outside its range.

    Examples
    --------
    >>> GeiOptions(cycles="whole")
    GeiOptions(min_frames=10, cycles='whole', mirror='none')
    """

    min_frames: int = 10
    cycles: Cycles = "all"
    mirror: Mirror = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.min_frames, Integral) or self.min_frames < 1:
            raise OptionError(f"`min_frames` must be at least 1, got {self.min_frames!r}.")
        for name, known in (("cycles", get_args(Cycles)), ("mirror", get_args(Mirror))):
            if getattr(self, name) not in known:
                expected = ", ".join(known)
                raise OptionError(
                    f"`{name}` must be one of {expected}, got {getattr(self, name)!r}."
                )

    def as_parameters(self) -> dict[str, Any]:
        """The options that change the content, as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> GeiOptions:
        """The options that `as_parameters` described.

        Raises
        ------
        OptionError
            A name is unknown or a value is outside its range.
        """
        refuse_unknown("GEI option", sorted(parameters), [field.name for field in fields(cls)])
        return cls(**parameters)
