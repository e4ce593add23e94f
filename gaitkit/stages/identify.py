"""The stage `identify`: who is this? One search of each probe in a whole gallery, no protocol."""

from __future__ import annotations

import logging
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import as_path, whole_number
from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import OptionError, ProtocolError
from gaitkit.identification.calibration import Calibration, read_calibration
from gaitkit.identification.features import FEATURES, LinearProjection, check_finite
from gaitkit.identification.gallery import (
    Answer,
    Candidate,
    Identification,
    check_threshold,
    nearest_people,
)
from gaitkit.identification.metrics import DEFAULT_METRIC, Metric, get_metric
from gaitkit.stages.enroll import refuse_mixture
from gaitkit.stages.evaluate import artifact_path

__all__ = ["Answer", "Candidate", "Identification", "identify"]

_log = logging.getLogger(__name__)


class _Rows:
    """Feature vectors that are read from an artefact when they are wanted."""

    def __init__(self, artifact: Artifact, projection: LinearProjection | None) -> None:
        self._artifact, self._projection = artifact, projection
        count, *size = artifact.shape("gei")
        columns = int(np.prod(size))
        if projection is not None and len(projection.mean) != columns:
            raise ProtocolError(
                f"The feature was fitted on {len(projection.mean)} pixels; {artifact.path} has "
                f"{columns}."
            )
        self.shape = (count, columns if projection is None else projection.matrix.shape[1])
        self.dtype = artifact.dtype("gei") if projection is None else np.dtype(np.float64)

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        first = int(rows.min())
        block = self._artifact.read_rows("gei", first, int(rows.max()) + 1)
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
    feature: str = "pixels",
    metric: Metric | str = DEFAULT_METRIC,
    threshold: float | None = None,
    fpir: float | None = None,
    calibration: Path | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Search each sequence of one GEI artefact among all sequences of another.

    `gaitkit.identify` also takes images in memory, and their names.

    Parameters
    ----------
    probes, gallery : path-like
        `gei` artefacts, made in the same way.
    top : int
        How many people are listed for each probe, at least 1.
    feature : str
        ``pixels``, or one that was fitted in `calibration`.
    metric : str or Metric
        Of `METRICS`.
    threshold : float, optional
        Who is further away than this from everybody is unknown; in the metric's units.
    fpir : float, optional
        Find the threshold at this false-positive identification rate in `calibration`.
    calibration : path-like, optional
        An `identification` artefact of GEIs that were made in the same way.
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
        A value is outside its range, or an option lacks another.
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
    chosen = get_metric(metric)
    calibration = None if calibration is None else as_path(calibration, "calibration")
    threads = None if threads is None else whole_number(threads, "threads", 0)
    _check_options(chosen, top, feature, threshold, fpir, calibration)
    probes, gallery = (artifact_path(item, "identify") for item in (probes, gallery))
    with open_artifact(probes, kind="gei") as searched, open_artifact(gallery, kind="gei") as known:
        refuse_mixture(known, searched)
        people = known.labels.subjects()
        told = None
        if calibration is not None:
            told = read_calibration(calibration, known, feature, chosen.name)
        projection = None if told is None or not _is_fitted(feature) else told.projection
        if _is_fitted(feature) and projection is None:
            raise OptionError(
                f"{feature} of {calibration} is no feature that can be computed from pixels.",
                hint="Use pixels, or a fitted feature such as lda.",
            )
        if fpir is not None and told is not None:
            threshold = told.threshold(fpir)
            _warn_of_size(told, len(people))
        if not people or (len(people) == 1 and threshold is None):
            raise ProtocolError(
                f"{gallery} holds {' '.join(people) or 'nobody'} only: there is nobody to choose "
                f"between.",
                hint="Enrol more people with gaitkit enroll, or give a `threshold`.",
            )
        _warn_of_themselves(searched, known)
        vectors = _Rows(searched, projection)
        rows, distances = nearest_people(
            _Rows(known, projection),
            np.unique(known.labels.subject.astype(str), return_inverse=True)[1],
            vectors[np.arange(vectors.shape[0])] if vectors.shape[0] else np.zeros(vectors.shape),
            min(top, len(people)),
            chosen,
            device=device,
            threads=threads,
        )
        answers = tuple(
            _answer(probe, searched, known, rows[probe], distances[probe], threshold)
            for probe in range(len(searched.labels))
        )
    return Identification(answers, feature, chosen.name, threshold, len(people))


def _check_options(
    metric: Metric,
    top: int,
    feature: str,
    threshold: float | None,
    fpir: float | None,
    calibration: Path | None,
) -> None:
    if whole_number(top, "top", 0) < 1:
        raise OptionError(f"At least one person must be listed; got `top={top}`.")
    if threshold is not None and fpir is not None:
        raise OptionError("Give a threshold or a false-positive rate, not both.")
    if fpir is not None and calibration is None:
        raise OptionError(
            "A false-positive rate needs results in which to find the threshold.",
            hint="Give `calibration`: results that evaluate has written.",
        )
    if fpir is not None and not (isinstance(fpir, Real) and 0.0 < fpir < 1.0):
        raise OptionError(f"A false-positive rate is above 0 and below 1; got {fpir!r}.")
    if _is_fitted(feature) and calibration is None:
        raise OptionError(
            f"The feature {feature} must have been fitted.",
            hint="Give `calibration`: results that evaluate has written of this feature.",
        )
    check_threshold(metric, threshold)


def _is_fitted(feature: str) -> bool:
    """Whether vectors of a feature need what was fitted for some results."""
    return feature not in FEATURES or FEATURES[feature].fit is not None


def _warn_of_size(calibration: Calibration, people: int) -> None:
    if people > calibration.people:
        _log.warning(
            "the threshold was found among %d people; among the %d of this gallery, false "
            "positives are about %.1f times as frequent",
            calibration.people,
            people,
            people / max(1, calibration.people),
        )


def _warn_of_themselves(searched: Artifact, known: Artifact) -> None:
    if searched.dataset == known.dataset:
        both = len(set(searched.labels.keys()) & set(known.labels.keys()))
        if both:
            _log.warning("%d probes are in the gallery themselves", both)


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
