"""From a source's units of work to finished pieces, and from the pieces to rows in order of key.

A stage that reads frames works unit by unit (a few sequences, or one subject's archive). Each unit
becomes one piece on the disk, whatever the number of workers; the artefact is then written from
the pieces in one pass, in order of key. Memory holds one unit per worker and the list of keys.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._version import __version__
from gaitkit.artifacts import Artifact, InputRef, Pieces, Provenance
from gaitkit.artifacts.schema import canonical_json, read_json
from gaitkit.datasets.sources import (
    Frame,
    FrameSource,
    Layout,
    SequenceFrames,
    Unit,
    Unreadable,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArtifactError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import Output
from gaitkit.parallel import Progress, map_unordered

__all__ = [
    "PIECES_VERSION",
    "FramesWorked",
    "MakePiece",
    "SequenceRecord",
    "SourceDigest",
    "claimed_output",
    "digest_of_frames",
    "expanded_once",
    "finish_pieces",
    "frames_digest",
    "ignored_files",
    "read_records",
    "refuse_changed",
    "rows_in_order",
    "same_source",
    "save_piece",
    "source_digest",
    "work_through_frames",
]

_log = logging.getLogger(__name__)

PIECES_VERSION = 2
"""Raised whenever pieces are written in another way: those of before are then made anew."""


@dataclass(frozen=True)
class SequenceRecord:
    """What a unit found out about one sequence, beside its images.

    Attributes
    ----------
    key : SequenceKey
        The key under which the images go on (a mirrored view is not the one on the disk).
    source_key : SequenceKey
        The key that the source has for it.
    digest : str
        SHA-256 over the names and bytes of its frames; of what it was made from, otherwise.
    kept : bool
        Whether the piece has images for it.
    dropped : tuple of DroppedRow
        What was left out of it.
    warnings : tuple of str
        What the user should look at.
    ignored : mapping of str to int
        Stray files met on the way to it.
    """

    key: SequenceKey
    source_key: SequenceKey
    digest: str
    kept: bool
    dropped: tuple[DroppedRow, ...]
    warnings: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)


Worked = tuple[list[SequenceRecord], dict[str, NDArray[Any]]]
Work = Callable[[Unit], Worked]


def frames_digest(sequence: SequenceFrames) -> tuple[Any, Callable[[], str]]:
    """Hash the frames of a sequence while they are being read.

    Returns
    -------
    frames : iterator of (name, bytes or array)
        The same frames.
    digest : callable
        Gives the hexadecimal SHA-256 once the frames have been read.
    """
    running = hashlib.sha256()

    def passed() -> Iterator[Frame]:
        for name, data in sequence.frames:
            content = data.data if isinstance(data, Unreadable) else data
            size = content.nbytes if isinstance(content, np.ndarray) else len(content)
            running.update(f"{name}\0{size}\0".encode())
            running.update(
                np.ascontiguousarray(content).data if isinstance(content, np.ndarray) else content
            )
            yield name, data

    return passed(), running.hexdigest


def source_digest(records: Sequence[tuple[SequenceKey, str]]) -> str:
    """Digest of a frame source: a tree, its zip and its tar have the same one."""
    total = hashlib.sha256()
    for key, digest in sorted(records, key=lambda item: (item[0].order, item[1])):
        total.update(canonical_json([*key, digest]).encode() + b"\n")
    return total.hexdigest()


class ReadKey(NamedTuple):
    """A sequence as a source has it: its key, its frames' digest and strays met on the way."""

    key: SequenceKey
    digest: str
    ignored: Mapping[str, int]


@dataclass(frozen=True)
class _DigestUnit:
    source: FrameSource

    def __call__(self, unit: Unit) -> list[ReadKey]:
        found = []
        for sequence in self.source.read(unit):
            frames, digest = frames_digest(sequence)
            for _ in frames:
                pass
            found.append(ReadKey(sequence.key, digest(), dict(sequence.ignored)))
        return found


class SourceDigest(NamedTuple):
    """What a source is known by: the digest over its keys and frames, and its strays by class."""

    sha256: str
    ignored: dict[str, int]


def digest_of_frames(
    source: FrameSource, *, workers: int = 1, progress: Progress | None = None
) -> SourceDigest:
    """Digest of a source, by reading all its frames without decoding them."""
    units = source.units()
    rows: list[ReadKey] = []
    task = _DigestUnit(source)
    for done, (_, found) in enumerate(map_unordered(task, units, workers=workers), start=1):
        rows += found
        if progress:
            progress(done, len(units))
    return SourceDigest(
        source_digest([(row.key, row.digest) for row in rows]), ignored_files(source, rows)
    )


class FramesWorked(NamedTuple):
    """All units of a frame source, done; what the artefact is written from."""

    pieces: Pieces
    result: list[tuple[int, list[SequenceRecord]]]
    provenance: Provenance

    @property
    def sequences(self) -> int:
        """Sequences that were read."""
        return sum(len(records) for _, records in self.result)


def work_through_frames(
    source: FrameSource,
    claim: Output,
    work: Work,
    *,
    stage: str,
    kind: str,
    parameters: Mapping[str, Any],
    workers: int,
    restart: bool,
    progress: Progress | None,
) -> FramesWorked:
    """Do every unit of a frame source, those of an earlier run that are still right left out.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from.
    claim : Output
        The artefact, claimed.
    work : callable
        Maps a unit to records and arrays.
    stage, kind : str
        Name of the stage, and the kind of artefact that it makes.
    parameters : mapping
        Of the artefact.
    workers, restart, progress
        As for the stage.

    Raises
    ------
    DatasetError
        The source cannot be read, or was changed while it was read.
    OutputError
        The pieces cannot be written.
    """
    units = source.units()
    plan = {
        "stage": stage,
        "version": __version__,
        "parameters": parameters,
        "units": [unit.label for unit in units],
        "pieces": PIECES_VERSION,
    }
    pieces = Pieces.of(claim.path, plan, restart=restart)
    task = MakePiece(work, pieces, source)
    result = finish_pieces(units, task, workers=workers, progress=progress)
    refuse_changed(source)
    records = [record for _, unit_records in result for record in unit_records]
    inputs = [InputRef("frames", source_digest([(r.source_key, r.digest) for r in records]))]
    ignored = ignored_files(source, records)
    return FramesWorked(
        pieces, result, Provenance(kind, parameters, source.name, None, inputs, ignored)
    )


def claimed_output(output: Path | str, source: FrameSource, *, overwrite: bool) -> Output:
    """The claim on what is made from a source, which it must not replace or lie among.

    Raises
    ------
    OutputError
        It cannot be written, or is what is read.
    """
    if not isinstance(source, Layout):
        return Output(output, overwrite=overwrite)
    claim = Output(output, overwrite=overwrite, inputs=[source.path])
    source.pass_over(claim.path)
    return claim


def expanded_once(source: FrameSource, claim: Output) -> AbstractContextManager[None]:
    """Where each process would expand a source from its start, one does so for all."""
    return source.expanded(claim.path) if isinstance(source, Layout) else nullcontext()


def same_source(
    source: FrameSource, workers: int, progress: Progress | None
) -> Callable[[Artifact], bool]:
    """What tells whether an artefact was made from a source as it is now."""

    def made_from(artifact: Artifact) -> bool:
        found = digest_of_frames(source, workers=workers, progress=progress)
        refs = [InputRef("frames", found.sha256)]
        return list(artifact.inputs) == refs and artifact.ignored == found.ignored

    return made_from


def refuse_changed(source: FrameSource) -> None:
    """Raise `DatasetError` where a source is no longer what was listed."""
    if isinstance(source, Layout):
        source.refuse_changed()


@dataclass(frozen=True)
class MakePiece:
    """Do one unit and save its piece; picklable.

    Attributes
    ----------
    work : callable
        Maps a unit to records and arrays.
    pieces : Pieces
        Where the piece goes.
    source : FrameSource or None
        Given where a finished piece may only be kept after its frames were read again and still
        have the same keys and digests: somebody may have changed or renamed them since.
    """

    work: Work
    pieces: Pieces
    source: FrameSource | None = None

    def __call__(self, unit: Unit) -> None:
        """Make the piece unless it is there and still right."""
        if self._is_right(unit):
            return
        records, arrays = self.work(unit)
        save_piece(self.pieces, unit.index, records, arrays)

    def _is_right(self, unit: Unit) -> bool:
        piece = self.pieces.find(unit.index)
        if piece is None:
            return False
        try:
            known = _records(self.pieces, unit.index, piece)
        except ArtifactError:
            return False
        if self.source is None:
            return True
        return _DigestUnit(self.source)(unit) == [
            ReadKey(record.source_key, record.digest, dict(record.ignored)) for record in known
        ]


def save_piece(
    pieces: Pieces,
    index: int,
    records: Sequence[SequenceRecord],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Save records and arrays as one piece."""
    rows = [
        [*r.key, *r.source_key, r.digest, r.kept, r.dropped, r.warnings, dict(r.ignored)]
        for r in records
    ]
    text = np.frombuffer(canonical_json(rows).encode(), dtype=np.uint8)
    pieces.save(index, {"records": text, **arrays})


def read_records(pieces: Pieces, index: int) -> list[SequenceRecord]:
    """The records of one piece.

    Raises
    ------
    ArtifactError
        The piece is damaged; it is removed, so that the same command makes it again.
    """
    return _records(pieces, index, pieces.load(index))


def _records(pieces: Pieces, index: int, piece: Mapping[str, NDArray[Any]]) -> list[SequenceRecord]:
    try:
        rows = read_json(piece["records"].tobytes().decode())
        return [
            SequenceRecord(
                SequenceKey(*row[:4]),
                SequenceKey(*row[4:8]),
                row[8],
                row[9],
                tuple(DroppedRow(*dropped) for dropped in row[10]),
                tuple(row[11]),
                dict(row[12]),
            )
            for row in rows
        ]
    # Whole, but not what a stage has written.
    except (LookupError, TypeError, ValueError) as error:
        raise pieces.damaged(index) from error


def finish_pieces(
    units: Sequence[Unit], task: MakePiece, *, workers: int, progress: Progress | None
) -> list[tuple[int, list[SequenceRecord]]]:
    """Finish all pieces and return their records, in order of unit.

    Warnings of the sequences are logged here, a few in full and the others as a count.
    """
    if progress:
        progress(0, len(units))
    for done, _ in enumerate(map_unordered(task, units, workers=workers), start=1):
        if progress:
            progress(done, len(units))
    result = [(unit.index, read_records(task.pieces, unit.index)) for unit in units]
    warnings = [
        f"{record.key}: {text}"
        for _, records in result
        for record in records
        for text in record.warnings
    ]
    for text in warnings[:5]:
        _log.warning("%s", text)
    if len(warnings) > 5:
        _log.warning("and %d more sequences like these", len(warnings) - 5)
    return result


def ignored_files(
    source: FrameSource, records: Sequence[SequenceRecord | ReadKey]
) -> dict[str, int]:
    """Strays of the whole source, counted by class, those inside inner archives included."""
    total = Counter(source.ignored)
    for record in records:
        total.update(record.ignored)
    return dict(sorted(total.items()))


def rows_in_order(
    pieces: Pieces, result: Sequence[tuple[int, list[SequenceRecord]]]
) -> tuple[list[tuple[SequenceKey, int, int]], list[DroppedRow], Callable[[int], Any]]:
    """Kept sequences in order of key, duplicates taken out.

    Returns
    -------
    rows : list of (key, piece, position)
        `position` counts the kept sequences of the piece.
    dropped : list of DroppedRow
        Everything left out, in order, the second of two equal keys included.
    load : callable
        Loads a piece; the last few stay in memory.
    """
    rows: list[tuple[SequenceKey, int, int]] = []
    dropped: list[DroppedRow] = []
    for index, records in result:
        position = 0
        for record in records:
            dropped += record.dropped
            if record.kept:
                rows.append((record.key, index, position))
                position += 1
    rows.sort(key=lambda row: (row[0].order, row[1], row[2]))
    unique: list[tuple[SequenceKey, int, int]] = []
    for row in rows:
        if unique and unique[-1][0] == row[0]:
            dropped.append(DroppedRow.of(row[0], "duplicate"))
        else:
            unique.append(row)
    dropped.sort(key=lambda row: row.order)
    return unique, dropped, lru_cache(maxsize=4)(pieces.load)
