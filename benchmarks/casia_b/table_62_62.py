"""GaitGAN's cross-view matrices (nm, bg, cl) under the 62/62 protocol, ours beside the paper's.

    python benchmarks/casia_b/table_62_62.py GaitDatasetB-silh.zip --out casia-b-62-62/

The defaults train the paper's network for 24,000 iterations: take a GPU, or smaller --width and
--iterations. Translated GEIs (translated.h5) are only evaluated.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
from common import HEAD, TAKEN_AS_FIXED, beside, identified, run

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.published import PublishedSystem, published_system
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.tables import cross_view_text, title
from gaitkit.labels import format_view


def compared(result: EvaluationResult, name: str, paper: PublishedSystem) -> str:
    """Our matrix, the paper's, and what is between them, cell by cell and on the whole."""
    ours = result.tables[name]
    theirs = published_table(ours, name, paper)
    gap = replace(ours, rate=ours.rate - theirs.rate)
    lines = [cross_view_text(ours, f"{name}")]
    lines += ["", f"{name}, {paper.label}, published, CASIA-B", _cells(theirs)]
    lines += ["", f"{name}, ours - {paper.label}", _cells(gap, "+.1f")]
    lines += ["", f"{'mean':<6}{HEAD}"]
    for view, mean in ours.per_probe_view().items():
        published = paper.mean_at_probe_view(name, view)
        figure = None if mean is None else Interval(mean, nan, nan)
        lines.append(f"{format_view(view):<6}{beside(figure, published)}")
    lines.append(
        f"{'all':<6}{beside(rank1_of(result, name), paper.mean_excluding_identical(name))}"
    )
    return "\n".join(line.rstrip() for line in lines)


def published_table(ours: CrossViewTable, name: str, paper: PublishedSystem) -> CrossViewTable:
    """The paper's cells at our views; NaN where it has none."""
    cells = [
        [paper.cell(name, gallery, probe) for probe in ours.probe_views.tolist()]
        for gallery in ours.gallery_views.tolist()
    ]
    return replace(ours, rate=np.array(cells, dtype=np.float64))


def _cells(table: CrossViewTable, form: str = ".1f") -> str:
    views = table.probe_views.tolist()
    lines = [f"{'':7}" + "".join(f"{format_view(view):>7}" for view in views)]
    for gallery, row in zip(table.gallery_views.tolist(), table.rate, strict=True):
        cells = ["-" if np.isnan(value) else f"{value:{form}}" for value in row]
        lines.append(f"{format_view(gallery):<7}" + "".join(f"{cell:>7}" for cell in cells))
    return "\n".join(lines)


def show(translated: Path, given: argparse.Namespace) -> None:
    """Print one comparison for each probe set that the paper has."""
    result, paper = identified(translated, given), published_system("gaitgan")
    print(title(result), end="\n\n")
    for name in result.tables:
        if name in paper.rank1:
            print(compared(result, name, paper), end="\n\n")
    print(TAKEN_AS_FIXED)


if __name__ == "__main__":
    sys.exit(run(__doc__, "casia-b-62-62", show))
