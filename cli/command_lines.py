"""Commands and options as one types them, made from the command objects themselves.

The library names parameters as Python does. What a command calls differently stands in `ALIASES`
and nowhere else; spellings, arguments and defaults are asked of click.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["ALIASES", "command_line", "option_of", "parameter_of"]

ALIASES: Mapping[str, str] = {
    "path": "geis",
    "source": "input",
    "drop_cut": "keep_cut",
    "drop_off_trend": "keep_off_trend",
    "fuse_with": "fuse",
    "config": "settings",
    "tls": "cluster_tls",
    "view": "to_view",
    "condition": "to_condition",
}
"""Parameters of the library, and what click calls them where a command has none of that name."""

_COMMANDS: Mapping[str, str] = {"train": "train-gan"}
"""Stages of the library whose command is called otherwise; any other is spelled with hyphens."""


def parameter_of(command: click.Command, name: str) -> click.Parameter | None:
    """The command's option or argument for a parameter of the library.

    Parameters
    ----------
    command : click.Command
        Such as `gaitkit.cli.make_gei.command`.
    name : str
        As the library calls it.

    Returns
    -------
    click.Parameter or None
        `None` where the command leaves it to the library.

    Examples
    --------
    >>> from gaitkit.cli.make_gei import command
    >>> parameter_of(command, "drop_cut")
    <Option keep_cut>
    """
    found = {parameter.name: parameter for parameter in command.params if parameter.expose_value}
    return (
        found.get(name)
        or found.get(ALIASES.get(name, name))
        or (found.get("frames") if name == "source" else None)
    )


def option_of(command: click.Command, name: str) -> str | None:
    """How a command spells a parameter of the library.

    Parameters
    ----------
    command, name
        As in `parameter_of`.

    Returns
    -------
    str or None
        The long spelling of an option, the placeholder of an argument, or `None`.

    Examples
    --------
    >>> from gaitkit.cli.evaluate import command
    >>> option_of(command, "features"), option_of(command, "path"), option_of(command, "threads")
    ('--feature', 'GEIS', None)
    """
    parameter = parameter_of(command, name)
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return None if parameter is None else parameter.human_readable_name


def command_line(stage: str, parameters: Mapping[str, Any]) -> str:
    """The command that does a step of the pipeline, as one types it.

    Parameters
    ----------
    stage : str
        A stage of the library, such as ``make_gei``.
    parameters : mapping
        Its parameters, as the library calls them. What is as the command has it by default is
        left out; what it has no option for, or would refuse, is told in a comment.

    Examples
    --------
    >>> command_line("make_gei", {"source": "walks", "min_frames": 8, "output": "gei.h5"})
    'gaitkit make-gei walks --min-frames 8 -o gei.h5'
    >>> command_line("train", {"geis": "gei.h5", "balanced": False, "output": "model.h5"})
    'gaitkit train-gan gei.h5 --uniform -o model.h5'
    """
    from gaitkit.cli.main import cli

    name = _COMMANDS.get(stage, stage.replace("_", "-"))
    group = click.Context(cli)
    command = cli.get_command(group, name)
    if command is None:
        raise LookupError(f"there is no command {name!r} for the stage {stage!r}")
    context = click.Context(command, parent=group)
    arguments: list[str] = []
    options: list[str] = []
    without: list[str] = []
    for key, value in parameters.items():
        parameter = parameter_of(command, key)
        if parameter is None or not _takes(parameter, _told(key, value)):
            without.append(f"{key}={value!r}")
        elif isinstance(parameter, click.Argument):
            arguments += _texts(value)
        elif key == "fuse_with":
            # The command takes all files as arguments, and a flag.
            arguments += _texts(value)
            options += _words(parameter, bool(value), context)
        else:
            options += _words(parameter, _told(key, value), context)
    if any(text.startswith("-") for text in arguments):
        options.append("--")
        words = [*options, *arguments]
    else:
        words = [*arguments, *options]
    line = shlex.join(["gaitkit", name, *words])
    return f"{line}   # in Python also {', '.join(without)}" if without else line


def _told(key: str, value: Any) -> Any:
    """A value of the library, as the option takes it."""
    if key in ("drop_cut", "drop_off_trend"):
        return not value
    if key == "config":
        return [f"{name}={','.join(_texts(setting))}" for name, setting in value.items()]
    return value


def _takes(parameter: click.Parameter, value: Any) -> bool:
    """Whether a value is one of the choices, or in the range, of an option."""
    kind = parameter.type
    if value is None or not isinstance(kind, click.Choice | click.IntRange | click.FloatRange):
        return True
    try:
        for one in value if getattr(parameter, "multiple", False) else [value]:
            kind.convert(one, parameter, None)
    except click.BadParameter:
        return False
    return True


def _words(parameter: click.Parameter, value: Any, context: click.Context) -> list[str]:
    """An option and its value; nothing where it is the default."""
    if value is None or _plain(value) == _plain(parameter.get_default(context)):
        return []
    if isinstance(parameter, click.Option) and parameter.is_flag:
        spellings = parameter.opts if value else parameter.secondary_opts
        return spellings[:1]
    spelling = parameter.opts[0]
    if parameter.multiple:
        return [word for text in _texts(value) for word in (spelling, text)]
    return [spelling, *_texts(value)]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _texts(value: Any) -> list[str]:
    """One or several values as they are typed."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    return [str(value)]
