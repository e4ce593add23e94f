"""The stage `identify`: who is this? One search of each probe in a whole gallery, no protocol."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import as_path, whole_number
from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.artifacts.embeddings import VECTORS, EmbedderInfo
from gaitkit.errors import OptionError, ProtocolError
from gaitkit.identification.calibration import Calibration, read_calibration
from gaitkit.identification.evaluation import warn_of_no_direction
from gaitkit.identification.features import (
    FEATURES,
    Feature,
    LinearProjection,
    check_finite,
    get_feature,
    main_column,
    metric_of,
    own_feature,
    parts_of,
    vector_columns,
)
from gaitkit.identification.gallery import (
    Answer,
    Candidate,
    Identification,
    check_rate,
    check_threshold,
    nearest_people,
    own_threshold,
    refuse_rare,
)
from gaitkit.identification.metrics import Metric, get_metric
from gaitkit.identification.own_distances import own_distances
from gaitkit.printable import counted
from gaitkit.stages.enroll import refuse_mixture
from gaitkit.stages.evaluate import COMPARED, artifact_path

__all__ = ["Answer", "Candidate", "Identification", "identify", "refuse_search"]

_log = logging.getLogger(__name__)

_EXPLAINED_ROWS = 2000
"""A gallery of so many rows is searched among itself in a second or two."""


class _Rows:
    """Feature vectors that are read from an artefact when they are wanted."""

    def __init__(self, artifact: Artifact, projection: LinearProjection | None) -> None:
        self._artifact, self._projection = artifact, projection
        self._column = main_column(artifact)
        count, *size = artifact.shape(self._column)
        columns = int(np.prod(size))
        if projection is not None and len(projection.mean) != columns:
            raise ProtocolError(
                f"The feature was fitted on {counted(len(projection.mean), 'value')}; "
                f"{artifact.path} has {columns}."
            )
        self.shape = (count, columns if projection is None else projection.matrix.shape[1])
        self.dtype = artifact.dtype(self._column) if projection is None else np.dtype(np.float64)

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        first = int(rows.min())
        block = self._artifact.read_rows(self._column, first, int(rows.max()) + 1)
        check_finite(block, str(self._artifact.path))
        vectors = block.reshape(len(block), -1)[rows - first]
        if self._projection is None:
            return vectors
        features = self._projection.transform(vectors)
        check_finite(features, f"the feature of {self._artifact.path}")
        return features


def identify(
    probes: Path | str,
    gallery: Path | str,
    *,
    top: int = 5,
    feature: str | None = None,
    metric: Metric | str | None = None,
    threshold: float | None = None,
    fpir: float | None = None,
    calibration: Path | str | None = None,
    explained: bool | None = None,
    any_segmenter: bool = False,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Search each sequence of GEIs or embeddings among all sequences of another artefact.

    `gaitkit.identify` also takes images in memory, and their names.

    Parameters
    ----------
    probes, gallery : path-like
        `gei` artefacts, or `embedding` ones, made in the same way.
    top : int
        How many people are listed for each probe, at least 1.
    feature : str, optional
        ``pixels`` of GEIs, ``vectors`` of embeddings, or one that was fitted in `calibration`.
    metric : str or Metric, optional
        Of `METRICS`; by default Euclid's, of ``lda`` cosine, and of embeddings the one that their
        embedder names.
    threshold : float, optional
        Who is further away than this from everybody is unknown; in the metric's units.
    fpir : float, optional
        Find the threshold at this false-positive identification rate: in `calibration` where it
        is given, else in the gallery itself, each of its people left out in turn.
    calibration : path-like, optional
        An `identification` artefact of GEIs that were made in the same way.
    explained : bool, optional
        Whether to leave everybody of the gallery out in turn, so that distances and the threshold
        can be explained (`Identification.own`). By default where the gallery has at most 2,000
        rows, or the threshold is found by that.
    any_segmenter : bool
        Compare masks of different segmenters, too.
    device, threads
        Where to compute; no influence on the result.

    Returns
    -------
    Identification

    Raises
    ------
    MixtureError
        The artefacts were made in different ways.
    OptionError
        A value is outside its range, or an option lacks another; the gallery has too few people
        for the rate.
    ProtocolError
        The gallery has one person only and there is no threshold; the calibration has too few
        non-mated searches.
    ArtifactError
        A file is damaged, of another kind, or contains NaN.

    Examples
    --------
    >>> identify("unknown.h5", "gallery.h5", top=3).names  # doctest: +SKIP
    ['001', '014']
    """
    given = None if metric is None else get_metric(metric)
    calibration = None if calibration is None else as_path(calibration, "calibration")
    threads = None if threads is None else whole_number(threads, "threads", 0)
    _check_options(given, top, feature, threshold, fpir, calibration)
    probes, gallery = (artifact_path(item, "identify") for item in (probes, gallery))
    with open_artifact(probes, COMPARED) as searched, open_artifact(gallery, COMPARED) as known:
        refuse_mixture(known, searched, any_segmenter=any_segmenter)
        feature = own_feature(known) if feature is None else feature
        compared = _feature_of(feature, known)
        chosen = metric_of(known, compared, given)
        check_threshold(chosen, threshold)
        people = known.labels.subjects()
        told = None
        if calibration is not None:
            told = read_calibration(calibration, known, feature, chosen.name)
        projection = None if told is None or not _is_fitted(feature) else told.projection
        if _is_fitted(feature) and projection is None:
            own = own_feature(known)
            raise OptionError(
                f"{feature} of {calibration} is no feature that can be computed from {own}.",
                hint=f"Use {own}, or a fitted feature such as lda.",
            )
        if fpir is not None and told is not None:
            threshold = told.threshold(fpir)
            _warn_of_size(told, len(people))
        metric_of_rows = chosen.for_parts(parts_of(known, compared))
        enrolled = _Rows(known, projection)
        if fpir is not None and told is None:
            refuse_rare(fpir, known.labels, str(gallery))
        among_itself = None
        if _is_explained(known, explained, needed=fpir is not None and told is None):
            among_itself = own_distances(
                enrolled, known.labels, metric_of_rows, device=device, threads=threads
            )
        if fpir is not None and told is None:
            threshold = own_threshold(among_itself, fpir, str(gallery))
        _refuse_few(gallery, people, threshold)
        _warn_of_themselves(searched, known)
        vectors = _Rows(searched, projection)
        count = vectors.shape[0]
        walks = vectors[np.arange(count)] if count else np.zeros(vectors.shape)
        warn_of_no_direction(walks, chosen, np.ones(count, dtype=bool))
        rows, distances = nearest_people(
            enrolled,
            np.unique(known.labels.subject.astype(str), return_inverse=True)[1],
            walks,
            min(top, len(people)),
            metric_of_rows,
            device=device,
            threads=threads,
        )
        answers = tuple(
            _answer(probe, searched, known, rows[probe], distances[probe], threshold)
            for probe in range(len(searched.labels))
        )
        dropped = tuple(row for row in searched.dropped if not row.frame)
        embedder = EmbedderInfo.of(known.parameters) if known.kind == "embedding" else None
    return Identification(
        answers, feature, chosen.name, threshold, len(people), embedder, among_itself, dropped
    )


def refuse_search(
    known: Artifact,
    *,
    top: int,
    metric: Metric | str | None,
    threshold: float | None,
    fpir: float | None,
    calibration: Path | None = None,
) -> None:
    """Refuse what `identify` would refuse of a gallery, before minutes go into what is searched.

    Parameters
    ----------
    known : Artifact
        The gallery.
    top, metric, threshold, fpir, calibration
        As for `identify`.

    Raises
    ------
    OptionError, ProtocolError, ArtifactError
        As for `identify`.
    """
    given = None if metric is None else get_metric(metric)
    _check_options(given, top, None, threshold, fpir, calibration)
    feature = own_feature(known)
    chosen = metric_of(known, _feature_of(feature, known), given)
    check_threshold(chosen, threshold)
    _refuse_few(known.path, known.labels.subjects(), threshold if fpir is None else fpir)
    told = None
    if calibration is not None:
        told = read_calibration(calibration, known, feature, chosen.name)
    if fpir is None:
        return
    if told is None:
        refuse_rare(fpir, known.labels, str(known.path))
    else:
        told.threshold(fpir)


def _refuse_few(gallery: Path, people: Sequence[str], threshold: float | None) -> None:
    """Refuse a gallery of nobody, and without any threshold one of a single person."""
    if not people:
        raise ProtocolError(
            f"{gallery} holds nobody.", hint="Enrol people first, with gaitkit enroll."
        )
    if len(people) == 1 and threshold is None:
        raise ProtocolError(
            f"{gallery} holds {people[0]} only: there is nobody to choose between.",
            hint="Enrol more people with gaitkit enroll, or give a `threshold`.",
        )


def _is_explained(known: Artifact, explained: bool | None, *, needed: bool) -> bool:
    if needed:
        return True
    return len(known.labels) <= _EXPLAINED_ROWS if explained is None else explained


def _feature_of(name: str, artifact: Artifact) -> Feature:
    """A feature by name; one that was fitted on what the artefact holds may have any."""
    if name in ("pixels", VECTORS):
        return get_feature(name, vector_columns(artifact), artifact.path)
    usual = FEATURES[name].metric if name in FEATURES else None
    return Feature(fit=_never, name=name, metric=usual)


def _never(vectors: Any, labels: Any, threads: int | None) -> LinearProjection:
    raise AssertionError("What identifies is fitted beforehand.")


def _check_options(
    metric: Metric | None,
    top: int,
    feature: str | None,
    threshold: float | None,
    fpir: float | None,
    calibration: Path | None,
) -> None:
    if whole_number(top, "top", 0) < 1:
        raise OptionError(f"At least one person must be listed; got `top={top}`.")
    check_rate(fpir, threshold)
    if feature is not None and _is_fitted(feature) and calibration is None:
        raise OptionError(
            f"The feature {feature} must have been fitted.",
            hint="Give `calibration`: results that evaluate has written of this feature.",
        )
    if metric is not None:
        check_threshold(metric, threshold)


def _is_fitted(feature: str) -> bool:
    """Whether vectors of a feature need what was fitted for some results."""
    return feature != VECTORS and (feature not in FEATURES or FEATURES[feature].fit is not None)


def _warn_of_size(calibration: Calibration, people: int) -> None:
    if people > calibration.people:
        _log.warning(
            "the threshold was found among %s; among the %s of this gallery, false "
            "positives are about %.1f times as frequent",
            counted(calibration.people, "person"),
            f"{people:,}",
            people / max(1, calibration.people),
        )


def _warn_of_themselves(searched: Artifact, known: Artifact) -> None:
    if searched.dataset == known.dataset:
        both = len(set(searched.labels.keys()) & set(known.labels.keys()))
        if both:
            _log.warning(
                "%s in the gallery themselves" if both > 1 else "%s in the gallery itself",
                counted(both, "probe is", "probes are"),
            )


def _answer(
    probe: int,
    searched: Artifact,
    known: Artifact,
    rows: NDArray[np.int64],
    distances: NDArray[np.float64],
    threshold: float | None,
) -> Answer:
    candidates = tuple(
        Candidate(known.labels.key(row).subject, distance, row, known.labels.key(row))
        for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
    )
    near = threshold is None or candidates[0].distance <= threshold
    name = candidates[0].name if near else None
    return Answer(candidates, name, probe, searched.labels.key(probe))
