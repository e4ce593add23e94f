"""Which translators there are. A new one is its module and one line here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gaitkit.training.registry import ModelKind, find_class, told_by_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gaitkit.translators.base import Translator

__all__ = [
    "OFFERS",
    "TRANSLATOR",
    "TRANSLATORS",
    "Description",
    "describe_translator",
    "translator_class",
    "translator_names",
]

TRANSLATORS: dict[str, str] = {
    "attgan": "gaitkit.translators.systems.attgan:AttGAN",
    "deformable": "gaitkit.translators.systems.deformable:DeformableGAN",
    "dgnet": "gaitkit.translators.systems.dgnet:DGNet",
    "gaitgan": "gaitkit.translators.systems.gaitgan:GaitGAN",
    "stargan": "gaitkit.translators.systems.stargan:StarGAN",
}
"""Name of a system, and the class that is it; the module is imported when it is first wanted."""

OFFERS = {
    "views": "any view and condition that it has learned",
    "strength": "how strongly",
    "embedding": "a feature of its own",
    "data sets": "several data sets with different labels",
}
"""What a system may offer beside translating to the target."""


@dataclass(frozen=True)
class Description:
    """What a system says of itself; the attributes are those of `Translator`."""

    summary: str
    source: str
    needs: str
    adapted: tuple[str, ...]
    offers: frozenset[str]
    default_training: Mapping[str, Any]


def translator_names() -> tuple[str, ...]:
    """Names of all systems, sorted."""
    return tuple(sorted(TRANSLATORS))


def translator_class(name: str) -> type[Translator[Any]]:
    """The class of a system.

    Raises
    ------
    OptionError
        When there is none of that name.
    """
    return find_class(TRANSLATORS, name, TRANSLATOR.name)


def describe_translator(name: str) -> Description:
    """What a system is, needs and can do, usually without importing it (and torch).

    Raises
    ------
    OptionError
        When there is none of that name.

    Examples
    --------
    >>> describe_translator("stargan").source
    'Choi et al., CVPR 2018'
    """
    names = [item.name for item in fields(Description)]
    return Description(**told_by_class(TRANSLATORS, name, TRANSLATOR.name, names))


TRANSLATOR = ModelKind("translator", translator_class)
"""The kind of model that translates."""
