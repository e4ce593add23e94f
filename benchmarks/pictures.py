"""Draw the README's pictures from the folder of a finished demo.

gaitkit demo -o demo && python benchmarks/pictures.py demo .images

The demo has six views; the walker at eleven is the same person, walked past five cameras more.
`training.png` is `gaitkit show` of a training at full size (benchmarks/results/gpu-h200.txt),
and `translators.png` of `benchmarks/casia_b/compare_translators.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.datasets.layouts import open_source
from gaitkit.gei.energy import mean_silhouette
from gaitkit.labels import Labels, SequenceKey
from gaitkit.png import decode_grey
from gaitkit.reporting.sheet import contact_sheet, save_png
from gaitkit.reporting.views import matrix_figure
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.walkers import WalkerOptions, render_sequence

WALKS = [("nm", 1, "normal"), ("bg", 1, "bag"), ("cl", 1, "coat")]


def images_of(artifact: Artifact, subject: str) -> dict[SequenceKey, NDArray[np.uint8]]:
    """Every GEI of one person, rounded to bytes."""
    labels: Labels = artifact.labels
    rows = np.flatnonzero(labels.subject == subject)
    geis = {labels.key(int(row)): artifact.read_rows("gei", int(row), int(row) + 1) for row in rows}
    return {key: np.clip(np.rint(gei[0]), 0, 255).astype(np.uint8) for key, gei in geis.items()}


def drawn_geis(options: WalkerOptions, subject: str) -> dict[SequenceKey, NDArray[np.uint8]]:
    """The GEIs of one walker's first walks at every view."""
    found = {}
    for condition, take, _ in WALKS:
        for view in options.views:
            frames = render_sequence(options, int(subject) - 1, condition, take, view)
            named = ((f"{number:03d}", frame) for number, frame in enumerate(frames))
            silhouettes = normalize_sequence(named, SilhouetteOptions()).silhouettes
            found[SequenceKey(subject, condition, take, view)] = mean_silhouette(silhouettes)
    return found


def view_sheet(
    images: dict[SequenceKey, NDArray[np.uint8]], subject: str, views: list[float], cell_px: int
) -> NDArray[np.uint8]:
    """One person: views across, the three conditions down."""
    cells = [
        [images.get(SequenceKey(subject, condition, take, view)) for view in views]
        for condition, take, _ in WALKS
    ]
    return contact_sheet(
        cells,
        rows=[name for _, _, name in WALKS],
        columns=[f"{view:g}°" for view in views],
        cell_px=cell_px,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("images", type=Path)
    given = parser.parse_args()
    given.images.mkdir(exist_ok=True)
    some_views = [0.0, 36.0, 90.0, 126.0]
    with open_artifact(given.demo / "gei.h5", "gei") as artifact:
        people = artifact.labels.subjects()
        subject = people[-1]
        geis = images_of(artifact, subject)
    with open_artifact(given.demo / "translated.h5", "gei") as artifact:
        translated = images_of(artifact, subject)
    walkers = WalkerOptions(subjects=len(people))
    sheet = view_sheet(drawn_geis(walkers, subject), subject, list(walkers.views), 64)
    save_png(given.images / "walker.png", sheet)
    save_png(given.images / "geis.png", view_sheet(geis, subject, some_views, 64))
    save_png(given.images / "translated.png", view_sheet(translated, subject, some_views, 64))

    source = open_source(given.demo / "walkers")
    raw, normal = [], []
    for sequence in (sequence for unit in source.units() for sequence in source.read(unit)):
        if sequence.key == SequenceKey(subject, "nm", 1, 36.0):
            frames = [
                (name, data if isinstance(data, np.ndarray) else decode_grey(data))
                for name, data in sequence.frames
            ]
            raw = [image for _, image in frames[2:18:4]]
            normal = list(normalize_sequence(frames, SilhouetteOptions()).silhouettes[2:18:4])
    save_png(given.images / "frames.png", contact_sheet([raw], rows=[""], columns=[""] * 4))
    sheet = contact_sheet([normal], rows=[""], columns=[""] * 4, cell_px=64)
    save_png(given.images / "silhouettes.png", sheet)
    save_png(given.images / "matrices.png", matrix_figure(given.demo / "results.h5"))


if __name__ == "__main__":
    main()
