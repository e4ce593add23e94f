"""Synthetic walkers: 3-D people rendered as silhouettes in CASIA-B's layout.

A body of human proportions (`body`) is moved by joint angles of human gait (`gait`, `skeleton`),
dressed (`clothing`) and fleshed out (`figure`), sent on a walk (`walks`), seen by a ring of cameras
and drawn (`rendering`), roughened as background subtraction would (`noise`) and written as a tree
of PNGs (`tree`). Each takes its random numbers by name (`draws`).
Nothing is downloaded, and a seed says all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gaitkit.walkers.options import WalkerOptions, sequence_keys

if TYPE_CHECKING:
    from gaitkit.walkers.rendering import render_sequence
    from gaitkit.walkers.tree import TreeSummary, write_tree

__all__ = ["TreeSummary", "WalkerOptions", "render_sequence", "sequence_keys", "write_tree"]


def __getattr__(name: str) -> Any:
    # OpenCV is loaded when something is drawn, not when an option is described.
    if name == "render_sequence":
        from gaitkit.walkers.rendering import render_sequence

        return render_sequence
    if name in ("TreeSummary", "write_tree"):
        from gaitkit.walkers import tree

        return getattr(tree, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
