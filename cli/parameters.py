"""From the library's parameters to the command line's options: the one mapping.

The library speaks Python. Where a message of it names a parameter, the name stands in backticks,
alone or with a value: ``Give `overwrite=True` to replace it``. Somebody at a terminal has options
instead. So whatever the commands print of the library goes through `in_options`, which looks the
parameter up among the parameters of the click commands:

1. those of the running command;
2. those of the commands that the message names (``gaitkit make-gei``);
3. those of all commands, where they agree on how the option is spelled;
4. the settings of the systems, which ``--set`` takes.

What none of them has stays as it is, backticks included.
"""

from __future__ import annotations

import ast
import keyword
import re
import shlex
from collections.abc import Iterable, Iterator

import click

from gaitkit.cli.command_lines import ALIASES

__all__ = ["OPPOSITES", "in_options"]

OPPOSITES = {"drop_cut", "drop_off_trend"}
"""Parameters whose option says the opposite; what else has another name is in `ALIASES`."""

_ONLY_OF_THE_RUNNING_COMMAND = {"frames", "people", "rows", "subjects"}
"""What means another thing in another command: ``--subjects`` of ``synth`` is a number."""

_QUOTED = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"\bgaitkit ([a-z]+(?:-[a-z]+)*)")
_ELLIPSIS = "…"


def in_options(text: str, running: click.Command | None, group: click.Group) -> str:
    """Turn the parameters in a message of the library into options.

    Parameters
    ----------
    text : str
        A message; parameters stand in backticks by their Python names.
    running : click.Command or None
        The command that prints it.
    group : click.Group
        All commands.

    Returns
    -------
    str
        The message with ``--options`` in the place of what has one.
    """
    if "`" not in text:
        return text
    named = [group.get_command(click.Context(group), name) for name in _COMMAND.findall(text)]
    nearest = [_parameters(command) for command in (running, *named) if command is not None]

    def spoken(quoted: re.Match[str]) -> str:
        split = _split(quoted[1])
        if split is None:
            return quoted[0]
        name, value = split
        said = _said(name, value, nearest, group)
        return quoted[0] if said is None else said

    return _QUOTED.sub(spoken, text)


def _said(
    name: str, value: str | None, nearest: list[list[click.Parameter]], group: click.Group
) -> str | None:
    for parameters in nearest:
        found = _find(name, parameters)
        if found is not None:
            return _spell(*found, value)
    if name in _ONLY_OF_THE_RUNNING_COMMAND:
        return None
    everywhere = [
        found
        for parameters in map(_parameters, _commands(group))
        if (found := _find(name, [p for p in parameters if isinstance(p, click.Option)]))
    ]
    spellings = {_spell(*found, value) for found in everywhere}
    if len(spellings) == 1:
        return spellings.pop()
    if not spellings and name in _settings_of_systems():
        return f"--set {name}={_ELLIPSIS if value is None else ' '.join(_words(value))}"
    return None


def _split(quoted: str) -> tuple[str, str | None] | None:
    """The name and the value of ``name`` or ``name=value``; `None` for anything else."""
    name, equals, value = quoted.partition("=")
    name = name.strip()
    if not name.isidentifier() or keyword.iskeyword(name) or value.startswith("="):
        return None
    return name, value.strip() if equals else None


def _commands(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if command is not None:
            yield command


def _parameters(command: click.Command) -> list[click.Parameter]:
    """What a command takes; of a group, what its commands take."""
    if not isinstance(command, click.Group):
        return command.params
    return [parameter for sub in _commands(command) for parameter in _parameters(sub)]


def _find(name: str, parameters: Iterable[click.Parameter]) -> tuple[click.Parameter, bool] | None:
    """The parameter of this name, and whether it says the opposite."""
    by_name = {item.name: item for item in parameters if item.expose_value}
    # Options that may be repeated have a name in the plural, `metrics` of --metric.
    for wanted in (name, ALIASES.get(name), f"{name}s", name.removesuffix("s")):
        if wanted in by_name:
            return by_name[wanted], name in OPPOSITES and wanted != name
    return None


def _spell(parameter: click.Parameter, opposite: bool, value: str | None) -> str | None:
    if not isinstance(parameter, click.Option):
        return parameter.human_readable_name
    option = _longest(parameter.opts)
    if parameter.is_flag:
        return _flag(parameter, opposite, value)
    if value in ("None", "False"):
        return f"no {option}"
    if value is None or value == "True":
        return option
    if parameter.multiple:
        return " ".join(f"{option} {word}" for word in _words(value))
    words = _words(value, parameter.metavar)
    return " ".join([option, *words])


def _flag(parameter: click.Option, opposite: bool, value: str | None) -> str:
    wanted = (value not in ("False", "None")) != opposite
    if wanted or (value is None and opposite):
        return _longest(parameter.opts)
    if parameter.secondary_opts:
        return _longest(parameter.secondary_opts)
    return f"no {_longest(parameter.opts)}"


def _longest(spellings: Iterable[str]) -> str:
    return max(spellings, key=len)


def _words(value: str, metavar: str | None = None) -> list[str]:
    """A value as words of a command line: ``(64, 64)`` as ``64 64``, ``"halves"`` as ``halves``."""
    try:
        tree = ast.parse(value, mode="eval").body
    # A name out of somebody's file may stand in backticks, too.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [shlex.quote(value.strip("'\""))]
    items = list(_items(tree))
    if metavar and all(placeholder for _, placeholder in items):
        return [metavar]
    return [text.upper() if placeholder else text for text, placeholder in items]


def _items(node: ast.expr) -> Iterator[tuple[str, bool]]:
    """The words of an expression; whether each only stands in for a value: ``height``, ``N``."""
    if isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from _items(item)
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            name = "NAME" if key is None else " ".join(text for text, _ in _items(key))
            yield f"{name}={' '.join(text for text, _ in _items(item))}", False
    elif isinstance(node, ast.Constant):
        is_ellipsis = node.value is ...
        yield _ELLIPSIS if is_ellipsis else _constant(node.value), is_ellipsis
    elif isinstance(node, ast.Name):
        yield node.id, True
    else:
        yield ast.unparse(node), False


def _constant(value: object) -> str:
    return shlex.quote(value) if isinstance(value, str) else str(value)


def _settings_of_systems() -> set[str]:
    """What ``--set`` takes; looked up only for a name that no command knows."""
    from gaitkit.embedders.registry import embedder_class, embedder_names
    from gaitkit.training.config import describe_settings
    from gaitkit.translators.registry import translator_class, translator_names

    systems = [*map(translator_class, translator_names()), *map(embedder_class, embedder_names())]
    return {
        setting.name for system in systems for setting in describe_settings(system.config_class)
    }
