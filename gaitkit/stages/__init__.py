"""The steps between the artefacts: each reads one kind of file and writes one kind.

Each module is one stage, with a function of its name: `gaitkit.stages.normalize.normalize`,
`gaitkit.stages.evaluate.evaluate` and so on. Names that no module has are here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.stages import enroll as enroll
    from gaitkit.stages import evaluate as evaluate
    from gaitkit.stages import identify as identify
    from gaitkit.stages import make_gei as make_gei
    from gaitkit.stages import normalize as normalize
    from gaitkit.stages import run as run
    from gaitkit.stages import train as train
    from gaitkit.stages import translate as translate
    from gaitkit.stages.enroll import enrol as enrol
    from gaitkit.stages.make_gei import collect_geis as collect_geis
    from gaitkit.stages.make_gei import gei_from_frames as gei_from_frames
    from gaitkit.stages.make_gei import gei_from_silhouettes as gei_from_silhouettes
    from gaitkit.stages.make_gei import open_input as open_input
    from gaitkit.stages.normalize import StageSummary as StageSummary
    from gaitkit.stages.normalize import normalize_frames as normalize_frames
    from gaitkit.stages.run import PipelineOptions as PipelineOptions
    from gaitkit.stages.run import run_pipeline as run_pipeline
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.stages.enroll": ["enrol"],
            "gaitkit.stages.make_gei": [
                "collect_geis",
                "gei_from_frames",
                "gei_from_silhouettes",
                "open_input",
            ],
            "gaitkit.stages.normalize": ["StageSummary", "normalize_frames"],
            "gaitkit.stages.run": ["PipelineOptions", "run_pipeline"],
        },
        modules=[
            "enroll",
            "evaluate",
            "identify",
            "make_gei",
            "normalize",
            "run",
            "train",
            "translate",
        ],
    )
