"""How many principal components LDA should have: asked of the training people.

Measured GEIs differ in many small ways that tell people apart, and want some two hundred
components. Translated ones have lost most of that and differ in a few ways only; the rest is what
the translator makes of each single image, which LDA would blow up. No fixed number suits both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ProtocolError
from gaitkit.identification.crossview import cross_view_table, match_views
from gaitkit.identification.features import LDA_COMPONENTS, fit_lda
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels

__all__ = ["CANDIDATES", "choose_components"]

CANDIDATES = (25, 50, 100, LDA_COMPONENTS)
"""Numbers of components that are compared."""


def choose_components(
    vectors: NDArray[Any], labels: Labels, *, seed: int = 0, threads: int | None = None
) -> int:
    """The number of components with which half of the people tell the other half apart best.

    LDA is fitted on every second person and the others are identified across views, all of their
    GEIs among each other; then the other way round. Nobody else is needed, so that tested people
    have no influence.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Rows of the training people.
    labels : Labels
        Their key columns.
    seed : int
        Of the randomised PCA.
    threads : int, optional
        Of the search; does not change the result.

    Returns
    -------
    int
        One of `CANDIDATES`: the smallest of equally good ones. `LDA_COMPONENTS` where people,
        walks or views are too few to compare.
    """
    known = ~np.isnan(labels.view)
    vectors, labels = vectors[known], labels.select(known)
    rates = np.zeros(len(CANDIDATES))
    for half in (0, 1):
        fitted = np.isin(labels.subject.astype(str), labels.subjects()[half::2])
        for index, count in enumerate(CANDIDATES):
            rate = _rate(vectors, labels, fitted, count, seed, threads)
            if rate is None:
                return LDA_COMPONENTS
            rates[index] += rate
    return CANDIDATES[int(np.argmax(rates))]


def _rate(
    vectors: NDArray[Any],
    labels: Labels,
    fitted: NDArray[np.bool_],
    components: int,
    seed: int,
    threads: int | None,
) -> float | None:
    """Mean rank-1 over different views of those who were not fitted on."""
    try:
        projection = fit_lda(
            vectors[fitted], labels.subject[fitted], components=components, seed=seed
        )
    except ProtocolError:
        return None
    others = labels.select(~fitted)
    everybody = np.ones(len(others), dtype=bool)
    matches = match_views(
        projection.transform(vectors[~fitted]),
        others,
        everybody,
        everybody,
        metric=get_metric("euclidean"),
        threads=threads,
    )
    return cross_view_table(matches, everybody, np.unique(others.view)).mean_excluding_identical
