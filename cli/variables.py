"""The variables of the environment that set options: named as the options are spelled."""

from __future__ import annotations

from collections.abc import Iterator

import click

__all__ = ["PREFIX", "all_variables", "name_variables", "prefix_of", "variables_of"]

PREFIX = "GAITKIT"


def variables_of(option: click.Option, prefix: str) -> list[str]:
    """What sets an option; ``GAITKIT_EVALUATE_METRIC`` is ``gaitkit evaluate --metric``.

    Where the command calls it otherwise (an option that may be repeated in the plural) that is
    taken as well, as before.

    Examples
    --------
    >>> variables_of(click.Option(["--metric", "metrics"], multiple=True), "GAITKIT_EVALUATE")
    ['GAITKIT_EVALUATE_METRIC', 'GAITKIT_EVALUATE_METRICS']
    """
    spelled = max(option.opts, key=len).lstrip("-").replace("-", "_")
    return [f"{prefix}_{name.upper()}" for name in dict.fromkeys((spelled, option.name or spelled))]


def name_variables(command: click.Command, prefix: str) -> None:
    """Have a command, and those below it, take its options from such variables.

    Parameters
    ----------
    command : click.Command
        Whose options are changed.
    prefix : str
        What the names begin with: that of the group above it, and its name.
    """
    for option in command.params:
        if isinstance(option, click.Option):
            option.envvar = variables_of(option, prefix)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            name_variables(below, prefix_of(prefix, name))


def prefix_of(prefix: str, name: str) -> str:
    """What the variables of a command in a group begin with."""
    return f"{prefix}_{name.upper().replace('-', '_')}"


def all_variables(command: click.Command, prefix: str) -> Iterator[str]:
    """The variables of a command and of those below it."""
    for option in command.params:
        if isinstance(option, click.Option):
            yield from variables_of(option, prefix)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from all_variables(found, prefix_of(prefix, name))
