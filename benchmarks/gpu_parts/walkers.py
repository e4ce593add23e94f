"""The GEIs to train on: those that were given, or walkers made here."""

from __future__ import annotations

import shutil
from pathlib import Path

from gaitkit.datasets.layouts import open_source
from gaitkit.gei.options import GeiOptions
from gaitkit.parallel import available_cores
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.make_gei import gei_from_frames
from gaitkit.walkers import WalkerOptions, write_tree
from gpu_parts.task import Task


def geis_of(task: Task) -> Path:
    """Where the GEIs are, or will be."""
    return task.geis or task.work / "gei.h5"


def run(task: Task) -> None:
    """Make walkers where no GEIs were given and none were made before: 24 on many cores."""
    path = geis_of(task)
    if path.exists():
        task.record("walkers", f"GEIs: {path}")
        return
    cores = available_cores()
    options = WalkerOptions(subjects=24, frames=24)
    if cores < 8:
        takes = {"nm": 2, "bg": 1, "cl": 1}
        options = WalkerOptions(subjects=8, frames=12, views=(54.0, 90.0), takes=takes)
    tree = task.work / "walkers"
    taken = task.seconds(lambda: write_tree(tree, options, workers=cores, overwrite=True))
    unfinished = path.with_name("unfinished.h5")
    taken += task.seconds(
        lambda: gei_from_frames(
            open_source(tree),
            unfinished,
            SilhouetteOptions(),
            GeiOptions(),
            workers=cores,
            overwrite=True,
        )
    )
    unfinished.replace(path)
    shutil.rmtree(tree)
    text = f"{options.subjects} walkers, {len(options.views)} views, made in {taken:.0f} s"
    task.record("walkers", text, people=options.subjects, seconds=taken)
