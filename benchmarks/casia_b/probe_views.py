"""Probe views 54, 90 and 126 under the 62/62 protocol, ours beside every published system.

    python benchmarks/casia_b/probe_views.py GaitDatasetB-silh.zip --out casia-b-62-62/

With the same --out as table_62_62.py nothing is trained twice.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from common import HEAD, TAKEN_AS_FIXED, beside, identified, run

from gaitkit.errors import OptionError
from gaitkit.identification.evaluation import rank1_of
from gaitkit.identification.published import published_systems
from gaitkit.identification.tables import probe_view_text
from gaitkit.labels import format_view

PROBE_VIEWS = (54.0, 90.0, 126.0)


def show(translated: Path, given: argparse.Namespace) -> None:
    """Print one table and the differences for each probe view that the data has."""
    for view in PROBE_VIEWS:
        try:
            result = identified(translated, given, probe_view=view)
        except OptionError as error:
            print(f"Probe view {format_view(view)}: {error.message}", end="\n\n")
            continue
        print(probe_view_text(result, view), end="\n\n")
        print(f"{'mean':<28}{HEAD}")
        for system in published_systems().values():
            for name in result.tables:
                published = system.mean_at_probe_view(name, view)
                print(f"{system.label:<24}{name:<4}{beside(rank1_of(result, name), published)}")
        print()
    print(TAKEN_AS_FIXED)


if __name__ == "__main__":
    sys.exit(run(__doc__, "casia-b-62-62", show))
