"""Translators: from a GEI of any view and condition to the person's 90° normal-walking GEI.

Names are looked up when they are first used, so that importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitkit.stages.train import train
    from gaitkit.stages.translate import translate
    from gaitkit.training.geis import GeiSet
    from gaitkit.translators.aim import Aim
    from gaitkit.translators.base import Translator, load
    from gaitkit.translators.registry import translator_class, translator_names
    from gaitkit.translators.systems.attgan import AttGAN, AttGANConfig
    from gaitkit.translators.systems.deformable import DeformableConfig, DeformableGAN
    from gaitkit.translators.systems.dgnet import DGNet, DGNetConfig
    from gaitkit.translators.systems.gaitgan import GaitGAN, GaitGANConfig
    from gaitkit.translators.systems.stargan import StarGAN, StarGANConfig

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
    "Aim": "gaitkit.translators.aim",
    "AttGAN": "gaitkit.translators.systems.attgan",
    "AttGANConfig": "gaitkit.translators.systems.attgan",
    "DGNet": "gaitkit.translators.systems.dgnet",
    "DGNetConfig": "gaitkit.translators.systems.dgnet",
    "DeformableConfig": "gaitkit.translators.systems.deformable",
    "DeformableGAN": "gaitkit.translators.systems.deformable",
    "GaitGAN": "gaitkit.translators.systems.gaitgan",
    "GaitGANConfig": "gaitkit.translators.systems.gaitgan",
    "GeiSet": "gaitkit.training.geis",
    "StarGAN": "gaitkit.translators.systems.stargan",
    "StarGANConfig": "gaitkit.translators.systems.stargan",
    "Translator": "gaitkit.translators.base",
    "load": "gaitkit.translators.base",
    "train": "gaitkit.stages.train",
    "translate": "gaitkit.stages.translate",
    "translator_class": "gaitkit.translators.registry",
    "translator_names": "gaitkit.translators.registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(importlib.import_module(_HOMES[name]))[name]
