"""One search under a protocol: from vectors to tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.dropped import DroppedRow
from gaitkit.identification.crossview import cross_view_table, match_views
from gaitkit.identification.figures.summarise import all_numbers, failed_probes
from gaitkit.identification.metrics import Metric
from gaitkit.identification.scores import ScoreKeeper
from gaitkit.labels import Labels
from gaitkit.protocols import Split

__all__ = ["NEIGHBOURS", "ProtocolSearch"]

NEIGHBOURS = 5
"""Nearest gallery rows that are kept of each search, to be looked at."""


@dataclass(frozen=True, eq=False)
class ProtocolSearch:
    """Everything about an evaluation but the vectors and the metric.

    Attributes
    ----------
    labels : Labels
        Key columns of all rows.
    split : Split
        Who is enrolled and searched.
    gallery_views, probe_views : ndarray of float64
        Rows and columns of the tables, degrees.
    dropped : list of DroppedRow
        What was left out before.
    k : int
        Neighbours that vote.
    count_failures : bool
        Whether dropped probes are errors.
    rounding : str
        Of `ROUNDINGS`.
    seed : int
        Of draws and folds.
    """

    labels: Labels
    split: Split
    gallery_views: NDArray[np.float64]
    probe_views: NDArray[np.float64]
    dropped: list[DroppedRow]
    k: int
    count_failures: bool
    rounding: str
    seed: int

    def __call__(
        self, vectors: NDArray[Any], metric: Metric, threads: int | None
    ) -> dict[str, Any]:
        """The fields of an `EvaluationResult` that come from searching some vectors."""
        labels, split = self.labels, self.split
        probe = split.probe & np.isin(labels.view, self.probe_views)
        keeper = ScoreKeeper(
            labels, split.gallery, probe, metric=metric, gallery_views=self.gallery_views
        )
        matches = match_views(
            vectors,
            labels,
            split.gallery,
            probe,
            metric=metric,
            gallery_views=self.gallery_views,
            top=NEIGHBOURS,
            k=self.k,
            observe=keeper,
            threads=threads,
        )
        scores = keeper.scores
        matches = replace(matches, average_precision=scores.average_precision)
        failed = failed_probes(split, self.dropped, labels, self.probe_views)
        return {
            "split": split,
            "labels": labels,
            "matches": matches,
            "tables": {
                name: cross_view_table(
                    matches,
                    rows,
                    self.probe_views,
                    failed_views=failed[name].view if self.count_failures else None,
                    rounding=self.rounding,
                )
                for name, rows in split.probes.items()
            },
            "numbers": all_numbers(
                matches,
                scores,
                split,
                labels,
                self.probe_views,
                failed,
                count_failures=self.count_failures,
                rounding=self.rounding,
                seed=self.seed,
            ),
            "k": self.k,
            "failed": failed,
            "rounding": self.rounding,
        }
