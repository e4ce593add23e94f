"""What can be asked of the synthetic data set, and the names of its sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from types import MappingProxyType
from typing import Any

from gaitkit.errors import OptionError
from gaitkit.labels import SequenceKey, format_view

__all__ = [
    "CASIA_B_TAKES",
    "CASIA_B_VIEWS",
    "CONDITIONS",
    "MODEL_VERSION",
    "WalkerOptions",
    "sequence_keys",
]

MODEL_VERSION = 8
"""Raised whenever the same options would give other frames.

1 had one wardrobe for all people, who took another coat or bag now and then. 2 had people whom legs
and arms told apart too well, in a coat as without one, and no holes but in coats. 3 had holes that
turned with the camera, and fronts and backs that were too alike. 4 had heads, and left and right
sides, that were too alike, and trunks that differed too much between the front and the side. 5 left
to chance who had what. 6 had legs that changed with the light as trunks did, and in a coat, and
bags with which hardly anybody leaned.
"""

CONDITIONS = ("bg", "cl", "nm")
CASIA_B_TAKES: Mapping[str, int] = MappingProxyType({"nm": 6, "bg": 2, "cl": 2})
CASIA_B_VIEWS = tuple(float(view) for view in range(0, 181, 18))


@dataclass(frozen=True)
class WalkerOptions:
    """Everything that decides the content of a synthetic data set.

    Attributes
    ----------
    subjects : int
        How many people; they are named ``001``, ``002``, ...
    seed : int
        Another seed is another population.
    views : tuple of float
        Camera angles in degrees, 0 <= view < 360: 0 is seen from the front (the walker comes
        towards the camera), 90 from the walker's right side (walking to the right of the image),
        180 from behind. From 180 to 360 the cameras stand on the walker's left and the walk goes
        to the left: a person walking left at view v looks like one walking right at 360 - v.
    frames : int
        Frames of each sequence, at 25 per second; all cameras see the same walk at the same time.
    noise : float
        Strength of the segmentation noise: 1 is normal, 0 switches all of it off.
    equal_bodies : bool
        Everybody has the mean body, hair and clothes; movement, coats and bags are their own.
    takes : mapping of str to int
        Walks per condition: ``nm`` (normal), ``bg`` (with a bag), ``cl`` (in a coat).
    height_px, width_px : int
        Size of the image. The camera's focal length follows the height.

    Raises
    ------
    OptionError
        If a value cannot be used.
    """

    subjects: int = 124
    seed: int = 0
    views: tuple[float, ...] = CASIA_B_VIEWS
    frames: int = 48
    noise: float = 1.0
    equal_bodies: bool = False
    takes: Mapping[str, int] = field(default_factory=lambda: CASIA_B_TAKES, hash=False)
    height_px: int = 240
    width_px: int = 320

    def __post_init__(self) -> None:
        # A read-only copy: the caller's dict may change later; a plain dict also pickles.
        if not isinstance(self.takes, Mapping):
            raise OptionError(f"`takes` must be a number for each condition, got {self.takes!r}")
        object.__setattr__(self, "takes", dict(self.takes))
        try:
            views = tuple(float(view) for view in self.views)
        except (TypeError, ValueError):
            raise OptionError(f"`views` must be several angles, got {self.views!r}") from None
        object.__setattr__(self, "views", views)
        _check_between("`subjects`", self.subjects, 1, 9999)
        _check_between("`frames`", self.frames, 1, 120)
        _check_between("`seed`", self.seed, 0, 2**63 - 1)
        _check_between("`height_px`", self.height_px, 32, 1080)
        _check_between("`width_px`", self.width_px, 32, 1920)
        if not (_is_number(self.noise) and 0 <= self.noise <= 5):
            raise OptionError(f"`noise` must be between 0 and 5, got {self.noise!r}")
        self._check_views()
        self._check_takes()

    def _check_views(self) -> None:
        for view in self.views:
            if not (isfinite(view) and 0 <= view < 360):
                raise OptionError(f"`views` must be at least 0 and below 360 degrees, got {view:g}")
        if not self.views or len({format_view(view) for view in self.views}) != len(self.views):
            raise OptionError(f"`views` must be one or more different angles, got {self.views}")

    def _check_takes(self) -> None:
        for condition, count in self.takes.items():
            if condition not in CONDITIONS:
                raise OptionError(
                    f"`takes` may name the conditions nm, bg and cl, got {condition!r}"
                )
            _check_between(f"`takes` of {condition}", count, 0, 99)
        if sum(self.takes.values()) == 0:
            raise OptionError("`takes` must hold at least one walk, got none")

    @property
    def dataset_name(self) -> str:
        """The data set's name; another model, seed or kind of body is another set of people.

        ``synthetic-8-0`` is the eighth model with seed 0. Walkers of the first are called
        ``synthetic-0``, and so are people in artefacts and models made of them: nothing of one
        model is taken for the other's.
        """
        return f"synthetic-{MODEL_VERSION}-{self.seed}" + (
            "-equal-bodies" if self.equal_bodies else ""
        )

    def as_parameters(self) -> dict[str, Any]:
        """The options as plain values for JSON."""
        return {
            "subjects": self.subjects,
            "seed": self.seed,
            "views": list(self.views),
            "frames": self.frames,
            "noise": float(self.noise),
            "equal_bodies": self.equal_bodies,
            "takes": dict(sorted(self.takes.items())),
            "height_px": self.height_px,
            "width_px": self.width_px,
        }


def subject_name(index: int) -> str:
    """The name of the person with this index, counted from 0: ``001``."""
    return f"{index + 1:03d}"


def sequence_keys(options: WalkerOptions) -> list[SequenceKey]:
    """The keys of all sequences, sorted by subject, condition, take and view.

    Parameters
    ----------
    options : WalkerOptions
        The data set.

    Returns
    -------
    list of SequenceKey
        One for each subject, condition, take and view.
    """
    keys = [
        SequenceKey(subject_name(subject), condition, take, view)
        for subject in range(options.subjects)
        for condition, takes in options.takes.items()
        for take in range(1, takes + 1)
        for view in options.views
    ]
    return sorted(keys, key=lambda key: key.order)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _check_between(name: str, value: int, low: int, high: int) -> None:
    if not _is_number(value) or int(value) != value or not low <= value <= high:
        raise OptionError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
