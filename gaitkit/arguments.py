"""What a function is given, checked: paths, numbers, columns, and the names of its options.

Every check raises an `OptionError` that names the parameter and says what was expected and found,
so that a slip in a notebook is answered where it was made and not three rooms further down.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from math import inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from gaitkit.errors import GaitkitError, OptionError, did_you_mean
from gaitkit.printable import counted, quoted

__all__ = [
    "MAX_NAME",
    "as_path",
    "canonical_name",
    "check_name",
    "names_told",
    "number",
    "values_of",
    "whole_number",
]

MAX_NAME = 500
"""Letters of the name of a data set, person, condition or frame."""

_JOINTS = str.maketrans("", "", "-_ ")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def canonical_name(name: str, known: Iterable[str]) -> str:
    """The known name that differs in nothing but hyphens, underscores, spaces and capitals.

    Parameters
    ----------
    name : str
        As somebody writes it.
    known : iterable of str
        Names that there are.

    Returns
    -------
    str
        That one, or `name` where there is none like it.

    Examples
    --------
    >>> canonical_name("OUMVLP", ["casia-b", "ou-mvlp"]), canonical_name("mine", ["ou-mvlp"])
    ('ou-mvlp', 'mine')
    """
    plain = name.translate(_JOINTS).lower()
    names = list(known)
    if name in names:
        return name
    return next((one for one in names if one.translate(_JOINTS).lower() == plain), name)


def as_path(value: Any, name: str = "path") -> Path:
    """A path as `str` or path-like object.

    Parameters
    ----------
    value : path-like
        What was given.
    name : str
        Of the parameter.

    Raises
    ------
    OptionError
        It is no path, or an empty one.

    Examples
    --------
    >>> as_path("gei.h5").suffix
    '.h5'
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise OptionError(f"`{name}` must be the path of a file, got {_shown(value)}.")
    return Path(text)


def check_name(
    value: Any,
    what: str,
    *,
    error: type[GaitkitError] = OptionError,
    hint: str | None = None,
    empty: bool = False,
) -> str:
    """A name that an artefact can hold and every reader of it accepts.

    Parameters
    ----------
    value : str
        One to `MAX_NAME` letters that UTF-8 can encode, none of them NUL.
    what : str
        Whose name it is, for the message: ``the name of a data set``.
    error : type
        The kind of `GaitkitError` to raise.
    hint : str, optional
        How to repair it.
    empty : bool
        Whether it may have no letter.

    Raises
    ------
    GaitkitError
        Of the kind `error`, with the name cut.

    Examples
    --------
    >>> check_name("casia-b", "the name of a data set")
    'casia-b'
    """
    if not isinstance(value, str):
        found = f"a {type(value).__name__}"
    elif not value and not empty:
        found = "an empty one"
    elif len(value) > MAX_NAME:
        found = f"{len(value):,}: {quoted(value)}"
    elif "\0" in value or (not value.isascii() and _has_half_characters(value)):
        found = quoted(value)
    else:
        return value
    raise error(
        f"Expected {what} as text of 1 to {MAX_NAME} letters without NUL, got {found}.", hint=hint
    )


def _has_half_characters(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def whole_number(value: Any, name: str, low: int, high: int | None = None) -> int:
    """A whole number within its bounds; numpy's are numbers too, True and False are not.

    Raises
    ------
    OptionError
        It is something else.

    Examples
    --------
    >>> whole_number(3, "top", 1)
    3
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        whole = int(value)
        if low <= whole and (high is None or whole <= high):
            return whole
    span = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise OptionError(f"`{name}` must be a whole number {span}, got {_shown(value)}.")


def number(value: Any, name: str, low: float = -inf, high: float = inf) -> float:
    """A finite number within its bounds; numpy's are numbers too, True and False are not.

    Raises
    ------
    OptionError
        It is something else.

    Examples
    --------
    >>> number(90, "view")
    90.0
    """
    good = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if not good or not low <= value <= high:
        span = f" from {low:g} to {high:g}" if isfinite(low) and isfinite(high) else ""
        span = span or (f" of at least {low:g}" if isfinite(low) else "")
        raise OptionError(f"`{name}` must be a number{span}, got {_shown(value)}.")
    return float(value)


def values_of(value: Any, name: str, count: int, what: str) -> list[Any]:
    """One value for each of several things, as a list.

    Parameters
    ----------
    value : sequence
        A list, an array or a column of a table; no text, and nothing without an order.
    name : str
        Of the parameter.
    count : int
        How many there must be.
    what : str
        What there are so many of: ``images``.

    Raises
    ------
    OptionError
        It is no sequence, or of another length.

    Examples
    --------
    >>> values_of(("ann", "bob"), "names", 2, "images")
    ['ann', 'bob']
    """
    length = None
    if not isinstance(value, str | bytes | set | frozenset | dict) and hasattr(value, "__len__"):
        try:
            length = len(value)
        except TypeError:  # An array of no dimensions.
            length = None
    if length != count:
        found = _shown(value) if length is None else counted(length, "value")
        raise OptionError(f"`{name}` must have a value for each of the {count} {what}, got {found}")
    return list(value)


def names_told(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a function refuse an unknown keyword by an `OptionError` that names the nearest one."""
    parameters = inspect.signature(function).parameters
    known = [name for name in parameters if name not in ("self", "cls")]

    @functools.wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for name in kwargs:
            if name not in parameters:
                raise OptionError(
                    f"{function.__name__} has no option {name!r}",
                    hint=f"{did_you_mean(name, known)}It takes {', '.join(known)}.",
                )
        return function(*args, **kwargs)

    return checked


def _shown(value: Any) -> str:
    """A value for a message: in full where it is short, else what it is."""
    text = repr(value)
    return (
        text
        if len(text) <= 60 and "\n" not in text and " at 0x" not in text
        else f"a {type(value).__name__}"
    )
