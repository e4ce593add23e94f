"""Video to masks of single people: what differs from the background, and who goes where.

A `gaitkit.segmentation.segmenters.Segmenter` makes a mask of each picture; `people` finds the
people in it, `passes` follows them and cuts their ways into passes. Pure functions on pictures:
who decodes a video and who writes files is above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.segmentation.background import Background as Background
    from gaitkit.segmentation.background import foreground as foreground
    from gaitkit.segmentation.background import learn_background as learn_background
    from gaitkit.segmentation.options import SegmentOptions as SegmentOptions
    from gaitkit.segmentation.passes import Dropped as Dropped
    from gaitkit.segmentation.passes import Follower as Follower
    from gaitkit.segmentation.passes import Pass as Pass
    from gaitkit.segmentation.passes import follow as follow
    from gaitkit.segmentation.people import Box as Box
    from gaitkit.segmentation.people import Person as Person
    from gaitkit.segmentation.people import people_in as people_in
    from gaitkit.segmentation.segmenters import SEGMENTERS as SEGMENTERS
    from gaitkit.segmentation.segmenters import Segmenter as Segmenter
    from gaitkit.segmentation.segmenters import segmenter_names as segmenter_names
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.segmentation.background": ["Background", "foreground", "learn_background"],
            "gaitkit.segmentation.options": ["SegmentOptions"],
            "gaitkit.segmentation.passes": ["Dropped", "Follower", "Pass", "follow"],
            "gaitkit.segmentation.people": ["Box", "Person", "people_in"],
            "gaitkit.segmentation.segmenters": ["SEGMENTERS", "Segmenter", "segmenter_names"],
        },
    )
