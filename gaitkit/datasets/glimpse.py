"""What is at a path, and what to say when that is no data set: expected, found, what to try.

A folder one level too high or too low is the most frequent trouble with gait data. So the layout
is looked at before any work is done, and the answer names the folder to try.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gaitkit.datasets.naming import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    archive_stem,
    is_file,
    is_folder,
    is_hidden,
    parse_gei_name,
    parse_view,
    suffix_of,
)
from gaitkit.errors import LayoutError
from gaitkit.outputs import ARTEFACT_SUFFIXES
from gaitkit.printable import counted, printable, typed

if TYPE_CHECKING:
    from gaitkit.datasets.sampling import Sampled

__all__ = [
    "ARRAYS",
    "PATTERN",
    "Glimpse",
    "Place",
    "glimpse",
    "is_gei_name",
    "misplaced",
    "misplaced_in_archive",
    "refuse_artefact",
    "require_readable",
    "view_is_no_number",
]

PATTERN = "001/nm-01/000/*.png"
"""CASIA-B's layout, by example."""
ARRAYS = "001/nm-01/000/000.pkl"
"""The same as OpenGait keeps it, one array for each sequence and view."""

_LEVELS = 3
_MAX_DEPTH = 8
_MAX_FILES = 100_000
_FEW_FILES = 100  # Seen beside arrays until these are taken for the data.
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
_MANIFEST = "a manifest, a CSV file that begins with path,subject,condition,take,view"
_SEGMENT = (
    "Videos are given one by one, person by person in a folder (anna/monday.mp4), or in "
    + _MANIFEST
    + "."
)
_SEQUENCE = re.compile(r"[^\W\d_]+[-_]?\d+")
_SEQUENCE_OF_SOMEBODY = re.compile(r"[^-]+-[^\W\d_]+[-_]?\d+")
_GEI_NAMES = (
    "gaitkit make-gei reads GEIs that are named 001/nm-01/001-nm-01-090.png, 001/nm-01/090.png or "
    "001-nm-01-090.png: subject, sequence and view."
)
_PEOPLE_OR_RECORDINGS = (
    "If each folder holds one recording of another person, read them with `layout='folders'`. If "
    "they are recordings of one person, put them in a folder of that person's name and give the "
    "folder above it; or list them in a manifest."
)
_UNREAD_ARCHIVES = frozenset({".rar", ".7z", ".zst", ".lz4", ".gz", ".bz2", ".xz"})
_UNREAD_PICTURES = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".jfif", ".ppm", ".pnm", ".tga", ".psd"}
    | {".exr", ".svg", ".dcm"}
)


@dataclass
class Glimpse:
    """A file of each sort in a folder or archive, as parts of a path.

    Attributes
    ----------
    image, archive, video : tuple of str or None
        Folders and name, relative to the root: the deepest image (a preview may lie above the
        data), the least deep archive, the first video.
    array : tuple of str or None
        The deepest file that holds an array of numbers.
    unread : tuple of str or None
        The first archive or picture of a kind that is not read.
    files : int
        Files seen.
    no_file : tuple of str or None
        The first that is neither a file nor a folder: a pipe, a socket, a device, or a link that
        leads nowhere.
    """

    image: tuple[str, ...] | None = None
    archive: tuple[str, ...] | None = None
    video: tuple[str, ...] | None = None
    array: tuple[str, ...] | None = None
    unread: tuple[str, ...] | None = None
    files: int = 0
    no_file: tuple[str, ...] | None = None

    def add(self, parts: tuple[str, ...]) -> None:
        """Take note of a file."""
        self.files += 1
        suffix = suffix_of(parts[-1])
        if suffix in IMAGE_SUFFIXES:
            if self.image is None or len(parts) > len(self.image):
                self.image = parts
        elif suffix in ARRAY_SUFFIXES:
            if self.array is None or len(parts) > len(self.array):
                self.array = parts
        elif suffix in VIDEO_SUFFIXES:
            self.video = self.video or parts
        elif archive_stem(parts[-1]) is None:
            if suffix in _UNREAD_ARCHIVES | _UNREAD_PICTURES:
                self.unread = self.unread or parts
        elif self.archive is None or len(parts) < len(self.archive):
            self.archive = parts


def glimpse(root: Path) -> Glimpse:
    """Look for an image in a folder: down to the first that holds any, in order of name.

    Hidden files are passed over; after 100,000 files or eight levels the search ends.
    """
    seen = Glimpse()
    _search(root, (), seen)
    return seen


def _search(folder: Path, parts: tuple[str, ...], seen: Glimpse) -> None:
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if is_folder(entry):
                    folders.append(entry.name)
                elif is_file(entry):
                    files.append(entry.name)
                else:
                    seen.no_file = seen.no_file or (*parts, entry.name)
    except PermissionError:
        return
    for name in sorted(folders) if len(parts) < _MAX_DEPTH else ():
        most = _MAX_FILES if seen.array is None else _FEW_FILES
        if seen.image is not None or seen.files > most:
            break
        _search(folder / name, (*parts, name), seen)
    for name in sorted(files):
        seen.add((*parts, name))


class Place:
    """A folder or file, looked at no more than once for all layouts that are asked.

    Parameters
    ----------
    path : Path
        There may be nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return os.path.isdir(self.path)

    @cached_property
    def start(self) -> bytes:
        """The first 512 bytes of a file; nothing of a folder, or where nothing can be read."""
        if not os.path.isfile(self.path):
            return b""
        try:
            with self.path.open("rb") as file:
                return file.read(512)
        except OSError:
            return b""

    @cached_property
    def seen(self) -> Glimpse:
        """A file of each sort in the folder; nothing in a file."""
        return glimpse(self.path) if self.is_folder else Glimpse()

    @cached_property
    def sample(self) -> list[Sampled]:
        """Some files of frames, from all over the folder or from the beginning of the archive."""
        # Imported here: only layouts that are told by names need it.
        from gaitkit.datasets.archives import archive_kind
        from gaitkit.datasets.sampling import sample_archive, sample_folder

        if self.is_folder:
            return sample_folder(self.path)
        return sample_archive(self.path) if archive_kind(self.start) else []

    @property
    def is_tree(self) -> bool:
        """Whether the images in a folder lie three folders down: ``001/nm-01/000/*.png``."""
        return _is_deep(self.seen.image)

    @property
    def is_array_tree(self) -> bool:
        """Whether arrays lie three folders down, ``001/nm-01/000/*.pkl``, and images do not."""
        return _is_deep(self.seen.array) and not self.is_tree

    @property
    def holds_archives(self) -> bool:
        """Whether a folder holds archives at its top and is not itself a tree of frames.

        Both are found where subjects' archives were unpacked in place; the tree is then read.
        """
        packed = self.seen.archive is not None and len(self.seen.archive) == 1
        return packed and not (self.is_tree or self.is_array_tree)


def _is_deep(parts: tuple[str, ...] | None) -> bool:
    """Whether a file lies three folders down, or four where a subject's folder holds its twin."""
    if parts is None:
        return False
    return len(parts) == _LEVELS + 1 or (len(parts) == _LEVELS + 2 and parts[0] == parts[1])


def is_gei_name(parts: tuple[str, ...]) -> bool:
    """Whether an image is named as a ready-made GEI is, and lies where its name says.

    ``001/nm-01/001-nm-01-090.png`` below any folders, or ``001-nm-01-090.png`` alone.
    """
    stem = PurePosixPath(parts[-1]).stem
    if len(parts) == 1:
        return parse_gei_name(stem) is not None
    before, _, view = stem.rpartition("-")
    return len(parts) > 2 and "-".join(parts[-3:-1]) == before and parse_view(view) is not None


def refuse_artefact(path: Path, expected: str) -> None:
    """Refuse what is an artefact by its name, where something else is read.

    Raises
    ------
    LayoutError
        It is.
    """
    if path.suffix.lower() in ARTEFACT_SUFFIXES:
        raise LayoutError(
            f"{printable(str(path), 200)} is an HDF5 file; expected {expected}.",
            hint="gaitkit inspect tells what an artefact is and which command reads it.",
        )


def require_readable(path: Path) -> None:
    """Refuse a path at which there is neither a folder nor what may be an archive.

    Raises
    ------
    LayoutError
        Nothing there, a video, an artefact, a single image, or an archive of an unread kind.
    """
    # Not Path.exists, which raises an error for a name that is too long.
    if not os.path.exists(path):
        raise LayoutError(f"There is no file or folder {printable(str(path), 200)}.")
    if path.is_dir():
        return
    if not path.is_file():
        raise LayoutError(f"{path} is neither a folder nor a regular file.")
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        raise LayoutError(
            f"{path} is a video; expected a folder {PATTERN} or an archive of one.",
            hint="Leave the `layout` out: a video of people is segmented, one of masks is read.",
        )
    if suffix in ARRAY_SUFFIXES:
        raise LayoutError(
            f"{path} is a single file of arrays; expected a folder {ARRAYS} or an archive of one."
        )
    refuse_artefact(path, f"frames: a folder {PATTERN} or an archive of one")
    if suffix in IMAGE_SUFFIXES:
        raise LayoutError(
            f"{path} is a single image; expected a folder {PATTERN} or an archive of one."
        )
    if suffix in _UNREAD_ARCHIVES and archive_stem(path.name) is None:
        raise LayoutError(
            f"{path} is an archive of a kind that gaitkit does not read; it reads zip, tar, "
            "tar.gz, tar.bz2 and tar.xz.",
            hint="Unpack it and give the folder.",
        )


def _join(root: str, *parts: str) -> str:
    return "/".join((root.rstrip("/") if len(root) > 1 else root, *parts)).replace("//", "/")


def misplaced(root: Path, seen: Glimpse) -> LayoutError:
    """The error for a folder without a single sequence.

    Parameters
    ----------
    root : Path
        The folder.
    seen : Glimpse
        What is in it.

    Returns
    -------
    LayoutError
        With what was expected, what was found and what to try.
    """
    text = root.as_posix()
    found = seen.image or seen.array
    pattern = ARRAYS if seen.image is None and seen.array is not None else PATTERN
    start = f"found 0 sequences under {text}; expected {_join(text, pattern)}"
    if found is None:
        return _without_images(text, start, seen)
    *folders, _ = found
    where = _join(text, *found)
    if seen.image is not None and is_gei_name(seen.image):
        gei_root = _join(text, *folders[:-2]) if len(folders) > 2 else text
        return LayoutError(
            f"{start}; it holds ready-made GEIs, one image per sequence and view: {where}",
            hint=_read_with(gei_root),
        )
    extra = len(folders) - _LEVELS
    if extra > 0:
        return LayoutError(
            f"{start}; it looks {_levels(extra)} too deep: try {_join(text, *folders[:extra])}"
        )
    if extra == 0:
        return _of_the_other_kind(where, seen) or view_is_no_number(where.rpartition("/")[0])
    if extra == -2 and _is_gei_of_a_view(found):
        return LayoutError(
            f"{start}; these may be ready-made GEIs, one image for each sequence: {where}",
            hint=_GEI_NAMES,
        )
    if parse_view(folders[-1] if folders else root.resolve().name) is not None:
        # What lies above was not given: it may be somebody's home.
        hint = "Give the folder that holds the subjects' folders."
        if extra == -1 and seen.image is not None and not _SEQUENCE.fullmatch(folders[0]):
            hint += " If these are people and views, read them with `layout='folders'`."
        return LayoutError(
            f"{start}; it looks {_levels(-extra)} too shallow: its first {_noun(seen)} is {where}",
            hint=hint,
        )
    told = f"{start}; its first {_noun(seen)} is {where}"
    if len(folders) == 1 and seen.image is not None:
        return LayoutError(told, hint=_PEOPLE_OR_RECORDINGS)
    return LayoutError(told, hint=_other_layouts())


def _is_gei_of_a_view(parts: tuple[str, ...]) -> bool:
    """Whether an image lies in a view's folder and is named as a sequence: 090/001-nm-01.png."""
    stem = PurePosixPath(parts[-1]).stem
    return parse_view(parts[-2]) is not None and bool(_SEQUENCE_OF_SOMEBODY.fullmatch(stem))


def misplaced_in_archive(label: str, seen: Glimpse) -> LayoutError:
    """The error for an archive without a single sequence."""
    start = f"found 0 sequences in {label}; expected {PATTERN} in it, below any folders"
    if seen.image is None and seen.array is None:
        if seen.video is not None:
            return LayoutError(f"{start}; it holds videos: {'/'.join(seen.video)}", hint=_SEGMENT)
        if seen.unread is not None:
            return _unread(start, "/".join(seen.unread))
        return LayoutError(
            f"{start}; there is no image in it",
            hint="Pack the folder that holds the people's folders of frames.",
        )
    found = seen.image or seen.array or ()
    where = "/".join(found)
    if seen.image is not None and is_gei_name(seen.image):
        return LayoutError(
            f"{start}; it holds ready-made GEIs, one image per sequence and view: {where}",
            hint=_read_with(label),
        )
    missing = _LEVELS - len(found) + 1
    if missing <= 0:
        folder = f"{label}/{where.rpartition('/')[0]}"
        return _of_the_other_kind(where, seen) or view_is_no_number(folder)
    return LayoutError(
        f"{start}; its first {_noun(seen)} is {where}: it looks {_levels(missing)} too shallow",
        hint="Pack the folder that holds the subjects' folders.",
    )


def _read_with(path: str) -> str:
    return f"Read them with: gaitkit make-gei {typed(path)} -o gei.h5"


def _unread(start: str, where: str) -> LayoutError:
    """The error where nothing but archives or pictures of unread kinds was found."""
    if suffix_of(where) in _UNREAD_PICTURES:
        return LayoutError(
            f"{start}; it holds pictures of a kind that gaitkit does not read: {where}",
            hint="Convert them to PNG.",
        )
    return LayoutError(
        f"{start}; it holds archives of a kind that gaitkit does not read: {where}",
        hint="Unpack them and give the folder.",
    )


def _noun(seen: Glimpse) -> str:
    return "array" if seen.image is None else "image"


def _of_the_other_kind(where: str, seen: Glimpse) -> LayoutError | None:
    """The error where arrays lie in the right place but images were asked for."""
    if seen.image is not None or parse_view(PurePosixPath(where).parent.name) is None:
        return None
    return LayoutError(
        f"found no images, but arrays, as OpenGait keeps them: {where}",
        hint="Leave `layout` out: they are recognised.",
    )


def _other_layouts() -> str:
    # Imported here: the registry needs this module to look at a path.
    from gaitkit.datasets.layouts import describe_layouts

    known = describe_layouts("frames")
    return f"Other frames are listed in a manifest.\n{known}"


def _levels(count: int) -> str:
    return f"{_WORDS[count]} level{'s' if count > 1 else ''}"


def _without_images(text: str, start: str, seen: Glimpse) -> LayoutError:
    if seen.archive is not None:
        folder = _join(text, *seen.archive[:-1])
        return LayoutError(f"{start}; there are archives in {folder}: try {folder}")
    if seen.video is not None:
        return LayoutError(
            f"{start}; it holds videos: {_join(text, *seen.video)}",
            hint=_SEGMENT,
        )
    if seen.unread is not None:
        return _unread(start, _join(text, *seen.unread))
    if seen.files:
        found = f"there is no image in it, only {counted(seen.files, 'other file')}"
        return LayoutError(f"{start}; {found}", hint=_other_layouts())
    if seen.no_file is not None:
        where = printable(_join(text, *seen.no_file), 200)
        return LayoutError(
            f"{start}; {where} is no file, but a pipe, a socket, a device or a link that leads "
            "nowhere",
            hint="Copy the files themselves there.",
        )
    return LayoutError(
        f"found 0 sequences under {text}: there is no file in it",
        hint="Put there a folder for each person with their videos or folders of frames, "
        f"{_join(text, 'anna', 'monday.mp4')} or {_join(text, 'anna', 'monday', '*.png')}; or a "
        f"data set, {_join(text, PATTERN)}.",
    )


def view_is_no_number(folder: str) -> LayoutError:
    """The error for images in a view folder whose name is not a number of degrees."""
    name = folder.rpartition("/")[2]
    return LayoutError(
        f"the view folder {folder} should be named by a number of degrees (000, 18, 22.5, -30), "
        f"got {name!r}",
        hint=f"Rename it, or list the sequences with their views in {_MANIFEST}.",
    )
