"""People: the images of some probes, and whom they were taken for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Child, Html, tag
from gaitkit.reporting.page.images import GeiFile, grey_image, true_image
from gaitkit.translators.aim import USUAL_TARGET

__all__ = ["Chosen", "choose_probes", "people_section", "probe_of", "shown_gallery"]

_MOST_STRIPS = 6


class Chosen(NamedTuple):
    """One probe to show: which, from which set, and why."""

    key: SequenceKey
    probe_set: str
    why: str


@dataclass(frozen=True)
class _Candidates:
    """The searches of one probe set against one gallery view."""

    rows: NDArray[np.intp]
    rank: NDArray[np.int64]
    distance: NDArray[np.float64]
    excess: NDArray[np.float64]


def choose_probes(result: EvaluationResult, people: Sequence[str] = ()) -> list[Chosen]:
    """Probes that show the range of outcomes, or those of certain people.

    Against the gallery view next to 90°, from other views: of each probe set the hit with the
    smallest distance, a middling hit, the miss that was closest to right and the one that was
    furthest. Each of another person where there are enough.

    Parameters
    ----------
    result : EvaluationResult
        By which to choose.
    people : sequence of str
        Their middling probe of each set instead.

    Returns
    -------
    list of Chosen

    Raises
    ------
    OptionError
        A person is not among those searched.
    """
    labels, probe_rows = result.labels, result.matches.probe_rows
    searched = sorted(set(labels.subject[probe_rows].tolist()))
    for name in people:
        if name not in searched:
            raise OptionError(
                f"There are no probes of {name!r}.",
                hint=f"The people searched are {searched[0]} to {searched[-1]}.",
            )
    chosen: list[Chosen] = []
    taken: set[str] = set()
    for probe_set, member in result.split.probes.items():
        found = _candidates(result, member)
        subjects = labels.subject[probe_rows[found.rows]].astype(str)
        if people:
            picks = [
                (f"a middling probe of {name}", _middle(found, np.flatnonzero(subjects == name)))
                for name in people
            ]
        else:
            picks = _range_of_outcomes(found)
        for why, order in picks:
            fresh = [at for at in order if subjects[at] not in taken or people]
            if not order:
                continue
            at = fresh[0] if fresh else order[0]
            taken.add(subjects[at])
            chosen.append(Chosen(labels.key(int(probe_rows[found.rows[at]])), probe_set, why))
    return chosen


def _candidates(result: EvaluationResult, member: NDArray[np.bool_]) -> _Candidates:
    matches = result.matches
    column = shown_gallery(result)
    other_view = matches.probe_views != matches.gallery_views[column]
    if len(matches.gallery_views) == 1 and not other_view.any():
        other_view = np.ones_like(other_view)
    rows = np.flatnonzero(
        member[matches.probe_rows] & other_view & (matches.nearest_row[:, column] >= 0)
    )
    distance = matches.distance[rows, column]
    excess = matches.mate_distance[rows, column] / np.where(distance > 0, distance, np.nan)
    return _Candidates(rows, matches.rank[rows, column], distance, excess)


def shown_gallery(result: EvaluationResult) -> int:
    """The gallery view next to 90°, as an index."""
    return int(np.abs(result.gallery_views - USUAL_TARGET[0]).argmin())


def probe_of(result: EvaluationResult, key: SequenceKey) -> int:
    """Where a probe stands in the result's matches."""
    return [result.labels.key(int(row)) for row in result.matches.probe_rows].index(key)


def _range_of_outcomes(found: _Candidates) -> list[tuple[str, list[int]]]:
    right = np.flatnonzero(found.rank == 1)
    wrong = np.flatnonzero(found.rank > 1)
    return [
        ("the clearest hit", _ordered(right, found.distance[right])),
        ("a middling hit", _middle(found, right)),
        ("the closest miss", _ordered(wrong, found.excess[wrong])),
        ("the furthest miss", _ordered(wrong, -found.rank[wrong])),
    ]


def _ordered(rows: NDArray[np.intp], by: NDArray[np.float64] | NDArray[np.int64]) -> list[int]:
    order: list[int] = rows[np.argsort(by, kind="stable")].tolist()
    return order


def _middle(found: _Candidates, rows: NDArray[np.intp]) -> list[int]:
    """From the middle of the order of distance outwards."""
    order = _ordered(rows, found.distance[rows])
    places = sorted(range(len(order)), key=lambda place: abs(2 * place - len(order) + 1))
    return [order[place] for place in places]


def people_section(
    entries: Sequence[Entry], files: Sequence[GeiFile], people: Sequence[str] = ()
) -> Html | None:
    """Cards of chosen probes; `None` where there are no images or no neighbours to show."""
    shown = [
        (entry, file)
        for entry in entries
        if entry.result.matches.neighbours is not None
        for file in files
        if file.ref in entry.file.inputs
    ]
    if not shown:
        return None
    # So many strips of pictures that nobody looks at them: one for each file of results.
    brief = len(shown) > _MOST_STRIPS
    if brief:
        firsts = {id(entry.file): entry for entry, _ in reversed(shown)}
        shown = [(entry, file) for entry, file in shown if firsts[id(entry.file)] is entry]
    first = shown[0][0].result
    chosen = choose_probes(first, people)
    cards = [_card(pick, shown, files) for pick in chosen]
    gallery = format_view(float(first.gallery_views[shown_gallery(first)]))
    return tag(
        "section",
        tag("h2", "People"),
        tag(
            "p",
            f"Probes searched in the gallery of view {gallery}°, and the five nearest rows of it. "
            "A green frame and ✓: the right person; red and ✗: somebody else. "
            f"Chosen by {shown[0][0].title}. {'Of each file, its first result.' if brief else ''}",
        ),
        tag("div", cards, class_="people"),
        id="people",
    )


def _card(
    pick: Chosen, shown: Sequence[tuple[Entry, GeiFile]], files: Sequence[GeiFile]
) -> Html | None:
    key = pick.key
    own: list[Child] = []
    # Of several translators, another section shows what each makes of it.
    several = sum(file.translation is not None for file in files) > 1
    for file in files:
        image = file.image(key)
        if image is not None and not (several and file.translation):
            own.append(_picture(image, file.title, f"{file.title} GEI of {key}"))
    truth = true_image(key, files, *USUAL_TARGET)
    if truth is not None:
        own.append(_picture(truth, "true 90°, normal", f"true 90° normal GEI of {key.subject}"))
    rows = [_neighbours(key, entry, file) for entry, file in shown]
    return tag(
        "article",
        tag("h3", f"{key.subject} {sequence_name(key.condition, key.take)} {_view(key)}"),
        tag("div", f"{pick.probe_set}: {pick.why}", class_="soft"),
        tag("div", own, class_="strip own"),
        rows,
        class_="person",
    )


def _neighbours(key: SequenceKey, entry: Entry, file: GeiFile) -> list[Html]:
    result, matches = entry.result, entry.result.matches
    assert matches.neighbours is not None
    assert matches.neighbour_distances is not None
    probe = probe_of(result, key)
    column = shown_gallery(result)
    pictures = []
    for place, (row, distance) in enumerate(
        zip(
            matches.neighbours[probe, column].tolist(),
            matches.neighbour_distances[probe, column].tolist(),
            strict=True,
        ),
        start=1,
    ):
        if row < 0:
            continue
        other = result.labels.key(row)
        right = other.subject == key.subject
        mark, word = ("✓", "right") if right else ("✗", "wrong")
        take = sequence_name(other.condition, other.take)
        name = tag("b", f"{mark} {other.subject}", class_=word)
        caption = [name, tag("br"), take, tag("br"), f"{distance:.4g}"]
        image = file.image(other)
        if image is not None:
            alt = f"{place}. nearest, {word}: {other.subject} {take}, distance {distance:.4g}"
            pictures.append(_picture(image, caption, alt, word))
    rank = int(matches.rank[probe, column])
    place_text = f"true person at rank {rank}" if rank else "true person not enrolled"
    which = f", {file.title}" if len(entry.file.inputs) > 1 else ""
    heading = tag("div", f"{entry.title}{which}: {place_text}", class_="soft")
    return [heading, tag("div", pictures, class_="strip")]


def _picture(
    image: NDArray[np.uint8], caption: Child | Iterable[Child], alt: str, mark: str | None = None
) -> Html:
    return tag("figure", grey_image(image, alt), tag("figcaption", caption), class_=mark)


def _view(key: SequenceKey) -> str:
    return f"{format_view(key.view)}°"
