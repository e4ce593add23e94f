"""Where frames come from: the interface that every reader has, and the choice of a reader.

A source is cut into units of work. Which sequences a unit holds depends on the data alone, never
on the number of workers, so each unit's result can be kept and used again. A unit carries what is
needed to read it; a source is light, travels to worker processes by pickling and opens its files
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.labels import SequenceKey

if TYPE_CHECKING:
    from gaitkit.datasets.archives.limits import Limits

__all__ = ["Frame", "FrameSource", "SequenceFrames", "Unit", "open_source"]

Frame = tuple[str, bytes | NDArray[np.uint8]]
"""A frame's name and its encoded bytes, or its grey values where it comes out of a video."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work: some sequences of a source. Picklable.

    Attributes
    ----------
    index : int
        Counts the units of the source from 0.
    label : str
        For people: what the unit holds.
    work : tuple
        For the source alone: where the unit's sequences are.
    """

    index: int
    label: str
    work: tuple[Any, ...] = ()


@dataclass(frozen=True)
class SequenceFrames:
    """One sequence, its frames still unread.

    Attributes
    ----------
    key : SequenceKey
        Who, how, which time, seen from where.
    frames : iterable of (str, bytes or ndarray of uint8)
        Name (without folders) and content of each frame, in natural order of the names: ``2.png``
        before ``10.png``. Iterate before asking the source for the next sequence; each frame is
        read when its turn comes.
    ignored : mapping of str to int
        Strays met on the way to this sequence that the source could not count beforehand (inside
        an archive within an archive). Add them to the source's own.
    """

    key: SequenceKey
    frames: Iterable[Frame]
    ignored: Mapping[str, int] = field(default_factory=dict)


class FrameSource(Protocol):
    """What a stage needs of a data set.

    Attributes
    ----------
    name : str
        Name of the data set.
    description : str
        For people: what is read and from where.
    ignored : mapping of str to int
        Strays that were passed over, counted by class; complete once `units` has returned.
    """

    @property
    def name(self) -> str:
        """Name of the data set."""
        ...

    @property
    def description(self) -> str:
        """What is read and from where."""
        ...

    @property
    def ignored(self) -> Mapping[str, int]:
        """Counts of strays by class."""
        ...

    def units(self) -> Sequence[Unit]:
        """Check the layout and cut the source into units."""
        ...

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The sequences of a unit in order of key."""
        ...


def open_source(
    path: Path | str, *, name: str | None = None, limits: Limits | None = None
) -> FrameSource:
    """Choose the reader for a CASIA-B-shaped tree or an archive of one.

    Parameters
    ----------
    path : Path
        A folder ``subject/sequence/view/*.png``; a zip, tar, tar.gz, tar.bz2 or tar.xz of such a
        folder; or a folder, zip or tar of such archives, as CASIA-B is distributed. Archives are
        recognised by their content and read in place.
    name : str, optional
        Name of the data set; by default that of a synthetic tree, or of the folder or archive.
    limits : Limits, optional
        Bounds on what an archive may expand to.

    Returns
    -------
    FrameSource
        The layout has not been looked at yet: `FrameSource.units` does that.

    Raises
    ------
    LayoutError
        There is nothing at `path`, or something that is neither a folder nor an archive.
    """
    from gaitkit.datasets.casia_b import TreeSource
    from gaitkit.datasets.layout import holds_archives, require_readable

    path = Path(path)
    require_readable(path)
    if path.is_dir() and not holds_archives(path):
        return TreeSource(path, name=name)
    from gaitkit.datasets.archives.limits import LIMITS
    from gaitkit.datasets.packed import open_packed

    return open_packed(path, name=name, limits=limits or LIMITS)
