"""Settings of a translator: numbers with bounds, checked before anything is allocated from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self, cast

from gaitkit.errors import OptionError

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.training.options import TrainingOptions

__all__ = ["MAX_IMAGE_SIDE", "TranslatorConfig", "choice", "listing", "setting", "word"]

MAX_IMAGE_SIDE = 512
"""Largest height or width of a GEI, in pixels, that a network is built for."""


def setting(
    default: Any,
    low: float,
    high: float,
    help: str,
    *,
    open_ends: tuple[bool, bool] = (False, False),
    by_data: bool = False,
) -> Any:
    """A dataclass field that holds a number (or a tuple of numbers) within bounds.

    Parameters
    ----------
    default : int, float or tuple of those
        The default, which also fixes the type: a float setting takes integers, not the reverse.
    low, high : float
        Bounds of the number, or of each number of the tuple.
    help : str
        One line for the command line and the documentation.
    open_ends : tuple of bool
        Whether `low` and `high` themselves are forbidden.
    by_data : bool
        Whether the training's data decide it, and nobody sets it.
    """
    bounds = {"low": low, "high": high, "open_ends": open_ends, "help": help, "by_data": by_data}
    return field(default=default, metadata=bounds)


def listing(default: tuple[Any, ...], longest: int, low: float, high: float, help: str) -> Any:
    """A dataclass field that holds what the data have: different numbers or names, any number.

    Parameters
    ----------
    default : tuple of float or of str
        The default, of at least one element, which also fixes the type.
    longest : int
        Elements at most.
    low, high : float
        Bounds of each number, or of the length of each name.
    help : str
        One line for the documentation.
    """
    limits = {"longest": longest, "low": low, "high": high, "help": help, "by_data": True}
    return field(default=default, metadata=limits)


def choice(default: str, choices: tuple[str, ...], help: str) -> Any:
    """A dataclass field that holds one of a few names.

    Parameters
    ----------
    default : str
        One of `choices`.
    choices : tuple of str
        What is allowed.
    help : str
        One line for the command line and the documentation.
    """
    return field(default=default, metadata={"choices": choices, "help": help})


def word(default: str, longest: int, help: str) -> Any:
    """A dataclass field that holds a name which the data decide, of up to `longest` letters."""
    return field(default=default, metadata={"letters": longest, "help": help, "by_data": True})


@dataclass(frozen=True)
class TranslatorConfig:
    """What every translator's settings have in common.

    Subclasses add fields made by `setting`; the defaults are the paper's.

    Raises
    ------
    OptionError
        When a value has the wrong type or lies outside its bounds.
    """

    image_size: tuple[int, int] = setting(
        (64, 64),
        16,
        MAX_IMAGE_SIDE,
        "height and width of the GEIs, pixels, multiples of 16",
        by_data=True,
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item, vars(self)[item.name])
        if any(side % 16 for side in self.image_size):
            raise OptionError(
                f"image_size must be multiples of 16, got {_show(self.image_size)}",
                hint="Make the GEIs again with --size 64 64, or other multiples of 16.",
            )

    @classmethod
    def of_data(cls, geis: GeiSet, options: TrainingOptions) -> dict[str, Any]:
        """What the training's data decide: fields by name.

        Parameters
        ----------
        geis : GeiSet
            GEIs of all training people.
        options : TrainingOptions
            How they will be used.
        """
        return {"image_size": geis.image_size}

    def check_data(self, geis: GeiSet, options: TrainingOptions) -> None:
        """Refuse GEIs that networks built for these settings cannot learn from.

        Parameters
        ----------
        geis, options
            As in `of_data`.

        Raises
        ------
        OptionError
            The data would decide otherwise.
        """
        if geis.image_size != self.image_size:
            raise OptionError(
                f"The networks take GEIs of {self.image_size} pixels, these have "
                f"{geis.image_size}.",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )

    @classmethod
    def paired_settings(cls) -> dict[str, Any]:
        """What ``--paired`` sets: each person's own target GEI goes into the loss.

        Raises
        ------
        OptionError
            The system has no such mode.
        """
        if "paired" in {item.name for item in fields(cls)}:
            return {"paired": True}
        raise OptionError(
            "this system has no paired mode",
            hint="Leave out --paired; gaitkit models SYSTEM lists what can be set.",
        )

    @property
    def mode(self) -> str:
        """``paired`` where what `paired_settings` sets is on, else ``faithful``."""
        try:
            names = self.paired_settings()
        except OptionError:
            return "faithful"
        return "paired" if all(vars(self)[name] for name in names) else "faithful"

    def as_parameters(self) -> dict[str, Any]:
        """The settings as JSON-able values, in the order of their fields."""
        return {
            item.name: list(value) if isinstance(value, tuple) else value
            for item in fields(self)
            for value in [vars(self)[item.name]]
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Settings from JSON-able values; missing ones take their defaults.

        Raises
        ------
        OptionError
            When a name is unknown, or a value has the wrong type or lies outside its bounds.
        """
        known = {item.name: item for item in fields(cls)}
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise OptionError(
                f"unknown setting {unknown[0]!r} of {cls.__name__}; known: {', '.join(known)}"
            )
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in parameters.items()
        }
        return replace(cls(), **values)


def _check(item: Field[Any], value: Any) -> None:
    default: Any = item.default
    if "choices" in item.metadata:
        if not isinstance(value, str) or value not in item.metadata["choices"]:
            known = ", ".join(item.metadata["choices"])
            raise OptionError(f"{item.name} must be one of {known}, got {_show(value)}")
        return
    if "letters" in item.metadata:
        if not isinstance(value, str) or not 1 <= len(value) <= item.metadata["letters"]:
            raise OptionError(
                f"{item.name} must be a name of up to {item.metadata['letters']} letters, got "
                f"{_show(value)}"
            )
        return
    if "longest" in item.metadata:
        _check_listing(item, value)
        return
    if isinstance(default, tuple):
        if not isinstance(value, tuple) or len(value) != len(default):
            raise OptionError(f"{item.name} must be {len(default)} numbers, got {_show(value)}")
        pairs: list[tuple[Any, Any]] = list(zip(default, value, strict=True))
    else:
        pairs = [(default, value)]
    low, high = item.metadata["low"], item.metadata["high"]
    low_open, high_open = item.metadata["open_ends"]
    for model, number in pairs:
        allowed: tuple[type, ...] = (int, float) if isinstance(model, float) else (type(model),)
        # bool is an int to Python, and never meant as one here.
        if isinstance(number, bool) is not isinstance(model, bool) or not isinstance(
            number, allowed
        ):
            kind = type(model).__name__
            raise OptionError(f"{item.name} must be of type {kind}, got {_show(value)}")
        inside = math.isfinite(cast(float, number)) and low <= number <= high
        if not inside or (low_open and number == low) or (high_open and number == high):
            left, right = "(" if low_open else "[", ")" if high_open else "]"
            raise OptionError(
                f"{item.name} must be in {left}{low:g}, {high:g}{right}, got {_show(value)}"
            )


def _check_listing(item: Field[Any], value: Any) -> None:
    default: Any = item.default
    longest, low, high = (item.metadata[name] for name in ("longest", "low", "high"))
    named = isinstance(default[0], str)
    if (
        not isinstance(value, tuple)
        or not 1 <= len(value) <= longest
        or len(set(map(str, value))) != len(value)
        or not all(
            isinstance(one, str if named else (int, float)) and not isinstance(one, bool)
            for one in value
        )
        or not all(low <= (len(one) if named else one) <= high for one in value)
    ):
        what = "names of {:g} to {:g} letters" if named else "numbers in [{:g}, {:g}]"
        raise OptionError(
            f"{item.name} must be 1 to {longest} different {what.format(low, high)}, got "
            f"{_show(value)}"
        )


def _show(value: Any) -> str:
    # A hostile file may hold a very long value; the message stays short.
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
