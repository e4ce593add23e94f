"""The stage `identify`: who is this? One search of each probe in a whole gallery, no protocol."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import ArtifactError, OptionError, ProtocolError
from gaitkit.identification.calibration import Calibration, read_calibration
from gaitkit.identification.features import LinearProjection, check_finite
from gaitkit.identification.matching import Vectors, search
from gaitkit.identification.metrics import Metric, get_metric
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.enroll import refuse_mixture

__all__ = ["Answer", "Candidate", "Identification", "identify", "identify_vectors"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """One person of the gallery: the nearest sequence and its distance."""

    sequence: SequenceKey
    distance: float


@dataclass(frozen=True)
class Answer:
    """One probe.

    Attributes
    ----------
    probe : SequenceKey
        What was searched.
    candidates : tuple of Candidate
        Different people, the nearest first.
    name : str or None
        The first candidate's; `None` for somebody unknown, whose nearest is above the threshold.
    """

    probe: SequenceKey
    candidates: tuple[Candidate, ...]
    name: str | None


@dataclass(frozen=True)
class Identification:
    """Everybody who was searched; ``print`` shows a table.

    Attributes
    ----------
    answers : tuple of Answer
        In the order of the probes.
    feature, metric : str
        How rows were compared.
    threshold : float or None
        Largest distance that counts as known; `None`: everybody does.
    people : int
        In the gallery.
    """

    answers: tuple[Answer, ...]
    feature: str
    metric: str
    threshold: float | None
    people: int

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, row: int) -> Answer:
        return self.answers[row]

    @property
    def names(self) -> list[str | None]:
        """Who each probe is: the nearest person; `None` for somebody unknown."""
        return [answer.name for answer in self.answers]

    def table(self) -> str:
        """One line per probe: what was searched, the answer, the nearest people and distances.

        Distances are in the metric's units; nearer is more similar.
        """
        places = max((len(answer.candidates) for answer in self.answers), default=0)
        rows = [["probe", "answer", *(str(place) for place in range(1, places + 1))]]
        for answer in self.answers:
            near = [f"{c.sequence.subject} {c.distance:.3g}" for c in answer.candidates]
            rows.append([_called(answer.probe), answer.name or "unknown", *near])
        widths = [max(len(cell) for cell in column) for column in zip_longest(*rows, fillvalue="")]
        return "\n".join(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
            for row in rows
        )

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        told = f"{len(self)} probes among {self.people} people; {self.feature}, {self.metric}"
        if self.threshold is not None:
            unknown = sum(answer.name is None for answer in self.answers)
            told += f"; {unknown} further than {self.threshold:.6g} from everybody"
        names = [answer.name or "unknown" for answer in self.answers[:8]]
        more = ", …" if len(self) > len(names) else ""
        return f"<Identification: {told}\n {', '.join(names)}{more}\n print() shows the table>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.table())}</pre>"


def _called(key: SequenceKey) -> str:
    """A sequence's name; only the person's where nothing else is known."""
    return str(key) if key.condition else key.subject


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
    metric: Metric | str = "euclidean",
    threshold: float | None = None,
    fpir: float | None = None,
    calibration: Path | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Search each sequence of one GEI artefact among all sequences of another.

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
        Whoever's nearest is further away is unknown; in the metric's units.
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
    """
    probes, gallery = Path(probes), Path(gallery)
    calibration = None if calibration is None else Path(calibration)
    chosen = metric if isinstance(metric, Metric) else get_metric(metric)
    _check_options(chosen, top, feature, threshold, fpir, calibration)
    with open_artifact(probes, kind="gei") as searched, open_artifact(gallery, kind="gei") as known:
        refuse_mixture(known, searched)
        people = known.labels.subjects()
        told = None
        if calibration is not None:
            told = read_calibration(calibration, known, feature, chosen.name)
        projection = None if told is None or feature == "pixels" else told.projection
        if feature != "pixels" and projection is None:
            raise OptionError(
                f"{feature} of {calibration} is no feature that can be computed from pixels.",
                hint="Use pixels, or a fitted feature such as lda.",
            )
        if fpir is not None and told is not None:
            threshold = told.threshold(fpir)
            _warn_of_size(told, len(people))
        _refuse_no_choice(str(gallery), people, threshold)
        _warn_of_themselves(searched, known)
        vectors = _Rows(searched, projection)
        rows, distances = _nearest_people(
            _Rows(known, projection),
            np.unique(known.labels.subject.astype(str), return_inverse=True)[1],
            vectors[np.arange(vectors.shape[0])] if vectors.shape[0] else np.zeros(vectors.shape),
            min(top, len(people)),
            chosen,
            device,
            threads,
        )
        answers = _answers(searched.labels, known.labels, rows, distances, threshold)
    return Identification(answers, feature, chosen.name, threshold, len(people))


def identify_vectors(
    probes: NDArray[Any],
    gallery: NDArray[Any],
    names: Sequence[str],
    *,
    top: int = 5,
    metric: Metric | str = "euclidean",
    threshold: float | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Search feature vectors among others: `identify` without artefacts.

    Parameters
    ----------
    probes, gallery : ndarray, shapes (p, d) and (n, d)
        uint8 or floats, finite, made in the same way.
    names : sequence of str, length n
        Whose row of the gallery it is.
    top, metric, threshold, device, threads
        As for `identify`.

    Returns
    -------
    Identification

    Raises
    ------
    OptionError, ProtocolError
        As for `identify`.
    ArtifactError
        There are NaN or infinite values.

    Examples
    --------
    >>> import numpy as np
    >>> gallery = np.array([[0.0, 1.0], [3.0, 4.0]])
    >>> identify_vectors(np.array([[3.0, 3.0]]), gallery, ["ada", "ben"]).names
    ['ben']
    """
    chosen = metric if isinstance(metric, Metric) else get_metric(metric)
    _check_options(chosen, top, "pixels", threshold, None, None)
    check_finite(probes, "what is searched")
    check_finite(gallery, "the gallery")
    people = sorted(set(names))
    _refuse_no_choice("The gallery", people, threshold)
    rows, distances = _nearest_people(
        gallery,
        np.unique(np.array(names, str), return_inverse=True)[1],
        probes,
        min(top, len(people)),
        chosen,
        device,
        threads,
    )
    known, searched = (
        Labels.from_keys([SequenceKey(str(name), "", 0, None) for name in called])
        for called in (names, range(len(probes)))
    )
    answers = _answers(searched, known, rows, distances, threshold)
    return Identification(answers, "pixels", chosen.name, threshold, len(people))


def _refuse_no_choice(gallery: str, people: list[str], threshold: float | None) -> None:
    if not people or (len(people) == 1 and threshold is None):
        raise ProtocolError(
            f"{gallery} holds {' '.join(people) or 'nobody'} only: there is nobody to choose "
            f"between.",
            hint="Enrol more people with gaitkit enroll, or give a `threshold`.",
        )


def _check_options(
    metric: Metric,
    top: int,
    feature: str,
    threshold: float | None,
    fpir: float | None,
    calibration: Path | None,
) -> None:
    if top < 1:
        raise OptionError(f"At least one person must be listed; got {top}.")
    if threshold is not None and fpir is not None:
        raise OptionError("Give a threshold or a false-positive rate, not both.")
    if fpir is not None and calibration is None:
        raise OptionError(
            "A false-positive rate needs results in which to find the threshold.",
            hint="Add `calibration=results.h5`, from gaitkit evaluate -o results.h5.",
        )
    if fpir is not None and not 0.0 < fpir < 1.0:
        raise OptionError(f"A false-positive rate is above 0 and below 1; got {fpir:g}.")
    if feature != "pixels" and calibration is None:
        raise OptionError(
            f"The feature {feature} must have been fitted.",
            hint=f"Add `calibration=results.h5`, from an evaluation with `features=[{feature!r}]` "
            f"and `output=results.h5`.",
        )
    largest = 2.0 if metric.name == "cosine" else np.inf
    if threshold is not None and not (isfinite(threshold) and 0.0 <= threshold <= largest):
        limits = "0 to 2" if metric.name == "cosine" else "0 or more"
        raise OptionError(f"A threshold of {metric.name} distances is {limits}; got {threshold:g}.")


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


def _nearest_people(
    gallery: Vectors,
    people: NDArray[np.int64],
    probes: NDArray[Any],
    top: int,
    metric: Metric,
    device: str,
    threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest row of each of the nearest people, shapes (p, top), and their distances."""
    rows = np.full((len(probes), top), -1, dtype=np.int64)
    distances = np.full((len(probes), top), np.nan)
    left, kept = np.arange(len(probes)), 4 * top
    while len(left):
        # The nearest rows are often of one person: more of them, until there are enough people.
        kept = min(kept, gallery.shape[0])
        found = search(
            gallery,
            None,
            probes[left],
            None,
            metric=metric,
            top=kept,
            device=device,
            threads=threads,
        )
        lacking = []
        for probe, near, far in zip(
            left, found.neighbours[:, 0], found.neighbour_distances[:, 0], strict=True
        ):
            near = near[near >= 0]
            _, first = np.unique(people[near], return_index=True)
            first = np.sort(first)[:top]
            if len(first) < top:
                lacking.append(probe)
            else:
                rows[probe], distances[probe] = near[first], far[first]
        if lacking and kept == gallery.shape[0]:
            raise ArtifactError("Some distances are too large for a number.")
        left, kept = np.array(lacking, dtype=np.int64), 4 * kept
    return rows, distances


def _answers(
    probes: Labels,
    known: Labels,
    rows: NDArray[np.int64],
    distances: NDArray[np.float64],
    threshold: float | None,
) -> tuple[Answer, ...]:
    return tuple(
        _answer(probes.key(probe), known, rows[probe], distances[probe], threshold)
        for probe in range(len(probes))
    )


def _answer(
    probe: SequenceKey,
    known: Labels,
    rows: NDArray[np.int64],
    distances: NDArray[np.float64],
    threshold: float | None,
) -> Answer:
    candidates = tuple(
        Candidate(known.key(int(row)), float(distance))
        for row, distance in zip(rows, distances, strict=True)
    )
    near = threshold is None or candidates[0].distance <= threshold
    return Answer(probe, candidates, candidates[0].sequence.subject if near else None)
