"""What the names of folders and files mean.

The rules, in one place for trees, archives and ready-made GEIs:

- *subject*: any name.
- *sequence*: text, separator and number: ``nm-01``, ``nm_1``, ``nm01`` are take 1 of condition
  ``nm``. A name without a number (``normal``) is take 1 of the condition of that name. A name that
  is only a number (``00``, ``01`` in OU-MVLP) is a take of the condition ``walk``.
- *view*: a number of degrees: ``000``, ``18``, ``22.5``, ``-30``; or ``unknown``.
- Text is brought to Unicode's composed form (NFC), since macOS stores names decomposed.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from gaitkit.arguments import check_name
from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey
from gaitkit.suffixes import ARCHIVE_SUFFIXES, VIDEO_SUFFIXES

__all__ = [
    "ARCHIVE_SUFFIXES",
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "NAMELESS_CONDITION",
    "SPECIAL",
    "UNKNOWN_VIEW",
    "VIDEO_SUFFIXES",
    "archive_stem",
    "clean_text",
    "in_natural_order",
    "is_file",
    "is_folder",
    "is_hidden",
    "is_system_name",
    "is_view",
    "natural_order",
    "noun_of",
    "parse_gei_name",
    "parse_sequence",
    "parse_view",
    "sequence_key",
    "stray_class",
    "suffix_of",
]

IMAGE_SUFFIXES = frozenset(
    {".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".pbm", ".tif", ".tiff", ".webp"}
)
ARRAY_SUFFIXES = frozenset({".pkl", ".pickle", ".npy", ".npz"})
"""Files that hold all frames of a sequence as one array."""

SPECIAL = "pipes, sockets and devices"
"""How what `is_special` says is counted among the strays."""

UNKNOWN_VIEW = "unknown"
"""What the folder of a view is called where nobody knows it; exports write it."""

NAMELESS_CONDITION = "walk"
"""Condition of sequences that are only numbered."""

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx", ".ds_store", "@eadir"})
_SEQUENCE = re.compile(r"(?P<text>.*?)[-_ .]*(?P<number>[0-9]{1,18})", re.DOTALL)
_VIEW = re.compile(r"[+-]?[0-9]{1,6}(\.[0-9]{1,6})?")
_GEI = re.compile(r"(?P<subject>[^-]+)-(?P<sequence>[^-]+(-[0-9]+)?)-(?P<view>-?[0-9.]+)")
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_DIGITS = re.compile(r"([0-9]+)")
_DIGITS_ALIKE = str.maketrans("123456789", "000000000")


def clean_text(name: str) -> str:
    """A name as text that can be stored: composed (NFC), undecodable bytes replaced."""
    if not name.isascii():
        # Halves of characters that stand for no byte are none of a folder's, but of JSON or NumPy.
        name = _HALVES.sub("\ufffd", name)
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", name)


def parse_sequence(name: str) -> tuple[str, int]:
    """Condition and take of a sequence folder.

    Parameters
    ----------
    name : str
        Name of the folder; not empty.

    Returns
    -------
    condition : str
        Never empty.
    take : int
        Not negative.

    Examples
    --------
    >>> parse_sequence("nm-01"), parse_sequence("00"), parse_sequence("normal")
    (('nm', 1), ('walk', 0), ('normal', 1))
    """
    name = clean_text(name)
    match = _SEQUENCE.fullmatch(name)
    if match is None:
        return name, 1
    return match["text"] or NAMELESS_CONDITION, int(match["number"])


def parse_view(name: str) -> float | None:
    """Degrees of a view folder; `None` when the name is not a number.

    Examples
    --------
    >>> parse_view("018"), parse_view("22.5"), parse_view("-30"), parse_view("left")
    (18.0, 22.5, -30.0, None)
    """
    # The sum turns -0.0 into 0.0: one view must not have two names.
    return float(name) + 0.0 if _VIEW.fullmatch(name) else None


def is_view(name: str) -> bool:
    """Whether a folder is named as that of a view, known or not (`UNKNOWN_VIEW`).

    Examples
    --------
    >>> is_view("018"), is_view("unknown"), is_view("left")
    (True, True, False)
    """
    return name == UNKNOWN_VIEW or parse_view(name) is not None


def sequence_key(subject: str, sequence: str, view: float | None) -> SequenceKey:
    """The key that a subject's and a sequence's folder name stand for.

    Raises
    ------
    LayoutError
        A name is longer than any artefact holds: possible in an archive, in no folder.
    """
    subject = clean_text(subject)
    condition, take = parse_sequence(sequence)
    check_name(subject, "the name of a subject", error=LayoutError)
    check_name(condition, "the name of a condition", error=LayoutError)
    return SequenceKey(subject, condition, take, view)


def parse_gei_name(stem: str) -> tuple[str, str, float] | None:
    """Subject, sequence and view in the name of a ready-made GEI, without its suffix.

    Examples
    --------
    >>> parse_gei_name("001-nm-01-090")
    ('001', 'nm-01', 90.0)
    >>> parse_gei_name("001-nm-01-090-001") is None  # a frame, not a GEI
    True
    """
    match = _GEI.fullmatch(stem)
    view = parse_view(match["view"]) if match else None
    return None if match is None or view is None else (match["subject"], match["sequence"], view)


def natural_order(name: str) -> tuple[tuple[int | str, ...], str]:
    """A sort key that counts: ``frame-2.png`` comes before ``frame-10.png``.

    Names with equal widths of numbers, as in CASIA-B, sort as text does.

    Examples
    --------
    >>> sorted(["10.png", "2.png", "1.png"], key=natural_order)
    ['1.png', '2.png', '10.png']
    """
    parts = _DIGITS.split(name)
    # Text and numbers alternate, so that parts at the same place always compare.
    return tuple(int(part) if odd % 2 else part for odd, part in enumerate(parts)), name


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names as they are on the disk, sorted by `natural_order` of their clean text.

    Examples
    --------
    >>> in_natural_order(["walk-10.png", "walk-9.png"]), in_natural_order(["02.png", "01.png"])
    (['walk-9.png', 'walk-10.png'], ['01.png', '02.png'])
    """
    found = list(names)
    alike = {name.translate(_DIGITS_ALIKE) for name in found}
    # The same text and widths of numbers: a tenth of the cost, and every frame is asked.
    if len(alike) < 2 and all(name.isascii() for name in alike):
        return sorted(found)
    return sorted(found, key=lambda name: natural_order(clean_text(name)))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or belongs to the operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def is_folder(entry: os.DirEntry[str] | Path) -> bool:
    """Whether something in a folder is one; False for a link that leads round in circles."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str] | Path) -> bool:
    """Whether something in a folder is a file; False for a link that leads round in circles."""
    try:
        return entry.is_file()
    except OSError:
        return False


def suffix_of(name: str) -> str:
    """Suffix of a file in small letters: ``.png``; empty where there is none.

    As `pathlib` has it, at a tenth of the cost: it is asked of every frame.
    """
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def archive_stem(name: str) -> str | None:
    """Name of an archive without its suffix; `None` when it is not named like an archive."""
    lower = name.lower()
    for suffix in ARCHIVE_SUFFIXES:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def noun_of(suffixes: frozenset[str]) -> str:
    """What files of these suffixes are, for people: images or arrays."""
    return "arrays" if suffixes == ARRAY_SUFFIXES else "images"


def is_system_name(name: str) -> bool:
    """Whether a file or folder is one that an operating system leaves anywhere."""
    return name.lower() in _SYSTEM_FILES


def stray_class(name: str, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> str:
    """How a file that is not a frame of a sequence is counted; `suffixes` are those of frames."""
    if is_system_name(name):
        return "system files"
    if name.startswith("."):
        return "hidden files"
    if archive_stem(name) is not None:
        return "archives"
    suffix = suffix_of(name)
    noun = noun_of(suffixes)
    return f"{noun} at another depth" if suffix in suffixes else f"files that are not {noun}"
