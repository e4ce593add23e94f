"""The whole page: what its parts hold goes into the templates, and is written in one go."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date as Date
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gaitkit.errors import OptionError
from gaitkit.identification.words import condition_word, people_enrolled
from gaitkit.outputs import Output
from gaitkit.printable import counted, harmless, quoted
from gaitkit.reporting.page.curves import angle_charts, curves
from gaitkit.reporting.page.headline import all_figures, headline
from gaitkit.reporting.page.inputs import (
    Entry,
    GeiFile,
    ModelFile,
    read_entries,
    read_geis,
    read_models,
)
from gaitkit.reporting.page.matrices import camera_lines, matrices, outcomes
from gaitkit.reporting.page.mistakes import mistakes
from gaitkit.reporting.page.opening import opening
from gaitkit.reporting.page.people import people_cards, side_by_side
from gaitkit.reporting.page.pictures import too_many
from gaitkit.reporting.page.provenance import left_out, provenance
from gaitkit.reporting.page.steps import WriteStep, python_call, steps, written_steps

__all__ = ["page", "write_report"]

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def write_report(
    results: Sequence[str | Path],
    output: str | Path,
    *,
    geis: Sequence[str | Path] = (),
    models: Sequence[str | Path] = (),
    people: Sequence[str] = (),
    labels: Sequence[str] = (),
    date: str | None = None,
    overwrite: bool = False,
    write_step: WriteStep = python_call,
) -> None:
    """Write one self-contained HTML page about some results.

    Parameters
    ----------
    results : sequence of str or Path
        `identification` artefacts of one protocol and the same sequences.
    output : str or Path
        The page.
    geis : sequence of str or Path
        GEI artefacts behind the results, for the pictures of people.
    models : sequence of str or Path
        Translators behind the results: the page then tells their training in full.
    people : sequence of str
        Whom to show; by default a range of outcomes.
    labels : sequence of str
        What to call the results: one for each, or one for each file.
    date : str, optional
        What the page is dated with, such as ``2026-11-27``. Without it there is none: equal
        results give equal bytes.
    overwrite : bool
        Replace another file of that name; an equal page is left in any case.
    write_step : callable
        Writes down one of the steps that make the results again; by default as a call in Python.
        See `gaitkit.reporting.page.steps`.

    Raises
    ------
    ArtifactError
        A file cannot be used, or the results cannot stand side by side.
    OptionError
        There are no images to show `people` with, one of them was not searched, the `labels` are
        of another number than the results, or the `date` is none.
    OutputError
        The page exists or cannot be written.
    """
    claim = Output(
        output,
        overwrite=overwrite,
        inputs=[*results, *geis, *models],
        other_than_artefact=("a page", "report.html"),
    )
    if people and not geis:
        raise OptionError("There are no images of `people`.", hint="Give their GEIs: `geis`.")
    day = None if date is None else _day(date)
    with claim:
        entries = read_entries(results, labels)
        images = read_geis(geis, entries)
        translators = read_models(models, entries, images)
        text = page(
            entries, images, translators, people, labels=labels, date=day, write_step=write_step
        )
        with claim.writing() as file:
            file.write(text.encode())


def page(
    entries: Sequence[Entry],
    geis: Sequence[GeiFile] = (),
    models: Sequence[ModelFile] = (),
    people: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    date: Date | None = None,
    write_step: WriteStep = python_call,
) -> str:
    """The page as text; equal results give equal bytes.

    Parameters
    ----------
    entries : sequence of Entry
        At least one result.
    geis, models, people, labels, date, write_step
        As in `write_report`, read.
    """
    first = entries[0].result
    words = {name: condition_word(first, name) for name in first.tables}
    script, style = _text("page.js"), _text("page.css")
    told = outcomes(entries, geis)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=f"Gait identification: {first.dataset}",
            first=first,
            date=None if date is None else (date.isoformat(), _told(date)),
            opening=opening(entries, geis),
            words=words,
            spoken=", ".join(f"{name} is {word}" for name, word in words.items() if name != word),
            compared=_compared(entries),
            enrolled=people_enrolled(first),
            counted=counted,
            several=len(entries) > 1,
            embedded=_embedded(entries),
            without_pictures=not geis and any(entry.result.embedders for entry in entries),
            headline=headline(entries),
            matrices=matrices(entries),
            cameras=camera_lines(entries),
            angles=angle_charts(entries),
            figures=all_figures(entries),
            curves=curves(entries),
            side_by_side=side_by_side(entries, geis, people),
            people=people_cards(entries, geis, people),
            mistakes=mistakes(entries),
            left_out=left_out(entries),
            provenance=provenance(entries, geis, models),
            commands=written_steps(
                steps(
                    entries,
                    geis,
                    models,
                    people,
                    labels=labels,
                    date=None if date is None else date.isoformat(),
                ),
                write_step,
            ),
            outcomes=told,
            too_many=too_many(told, geis),
            # The project's own files; whatever else enters the page is escaped.
            style=Markup(style),
            script=Markup(script),
            script_sha256=digest,
        )
    )


def _compared(entries: Sequence[Entry]) -> str:
    """Feature and metric of all results, where no name says them."""
    found = {(entry.result.feature, entry.result.metric) for entry in entries}
    return ", ".join(found.pop()) if len(found) == 1 else ""


def _day(date: str) -> Date:
    try:
        return Date.fromisoformat(date)
    except (TypeError, ValueError):
        raise OptionError(
            f"The `date` {quoted(date)} is none.", hint="Give year, month and day: 2026-11-27."
        ) from None


def _told(date: Date) -> str:
    """A date in English, whatever the machine speaks."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def _embedded(entries: Sequence[Entry]) -> list[str]:
    """By whom the vectors of each further result were embedded; the first says so itself."""
    told = entries[0].result.remarks()
    return [
        f"{entry.key}: {embedder.remark}"
        for entry in entries[1:]
        for embedder in entry.result.embedders
        if embedder.remark not in told
    ]


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("gaitkit.reporting.page"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "ensure_ascii": False,
        "allow_nan": False,
    }
    return environment


def _shown(value: object) -> object:
    """A value as the page shows it: names can hold what turns the direction of reading."""
    # What is marked up is made of drawings and of the page's own style and script.
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _text(name: str) -> str:
    source = files("gaitkit.reporting.page") / "templates" / name
    return source.read_text(encoding="utf-8")
