"""What one evaluation found, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import CrossViewTable, ViewMatches
from gaitkit.identification.features import LinearProjection
from gaitkit.identification.figures.numbers import Numbers
from gaitkit.identification.fusion import Fusion
from gaitkit.identification.quality import QualityTable
from gaitkit.labels import Labels
from gaitkit.protocols import Protocol, Split

__all__ = ["EvaluationResult"]


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """One artefact, one feature, one metric, under one protocol.

    Attributes
    ----------
    source : str
        What was evaluated, for people: a file name. Not part of an artefact.
    dataset : str
        Name of the data set.
    feature, metric : str
        How rows were compared.
    split : Split
        The protocol, and which rows of the artefact trained, were enrolled, were searched.
    labels : Labels
        Key columns of all rows of the artefact; the indices in `matches` point into them.
    matches : ViewMatches
        Every probe's outcome against the gallery of each view.
    tables : mapping of str to CrossViewTable
        Rank-1 identification rates per probe set, in the protocol's order.
    projection : LinearProjection or None
        The fitted feature, where there is one.
    quality : QualityTable or None
        Comparison with the true images, where it was asked for.
    numbers : mapping of str to Numbers
        All figures with their intervals per probe set, in the protocol's order.
    k : int
        Neighbours that vote; 1 is the nearest neighbour.
    fusion : Fusion or None
        How several artefacts were put together.
    failed : mapping of str to Labels
        Key columns of the failures to acquire per probe set.
    rounding : str
        ``none``, or ``opengait`` where each cell of `tables` was rounded to two decimals before
        averaging.
    """

    source: str
    dataset: str
    feature: str
    metric: str
    split: Split
    labels: Labels
    matches: ViewMatches
    tables: Mapping[str, CrossViewTable]
    projection: LinearProjection | None = None
    quality: QualityTable | None = None
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    k: int = 1
    fusion: Fusion | None = None
    failed: Mapping[str, Labels] = field(default_factory=dict)
    rounding: str = "none"

    @property
    def protocol(self) -> Protocol:
        """The protocol."""
        return self.split.protocol

    @property
    def gallery_views(self) -> NDArray[np.float64]:
        """Rows of the tables, degrees."""
        return self.matches.gallery_views

    @property
    def probe_views(self) -> NDArray[np.float64]:
        """Columns of the tables, degrees."""
        return next(iter(self.tables.values())).probe_views

    def headline(self, probe_set: str) -> float | None:
        """The protocol's mean rank-1 of one probe set, per cent."""
        return self.tables[probe_set].headline(identical_view=self.protocol.identical_view)
