"""The whole page: sections in order, style and script inside, written in one go."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from gaitkit.artifacts import free_to_write
from gaitkit.aside import written_aside
from gaitkit.reporting.page.angles import angle_section
from gaitkit.reporting.page.curves import curves_section
from gaitkit.reporting.page.entries import Entry, read_entries
from gaitkit.reporting.page.headline import figures_section, headline_section
from gaitkit.reporting.page.html import Html, data_block, tag
from gaitkit.reporting.page.images import GeiFile, read_geis
from gaitkit.reporting.page.matrices import matrix_table, outcomes
from gaitkit.reporting.page.mistakes import mistakes_section
from gaitkit.reporting.page.people import people_section
from gaitkit.reporting.page.provenance import dropped_section, provenance_section
from gaitkit.reporting.page.side_by_side import side_by_side_section

__all__ = ["page", "write_report"]


def write_report(
    results: Sequence[Path],
    output: Path,
    *,
    geis: Sequence[Path] = (),
    people: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write one self-contained HTML page about some results.

    Parameters
    ----------
    results : sequence of Path
        `identification` artefacts of one protocol and the same sequences.
    output : Path
        The page.
    geis : sequence of Path
        GEI artefacts behind the results, for the pictures of people.
    people : sequence of str
        Whom to show; by default a range of outcomes.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    ArtifactError
        A file cannot be used, or the results cannot stand side by side.
    OptionError
        There are no images to show `people` with, or one of them was not searched.
    OutputError
        The page exists or cannot be written.
    """
    free_to_write(output, overwrite=overwrite)
    entries = read_entries(results)
    text = page(entries, read_geis(geis, entries), people)
    with written_aside(output) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def page(entries: Sequence[Entry], geis: Sequence[GeiFile] = (), people: Sequence[str] = ()) -> str:
    """The page as text; equal results give equal bytes.

    Parameters
    ----------
    entries : sequence of Entry
        At least one result.
    geis, people
        As in `people_section`.
    """
    first = entries[0].result
    sections = [
        headline_section(entries),
        _matrices_section(entries),
        angle_section(entries),
        figures_section(entries),
        curves_section(entries),
        side_by_side_section(entries, geis, people),
        people_section(entries, geis, people),
        mistakes_section(entries),
        dropped_section(entries),
        provenance_section(entries, geis),
    ]
    title = f"Gait identification: {first.dataset}"
    enrolled = len(set(first.labels.subject[first.split.gallery].tolist()))
    protocol = first.protocol
    header = tag(
        "header",
        tag("h1", title),
        tag(
            "p",
            f"Protocol {protocol.name}: {protocol.description}. {enrolled} people enrolled, one "
            "gallery view at a time. A probe whose person is not enrolled at that view counts as "
            "an error.",
        ),
        _navigation(sections),
    )
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    # The browser itself holds the page to its promise: nothing is loaded, no other script runs.
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
    }
    policy = "; ".join(f"{what} {allowed}" for what, allowed in rules.items())
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        header,
        tag("main", sections),
        data_block("outcomes", outcomes(entries)),
        tag("script", Html(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _navigation(sections: Sequence[Html | None]) -> Html:
    places = {
        "headline": "Rank-1",
        "matrices": "Matrices",
        "angles": "Angles",
        "figures": "All figures",
        "curves": "Curves",
        "side-by-side": "Side by side",
        "people": "People",
        "mistakes": "Mistakes",
        "dropped": "Left out",
        "provenance": "Provenance",
    }
    links = [
        tag("li", tag("a", name, href=f"#{place}"))
        for place, name in places.items()
        if any(f'<section id="{place}">' in section for section in sections if section)
    ]
    return tag("nav", tag("ul", links))


def _matrices_section(entries: Sequence[Entry]) -> Html:
    groups = []
    for name in entries[0].result.tables:
        tables = [
            matrix_table(
                entry.result.tables[name],
                caption=f"{name} · {entry.title}",
                entry=index,
                probe_set=name,
            )
            for index, entry in enumerate(entries)
        ]
        groups.append(tag("div", tables, class_="grid"))
    return tag(
        "section",
        tag("h2", "Cross-view matrices"),
        tag(
            "p",
            "Rank-1 in per cent; gallery view down, probe view across. Dashed: equal views. "
            "Means are without them. ",
            tag("span", "Choose a cell to see its probes.", class_="screen"),
        ),
        groups,
        id="matrices",
    )


def _asset(name: str) -> str:
    return files("gaitkit.reporting.page").joinpath(name).read_text(encoding="utf-8")
