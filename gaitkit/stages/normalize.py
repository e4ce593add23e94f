"""The stage `normalize`: frames from a source to a silhouettes artefact."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, ArtifactWriter, PieceRows
from gaitkit.cluster import Cluster, as_cluster
from gaitkit.datasets.layouts import open_source
from gaitkit.datasets.sources import FrameSource, Layout, SequenceFrames, Unit
from gaitkit.dropped import DroppedRow
from gaitkit.errors import OptionError
from gaitkit.labels import SequenceKey
from gaitkit.outputs import Output
from gaitkit.parallel import Progress
from gaitkit.printable import counted, printable
from gaitkit.silhouettes.normalize import NormalizedSequence, normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.advice import refuse_empty
from gaitkit.stages.finished import finished_artifact
from gaitkit.stages.pictures import SequencePictures
from gaitkit.stages.piecework import (
    FramesWorked,
    OrderedRows,
    SequenceRecord,
    claimed_output,
    expanded_once,
    frames_digest,
    made_on_the_way,
    same_source,
    work_through_frames,
)

__all__ = ["StageSummary", "normalize", "normalize_frames", "silhouettes_of"]


class StageSummary(NamedTuple):
    """What a stage did, for its closing line.

    Attributes
    ----------
    sequences : int
        Sequences that went in.
    kept : int
        Sequences that came out.
    frames : int
        Frames that came out, or were averaged.
    dropped : list of DroppedRow
        What was left out.
    content_sha256 : str
        Content digest of the artefact.
    ignored : mapping of str to int
        Stray files that were passed over, by class.
    done_before : bool
        Whether the output was there already, made from the same input by the same options.
    """

    sequences: int
    kept: int
    frames: int
    dropped: list[DroppedRow]
    content_sha256: str
    ignored: Mapping[str, int]
    done_before: bool = False

    @classmethod
    def of_finished(cls, artifact: Artifact, frames: int) -> StageSummary:
        """What the making of a finished artefact did."""
        kept = len(artifact.labels)
        lost = sum(not row.frame for row in artifact.dropped)
        return cls(
            kept + lost,
            kept,
            frames,
            artifact.dropped,
            artifact.content_sha256,
            artifact.ignored,
            done_before=True,
        )

    def __repr__(self) -> str:
        return (
            f"StageSummary(kept {self.kept:,} of {counted(self.sequences, 'sequence')}, "
            f"{counted(self.frames, 'frame')}; {counted(len(self.dropped), 'row')} in its table of "
            "what was dropped)"
        )


def silhouettes_of(source: FrameSource, **options: Any) -> SilhouetteOptions:
    """How the frames of a source are normalised, for what is not said.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from.
    **options
        Fields of `SilhouetteOptions` by name.

    Returns
    -------
    SilhouetteOptions
        Frames that are aligned already stay as they are and keep their size.

    Raises
    ------
    DatasetError
        No frame can be read whose size could be kept.
    OptionError
        An option is unknown or outside its range, or the frames would be aligned a second time.
    """
    if is_aligned(source):
        options = {"alignment": "given"} | options
        if options["alignment"] == "given" and not {"height", "width"} <= options.keys():
            height, width = source.frame_size()
            options = {"height": height, "width": width} | options
    chosen = SilhouetteOptions.from_parameters(options)
    refuse_second_alignment(source, chosen)
    return chosen


def is_aligned(source: FrameSource) -> TypeGuard[Layout]:
    """Whether frames come from the source aligned already."""
    return isinstance(source, Layout) and source.aligned


def refuse_second_alignment(source: FrameSource, options: SilhouetteOptions) -> None:
    """Raise where frames that are aligned already would be aligned once more."""
    if is_aligned(source) and options.alignment != "given":
        raise OptionError(
            f"The silhouettes in {printable(str(source.path), 200)} are aligned already; they are "
            f"used as they are and not aligned again by `alignment={options.alignment!r}`.",
            hint="Leave `alignment` out. From the frames that they were made of, gaitkit makes "
            "silhouettes in its own way.",
        )


class ReadSequence(NamedTuple):
    """A normalised sequence, the digest of its frames, and what was dropped."""

    key: SequenceKey
    normalized: NormalizedSequence
    digest: str
    dropped: list[DroppedRow]


def normalize_frames(sequence: SequenceFrames, options: SilhouetteOptions) -> ReadSequence:
    """Decode and normalise the frames of one sequence.

    Parameters
    ----------
    sequence : SequenceFrames
        Key and encoded frames.
    options : SilhouetteOptions
        How to normalise.

    Returns
    -------
    ReadSequence
        With one dropped row per frame left out, and one for the sequence if no frame is left.
    """
    frames, digest = frames_digest(sequence)
    pictures = SequencePictures(frames, options)
    normalized = normalize_sequence(pictures, options)
    verdict = pictures.verdict
    left_out = [*pictures.dropped, *normalized.dropped]
    if verdict is not None:
        normalized = normalize_sequence((), options)
    elif pictures.warnings or sequence.doubts:
        told = [*sequence.doubts, *pictures.warnings, *normalized.warnings]
        normalized = replace(normalized, warnings=told)
    dropped = [
        DroppedRow.of(sequence.key, reason, frame=frame, detail=detail)
        for frame, reason, detail in sorted(left_out)
    ]
    if verdict is not None:
        dropped = [row for row in dropped if row.frame]  # One reason for the whole sequence.
        dropped.append(DroppedRow.of(sequence.key, verdict[0], detail=verdict[1]))
    elif not len(normalized.silhouettes) and all(row.frame for row in dropped):
        count = f"{len(dropped)} dropped" if dropped else "it has no frame"
        # Where nobody walks through a video, its own rows say so.
        if dropped or not sequence.dropped:
            dropped.append(DroppedRow.of(sequence.key, "no-frames", detail=count))
    dropped = [*sequence.dropped, *dropped]
    return ReadSequence(sequence.key, normalized, digest(), dropped)


@dataclass(frozen=True)
class _NormalizeUnit:
    source: FrameSource
    options: SilhouetteOptions

    def __call__(self, unit: Unit) -> tuple[list[SequenceRecord], dict[str, NDArray[Any]]]:
        records, kept = [], []
        for sequence in self.source.read(unit):
            read = normalize_frames(sequence, self.options)
            has_frames = len(read.normalized.silhouettes) > 0
            warnings = tuple(read.normalized.warnings)
            records.append(
                SequenceRecord(
                    read.key,
                    read.key,
                    read.digest,
                    has_frames,
                    tuple(read.dropped),
                    warnings,
                    sequence.ignored,
                )
            )
            if has_frames:
                kept.append(read.normalized)
        shape = (0, self.options.height, self.options.width)
        return records, {
            "length": np.array([len(item.silhouettes) for item in kept], dtype=np.int64),
            "frames": np.concatenate([np.empty(shape, np.uint8), *(k.silhouettes for k in kept)]),
            "frame_index": np.concatenate(
                [np.empty(0, np.int32), *(item.frame_index for item in kept)]
            ),
            "track_x_px": _joined([item.track_x_px for item in kept]),
            "height_px": _joined([item.height_px for item in kept]),
            "name": np.array([name for item in kept for name in item.names], dtype=np.str_),
        }


def _joined(columns: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.empty(0, np.float32), *columns])


def normalize(
    source: FrameSource | Path | str,
    output: Path | str,
    options: SilhouetteOptions | None = None,
    *,
    workers: int = 1,
    cluster: Cluster | str | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Normalise every sequence of a source into a silhouettes artefact.

    Parameters
    ----------
    source : FrameSource or path-like
        Where the frames come from; a path is opened by `gaitkit.datasets.open_source`.
    output : path-like
        The artefact.
    options : SilhouetteOptions, optional
        How to normalise; by default what `silhouettes_of` says.
    workers : int
        Processes; the bytes of the artefact do not depend on it.
    cluster : Cluster or str, optional
        The Dask scheduler whose workers do it instead, ``tcp://head:8786``; the source and the
        folder of the output lie on a disk that all machines share. Whoever reaches that scheduler
        runs code as you.
    overwrite, restart : bool
        Replace an existing output; discard finished pieces of an earlier run.
    progress : callable, optional
        Called with the number of finished sequences and their total; of archives, where only
        reading them tells how many sequences they hold.

    Returns
    -------
    StageSummary
        What was kept and dropped.

    Raises
    ------
    ClusterError
        The cluster cannot do the work.
    DatasetError
        The source cannot be read, or not one sequence has a usable frame.
    OptionError
        The frames are aligned already, and `options` would align them again.
    OutputError
        The output exists or cannot be written.
    """
    cluster = as_cluster(cluster)
    if isinstance(source, str | Path):
        source = open_source(source)
    if options is None:
        options = silhouettes_of(source)
    refuse_second_alignment(source, options)
    parameters = {"silhouettes": options.as_parameters(), **made_on_the_way(source)}
    with (
        claimed_output(output, source, overwrite=overwrite) as claim,
        expanded_once(source, claim),
    ):
        if claim.taken:
            with finished_artifact(
                claim,
                "silhouettes",
                parameters,
                same_source(source, workers, progress),
                dataset=source.name,
            ) as artifact:
                return StageSummary.of_finished(artifact, artifact.shape("frames")[0])
        done = work_through_frames(
            source,
            claim,
            _NormalizeUnit(source, options),
            stage="normalize",
            kind="silhouettes",
            parameters=parameters,
            workers=workers,
            cluster=cluster,
            restart=restart,
            progress=progress,
        )
        return _write(claim, source, done)


_MANY = 20_000
_AT_A_TIME = 64
"""Each append compresses the last block of a file anew, which takes an hour for many sequences.
How rows are appended shows in the bytes of a file, and smaller ones keep those that they had."""


def _write(claim: Output, source: FrameSource, done: FramesWorked) -> StageSummary:
    left_out = done.units.dropped
    rows = OrderedRows(done.units, source.dropped)
    refuse_empty(len(rows), left_out, source.description, inherited=source.dropped)
    start = 0
    starts, lengths = array("q"), array("q")
    with ArtifactWriter(claim, done.provenance) as writer, PieceRows(done.pieces) as pieces:
        left = iter(rows)
        while block := list(islice(left, 1 if len(rows) < _MANY else _AT_A_TIME)):
            spans = []
            for piece, position in block:
                length_of = pieces.read(piece, "length", 0, position + 1)
                stop = int(length_of.sum())
                length = int(length_of[-1])
                spans.append((piece, stop - length, stop))
                starts.append(start)
                lengths.append(length)
                start += length
            for name in ("frames", "frame_index", "track_x_px", "height_px"):
                found = [pieces.read(piece, name, *span) for piece, *span in spans]
                writer.append(name, np.concatenate(found))
            for piece, *span in spans:
                writer.append_text("frame_name", pieces.read(piece, "name", *span).tolist())
        writer.write("start", np.array(starts, dtype=np.int64))
        writer.write("length", np.array(lengths, dtype=np.int64))
        writer.append_labels(rows.labels())
        writer.append_dropped(rows.dropped)
    done.pieces.discard()
    return StageSummary(
        done.units.sequences + len(source.dropped),
        len(rows),
        start,
        rows.dropped,
        writer.content_sha256,
        done.provenance.ignored,
    )
