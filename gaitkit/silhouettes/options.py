"""How silhouettes are normalised: every choice that changes a pixel, in one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

from gaitkit.errors import OptionError, refuse_unknown

__all__ = ["SELECTS_FRAMES", "Alignment", "SilhouetteOptions"]

SELECTS_FRAMES = frozenset(
    {
        "min_height_px",
        "drop_cut",
        "drop_off_trend",
        "trend_frames",
        "height_tolerance",
        "area_tolerance",
    }
)
"""Options that decide which frames are kept, and change no pixel of a frame that is."""

Alignment = Literal["person", "opengait", "given"]

_KINDS: dict[str, Any] = {"Alignment": str, "int": Integral, "float": Real, "bool": bool}
_WORDS = {str: "a word", Integral: "a whole number", Real: "a number", bool: "True or False"}
_SIZE_FIELDS = ("alignment", "height", "width")


@dataclass(frozen=True)
class SilhouetteOptions:
    """Options of `gaitkit.normalize_silhouettes` and `gaitkit.silhouettes.normalize_sequence`.

    Only `alignment`, `height`, `width` and `invert` mean anything to ``opengait`` and ``given``;
    the other fields belong to ``person``.

    Attributes
    ----------
    alignment : {"person", "opengait", "given"}
        ``person`` finds the person, drops frames that do not show one whole person, and centres on
        head and shoulders. ``opengait`` is that toolkit's rule, frame for frame, defects included.
        ``given`` leaves frames as they are, since somebody else has aligned them; `height` and
        `width` are theirs.
    height, width : int
        Rows and columns of a normalised silhouette.
    threshold : float
        A pixel belongs to the foreground if it is brighter than this fraction of the frame's
        brightest pixel, so that masks of 0 and 1 and of 0 and 255 give the same result.
    opening_px : int
        Diameter of the cross with which the mask is opened; 1 switches the opening off.
    part_area : float
        A separate part is a speck if its area is below this fraction of the largest component's.
    part_gap : float
        A separate part belongs to the body if the gap to the body is at most this fraction of the
        largest component's longer side, and at most the part's own longer side.
    centre_part : float
        The silhouette is centred on the centre of mass of this fraction of its rows, from the top.
    min_height_px : int
        A lower person is too small to normalise.
    drop_cut : bool
        Drop frames in which the person touches the image border.
    drop_off_trend : bool
        Drop frames far from the running trend of height and area.
    trend_frames : int
        Frames in the window of the running trend: about one gait cycle.
    height_tolerance, area_tolerance : float
        Largest deviation from the trend that is always accepted, as a fraction.
    invert : bool
        The person is dark and the background bright. It means the same to every alignment.

    Raises
    ------
    OptionError
        A value is outside its range or of another type.

    Examples
    --------
    >>> SilhouetteOptions(height=128, width=88).as_parameters()["height"]
    128
    >>> SilhouetteOptions(threshold=1.5)
    Traceback (most recent call last):
        ...
    gaitkit.errors.OptionError: `threshold` must be from 0 to below 1, got 1.5.
    """

    alignment: Alignment = "person"
    height: int = 64
    width: int = 64
    threshold: float = 0.5
    opening_px: int = 3
    part_area: float = 0.02
    part_gap: float = 0.12
    centre_part: float = 0.2
    min_height_px: int = 20
    drop_cut: bool = True
    drop_off_trend: bool = True
    trend_frames: int = 25
    height_tolerance: float = 0.1
    area_tolerance: float = 0.5
    invert: bool = False

    def __post_init__(self) -> None:
        for item in fields(self):
            kind, value = _KINDS[str(item.type)], getattr(self, item.name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise OptionError(f"`{item.name}` must be {_WORDS[kind]}, got {value!r}.")
            if hasattr(value, "item"):  # JSON has no numbers of numpy's.
                object.__setattr__(self, item.name, value.item())
        if self.alignment not in get_args(Alignment):
            *names, last = get_args(Alignment)
            known = f"{', '.join(names)} or {last}"
            raise OptionError(f"`alignment` must be {known}, got {self.alignment!r}.")
        self._check("height", 8 <= self.height <= 1024, "8 to 1024 rows")
        self._check("width", 8 <= self.width <= 1024, "8 to 1024 columns")
        if self.alignment == "opengait":
            self._check("width", self.width % 2 == 0, "even with alignment opengait")
        self._check("threshold", 0 <= self.threshold < 1, "from 0 to below 1")
        self._check("opening_px", self.opening_px in range(1, 32, 2), "odd, 1 to 31")
        self._check("part_area", 0 <= self.part_area <= 1, "0 to 1")
        self._check("part_gap", 0 <= self.part_gap <= 1, "0 to 1")
        self._check("centre_part", 0 < self.centre_part <= 1, "above 0, at most 1")
        self._check("min_height_px", self.min_height_px >= 1, "at least 1")
        self._check("trend_frames", self.trend_frames >= 5, "at least 5")
        self._check("height_tolerance", self.height_tolerance > 0, "above 0")
        self._check("area_tolerance", self.area_tolerance > 0, "above 0")

    def _check(self, name: str, good: bool, expected: str) -> None:
        if not good:
            raise OptionError(f"`{name}` must be {expected}, got {getattr(self, name)!r}.")

    def as_parameters(self) -> dict[str, Any]:
        """The options that change the content, as JSON-able values."""
        values = asdict(self)
        if not values["invert"]:
            del values["invert"]  # As before there was such an option.
        if self.alignment == "person":
            return values
        return {name: values[name] for name in (*_SIZE_FIELDS, "invert") if name in values}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> SilhouetteOptions:
        """The options that `as_parameters` described.

        Raises
        ------
        OptionError
            A name is unknown or a value is outside its range.
        """
        refuse_unknown(
            "silhouette option", sorted(parameters), [field.name for field in fields(cls)]
        )
        return cls(**parameters)
