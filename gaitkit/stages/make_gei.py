"""The stage `make-gei`: frames, silhouettes or ready-made images to a GEI artefact.

`make_gei` takes whatever a path holds; `gei_from_frames`, `gei_from_silhouettes` and `collect_geis`
are its three ways.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gaitkit._version import __version__
from gaitkit.arguments import as_path
from gaitkit.artifacts import (
    Artifact,
    ArtifactWriter,
    InputRef,
    PieceRows,
    Pieces,
    Provenance,
    open_artifact,
)
from gaitkit.cluster import Cluster, as_cluster
from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.datasets.segmented import VideoReading
from gaitkit.datasets.sources import (
    FrameSource,
    Layout,
    SequenceFrames,
    Unit,
    Unreadable,
    sequence_counts,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArtifactError, OptionError
from gaitkit.gei.fitting import fit_gei, fit_of
from gaitkit.gei.options import GeiOptions
from gaitkit.gei.sequence import GeiResult, sequence_gei
from gaitkit.labels import Labels, SequenceKey
from gaitkit.outputs import FileIdentity, Output, file_identity
from gaitkit.parallel import Progress
from gaitkit.png import DecodeError, decode_grey
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.advice import refuse_empty
from gaitkit.stages.finished import finished_artifact
from gaitkit.stages.normalize import (
    StageSummary,
    normalize_frames,
    refuse_second_alignment,
    silhouettes_of,
)
from gaitkit.stages.piecework import (
    PIECES_VERSION,
    Counted,
    FinishedUnits,
    MakePiece,
    OrderedRows,
    SequenceRecord,
    claimed_output,
    expanded_once,
    finish_pieces,
    frames_digest,
    made_on_the_way,
    refuse_changed,
    same_source,
    source_digest,
    tell_passed_over,
    work_through_frames,
)

__all__ = [
    "INPUT_KINDS",
    "GeiInput",
    "average_of",
    "collect_geis",
    "gei_from_frames",
    "gei_from_silhouettes",
    "make_gei",
    "open_input",
    "unit_of",
]

_log = logging.getLogger(__name__)

InputKind = Literal["silhouettes", "frames", "geis"]

INPUT_KINDS: tuple[InputKind, ...] = ("silhouettes", "frames", "geis")
"""A silhouettes artefact, frames, or ready-made GEIs."""

_SEQUENCES_PER_UNIT = 64
_COLUMNS = ("gei", "frames_used", "period_frames", "mirrored")


@dataclass(frozen=True)
class GeiInput:
    """What GEIs are made from.

    Attributes
    ----------
    kind : {"silhouettes", "frames", "geis"}
        A silhouettes artefact, frames, or ready-made GEIs.
    path : Path
        Where it is.
    source : Layout or None
        The frames or images; `None` for an artefact.
    """

    kind: InputKind
    path: Path
    source: Layout | None = None


def open_input(
    path: Path | str,
    *,
    kind: InputKind | None = None,
    layout: str | None = None,
    name: str | None = None,
    reading: VideoReading | None = None,
) -> GeiInput:
    """Tell by content what a path holds.

    Parameters
    ----------
    path : str or Path
        A file or folder.
    kind : {"silhouettes", "frames", "geis"}, optional
        What it is, where that is known. An HDF5 file of whatever kind is taken for silhouettes:
        opening it says what is wrong with it.
    layout : str, optional
        A key of `gaitkit.datasets.layouts.LAYOUTS`.
    name : str, optional
        Name of the data set.
    reading : VideoReading, optional
        How videos of people are segmented on the way.

    Returns
    -------
    GeiInput
        Its sequences are not listed yet.

    Raises
    ------
    LayoutError
        There is nothing, or nothing of a layout that gaitkit reads.
    OptionError
        No such layout, or one of another kind.
    """
    path = as_path(path)
    if kind is None and layout is None and _is_artifact(path):
        kind = "frames" if recognise(path, holds="frames") == "masks" else "silhouettes"
    if kind == "silhouettes":
        if layout is not None:
            raise OptionError(
                f"The `layout` {layout} is of frames or ready-made GEIs; a silhouettes artefact "
                "has none."
            )
        return GeiInput(kind, path)
    source = open_source(path, name=name, layout=layout, holds=kind, reading=reading)
    return GeiInput(source.holds, path, source)


def unit_of(given: GeiInput) -> str:
    """What the progress of `make_gei` counts: ``sequences``, or ``archives`` to be read whole."""
    known = given.source is None or sequence_counts(given.source.units()) is not None
    return "sequences" if known else "archives"


def _is_artifact(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(8)
    return start.startswith((b"gaitkit ", b"\x89HDF")) or path.suffix == ".h5"


def make_gei(
    source: GeiInput | Path | str,
    output: Path | str,
    silhouettes: SilhouetteOptions | None = None,
    options: GeiOptions | None = None,
    *,
    size: tuple[int, int] | None = None,
    workers: int = 1,
    cluster: Cluster | str | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Make GEIs of whatever there is: silhouettes, frames in any layout, or ready-made GEIs.

    Parameters
    ----------
    source : str, Path or GeiInput
        A silhouettes artefact; frames in any layout of `gaitkit.datasets.layouts.LAYOUTS`; or
        ready-made GEIs; a video of people, or the masks of one. `open_input` gives a `GeiInput`
        where more is known about it.
    output : str or Path
        The GEI artefact.
    silhouettes : SilhouetteOptions, optional
        How the silhouettes of frames are normalised; those that are aligned already stay as they
        are.
    options : GeiOptions, optional
        How they are averaged; not for ready-made GEIs. By default what `average_of` says.
    size : tuple of int, optional
        Height and width to which ready-made GEIs are padded or scaled; as they are unless given.
        What is made of silhouettes has the size that `silhouettes` says.
    workers : int
        Processes; the bytes of the artefact do not depend on it.
    cluster : Cluster or str, optional
        The Dask scheduler whose workers do it instead, as for `gaitkit.normalize`.
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
    ArtifactError
        The input is an artefact, but not one of silhouettes.
    DatasetError
        The source cannot be read, or not one sequence gave a GEI.
    OutputError
        The output exists or cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from gaitkit.walkers import WalkerOptions, write_tree
    >>> with TemporaryDirectory() as folder:
    ...     walkers = WalkerOptions(subjects=1, frames=12, noise=0, views=(90,), takes={"nm": 2})
    ...     _ = write_tree(f"{folder}/walkers", walkers)
    ...     summary = make_gei(f"{folder}/walkers", f"{folder}/gei.h5")
    >>> summary.kept, summary.frames
    (2, 24)
    """
    given = source if isinstance(source, GeiInput) else open_input(source)
    options = average_of(given) if options is None else options
    if given.source is None:
        return gei_from_silhouettes(
            given.path,
            output,
            options,
            workers=workers,
            cluster=cluster,
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    if given.kind == "geis":
        if cluster is not None:
            raise OptionError(
                "Ready-made GEIs are collected here, and no `cluster` has anything to do for it."
            )
        return collect_geis(given.source, output, size=size, overwrite=overwrite, progress=progress)
    return gei_from_frames(
        given.source,
        output,
        silhouettes or silhouettes_of(given.source),
        options,
        workers=workers,
        cluster=cluster,
        overwrite=overwrite,
        restart=restart,
        progress=progress,
    )


def average_of(given: GeiInput, **options: Any) -> GeiOptions:
    """How silhouettes are averaged, for what is not said.

    Parameters
    ----------
    given : GeiInput
        What GEIs are made from.
    **options
        Fields of `GeiOptions` by name.

    Returns
    -------
    GeiOptions
        Of people in videos, who walk to either side, those who walk to the left are mirrored
        (``mirror="track"``), and a line says so.

    Raises
    ------
    OptionError
        An option is unknown or outside its range.
    """
    if "mirror" not in options and _is_segmented(given):
        options = {"mirror": "track"} | options
        _log.info(
            "Who walks to the left in a video is mirrored, so that both directions compare "
            '(`mirror="track"`); `mirror="none"` leaves them as they are.'
        )
    return GeiOptions.from_parameters(options)


def _is_segmented(given: GeiInput) -> bool:
    """Whether the silhouettes are of people in a video that gaitkit has segmented."""
    if given.kind == "frames" and given.source is not None:
        return bool(given.source.made_by())
    if given.kind != "silhouettes":
        return False
    with open_artifact(given.path, "silhouettes") as artifact:
        return "segmentation" in artifact.parameters


class _Geis:
    """The GEIs of one unit, growing sequence by sequence."""

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width)
        self.records: list[SequenceRecord] = []
        self._kept: list[GeiResult] = []

    def add(
        self,
        key: SequenceKey,
        digest: str,
        result: GeiResult | None,
        dropped: list[DroppedRow],
        warnings: Sequence[str] = (),
        ignored: Mapping[str, int] | None = None,
    ) -> None:
        """Add one sequence; `result` is `None` when not one frame was usable."""
        source_key = key
        kept = result is not None and result.gei is not None
        if result is not None and result.reason:
            dropped = [*dropped, DroppedRow.of(key, result.reason, detail=result.detail)]
        if kept:
            self._kept.append(result)  # type: ignore[arg-type]
            key = key._replace(view=result.view)  # type: ignore[union-attr]
        self.records.append(
            SequenceRecord(
                key, source_key, digest, kept, tuple(dropped), tuple(warnings), ignored or {}
            )
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns of the piece."""
        geis = [result.gei for result in self._kept if result.gei is not None]
        periods = [result.period_frames for result in self._kept]
        return {
            "gei": np.array(geis, dtype=np.uint8).reshape(-1, *self._shape),
            "frames_used": np.array([r.frames_used for r in self._kept], dtype=np.int64),
            "period_frames": np.array(
                [np.nan if period is None else period for period in periods], dtype=np.float32
            ),
            "mirrored": np.array([r.mirrored for r in self._kept], dtype=np.bool_),
        }


@dataclass(frozen=True)
class _GeiFromFrames:
    source: FrameSource
    silhouettes: SilhouetteOptions
    options: GeiOptions

    def __call__(self, unit: Unit) -> tuple[list[SequenceRecord], dict[str, NDArray[Any]]]:
        geis = _Geis(self.silhouettes.height, self.silhouettes.width)
        for sequence in self.source.read(unit):
            key, normalized, digest, dropped = normalize_frames(sequence, self.silhouettes)
            result = None
            if len(normalized.silhouettes):
                result = sequence_gei(
                    normalized.silhouettes,
                    normalized.track_x_px,
                    normalized.height_px,
                    key.view,
                    self.options,
                    frame_index=normalized.frame_index,
                )
            geis.add(key, digest, result, dropped, normalized.warnings, sequence.ignored)
        return geis.records, geis.arrays()


def gei_from_frames(
    source: FrameSource | Path | str,
    output: Path | str,
    silhouettes: SilhouetteOptions,
    options: GeiOptions,
    *,
    workers: int = 1,
    cluster: Cluster | str | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Make GEIs straight from frames, streaming; no silhouettes are stored.

    Parameters
    ----------
    source : FrameSource or path-like
        Where the frames come from; a path is opened by `gaitkit.datasets.open_source`.
    output : path-like
        The GEI artefact.
    silhouettes : SilhouetteOptions
        How the silhouettes are normalised.
    options : GeiOptions
        How they are averaged.
    workers : int
        Processes; the bytes of the artefact do not depend on it.
    cluster : Cluster or str, optional
        The Dask scheduler whose workers do it instead, as for `gaitkit.normalize`.
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
    DatasetError
        The source cannot be read, or not one sequence gave a GEI.
    OptionError
        The frames are aligned already, and `silhouettes` would align them again.
    OutputError
        The output exists or cannot be written.
    """
    cluster = as_cluster(cluster)
    if isinstance(source, str | Path):
        source = open_source(source)
    refuse_second_alignment(source, silhouettes)
    parameters = {
        "silhouettes": silhouettes.as_parameters(),
        "gei": options.as_parameters(),
        **made_on_the_way(source),
    }
    with (
        claimed_output(output, source, overwrite=overwrite) as claim,
        expanded_once(source, claim),
    ):
        if claim.taken:
            same = same_source(source, workers, progress)
            with finished_artifact(claim, "gei", parameters, same, dataset=source.name) as artifact:
                return _of_finished(artifact)
        done = work_through_frames(
            source,
            claim,
            _GeiFromFrames(source, silhouettes, options),
            stage="make-gei",
            kind="gei",
            parameters=parameters,
            workers=workers,
            cluster=cluster,
            restart=restart,
            progress=progress,
        )
        return _write(
            claim,
            done.provenance,
            done.pieces,
            done.units,
            source.description,
            inherited=source.dropped,
        )


def _of_finished(artifact: Artifact) -> StageSummary:
    used = artifact.read("frames_used")
    return StageSummary.of_finished(artifact, int(used[used > 0].sum()))


@dataclass(frozen=True)
class _GeiFromSilhouettes:
    path: Path
    options: GeiOptions
    content_sha256: str
    verified: FileIdentity | None

    def __call__(self, unit: Unit) -> tuple[list[SequenceRecord], dict[str, NDArray[Any]]]:
        first = unit.index * _SEQUENCES_PER_UNIT
        # Only the file that has been checked needs no other check.
        verified = file_identity(self.path) == self.verified
        with open_artifact(self.path, "silhouettes", verified=verified) as artifact:
            if artifact.content_sha256 != self.content_sha256:
                raise ArtifactError(
                    f"{self.path} was replaced by another file while it was read.",
                    hint="Give the same command again when nothing writes there.",
                )
            labels = artifact.labels
            starts, lengths = artifact.read("start"), artifact.read("length")
            geis = _Geis(*artifact.shape("frames")[1:])
            for row in range(first, min(first + _SEQUENCES_PER_UNIT, len(labels))):
                span = int(starts[row]), int(starts[row] + lengths[row])
                key = labels.key(row)
                result = sequence_gei(
                    artifact.read_rows("frames", *span),
                    artifact.read_rows("track_x_px", *span),
                    artifact.read_rows("height_px", *span),
                    key.view,
                    self.options,
                    frame_index=artifact.read_rows("frame_index", *span),
                )
                geis.add(key, artifact.content_sha256, result, [])
        return geis.records, geis.arrays()


def gei_from_silhouettes(
    path: Path | str,
    output: Path | str,
    options: GeiOptions,
    *,
    workers: int = 1,
    cluster: Cluster | str | None = None,
    overwrite: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Make GEIs from a silhouettes artefact.

    Parameters
    ----------
    path : path-like
        The silhouettes artefact.
    output, options, workers, cluster, overwrite, restart, progress
        As in `gei_from_frames`; the content digest of the result is the same as there.

    Returns
    -------
    StageSummary
        What was kept and dropped, the silhouettes' own dropped table included.

    Raises
    ------
    ArtifactError
        The input is not a silhouettes artefact.
    DatasetError
        Not one sequence gave a GEI.
    OutputError
        The output exists or cannot be written.
    """
    path = as_path(path)
    cluster = as_cluster(cluster)
    with Output(output, overwrite=overwrite, inputs=[path]) as claim:
        verified = file_identity(path)
        with open_artifact(path, "silhouettes") as artifact:
            parameters = {**artifact.parameters, "gei": options.as_parameters()}
            provenance = Provenance(
                "gei", parameters, artifact.dataset, None, [artifact.ref()], artifact.ignored
            )
            inherited = artifact.dropped
            sequences = len(artifact.labels)
        if claim.taken:
            with finished_artifact(
                claim, "gei", parameters, provenance.inputs, dataset=provenance.dataset
            ) as made:
                return _of_finished(made)
        content_sha256 = provenance.inputs[0].content_sha256
        plan = {
            "stage": "make-gei",
            "version": __version__,
            "parameters": parameters,
            "input": content_sha256,
            "pieces": PIECES_VERSION,
        }
        units = [
            Unit(
                index,
                f"sequences from {first}",
                tuple(range(first, min(sequences, first + _SEQUENCES_PER_UNIT))),
            )
            for index, first in enumerate(range(0, sequences, _SEQUENCES_PER_UNIT))
        ]
        pieces = Pieces.of(claim.path, plan, restart=restart)
        work = _GeiFromSilhouettes(path, options, content_sha256, verified)
        found = finish_pieces(
            units,
            MakePiece(work, pieces),
            workers=workers,
            cluster=cluster,
            reads=path,
            progress=progress,
        )
        return _write(claim, provenance, pieces, found, str(path), inherited=inherited)


def _write(
    claim: Output,
    provenance: Provenance,
    pieces: Pieces,
    found: FinishedUnits,
    description: str,
    *,
    inherited: list[DroppedRow],
) -> StageSummary:
    left_out = found.dropped
    rows = OrderedRows(found, inherited)
    refuse_empty(len(rows), left_out, description, inherited=inherited)
    dropped = rows.dropped
    frames = 0
    with ArtifactWriter(claim, provenance) as writer, PieceRows(pieces) as read:
        left = iter(rows)
        while block := list(islice(left, _SEQUENCES_PER_UNIT)):
            for name in _COLUMNS:
                column = np.concatenate([read.read(p, name, at, at + 1) for p, at in block])
                writer.append(name, column)
                if name == "frames_used":
                    frames += int(column.sum())
        writer.append_labels(rows.labels())
        writer.append_dropped(dropped)
    pieces.discard()
    lost = sum(not row.frame for row in dropped)
    return StageSummary(
        len(rows) + lost, len(rows), frames, dropped, writer.content_sha256, provenance.ignored
    )


def collect_geis(
    source: FrameSource,
    output: Path | str,
    *,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Collect ready-made GEIs, one image per sequence and view, into an artefact.

    Images of another size than most are dropped (``not-a-gei``), as are those that cannot be
    decoded. How the GEIs were made is not known, which the parameters say, so that they are never
    mixed with gaitkit's own.

    Parameters
    ----------
    source : FrameSource
        The images: one frame a sequence.
    output : path-like
        The GEI artefact.
    size : tuple of int, optional
        Height and width, pixels, from 16 to 1024. Images of that height that are narrower are
        padded; others are scaled, see `gaitkit.gei.fitting`. The parameters say which of the two.
        Without it images stay as they are.
    overwrite : bool
        Replace an existing output.
    progress : callable, optional
        Called with the number of finished sequences and their total; of archives, where only
        reading them tells how many sequences they hold.

    Returns
    -------
    StageSummary
        What was kept and dropped; ready-made GEIs do not tell of how many frames they are.

    Raises
    ------
    DatasetError
        There is not one usable image.
    OptionError
        There are no images of such a size.
    OutputError
        The output exists or cannot be written.
    """
    if size is not None and not all(16 <= side <= 1024 for side in size):
        raise OptionError(f"`size` is a height and a width from 16 to 1024 pixels, got {size}.")
    with (
        claimed_output(output, source, overwrite=overwrite) as claim,
        expanded_once(source, claim),
    ):
        images: dict[SequenceKey, NDArray[np.uint8]] = {}
        dropped: list[DroppedRow] = list(source.dropped)
        records: list[tuple[SequenceKey, str]] = []
        units = source.units()
        if isinstance(source, Layout) and not claim.taken:
            _log.info("%s", source.recognised)
            tell_passed_over(source)
        follow = Counted(units, progress)
        for unit in units:
            for sequence in source.read(unit):
                _collect_one(sequence, images, dropped, records)
            follow.finished(unit)
        refuse_changed(source)
        _leave_out_other_sizes(images, dropped, source.description)
        keys = sorted(images, key=lambda key: key.order)
        parameters = _fitted(images, size)
        inputs = [InputRef("frames", source_digest(records))]
        provenance = Provenance("gei", parameters, source.name, None, inputs, source.ignored)
        if claim.taken:
            with finished_artifact(
                claim, "gei", parameters, inputs, dataset=source.name
            ) as artifact:
                return _of_finished(artifact)
        with ArtifactWriter(claim, provenance) as writer:
            writer.write("gei", np.array([images[key] for key in keys], dtype=np.uint8))
            writer.write("frames_used", np.full(len(keys), -1, dtype=np.int64))
            writer.append_labels(Labels.from_keys(keys))
            writer.append_dropped(sorted(dropped, key=lambda row: row.order))
    return StageSummary(
        len(records) + len(source.dropped),
        len(keys),
        0,
        dropped,
        writer.content_sha256,
        source.ignored,
    )


def _fitted(
    images: dict[SequenceKey, NDArray[np.uint8]], size: tuple[int, int] | None
) -> dict[str, dict[str, Any]]:
    """Bring images, all of one size, to another; gives the parameters of the artefact."""
    shape = next(iter(images.values())).shape
    given = (shape[0], shape[1])
    size = size or given
    parameters: dict[str, dict[str, Any]] = {
        "silhouettes": {"alignment": "unknown", "height": size[0], "width": size[1]},
        "gei": {"source": "ready-made"},
    }
    fit = fit_of(given, size)
    if fit.how == "kept":
        return parameters
    for key, image in images.items():
        images[key] = fit_gei(image, size)
    parameters["gei"] |= {"fit": fit.how, "height": given[0], "width": given[1]}
    between = "" if fit[1:] in (given, size) else f"{fit.height}x{fit.width} and padded to "
    _log.info(
        "The ready-made GEIs of %dx%d are %s to %s%dx%d (height x width).",
        *given,
        fit.how,
        between,
        *size,
    )
    return parameters


def _leave_out_other_sizes(
    images: dict[SequenceKey, NDArray[np.uint8]], dropped: list[DroppedRow], description: str
) -> None:
    shapes = Counter(image.shape for image in images.values())
    if not shapes:
        refuse_empty(0, dropped, description)
    expected = shapes.most_common(1)[0][0]
    for key in [key for key, image in images.items() if image.shape != expected]:
        detail = "{}×{}, most are {}×{}".format(*images.pop(key).shape, *expected)
        dropped.append(DroppedRow.of(key, "not-a-gei", detail=detail))


def _collect_one(
    sequence: SequenceFrames,
    images: dict[SequenceKey, NDArray[np.uint8]],
    dropped: list[DroppedRow],
    records: list[tuple[SequenceKey, str]],
) -> None:
    frames, digest = frames_digest(sequence)
    key = sequence.key
    for name, data in frames:
        if key in images:
            dropped.append(DroppedRow.of(key, "duplicate", frame=name))
            continue
        if isinstance(data, Unreadable):
            dropped.append(DroppedRow.of(key, "undecodable", frame=name, detail=data.why))
            continue
        try:
            images[key] = data if isinstance(data, np.ndarray) else decode_grey(data)
        except DecodeError as error:
            dropped.append(DroppedRow.of(key, error.reason, frame=name, detail=str(error)))
    records.append((key, digest()))
