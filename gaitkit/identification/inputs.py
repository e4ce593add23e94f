"""What is compared: vectors out of one or several GEI artefacts, ready for a metric."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.errors import DamagedArtifactError
from gaitkit.identification.components import choose_components
from gaitkit.identification.features import (
    FEATURES,
    FITTED,
    LinearProjection,
    check_finite,
    fit_lda,
    fit_pca,
    get_feature,
    pixels,
)
from gaitkit.identification.fusion import Fusion, fit_fusion, fuse
from gaitkit.identification.metrics import Metric
from gaitkit.labels import Labels
from gaitkit.protocols import Split

__all__ = ["feature_vectors", "for_metric", "vector_columns"]

_log = logging.getLogger(__name__)
_COLUMNS = "features/"


def vector_columns(artifact: Artifact) -> list[str]:
    """Names of the vectors that a translator added: arrays ``features/NAME``."""
    return [name.removeprefix(_COLUMNS) for name in artifact.names(_COLUMNS)]


def feature_vectors(
    artifact: Artifact,
    feature: str,
    split: Split,
    *,
    used: NDArray[np.bool_],
    seed: int = 0,
    threads: int | None = None,
) -> tuple[NDArray[Any], LinearProjection | None]:
    """The vectors of one artefact.

    Parameters
    ----------
    artifact : Artifact
        Gait energy images.
    feature : str
        Of `FEATURES`, or a vector column of the artefact.
    split : Split
        What is fitted is fitted on its training people.
    used : ndarray of bool, shape (n,)
        Rows that must be finite.
    seed : int
        Of the randomised PCA.
    threads : int, optional
        Does not change the result.

    Returns
    -------
    vectors : ndarray, shape (n, d)
        Those of rows that are not used may mean nothing.
    projection : LinearProjection or None
        What was fitted.

    Raises
    ------
    OptionError
        The artefact has no such feature.
    ArtifactError
        NaN in a row that is used, or a column that does not fit the sequences.
    """
    get_feature(feature, vector_columns(artifact), artifact.path)
    stored = "gei" if feature in FEATURES else _COLUMNS + feature
    vectors = artifact.read(stored)
    if len(vectors) != len(artifact.labels) or vectors.ndim < 2 or vectors.dtype.kind not in "uif":
        raise DamagedArtifactError(
            f"{artifact.path} is not a well-formed artefact: {stored} is {vectors.dtype} of shape "
            f"{vectors.shape} for {len(artifact.labels)} sequences."
        )
    vectors = pixels(vectors)
    what = str(artifact.path) if stored == "gei" else f"{artifact.path}: the column {stored}"
    check_finite(vectors[used], what)
    if feature not in FITTED:
        return vectors, None
    learned = vectors[split.train]
    if feature == "pca":
        projection = fit_pca(learned, seed=seed)
    else:
        projection = _fit_lda(learned, artifact.labels.select(split.train), seed, threads)
    out = np.zeros((len(vectors), projection.matrix.shape[1]))
    out[used] = projection.transform(vectors[used])
    return out, projection


def _fit_lda(
    learned: NDArray[Any], labels: Labels, seed: int, threads: int | None
) -> LinearProjection:
    components = choose_components(learned, labels, seed=seed, threads=threads)
    _log.info("lda: %d principal components, chosen on the training people", components)
    return fit_lda(learned, labels.subject, components=components, seed=seed)


def for_metric(
    parts: Sequence[NDArray[Any]],
    labels: Labels,
    split: Split,
    metric: Metric,
    *,
    used: NDArray[np.bool_],
    weigh: bool = True,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[NDArray[Any], Fusion | None]:
    """One artefact's vectors as they are; those of several fused for a metric.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (n, d1), (n, d2), …
        Vectors of the same sequences.
    labels : Labels
        Their key columns.
    split : Split
        Scales and weights come from its training people.
    metric : Metric
        How distance will be measured.
    used : ndarray of bool, shape (n,)
        Rows that are compared or fitted on.
    weigh, seed, threads
        As for `fit_fusion`.

    Returns
    -------
    vectors : ndarray, shape (n, d)
    fusion : Fusion or None
        How they were fused.
    """
    if len(parts) == 1:
        return parts[0], None
    learned = labels.select(split.train)
    gallery = np.logical_or.reduce([walks.mask(learned) for walks in split.protocol.gallery])
    fusion = fit_fusion(
        [part[split.train] for part in parts],
        learned,
        np.asarray(gallery, dtype=bool),
        metric=metric,
        weigh=weigh,
        seed=seed,
        threads=threads,
    )
    shares = ", ".join(f"{weight:g}" for weight in fusion.weights)
    _log.info("fused with the weights %s%s", shares, weigh * ", chosen on the training people")
    fused = fuse([part[used] for part in parts], fusion, metric)
    out = np.zeros((len(labels), fused.shape[1]), dtype=fused.dtype)
    out[used] = fused
    return out, fusion
