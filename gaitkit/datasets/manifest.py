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

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.datasets.naming import VIDEO_SUFFIXES, archive_stem, clean_text
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit, frames_of, list_images
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["COLUMNS", "ManifestRow", "ManifestSource", "parse_manifest"]

COLUMNS = ("path", "subject", "condition", "take", "view")
"""Columns of a manifest."""

_NEEDED = ("path", "subject")
_DEFAULTS = {"condition": "nm", "take": "1", "view": ""}
_MAX_BYTES = 256 * 2**20
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
    text = text.removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    rows: list[ManifestRow] = []
    lines: dict[SequenceKey, int] = {}
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = _header(cells, label)
                continue
            row = _row(header, cells, reader.line_num, label)
            if row.key in lines:
                raise DatasetError(
                    f"lines {lines[row.key]} and {row.line} of {label} stand for the same sequence "
                    f"{row.key}",
                    hint="Give them different takes: a column take with 1, 2, ...",
                )
            lines[row.key] = row.line
            rows.append(row)
    except csv.Error as error:
        raise DatasetError(f"line {reader.line_num} of {label} is not CSV: {error}") from error
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
            close = difflib.get_close_matches(name, COLUMNS, n=1)
            meant = f"; {close[0]!r} may be meant" if close else ""
            raise DatasetError(
                f"the header of {label} has a column {name!r}{meant}; the columns are "
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
            f"line {line} of {label}, column {column}: expected {expected}, got {found!r}"
        )

    for column in (*_NEEDED, "condition"):
        if not values.get(column):
            raise wrong(column, "a text that is not empty")
    for column in ("subject", "condition"):
        if "/" in values[column] or "\0" in values[column]:
            raise wrong(column, "a text without /")
    if "\0" in values["path"]:
        raise wrong("path", "a path")
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

    summary = f"a CSV file that begins with {','.join(COLUMNS)}"
    lists_other_files = True

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
        return path if path.exists() else self.path.parent / row.path.replace("\\", "/")

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise DatasetError(
                f"the manifest {self.path} cannot be read: {error.strerror}"
            ) from error
        if len(data) > _MAX_BYTES:
            raise DatasetError(f"{self.path} has more than {_MAX_BYTES >> 20} MiB: no manifest")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DatasetError(
                f"line {line} of {self.path} is not UTF-8 text", hint="Save it as CSV UTF-8."
            ) from error

    def _check(self, row: ManifestRow) -> None:
        path = self._place(row)
        where = f"line {row.line} of {self.path}, column path"
        if path.is_dir():
            if not list_images(path, self.strays, self):
                raise LayoutError(f"{where}: there is no image directly in the folder {path}")
            return
        if not path.exists():
            raise LayoutError(
                f"{where}: there is no file or folder {path}",
                hint="Paths are relative to the folder of the manifest.",
            )
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return
        kind = "an archive: unpack it" if archive_stem(path.name) else "no video that gaitkit knows"
        raise LayoutError(
            f"{where}: expected a folder of frames or a video of silhouettes; {path} is {kind}"
        )
