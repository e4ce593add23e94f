"""All figures of one probe set: closed set, verification, open set, failures, with intervals.

Every rate here is in per cent; operating points (the keys ``0.01`` and ``0.001``) are shares, as
one says "FNMR at FMR 1e-2". Unless a name begins with ``pooled_``, a rate is computed in each cell
(gallery view × probe view) of the protocol's headline and then averaged over the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaitkit.dropped import DroppedRow
from gaitkit.identification.comparison_scores import Scores
from gaitkit.identification.crossview import (
    ViewMatches,
    headline_cells,
    in_views,
    view_columns,
)
from gaitkit.identification.figures.bootstrap import DRAWS, NOTHING, Interval, draw_people
from gaitkit.identification.figures.closed_set import FIGURES, Outcomes, closed_set
from gaitkit.identification.figures.open_set import OpenSet, open_set, open_set_searches
from gaitkit.identification.figures.verification import PairDraws, Verification, verification
from gaitkit.labels import Labels
from gaitkit.protocols import Protocol, Split

__all__ = [
    "Failures",
    "Figure",
    "Numbers",
    "all_numbers",
    "failed_probes",
    "figures_of",
    "outcomes_of",
    "searched_people",
]


@dataclass(frozen=True)
class Failures:
    """Failures to acquire: probe sequences that were dropped before matching.

    Attributes
    ----------
    count : int
        Dropped sequences of the probe set.
    of : int
        All sequences of the probe set, the dropped ones included.
    counted : bool
        Whether they count as errors in the identification rates.
    """

    count: int
    of: int
    counted: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Numbers:
    """The figures of one probe set; rates in per cent, NaN where they cannot be computed.

    Attributes
    ----------
    rank1, rank5, rank10 : Interval
        Identification rate at that rank: the protocol's headline mean over the cells.
    mean_ap : Interval
        Mean average precision: each probe ranks the *rows* of the gallery view, those of its own
        person are relevant; mean over the probes of a cell, then over the cells. (OpenGait's
        column mAP belongs to another protocol.)
    pooled_rank1, pooled_rank5, pooled_rank10, pooled_mean_ap : float
        Over all searches of these cells alike, so that full cells weigh more.
    cmc, pooled_cmc : ndarray of float64, shape (n,)
        Cumulative match characteristic: identification rate at ranks 1 to n, n the most people
        enrolled at one view.
    verification : Verification or None
        `None` where there are no genuine or no impostor comparisons, or too many to keep.
    open_set : OpenSet or None
        `None` with fewer than four people in the gallery, or too many comparisons to keep.
    failures_to_acquire : Failures
        Dropped probes.
    more : mapping of str to Interval
        Further headline figures: ``rank20`` and the like, as the protocol asks, and ``mean_inp``,
        the mean inverse negative penalty (see `inverse_negative_penalty` in `rates`).
    """

    rank1: Interval
    rank5: Interval
    rank10: Interval
    mean_ap: Interval
    pooled_rank1: float
    pooled_rank5: float
    pooled_rank10: float
    pooled_mean_ap: float
    cmc: NDArray[np.float64]
    pooled_cmc: NDArray[np.float64]
    verification: Verification | None
    open_set: OpenSet | None
    failures_to_acquire: Failures
    more: Mapping[str, Interval] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<Numbers: per cent, rank-1 {self.rank1.estimate:.1f}, rank-5 "
            f"{self.rank5.estimate:.1f}, mean average precision {self.mean_ap.estimate:.1f}>"
        )


def failed_probes(
    split: Split, dropped: list[DroppedRow], labels: Labels, views: NDArray[np.float64]
) -> dict[str, Labels]:
    """Failures to acquire: probes that were dropped before matching.

    Parameters
    ----------
    split : Split
        Whose protocol says what a probe is.
    dropped : list of DroppedRow
        What the stages before left out; duplicates and single frames are no failures.
    labels : Labels
        What is there: a sequence that is, did not fail.
    views : ndarray of float64
        Probe views that are evaluated.

    Returns
    -------
    dict of str to Labels
        Key columns of the failed probes of each probe set.
    """
    there = set(labels.keys())
    keys = {row.key for row in dropped if row.sequence_failed} - there
    failed = Labels.from_keys(sorted(keys, key=lambda key: key.order))
    tested = np.array([_is_tested(split, name) for name in failed.subject], dtype=bool)
    tested &= in_views(failed.view, views)
    return {
        probe.name: failed.select(
            tested & np.logical_or.reduce([walks.mask(failed) for walks in probe.walks])
        )
        for probe in split.protocol.probes
    }


def _is_tested(split: Split, subject: str) -> bool:
    test = split.protocol.test
    if subject in split.subjects.test:
        return True
    # Somebody of whom nothing is left; halves cannot say on which side they would be.
    return not isinstance(test, str) and any(subject in people for people in test)


def searched_people(
    matches: ViewMatches, labels: Labels, failed: Mapping[str, Labels]
) -> list[str]:
    """Everybody who is searched, or would have been, sorted: those whom the bootstrap redraws."""
    names = set(labels.subject[matches.probe_rows].tolist())
    return sorted(names.union(*(item.subjects() for item in failed.values())))


def outcomes_of(
    matches: ViewMatches,
    probe: NDArray[np.bool_],
    labels: Labels,
    probe_views: NDArray[np.float64],
    protocol: Protocol,
    people: list[str],
    failed: Labels | None = None,
) -> Outcomes:
    """The searches of one probe set.

    Parameters
    ----------
    matches : ViewMatches
        All outcomes.
    probe : ndarray of bool, shape (n,)
        Rows of the artefact that belong to the set.
    labels : Labels
        Key columns of the artefact.
    probe_views : ndarray of float64, shape (v,)
        Columns of the table.
    protocol : Protocol
        Says whether identical views count.
    people : list of str
        From `searched_people`.
    failed : Labels, optional
        Failures to acquire that count as errors.

    Returns
    -------
    Outcomes
    """
    member = probe[matches.probe_rows]
    subjects = labels.subject[matches.probe_rows[member]].tolist()
    views = matches.probe_views[member]
    searched = np.asarray(matches.nearest_row[member] >= 0)
    rank = matches.rank[member]
    precision = matches.average_precision
    precision = np.full(rank.shape, np.nan) if precision is None else precision[member]
    penalty = matches.inverse_negative_penalty
    penalty = None if penalty is None else penalty[member]
    if failed is not None and len(failed):
        subjects += failed.subject.tolist()
        views = np.concatenate([views, failed.view])
        galleries = np.asarray((matches.nearest_row >= 0).any(axis=0))
        shape = (len(failed), len(matches.gallery_views))
        searched = np.concatenate([searched, np.broadcast_to(galleries, shape)])
        rank = np.concatenate([rank, np.zeros(shape, dtype=np.int64)])
        precision = np.concatenate([precision, np.zeros(shape)])
        penalty = None if penalty is None else np.concatenate([penalty, np.zeros(shape)])
    return Outcomes(
        person=np.searchsorted(np.array(people, dtype=str), np.array(subjects, dtype=str)),
        view=view_columns(probe_views, views),
        searched=searched,
        rank=rank,
        average_precision=precision,
        inverse_negative_penalty=penalty,
        cells=headline_cells(
            matches.gallery_views, probe_views, identical_view=protocol.identical_view
        ),
    )


def all_numbers(
    matches: ViewMatches,
    scores: Scores,
    split: Split,
    labels: Labels,
    probe_views: NDArray[np.float64],
    failed: Mapping[str, Labels],
    *,
    count_failures: bool = False,
    rounding: str = "none",
    ranked: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Numbers]:
    """All figures of every probe set.

    Parameters
    ----------
    matches : ViewMatches
        Outcomes of all probes, with average precision.
    scores : Scores
        Comparisons of the same probes.
    split : Split
        The protocol and its rows.
    labels : Labels
        Key columns of the artefact.
    probe_views : ndarray of float64, shape (v,)
        Columns of the tables.
    failed : mapping of str to Labels
        From `failed_probes`.
    count_failures : bool
        Count them as errors in the identification rates. Error rates of comparisons (FMR, FNMR,
        EER) and open-set rates are about samples that there are, and leave them out.
    rounding : {"none", "opengait"}
        Of the cells behind the identification rates.
    ranked : int, optional
        Length of the CMC; by default the most people at one view.
    draws, seed : int
        Of the bootstrap, and of the folds of the open set.

    Returns
    -------
    dict of str to Numbers
    """
    everybody = np.union1d(scores.people, scores.probe_people)
    pairs = PairDraws(everybody, draws=draws, seed=seed)
    searches = open_set_searches(scores, seed=seed)
    people = searched_people(matches, labels, failed if count_failures else {})
    drawn = draw_people(max(1, len(people)), draws=draws, seed=seed)
    view = view_columns(probe_views, matches.probe_views)
    person = np.searchsorted(
        np.array(people, dtype=str), labels.subject[matches.probe_rows].astype(str)
    )
    cells = headline_cells(
        matches.gallery_views, probe_views, identical_view=split.protocol.identical_view
    )
    further = [f"rank{rank}" for rank in split.protocol.ranks]
    more = [name for name in further if name not in FIGURES] + ["mean_inp"]
    numbers = {}
    for name, probe in split.probes.items():
        member = probe[matches.probe_rows]
        lost = failed[name] if count_failures else None
        outcomes = outcomes_of(matches, probe, labels, probe_views, split.protocol, people, lost)
        closed = closed_set(
            outcomes,
            drawn,
            enrolled=scores.enrolled if ranked is None else ranked,
            rounding=rounding,
            more=more,
        )
        numbers[name] = Numbers(
            rank1=closed.headline["rank1"],
            rank5=closed.headline["rank5"],
            rank10=closed.headline["rank10"],
            mean_ap=closed.headline["mean_ap"],
            pooled_rank1=closed.pooled["rank1"],
            pooled_rank5=closed.pooled["rank5"],
            pooled_rank10=closed.pooled["rank10"],
            pooled_mean_ap=closed.pooled["mean_ap"],
            cmc=closed.cmc,
            pooled_cmc=closed.pooled_cmc,
            verification=verification(scores, member, view, cells, pairs),
            open_set=(
                None if searches is None else open_set(searches, member, person, view, cells, drawn)
            ),
            failures_to_acquire=Failures(
                len(failed[name]), int(member.sum()) + len(failed[name]), count_failures
            ),
            more={name: closed.headline[name] for name in more},
        )
    return numbers


Figure = tuple[str, Callable[[Numbers], Interval], bool]
"""A label, how to find the figure, and whether a low one is good."""


def figures_of(numbers: Sequence[Numbers]) -> list[Figure]:
    """The figures that any of some numbers has, in the order in which to show them."""
    figures: list[Figure] = [
        ("rank-1", lambda item: item.rank1, False),
        ("rank-5", lambda item: item.rank5, False),
        ("rank-10", lambda item: item.rank10, False),
    ]
    more = dict.fromkeys(name for item in numbers for name in item.more)
    ranks = [name for name in more if name.startswith("rank")]
    figures += [(name.replace("rank", "rank-"), _more(name), False) for name in ranks]
    figures.append(("mAP", lambda item: item.mean_ap, False))
    if "mean_inp" in more:
        figures.append(("mINP", _more("mean_inp"), False))
    verifications = [item.verification for item in numbers if item.verification is not None]
    if verifications:
        figures.append(("EER", _eer, True))
        points = dict.fromkeys(point for item in verifications for point in item.fnmr_at)
        figures += [(f"FNMR at FMR {100 * point:g} %", _fnmr_at(point), True) for point in points]
    open_sets = [item.open_set for item in numbers if item.open_set is not None]
    points = dict.fromkeys(point for item in open_sets for point in item.tpir_at)
    figures += [(f"TPIR at FPIR {100 * point:g} %", _tpir_at(point), False) for point in points]
    return figures


def _more(name: str) -> Callable[[Numbers], Interval]:
    return lambda numbers: numbers.more.get(name, NOTHING)


def _eer(numbers: Numbers) -> Interval:
    return NOTHING if numbers.verification is None else numbers.verification.eer


def _fnmr_at(point: float) -> Callable[[Numbers], Interval]:
    def pick(numbers: Numbers) -> Interval:
        found = numbers.verification
        return NOTHING if found is None else found.fnmr_at.get(point, NOTHING)

    return pick


def _tpir_at(point: float) -> Callable[[Numbers], Interval]:
    def pick(numbers: Numbers) -> Interval:
        found = numbers.open_set
        return NOTHING if found is None else found.tpir_at.get(point, NOTHING)

    return pick
