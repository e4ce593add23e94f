"""Frames to aligned silhouettes: find the person, drop what shows none, scale and centre.

`gaitkit.normalize_silhouettes` does it for the masks of one walk; these are its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.silhouettes.align import align_person as align_person
    from gaitkit.silhouettes.body import Body as Body
    from gaitkit.silhouettes.body import Rejected as Rejected
    from gaitkit.silhouettes.body import find_body as find_body
    from gaitkit.silhouettes.masks import as_frame as as_frame
    from gaitkit.silhouettes.masks import as_greys as as_greys
    from gaitkit.silhouettes.masks import as_mask as as_mask
    from gaitkit.silhouettes.masks import as_mask_stack as as_mask_stack
    from gaitkit.silhouettes.normalize import NormalizedFrame as NormalizedFrame
    from gaitkit.silhouettes.normalize import NormalizedSequence as NormalizedSequence
    from gaitkit.silhouettes.normalize import normalize_sequence as normalize_sequence
    from gaitkit.silhouettes.normalize import normalize_silhouette as normalize_silhouette
    from gaitkit.silhouettes.opengait import Window as Window
    from gaitkit.silhouettes.opengait import opengait_silhouette as opengait_silhouette
    from gaitkit.silhouettes.options import SilhouetteOptions as SilhouetteOptions
    from gaitkit.silhouettes.trend import deviations as deviations
    from gaitkit.silhouettes.trend import off_trend as off_trend
    from gaitkit.silhouettes.trend import running_trend as running_trend
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.silhouettes.align": ["align_person"],
            "gaitkit.silhouettes.body": ["Body", "Rejected", "find_body"],
            "gaitkit.silhouettes.masks": ["as_frame", "as_greys", "as_mask", "as_mask_stack"],
            "gaitkit.silhouettes.normalize": [
                "NormalizedFrame",
                "NormalizedSequence",
                "normalize_sequence",
                "normalize_silhouette",
            ],
            "gaitkit.silhouettes.opengait": ["Window", "opengait_silhouette"],
            "gaitkit.silhouettes.options": ["SilhouetteOptions"],
            "gaitkit.silhouettes.trend": ["deviations", "off_trend", "running_trend"],
        },
    )
