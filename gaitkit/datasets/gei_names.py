"""What the names of ready-made GEIs mean: one image for each sequence and view.

People name them in a few ways, and one set is named in one way throughout. So all names are looked
at together: `gei_keys` takes the way that explains most of them.

- ``001/nm-01/001-nm-01-090.png``, also ``nm-01-090.png`` or ``090.png`` there;
- ``090/001-nm-01.png``: a folder for each view;
- ``001/nm-01.png``, ``001/nm-01-090.png``: a folder for each subject;
- ``001-nm-01-090.png`` alone, or in a folder of any name that does not contradict it.

A view may be ``unknown``, or missing where it has a place of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

from gaitkit.datasets.naming import parse_gei_name, parse_view, sequence_key
from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey

__all__ = ["EXPECTED", "GeiForm", "Parts", "choose_form", "look_like_frames"]

EXPECTED = "001/nm-01/001-nm-01-090.png"
"""The usual name, by example."""

Parts = tuple[str, ...]
"""Folders and name of an image."""

_UNKNOWN = "unknown"
_MOST_VIEWS = 72
_LEAST_STEP_DEGREES = 5.0
_MOST_TAKES = 12
_WITH_DASH = re.compile(
    r"(?P<subject>[^-]+)-(?P<sequence>[^-]*[^-0-9][^-]*(-[0-9]+)?|[0-9]+)-"
    r"(?P<view>-?[0-9.]+|unknown)"
)
_WITH_LINE = re.compile(
    r"(?P<subject>[^_]+)_(?P<sequence>[^_]*[^_0-9][^_]*(_[0-9]+)?|[0-9]+)_"
    r"(?P<view>-?[0-9.]+|unknown)"
)
_OF_SUBJECT = re.compile(r"(?P<subject>[^-_]+)[-_](?P<sequence>[^-_]*[^-_0-9][^-_]*([-_]?[0-9]+)?)")
_OF_SEQUENCE = re.compile(
    r"(?P<sequence>[^-_]*[^-_0-9][^-_]*([-_]?[0-9]+)?)([-_](?P<view>-?[0-9.]+|unknown))?"
)
_SEQUENCE = re.compile(r"[^-_0-9]+[-_][0-9]+")
_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>[0-9]+)", re.DOTALL)


class GeiForm(NamedTuple):
    """A way to name ready-made GEIs.

    Attributes
    ----------
    example : str
        The name of one.
    levels : int
        Parts of a path that count: the name and the folders above it.
    key : callable
        From these parts to a key, or to `None` where the name is of another form.
    """

    example: str
    levels: int
    key: Callable[[Parts], SequenceKey | None]


def _view(text: str) -> tuple[bool, float | None]:
    """Whether a text is a view, and its degrees."""
    if text.lower() == _UNKNOWN:
        return True, None
    view = parse_view(text)
    return view is not None, view


def _stem(parts: Parts) -> str:
    return PurePosixPath(parts[-1]).stem


def _named(stem: str) -> tuple[str, str, float | None] | None:
    """Subject, sequence and view in a name that has all three."""
    found = parse_gei_name(stem)
    if found is not None:
        return found
    match = _WITH_DASH.fullmatch(stem) or _WITH_LINE.fullmatch(stem)
    is_view, view = _view(match["view"]) if match else (False, None)
    return (match["subject"], match["sequence"], view) if match and is_view else None


def _contradiction(parts: Parts, named: str, lies: str) -> LayoutError:
    return LayoutError(
        f"the image {'/'.join(parts)} is named as {named} and lies in {lies}: which one is right?",
        hint=f"Expected is {EXPECTED}, the name agreeing with the folders.",
    )


def _in_sequence_folder(parts: Parts) -> SequenceKey | None:
    subject, sequence = parts[-3:-1]
    stem = _stem(parts)
    if len(parts) > 3 and _SEQUENCE.fullmatch(subject) and parse_view(sequence) is not None:
        return None  # 001/nm-01/090/001.png is a frame.
    for before in (f"{subject}-{sequence}-", f"{subject}_{sequence}_", f"{sequence}-", ""):
        if stem.startswith(before):
            is_view, view = _view(stem.removeprefix(before))
            if is_view:
                return sequence_key(subject, sequence, view)
    if stem == f"{subject}-{sequence}":
        return sequence_key(subject, sequence, None)
    named = parse_gei_name(stem)
    if named is not None:
        raise _contradiction(parts, f"{named[0]}/{named[1]}", f"{subject}/{sequence}")
    return None


def _of_a_full_name(parts: Parts) -> SequenceKey | None:
    named = _named(_stem(parts))
    if named is None:
        return None
    if len(parts) > 1:
        folder, number = parts[-2], parse_view(parts[-2])
        agrees = folder in (named[0], named[1]) or (number is not None and number == named[2])
        if number is not None and not agrees:
            if not any(mark in named[1] for mark in "-_"):
                return None  # 090/001-nm-01 has a view, which is the folder.
            raise _contradiction(parts, "/".join(map(str, named)), folder)
        above = parts[-3] if len(parts) > 2 else ""
        if folder == named[1] and above.isdigit() and named[0].isdigit() and above != named[0]:
            raise _contradiction(parts, f"{named[0]}/{named[1]}", f"{above}/{folder}")
    return sequence_key(*named)


def _in_view_folder(parts: Parts) -> SequenceKey | None:
    view = parse_view(parts[-2])
    match = _OF_SUBJECT.fullmatch(_stem(parts))
    if view is None or match is None or not (view == 0 or 4 < abs(view) <= 360):
        return None
    return sequence_key(match["subject"], match["sequence"], view)


def _in_subject_folder(parts: Parts, *, take: bool = True) -> SequenceKey | None:
    subject = parts[-2]
    if len(parts) > 2 and _SEQUENCE.fullmatch(subject):
        return None  # The folder of a sequence, below that of a subject.
    stem = _stem(parts)
    for mark in "-_":
        stem = stem.removeprefix(f"{subject}{mark}")
    return _of_sequence(subject, stem, take=take)


def _alone(parts: Parts, *, take: bool = True) -> SequenceKey | None:
    match = _OF_SUBJECT.fullmatch(_stem(parts))
    return None if match is None else _of_sequence(match["subject"], match["sequence"], take=take)


def _of_sequence(subject: str, text: str, *, take: bool) -> SequenceKey | None:
    match = _OF_SEQUENCE.fullmatch(text)
    if match is None:
        return None
    is_view, view = _view(match["view"] or _UNKNOWN)
    if not is_view:
        return None
    last = text.rpartition("-" if "-" in text else "_")
    if match["view"] is None and not take and last[0] and parse_view(last[2]) is not None:
        return sequence_key(subject, last[0], parse_view(last[2]))
    return sequence_key(subject, match["sequence"], view)


_SEQUENCE_FOLDER = GeiForm(EXPECTED, 3, _in_sequence_folder)
_FULL_IN_FOLDER = GeiForm("any/001-nm-01-090.png", 2, _of_a_full_name)
_VIEW_FOLDER = GeiForm("090/001-nm-01.png", 2, _in_view_folder)
_SUBJECT_FOLDER = GeiForm("001/nm-01.png", 2, _in_subject_folder)
_SUBJECT_FOLDER_VIEWS = GeiForm(
    "001/nm-090.png", 2, lambda parts: _in_subject_folder(parts, take=False)
)
_FULL_ALONE = GeiForm("001-nm-01-090.png", 1, _of_a_full_name)
_ALONE = GeiForm("001-nm-01.png", 1, _alone)


def choose_form(images: Sequence[Parts], *, depth: int | None = None) -> GeiForm | None:
    """The way in which most of some images are named.

    Parameters
    ----------
    images : sequence of tuple of str
        Folders and name of each.
    depth : int, optional
        Parts that all paths have, where there may be no other folders above; only ways of so many
        parts are thought of.

    Returns
    -------
    GeiForm or None
        `None` where no name is one of a GEI.

    Examples
    --------
    >>> form = choose_form([("090", "001-nm-01.png"), ("090", "002-nm-01.png")])
    >>> form.example, str(form.key(("090", "001-nm-01.png")))
    ('090/001-nm-01.png', '001/nm-01/090')
    >>> choose_form([("holiday", "1.png")]) is None
    True
    """
    forms = _possible(images, depth)
    for contradictions in (False, True):
        counts = {form: _explained(form, images, contradictions) for form in forms}
        best = max(counts, key=counts.__getitem__, default=None)
        if best is not None and counts[best]:
            return best
    return None


def _possible(images: Sequence[Parts], depth: int | None) -> list[GeiForm]:
    """Ways to name these images, the likeliest first."""
    forms = [_SEQUENCE_FOLDER]
    takes = _are_takes([parts[-1] for parts in images])
    full = [_FULL_IN_FOLDER, _FULL_ALONE]
    # In 001-nm-01 the last number counts, in 001-nm-090 it is a view.
    forms += [] if takes else full
    within = [parts[-2:] for parts in images if len(parts) > 1]
    # What lies above the folder of a view or subject must be one folder: else that is none.
    if len({parts[:-2] for parts in images if len(parts) > 1}) == 1:
        if _are_views({folder for folder, _ in within}) and not all(
            name.startswith(folder) for folder, name in within
        ):
            forms.append(_VIEW_FOLDER)
        forms.append(_SUBJECT_FOLDER if takes else _SUBJECT_FOLDER_VIEWS)
    forms += [_ALONE, *full] if takes else []
    return [form for form in forms if depth in (None, form.levels)]


def _explained(form: GeiForm, images: Sequence[Parts], contradictions: bool) -> int:
    count = 0
    for parts in images:
        if len(parts) < form.levels:
            continue
        try:
            count += form.key(parts) is not None
        except LayoutError:
            count += contradictions  # Whoever reads it is told of it.
    return count


def _are_views(texts: set[str]) -> bool:
    """Whether texts are degrees between which a set of cameras may stand."""
    views = sorted({view for text in texts if (view := parse_view(text)) is not None})
    return (
        0 < len(views) <= _MOST_VIEWS
        and views[0] >= -360
        and views[-1] <= 360
        and all(later - earlier >= _LEAST_STEP_DEGREES for earlier, later in pairwise(views))
    )


def _are_takes(names: Sequence[str]) -> bool:
    """Whether the numbers at the end of names such as ``nm-01`` count takes and are no views."""
    numbers = {
        int(match["number"])
        for name in names
        if (match := _NUMBERED.fullmatch(PurePosixPath(name).stem)) and len(match["number"]) < 7
    }
    if not numbers or numbers == {0}:
        return not numbers
    return max(numbers) <= _MOST_TAKES or not _are_views({str(number) for number in numbers})


def look_like_frames(names: Sequence[str]) -> bool:
    """Whether images in one folder count on and on, as the frames of a walk do.

    Examples
    --------
    >>> look_like_frames([f"{number:03d}.png" for number in range(30)])
    True
    >>> look_like_frames(["000.png", "018.png", "036.png"]), look_like_frames(["nm-01.png"])
    (False, False)
    """
    numbers: dict[str, set[int]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(PurePosixPath(name).stem)
        if match is not None and len(match["number"]) < 19:
            numbers.setdefault(match["before"], set()).add(int(match["number"]))
    for before, found in numbers.items():
        order = sorted(found)
        steps = [later - earlier for earlier, later in pairwise(order)]
        if before and len(order) <= _MOST_TAKES:
            continue
        if len(order) > _MOST_VIEWS or (steps and min(steps) < _LEAST_STEP_DEGREES):
            return True
    return False
