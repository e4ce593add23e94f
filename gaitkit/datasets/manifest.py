"""One's own people: a CSV file that lists folders of frames, or videos of silhouettes.

.. code-block:: text

    path,subject,condition,take,view
    recordings/anna-1,anna,nm,1,90
    recordings/anna-2.mp4,anna,nm,2,
    recordings/ben,ben,bg,1,-90

Columns: `path` (relative to the manifest's folder) and `subject` are needed; `condition` is ``nm``,
`take` is 1 and `view` is unknown where a column or its value is missing (``unknown`` may be
written out too). Commas, semicolons or tabs separate values.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.arguments import MAX_NAME
from gaitkit.datasets.naming import VIDEO_SUFFIXES, archive_stem, clean_text
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit, frames_of, list_images
from gaitkit.documents import parse_csv, read_text
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey
from gaitkit.printable import LETTERS, printable, quoted

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["COLUMNS", "ManifestRow", "ManifestSource", "parse_manifest"]

COLUMNS = ("path", "subject", "condition", "take", "view")
"""Columns of a manifest."""

_NEEDED = ("path", "subject")
_DEFAULTS = {"condition": "nm", "take": "1", "view": ""}
_MAX_BYTES = 64 * 2**20
_EXAMPLE = "A manifest begins with the line: " + ",".join(COLUMNS)


class ManifestRow(NamedTuple):
    """One sequence of a manifest.

    Attributes
    ----------
    line : int
        Line in the file, from 1.
    path : str
        As written.
    key : SequenceKey
        Its key.
    """

    line: int
    path: str
    key: SequenceKey


def parse_manifest(text: str, label: str = "the manifest") -> list[ManifestRow]:
    """Parse the text of a manifest.

    Parameters
    ----------
    text : str
        The whole file; a byte order mark is passed over.
    label : str
        The file, for messages.

    Returns
    -------
    list of ManifestRow
        In order of the file.

    Raises
    ------
    DatasetError
        Naming the line and the column.
    """
    label = printable(label, 200)
    header: list[str] | None = None
    rows: list[ManifestRow] = []
    lines: dict[SequenceKey, int] = {}
    for line, cells in parse_csv(text, label=label):
        if header is None:
            header = _header(cells, label)
            continue
        row = _row(header, cells, line, label)
        if row.key in lines:
            raise DatasetError(
                f"lines {lines[row.key]} and {row.line} of {label} stand for the same sequence "
                f"{printable(str(row.key), LETTERS)}",
                hint="Give them different takes: a column take with 1, 2, ...",
            )
        lines[row.key] = row.line
        rows.append(row)
    if header is None:
        raise DatasetError(f"{label} is empty", hint=_EXAMPLE)
    if not rows:
        raise DatasetError(f"{label} lists no sequence below its header line")
    return rows


def _header(cells: list[str], label: str) -> list[str]:
    names = [cell.lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if name not in COLUMNS:
            close = difflib.get_close_matches(name[:LETTERS], COLUMNS, n=1)
            meant = f"; {close[0]!r} may be meant" if close else ""
            raise DatasetError(
                f"the header of {label} has a column {quoted(name)}{meant}; the columns are "
                f"{', '.join(COLUMNS)}",
                hint=_EXAMPLE,
            )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DatasetError(f"the header of {label} has the column {repeated[0]!r} twice")
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise DatasetError(
            f"the header of {label} lacks the column {missing[0]!r}; it has {', '.join(names)}",
            hint=_EXAMPLE,
        )
    return names


def _row(header: list[str], cells: list[str], line: int, label: str) -> ManifestRow:
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) > len(header):
        raise DatasetError(
            f"line {line} of {label} has {len(cells)} values for {len(header)} columns",
            hint="A value with a comma in it needs quotation marks around it.",
        )
    values = dict(_DEFAULTS)
    values.update((name, cell) for name, cell in zip(header, cells, strict=False) if cell)

    def wrong(column: str, expected: str) -> DatasetError:
        found = values.get(column, "")
        return DatasetError(
            f"line {line} of {label}, column {column}: expected {expected}, got {quoted(found)}"
        )

    for column in (*_NEEDED, "condition"):
        if not values.get(column):
            raise wrong(column, "a text that is not empty")
    for column in ("subject", "condition"):
        if "/" in values[column]:
            raise wrong(column, "a text without /")
        if len(values[column]) > MAX_NAME:
            raise wrong(column, f"a text of at most {MAX_NAME} letters")
    take = values["take"]
    if not (take.isascii() and take.isdigit() and len(take) <= 18):
        raise wrong("take", "a whole number, 0 or more")
    try:
        view = None if values["view"].lower() in ("", "unknown") else float(values["view"]) + 0.0
    except ValueError:
        raise wrong("view", "degrees, or nothing where it is unknown") from None
    if view is not None and not (isfinite(view) and abs(view) < 1e6):
        raise wrong("view", "degrees, or nothing where it is unknown")
    subject, condition = clean_text(values["subject"]), clean_text(values["condition"])
    return ManifestRow(line, values["path"], SequenceKey(subject, condition, int(take), view))


class ManifestSource(Layout):
    """The sequences that a manifest lists. See `Layout` for the parameters."""

    summary = f"CSV: {','.join(COLUMNS)}"
    lists_other_files = True
    title = "manifest"

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a file is named as a CSV file."""
        return place.path.suffix.lower() == ".csv" and not place.is_folder

    def default_name(self) -> str:
        """That of the file."""
        return clean_text(self.path.stem)

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the sequences listed in {self.path}"

    def list_units(self) -> list[Unit]:
        """Read the manifest, check that its paths are there, one unit a sequence.

        Raises
        ------
        DatasetError
            Naming the line.
        """
        rows = parse_manifest(self._text(), str(self.path))
        for row in rows:
            self._check(row)
        rows.sort(key=lambda row: row.key.order)
        return [Unit(index, f"{row.path} as {row.key}", (row,)) for index, row in enumerate(rows)]

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit."""
        for row in unit.work:
            path = self._place(row)
            if path.is_dir():
                yield SequenceFrames(row.key, frames_of(path))
            else:
                from gaitkit.datasets.videos import silhouette_frames

                yield SequenceFrames(row.key, silhouette_frames(path))

    def _place(self, row: ManifestRow) -> Path:
        # Spreadsheets on Windows write backslashes; joining leaves absolute paths as they are.
        path = self.path.parent / row.path
        # Not Path.exists, which raises an error for a name that is too long.
        return path if os.path.exists(path) else self.path.parent / row.path.replace("\\", "/")

    def _text(self) -> str:
        return read_text(
            self.path, what="a manifest", most_bytes=_MAX_BYTES, hint="Save it as CSV UTF-8."
        )

    def _check(self, row: ManifestRow) -> None:
        path = self._place(row)
        where = f"line {row.line} of {printable(str(self.path), 200)}, column path"
        shown = printable(str(path), 120)
        if os.path.isdir(path):
            if not list_images(path, self.strays, self):
                raise LayoutError(f"{where}: there is no image directly in the folder {shown}")
            return
        if not os.path.exists(path):
            raise LayoutError(
                f"{where}: there is no file or folder {shown}",
                hint="Paths are relative to the folder of the manifest.",
            )
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return
        kind = "an archive: unpack it" if archive_stem(path.name) else "no video that gaitkit knows"
        raise LayoutError(
            f"{where}: expected a folder of frames or a video of silhouettes; {shown} is {kind}"
        )
