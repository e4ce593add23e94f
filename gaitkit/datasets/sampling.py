"""Some of the files at a path, from all over it: enough to tell whose layout they have.

A layout is told by names, and the first file of a large data set may be one that does not belong
to it. So a few folders of each level are looked into, and the beginning of a few archives.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from gaitkit.datasets.archives import (
    LIMITS,
    Container,
    Member,
    archive_kind,
    expand,
    open_container,
)
from gaitkit.datasets.naming import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    archive_stem,
    is_file,
    is_folder,
    is_hidden,
    suffix_of,
)
from gaitkit.errors import GaitkitError

__all__ = ["Sampled", "sample_archive", "sample_folder"]

_FOLDERS = 3  # Of one level.
_ARCHIVES = 2
_FOUND = 48
_OF_AN_ARCHIVE = 12
_MEMBERS = 100_000
_MAX_DEPTH = 8
_LARGEST_INNER = 256 * 2**20


class Sampled(NamedTuple):
    """One file of frames.

    Attributes
    ----------
    folders : tuple of str
        Where it lies, from the root; an archive counts as a folder of its name without suffix.
    name : str
        Its name.
    """

    folders: tuple[str, ...]
    name: str

    @property
    def suffix(self) -> str:
        """What its name ends with: ``.png``."""
        return suffix_of(self.name)


def sample_folder(root: Path) -> list[Sampled]:
    """Files of frames in a folder: of each sort one a folder, from a few folders of each level."""
    found: list[Sampled] = []
    _look(root, (), found, (os.path.realpath(root),))
    return found


def sample_archive(path: Path, folders: tuple[str, ...] = ()) -> list[Sampled]:
    """Files of frames at the beginning of an archive, or of the first archive in it.

    What cannot be read is no matter here: whoever reads it says what is wrong.
    """
    found: list[Sampled] = []
    try:
        with open_container(path, str(path)) as container:
            inner = _begin(container, folders, found)
            if not found and inner is not None:
                stem = archive_stem(inner.parts[-1]) or inner.parts[-1]
                file = container.as_file(inner)
                if file is None and inner.size > _LARGEST_INNER:
                    return found
                source = expand(container.read(inner), str(path)) if file is None else file
                with open_container(source, str(path)) as within:
                    _begin(within, (*folders, *inner.parts[:-1], stem), found)
    except (GaitkitError, OSError):
        pass
    return found


def _look(
    folder: Path, parts: tuple[str, ...], found: list[Sampled], above: tuple[str, ...]
) -> None:
    folders: list[str] = []
    files: dict[str, str] = {}
    archives: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if is_hidden(name):
                    continue
                sort = _sort_of(name)
                if is_folder(entry):
                    folders.append(name)
                elif not is_file(entry):
                    continue  # Opening a pipe would wait for whoever writes into it.
                elif sort:
                    files[sort] = min(files.get(sort, name), name)
                elif archive_stem(name) is not None:
                    archives.append(name)
    except OSError:
        return
    found += [Sampled(parts, name) for _, name in sorted(files.items())]
    if len(parts) < _MAX_DEPTH:
        for name in _some(folders):
            real = os.path.realpath(folder / name)
            # A link to a folder above would show all of it once more, deeper.
            if len(found) < _FOUND and real not in above:
                _look(folder / name, (*parts, name), found, (*above, real))
    for name in sorted(archives)[:_ARCHIVES]:
        stem = archive_stem(name)
        if stem is not None and len(found) < _FOUND and _is_archive(folder / name):
            found += sample_archive(folder / name, (*parts, stem))


def _some(names: list[str]) -> list[str]:
    """The first, the last and one in the middle."""
    names.sort()
    if len(names) <= _FOLDERS:
        return names
    return [names[0], names[len(names) // 2], names[-1]]


def _sort_of(name: str) -> str:
    suffix = suffix_of(name)
    for sort, suffixes in (
        ("image", IMAGE_SUFFIXES),
        ("array", ARRAY_SUFFIXES),
        ("video", VIDEO_SUFFIXES),
    ):
        if suffix in suffixes:
            return sort
    return ""


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return archive_kind(file.read(512)) != ""
    except OSError:
        return False


def _begin(container: Container, above: tuple[str, ...], found: list[Sampled]) -> Member | None:
    """Note the first file of each folder; the first archive in it comes back."""
    inner: Member | None = None
    seen: set[tuple[tuple[str, ...], str]] = set()
    for number, member in enumerate(container.members()):
        if number > _MEMBERS or len(seen) >= _OF_AN_ARCHIVE:
            break
        if member.is_folder or any(map(is_hidden, member.parts)):
            continue
        name = member.parts[-1]
        sort = _sort_of(name)
        if sort:
            folders = (*above, *member.parts[:-1])
            if (folders, sort) not in seen:
                seen.add((folders, sort))
                found.append(Sampled(folders, name))
        elif inner is None and archive_stem(name) is not None and member.size <= LIMITS.inner_bytes:
            inner = member
    return inner
