"""Any system, made small, as a test of all of them needs it."""

from __future__ import annotations

from typing import Any

from gaitkit.translators import GeiSet, translator_class
from gaitkit.translators.options import TranslatorOptions

PEOPLE = ("001", "002")
SMALL = {"width": 2, "identity_width": 2, "pair_width": 2, "ema_decay": 0.5}
"""What makes any of them small; a system takes what it has."""


def small_config(system: str, geis: GeiSet, **settings: Any) -> Any:
    """A system's config for some GEIs."""
    config_class = translator_class(system).config_class
    decided = config_class.of_data(geis, TranslatorOptions())
    known = set(vars(config_class()))
    small = {name: value for name, value in SMALL.items() if name in known}
    return config_class.from_parameters({**small, **settings, **decided})
