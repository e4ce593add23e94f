"""From a source's units of work to finished pieces, and from the pieces to rows in order of key.

A stage that reads frames works unit by unit (a few sequences, or one subject's archive). Each unit
becomes one piece on the disk, whatever the number of workers; the artefact is then written from
the pieces in one pass, in order of key. Memory holds one unit per worker and the list of keys.
"""

from __future__ import annotations

import hashlib
import logging
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._version import __version__
from gaitkit.artifacts import Artifact, InputRef, Pieces, Provenance
from gaitkit.artifacts.schema import canonical_json, read_json
from gaitkit.cluster import Cluster, map_on_cluster
from gaitkit.datasets.sources import (
    Frame,
    FrameSource,
    Layout,
    SequenceFrames,
    Unit,
    Unreadable,
    sequence_counts,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArtifactError, DatasetError, StoppedError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.outputs import Output
from gaitkit.parallel import Progress, map_unordered
from gaitkit.printable import counted, printable
from gaitkit.silhouettes.normalize import TIGHT
from gaitkit.stages.key_table import KeyTable

__all__ = [
    "PIECES_VERSION",
    "Counted",
    "FinishedUnits",
    "FramesWorked",
    "MakePiece",
    "OrderedRows",
    "SequenceRecord",
    "SharedDisk",
    "SourceDigest",
    "claimed_output",
    "digest_of_frames",
    "expanded_once",
    "finish_pieces",
    "frames_digest",
    "made_on_the_way",
    "read_records",
    "refuse_changed",
    "same_source",
    "save_piece",
    "source_digest",
    "tell_passed_over",
    "work_through_frames",
]

_log = logging.getLogger(__name__)

_TOLD = 5

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


def source_digest(records: KeyTable | Iterable[tuple[SequenceKey, str]]) -> str:
    """Digest of a frame source: a tree, its zip and its tar have the same one."""
    if isinstance(records, KeyTable):
        table = records
    else:
        table = KeyTable(digests=True)
        for key, digest in records:
            table.append(key, digest)
    total = hashlib.sha256()
    for key, row in table.in_order():
        total.update(canonical_json([*key, table.digest(row)]).encode() + b"\n")
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
    table = KeyTable(digests=True)
    ignored = Counter(source.ignored)
    task = _DigestUnit(source)
    follow = Counted(units, progress)
    for unit, found in map_unordered(task, units, workers=workers):
        for row in found:
            table.append(row.key, row.digest)
            ignored.update(row.ignored)
        follow.finished(unit)
    return SourceDigest(source_digest(table), dict(sorted(ignored.items())))


@dataclass
class FinishedUnits:
    """What all units of a stage found out, in little room; their images stay in the pieces.

    Attributes
    ----------
    sequences : int
        Sequences that were read.
    sources : KeyTable or None
        Keys that the source has for them, and the digests of their frames, where wanted.
    kept : KeyTable
        Keys of the sequences that have images.
    pieces, positions : array of int
        Where the images of each kept sequence are: the piece, and the place in it.
    dropped : list of DroppedRow
        What was left out, in order of unit.
    ignored : Counter
        Strays that were met on the way.
    """

    sources: KeyTable | None
    sequences: int = 0
    kept: KeyTable = field(default_factory=KeyTable)
    pieces: array[int] = field(default_factory=lambda: array("q"))
    positions: array[int] = field(default_factory=lambda: array("q"))
    dropped: list[DroppedRow] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, index: int, records: Sequence[SequenceRecord]) -> None:
        """Add the records of one unit."""
        position = 0
        for record in records:
            self.sequences += 1
            self.dropped += record.dropped
            self.ignored.update(record.ignored)
            if self.sources is not None:
                self.sources.append(record.source_key, record.digest)
            if record.kept:
                self.kept.append(record.key)
                self.pieces.append(index)
                self.positions.append(position)
                position += 1


class FramesWorked(NamedTuple):
    """All units of a frame source, done; what the artefact is written from."""

    pieces: Pieces
    units: FinishedUnits
    provenance: Provenance


def work_through_frames(
    source: FrameSource,
    claim: Output,
    work: Work,
    *,
    stage: str,
    kind: str,
    parameters: Mapping[str, Any],
    workers: int,
    cluster: Cluster | None,
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
    workers, cluster, restart, progress
        As for the stage.

    Raises
    ------
    ClusterError
        The cluster cannot do the work.
    DatasetError
        The source cannot be read, or was changed while it was read.
    OutputError
        The pieces cannot be written.
    """
    units = source.units()
    if isinstance(source, Layout):
        _log.info("%s", source.recognised)
        tell_passed_over(source)
    plan = {
        "stage": stage,
        "version": __version__,
        "parameters": parameters,
        "units": [unit.label for unit in units],
        "pieces": PIECES_VERSION,
    }
    pieces = Pieces.of(claim.path, plan, restart=restart)
    task = MakePiece(work, pieces, source)
    reads = source.path if isinstance(source, Layout) else None
    found = finish_pieces(
        units, task, workers=workers, cluster=cluster, reads=reads, progress=progress
    )
    del units
    refuse_changed(source)
    assert found.sources is not None
    inputs = [InputRef("frames", source_digest(found.sources))]
    found.sources = None
    total = Counter(source.ignored)
    total.update(found.ignored)
    provenance = Provenance(
        kind, parameters, source.name, None, inputs, dict(sorted(total.items()))
    )
    return FramesWorked(pieces, found, provenance)


def tell_passed_over(source: Layout) -> None:
    """Say which folders of a data set are not read: one may be a person whom nobody is to miss."""
    told = source.folders_passed_over
    if told:
        _log.info("Passed over: %s", told)


def made_on_the_way(source: FrameSource) -> dict[str, Any]:
    """How a source's masks are made where it segments videos: parameters; empty where not."""
    return source.made_by() if isinstance(source, Layout) else {}


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
    units: Sequence[Unit],
    task: MakePiece,
    *,
    workers: int,
    cluster: Cluster | None = None,
    reads: Path | None = None,
    progress: Progress | None,
) -> FinishedUnits:
    """Finish all pieces and return what they tell, in order of unit.

    Warnings of the sequences are logged here, a few in full and the others as a count.

    Parameters
    ----------
    units : sequence of Unit
        All units of the stage.
    task : MakePiece
        What makes the piece of one. The digests of what was read are kept where it has a source.
    workers, cluster, progress
        As for the stage.
    reads : Path, optional
        What a cluster has to see as well.
    """
    if cluster is None:
        follow = Counted(units, progress)
        for unit, _ in map_unordered(task, units, workers=workers):
            follow.finished(unit)
    else:
        make_on_cluster(units, task, cluster, reads, progress)
    found = FinishedUnits(None if task.source is None else KeyTable(digests=True))

    def warnings() -> Iterator[tuple[SequenceKey, str]]:
        for unit in units:
            records = read_records(task.pieces, unit.index)
            try:
                found.add(unit.index, records)
            except ValueError as error:  # A digest that is none.
                raise task.pieces.damaged(unit.index) from error
            yield from ((record.key, text) for record in records for text in record.warnings)

    for text in told_once(warnings()):
        # Tight frames are read as they should be; all else is to be looked at.
        _log.log(logging.INFO if text.endswith(TIGHT) else logging.WARNING, "%s", text)
    return found


def told_once(warnings: Iterable[tuple[SequenceKey, str]]) -> list[str]:
    """What to say of the sequences: each text once, the first five texts in full.

    Parameters
    ----------
    warnings : iterable of (key, text)
        In the order of the sequences; all of it is gone through.

    Returns
    -------
    list of str
        Lines for a reader.

    Examples
    --------
    >>> keys = [SequenceKey("007", "nm", take, 90.0) for take in (1, 2, 3)]
    >>> for line in told_once([(keys[0], "dark"), (keys[1], "tight"), (keys[2], "tight")]):
    ...     print(line)
    007/nm-01/090: dark
    007/nm-02/090 and 1 sequence more: tight
    """
    told: dict[str, tuple[SequenceKey, int]] = {}
    rest = 0
    for key, text in warnings:
        if text in told:
            first, others = told[text]
            told[text] = first, others + 1
        elif len(told) < _TOLD:
            told[text] = key, 0
        else:
            rest += 1
    lines = []
    for text, (first, others) in told.items():
        more = f" and {others:,} sequence{'s'[: others != 1]} more" if others else ""
        lines.append(f"{first}{more}: {text}")
    if rest:
        lines.append(f"and {counted(rest, 'more sequence')} like these")
    return lines


class Counted:
    """Tells the progress of some units in what they hold: sequences, or archives.

    Parameters
    ----------
    units : sequence of Unit
        All of them.
    progress : callable, optional
        Is told at once that nothing is done, and then after each unit.
    """

    def __init__(self, units: Sequence[Unit], progress: Progress | None) -> None:
        counts = sequence_counts(units) or [1] * len(units)
        self._held = {unit.index: count for unit, count in zip(units, counts, strict=True)}
        self._total = sum(counts)
        self._progress = progress
        self._done = 0
        self.units = 0
        if progress:
            progress(0, self._total)

    def finished(self, unit: Unit) -> None:
        """One more is done."""
        self.units += 1
        self._done += self._held[unit.index]
        if self._progress:
            self._progress(self._done, self._total)


def make_on_cluster(
    units: Sequence[Unit],
    task: MakePiece,
    cluster: Cluster,
    reads: Path | None,
    progress: Progress | None,
) -> None:
    """Make all pieces on other machines.

    Raises
    ------
    ClusterError
        The cluster cannot do the work.
    StoppedError
        By Ctrl-C; what was queued is queued no more.
    """
    follow = Counted(units, progress)
    try:
        with task.pieces.signed() as pieces:
            look = SharedDisk.of(reads, pieces)
            task = replace(task, pieces=pieces)
            for unit, _ in map_on_cluster(task, units, cluster, look=look):
                follow.finished(unit)
    except KeyboardInterrupt:
        raise StoppedError(
            f"Stopped: {follow.units:,} of {counted(len(units), 'piece')} are done, and nothing "
            "of this is queued on the cluster any more.",
            hint="Give the same command again: it continues.",
        ) from None


@dataclass(frozen=True)
class SharedDisk:
    """What a worker of a cluster has to see as this machine does; picklable.

    Attributes
    ----------
    reads : Path or None
        The source.
    names : str
        Digest over the names in a folder, without those of the output and hidden ones; size and
        time of a file.
    pieces : Pieces
        Where the worker writes.
    """

    reads: Path | None
    names: str
    pieces: Pieces

    @classmethod
    def of(cls, reads: Path | None, pieces: Pieces) -> SharedDisk:
        """As this machine sees it."""
        return cls(reads, "" if reads is None else _names_in(reads, pieces), pieces)

    def __call__(self) -> None:
        """On a worker: raise where it sees something else.

        Raises
        ------
        DatasetError
            The source is not there, or another one.
        OutputError
            The pieces cannot be written.
        """
        self.pieces.refuse_unshared()
        if self.reads is None:
            return
        hint = (
            "What is read has to be the same, under the same path, on all machines of the cluster."
        )
        shown = printable(str(self.reads), 150)
        try:
            names = _names_in(self.reads, self.pieces)
        except OSError as error:
            raise DatasetError(f"it does not see {shown}: {error.strerror}.", hint=hint) from error
        if names != self.names:
            raise DatasetError(f"it sees something else as {shown}.", hint=hint)


def _names_in(path: Path, pieces: Pieces) -> str:
    if not path.is_dir():
        found = path.stat()
        return f"{found.st_size} {found.st_mtime_ns}"
    output = pieces.folder.name.removesuffix(".parts")
    names = [n for n in os.listdir(path) if not n.startswith((".", output))]
    text = "\0".join(sorted(names)).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()


class RowPlace(NamedTuple):
    """Where the images of one kept sequence are."""

    piece: int
    position: int


class OrderedRows:
    """Kept sequences in order of key, the second of two equal ones left out.

    Parameters
    ----------
    found : FinishedUnits
        What the units tell; what it has of dropped rows goes on in `dropped`.
    inherited : sequence of DroppedRow
        What had been left out before.

    Attributes
    ----------
    dropped : list of DroppedRow
        Everything left out, in order.
    """

    def __init__(self, found: FinishedUnits, inherited: Sequence[DroppedRow] = ()) -> None:
        self._found = found
        self.dropped = [*inherited, *found.dropped]
        found.dropped = []
        rows = found.kept.order()
        chosen = array("q")
        previous = None
        for row in map(int, rows):
            key = found.kept[row]
            if key == previous:
                self.dropped.append(DroppedRow.of(key, "duplicate"))
            else:
                chosen.append(row)
            previous = key
        self.dropped.sort(key=lambda row: row.order)
        self._rows = np.frombuffer(chosen, dtype=np.int64) if chosen else np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RowPlace]:
        for row in self._rows:
            yield RowPlace(self._found.pieces[row], self._found.positions[row])

    def labels(self) -> Labels:
        """Their key columns."""
        return self._found.kept.labels(self._rows)
