"""Embedders: GEIs and sets of silhouettes become vectors that tell who it is.

Names are looked up when they are first used, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.embedders.base import Embedder as Embedder
    from gaitkit.embedders.base import load as load
    from gaitkit.embedders.registry import embedder_class as embedder_class
    from gaitkit.embedders.registry import embedder_names as embedder_names
    from gaitkit.embedders.silhouette_sets import SilhouetteSet as SilhouetteSet
    from gaitkit.embedders.systems.gait_phases import GaitPhases as GaitPhases
    from gaitkit.embedders.systems.gait_phases import GaitPhasesConfig as GaitPhasesConfig
    from gaitkit.embedders.systems.gaitbase import GaitBase as GaitBase
    from gaitkit.embedders.systems.gaitbase import GaitBaseConfig as GaitBaseConfig
    from gaitkit.embedders.systems.gaitset import GaitSet as GaitSet
    from gaitkit.embedders.systems.gaitset import GaitSetConfig as GaitSetConfig
    from gaitkit.embedders.systems.gei_parts import GeiParts as GeiParts
    from gaitkit.embedders.systems.gei_parts import GeiPartsConfig as GeiPartsConfig
    from gaitkit.stages.embed import embed as embed
    from gaitkit.stages.train_embedding import train_embedding as train_embedding
    from gaitkit.training.geis import GeiSet as GeiSet
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.embedders.base": ["Embedder", "load"],
            "gaitkit.embedders.registry": ["embedder_class", "embedder_names"],
            "gaitkit.embedders.silhouette_sets": ["SilhouetteSet"],
            "gaitkit.embedders.systems.gait_phases": ["GaitPhases", "GaitPhasesConfig"],
            "gaitkit.embedders.systems.gaitbase": ["GaitBase", "GaitBaseConfig"],
            "gaitkit.embedders.systems.gaitset": ["GaitSet", "GaitSetConfig"],
            "gaitkit.embedders.systems.gei_parts": ["GeiParts", "GeiPartsConfig"],
            "gaitkit.stages.embed": ["embed"],
            "gaitkit.stages.train_embedding": ["train_embedding"],
            "gaitkit.training.geis": ["GeiSet"],
        },
    )
