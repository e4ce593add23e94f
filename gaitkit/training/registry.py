"""Kinds of models, and how the class of one is found by its name; nothing here imports torch.

A registry is a mapping from the name of a model to ``module:Class``. The module is imported when
the class is first wanted. What a model is, in a line or two, is read from the source of its class
instead: that import takes seconds.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gaitkit.errors import OptionError, did_you_mean

__all__ = ["ModelKind", "find_class", "told_by_class"]


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Attributes
    ----------
    name : str
        Kind of its artefact, a key of `gaitkit.artifacts.KINDS`.
    class_of : callable
        Gives the class of a model by its name; raises `OptionError` where there is none.
    """

    name: str
    class_of: Callable[[str], type[Any]]


def find_class(registry: Mapping[str, str], name: str, what: str) -> type[Any]:
    """The class that a registry has under a name.

    Parameters
    ----------
    registry : mapping of str to str
        ``module:Class`` by name.
    name : str
        What is asked for.
    what : str
        The kind of model, for the message.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    module, class_name = _line(registry, name, what)
    found: type[Any] = vars(importlib.import_module(module))[class_name]
    return found


def told_by_class(
    registry: Mapping[str, str], name: str, what: str, attributes: Iterable[str]
) -> dict[str, Any]:
    """What the class of a model says of itself, without importing it.

    Parameters
    ----------
    registry, name, what
        As for `find_class`.
    attributes : iterable of str
        Class attributes, whose values are literals in the source of the class or of its bases.
        Where one is not, the class is imported.

    Returns
    -------
    dict
        The values by name.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    wanted = tuple(attributes)
    values = _literals(*_line(registry, name, what))
    if not set(wanted) <= set(values):
        found = find_class(registry, name, what)
        return {attribute: getattr(found, attribute) for attribute in wanted}
    return {attribute: values[attribute] for attribute in wanted}


def _line(registry: Mapping[str, str], name: str, what: str) -> tuple[str, str]:
    if name not in registry:
        known = sorted(registry)
        raise OptionError(
            f"there is no {what} {name!r}; known: {', '.join(known)}",
            hint=did_you_mean(name, known).strip() or None,
        )
    module, _, class_name = registry[name].partition(":")
    return module, class_name


def _literals(module: str, class_name: str) -> dict[str, Any]:
    """Class attributes that are literals, those of the bases included."""
    source = _source(module)
    if source is None:
        return {}
    body = source.body
    classes = {item.name: item for item in body if isinstance(item, ast.ClassDef)}
    if class_name not in classes:
        homes = {
            name.asname or name.name: (item.module, name.name)
            for item in body
            if isinstance(item, ast.ImportFrom) and item.module and not item.level
            for name in item.names
        }
        home, original = homes.get(class_name, ("", ""))
        return _literals(home, original) if home.startswith(__name__.partition(".")[0]) else {}
    values: dict[str, Any] = {}
    for base in reversed(classes[class_name].bases):
        name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(name, ast.Name):
            values |= _literals(module, name.id)
    for item in classes[class_name].body:
        for attribute, value in _assigned(item):
            values.pop(attribute, None)
            values |= _value(attribute, value)
    return values


@cache
def _source(module: str) -> ast.Module | None:
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return None
    return ast.parse(Path(found.origin).read_text(encoding="utf-8"))


def _assigned(item: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of an assignment: ``a = 1``, ``a: int = 1``, ``a, b = 1, 2``."""
    if isinstance(item, ast.AnnAssign) and item.value is not None:
        pairs: list[tuple[ast.expr, ast.expr]] = [(item.target, item.value)]
    elif isinstance(item, ast.Assign):
        pairs = [(target, item.value) for target in item.targets]
    else:
        return
    for target, value in pairs:
        if isinstance(target, ast.Name):
            yield target.id, value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                if isinstance(one, ast.Name):
                    yield one.id, its


def _value(name: str, value: ast.expr) -> dict[str, Any]:
    """The value by its name; nothing where it is no literal."""
    try:
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "frozenset":
            return {name: frozenset(*map(ast.literal_eval, value.args))}
        return {name: ast.literal_eval(value)}
    except ValueError:
        return {}
