"""gaitkit: recognise people by the way they walk.

Frames become silhouettes, silhouettes become a gait energy image (GEI), the GEI is translated to
the 90° normal-walking GEI of the same person or embedded as a vector that tells who it is, and
those are matched. Each arrow is a stage that reads an HDF5 artefact and writes the next one; the
rooms below hold the functions on arrays behind them.

What a notebook needs is here. A name is imported when it is first used, so that ``import gaitkit``
is quick and loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names
from gaitkit._version import __version__ as __version__

if TYPE_CHECKING:
    from gaitkit import artifacts as artifacts
    from gaitkit import datasets as datasets
    from gaitkit import embedders as embedders
    from gaitkit import errors as errors
    from gaitkit import gei as gei
    from gaitkit import identification as identification
    from gaitkit import labels as labels
    from gaitkit import protocols as protocols
    from gaitkit import reporting as reporting
    from gaitkit import silhouettes as silhouettes
    from gaitkit import stages as stages
    from gaitkit import training as training
    from gaitkit import translators as translators
    from gaitkit import walkers as walkers
    from gaitkit.artifacts import open_artifact as open_artifact
    from gaitkit.embedders import GaitBase as GaitBase
    from gaitkit.embedders import GaitSet as GaitSet
    from gaitkit.embedders import GeiParts as GeiParts
    from gaitkit.errors import GaitkitError as GaitkitError
    from gaitkit.front import gait_energy_image as gait_energy_image
    from gaitkit.front import identify as identify
    from gaitkit.front import normalize_silhouettes as normalize_silhouettes
    from gaitkit.plots import plot_cmc as plot_cmc
    from gaitkit.plots import plot_geis as plot_geis
    from gaitkit.plots import plot_matrix as plot_matrix
    from gaitkit.protocols import get_protocol as get_protocol
    from gaitkit.protocols import split_subjects as split_subjects
    from gaitkit.stages.evaluate import evaluate as evaluate
    from gaitkit.translators import AttGAN as AttGAN
    from gaitkit.translators import DeformableGAN as DeformableGAN
    from gaitkit.translators import DGNet as DGNet
    from gaitkit.translators import GaitGAN as GaitGAN
    from gaitkit.translators import GeiSet as GeiSet
    from gaitkit.translators import StarGAN as StarGAN
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.artifacts": ["open_artifact"],
            "gaitkit.embedders": ["GaitBase", "GaitSet", "GeiParts"],
            "gaitkit.errors": ["GaitkitError"],
            "gaitkit.front": ["gait_energy_image", "identify", "normalize_silhouettes"],
            "gaitkit.plots": ["plot_cmc", "plot_geis", "plot_matrix"],
            "gaitkit.protocols": ["get_protocol", "split_subjects"],
            "gaitkit.stages.evaluate": ["evaluate"],
            "gaitkit.translators": [
                "AttGAN",
                "DGNet",
                "DeformableGAN",
                "GaitGAN",
                "GeiSet",
                "StarGAN",
            ],
        },
        modules=[
            "artifacts",
            "datasets",
            "embedders",
            "errors",
            "gei",
            "identification",
            "labels",
            "protocols",
            "reporting",
            "silhouettes",
            "stages",
            "training",
            "translators",
            "walkers",
        ],
    )
