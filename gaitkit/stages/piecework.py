"""From a source's units of work to finished pieces, and from the pieces to rows in order of key.

A stage that reads frames works unit by unit (a few sequences, or one subject's archive). Each unit
becomes one piece on the disk, whatever the number of workers; the artefact is then written from
the pieces in one pass, in order of key. Memory holds one unit per worker and the list of keys.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Pieces
from gaitkit.artifacts.schema import canonical_json
from gaitkit.datasets.sources import FrameSource, SequenceFrames, Unit
from gaitkit.dropped import DroppedRow
from gaitkit.labels import SequenceKey
from gaitkit.parallel import Progress, map_unordered

__all__ = [
    "MakePiece",
    "SequenceRecord",
    "digest_of_frames",
    "finish_pieces",
    "frames_digest",
    "ignored_files",
    "read_records",
    "rows_in_order",
    "save_piece",
    "source_digest",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SequenceRecord:
    """What a unit found out about one sequence, beside its images.

    Attributes
    ----------
    key : SequenceKey
        The key under which the images go on (a mirrored view is not the one on the disk).
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

    def passed() -> Iterator[tuple[str, bytes | NDArray[np.uint8]]]:
        for name, data in sequence.frames:
            size = data.nbytes if isinstance(data, np.ndarray) else len(data)
            running.update(f"{name}\0{size}\0".encode())
            running.update(
                np.ascontiguousarray(data).data if isinstance(data, np.ndarray) else data
            )
            yield name, data

    return passed(), running.hexdigest


def source_digest(records: Sequence[tuple[SequenceKey, str]]) -> str:
    """Digest of a frame source: a tree, its zip and its tar have the same one."""
    total = hashlib.sha256()
    for key, digest in sorted(records, key=lambda item: (item[0].order, item[1])):
        total.update(canonical_json([*key, digest]).encode() + b"\n")
    return total.hexdigest()


@dataclass(frozen=True)
class _DigestUnit:
    source: FrameSource

    def __call__(self, unit: Unit) -> list[tuple[SequenceKey, str]]:
        found = []
        for sequence in self.source.read(unit):
            frames, digest = frames_digest(sequence)
            for _ in frames:
                pass
            found.append((sequence.key, digest()))
        return found


def digest_of_frames(
    source: FrameSource, *, workers: int = 1, progress: Progress | None = None
) -> str:
    """Digest of a source, by reading all its frames without decoding them."""
    units = source.units()
    rows: list[tuple[SequenceKey, str]] = []
    task = _DigestUnit(source)
    for done, (_, found) in enumerate(map_unordered(task, units, workers=workers), start=1):
        rows += found
        if progress:
            progress(done, len(units))
    return source_digest(rows)


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
        have the same digest: somebody may have changed them since.
    """

    work: Work
    pieces: Pieces
    source: FrameSource | None = None

    def __call__(self, unit: Unit) -> None:
        """Make the piece unless it is there and still right."""
        if self.pieces.has(unit.index) and self._unchanged(unit):
            return
        records, arrays = self.work(unit)
        save_piece(self.pieces, unit.index, records, arrays)

    def _unchanged(self, unit: Unit) -> bool:
        if self.source is None:
            return True
        known = [record.digest for record in read_records(self.pieces, unit.index)]
        return known == [digest for _, digest in _DigestUnit(self.source)(unit)]


def save_piece(
    pieces: Pieces,
    index: int,
    records: Sequence[SequenceRecord],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Save records and arrays as one piece."""
    rows = [[*r.key, r.digest, r.kept, r.dropped, r.warnings, dict(r.ignored)] for r in records]
    text = np.frombuffer(canonical_json(rows).encode(), dtype=np.uint8)
    pieces.save(index, {"records": text, **arrays})


def _records(piece: Mapping[str, NDArray[Any]]) -> list[SequenceRecord]:
    rows = json.loads(piece["records"].tobytes())
    return [
        SequenceRecord(
            SequenceKey(*row[:4]),
            row[4],
            row[5],
            tuple(DroppedRow(*dropped) for dropped in row[6]),
            tuple(row[7]),
            row[8],
        )
        for row in rows
    ]


def read_records(pieces: Pieces, index: int) -> list[SequenceRecord]:
    """The records of one piece."""
    return _records(pieces.load(index))


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


def ignored_files(source: FrameSource, records: Sequence[SequenceRecord]) -> dict[str, int]:
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
