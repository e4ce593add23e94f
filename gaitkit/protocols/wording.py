"""How people, walks and views are named in messages about protocols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gaitkit.labels import Labels, format_view, sequence_name
from gaitkit.protocols.model import SubjectRange

__all__ = ["describe_labels", "listed", "people_text"]


def describe_labels(labels: Labels) -> str:
    """What the rows hold, in one phrase: subjects, walks with their takes, views."""
    subjects = labels.subjects()
    walks = []
    for condition in labels.conditions():
        takes = np.unique(labels.take[labels.condition == condition]).tolist()
        walks.append(_takes_text(condition, takes))
    views = [format_view(view) for view in labels.views()]
    unknown = int(np.isnan(labels.view).sum())
    parts = [f"{_count(len(subjects), 'subject')} ({listed(subjects, ends=True)})"]
    parts.append(f"the walks {', '.join(walks)}" if walks else "no walks")
    parts.append(f"{_count(len(views), 'view')} ({', '.join(views)})" if views else "no known view")
    if unknown:
        parts.append(f"{_count(unknown, 'sequence')} of unknown view")
    return "; ".join(parts)


def _takes_text(condition: str, takes: list[int]) -> str:
    first, last = takes[0], takes[-1]
    if len(takes) > 2 and takes == list(range(first, last + 1)):
        return f"{sequence_name(condition, first)} to {sequence_name(condition, last)}"
    return ", ".join(sequence_name(condition, take) for take in takes)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], *, ends: bool = False) -> str:
    """Some names: all of a few, else the first five, or the first and the last."""
    if len(names) <= 6 and not (ends and len(names) > 3):
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}" if ends else f"{', '.join(names[:5])}, …"


def people_text(people: tuple[SubjectRange, ...] | str) -> str:
    """Subjects as a protocol gives them."""
    return people if isinstance(people, str) else ", ".join(map(str, people))
