"""When the frames were recorded, as far as their names tell.

A detector that finds nobody often leaves no file. Then the place in the list is not the time, and
a gait period that is measured in places is too short; but the numbers in the names still tell
which frames are missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_times"]

_NUMBER = re.compile(r"[0-9]+")
_DECIMALS = "0123456789"
_DIGITS = 18  # What surely fits into 64 bits.
# Numbers of which few are there are no frame numbers but, say, milliseconds with some jitter.
_WIDEST_STEP = 4
_EMPTIEST = 4
_SLACK = 1000


def frame_times(names: Sequence[str]) -> NDArray[np.int32]:
    """Time of each frame of a sequence, in frames, told by the numbers in the names.

    The names must be alike but for numbers, such as ``001-nm-01-090-004.png`` or
    ``frame_12_mask.png``; the last number that increases from each frame to the next is taken.
    Numbers with a common step (every second frame was kept: 2, 4, 6) are divided by it: nothing
    tells a recording that was thinned out from one that counts in twos, and the period is in
    frames that are there. Where no number increases, or hardly any of the numbers between first and
    last is there (timestamps), frames count as they come.

    Parameters
    ----------
    names : sequence of str
        In order of time; a suffix such as ``.png`` is no part of the number.

    Returns
    -------
    ndarray of int32, shape (n,)
        Strictly increasing from 0; at most 1,000 + 4 n.

    Examples
    --------
    >>> frame_times(["walk-07.png", "walk-08.png", "walk-11.png"]).tolist()
    [0, 1, 4]
    >>> frame_times(["2.png", "4.png", "8.png"]).tolist()
    [0, 1, 3]
    >>> frame_times(["a.png", "b.png", "c.png"]).tolist()
    [0, 1, 2]
    """
    places = np.arange(len(names), dtype=np.int32)
    if len(names) < 2:
        return places
    for numbers in _increasing(names):
        steps = np.diff(numbers)
        if (steps == steps[0]).all():
            return places
        common = int(np.gcd.reduce(steps))
        times = (numbers - numbers[0]) // common
        few = float(np.median(steps)) > _WIDEST_STEP * common
        if few or int(times[-1]) > _EMPTIEST * len(names) + _SLACK:
            return places
        return np.asarray(times, np.int32)
    return places


def _increasing(names: Sequence[str]) -> list[NDArray[np.int64]]:
    """The numbers in the names that increase strictly, the last in the name first."""
    only = _only_number(names)
    if only is not None:
        return [only] if (np.diff(only) > 0).all() else []
    stems = [_stem(name) for name in names]
    patterns = {_NUMBER.sub("#", stem) for stem in stems}
    if len(patterns) != 1:
        return []
    found = []
    for column in zip(*(_NUMBER.findall(stem) for stem in stems), strict=True):
        if max(map(len, column)) <= _DIGITS:
            numbers = np.array([int(text) for text in column], np.int64)
            if (np.diff(numbers) > 0).all():
                found.append(numbers)
    return found[::-1]


def _only_number(names: Sequence[str]) -> NDArray[np.int64] | None:
    """The number in which names differ, if they differ in one only: nearly always, and fast."""
    before = len(_shared_start(names).rstrip(_DECIMALS))
    after = len(_shared_start([name[:before:-1] for name in names])[::-1].lstrip(_DECIMALS))
    texts = [name[before : len(name) - after] for name in names]
    if not all(text.isascii() and text.isdecimal() for text in texts):
        return None
    if max(map(len, texts)) > _DIGITS:
        return None
    return np.array(list(map(int, texts)), np.int64)


def _shared_start(texts: Sequence[str]) -> str:
    """With what all texts start: what the first and the last in order start with."""
    first, last = min(texts), max(texts)
    differ = (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]


def _stem(name: str) -> str:
    """A name without its suffixes: those that hold a letter first (``.png``, not ``.25``)."""
    while True:
        stem, dot, suffix = name.rpartition(".")
        if not (dot and stem and suffix[:1].isalpha() and len(suffix) <= 5):
            return name
        name = stem
