"""What a path given to `make-gei` is: a silhouettes artefact, frames, or ready-made GEIs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gaitkit.datasets.gei_images import looks_like_gei_tree

__all__ = ["InputKind", "input_kind"]

InputKind = Literal["silhouettes", "frames", "geis"]


def input_kind(path: Path) -> InputKind:
    """Tell by content what a path holds.

    Parameters
    ----------
    path : Path
        A file or folder.

    Returns
    -------
    str
        ``silhouettes`` for an HDF5 file of whatever kind (opening it says what is wrong with it),
        ``geis`` for one image per sequence and view, ``frames`` for everything else.
    """
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith((b"gaitkit ", b"\x89HDF")) or path.suffix == ".h5":
            return "silhouettes"
    return "geis" if looks_like_gei_tree(path) else "frames"
