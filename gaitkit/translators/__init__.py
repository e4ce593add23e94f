"""Translators: from a GEI of any view and condition to the person's 90° normal-walking GEI.

Names are looked up when they are first used, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.stages.train import train as train
    from gaitkit.stages.translate import translate as translate
    from gaitkit.training.geis import GeiSet as GeiSet
    from gaitkit.translators.aim import Aim as Aim
    from gaitkit.translators.base import Translator as Translator
    from gaitkit.translators.base import load as load
    from gaitkit.translators.registry import translator_class as translator_class
    from gaitkit.translators.registry import translator_names as translator_names
    from gaitkit.translators.systems.attgan import AttGAN as AttGAN
    from gaitkit.translators.systems.attgan import AttGANConfig as AttGANConfig
    from gaitkit.translators.systems.deformable import DeformableConfig as DeformableConfig
    from gaitkit.translators.systems.deformable import DeformableGAN as DeformableGAN
    from gaitkit.translators.systems.dgnet import DGNet as DGNet
    from gaitkit.translators.systems.dgnet import DGNetConfig as DGNetConfig
    from gaitkit.translators.systems.gaitgan import GaitGAN as GaitGAN
    from gaitkit.translators.systems.gaitgan import GaitGANConfig as GaitGANConfig
    from gaitkit.translators.systems.stargan import StarGAN as StarGAN
    from gaitkit.translators.systems.stargan import StarGANConfig as StarGANConfig
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.stages.train": ["train"],
            "gaitkit.stages.translate": ["translate"],
            "gaitkit.training.geis": ["GeiSet"],
            "gaitkit.translators.aim": ["Aim"],
            "gaitkit.translators.base": ["Translator", "load"],
            "gaitkit.translators.registry": ["translator_class", "translator_names"],
            "gaitkit.translators.systems.attgan": ["AttGAN", "AttGANConfig"],
            "gaitkit.translators.systems.deformable": ["DeformableConfig", "DeformableGAN"],
            "gaitkit.translators.systems.dgnet": ["DGNet", "DGNetConfig"],
            "gaitkit.translators.systems.gaitgan": ["GaitGAN", "GaitGANConfig"],
            "gaitkit.translators.systems.stargan": ["StarGAN", "StarGANConfig"],
        },
    )
