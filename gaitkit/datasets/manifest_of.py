"""A manifest of what a layout reads: how it read the names, as a table to look at and correct."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gaitkit.datasets.casia_b import Located
from gaitkit.datasets.manifest import COLUMNS, ManifestRow, parse_manifest
from gaitkit.datasets.naming import IMAGE_SUFFIXES
from gaitkit.datasets.sources import Layout, list_images
from gaitkit.errors import DatasetError, OptionError
from gaitkit.labels import SequenceKey
from gaitkit.printable import printable, quoted

__all__ = ["ManifestOf", "manifest_of"]


_Row = tuple[str, str, str, int, str]


class ManifestOf(NamedTuple):
    """A manifest.

    Attributes
    ----------
    text : str
        The CSV file.
    rows : int
        Sequences that it lists.
    empty : int
        Sequences that it leaves out, since they have no frame.
    """

    text: str
    rows: int
    empty: int


def manifest_of(source: Layout, folder: Path | str = ".") -> ManifestOf:
    """List the sequences of a data set that lies in loose folders and videos.

    Parameters
    ----------
    source : Layout
        The data set.
    folder : path-like
        Where the manifest will lie: its paths are relative to it.

    Returns
    -------
    ManifestOf
        In order of subject, condition, take and view. Read as a manifest it gives the same
        sequences.

    Raises
    ------
    DatasetError
        There is no sequence, or a name that no manifest can hold.
    OptionError
        The sequences lie in archives or arrays.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from gaitkit.datasets import open_source
    >>> from gaitkit.walkers import WalkerOptions, write_tree
    >>> with TemporaryDirectory() as folder:
    ...     walkers = WalkerOptions(subjects=1, frames=1, views=(90,), takes={"nm": 1})
    ...     _ = write_tree(f"{folder}/walkers", walkers)
    ...     print(manifest_of(open_source(f"{folder}/walkers"), folder).text)
    path,subject,condition,take,view
    walkers/001/nm-01/090,001,nm,1,90
    <BLANKLINE>
    """
    shown = printable(str(source.path), 200)
    if source.suffixes != IMAGE_SUFFIXES or source.holds != "frames":
        raise OptionError(
            f"A manifest lists folders of frames and videos; {shown} holds others.",
            hint="It is read as it is, without a manifest.",
        )
    root = source.path.parent if source.lists_other_files else source.path
    found: list[tuple[SequenceKey, Path]] = []
    for unit in source.units():
        for item in unit.work:
            if isinstance(item, Located):
                found.append((item.key, root / item.folder))
            elif isinstance(item, ManifestRow):
                found.append((item.key, root / item.path))
            else:
                raise OptionError(
                    f"A manifest lists folders of frames and videos; {shown} is an archive, or "
                    "has archives in it.",
                    hint="Unpack it and give the folder, or leave the manifest out: it is read as "
                    "it is.",
                )
    found.sort(key=lambda item: (item[0].order, str(item[1])))
    start = os.path.realpath(folder)
    empty = 0
    rows: list[_Row] = []
    for key, place in found:
        if place.is_dir() and not list_images(place, Counter()):
            empty += 1
            continue
        path = _relative(place, start)
        _refuse_unlistable(path, key)
        view = "" if key.view is None else f"{key.view:.6f}".rstrip("0").rstrip(".")
        rows.append((path, key.subject, key.condition, key.take, view))
    if not rows:
        raise DatasetError(f"Not one sequence in {shown} has a frame: there is nothing to list.")
    _refuse_other_names(rows)
    return ManifestOf(_csv([COLUMNS, *rows]), len(rows), empty)


def _relative(place: Path, start: str) -> str:
    """A path from a folder, as the manifest's reader joins them; whole on another drive."""
    # Links over what was given are resolved, since .. leads out of where they lead; not those in
    # it, which are the user's names.
    whole = os.path.join(os.path.realpath(place.parent), place.name)
    try:
        return Path(os.path.relpath(whole, start)).as_posix()
    except ValueError:
        return Path(whole).as_posix()


def _refuse_other_names(rows: list[_Row]) -> None:
    """Raise where a reader would take a name for something else: ``nan`` for a missing one."""
    if _are_read_back(rows):
        return
    path, subject, condition, *_ = next((row for row in rows if not _are_read_back([row])), rows[0])
    raise DatasetError(
        f"{printable(path, 200)} has a name that would be read as another one, or as none, in a "
        f"CSV file: {quoted(subject)} or {quoted(condition)}.",
        hint="Rename the folder.",
    )


def _are_read_back(rows: list[_Row]) -> bool:
    try:
        found = parse_manifest(_csv([COLUMNS, *rows]))
    except DatasetError:
        return False
    return [(row.path, *row.key[:3]) for row in found] == [row[:4] for row in rows]


def _csv(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _refuse_unlistable(path: str, key: SequenceKey) -> None:
    for text, column in ((path, "path"), (key.subject, "subject"), (key.condition, "condition")):
        try:
            text.encode()
            same = text == text.strip() and "\0" not in text
        except UnicodeEncodeError:
            same = False
        if not same or (column != "path" and "/" in text):
            raise DatasetError(
                f"{printable(path, 200)} has a {column} that no CSV file holds: it is no text, or "
                "begins or ends with a space.",
                hint="Rename the folder.",
            )
