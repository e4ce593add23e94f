"""A system's settings as text: what the command line shows of them, and reads as NAME=VALUE."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import Field, dataclass, fields
from typing import Any

from gaitkit.errors import OptionError
from gaitkit.translators.config import TranslatorConfig

__all__ = ["Setting", "describe_settings", "parse_settings"]

_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@dataclass(frozen=True)
class Setting:
    """One setting of a system, described.

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


def describe_settings(config_class: type[TranslatorConfig]) -> list[Setting]:
    """What can be set, in the order of the class's fields."""
    return [
        Setting(item.name, _typed(item.default), _allowed(item), item.metadata["help"])
        for item in fields(config_class)
        if not item.metadata.get("by_data")
    ]


def parse_settings(config_class: type[TranslatorConfig], texts: Iterable[str]) -> dict[str, Any]:
    """Read settings, each typed as its field says; the config itself checks the bounds.

    Parameters
    ----------
    config_class : type
        The system's config.
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
    >>> from gaitkit.translators import GaitGANConfig
    >>> parse_settings(GaitGANConfig, ["l1_weight=30", "betas=0.5,0.999"])
    {'l1_weight': 30.0, 'betas': (0.5, 0.999)}
    """
    known = {item.name: item for item in fields(config_class) if not item.metadata.get("by_data")}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals:
            raise OptionError(f"a setting is given as NAME=VALUE, got {text!r}")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            guess = f"Did you mean {close[0]}? " if close else ""
            raise OptionError(
                f"there is no setting {name!r}",
                hint=f"{guess}gaitkit models SYSTEM lists the settings.",
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


def _typed(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_typed, value))
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
