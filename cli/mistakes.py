"""What click says of a mistake, as the rest of gaitkit would."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
from click.core import ParameterSource

from gaitkit.printable import printable

__all__ = ["CONFIGURATION", "plain_message"]

CONFIGURATION = "gaitkit.configuration"
"""Where a context's `meta` holds the path of the configuration file."""

_KINDS = (
    (r"is not a valid integer( range)?\.", "is not a whole number"),
    (r"is not a valid float( range)?\.", "is not a number"),
    (r"is not a valid boolean\b.*", "is neither true nor false"),
)
"""How click names what a value is no example of, and plain English."""


def plain_message(error: click.ClickException) -> str:
    """What is wrong, in plain English, and where a value came from that nobody has typed.

    Parameters
    ----------
    error : ClickException
        As click raised it.
    """
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        begin = [name for name in error.possibilities if name.startswith(error.option_name)]
        error.possibilities[:] = begin or error.possibilities[:1]
    if type(error) is not click.BadParameter:
        return error.format_message()
    hint = error.param_hint
    if hint is None and error.param is not None:
        hint = f"{error.param.get_error_hint(error.ctx)}{_origin(error)}"
    told = click.BadParameter(_plain(error.message, error.param), error.ctx, error.param, hint)
    return told.format_message()


def _plain(message: str, parameter: click.Parameter | None) -> str:
    for click_says, plain in _KINDS:
        told, count = re.subn(click_says, plain, message, flags=re.DOTALL)
        if count:
            return f"{told}{_range_of(parameter)}."
    return message


def _range_of(parameter: click.Parameter | None) -> str:
    kind = None if parameter is None else parameter.type
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f" in the range {kind._describe_range()}"
    return ""


def _origin(error: click.BadParameter) -> str:
    """Where a value came from, unless it stands on the command line."""
    context, parameter = error.ctx, error.param
    if context is None or parameter is None or parameter.name is None:
        return ""
    source = context.get_parameter_source(parameter.name)
    if source is ParameterSource.ENVIRONMENT:
        given = [name for name in parameter.envvar or () if os.environ.get(name)]
        return f", from the variable {given[0]}" if given else ""
    if source is ParameterSource.DEFAULT_MAP:
        path: Path | None = context.meta.get(CONFIGURATION)
        where = "the configuration" if path is None else printable(str(path), 200)
        return f", from [{context.info_name}] of {where}"
    return ""
