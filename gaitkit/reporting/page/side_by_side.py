"""The same walks as every translator shows them: source, translations, truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Child, Html, tag
from gaitkit.reporting.page.images import GeiFile, grey_image, true_image
from gaitkit.reporting.page.people import choose_probes, probe_of, shown_gallery
from gaitkit.translators.aim import USUAL_TARGET

__all__ = ["side_by_side_section"]


def side_by_side_section(
    entries: Sequence[Entry], files: Sequence[GeiFile], people: Sequence[str] = ()
) -> Html | None:
    """A table of chosen probes: a column for each artefact, and the person's true GEI at the end.

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
    Html or None
        `None` without translated images that were evaluated.
    """
    evaluated = {ref for entry in entries for ref in entry.file.inputs}
    first = next((e for e in entries if {f.ref for f in files} & set(e.file.inputs)), None)
    if first is None or not any(f.translation and f.ref in evaluated for f in files):
        return None
    columns = sorted(files, key=lambda file: file.translation is not None)
    truths = _truths(files)
    sources = sum(file.translation is None for file in files)
    head = [
        *("source" if f.translation is None and sources == 1 else f.title for f in columns),
        *truths.values(),
    ]
    bodies = [
        _person(
            key,
            f"{probe_set}: {why}",
            [
                *(
                    _cell(file.image(key), file.title, key, _marks(key, file, entries))
                    for file in columns
                ),
                *(
                    _cell(true_image(key, files, *aim), name, key, None)
                    for aim, name in truths.items()
                ),
            ],
        )
        for key, probe_set, why in choose_probes(first.result, people)
    ]
    gallery = format_view(float(first.result.gallery_views[shown_gallery(first.result)]))
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        bodies,
        class_="side",
    )
    return tag(
        "section",
        tag("h2", "Side by side"),
        tag(
            "p",
            "The same probes as each system shows them; truth is another walk of the person, as "
            f"measured. Below each: by which result, in the gallery of view {gallery}°, the right "
            "person came first (✓) or somebody else did (✗, and the place of the right one). "
            f"Chosen by {first.title}.",
        ),
        table,
        id="side-by-side",
    )


def _truths(files: Sequence[GeiFile]) -> dict[tuple[float, str], str]:
    """What the translations are to show, and the heading of its truth."""
    aims = sorted({(f.translation.view, f.translation.condition) for f in files if f.translation})
    return {
        aim: "truth" if aim == USUAL_TARGET else f"truth, {format_view(aim[0])} {aim[1]}"
        for aim in aims
    }


def _person(key: SequenceKey, why: str, cells: Sequence[Html]) -> Html:
    name = f"{key.subject} {sequence_name(key.condition, key.take)} {format_view(key.view)}°"
    title = tag(
        "th", name, " ", tag("span", why, class_="soft"), scope="rowgroup", colspan=len(cells)
    )
    return tag("tbody", tag("tr", title), tag("tr", cells))


def _cell(image: NDArray[np.uint8] | None, name: str, key: SequenceKey, marks: Child) -> Html:
    if image is None:
        return tag("td", "–", marks)
    return tag("td", grey_image(image, f"{name}: {key}"), marks)


def _marks(key: SequenceKey, file: GeiFile, entries: Sequence[Entry]) -> list[Child]:
    """What each result that was made from these images alone says of the probe."""
    marks: list[Child] = []
    for entry in entries:
        if list(entry.file.inputs) != [file.ref]:
            continue
        matches = entry.result.matches
        probe = probe_of(entry.result, key)
        rank = int(matches.rank[probe, shown_gallery(entry.result)])
        word = "right" if rank == 1 else "wrong"
        text = "✓" if rank == 1 else f"✗ {rank}" if rank else "✗"
        marks += [tag("span", f"{entry.key} {text}", class_=word), " "]
    return marks
