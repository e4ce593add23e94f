"""How a video is segmented: every choice that changes a mask or a pass, in one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from numbers import Real
from typing import Any

from gaitkit.errors import OptionError, refuse_unknown
from gaitkit.printable import quoted

__all__ = ["ROTATIONS", "SegmentOptions"]

ROTATIONS = (0, 90, 180, 270)
"""Degrees by which pictures are turned clockwise."""

# What decides which frames are looked at, and changes no mask.
_SELECT = ("from_s", "to_s", "max_frames", "min_frames")


@dataclass(frozen=True)
class SegmentOptions:
    """Options of `gaitkit.stages.segment.segment` and of colour videos on the way.

    Attributes
    ----------
    segmenter : str
        A name of `gaitkit.segmentation.segmenters.SEGMENTERS`, or the path of a network that
        segments people, ``.tflite`` or ``.onnx``.
    from_s, to_s : float
        Where in the video to begin and to end, seconds; `to_s` may be `None` for its end.
    max_frames : int or None
        After so many frames it ends.
    min_frames : int
        Shorter passes are dropped.
    min_height_px : int
        Lower people are passed over, pixels of the video.
    rotate : int
        Degrees by which the pictures are turned clockwise, beyond what the video itself says.
    input_size : tuple of int or None
        Height and width of the network's input, where the file does not say it.
    input_range : {"0..1", "-1..1", "0..255"} or None
        What the network expects for black and white; by default what fits the file best.
    channel : int or None
        Which channel of the network's output is the person's; by default the last.

    Raises
    ------
    OptionError
        A value is outside its range.

    Examples
    --------
    >>> SegmentOptions(from_s=2).as_parameters()
    {'segmenter': 'background', 'version': 4}
    >>> SegmentOptions(rotate=45)
    Traceback (most recent call last):
        ...
    gaitkit.errors.OptionError: `rotate` must be 0, 90, 180 or 270 degrees, got 45.
    """

    segmenter: str = "background"
    from_s: float = 0.0
    to_s: float | None = None
    max_frames: int | None = None
    min_frames: int = 10
    min_height_px: int = 20
    rotate: int = 0
    input_size: tuple[int, int] | None = None
    input_range: str | None = None
    channel: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "segmenter", str(self.segmenter))
        self._check_number("from_s", self.from_s)
        if self.to_s is not None:
            self._check_number("to_s", self.to_s)
            if self.to_s <= self.from_s:
                raise OptionError(f"`to_s` must be after `from_s`, got {self.to_s:g}.")
        for name in ("max_frames", "min_frames", "min_height_px"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise OptionError(f"`{name}` must be a whole number from 1, got {value!r}.")
        if self.rotate not in ROTATIONS:
            raise OptionError(f"`rotate` must be 0, 90, 180 or 270 degrees, got {self.rotate!r}.")
        if self.input_range not in (None, "0..1", "-1..1", "0..255"):
            raise OptionError(
                f"`input_range` must be 0..1, -1..1 or 0..255, got {quoted(str(self.input_range))}."
            )
        if self.input_size is not None:
            object.__setattr__(self, "input_size", tuple(self.input_size))
            if not all(16 <= side <= 2048 for side in self.input_size):
                raise OptionError(
                    f"`input_size` is a height and a width from 16 to 2048, got {self.input_size}."
                )

    def _check_number(self, name: str, value: Any) -> None:
        good = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
        if not (good and 0 <= value <= 1e7):
            raise OptionError(f"`{name}` must be a number of seconds from 0, got {value!r}.")

    def as_parameters(self) -> dict[str, Any]:
        """How masks come about, as JSON-able values; not which part of a video was looked at.

        Raises
        ------
        OptionError
            There is no such segmenter.
        """
        from gaitkit.segmentation.segmenters import describe_segmenter

        told = describe_segmenter(self)
        if self.min_height_px != 20:
            told["min_height_px"] = self.min_height_px
        return told

    def selection(self) -> dict[str, Any]:
        """What part of a video is looked at, and how it lies, where that was said."""
        names = (*_SELECT, "rotate")
        defaults = {item.name: item.default for item in fields(self)}
        return {name: value for name in names if (value := getattr(self, name)) != defaults[name]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> SegmentOptions:
        """Options by name.

        Raises
        ------
        OptionError
            A name is unknown or a value is outside its range.
        """
        refuse_unknown(
            "option of segmentation", sorted(parameters), [item.name for item in fields(cls)]
        )
        return cls(**parameters)
