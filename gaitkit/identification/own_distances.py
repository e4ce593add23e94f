"""What a gallery says about itself: each person left out in turn.

A gallery of a few people has no evaluation behind it, and yet knows two things. How near strangers
come: take a person out, and search their walks among everybody else (non-mated searches). And how
near the same person comes: search each walk among all *other* walks, of its own person too (mated
searches). Both are distances of a search in this very gallery, one person or one walk smaller. From
them come a threshold, what it costs (FPIR and FNIR of ISO/IEC 19795-1), and what a distance means.

Searches are counted, as the standard counts them: each walk of a person who is left out is a search
by somebody who is not enrolled. So eight people with four walks each are 32 searches, and one in
eight is four of them. Walks of one person are alike, and so the exact intervals are those of as
many independent searches as there are people, or of fewer where somebody has most of the walks.

Two walks that are each other's nearest have one distance, and are named or not named together. Of
people with one walk each, the strictest threshold that a gallery supports names none of those who
were left out: the interval, not the nought, says what to expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.identification.figures.binomial import Share, share_of
from gaitkit.identification.matching import Vectors, search
from gaitkit.identification.metrics import Metric
from gaitkit.labels import Labels
from gaitkit.printable import counted, quoted
from gaitkit.protocols.splitting import walk_numbers

__all__ = [
    "MOST_PAIRS",
    "Nearer",
    "OwnDistances",
    "OwnRates",
    "own_distances",
    "people_left_out",
    "refuse_rate",
]

MOST_PAIRS = 100_000_000
"""Distances that are computed for it, at most: a gallery of 10,000 rows among itself."""

_SEED = 0
_ROWS_OF_ONE = 64
_READ_ROWS = 1024


class Nearer(NamedTuple):
    """What a distance means: how many of ten others are smaller, to the nearest whole number.

    Attributes
    ----------
    mated : int or None
        Of ten walks searched among their own person's others; `None` where nobody has two.
    non_mated : int
        Of ten walks of people searched where they are not enrolled.
    """

    mated: int | None
    non_mated: int

    def __str__(self) -> str:
        own = "" if self.mated is None else f"{self.mated} of 10 own, "
        return f"nearer: {own}{self.non_mated} of 10 strangers"


class OwnRates(NamedTuple):
    """What a threshold does in the gallery that it is for.

    Attributes
    ----------
    false_positive : Share
        FPIR: walks of people who are left out that get a name, among all walks of theirs. The
        interval is as wide as if each person had one.
    false_negative : Share or None
        FNIR: walks that do not get their own name, among those whose person has another walk. The
        interval is as wide as if each person had one. `None` where nobody has two walks.
    """

    false_positive: Share
    false_negative: Share | None


@dataclass(frozen=True, eq=False, repr=False)
class OwnDistances:
    """Distances of a gallery to itself.

    Attributes
    ----------
    non_mated : ndarray of float64, shape (n,)
        Of each walk of a person who is left out, how near it comes to anybody else; ascending.
    mated : ndarray of float64, shape (m,)
        Of each walk of a person who has another one, how near the nearest other one is.
    others : ndarray of float64, shape (m,)
        And how near the nearest row of anybody else is.
    mated_people : int
        Whose walks these are.
    people : int
        In the gallery.
    left_out : int
        Who were left out in turn: fewer where the gallery was too large for all.
    independent : float
        As how many independent searches those of people left out count, walks of one person being
        alike: `left_out` where all have equally many.
    """

    non_mated: NDArray[np.float64]
    mated: NDArray[np.float64]
    others: NDArray[np.float64]
    mated_people: int
    people: int
    left_out: int
    independent: float

    def __repr__(self) -> str:
        return (
            f"<OwnDistances: {self.left_out:,} of {counted(self.people, 'person')} left out in "
            f"turn, {counted(len(self.mated), 'walk')} of {counted(self.mated_people, 'person')} "
            "searched among the others>"
        )

    @property
    def is_sample(self) -> bool:
        """Whether some people only were left out, the gallery being large."""
        return self.left_out < self.people

    @property
    def least_rate(self) -> float:
        """The smallest false-positive rate that can be asked for, rounded up."""
        return least_rate(self.left_out)

    @property
    def farthest_found(self) -> float | None:
        """The largest distance of a walk that has its own person nearest; `None` where none has."""
        found = self.mated[self.mated < self.others]
        return float(found.max()) if len(found) else None

    def threshold(self, fpir: float) -> float:
        """The distance at which no more than this share of walks of people left out gets a name.

        It is the largest distance of those that would; where two walks are each other's nearest,
        neither or both of them do.

        Parameters
        ----------
        fpir : float
            False-positive identification rate, above 0 and below 1.

        Raises
        ------
        OptionError
            The rate is outside its range, or less than one in as many people as were left out.

        Examples
        --------
        Two walks of each of three people; the first two are each other's nearest:

        >>> far = np.array([2.0, 2.0, 5.0, 7.0, 9.0, 9.5])
        >>> told = OwnDistances(far, np.empty(0), np.empty(0), 0, 3, 3, 3.0)
        >>> told.threshold(0.5), told.threshold(1 / 3)
        (5.0, 2.0)
        >>> told.rates(told.threshold(1 / 3)).false_positive[:2]
        (2, 6)
        """
        refuse_rate(fpir, self.left_out)
        count = len(self.non_mated)
        # The rounding of 0.3 * 10 must not make it 2.
        allowed = floor(round(fpir * count, 6))
        ascending = self.non_mated
        while allowed and allowed < count and ascending[allowed] == ascending[allowed - 1]:
            allowed -= 1
        if allowed:
            return float(ascending[allowed - 1])
        # A distance is never below 0, nor is a threshold.
        return max(0.0, float(np.nextafter(ascending[0], -np.inf)))

    def rates(self, threshold: float) -> OwnRates:
        """What a threshold does to the people of this gallery.

        Parameters
        ----------
        threshold : float
            Who is further away than this from everybody is unknown.

        Examples
        --------
        >>> told = OwnDistances(np.array([2.0, 2.0, 5.0, 7.0]), np.array([1.0, 1.0, 3.0]),
        ...                     np.array([2.0, 2.0, 5.0]), 2, 4, 4, 4.0)
        >>> told.rates(2.0).false_positive[:2], told.rates(2.0).false_negative[:2]
        ((2, 4), (1, 3))
        """
        named = int(np.count_nonzero(self.non_mated <= threshold))
        missed = None
        if len(self.mated):
            found = (self.mated <= threshold) & (self.mated < self.others)
            missed = share_of(
                int(np.count_nonzero(~found)), len(self.mated), independent=self.mated_people
            )
        named_of = share_of(named, len(self.non_mated), independent=self.independent)
        return OwnRates(named_of, missed)

    def nearer(self, distance: float) -> Nearer:
        """What a distance means here.

        Examples
        --------
        >>> told = OwnDistances(np.array([2.0, 2.0, 5.0, 7.0]), np.array([1.0, 1.0, 3.0]),
        ...                     np.array([2.0, 2.0, 5.0]), 2, 4, 4, 4.0)
        >>> str(told.nearer(2.5))
        'nearer: 7 of 10 own, 5 of 10 strangers'
        """
        mated = _of_ten(self.mated < distance) if len(self.mated) else None
        return Nearer(mated, _of_ten(self.non_mated < distance))


def least_rate(people: int) -> float:
    """One in so many, rounded up to three digits.

    Examples
    --------
    >>> least_rate(8), least_rate(3), least_rate(7000)
    (0.125, 0.334, 0.000143)
    """
    if people < 2:
        return 0.5
    digits = 3 + floor(log10(people))
    return ceil(round(10.0**digits / people, 6)) / 10.0**digits


def not_a_rate(fpir: object) -> OptionError:
    """The error for a false-positive rate that is none."""
    told = f"{fpir:g}" if isinstance(fpir, float) else quoted(fpir)
    return OptionError(
        f"A false-positive rate is above 0 and below 1; got {told}.",
        hint="`fpir=0.05` is one stranger in twenty who is taken for somebody of the gallery.",
    )


def refuse_rate(fpir: float, left_out: int) -> None:
    """Refuse a false-positive rate that so many people who are left out in turn cannot show.

    Raises
    ------
    OptionError
        It is outside its range, or less than one in `left_out`.
    """
    if not 0.0 < fpir < 1.0:
        raise not_a_rate(fpir)
    if floor(round(fpir * left_out, 6)) < 1:
        needed = ceil(round(1.0 / fpir, 6))
        raise OptionError(
            f"A false-positive rate of {fpir:g} is one in {needed:,}, and "
            f"{counted(left_out, 'person')} can be left out of this gallery in turn: that needs at "
            f"least {counted(needed, 'person')}.",
            hint=f"Ask for `fpir={least_rate(left_out):g}` or more, enrol more people, or give "
            "`calibration`: results that evaluate has written of many people.",
        )


def people_left_out(labels: Labels, *, most_pairs: int = MOST_PAIRS) -> int:
    """How many people `own_distances` leaves out in turn: it takes no distance to know that.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> keys = [SequenceKey(name, "nm", take, None) for name in "abc" for take in (1, 2)]
    >>> people_left_out(Labels.from_keys(keys))
    3
    """
    names, people = np.unique(labels.subject.astype(str), return_inverse=True)
    people = people.astype(np.int64)
    return len(np.unique(people[_rows_to_search(people, len(names), most_pairs)]))


def _of_ten(smaller: NDArray[np.bool_]) -> int:
    return floor(10.0 * float(np.mean(smaller)) + 0.5)


def own_distances(
    vectors: Vectors,
    labels: Labels,
    metric: Metric,
    *,
    most_pairs: int = MOST_PAIRS,
    device: str = "cpu",
    threads: int | None = None,
) -> OwnDistances | None:
    """Leave every person of a gallery out in turn.

    The gallery is read block by block. Where it has too many rows for all to be searched among
    all, people are drawn by a fixed seed, with at most 64 rows each, and searched among all.

    Parameters
    ----------
    vectors : Vectors, shape (n, d)
        Enrolled vectors.
    labels : Labels
        Their key columns. Rows of one subject, condition and take are one walk, seen by several
        cameras, and not searched among each other.
    metric : Metric
        How distance is measured.
    most_pairs : int
        How many distances may be computed.
    device, threads
        Where to compute; no influence on the result.

    Returns
    -------
    OwnDistances or None
        `None` where there are fewer than two people, or their distances are no numbers.

    Examples
    --------
    Two walks of ann at 0 and 1, one of ben at 5:

    >>> from gaitkit.identification import get_metric
    >>> from gaitkit.labels import SequenceKey
    >>> keys = [SequenceKey(*key) for key in
    ...         [("ann", "nm", 1, None), ("ann", "nm", 2, None), ("ben", "nm", 1, None)]]
    >>> told = own_distances(np.array([[0.0], [1.0], [5.0]]), Labels.from_keys(keys),
    ...                      get_metric("manhattan"))
    >>> told.non_mated.tolist(), told.mated.tolist(), told.others.tolist()
    ([4.0, 4.0, 5.0], [1.0, 1.0], [5.0, 4.0])
    """
    names, people = np.unique(labels.subject.astype(str), return_inverse=True)
    people = people.astype(np.int64)
    if len(names) < 2:
        return None
    rows = _rows_to_search(people, len(names), most_pairs)
    searched, whose = _read(vectors, rows), people[rows]
    strangers = search(
        vectors,
        None,
        searched,
        None,
        metric=metric,
        apart=(people, whose),
        device=device,
        threads=threads,
    ).distance[:, 0]
    walks = walk_numbers(labels.select(rows))
    mates = search(
        searched,
        whose,
        searched,
        whose,
        metric=metric,
        apart=(walks, walks),
        device=device,
        threads=threads,
    ).mate_distance[:, 0]
    if np.isnan(strangers).any():
        return None
    walks_of = np.bincount(whose)
    has_mate = ~np.isnan(mates)
    return OwnDistances(
        np.sort(strangers),
        mates[has_mate],
        strangers[has_mate],
        len(set(whose[has_mate].tolist())),
        len(names),
        int(np.count_nonzero(walks_of)),
        float(len(whose) ** 2 / np.square(walks_of, dtype=np.float64).sum()),
    )


def _rows_to_search(people: NDArray[np.int64], count: int, most_pairs: int) -> NDArray[np.int64]:
    """All rows, or those of some people, drawn by a fixed seed; ascending."""
    total = len(people)
    if total * total <= most_pairs:
        return np.arange(total)
    room = max(2 * _ROWS_OF_ONE, most_pairs // total)
    order = np.argsort(people, kind="stable")
    starts = np.searchsorted(people[order], np.arange(count + 1))
    chosen: list[NDArray[np.int64]] = []
    for person in np.random.default_rng(_SEED).permutation(count).tolist():
        own = order[starts[person] : starts[person + 1]]
        if len(own) > _ROWS_OF_ONE:
            # Spread over all that there are: other walks, other views.
            own = own[np.linspace(0, len(own) - 1, _ROWS_OF_ONE).astype(np.int64)]
        if len(own) > room:
            break
        room -= len(own)
        chosen.append(own)
    return np.sort(np.concatenate(chosen))


def _read(vectors: Vectors, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Some rows, read in runs of neighbours so that no more than them is held."""
    ends = np.flatnonzero(np.diff(rows, append=rows[-1] + 2) != 1) + 1
    parts, start = [], 0
    for end in ends.tolist():
        for first in range(start, end, _READ_ROWS):
            parts.append(vectors[rows[first : min(first + _READ_ROWS, end)]])
        start = end
    return np.concatenate(parts)
