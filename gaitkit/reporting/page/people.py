"""People: the images of some probes, whom they were taken for, and how translators show them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.identification.crossview import different_views
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.words import condition_word
from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.reporting.page.inputs import Entry, GeiFile, images_behind, true_image
from gaitkit.translators.aim import USUAL_TARGET

__all__ = [
    "Card",
    "Chosen",
    "Mark",
    "Pair",
    "People",
    "Person",
    "Picture",
    "Shown",
    "SideBySide",
    "Strip",
    "choose_probes",
    "example_pairs",
    "people_cards",
    "side_by_side",
]

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
    column = _shown_gallery(result)
    other_view = different_views(matches.probe_views, matches.gallery_views[column])
    if len(matches.gallery_views) == 1 and (result.over == "all pairs" or not other_view.any()):
        other_view = np.ones_like(other_view)
    rows = np.flatnonzero(
        member[matches.probe_rows] & other_view & (matches.nearest_row[:, column] >= 0)
    )
    distance = matches.distance[rows, column]
    excess = matches.mate_distance[rows, column] / np.where(distance > 0, distance, np.nan)
    return _Candidates(rows, matches.rank[rows, column], distance, excess)


def _shown_gallery(result: EvaluationResult) -> int:
    """The gallery view next to 90°, as an index."""
    return int(np.abs(result.gallery_views - USUAL_TARGET[0]).argmin())


def _probe_of(result: EvaluationResult, key: SequenceKey) -> int:
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


class Picture(NamedTuple):
    """An inline picture: data URL, what it shows for those who do not see it, and pixels."""

    source: str
    alt: str
    width: int
    height: int


def _picture(image: NDArray[np.uint8], alt: str) -> Picture:
    """A picture of grey values, shape (height, width)."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image).save(out, format="PNG", optimize=True)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    height, width = image.shape
    return Picture(f"data:image/png;base64,{data}", alt, width, height)


class Shown(NamedTuple):
    """A picture with lines below it; `mark` is ``right`` or ``wrong`` where it is a neighbour."""

    picture: Picture
    lines: list[str]
    mark: str = ""


class Strip(NamedTuple):
    """Pictures in a row, and what stands above them."""

    heading: str
    pictures: list[Shown]


class Card(NamedTuple):
    """One probe: its name, why it is shown, its own images, and its neighbours by each result."""

    name: str
    why: str
    own: list[Shown]
    strips: list[Strip]


class People(NamedTuple):
    """Cards of chosen probes; `brief` where they show only the first result of each file."""

    gallery: str
    chosen_by: str
    brief: bool
    cards: list[Card]


def people_cards(
    entries: Sequence[Entry], files: Sequence[GeiFile], people: Sequence[str] = ()
) -> People | None:
    """Cards of chosen probes; `None` where there are no images or no neighbours to show.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    files : sequence of GeiFile
        The images.
    people : sequence of str
        As in `choose_probes`.
    """
    shown = _with_images(entries, files)
    if not shown:
        return None
    # So many strips of pictures that nobody looks at them: one for each file of results.
    brief = len(shown) > _MOST_STRIPS
    if brief:
        firsts = {id(entry.file): entry for entry, _ in reversed(shown)}
        shown = [(entry, file) for entry, file in shown if firsts[id(entry.file)] is entry]
    first = shown[0][0]
    chosen = choose_probes(first.result, people)
    cards = [_card(pick, shown, files) for pick in chosen]
    return People(_gallery_name(first.result), first.title, brief, cards)


def _with_images(entries: Sequence[Entry], files: Sequence[GeiFile]) -> list[tuple[Entry, GeiFile]]:
    """Results whose nearest rows are known, each with images that it was made from."""
    return [
        (entry, file)
        for entry in entries
        if entry.result.matches.neighbours is not None
        for file in files
        # An embedding has no pictures; the images that it was made of have.
        if file.ref in (*entry.file.inputs, *images_behind(entry.file))
    ]


def _gallery_name(result: EvaluationResult) -> str:
    view = float(result.gallery_views[_shown_gallery(result)])
    return "all views" if isnan(view) else f"view {format_view(view)}°"


def _card(pick: Chosen, shown: Sequence[tuple[Entry, GeiFile]], files: Sequence[GeiFile]) -> Card:
    key = pick.key
    own = []
    # Of several translators, another section shows what each makes of it.
    several = sum(file.translation is not None for file in files) > 1
    for file in files:
        image = file.image(key)
        if image is not None and not (several and file.translation):
            own.append(Shown(_picture(image, f"{file.title} GEI of {key}"), [file.title]))
    truth = true_image(key, files, *USUAL_TARGET)
    if truth is not None:
        picture = _picture(truth, f"true 90° normal GEI of {key.subject}")
        own.append(Shown(picture, ["true 90°, normal"]))
    strips = [_neighbours(key, entry, file) for entry, file in shown]
    word = condition_word(shown[0][0].result, pick.probe_set)
    return Card(_walk(key), f"{word}: {pick.why}", own, strips)


def _walk(key: SequenceKey) -> str:
    return f"{key.subject} {sequence_name(key.condition, key.take)}" + (
        "" if key.view is None else f" {format_view(key.view)}°"
    )


def _neighbours(key: SequenceKey, entry: Entry, file: GeiFile) -> Strip:
    result, matches = entry.result, entry.result.matches
    assert matches.neighbours is not None
    assert matches.neighbour_distances is not None
    probe = _probe_of(result, key)
    column = _shown_gallery(result)
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
        image = file.image(other)
        if image is None:
            continue
        sign, word = ("✓", "right") if other.subject == key.subject else ("✗", "wrong")
        take = sequence_name(other.condition, other.take)
        alt = f"{place}. nearest, {word}: {other.subject} {take}, distance {distance:.4g}"
        lines = [f"{sign} {other.subject}", take, f"{distance:.4g}"]
        pictures.append(Shown(_picture(image, alt), lines, word))
    rank = int(matches.rank[probe, column])
    place_text = f"true person at rank {rank}" if rank else "true person not enrolled"
    which = f", {file.title}" if len(entry.file.inputs) > 1 else ""
    return Strip(f"{entry.title}{which}: {place_text}", pictures)


class Pair(NamedTuple):
    """A walk, the enrolled one that is nearest to it, and what that means."""

    said: str
    pictures: list[Shown]


def example_pairs(entries: Sequence[Entry], files: Sequence[GeiFile]) -> list[Pair]:
    """A walk that is given the right name and one that is not; none without images.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results; the walks are chosen by the first one with images.
    files : sequence of GeiFile
        The images.
    """
    shown = _with_images(entries, files)
    if not shown:
        return []
    entry, file = shown[0]
    chosen = [pick for pick in choose_probes(entry.result) if file.image(pick.key) is not None]
    kinds = (("a middling hit", "given the right name"), ("the closest miss", "given a wrong name"))
    # Another result may name the same walks otherwise.
    by = f" by {entry.title}" if len(entries) > 1 else ""
    pairs = []
    for why, said in kinds:
        pick = next((pick for pick in chosen if pick.why == why), None)
        near = [] if pick is None else _neighbours(pick.key, entry, file).pictures[:1]
        if pick is None or not near:
            continue
        image = file.image(pick.key)
        assert image is not None
        name, take, _ = near[0].lines
        words = [
            pick.key.subject,
            f"seen: {_walk(pick.key).removeprefix(pick.key.subject).strip()}",
        ]
        probe = Shown(_picture(image, f"GEI of {pick.key}"), words)
        # Without its distance, which says nothing to whom this is for.
        pictures = [probe, near[0]._replace(lines=[name, f"nearest: {take}"])]
        pairs.append(Pair(said + by, pictures))
    return pairs


class Mark(NamedTuple):
    """What a result says of a probe, and ``right`` or ``wrong``."""

    text: str
    word: str


class SideCell(NamedTuple):
    """A probe by one artefact; `picture` is `None` where the artefact lacks it."""

    picture: Picture | None
    marks: list[Mark]


class Person(NamedTuple):
    """One probe: its name, why it is shown, and a cell for each column."""

    name: str
    why: str
    cells: list[SideCell]


class SideBySide(NamedTuple):
    """Chosen probes as every artefact shows them, and the person's true GEIs at the end."""

    columns: list[str]
    people: list[Person]
    gallery: str
    chosen_by: str


def side_by_side(
    entries: Sequence[Entry], files: Sequence[GeiFile], people: Sequence[str] = ()
) -> SideBySide | None:
    """Chosen probes as source, translations and truth.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results; the probes are chosen by the first one with images.
    files : sequence of GeiFile
        The images.
    people : sequence of str
        As in `choose_probes`.

    Returns
    -------
    SideBySide or None
        `None` without translated images that were evaluated.
    """
    evaluated = {ref for entry in entries for ref in entry.file.inputs}
    first = next((e for e in entries if {f.ref for f in files} & set(e.file.inputs)), None)
    if first is None or not any(f.translation and f.ref in evaluated for f in files):
        return None
    columns = sorted(files, key=lambda file: file.translation is not None)
    truths = _truths(files)
    sources = sum(file.translation is None for file in files)
    heads = ["source" if f.translation is None and sources == 1 else f.title for f in columns]
    shown = []
    for key, probe_set, why in choose_probes(first.result, people):
        cells = [
            _side_cell(file.image(key), f"{file.title}: {key}", _marks(key, file, entries))
            for file in columns
        ]
        cells += [
            _side_cell(true_image(key, files, *aim), f"{name}: {key}", [])
            for aim, name in truths.items()
        ]
        word = condition_word(first.result, probe_set)
        shown.append(Person(_walk(key), f"{word}: {why}", cells))
    names = [*heads, *truths.values()]
    return SideBySide(names, shown, _gallery_name(first.result), first.title)


def _truths(files: Sequence[GeiFile]) -> dict[tuple[float, str], str]:
    """What the translations are to show, and the heading of its truth."""
    aims = sorted({(f.translation.view, f.translation.condition) for f in files if f.translation})
    return {
        aim: "truth" if aim == USUAL_TARGET else f"truth, {format_view(aim[0])} {aim[1]}"
        for aim in aims
    }


def _side_cell(image: NDArray[np.uint8] | None, alt: str, marks: list[Mark]) -> SideCell:
    return SideCell(None if image is None else _picture(image, alt), marks)


def _marks(key: SequenceKey, file: GeiFile, entries: Sequence[Entry]) -> list[Mark]:
    """What each result that was made from these images alone says of the probe."""
    marks = []
    for entry in entries:
        if list(entry.file.inputs) != [file.ref]:
            continue
        matches = entry.result.matches
        probe = _probe_of(entry.result, key)
        rank = int(matches.rank[probe, _shown_gallery(entry.result)])
        text = "✓" if rank == 1 else f"✗ {rank}" if rank else "✗"
        marks.append(Mark(f"{entry.key} {text}", "right" if rank == 1 else "wrong"))
    return marks
