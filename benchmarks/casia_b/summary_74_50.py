"""The summary of the 74/50 protocol (nm, bg, cl), ours beside GaitSet and later systems.

    python benchmarks/casia_b/summary_74_50.py GaitDatasetB-silh.zip --out casia-b-74-50/

Those systems read the silhouettes themselves and are far better than any GEI: this table says by
how much.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.resources import files
from pathlib import Path

from common import HEAD, TAKEN_AS_FIXED, beside, identified, run

from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.tables import title

CONDITIONS = ("nm", "bg", "cl")


def published() -> dict[str, list[float]]:
    """Rank-1 by system: the paper's own figures, or the model zoo's where there are none."""
    text = files("gaitkit.identification").joinpath("published.json").read_text(encoding="utf-8")
    rows = json.loads(text)["summaries_74_50"]["rows"]
    papers = {row["title"]: row["paper"] for row in rows if row["paper"]}
    zoo = {f"{row['title']}, OpenGait": row["model_zoo"] for row in rows}
    return papers | zoo


def show(translated: Path, given: argparse.Namespace) -> None:
    """Print one line for each published system and condition."""
    result = identified(translated, given)
    print(title(result), end="\n\n")
    print(f"{'mean over different views':<40}{HEAD}")
    for system, rates in published().items():
        for name, rate in zip(CONDITIONS, rates, strict=True):
            ours = rank1_of(result, name)
            print(f"{system:<36}{name:<4}{beside(ours, rate)}")
    print()
    print(TAKEN_AS_FIXED)


if __name__ == "__main__":
    sys.exit(run(__doc__, "casia-b-74-50", show))
