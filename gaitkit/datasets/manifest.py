"""One's own people: a CSV file that lists folders of frames, videos, or GEIs.

.. code-block:: text

    path,subject,condition,take,view
    recordings/anna-1,anna,nm,1,90
    recordings/anna-2.mp4,anna,nm,2,
    recordings/ben,ben,bg,1,-90

Columns: `path` (relative to the manifest's folder) and `subject` are needed; `condition` is ``nm``,
`take` is 1 and `view` is unknown where a column or its value is missing (``unknown`` may be
written out too). Commas, semicolons or tabs separate values. Other columns are passed over.

Tables come out of pandas and spreadsheets, so that a missing value may be ``nan``, a whole number
``1.0``, and a number of degrees ``22,5``. Where each path is an image, each is a ready-made GEI.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.arguments import MAX_NAME
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    archive_stem,
    clean_text,
    suffix_of,
)
from gaitkit.datasets.sources import (
    Holds,
    Layout,
    SequenceFrames,
    Unit,
    frames_of,
    list_images,
    people_and_masks,
    read_bounded,
)
from gaitkit.documents import parse_csv, read_text
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey, is_direction
from gaitkit.printable import LETTERS, counted, printable, quoted
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = [
    "COLUMNS",
    "GeiManifestSource",
    "ManifestRow",
    "ManifestSource",
    "manifest_holds",
    "parse_manifest",
]

_log = logging.getLogger(__name__)

COLUMNS = ("path", "subject", "condition", "take", "view")
"""Columns of a manifest."""

_NEEDED = ("path", "subject")
_DEGREES = "degrees of at most a full circle (360), or nothing where it is unknown"
_DEFAULTS = {"condition": "nm", "take": "1", "view": ""}
_MAX_BYTES = 64 * 2**20
_MISSING = frozenset(
    {"", "nan", "NaN", "-nan", "-NaN", "NA", "<NA>", "N/A", "n/a", "None", "NULL", "null"}
    | {"#N/A", "#NA", "NaT"}
)
"""What pandas and spreadsheets write in the place of a value that is missing."""
_INDEX = re.compile(r"|unnamed: [0-9]+|index|level_[0-9]+")
_WHOLE = re.compile(r"([0-9]{1,18})([.,]0{1,18})?")
_PARTS = re.compile(r"[^0-9A-Za-z]+")
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
    return _parse(text, label).rows


class _Table(NamedTuple):
    """A manifest: its rows, and the columns that were passed over."""

    rows: list[ManifestRow]
    others: list[str]


def _parse(text: str, label: str) -> _Table:
    label = printable(label, 200)
    table = parse_csv(text, label=label)
    header = next((_header(cells, label) for _, cells in table), None)
    if header is None:
        raise DatasetError(f"{label} is empty", hint=_EXAMPLE)
    found = [(line, _values(header, cells, line, label)) for line, cells in table]
    if not found:
        raise DatasetError(f"{label} lists no sequence below its header line", hint=_EXAMPLE)
    # A column of whole numbers with a gap comes out of pandas as 1.0.
    for column in ("subject", "condition"):
        texts = [values[column] for _, values in found if values.get(column)]
        matches = [_WHOLE.fullmatch(text) for text in texts]
        if texts and all(matches):
            for _, values in found:
                if match := _WHOLE.fullmatch(values.get(column, "")):
                    values[column] = match[1]
    rows: list[ManifestRow] = []
    lines: dict[SequenceKey, int] = {}
    for line, values in found:
        row = _row(values, line, label)
        if row.key in lines:
            again = any(one.key == row.key and one.path == row.path for one in rows)
            raise DatasetError(
                f"lines {lines[row.key]} and {row.line} of {label} stand for the same sequence "
                f"{printable(str(row.key), LETTERS)}",
                hint="Leave one of the two out: they are equal."
                if again
                else "Give them different takes: a column take with 1, 2, ...",
            )
        lines[row.key] = row.line
        rows.append(row)
    return _Table(rows, [name for name in header if name not in COLUMNS])


def _header(cells: list[str], label: str) -> list[str]:
    names = [cell.lower() if cell.lower() in COLUMNS else cell for cell in cells]
    while names and not names[-1]:
        names.pop()
    for name in names:
        meant = None if name in COLUMNS else _meant(name.lower())
        if meant is not None and not _is_index(name) and meant not in names:
            raise DatasetError(
                f"the header of {label} has a column {quoted(name)}; {meant!r} may be meant; the "
                f"columns are {', '.join(COLUMNS)}",
                hint=_EXAMPLE,
            )
    repeated = [name for name, count in Counter(names).items() if count > 1 and name in COLUMNS]
    if repeated:
        raise DatasetError(
            f"the header of {label} has the column {repeated[0]!r} twice",
            hint="Keep one of them: gaitkit would have to guess which one is meant.",
        )
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        shown = printable(", ".join(filter(None, names)), 2 * LETTERS)
        raise DatasetError(
            f"the header of {label} lacks the column {missing[0]!r}; it has {shown}",
            hint=_EXAMPLE,
        )
    return names


def _meant(name: str) -> str | None:
    """The column whose name is spelled wrongly here; `date` and `time` are no wrong `take`.

    Letters that changed places, one that is missing or too much; in long names also another one.
    """
    name = name[:LETTERS]
    for column in COLUMNS:
        if sorted(name) == sorted(column) or (
            abs(len(name) - len(column)) == 1
            and difflib.SequenceMatcher(None, name, column).ratio()
            >= 2 * min(len(name), len(column)) / (len(name) + len(column))
        ):
            return column
    return next(iter(difflib.get_close_matches(name, ("subject", "condition"), 1, 0.85)), None)


def _values(header: list[str], cells: list[str], line: int, label: str) -> dict[str, str]:
    """What stands in the columns of a row; those without a value are left out."""
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) > len(header):
        raise DatasetError(
            f"line {line} of {label} has {counted(len(cells), 'value')} for "
            f"{counted(len(header), 'column')}",
            hint="A value with a comma in it needs quotation marks around it.",
        )
    return {
        name: cell
        for name, cell in zip(header, cells, strict=False)
        # Somebody's initials may be NA.
        if name in COLUMNS and (cell not in _MISSING or (name == "subject" and cell == "NA"))
    }


def _row(found: dict[str, str], line: int, label: str) -> ManifestRow:
    values = _DEFAULTS | found

    def wrong(column: str, expected: str) -> DatasetError:
        shown = quoted(values.get(column, ""))
        return DatasetError(
            f"line {line} of {label}, column {column}: expected {expected}, got {shown}"
        )

    for column in (*_NEEDED, "condition"):
        if not values.get(column):
            raise wrong(column, "a text that is not empty")
    for column in ("subject", "condition"):
        if "/" in values[column]:
            raise wrong(column, "a text without /")
        if len(values[column]) > MAX_NAME:
            raise wrong(column, f"a text of at most {MAX_NAME} letters")
    take = _WHOLE.fullmatch(values["take"])
    if take is None:
        raise wrong("take", "a whole number, 0 or more")
    degrees = values["view"].removesuffix("°").rstrip()
    if "." not in degrees:
        degrees = degrees.replace(",", ".", 1)
    try:
        view = None if degrees.lower() in ("", "unknown") else float(degrees) + 0.0
    except ValueError:
        raise wrong("view", _DEGREES) from None
    if view is not None and not is_direction(view):
        raise wrong("view", _DEGREES)
    subject, condition = clean_text(values["subject"]), clean_text(values["condition"])
    return ManifestRow(line, values["path"], SequenceKey(subject, condition, int(take[1]), view))


def _without_zeros(rows: Sequence[ManifestRow]) -> ManifestRow | None:
    """A row whose subject has lost the zeros that its path has, if that is so in every row."""
    for row in rows:
        subject = row.key.subject
        if not (subject.isascii() and subject.isdigit()):
            return None
        parts = _PARTS.split(row.path)
        if not any(part.isdigit() and part.lstrip("0") == subject != part for part in parts):
            return None
    return rows[0]


def manifest_holds(path: Path | str) -> Holds:
    """What a manifest lists: ready-made GEIs where its first path is an image, else frames.

    Parameters
    ----------
    path : path-like
        The manifest.

    Returns
    -------
    {"frames", "geis"}
        ``frames`` also for what is no manifest: whoever reads it says what is wrong.
    """
    path = Path(path)
    try:
        first = _parse_first(_text_of(path))
    except DatasetError:
        return "frames"
    is_image = suffix_of(first.replace("\\", "/")) in IMAGE_SUFFIXES
    return "geis" if is_image and not os.path.isdir(path.parent / first) else "frames"


def _parse_first(text: str) -> str:
    """The first path of a manifest; empty where there is none."""
    table = parse_csv(text, label="the manifest")
    header = next((_header(cells, "the manifest") for _, cells in table), None)
    row = next(table, None)
    if header is None or row is None:
        return ""
    return _values(header, row[1], row[0], "the manifest").get("path", "")


def _text_of(path: Path) -> str:
    return read_text(path, what="a manifest", most_bytes=_MAX_BYTES, hint="Save it as CSV UTF-8.")


class ManifestSource(Layout):
    """The sequences that a manifest lists. See `Layout` for the parameters."""

    summary = f"CSV: {','.join(COLUMNS)}"
    lists_other_files = True
    title = "manifest"

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a file is named as a CSV file, and lists what this layout is of."""
        is_csv = place.path.suffix.lower() == ".csv" and not place.is_folder
        return is_csv and manifest_holds(place.path) == cls.holds

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
        rows, others = _parse(_text_of(self.path), str(self.path))
        for row in rows:
            self._check(row)
        if not self.listed_again:
            self._tell(rows, others)
        rows.sort(key=lambda row: row.key.order)
        return [Unit(index, f"{row.path} as {row.key}", (row,)) for index, row in enumerate(rows)]

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit."""
        for row in unit.work:
            path = self._place(row)
            if path.is_dir():
                if self.segments:
                    raise people_and_masks(path)
                yield SequenceFrames(row.key, frames_of(path))
            elif self.segments:
                from gaitkit.datasets.segmented import recorded

                yield from recorded(path, row.key, self.reading)
            else:
                from gaitkit.datasets.segmented import of_masks

                yield of_masks(path, row.key)

    def first_video(self) -> Path | None:
        """The first of its videos in order of key; `None` where there is none."""
        rows = (row for unit in self.units() for row in unit.work)
        return next((path for path in map(self._place, rows) if not path.is_dir()), None)

    def _place(self, row: ManifestRow) -> Path:
        # Spreadsheets on Windows write backslashes; joining leaves absolute paths as they are.
        path = self.path.parent / row.path
        # Not Path.exists, which raises an error for a name that is too long.
        return path if os.path.exists(path) else self.path.parent / row.path.replace("\\", "/")

    def _tell(self, rows: list[ManifestRow], others: list[str]) -> None:
        """Say what was passed over, and what may be wrong though it can be read."""
        shown = printable(str(self.path), 200)
        names = ["a column without a name" if not name else quoted(name) for name in others]
        data = [name for name, found in zip(names, others, strict=True) if not _is_index(found)]
        if data:
            _log.info(
                "Passed over in %s: %s; its columns are %s.",
                shown,
                printable(", ".join(names), LETTERS * 2),
                ", ".join(COLUMNS),
            )
        elif names:
            _log.info("Passed over in %s: the index, %s.", shown, ", ".join(names[:3]))
        first: dict[str, ManifestRow] = {}
        again = [
            row for row in rows if first.setdefault(os.path.normpath(row.path), row) is not row
        ]
        if again:
            row = again[0]
            other = first[os.path.normpath(row.path)]
            _log.warning(
                "%s of %s a path that another line has: %s is %s in line %d and %s in line %d. One "
                "recording under two names makes figures of recognition wrong.",
                counted(len(again), "line"),
                f"{shown} {'has' if len(again) == 1 else 'have'}",
                quoted(row.path),
                printable(str(other.key), LETTERS),
                other.line,
                printable(str(row.key), LETTERS),
                row.line,
            )
        lost = _without_zeros(rows)
        if lost is not None:
            _log.warning(
                "The subjects of %s are numbers without the zeros that its paths have: %s of %s. "
                "Spreadsheets take them away. To match a data set that keeps them, make the column "
                "one of text.",
                shown,
                quoted(lost.key.subject),
                quoted(lost.path),
            )

    def _there(self, row: ManifestRow, listed: str) -> tuple[Path, str, str]:
        """The path of a row, where it is written, and how it is told; refused where nothing is."""
        path = self._place(row)
        where = f"line {row.line} of {printable(str(self.path), 200)}, column path"
        shown = printable(str(path), 120)
        if not os.path.exists(path):
            raise LayoutError(
                f"{where}: there is no {listed} {shown}",
                hint="Paths are relative to the folder of the manifest.",
            )
        if is_special(path):
            raise LayoutError(
                f"{where}: {shown} is no file, but a pipe, a socket or a device",
                hint="Name what lies on a disk: a pipe cannot be read a second time.",
            )
        return path, where, shown

    def _check(self, row: ManifestRow) -> None:
        path, where, shown = self._there(row, "file or folder")
        if os.path.isdir(path):
            if not list_images(path, self.strays, self):
                raise LayoutError(
                    f"{where}: there is no image directly in the folder {shown}",
                    hint="Give each folder of frames a row of its own.",
                )
            return
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise LayoutError(
                f"{where}: {shown} is a single image, and the first path of the manifest is none",
                hint="List a folder of frames or a video for each sequence; or in each line an "
                "image, which is then a ready-made GEI.",
            )
        kind = "an archive: unpack it" if archive_stem(path.name) else "no video that gaitkit knows"
        raise LayoutError(f"{where}: expected a folder of frames or a video; {shown} is {kind}")


class GeiManifestSource(ManifestSource):
    """The ready-made GEIs that a manifest lists. See `Layout` for the parameters."""

    summary = "of GEIs"
    holds = "geis"

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the ready-made GEIs listed in {self.path}"

    def first_video(self) -> Path | None:
        """None: these are images."""
        return None

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The images of a unit, each a sequence of one frame."""
        for row in unit.work:
            path = self._place(row)
            yield SequenceFrames(row.key, [(clean_text(path.name), read_bounded(path))])

    def _check(self, row: ManifestRow) -> None:
        path, where, shown = self._there(row, "file")
        if os.path.isdir(path) or suffix_of(path.name) not in IMAGE_SUFFIXES:
            raise LayoutError(
                f"{where}: {shown} is no image, and the first path of the manifest is one",
                hint="A manifest lists ready-made GEIs, an image in each line; or folders "
                "and videos, and no image.",
            )


def _is_index(name: str) -> bool:
    return _INDEX.fullmatch(name.lower()) is not None
