"""Synthetic walkers: 3-D people rendered as silhouettes in CASIA-B's layout.

A body of human proportions (`body`) is moved by joint angles of human gait (`gait`, `skeleton`),
dressed (`clothing`) and fleshed out (`figure`), sent on a walk (`walks`), seen by a ring of cameras
and drawn (`rendering`), roughened as background subtraction would (`noise`) and written as a tree
of PNGs (`tree`). Each takes its random numbers by name (`draws`).
Nothing is downloaded, and a seed says all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.walkers.options import CASIA_B_TAKES as CASIA_B_TAKES
    from gaitkit.walkers.options import CASIA_B_VIEWS as CASIA_B_VIEWS
    from gaitkit.walkers.options import CONDITIONS as CONDITIONS
    from gaitkit.walkers.options import WalkerOptions as WalkerOptions
    from gaitkit.walkers.options import sequence_keys as sequence_keys
    from gaitkit.walkers.rendering import render_sequence as render_sequence
    from gaitkit.walkers.tree import TreeSummary as TreeSummary
    from gaitkit.walkers.tree import write_tree as write_tree
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.walkers.options": [
                "CASIA_B_TAKES",
                "CASIA_B_VIEWS",
                "CONDITIONS",
                "WalkerOptions",
                "sequence_keys",
            ],
            "gaitkit.walkers.rendering": ["render_sequence"],
            "gaitkit.walkers.tree": ["TreeSummary", "write_tree"],
        },
    )
