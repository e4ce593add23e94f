"""Sets of silhouettes, one for each sequence: what an embedder of sets learns from.

The frames lie in an artefact, compressed, or in memory. Of an artefact as many sequences stay in
memory, once read, as are allowed to; the others are read again whenever they are drawn. What is
drawn is the same either way, to the byte.

A frame of 64×64 pixels is kept as 64×44 bytes, 2.8 KB, as networks see no more of it. CASIA-B's 1.1
million frames are 3.1 GB, those of its 74 training people 1.9 GB; nothing else grows with them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.arguments import as_path, check_name, names_told
from gaitkit.artifacts import Artifact, TrainedOn, open_artifact
from gaitkit.display import html_table
from gaitkit.errors import DamagedArtifactError, MixtureError, OptionError
from gaitkit.labels import Labels
from gaitkit.memory import free_memory_bytes
from gaitkit.printable import counted
from gaitkit.silhouettes.masks import as_greys
from gaitkit.training.geis import first_difference, label_columns, preprocessing_of
from gaitkit.training.images import seen_columns

__all__ = ["FramesInFile", "FramesInMemory", "MeanFrame", "SilhouetteSet", "evenly"]

_FRAMES_AT_ONCE = 1024
"""Frames of a sequence in memory at a time, where it is not kept there."""


class Frames(Protocol):
    """Frames of sequences.

    Attributes
    ----------
    image_size : tuple of int
        Height and width, pixels, before the columns that no network sees are cut off.
    lengths : ndarray of int64
        Frames of each sequence.
    """

    @property
    def image_size(self) -> tuple[int, int]: ...

    @property
    def lengths(self) -> NDArray[np.int64]: ...

    def some(self, row: int, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some frames of a sequence, without the columns that no network sees."""

    def blocks(self, row: int, most: int) -> Iterator[NDArray[np.uint8]]:
        """All frames of a sequence in order, or `most` of them evenly taken, some at a time."""


def evenly(length: int, most: int) -> NDArray[np.int64]:
    """Places of up to `most` of so many frames, as far from each other as can be.

    Examples
    --------
    >>> evenly(3, 5).tolist(), evenly(10, 4).tolist()
    ([0, 1, 2], [0, 2, 5, 7])
    """
    if length <= most:
        return np.arange(length)
    return np.arange(most) * length // most


class MeanFrame:
    """The mean of frames that come some at a time, whatever their order, to the bit.

    Examples
    --------
    >>> mean = MeanFrame()
    >>> for grey in (0, 255, 255, 255):
    ...     mean.add(np.full((1, 2, 2), grey, dtype=np.uint8))
    >>> mean.value[0, 0].item()
    0.75
    """

    def __init__(self) -> None:
        self._sum: NDArray[np.int64] = np.zeros((), dtype=np.int64)
        self._count = 0

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Frames of shape (n, height, width), of grey values 0..255."""
        self._sum = self._sum + frames.sum(axis=0, dtype=np.int64)
        self._count += len(frames)

    @property
    def value(self) -> NDArray[np.float32]:
        """In [0, 1], shape (height, width)."""
        return np.asarray(self._sum / (255.0 * self._count), dtype=np.float32)


class FramesInMemory:
    """Frames in arrays.

    Parameters
    ----------
    sequences : sequence of ndarray of uint8, shape (frames, height, width)
        Of one size, each with a frame at least.
    """

    def __init__(self, sequences: Sequence[NDArray[np.uint8]]) -> None:
        self.image_size: tuple[int, int] = sequences[0].shape[1], sequences[0].shape[2]
        self.lengths = np.array([len(its) for its in sequences], dtype=np.int64)
        columns = seen_columns(*self.image_size)
        self._sequences = [its[:, :, columns] for its in sequences]

    def some(self, row: int, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Frames`."""
        return self._sequences[row][which]

    def blocks(self, row: int, most: int) -> Iterator[NDArray[np.uint8]]:
        """See `Frames`."""
        frames = self._sequences[row]
        yield frames if len(frames) <= most else frames[evenly(len(frames), most)]


class FramesInFile:
    """Frames in an artefact, of which some sequences stay in memory. Several threads may read.

    Parameters
    ----------
    artifact : Artifact
        The silhouettes; open for as long as this is used.
    memory_bytes : int
        How much memory the sequences that stay there may take.

    Raises
    ------
    DamagedArtifactError
        The frames are no silhouettes, or do not belong to the sequences.
    """

    def __init__(self, artifact: Artifact, memory_bytes: int = 0) -> None:
        shape, dtype = artifact.shape("frames"), artifact.dtype("frames")
        starts, lengths = artifact.read("start"), artifact.read("length")
        count = len(artifact.labels)
        whole = all(
            column.dtype.kind in "iu" and column.shape == (count,) for column in (starts, lengths)
        )
        if dtype != np.uint8 or len(shape) != 3 or not whole:
            raise DamagedArtifactError(
                f"{artifact.path} is not a well-formed artefact: its frames are {dtype} of shape "
                f"{shape}, in sequences of {lengths.dtype}, for {counted(count, 'label')}."
            )
        starts, lengths = starts.astype(np.int64), lengths.astype(np.int64)
        if count and not (
            (starts >= 0).all() and (lengths > 0).all() and (lengths <= shape[0] - starts).all()
        ):
            raise DamagedArtifactError(
                f"{artifact.path} is not a well-formed artefact: it has sequences without frames, "
                "or with more than there are.",
                hint="Make it again with gaitkit normalize.",
            )
        self.image_size: tuple[int, int] = shape[1], shape[2]
        self.lengths: NDArray[np.int64] = lengths
        self._starts, self._columns = starts, seen_columns(*self.image_size)
        self._artifact = artifact
        self._left = memory_bytes
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def some(self, row: int, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `Frames`."""
        if self.lengths[row] <= _FRAMES_AT_ONCE:
            return self._whole(row)[which]
        found = np.empty((len(which), *self._size), dtype=np.uint8)
        places = which // _FRAMES_AT_ONCE
        for place in np.unique(places):
            wanted = places == place
            start = int(place) * _FRAMES_AT_ONCE
            found[wanted] = self._read(row, start, start + _FRAMES_AT_ONCE)[which[wanted] - start]
        return found

    def blocks(self, row: int, most: int) -> Iterator[NDArray[np.uint8]]:
        """See `Frames`."""
        length = int(self.lengths[row])
        places = evenly(length, most)
        if length <= _FRAMES_AT_ONCE:
            frames = self._whole(row)
            yield frames if len(places) == length else frames[places]
            return
        for start in range(0, length, _FRAMES_AT_ONCE):
            own = places[(places >= start) & (places < start + _FRAMES_AT_ONCE)]
            if len(own):
                yield self._read(row, start, start + _FRAMES_AT_ONCE)[own - start]

    @property
    def _size(self) -> tuple[int, int]:
        return self.image_size[0], self._columns.stop - self._columns.start

    def _whole(self, row: int) -> NDArray[np.uint8]:
        with self._lock:
            kept = self._kept.get(row)
        if kept is not None:
            return kept
        frames = self._read(row, 0, int(self.lengths[row]))
        with self._lock:
            if frames.nbytes <= self._left and row not in self._kept:
                self._kept[row] = frames
                self._left -= frames.nbytes
        return frames

    def _read(self, row: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Frames ``start:stop`` of a sequence, as far as it goes."""
        first = int(self._starts[row])
        stop = min(stop, int(self.lengths[row]))
        with self._lock:
            frames = self._artifact.read_rows("frames", first + start, first + stop)
        return np.ascontiguousarray(frames[:, :, self._columns])


@dataclass(frozen=True, eq=False)
class SilhouetteSet:
    """Sequences of silhouettes and their labels; made by `open` or `from_arrays`.

    Attributes
    ----------
    frames : tuple of Frames
        The frames of each data set.
    rows : ndarray of int64, shape (n,)
        Which sequence of its data set each one is.
    labels : Labels
        Subject, condition, take and view of each sequence.
    dataset : str
        Name of the data set.
    preprocessing : dict
        How they were made: the parameters of their artefact.
    content_sha256 : str
        Content digest of their artefact; empty when they come from elsewhere.
    others : tuple of SilhouetteSet
        Further data sets whose sequences are among these, in order; see `beside`. Their people are
        called ``data set/person``.
    dataset_index : ndarray of int64, shape (n,)
        Which data set each sequence is of: 0 is this one, k the k-th of `others`.
    seen : tuple of TrainedOn
        Whom the models have seen that cut them out; nobody, where they were measured.
    """

    kind: ClassVar[str] = "silhouettes"
    """Kind of the artefact that holds such images."""

    frames: tuple[Frames, ...]
    rows: NDArray[np.int64]
    labels: Labels
    dataset: str = ""
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    content_sha256: str = ""
    others: tuple[SilhouetteSet, ...] = ()
    dataset_index: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    seen: tuple[TrainedOn, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.dataset_index):
            object.__setattr__(self, "dataset_index", np.zeros(len(self.rows), np.int64))

    @classmethod
    def open(cls, path: Path | str, *, memory_bytes: int | None = None) -> Self:
        """The sequences of a silhouettes artefact, which stays open.

        Parameters
        ----------
        path : path-like
            The file.
        memory_bytes : int, optional
            How much memory frames may take that stay there once they have been read; by default a
            third of what is free, shared among the processes of a launcher on this machine. It
            changes no result.

        Raises
        ------
        ArtifactError
            When the file is not a whole silhouettes artefact.
        """
        if memory_bytes is None:
            processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
            shared = int(processes) if processes.isdigit() and int(processes) else 1
            memory_bytes = free_memory_bytes() // 3 // shared
        artifact = open_artifact(as_path(path), "silhouettes")
        try:
            frames, labels = FramesInFile(artifact, memory_bytes), artifact.labels
            return cls(
                (frames,),
                np.arange(len(labels)),
                labels,
                artifact.dataset,
                preprocessing_of(artifact.parameters, translated=True),
                artifact.content_sha256,
                seen=tuple(artifact.trained_on),
            )
        except BaseException:
            artifact.close()
            raise

    @classmethod
    @names_told
    def from_arrays(
        cls,
        sequences: Sequence[ArrayLike],
        subjects: Sequence[str],
        *,
        views: Sequence[float | None] | None = None,
        conditions: Sequence[str] | None = None,
        takes: Sequence[int] | None = None,
        dataset: str = "",
    ) -> Self:
        """Sequences from arrays, checked.

        Parameters
        ----------
        sequences : sequence of array, shape (frames, height, width)
            Aligned silhouettes of each walk, any number of frames: masks or greys, see
            `gaitkit.silhouettes.masks.as_greys`.
        subjects : sequence of str
            Who each sequence shows.
        views, conditions, takes : sequence, optional
            As for `gaitkit.training.geis.GeiSet.from_arrays`.
        dataset : str
            Name of the data set.

        Raises
        ------
        OptionError
            The sequences are no silhouettes of one size, or the columns have other lengths or
            types.

        Examples
        --------
        >>> walk = np.ones((5, 64, 64), dtype=bool)
        >>> SilhouetteSet.from_arrays([walk, walk[:3]], ["ann", "bob"], views=[0, 90])
        SilhouetteSet: 2 sequences, 8 frames of 64×64 pixels, 2 people
        """
        checked = sequences_of_greys(sequences)
        labels = label_columns(
            len(checked),
            subjects,
            views=views,
            conditions=conditions,
            takes=takes,
            what="sequences",
        )
        check_name(dataset, "`dataset`", empty=True)
        return cls((FramesInMemory(checked),), np.arange(len(checked)), labels, dataset)

    def some(self, row: int, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some frames of a sequence, without the columns that no network sees."""
        frames: Frames = self.frames[int(self.dataset_index[row])]
        return frames.some(int(self.rows[row]), which)

    def blocks(self, row: int, most: int) -> Iterator[NDArray[np.uint8]]:
        """All frames of a sequence, or `most` of them evenly taken, some at a time."""
        frames: Frames = self.frames[int(self.dataset_index[row])]
        return frames.blocks(int(self.rows[row]), most)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each sequence."""
        found = np.zeros(len(self.rows), dtype=np.int64)
        for index, frames in enumerate(self.frames):
            own = self.dataset_index == index
            found[own] = frames.lengths[self.rows[own]]
        return found

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.frames[0].image_size

    def of_subjects(self, subjects: Iterable[str]) -> Self:
        """The sequences of some people only; no frame is copied."""
        wanted = set(subjects)
        rows = np.array([name in wanted for name in self.labels.subject], dtype=bool)
        return replace(
            self,
            rows=self.rows[rows],
            labels=self.labels.select(rows),
            dataset_index=self.dataset_index[rows],
        )

    def beside(self, others: Sequence[SilhouetteSet]) -> Self:
        """These sequences and those of other data sets, to be learned from together.

        Raises
        ------
        MixtureError
            When they were made differently, or two data sets have the same name.
        """
        if not others:
            return self
        names = [self.dataset, *(other.dataset for other in others)]
        if len(set(names)) < len(names):
            raise MixtureError(
                f"Data sets that are learned from together need different names, these are "
                f"{', '.join(map(repr, names))}.",
                hint="Make the silhouettes again with another `dataset` name.",
            )
        keys = self.labels.keys()
        for other in others:
            difference = first_difference(
                other.preprocessing, other.image_size, self.preprocessing, self.image_size
            )
            if difference is not None:
                raise MixtureError(
                    f"The silhouettes of {other.dataset!r} were made differently from those of "
                    f"{self.dataset!r}, to be learned from together: {difference}.",
                    hint="Make one of them again with the other's options; gaitkit inspect shows "
                    "them.",
                )
            keys += [
                key._replace(subject=f"{other.dataset}/{key.subject}")
                for key in other.labels.keys()  # noqa: SIM118  (they are no mapping)
            ]
        parts: tuple[SilhouetteSet, ...] = (self, *others)
        return replace(
            self,
            frames=tuple(part.frames[0] for part in parts),
            rows=np.concatenate([part.rows for part in parts]),
            labels=Labels.from_keys(keys),
            others=tuple(others),
            dataset_index=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            seen=tuple(dict.fromkeys(row for part in parts for row in part.seen)),
        )

    def digests(self) -> list[str]:
        """Content digests of the artefacts of all data sets."""
        return [self.content_sha256, *(other.content_sha256 for other in self.others)]

    def origin_of(self, subject: str) -> tuple[str, str]:
        """Data set and name of a person."""
        for other in self.others:
            if subject.startswith(f"{other.dataset}/"):
                return other.dataset, subject.removeprefix(f"{other.dataset}/")
        return self.dataset, subject

    def same_as(self, other: Any) -> bool:
        """Whether another set holds the same frames of the same sequences."""
        if not isinstance(other, SilhouetteSet) or self.labels.keys() != other.labels.keys():
            return False
        if all(self.digests()) and self.digests() == other.digests():
            return np.array_equal(self.rows, other.rows)
        if not np.array_equal(self.lengths, other.lengths) or self.image_size != other.image_size:
            return False
        return all(
            np.array_equal(self.some(row, every), other.some(row, every))
            for row, every in enumerate(map(np.arange, self.lengths))
        )

    def __len__(self) -> int:
        return len(self.rows)

    def _told(self) -> list[tuple[str, str]]:
        return [
            ("sequences", f"{len(self):,}"),
            ("frames", f"{self.lengths.sum():,} of {'×'.join(map(str, self.image_size))} pixels"),
            ("people", f"{len(self.labels.subjects()):,}"),
        ]

    def __repr__(self) -> str:
        named = f" of {self.dataset!r}" if self.dataset else ""
        (_, count), (_, frames), (_, people) = self._told()
        many, _, size = frames.partition(" ")
        return (
            f"{type(self).__name__}{named}: {count} sequences, {many} frames {size}, {people} "
            "people"
        )

    def _repr_html_(self) -> str:
        return html_table(self.dataset or "silhouettes", self._told())


def sequences_of_greys(sequences: Sequence[ArrayLike]) -> list[NDArray[np.uint8]]:
    """Silhouettes of several sequences as greys 0..255.

    Raises
    ------
    OptionError
        There are none, or they are no silhouettes, or of different sizes.
    """
    if isinstance(sequences, str | bytes | os.PathLike) or not hasattr(sequences, "__len__"):
        raise OptionError(
            f"Expected a list of sequences, each an array (frames, height, width), found "
            f"{sequences!r:.60}."
        )
    if not len(sequences):
        raise OptionError("Expected sequences of silhouettes, found none.")
    found = [as_greys(one, f"silhouettes of sequence {row}") for row, one in enumerate(sequences)]
    for row, one in enumerate(found):
        if one.shape[1:] != found[0].shape[1:]:
            raise OptionError(
                f"Silhouettes must have one size; those of sequence {row} have "
                f"{one.shape[1:]} pixels, those of the first {found[0].shape[1:]}.",
                hint="Normalise them alike: gaitkit.normalize_silhouettes.",
            )
    return found
