"""Which embedders there are. A new one is its module and one line here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gaitkit.training.registry import ModelKind, find_class, told_by_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gaitkit.embedders.base import Embedder

__all__ = [
    "EMBEDDER",
    "EMBEDDERS",
    "EmbedderDescription",
    "describe_embedder",
    "embedder_class",
    "embedder_names",
]

EMBEDDERS: dict[str, str] = {
    "gei-parts": "gaitkit.embedders.systems.gei_parts:GeiParts",
    "gait-phases": "gaitkit.embedders.systems.gait_phases:GaitPhases",
    "gaitset": "gaitkit.embedders.systems.gaitset:GaitSet",
    "gaitbase": "gaitkit.embedders.systems.gaitbase:GaitBase",
}
"""Name of an embedder, and the class that is it; the module is imported when it is first wanted."""


@dataclass(frozen=True)
class EmbedderDescription:
    """What an embedder says of itself; the attributes are those of `Embedder`."""

    summary: str
    source: str
    reads: str
    draws_frames: bool
    default_training: Mapping[str, Any]


def embedder_names() -> tuple[str, ...]:
    """Names of all embedders, sorted."""
    return tuple(sorted(EMBEDDERS))


def embedder_class(name: str) -> type[Embedder[Any]]:
    """The class of an embedder.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    return find_class(EMBEDDERS, name, EMBEDDER.name)


def describe_embedder(name: str) -> EmbedderDescription:
    """What an embedder is and reads, usually without importing it (and torch).

    Raises
    ------
    OptionError
        When there is none of that name.

    Examples
    --------
    >>> describe_embedder("gei-parts").reads
    'gei'
    """
    names = [item.name for item in fields(EmbedderDescription)]
    return EmbedderDescription(**told_by_class(EMBEDDERS, name, EMBEDDER.name, names))


EMBEDDER = ModelKind("embedder", embedder_class)
"""The kind of model that embeds."""
