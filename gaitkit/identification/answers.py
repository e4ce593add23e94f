"""Whom each probe is taken for, as the sheet that a data set's server rates.

GREW publishes no names of its probes' people. Its sheet (and OpenGait's) has a line per probe,
``videoId,rank1,…,rank20``: the name of the sequence, and whom it shows, the likeliest first.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.gallery import nearest_people
from gaitkit.identification.metrics import Metric
from gaitkit.labels import Labels, format_view, sequence_name
from gaitkit.outputs import Output
from gaitkit.protocols import Split
from gaitkit.protocols.model import ANY
from gaitkit.protocols.splitting import walk_numbers

__all__ = ["PLACES", "answers_text", "write_answers"]

PLACES = 20
"""People listed for each probe."""


def answers_text(
    vectors: NDArray[Any], labels: Labels, split: Split, metric: Metric
) -> tuple[str, int]:
    """The sheet of all probes, in the order of their names.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features.
    labels : Labels
        Their key columns.
    split : Split
        Who is enrolled, who is searched; the probes of unknown people are among them.
    metric : Metric
        How distance is measured.

    Returns
    -------
    text : str
        CSV. Each person stands once in a line; places that a small gallery leaves are empty. Names
        that are numbers stand without leading zeros, as the servers expect them.
    probes : int
        How many lines.
    """
    asked = split.probe if split.nameless is None else split.probe | split.nameless
    gallery, probes = np.flatnonzero(split.gallery), np.flatnonzero(asked)
    people, whose = np.unique(labels.subject[gallery].astype(str), return_inverse=True)
    top = min(PLACES, len(people))
    apart = None
    if split.protocol.leave_one_out:
        walks = walk_numbers(labels)
        apart = walks[gallery], walks[probes]
    rows, _ = nearest_people(vectors[gallery], whose, vectors[probes], top, metric, apart=apart)
    lines = []
    videos = _videos(labels, probes, split)
    for video, found in zip(videos, rows.tolist(), strict=True):
        names = [_number(str(people[whose[row]])) for row in found if row >= 0]
        lines.append([video, *names, *[""] * (PLACES - len(names))])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["videoId", *(f"rank{place}" for place in range(1, PLACES + 1))])
    writer.writerows(sorted(lines))
    return text.getvalue(), len(lines)


def write_answers(
    sheet: Output, vectors: NDArray[Any], labels: Labels, split: Split, metric: Metric
) -> int:
    """Write the sheet of `answers_text`; the number of probes."""
    text, probes = answers_text(vectors, labels, split, metric)
    with sheet.writing() as file:
        file.write(text.encode())
    return probes


def _number(name: str) -> str:
    return str(int(name)) if name.isdecimal() and name.isascii() else name


def _videos(labels: Labels, rows: NDArray[np.int64], split: Split) -> list[str]:
    """What probes are called: the condition where every sequence has its own, else the key."""
    keys = [labels.key(row) for row in rows.tolist()]
    any_condition = any(w.condition == ANY for one in split.protocol.probes for w in one.walks)
    if any_condition and len({key.condition for key in keys}) == len(keys):
        return [key.condition for key in keys]
    names = [f"{key.subject}-{sequence_name(key.condition, key.take)}" for key in keys]
    if len(set(names)) == len(names):
        return names
    # Cameras that see one walk need names of their own: a sheet has a line for each probe.
    views = [None if key.view is None else format_view(key.view) for key in keys]
    return [
        name if view is None else f"{name}-{view}" for name, view in zip(names, views, strict=True)
    ]
