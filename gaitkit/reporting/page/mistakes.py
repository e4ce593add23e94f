"""Who is hard to identify, and who is taken for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.crossview import different_views
from gaitkit.identification.results import EvaluationResult
from gaitkit.reporting.page.inputs import Entry

__all__ = ["Confusion", "HardPerson", "Mistakes", "confusions", "mistakes", "subject_rates"]

_MOST = 10


def _counted(result: EvaluationResult) -> NDArray[np.bool_]:
    """Searches that the headline counts, shape (p, g)."""
    matches = result.matches
    searched = matches.nearest_row >= 0
    if result.over != "different views":
        return searched
    different = different_views(matches.probe_views[:, None], matches.gallery_views)
    return searched & different


def subject_rates(result: EvaluationResult) -> dict[str, dict[str, float]]:
    """Rank-1 of each tested person, per probe set, over the searches that the headline counts.

    Returns
    -------
    dict
        Subject to probe set to per cent; sets without a search of that person are left out.
    """
    matches, counted = result.matches, _counted(result)
    subjects = result.labels.subject[matches.probe_rows]
    rates: dict[str, dict[str, float]] = {}
    for name, member in result.split.probes.items():
        rows = member[matches.probe_rows]
        for subject in np.unique(subjects[rows].astype(str)).tolist():
            own = counted & (rows & (subjects == subject))[:, None]
            if own.any():
                rate = 100.0 * float(matches.correct[own].mean())
                rates.setdefault(subject, {})[name] = rate
    return rates


def confusions(result: EvaluationResult) -> list[tuple[str, str, int, int]]:
    """Who is taken for whom.

    Returns
    -------
    list of (str, str, int, int)
        True person, named person, how often, and the number of searches of the true one; most
        frequent first, then by name.
    """
    matches, counted = result.matches, _counted(result)
    subject = result.labels.subject
    true = np.broadcast_to(subject[matches.probe_rows][:, None], counted.shape)[counted]
    named = subject[matches.nearest_row[counted]]
    searches = Counter(true.tolist())
    pairs = Counter((a, b) for a, b in zip(true.tolist(), named.tolist(), strict=True) if a != b)
    rows = [(a, b, count, searches[a]) for (a, b), count in pairs.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


class HardPerson(NamedTuple):
    """A person's rank-1 per probe set, and the mean of these, per cent."""

    subject: str
    rates: list[str]
    mean: str


class Confusion(NamedTuple):
    """Who was taken for whom, how often, and in how many of a hundred searches."""

    person: str
    taken_for: str
    times: int
    per_cent: str


class Mistakes(NamedTuple):
    """The hardest of all people of one result, and the most frequent confusions.

    `entry` tells the page's script whose searches to show when a person is chosen.
    """

    title: str
    entry: int
    hardest: list[HardPerson]
    people: int
    confusions: list[Confusion]


def mistakes(entries: Sequence[Entry]) -> list[Mistakes]:
    """The mistakes of each result.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    found = []
    for index, entry in enumerate(entries):
        rates = subject_rates(entry.result)
        confused = [
            Confusion(true, named, count, f"{100.0 * count / searches:.1f}")
            for true, named, count, searches in confusions(entry.result)[:_MOST]
        ]
        hardest = _hardest(rates, list(entry.result.tables))
        found.append(Mistakes(entry.title, index, hardest, len(rates), confused))
    return found


def _hardest(rates: dict[str, dict[str, float]], sets: Sequence[str]) -> list[HardPerson]:
    mean = {subject: sum(own.values()) / len(own) for subject, own in rates.items()}
    order = sorted(mean, key=lambda subject: (mean[subject], subject))[:_MOST]
    return [
        HardPerson(
            subject,
            [f"{rates[subject][name]:.1f}" if name in rates[subject] else "–" for name in sets],
            f"{mean[subject]:.1f}",
        )
        for subject in order
    ]
