"""Write walkers as a CASIA-B tree of PNG files, and continue after a stop.

Each view's folder is filled under a private name and renamed when whole, so a folder with its
final name is complete and a run that was killed continues where it stopped; one run at a time.
``synth.json`` at the root holds the options; a tree is never continued with others.

A hundred thousand small files take four times the room of what is in them. So the same tree can be
written as one zip for each person, much as CASIA-B comes; gaitkit reads either in place.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile, ZipInfo

from gaitkit._opencv import cv2
from gaitkit.documents import read_json
from gaitkit.errors import OutputError, OutputExistsError
from gaitkit.labels import format_view, sequence_name
from gaitkit.locks import LOCK_SUFFIX
from gaitkit.outputs import claimed_folder, is_beside, write_whole
from gaitkit.parallel import map_unordered
from gaitkit.printable import quoted
from gaitkit.walkers.options import MODEL_VERSION, WalkerOptions, subject_name
from gaitkit.walkers.rendering import render_sequence

__all__ = ["MARKER", "TreeSummary", "write_tree"]

MARKER = "synth.json"
"""Names the data set; `gaitkit.datasets.sources.MARKER` is the same, as a test sees to."""


@dataclass(frozen=True)
class TreeSummary:
    """What `write_tree` did.

    Attributes
    ----------
    dataset : str
        The data set's name.
    subjects, sequences, frames : int
        What the tree holds now; a sequence is one walk seen by one camera.
    sequences_written : int
        Those that this call wrote; the others were there.
    """

    dataset: str
    subjects: int
    sequences: int
    frames: int
    sequences_written: int


def write_tree(
    folder: Path | str,
    options: WalkerOptions,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
    archives: bool = False,
) -> TreeSummary:
    """Render a data set into ``folder/001/nm-01/000/001-nm-01-000-001.png``.

    Parameters
    ----------
    folder : str or Path
        The tree's root; made if missing. A tree of the same options is continued.
    options : WalkerOptions
        The data set.
    workers : int, optional
        Processes; the bytes do not depend on it.
    progress : callable, optional
        Called with the number of finished sequences and of all.
    overwrite : bool, optional
        Remove a tree that was written with other options.
    archives : bool, optional
        One archive for each person, ``folder/001.zip``, instead of a file for each frame.

    Returns
    -------
    TreeSummary
        Counts.

    Raises
    ------
    OutputExistsError
        If the folder holds something else, or a tree of other options.
    OutputError
        If the folder cannot be written.
    """
    folder = Path(folder)
    try:
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with claimed_folder(folder):
            _claim(folder, options, overwrite=overwrite, archives=archives)
            for left in folder.iterdir():
                if _is_unfinished(left.name, options):
                    left.unlink(missing_ok=True)
            if archives:
                return _write_people(folder, options, workers, progress)
            return _write_walks(folder, options, workers, progress)
    except OSError as error:
        raise OutputError(
            f"cannot write the walkers under {folder}: {error.strerror or error}",
            hint="Check that the folder is writable and the disk has room.",
        ) from error


def _write_walks(
    folder: Path,
    options: WalkerOptions,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> TreeSummary:
    walks = [
        _Walk(folder, options, subject, condition, take)
        for subject in range(options.subjects)
        for condition, takes in sorted(options.takes.items())
        for take in range(1, takes + 1)
    ]
    total = len(walks) * len(options.views)
    done = written = 0
    for _, fresh in map_unordered(_write_walk, walks, workers=workers):
        done += len(options.views)
        written += fresh
        if progress is not None:
            progress(done, total)
    if hasattr(os, "sync"):
        os.sync()  # Once, and not for each of perhaps a hundred thousand files.
    _write_marker(folder, options, complete=True)
    return TreeSummary(
        options.dataset_name, options.subjects, total, total * options.frames, written
    )


def _write_people(
    folder: Path,
    options: WalkerOptions,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> TreeSummary:
    each = sum(options.takes.values()) * len(options.views)
    total = options.subjects * each
    people = [_Person(folder, options, subject) for subject in range(options.subjects)]
    done = written = 0
    for _, fresh in map_unordered(_write_person, people, workers=workers):
        done += each
        written += fresh
        if progress is not None:
            progress(done, total)
    _write_marker(folder, options, complete=True, archives=True)
    return TreeSummary(
        options.dataset_name, options.subjects, total, total * options.frames, written
    )


class _Person(NamedTuple):
    folder: Path
    options: WalkerOptions
    subject: int

    @property
    def label(self) -> str:
        """For people: the person's name."""
        return subject_name(self.subject)


def _write_person(person: _Person) -> int:
    """Write one person's archive; returns how many sequences were missing."""
    folder, options, subject = person
    name = subject_name(subject)
    path = folder / f"{name}.zip"
    if path.exists():
        return 0
    written = 0
    whole = io.BytesIO()
    with ZipFile(whole, "w") as archive:
        for condition, takes in sorted(options.takes.items()):
            for take in range(1, takes + 1):
                for view in options.views:
                    where = f"{sequence_name(condition, take)}/{format_view(view)}"
                    stem = f"{name}/{where}/{name}-{where.replace('/', '-')}-"
                    frames = _encoded(options, subject, condition, take, view)
                    for number, data in enumerate(frames, start=1):
                        # No time of day: equal options, equal bytes.
                        archive.writestr(ZipInfo(f"{stem}{number:03d}.png"), data)
                    written += 1
    write_whole(path, whole.getvalue())
    return written


def _encoded(
    options: WalkerOptions, subject: int, condition: str, take: int, view: float
) -> Iterator[bytes]:
    """The frames of one sequence as PNGs."""
    for frame in render_sequence(options, subject, condition, take, view):
        _, data = cv2.imencode(".png", frame)
        yield data.tobytes()


class _Walk(NamedTuple):
    folder: Path
    options: WalkerOptions
    subject: int
    condition: str
    take: int

    @property
    def label(self) -> str:
        """For people: the walk's folder."""
        return f"{subject_name(self.subject)}/{sequence_name(self.condition, self.take)}"


def _write_walk(walk: _Walk) -> int:
    """Write all views of one walk; returns how many were missing."""
    folder, options, subject, condition, take = walk
    name = subject_name(subject)
    parent = folder / name / sequence_name(condition, take)
    written = 0
    for view in options.views:
        final = parent / format_view(view)
        if final.is_dir():
            continue
        # A killed run's; none is at work but this one.
        for left in parent.glob(f".{final.name}.*partial"):
            shutil.rmtree(left)
        aside = parent / f".{final.name}.{secrets.token_hex(4)}.partial"
        aside.mkdir(parents=True)
        stem = f"{aside}/{name}-{parent.name}-{final.name}-"
        frames = _encoded(options, subject, condition, take, view)
        for number, data in enumerate(frames, start=1):
            with open(f"{stem}{number:03d}.png", "wb") as file:
                file.write(data)
        os.rename(aside, final)
        written += 1
    return written


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something else than walkers, before anything is put into it."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(
            f"{folder} is no folder; expected the name of one, into which walkers are written.",
            hint="Choose a new folder.",
        )
    if _read_marker(folder) is None and folder.exists():
        ours = all(
            path.name == LOCK_SUFFIX or _is_unfinished_marker(path.name)
            for path in folder.iterdir()
        )
        if not ours:
            raise OutputExistsError(
                f"{folder} exists, is not empty and was not written by gaitkit synth",
                hint="Choose a new folder.",
            )


def _claim(folder: Path, options: WalkerOptions, *, overwrite: bool, archives: bool) -> None:
    """Mark the folder as that of these options, or refuse one that holds something else."""
    found = _read_marker(folder)
    if found is None:
        _refuse_foreign(folder)
    elif (
        found.get("model_version") == MODEL_VERSION
        and bool(found.get("archives", False)) == archives
        and found.get("parameters") == json.loads(json.dumps(options.as_parameters()))
    ):
        return
    elif overwrite:
        _remove(folder, found)
    elif found.get("model_version") != MODEL_VERSION:
        # No options of now give them again.
        raise OutputExistsError(
            f"{folder} holds walkers of another gaitkit: "
            f"{_difference(found, options, archives=archives)}",
            hint="Choose a new folder, or `overwrite=True`.",
        )
    else:
        raise OutputExistsError(
            f"{folder} holds walkers made with other options: "
            f"{_difference(found, options, archives=archives)}",
            hint="Choose a new folder, give the same options, or `overwrite=True`.",
        )
    _write_marker(folder, options, complete=False, archives=archives)


def _difference(found: dict[str, Any], options: WalkerOptions, *, archives: bool) -> str:
    if found.get("model_version") != MODEL_VERSION:
        return f"model version {found.get('model_version')} there, {MODEL_VERSION} now"
    if bool(found.get("archives", False)) != archives:
        kinds = ("a file for each frame", "an archive for each person")
        return f"{kinds[not archives]} there, {kinds[archives]} now"
    there, now = _parameters(found), options.as_parameters()
    names = [name for name in now if there.get(name) != now[name]]
    return ", ".join(f"{name} {quoted(there.get(name))} there, {now[name]} now" for name in names)


def _parameters(found: dict[str, Any]) -> dict[str, Any]:
    parameters = found.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _remove(folder: Path, found: dict[str, Any]) -> None:
    """Remove the tree that the marker describes, and nothing else.

    The marker stays, as incomplete: the next run then knows the folder of one killed here.
    """
    _replace_marker(folder, {**found, "complete": False})
    subjects = _parameters(found).get("subjects")
    for index in range(subjects if type(subjects) is int and subjects <= 9999 else 0):
        subject = folder / subject_name(index)
        if subject.is_dir():
            shutil.rmtree(subject)
        subject.with_suffix(".zip").unlink(missing_ok=True)


def _read_marker(folder: Path) -> dict[str, Any] | None:
    path = folder / MARKER
    if not path.is_file():
        return None
    found = read_json(
        path,
        what="a description of a tree of walkers",
        error=OutputExistsError,
        hint="Choose a new folder.",
    )
    return found if isinstance(found, dict) else {}


def _is_unfinished_marker(name: str) -> bool:
    """Whether a file is what a killed run left of its marker, now or in a former version."""
    return name == f".{MARKER}.partial" or (name.endswith(".partial") and is_beside(name, MARKER))


def _is_unfinished(name: str, options: WalkerOptions) -> bool:
    """Whether this is what a killed run left of a marker or of a person's archive."""
    archives = (f"{subject_name(index)}.zip" for index in range(options.subjects))
    return _is_unfinished_marker(name) or (
        name.endswith(".partial") and any(is_beside(name, archive) for archive in archives)
    )


def _write_marker(
    folder: Path, options: WalkerOptions, *, complete: bool, archives: bool = False
) -> None:
    content: dict[str, Any] = {
        "kind": "gaitkit-walkers",
        "model_version": MODEL_VERSION,
        "dataset": options.dataset_name,
        "complete": complete,
        "parameters": options.as_parameters(),
    }
    if archives:
        content["archives"] = True
    _replace_marker(folder, content)


def _replace_marker(folder: Path, content: dict[str, Any]) -> None:
    write_whole(folder / MARKER, (json.dumps(content, indent=2) + "\n").encode())
