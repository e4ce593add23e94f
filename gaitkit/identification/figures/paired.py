"""The difference of two results of the same sequences, with its interval over people.

Both results are redrawn with the same people in each draw, so that what makes a person easy or hard
for both cancels: the interval of the difference is much narrower than the two intervals suggest.
"""

from __future__ import annotations

import numpy as np

from gaitkit.errors import MixtureError, OptionError
from gaitkit.identification.evaluation import EvaluationResult
from gaitkit.identification.figures.bootstrap import DRAWS, Interval, draw_people, interval
from gaitkit.identification.figures.closed_set import FIGURES, Outcomes, headline, headline_draws
from gaitkit.identification.figures.numbers import outcomes_of, searched_people
from gaitkit.printable import quoted

__all__ = ["check_comparable", "paired_difference"]


def check_comparable(one: EvaluationResult, other: EvaluationResult) -> None:
    """Refuse results that are not of the same searches.

    Raises
    ------
    MixtureError
        The protocols, the views, the sequences or the rules of counting differ.
    """
    names = f"{one.source} and {other.source}"
    reasons = [
        (one.dataset == other.dataset, f"data set {one.dataset} and {other.dataset}"),
        (
            one.protocol.as_parameters() == other.protocol.as_parameters(),
            f"protocol {one.protocol.name} and {other.protocol.name}",
        ),
        (
            np.array_equal(one.gallery_views, other.gallery_views, equal_nan=True)
            and np.array_equal(one.probe_views, other.probe_views, equal_nan=True),
            "other views",
        ),
        (_searched(one) == _searched(other), "other sequences"),
        (_counted(one) == _counted(other), "failures to acquire counted in one of them only"),
        (one.rank_by == other.rank_by, f"ranks of {one.rank_by} and of {other.rank_by}"),
        (one.rounding == other.rounding, f"rounding {one.rounding} and {other.rounding}"),
    ]
    different = next((text for equal, text in reasons if not equal), None)
    if different is not None:
        raise MixtureError(
            f"{names} cannot be compared in pairs: {different}.",
            hint="Evaluate both on the same sequences with the same protocol and options.",
        )


def paired_difference(
    one: EvaluationResult,
    other: EvaluationResult,
    probe_set: str,
    figure: str = "rank1",
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """How much better the second result is than the first.

    Parameters
    ----------
    one, other : EvaluationResult
        Of the same sequences, protocol and views.
    probe_set : str
        Name of the probe set.
    figure : {"rank1", "rank5", "rank10", "mean_ap"}
        What is compared.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    Interval
        Other minus one, in points of per cent: "translated beats raw by 12.3 points, 95 % interval
        9.8 to 14.9". It is beyond chance of the people where 0 lies outside; it does not contain
        the variance of training.

    Raises
    ------
    MixtureError
        The results are not of the same searches.
    OptionError
        There is no such probe set or figure.
    """
    check_comparable(one, other)
    if figure not in FIGURES or probe_set not in one.split.probes:
        raise OptionError(
            f"There is no figure {quoted(figure)} of a probe set {quoted(probe_set)}.",
            hint=f"Figures: {', '.join(FIGURES)}; probe sets: {', '.join(one.split.probes)}.",
        )
    people = searched_people(one.matches, one.labels, one.failed if _counted(one) else {})
    first, second = (_outcomes(result, probe_set, people) for result in (one, other))
    drawn = draw_people(max(1, len(people)), draws=draws, seed=seed)
    estimates = [
        headline(outcomes, figure, len(people), rounding=one.rounding)
        for outcomes in (first, second)
    ]
    difference = headline_draws(second, figure, drawn) - headline_draws(first, figure, drawn)
    return interval(estimates[1] - estimates[0], difference, len(np.unique(first.person)))


def _outcomes(result: EvaluationResult, probe_set: str, people: list[str]) -> Outcomes:
    return outcomes_of(
        result.matches,
        result.split.probes[probe_set],
        result.labels,
        result.probe_views,
        result.protocol,
        people,
        result.failed.get(probe_set) if _counted(result) else None,
    )


def _counted(result: EvaluationResult) -> bool:
    return any(item.failures_to_acquire.counted for item in result.numbers.values())


def _searched(result: EvaluationResult) -> list[tuple[object, ...]]:
    """Keys of the enrolled and of the searched sequences."""
    rows = [np.flatnonzero(result.split.gallery), result.matches.probe_rows]
    return [tuple(result.labels.select(item).keys()) for item in rows]
