"""Encoded frames of one sequence to greys, and what all of them together say about it.

Some things no single frame tells: what white is in dark pictures of 16 bits, and whether a folder
is of photos, or of black people on white, rather than one odd frame in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.datasets.sources import Frame, Unreadable
from gaitkit.likeness import flipped, likeness
from gaitkit.png import MOST_OPEN, Decoded, DecodeError, as_bytes, decode
from gaitkit.silhouettes.options import SilhouetteOptions

__all__ = ["SequencePictures"]

_PHOTOS, _INVERTED, _LEVELS = 0.4, 0.8, 1 / 3
"""Shares of the frames: more photos, or as many of the other polarity, are the whole sequence."""

_PHOTO = "shaded within, as photos and maps of parts are"
_DARK_ON_BRIGHT = "a dark figure on bright"
_BRIGHT_ON_DARK = "a bright figure on dark, which `invert=True` would turn"


class SequencePictures:
    """The frames of a sequence, decoded one by one; iterate once, then ask.

    Parameters
    ----------
    frames : iterable of (name, bytes, array or Unreadable)
        As a source gives them.
    options : SilhouetteOptions
        `invert` and `alignment` are used.

    Attributes
    ----------
    dropped : list of (frame, reason, detail)
        Frames that were not passed on.
    """

    def __init__(self, frames: Iterable[Frame], options: SilhouetteOptions) -> None:
        self._frames = frames
        self._options = options
        self._kinds: Counter[str] = Counter()
        self._brightest = 0
        self.dropped: list[tuple[str, str, str]] = []

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for name, greys, is_aligned in self._decoded():
            if is_aligned or self._is_usable(name, greys):
                yield name, greys

    @property
    def verdict(self) -> tuple[str, str] | None:
        """Why the whole sequence cannot be used, as reason and detail; `None` where it can."""
        kinds, shown = self._kinds, self._shown
        if kinds["photo"] > _PHOTOS * shown:
            return "not-silhouettes", f"{kinds['photo']} of {shown} frames are {_PHOTO}"
        if kinds["inverted"] and kinds["inverted"] >= _INVERTED * shown:
            return "inverted", f"{kinds['inverted']} of {shown} frames show {self._other_way}"
        return None

    @property
    def warnings(self) -> list[str]:
        """What the user should look at, where the sequence is used."""
        kinds, shown, told = self._kinds, self._shown, []
        if kinds["inverted"]:
            told.append(
                f"{kinds['inverted']} of {shown} frames show {self._other_way} and were dropped"
            )
        if kinds["photo"]:
            told.append(f"{kinds['photo']} of {shown} frames are {_PHOTO} and were dropped")
        if kinds["levels"] > _LEVELS * shown:
            told.append(
                f"{kinds['levels']} of {shown} frames have several flat greys; those of at most "
                "half the brightest count as background"
            )
        return told

    @property
    def _shown(self) -> int:
        return sum(self._kinds.values())

    @property
    def _other_way(self) -> str:
        return _BRIGHT_ON_DARK if self._options.invert else _DARK_ON_BRIGHT

    def _is_usable(self, name: str, greys: NDArray[np.uint8]) -> bool:
        kind = likeness(flipped(greys) if self._options.invert else greys)
        if kind == "blank":
            return True  # Nobody there: it says nothing about the others.
        self._kinds[kind] += 1
        if kind == "photo":
            self.dropped.append((name, "not-silhouettes", _PHOTO))
        elif kind == "inverted":
            self.dropped.append((name, "inverted", self._other_way))
        else:
            return True
        return False

    def _decoded(self) -> Iterator[tuple[str, NDArray[np.uint8], bool]]:
        """Name and greys, and whether nobody is to judge them: they are aligned already."""
        waiting: list[tuple[str, bytes | NDArray[np.uint8]]] = []
        for name, data in self._frames:
            if isinstance(data, Unreadable):
                self.dropped.append((name, "undecodable", data.why))
                continue
            try:
                found = _decoded(data)
            except DecodeError as error:
                self.dropped.append((name, error.reason, str(error)))
                continue
            if found.bits == 8 and not waiting:
                yield name, self._final(found), self._is_aligned(data)
                continue
            self._brightest = max(self._brightest, found.brightest)
            if waiting or (found.is_open and self._brightest <= MOST_OPEN):
                # Decoded once more when it is known what is white: as they are, they are small.
                waiting.append((name, data))
                if self._brightest > MOST_OPEN:
                    yield from self._released(waiting)
                continue
            yield name, self._final(found), self._is_aligned(data)
        yield from self._released(waiting)

    def _released(
        self, waiting: list[tuple[str, bytes | NDArray[np.uint8]]]
    ) -> Iterator[tuple[str, NDArray[np.uint8], bool]]:
        for name, data in waiting:
            yield name, self._final(_decoded(data)), self._is_aligned(data)
        waiting.clear()

    def _final(self, found: Decoded) -> NDArray[np.uint8]:
        return as_bytes(found.greys, self._brightest)

    def _is_aligned(self, data: bytes | NDArray[np.uint8]) -> bool:
        return isinstance(data, np.ndarray) and self._options.alignment == "given"


def _decoded(data: bytes | NDArray[np.uint8]) -> Decoded:
    return Decoded(data) if isinstance(data, np.ndarray) else decode(data)
