"""How a sequence becomes a GEI."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gaitkit.errors import OptionError

__all__ = ["CYCLES", "MIRRORS", "GeiOptions"]

CYCLES = ("all", "whole")
MIRRORS = ("none", "view", "track")


@dataclass(frozen=True)
class GeiOptions:
    """Options of the average.

    Attributes
    ----------
    min_frames : int
        Sequences with fewer usable frames are dropped. Five is less than half a step at 25 frames
        a second: what is left is no average of a walk (CASIA-B's 005 bg-01 at 000).
    cycles : {"all", "whole"}
        Average all frames, or the longest run of whole gait cycles from the first frame on.
    mirror : {"none", "view", "track"}
        ``view``: images of views above 180° are mirrored and labelled 360° − view. ``track``:
        images of people who walk to the left of the frame are mirrored, so that all walk to the
        right; a view above 180° is then labelled 360° − view.

    Raises
    ------
    OptionError
        A value outside its range.
    """

    min_frames: int = 5
    cycles: str = "all"
    mirror: str = "none"

    def __post_init__(self) -> None:
        if self.min_frames < 1:
            raise OptionError(f"min_frames must be at least 1, got {self.min_frames}.")
        if self.cycles not in CYCLES:
            raise OptionError(f"cycles must be one of {CYCLES}, got {self.cycles!r}.")
        if self.mirror not in MIRRORS:
            raise OptionError(f"mirror must be one of {MIRRORS}, got {self.mirror!r}.")

    def as_parameters(self) -> dict[str, Any]:
        """The options as JSON-able data."""
        return asdict(self)
