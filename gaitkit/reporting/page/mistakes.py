"""Who is hard to identify, and who is taken for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.results import EvaluationResult
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag

__all__ = ["confusions", "mistakes_section", "subject_rates"]

_MOST = 10


def _counted(result: EvaluationResult) -> NDArray[np.bool_]:
    """Searches that the headline counts, shape (p, g)."""
    matches = result.matches
    searched = matches.nearest_row >= 0
    if result.protocol.identical_view:
        return searched
    different: NDArray[np.bool_] = matches.probe_views[:, None] != matches.gallery_views
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


def mistakes_section(entries: Sequence[Entry]) -> Html:
    """The hardest people and the most frequent confusions, one fold per result."""
    folds = [
        tag(
            "details",
            tag("summary", entry.title),
            tag("div", _hardest(entry.result), _confused(entry.result), class_="grid"),
            open=index == 0,
        )
        for index, entry in enumerate(entries)
    ]
    which = "all views" if entries[0].result.protocol.identical_view else "different views"
    return tag(
        "section",
        tag("h2", "Hardest people and confusions"),
        tag("p", f"Over all searches between {which}."),
        folds,
        id="mistakes",
    )


def _hardest(result: EvaluationResult) -> Html:
    rates = subject_rates(result)
    sets = list(result.tables)
    mean = {subject: sum(own.values()) / len(own) for subject, own in rates.items()}
    order = sorted(mean, key=lambda subject: (mean[subject], subject))[:_MOST]
    rows = []
    for subject in order:
        bar = tag("span", tag("i"), class_="bar", style=f"--rate:{mean[subject]:.1f}%")
        cells = [
            tag("td", f"{rates[subject][name]:.1f}" if name in rates[subject] else "–")
            for name in sets
        ]
        rows.append(
            tag(
                "tr",
                tag("th", subject, scope="row"),
                cells,
                tag("td", f"{mean[subject]:.1f}"),
                tag("td", bar),
            )
        )
    head = ["person", *sets, "mean", ""]
    return tag(
        "table",
        tag("caption", f"Rank-1 per person, %: the {len(order)} lowest of {len(rates)}"),
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", rows),
        class_="plain hardest",
    )


def _confused(result: EvaluationResult) -> Html:
    rows = [
        tag(
            "tr",
            tag("th", true, scope="row"),
            tag("td", named, class_="text"),
            tag("td", str(count)),
            tag("td", f"{100.0 * count / searches:.1f}"),
        )
        for true, named, count, searches in confusions(result)[:_MOST]
    ]
    head = [
        tag("th", "person", scope="col"),
        tag("th", "taken for", scope="col", class_="text"),
        tag("th", "times", scope="col"),
        tag("th", "% of searches", scope="col"),
    ]
    return tag(
        "table",
        tag("caption", "Most frequent confusions" if rows else "No confusions"),
        tag("thead", tag("tr", head)),
        tag("tbody", rows),
        class_="plain confusions",
    )
