"""Where frames come from: readers of trees, archives, manifests, videos and ready-made GEIs.

`open_source` reads whatever layout it finds; what it gives goes into the stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.datasets.casia_b import TreeSource as TreeSource
    from gaitkit.datasets.gei_images import GeiImageSource as GeiImageSource
    from gaitkit.datasets.layouts import LAYOUTS as LAYOUTS
    from gaitkit.datasets.layouts import describe_layouts as describe_layouts
    from gaitkit.datasets.layouts import get_layout as get_layout
    from gaitkit.datasets.layouts import layout_names as layout_names
    from gaitkit.datasets.layouts import open_source as open_source
    from gaitkit.datasets.manifest import ManifestSource as ManifestSource
    from gaitkit.datasets.packed import PackedSource as PackedSource
    from gaitkit.datasets.sources import FrameSource as FrameSource
    from gaitkit.datasets.sources import Layout as Layout
    from gaitkit.datasets.sources import SequenceFrames as SequenceFrames
    from gaitkit.datasets.sources import Unit as Unit
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.datasets.casia_b": ["TreeSource"],
            "gaitkit.datasets.gei_images": ["GeiImageSource"],
            "gaitkit.datasets.layouts": [
                "LAYOUTS",
                "describe_layouts",
                "get_layout",
                "layout_names",
                "open_source",
            ],
            "gaitkit.datasets.manifest": ["ManifestSource"],
            "gaitkit.datasets.packed": ["PackedSource"],
            "gaitkit.datasets.sources": ["FrameSource", "Layout", "SequenceFrames", "Unit"],
        },
    )
