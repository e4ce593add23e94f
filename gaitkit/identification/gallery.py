"""Who is this? Vectors searched among those of known people, without a protocol."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isinf
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import whole_number
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArtifactError, OptionError, ProtocolError
from gaitkit.identification.evaluation import as_vectors
from gaitkit.identification.matching import Vectors, search
from gaitkit.identification.metrics import DEFAULT_METRIC, Metric, get_metric
from gaitkit.identification.own_distances import (
    OwnDistances,
    not_a_rate,
    own_distances,
    people_left_out,
    refuse_rate,
)
from gaitkit.labels import Labels, SequenceKey, sequence_name
from gaitkit.printable import LETTERS, counted, printable, width_of

__all__ = [
    "Answer",
    "Candidate",
    "Identification",
    "check_rate",
    "check_threshold",
    "identify_vectors",
    "nearest_people",
    "own_threshold",
    "refuse_rare",
    "told",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """One person of the gallery: the nearest of their rows, and its distance.

    Attributes
    ----------
    name : str
        Whose row it is.
    distance : float
        From the probe.
    row : int
        Of the gallery.
    key : SequenceKey or None
        What the row is, where the gallery is an artefact.
    """

    name: str
    distance: float
    row: int
    key: SequenceKey | None = None

    @property
    def sequence(self) -> SequenceKey:
        """The key of the row; of arrays, one with the person's name and nothing else."""
        return SequenceKey(self.name, "", 0, None) if self.key is None else self.key


@dataclass(frozen=True, repr=False)
class Answer:
    """One probe.

    Attributes
    ----------
    candidates : tuple of Candidate
        Different people, the nearest first.
    name : str or None
        The first candidate's; `None` for somebody unknown, whose nearest is above the threshold.
    row : int
        Of the probes.
    key : SequenceKey or None
        What was searched, where the probes are an artefact.
    """

    candidates: tuple[Candidate, ...]
    name: str | None
    row: int
    key: SequenceKey | None = None

    def __repr__(self) -> str:
        near = ", ".join(
            f"{printable(one.name, 20)} ({one.distance:.6g})" for one in self.candidates[:3]
        )
        more = ", …" if len(self.candidates) > 3 else ""
        label, name = printable(self.label, 60), printable(self.name or "unknown", 60)
        return f"<Answer to {label}: {name}; {near}{more}>"

    @property
    def probe(self) -> SequenceKey:
        """The key of the probe; of arrays, one with its number and nothing else."""
        return SequenceKey(str(self.row), "", 0, None) if self.key is None else self.key

    @property
    def label(self) -> str:
        """What to call the probe: its key, or its number."""
        return f"probe {self.row}" if self.key is None else told(self.key)


@dataclass(frozen=True, repr=False)
class Identification:
    """Everybody who was searched: a sequence of answers, printed as a table.

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
    embedder : EmbedderInfo or None
        Which made the vectors; `None` where none did.
    own : OwnDistances or None
        What the gallery says about itself, with each person left out in turn; `None` where it was
        not asked.
    dropped : tuple of DroppedRow
        The walks that were left out before, and that there is no answer for.
    """

    answers: tuple[Answer, ...]
    feature: str
    metric: str
    threshold: float | None
    people: int
    embedder: EmbedderInfo | None = None
    own: OwnDistances | None = None
    dropped: tuple[DroppedRow, ...] = ()

    @property
    def names(self) -> list[str | None]:
        """Who each probe is: the nearest person; `None` for somebody unknown."""
        return [answer.name for answer in self.answers]

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, row: int) -> Answer:
        return self.answers[row]

    def __str__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Each probe with its candidates and their distances, as `gaitkit identify` prints it."""
        people = {c.name for answer in self.answers for c in answer.candidates}
        shown = {name: printable(name) for name in people}
        width = min(40, max(map(width_of, shown.values()), default=0))
        lines = []
        for answer in self.answers:
            name = "unknown" if answer.name is None else shown.get(answer.name, "")
            lines.append(f"{printable(answer.label)}: {name}")
            for place, candidate in enumerate(answer.candidates, start=1):
                name = shown[candidate.name]
                filled = name + " " * max(0, width - width_of(name))
                line = f"  {place:>3}  {filled}  {candidate.distance:>12.6g}"
                line += "" if candidate.key is None else f"  {printable(told(candidate.key))}"
                line += "" if self.own is None else f"  {self.own.nearer(candidate.distance)}"
                lines.append(line + "  beyond the threshold" * self._beyond(candidate))
        return "\n".join(lines)

    def _beyond(self, candidate: Candidate) -> bool:
        return self.threshold is not None and candidate.distance > self.threshold

    def __repr__(self) -> str:
        known = sum(name is not None for name in self.names)
        shown = ", ".join(printable(name or "unknown", 80) for name in self.names[:8])
        shown = (shown if len(shown) <= 80 else shown[:79] + "…") + ", …" * (len(self.names) > 8)
        limit = "" if self.threshold is None else f" within {self.threshold:.6g}"
        return (
            f"<Identification of {len(self.answers):,} among {counted(self.people, 'person')} by "
            f"{self.feature}, {self.metric}: {known:,} known{limit}\n"
            f" {shown}\n"
            f" all candidates: .table(), .answers>"
        )

    def _repr_html_(self) -> str:
        count = max((len(answer.candidates) for answer in self.answers), default=0)
        head = "".join(f"<th>{place}</th>" for place in range(1, count + 1))
        lines = [f"<tr><th>probe</th><th>name</th>{head}</tr>"]
        for answer in self.answers[:_HTML_ROWS]:
            cells = "".join(
                f"<td>{html.escape(c.name)} ({c.distance:.6g})</td>" for c in answer.candidates
            )
            name = html.escape(answer.name or "unknown")
            lines.append(f"<tr><th>{html.escape(answer.label)}</th><td>{name}</td>{cells}</tr>")
        left = len(self.answers) - _HTML_ROWS
        more = f"<p>{left} more are in .answers</p>" if left > 0 else ""
        return f"<table>{''.join(lines)}</table>{more}"


_HTML_ROWS = 50


def told(key: SequenceKey) -> str:
    """A key for people, in whose answers "unknown" is somebody, and never a view.

    Examples
    --------
    >>> told(SequenceKey("ann", "nm", 1, 90.0)), told(SequenceKey("ann", "nm", 1, None))
    ('ann/nm-01/090', 'ann/nm-01, view not known')
    """
    if key.view is not None:
        return str(key)
    return f"{key.subject}/{sequence_name(key.condition, key.take)}, view not known"


def identify_vectors(
    probes: Any,
    gallery: Any,
    names: Sequence[str],
    *,
    top: int = 5,
    metric: Metric | str = DEFAULT_METRIC,
    threshold: float | None = None,
    fpir: float | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Search each probe among all rows of a gallery.

    Parameters
    ----------
    probes : array-like of numbers, shape (p, d) or (p, height, width)
        Searched vectors or images, finite.
    gallery : array-like of numbers, shape (n, d) or (n, height, width)
        Those of known people, made in the same way.
    names : sequence of str, length n
        Whose row of the gallery it is.
    top : int
        People listed for each probe, at most.
    metric : Metric or str
        How distance is measured.
    threshold : float, optional
        Who is further away than this from everybody is unknown.
    fpir : float, optional
        Find the threshold at this false-positive identification rate in the gallery itself, each of
        its people left out in turn; every row is a walk of its own.
    device : {"cpu", "cuda"}
        Where matrices are multiplied; no influence on the result.
    threads : int, optional
        By default one per core; no influence on the result.

    Returns
    -------
    Identification

    Raises
    ------
    OptionError
        Arrays that are no finite numbers or do not fit each other, or a value outside its range;
        the gallery has too few people for the rate.
    ProtocolError
        The gallery has one person only and there is no threshold.

    Examples
    --------
    >>> found = identify_vectors([[1, 1], [9, 8]], [[0, 0], [9, 9], [9, 7]], ["ann", "bob", "bob"])
    >>> found.names
    ['ann', 'bob']
    >>> print(found.table())
    probe 0: ann
        1  ann       1.41421
        2  bob            10
    probe 1: bob
        1  bob             1
        2  ann       12.0416

    A threshold that the gallery finds itself, and what it costs:

    >>> gallery = [[0], [1], [10], [12], [30], [33]]
    >>> names = ["ann", "ann", "bob", "bob", "cat", "cat"]
    >>> found = identify_vectors([[2], [60]], gallery, names, fpir=0.34)
    >>> found.threshold, found.names
    (9.0, ['ann', None])
    >>> found.own.rates(found.threshold).false_positive[:2]
    (2, 6)
    """
    chosen = get_metric(metric)
    threads = None if threads is None else whole_number(threads, "threads", 0)
    check_threshold(chosen, threshold)
    check_rate(fpir, threshold)
    if whole_number(top, "top", 0) < 1:
        raise OptionError(f"At least one person must be listed; got `top={top}`.")
    searched, known = as_vectors(probes, "`probes`"), as_vectors(gallery, "`gallery`")
    if searched.shape[1] != known.shape[1]:
        raise OptionError(
            f"Rows of `probes` have {searched.shape[1]} values and rows of `gallery` "
            f"{known.shape[1]}; they must be made in the same way.",
            hint="Make the images of both with the same size and options.",
        )
    called = np.array([str(name) for name in names], dtype=str)
    if len(called) != len(known):
        raise OptionError(
            f"There are {counted(len(known), 'row')} of `gallery` and {len(called):,} `names`; "
            "each row needs one.",
            hint="Give the name of the person for each row, in the same order.",
        )
    distinct, people = np.unique(called, return_inverse=True)
    own = None
    if fpir is not None:
        walks = _each_a_walk(called)
        refuse_rare(fpir, walks, "The gallery")
        own = own_distances(known, walks, chosen, device=device, threads=threads)
        threshold = own_threshold(own, fpir, "The gallery")
    if len(distinct) == 1 and threshold is None:
        raise ProtocolError(
            f"The gallery holds {printable(str(distinct[0]), LETTERS)} only: there is nobody to "
            "choose between.",
            hint="Enrol more people, or give a `threshold`.",
        )
    rows, distances = nearest_people(
        known,
        people.astype(np.int64),
        searched,
        min(top, len(distinct)),
        chosen,
        device=device,
        threads=threads,
    )
    answers = []
    for probe, (some, far) in enumerate(zip(rows.tolist(), distances.tolist(), strict=True)):
        candidates = tuple(
            Candidate(str(called[row]), distance, row)
            for row, distance in zip(some, far, strict=True)
        )
        near = threshold is None or candidates[0].distance <= threshold
        answers.append(Answer(candidates, candidates[0].name if near else None, probe))
    return Identification(tuple(answers), "vectors", chosen.name, threshold, len(distinct), own=own)


def _each_a_walk(names: NDArray[np.str_]) -> Labels:
    """Labels of rows of which nothing is known but whose they are."""
    return Labels(
        names.astype(object),
        np.full(len(names), "nm", dtype=object),
        np.arange(1, len(names) + 1),
        np.full(len(names), np.nan),
    )


def check_rate(fpir: float | None, threshold: float | None) -> None:
    """Refuse a false-positive rate that is none, or that stands beside a threshold.

    Raises
    ------
    OptionError
        It is.
    """
    if fpir is None:
        return
    if threshold is not None:
        raise OptionError("Give a threshold or a false-positive rate, not both.")
    real = isinstance(fpir, Real) and not isinstance(fpir, bool)
    if not (real and 0.0 < fpir < 1.0):
        raise not_a_rate(fpir)


def refuse_rare(fpir: float, labels: Labels, gallery: str) -> None:
    """Refuse a rate that a gallery is too small for: what `own_threshold` would, beforehand.

    Parameters
    ----------
    fpir : float
        The rate.
    labels : Labels
        Whose the rows of the gallery are.
    gallery : str
        What to call it.

    Raises
    ------
    ProtocolError
        It has fewer than two people.
    OptionError
        It has too few people for the rate.
    """
    if len(labels.subjects()) < 2:
        raise _too_few(gallery)
    refuse_rate(fpir, people_left_out(labels))


def _too_few(gallery: str) -> ProtocolError:
    return ProtocolError(
        f"{gallery} has fewer than two people whose distances are numbers, and no threshold "
        "can be found among them.",
        hint="Enrol more people with gaitkit enroll, or give a `threshold`.",
    )


def own_threshold(own: OwnDistances | None, fpir: float, gallery: str) -> float:
    """The threshold at a false-positive rate that a gallery finds itself.

    Parameters
    ----------
    own : OwnDistances or None
        The gallery's distances to itself, if it has any.
    fpir : float
        The rate.
    gallery : str
        What to call it.

    Raises
    ------
    ProtocolError
        There are no such distances.
    OptionError
        The gallery has too few people for the rate.
    """
    if own is None:
        raise _too_few(gallery)
    if own.is_sample:
        _log.info(
            "the threshold is that of %s of the %s people, drawn by a fixed seed: the gallery is "
            "too large to leave everybody out in turn",
            f"{own.left_out:,}",
            f"{own.people:,}",
        )
    return own.threshold(fpir)


def check_threshold(metric: Metric, threshold: float | None) -> None:
    """Refuse a threshold that no distance of a metric can have.

    Raises
    ------
    OptionError
        It is below 0, above the metric's largest distance, or no number.
    """
    if threshold is None:
        return
    real = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if real and isfinite(threshold) and 0.0 <= threshold <= metric.largest:
        return
    told = f"{threshold:g}" if real else f"a {type(threshold).__name__}"
    limits = "0 or more" if isinf(metric.largest) else f"0 to {metric.largest:g}"
    raise OptionError(
        f"A threshold of {metric.name} distances is {limits}; got {told}.",
        hint="Leave `threshold` out to have the nearest person named at any distance, or give "
        "`fpir=0.05` to have it chosen.",
    )


def nearest_people(
    gallery: Vectors,
    people: NDArray[np.int64],
    probes: NDArray[Any],
    top: int,
    metric: Metric,
    *,
    apart: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest row of each of the nearest people.

    Parameters
    ----------
    gallery : Vectors, shape (n, d)
        Enrolled vectors.
    people : ndarray of int64, shape (n,)
        A number per person; at least `top` different ones.
    probes : ndarray, shape (p, d)
        Searched vectors.
    top : int
        How many people are wanted.
    metric : Metric
        How distance is measured.
    apart : tuple of ndarray of int64, shapes (n,) and (p,), optional
        As for `search`; then there may be fewer people, and the last places are -1 and NaN.
    device, threads
        Where to compute; no influence on the result.

    Returns
    -------
    rows : ndarray of int64, shape (p, top)
        Gallery rows, each of another person, the nearest first.
    distances : ndarray of float64, shape (p, top)
        How far they are.

    Raises
    ------
    ArtifactError
        Distances that are no numbers.
    """
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
            apart=None if apart is None else (apart[0], apart[1][left]),
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
            if len(first) < top and not (apart is not None and kept == gallery.shape[0]):
                lacking.append(probe)
            else:
                rows[probe, : len(first)] = near[first]
                distances[probe, : len(first)] = far[first]
        if lacking and kept == gallery.shape[0]:
            raise ArtifactError("Some distances are too large for a number.")
        left, kept = np.array(lacking, dtype=np.int64), 4 * kept
    return rows, distances
