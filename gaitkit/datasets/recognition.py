"""What was recognised, in one line, and what cannot be what it was taken for.

Depth alone tells little: in ``Silhouette_000-00/Silhouette_000-00/00001`` three folders lie over
the frames as they do in CASIA-B, and the people's numbers would become degrees. So names are looked
at once more when all of them are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey, format_view, is_direction, sequence_name
from gaitkit.printable import LETTERS, printable, quoted

__all__ = ["MAX_VIEWS", "in_words", "refuse_implausible", "told_keys"]

MAX_VIEWS = 720
"""More views than this, every half degree, are no views."""

_FEW = 4
_OF_OUMVLP = re.compile(r"silhouettes?[-_]\d{3}[-_]\d{2}", re.IGNORECASE)
_DATA_SETS = re.compile(
    r"(casia|ou[-_ ]?(isir|mvlp|lp)|gait|silhouettes?|dataset).*"
    r"|(grew|silh|data|frames|images|masks|train|test)([^a-z].*)?",
    re.IGNORECASE,
)
_WALKS = re.compile(r"(nm|bg|cl|fn|fs|fq|fb)", re.IGNORECASE)


def in_words(items: Sequence[str], noun: str, *, none: str = "") -> str:
    """Names in a few words, however many they are.

    Parameters
    ----------
    items : sequence of str
        In order.
    noun : str
        What they are, in the plural.
    none : str
        What to say where there are none.

    Examples
    --------
    >>> in_words(["000", "090"], "views"), in_words([str(n) for n in range(14)], "views")
    ('views 000 and 090', '14 views from 0 to 13')
    """
    if not items:
        return none
    shown = [printable(item, LETTERS // 2) for item in items[:_FEW]]
    if len(items) > _FEW:
        last = printable(items[-1], LETTERS // 2)
        return f"{len(items):,} {noun} from {shown[0]} to {last}"
    listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"{noun.removesuffix('s') if len(items) == 1 else noun} {listed}"


def told_keys(
    title: str,
    keys: Iterable[SequenceKey],
    *,
    noun: str = "sequences",
    name_of: Callable[[SequenceKey], str] | None = None,
    person: Callable[[SequenceKey], str] | None = None,
) -> str:
    """What a data set holds, in one line.

    Parameters
    ----------
    title : str
        Whose layout it is.
    keys : iterable of SequenceKey
        Its sequences.
    noun : str
        What tells sequences of a person and view apart.
    name_of : callable, optional
        The name of that; by default CASIA-B's name of the sequence.
    person : callable, optional
        The subject; empty where nobody knows.

    Examples
    --------
    >>> told_keys("CASIA-B", [SequenceKey("001", "nm", take, 90.0) for take in (1, 2)])
    'CASIA-B, 1 subject, view 90, sequences nm-01 and nm-02'
    """
    subjects: set[str] = set()
    views: set[float | None] = set()
    names: set[str] = set()
    for key in keys:
        subjects.add(person(key) if person else key.subject)
        views.add(key.view)
        names.add(name_of(key) if name_of else sequence_name(key.condition, key.take))
    subjects.discard("")
    known = sorted(view for view in views if view is not None)
    degrees = [_short(view) for view in known]
    seen = in_words(degrees, "views", none="no views")
    if known and None in views:
        seen += ", some unknown"
    people = f"{len(subjects):,} subject{'' if len(subjects) == 1 else 's'}"
    named = in_words(sorted(names - {""}), noun)
    return ", ".join(part for part in (title, people, seen, named) if part)


def _short(view: float) -> str:
    return format_view(view).lstrip("0") or "0" if view >= 0 else f"{view:g}"


def refuse_implausible(keys: Iterable[SequenceKey], path: Path, place: str) -> None:
    """Raise where names were read by their depth and cannot be what they were taken for.

    Parameters
    ----------
    keys : iterable of SequenceKey
        Of a data set of folders subject, sequence and view.
    path : Path
        Where it is.
    place : str
        The folder of the first sequence, for the message.

    Raises
    ------
    LayoutError
        A view beyond the circle, hundreds of views, people called as OU-MVLP's archives are, or
        one person called as a data set.
    """
    subjects: dict[str, None] = {}
    views: set[float] = set()
    walks: set[str] = set()
    for key in keys:
        subjects[key.subject] = None
        walks.add(key.condition)
        if key.view is not None:
            views.add(key.view)
    shown = printable(str(path), 120)
    archive = next((name for name in subjects if _OF_OUMVLP.fullmatch(name)), None)
    if archive is not None:
        raise LayoutError(
            f"{shown} looks like OU-MVLP as it is distributed: {archive} is no subject, but a view "
            "and a sequence.",
            hint="Read it with `layout='ou-mvlp'`.",
        )
    far = max(views, key=abs, default=0.0)
    if not is_direction(far) or len(views) > MAX_VIEWS:
        what = (
            f"{_short(far)} is no view in degrees"
            if not is_direction(far)
            else f"{len(views):,} different numbers are no views in degrees"
        )
        raise LayoutError(
            f"{shown} has folders as in {printable(place, 120)}, but {what}: the lowest folders "
            "look like numbers of people or of recordings.",
            hint="List the sequences in a manifest, a CSV file that begins with "
            "path,subject,condition,take,view.",
        )
    if len(subjects) == 1:
        (name,) = subjects
        if _DATA_SETS.fullmatch(name) and not any(_WALKS.fullmatch(walk) for walk in walks):
            below = "its folder" if not path.is_dir() else printable(str(path / name), 120)
            unpacked = "" if path.is_dir() else "Unpack it. "
            raise LayoutError(
                f"{shown} would have one subject, {quoted(name)}; that looks like the name of a "
                f"data set, with people and views in it: {printable(place, 120)}",
                hint=f"{unpacked}Give {below} with `layout='folders'` to read people and views.",
            )
