"""Which translators there are. A new one is its module and one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gaitkit.errors import OptionError

if TYPE_CHECKING:
    from gaitkit.translators.base import Translator

__all__ = ["TRANSLATORS", "translator_class", "translator_names"]

TRANSLATORS: dict[str, str] = {
    "attgan": "gaitkit.translators.systems.attgan:AttGAN",
    "deformable": "gaitkit.translators.systems.deformable:DeformableGAN",
    "dgnet": "gaitkit.translators.systems.dgnet:DGNet",
    "gaitgan": "gaitkit.translators.systems.gaitgan:GaitGAN",
    "stargan": "gaitkit.translators.systems.stargan:StarGAN",
}
"""Name of a system, and the class that is it; the module is imported when it is first wanted."""


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
    if name not in TRANSLATORS:
        known = ", ".join(translator_names())
        raise OptionError(f"there is no translator {name!r}; known: {known}")
    module, _, class_name = TRANSLATORS[name].partition(":")
    found: type[Translator[Any]] = vars(importlib.import_module(module))[class_name]
    return found
