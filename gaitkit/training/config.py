"""Settings of a model: numbers with bounds and names, checked before anything is made from them.

They are the fields of a frozen dataclass. From the same fields come what the command line shows of
them and how it reads them as text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Self, cast

from gaitkit.errors import OptionError, did_you_mean

__all__ = [
    "Config",
    "Setting",
    "choice",
    "describe_settings",
    "listing",
    "network_form",
    "parse_settings",
    "setting",
    "setting_text",
    "word",
]

FORM = "form"
"""The setting that `network_form` makes."""

IMAGE_SIZE_HINT = "Make the images again with `size=(64, 64)`, or others within that."
"""Where the images' size, which nobody sets, is out of a setting's bounds."""

FORMER = (
    "The networks have the form that an earlier gaitkit gave them: they are applied as before, but "
    "no longer trained."
)
FORMER_HINT = (
    "Train a new model into another output; `restart=True` replaces a training that was stopped."
)

_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def setting(
    default: Any,
    low: float,
    high: float,
    help: str,
    *,
    open_ends: tuple[bool, bool] = (False, False),
    by_data: bool = False,
    hint: str | None = None,
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
    hint : str, optional
        What to do where it is out of bounds, if that is not to set another.
    """
    bounds = {"low": low, "high": high, "open_ends": open_ends, "hint": hint}
    return field(default=default, metadata={**bounds, "help": help, "by_data": by_data})


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


def network_form(newest: int) -> Any:
    """A dataclass field `form`: which form of a system's networks a model has.

    Networks that are changed so that they compute something else get a new form. Models of a former
    one are applied as before, and not trained.

    Parameters
    ----------
    newest : int
        The form of all new models, 2 or more.
    """
    help = "form of the networks: new models have the newest"
    return setting(newest, 1, newest, help, by_data=True)


@dataclass(frozen=True)
class Config:
    """What the settings of all models have in common.

    Subclasses add fields made by `setting`, `choice`, `listing` and `word`.

    Raises
    ------
    OptionError
        When a value has the wrong type or lies outside its bounds.
    """

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item, vars(self)[item.name])

    @classmethod
    def of_data(cls, data: Any, options: Any) -> dict[str, Any]:
        """What the training's data decide: fields by name.

        Parameters
        ----------
        data
            Of all training people.
        options : TrainingOptions
            How they will be used.
        """
        return {}

    def check_data(self, data: Any, options: Any) -> None:
        """Refuse data that networks built for these settings cannot learn from.

        Parameters
        ----------
        data, options
            As in `of_data`.

        Raises
        ------
        OptionError
            The data would decide otherwise.
        """

    def check_form(self) -> None:
        """Refuse to train networks of a former form.

        Raises
        ------
        OptionError
            They are.
        """
        newest = next((item.default for item in fields(self) if item.name == FORM), None)
        if newest is not None and vars(self)[FORM] != newest:
            raise OptionError(FORMER, hint=FORMER_HINT)

    @classmethod
    def by_data(cls) -> frozenset[str]:
        """Names of the settings that the training's data decide."""
        return frozenset(item.name for item in fields(cls) if item.metadata.get("by_data"))

    def as_parameters(self) -> dict[str, Any]:
        """The settings as JSON-able values, in the order of their fields."""
        return {
            item.name: list(value) if isinstance(value, tuple) else value
            for item in fields(self)
            for value in [vars(self)[item.name]]
        }

    def changed(self) -> dict[str, Any]:
        """The settings that are not the defaults, but for those that the data decide."""
        return {
            item.name: vars(self)[item.name]
            for item in fields(self)
            if item.name not in self.by_data() and vars(self)[item.name] != item.default
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Settings from JSON-able values; missing ones take their defaults.

        Raises
        ------
        OptionError
            When a name is unknown, or a value has the wrong type or lies outside its bounds.
        """
        return cls().with_settings(parameters)

    @classmethod
    def of_file(cls, parameters: Mapping[str, Any]) -> Self:
        """Settings as a model's file holds them; raises as `from_parameters` does.

        A file that says nothing of a `form` is of a model from before there were several, and has
        the first.
        """
        first = {FORM: 1} if FORM in {item.name for item in fields(cls)} else {}
        return cls.from_parameters({**first, **parameters})

    @classmethod
    def told_in_full(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What a model's file says of its settings, and those that there were not yet.

        They have the values that leave everything as it was. What makes no sense is given as it is.
        """
        try:
            return cls.of_file(parameters).as_parameters()
        except OptionError:
            return dict(parameters)

    def with_settings(self, parameters: Mapping[str, Any]) -> Self:
        """These settings with some of them changed; raises as `from_parameters` does."""
        known = {item.name: item for item in fields(self)}
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise OptionError(
                f"unknown setting {unknown[0]!r} of {type(self).__name__}; known: "
                f"{', '.join(known)}",
                hint=did_you_mean(unknown[0], known).strip() or None,
            )
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in parameters.items()
        }
        return replace(self, **values)


@dataclass(frozen=True)
class Setting:
    """One setting of a model, described.

    Attributes
    ----------
    name, help : str
        What it is called, and what it does.
    default, allowed : str
        Its default as one would type it, and its range or choices.
    """

    name: str
    default: str
    allowed: str
    help: str


def describe_settings(config_class: type[Config]) -> list[Setting]:
    """What can be set, in the order of the class's fields."""
    return [
        Setting(item.name, setting_text(item.default), _allowed(item), item.metadata["help"])
        for item in fields(config_class)
        if not item.metadata.get("by_data")
    ]


def parse_settings(config_class: type[Config], texts: Iterable[str]) -> dict[str, Any]:
    """Read settings, each typed as its field says; the config itself checks the bounds.

    Parameters
    ----------
    config_class : type
        The model's config.
    texts : iterable of str
        ``NAME=VALUE``; the numbers of a tuple are separated by commas.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    OptionError
        A name is unknown or given twice, or a value has the wrong type.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Example(Config):
    ...     rate: float = setting(0.1, 0, 1, "step size")
    ...     betas: tuple[float, float] = setting((0.9, 0.999), 0, 1, "decay")
    >>> parse_settings(Example, ["rate=1", "betas=0.5,0.999"])
    {'rate': 1.0, 'betas': (0.5, 0.999)}
    """
    known = {item.name: item for item in fields(config_class) if not item.metadata.get("by_data")}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals:
            raise OptionError(f"a setting is given as NAME=VALUE, got {text!r}")
        if name not in known:
            raise OptionError(
                f"there is no setting {name!r}",
                hint=f"{did_you_mean(name, known)}gaitkit models SYSTEM lists the settings.",
            )
        if name in values:
            raise OptionError(f"{name} is set twice")
        values[name] = _read(known[name], value)
    return values


def _read(item: Field[Any], text: str) -> Any:
    default = item.default
    if not isinstance(default, tuple):
        return _read_one(item.name, type(default), text)
    parts = [part.strip() for part in text.strip("()[]").split(",")]
    if len(parts) != len(default):
        raise OptionError(
            f"{item.name} must be {len(default)} numbers with commas between them, got {text!r}"
        )
    return tuple(
        _read_one(item.name, type(model), part) for model, part in zip(default, parts, strict=True)
    )


def _read_one(name: str, kind: type, text: str) -> Any:
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in _WORDS:
            raise OptionError(f"{name} must be true or false, got {text!r}")
        return _WORDS[text.lower()]
    what = "a whole number" if kind is int else "a number"
    try:
        return kind(text)
    except ValueError:
        raise OptionError(f"{name} must be {what}, got {text!r}") from None


def setting_text(value: Any) -> str:
    """What a user types for a setting's value.

    Parameters
    ----------
    value : bool, int, float, str, or a tuple or list of those
        The value; a list is what JSON makes of a tuple.

    Returns
    -------
    str
        As `parse_settings` reads it.

    Examples
    --------
    >>> [setting_text(value) for value in (True, 2.0, 6.67e-05, (0.5, 0.999))]
    ['true', '2', '6.67e-05', '0.5,0.999']
    """
    if isinstance(value, tuple | list):
        return ",".join(map(setting_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(item: Field[Any]) -> str:
    if "choices" in item.metadata:
        return ", ".join(item.metadata["choices"])
    if isinstance(item.default, bool):
        return "true, false"
    low_open, high_open = item.metadata["open_ends"]
    low, high = item.metadata["low"], item.metadata["high"]
    return f"{'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"


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
                f"{item.name} must be in {left}{low:g}, {high:g}{right}, got {_show(value)}",
                hint=item.metadata["hint"],
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
