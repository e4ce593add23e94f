"""Translators: from a GEI of any view and condition to the person's 90° normal-walking GEI.

Names are looked up when they are first used, so that importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitkit.translators.aim import Aim
    from gaitkit.translators.attgan import AttGAN, AttGANConfig
    from gaitkit.translators.base import Translator
    from gaitkit.translators.deformable import DeformableConfig, DeformableGAN
    from gaitkit.translators.dgnet import DGNet, DGNetConfig
    from gaitkit.translators.gaitgan import GaitGAN, GaitGANConfig
    from gaitkit.translators.geis import GeiSet
    from gaitkit.translators.learning import train
    from gaitkit.translators.registry import translator_class, translator_names
    from gaitkit.translators.stage import translate
    from gaitkit.translators.stargan import StarGAN, StarGANConfig
    from gaitkit.translators.store import load

__all__ = [
    "Aim",
    "AttGAN",
    "AttGANConfig",
    "DGNet",
    "DGNetConfig",
    "DeformableConfig",
    "DeformableGAN",
    "GaitGAN",
    "GaitGANConfig",
    "GeiSet",
    "StarGAN",
    "StarGANConfig",
    "Translator",
    "load",
    "train",
    "translate",
    "translator_class",
    "translator_names",
]

_HOMES = {
    "Aim": "aim",
    "AttGAN": "attgan",
    "AttGANConfig": "attgan",
    "DGNet": "dgnet",
    "DGNetConfig": "dgnet",
    "DeformableConfig": "deformable",
    "DeformableGAN": "deformable",
    "GaitGAN": "gaitgan",
    "GaitGANConfig": "gaitgan",
    "GeiSet": "geis",
    "StarGAN": "stargan",
    "StarGANConfig": "stargan",
    "Translator": "base",
    "load": "store",
    "train": "learning",
    "translate": "stage",
    "translator_class": "registry",
    "translator_names": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(importlib.import_module(f"{__name__}.{_HOMES[name]}"))[name]
