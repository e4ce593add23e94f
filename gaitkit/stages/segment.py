"""The stage `segment`: a video of people to a masks artefact."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.arguments import MAX_NAME, as_path, check_name
from gaitkit.artifacts import Artifact, ArtifactWriter, InputRef, Provenance, open_artifact
from gaitkit.datasets.glimpse import refuse_artefact
from gaitkit.datasets.naming import clean_text
from gaitkit.datasets.segmented import (
    WORK_PIXELS,
    SegmentedVideo,
    StoredMasks,
    VideoReading,
    dropped_rows,
    frame_names,
)
from gaitkit.datasets.videos import Film
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DatasetError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.outputs import Output
from gaitkit.parallel import Progress
from gaitkit.printable import printable
from gaitkit.reporting.annotation import Mark, annotated, colour_of
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.segmentation.passes import Dropped, Pass
from gaitkit.stages.advice import refuse_empty
from gaitkit.stages.drawn import AS_VIDEO, free_video, write_drawn
from gaitkit.stages.finished import finished_artifact
from gaitkit.stages.normalize import StageSummary

__all__ = ["free_preview", "read_masks", "segment", "segment_video", "write_preview"]

_BLOCK = 1 << 20

_log = logging.getLogger(__name__)


def segment_video(path: Path | str, options: SegmentOptions | None = None) -> Iterator[Pass]:
    """The passes of everybody who walks through a video of people.

    Parameters
    ----------
    path : path-like
        The video, of a fixed camera.
    options : SegmentOptions, optional
        How it is segmented.

    Yields
    ------
    Pass
        One person, one direction; in order of time. Its `boxes` say where they are in which of
        the `frames`, and at what `times_s`.

    Raises
    ------
    DatasetError
        The video cannot be read, or is one of masks.
    OptionError
        There is no such segmenter.
    """
    for found in SegmentedVideo(as_path(path), options or SegmentOptions()):
        if isinstance(found, Pass):
            yield found


def segment(
    video: Path | str,
    output: Path | str,
    options: SegmentOptions | None = None,
    *,
    subject: str | None = None,
    view: float | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StageSummary:
    """Segment a video of people into a masks artefact, one sequence for each pass.

    Parameters
    ----------
    video : path-like
        The video, of a fixed camera.
    output : path-like
        The artefact.
    options : SegmentOptions, optional
        How.
    subject : str, optional
        Whose passes they are; by default the video's name. Takes count the passes.
    view : float, optional
        From where it was recorded, degrees.
    name : str, optional
        Name of the data set; by default the video's.
    overwrite : bool
        Replace an existing output.
    progress : callable, optional
        Called with the number of frames that are done, and how many the video says it has.

    Returns
    -------
    StageSummary
        What was kept and dropped.

    Raises
    ------
    DatasetError
        The video cannot be read, is one of masks, or nobody walks through it.
    OptionError
        A name, a view or an option cannot be used.
    OutputError
        The output exists or cannot be written.
    """
    path, options = as_path(video), options or SegmentOptions()
    VideoReading(options, subject, view).checked()
    if not path.is_file():
        raise DatasetError(f"There is no video {printable(str(path), 200)}.")
    refuse_artefact(path, "a video of people")
    stem = clean_text(path.stem)[:MAX_NAME]
    dataset = stem if name is None else check_name(name, "`name`")
    key = SequenceKey(stem if subject is None else clean_text(subject), "nm", 1, view)
    selected = options.selection()
    parameters: dict[str, Any] = {
        "segmentation": options.as_parameters(),
        **({"video": selected} if selected else {}),
    }
    with Output(output, overwrite=overwrite, inputs=[path]) as claim:
        inputs = [InputRef("video", _digest(path))]
        if claim.taken:

            def same(artifact: Artifact) -> bool:
                keys = artifact.labels.keys()
                whose = {(one.subject, one.view) for one in keys} <= {(key.subject, view)}
                return list(artifact.inputs) == inputs and whose

            with finished_artifact(claim, "masks", parameters, same, dataset=dataset) as artifact:
                return StageSummary.of_finished(artifact, artifact.shape("box")[0])
        found = SegmentedVideo(path, options, progress)
        passes = iter(found)
        dropped: list[DroppedRow] = []
        first = _next_pass(passes, key, dropped)
        if first is None:
            _tell(found)
            dropped.append(DroppedRow.of(key, "nobody-walks"))
            refuse_empty(0, _most_telling(dropped), f"the video {path}")
        provenance = Provenance("masks", parameters, dataset, None, inputs)
        with ArtifactWriter(claim, provenance) as writer:
            written = _Written(writer, clean_text(path.stem), found)
            rest = (one for one in passes if _keep(one, key, dropped))
            for one in chain([first], rest):
                assert isinstance(one, Pass)
                written.add(one)
            written.end(key)
            writer.append_dropped(sorted(dropped, key=lambda row: row.order))
        _tell(found)
    return StageSummary(
        written.count + len(dropped),
        written.count,
        written.frames,
        dropped,
        writer.content_sha256,
        {},
    )


def _tell(found: SegmentedVideo) -> None:
    for doubt in found.doubts:
        _log.warning("%s", doubt)


def _most_telling(dropped: list[DroppedRow]) -> list[DroppedRow]:
    """Why nobody is left: what is known of somebody, rather than that there is nobody."""
    known = [row for row in dropped if row.reason != "nobody-walks"]
    return known or dropped


def _keep(one: Pass | Dropped, key: SequenceKey, dropped: list[DroppedRow]) -> bool:
    if isinstance(one, Dropped):
        dropped += dropped_rows(key, [one])
    return isinstance(one, Pass)


def _next_pass(
    passes: Iterator[Pass | Dropped], key: SequenceKey, dropped: list[DroppedRow]
) -> Pass | None:
    for one in passes:
        if isinstance(one, Pass):
            return one
        dropped += dropped_rows(key, [one])
    return None


def _digest(path: Path) -> str:
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            running.update(block)
    return running.hexdigest()


class _Written:
    """A masks artefact that grows pass by pass."""

    def __init__(self, writer: ArtifactWriter, stem: str, found: SegmentedVideo) -> None:
        self._writer = writer
        self._stem = stem
        self._found = found
        self._bits = 0
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("start", "length", "direction", "start_s", "end_s", "middle_px")
        }
        self._times: list[NDArray[np.float64]] = []
        self.frames = 0

    @property
    def count(self) -> int:
        """Passes so far."""
        return len(self._columns["start"])

    def add(self, one: Pass) -> None:
        """Append a pass."""
        starts, block, size = [], [], 0
        for mask in one.masks():
            bits = np.packbits(mask > 0)
            starts.append(self._bits)
            self._bits += len(bits)
            block.append(bits)
            size += len(bits)
            if size > _BLOCK:
                self._writer.append("bits", np.concatenate(block))
                block, size = [], 0
        if block:
            self._writer.append("bits", np.concatenate(block))
        self._writer.append("bits_start", np.array(starts, np.int64))
        self._writer.append("box", one.boxes)
        self._writer.append("frame", one.frames)
        self._times.append(one.times_s)
        names = frame_names(self._stem, one.times_s, self._found.rate)
        self._writer.append_text("frame_name", names)
        columns = self._columns
        columns["start"].append(self.frames)
        columns["length"].append(len(one))
        columns["direction"].append(one.direction)
        columns["start_s"].append(one.start_s)
        columns["end_s"].append(one.end_s)
        columns["middle_px"].append(one.middle)
        self.frames += len(one)

    def end(self, key: SequenceKey) -> None:
        """Write what is known of each pass, and of the video."""
        kinds = {"start": np.int64, "length": np.int64, "direction": np.int8}
        for name, values in self._columns.items():
            self._writer.write(name, np.array(values, kinds.get(name, np.float64)))
        self._writer.write("time_s", np.concatenate(self._times))
        self._writer.write("frame_size", np.array(self._found.shape, np.int64))
        self._writer.write("frames_per_second", np.array([self._found.rate], np.float64))
        keys = [key._replace(take=take) for take in range(1, self.count + 1)]
        self._writer.append_labels(Labels.from_keys(keys))


def read_masks(
    path: Path | str,
) -> Iterator[tuple[SequenceKey, NDArray[np.int32], list[NDArray[np.uint8]]]]:
    """The passes in a masks artefact.

    Parameters
    ----------
    path : path-like
        The artefact.

    Yields
    ------
    key : SequenceKey
        Whose pass it is.
    boxes : ndarray of int32, shape (n, 4)
        Left, top, width and height in each frame, pixels.
    masks : list of ndarray of uint8
        0 or 255, each cut out at its box.

    Raises
    ------
    ArtifactError
        It is no such artefact, or a damaged one.
    """
    with open_artifact(path, "masks") as artifact:
        stored = StoredMasks(artifact)
        for row in range(len(artifact.labels)):
            masks = [mask for _, mask in stored.masks(row)]
            yield artifact.labels.key(row), stored.boxes(row), masks


def free_preview(
    preview: Path | str, video: Path | str, output: Path | str, *, overwrite: bool = False
) -> None:
    """Raise where a preview cannot be written, before there is any work.

    Parameters
    ----------
    preview : path-like
        The video to write, ``.mp4`` or ``.avi``.
    video, output : path-like
        What is segmented, and the artefact.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    OptionError
        Its name ends otherwise.
    OutputError
        It exists or cannot be written, or is one of the others.
    """
    free_video(as_path(preview), "preview", [as_path(video), as_path(output)], overwrite=overwrite)


def write_preview(
    video: Path | str,
    masks: Path | str,
    preview: Path | str,
    options: SegmentOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Draw masks and boxes on the video that they are of, to be looked at.

    Parameters
    ----------
    video : path-like
        The video.
    masks : path-like
        Its masks artefact.
    preview : path-like
        The video to write, ``.mp4`` or ``.avi``.
    options : SegmentOptions, optional
        As the masks were made: which part of the video it is, and how it is turned.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the number of frames that are done, and how many the video says it has.

    Raises
    ------
    ArtifactError
        These are no masks.
    DatasetError
        The video cannot be read.
    OutputError
        The preview exists or cannot be written.
    """
    path, preview = as_path(video), as_path(preview)
    options = options or SegmentOptions()
    free_preview(preview, path, masks, overwrite=overwrite)
    with (
        Output(
            preview,
            overwrite=overwrite,
            inputs=[path, as_path(masks)],
            other_than_artefact=AS_VIDEO,
        ) as claim,
        open_artifact(masks, "masks") as artifact,
        Film(
            path,
            pixels=WORK_PIXELS,
            from_s=options.from_s,
            to_s=options.to_s,
            max_frames=options.max_frames,
            rotate=options.rotate,
        ) as film,
    ):
        write_drawn(_drawn(film, artifact, progress), claim, film.rate)


def _drawn(
    film: Film, artifact: Artifact, progress: Progress | None
) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a film with what was found in them: red, green and blue."""
    stored = StoredMasks(artifact)
    numbers = artifact.read("frame")
    waiting = sorted((int(numbers[stored.span(row)[0]]), row) for row in range(stored.count))
    going: dict[int, Iterator[tuple[int, NDArray[np.int32], NDArray[np.uint8]]]] = {}
    current: dict[int, tuple[int, NDArray[np.int32], NDArray[np.uint8]]] = {}
    for done, picture in enumerate(film, start=1):
        pixels = np.ascontiguousarray(picture.pixels[..., ::-1])
        marks: dict[int, Mark] = {}
        while waiting and waiting[0][0] <= picture.number:
            _, row = waiting.pop(0)
            start, stop = stored.span(row)
            going[row] = _numbered(numbers[start:stop].tolist(), stored.masks(row))
        for row, sightings in list(going.items()):
            while row not in current or current[row][0] < picture.number:
                following = next(sightings, None)
                if following is None:
                    del going[row]
                    current.pop(row, None)
                    break
                current[row] = following
            else:
                if current[row][0] == picture.number:
                    marks[row] = _tinted(pixels, row, *current[row][1:], picture.shape)
        colours = {mark.name: colour_of(row) for row, mark in marks.items()}
        yield annotated(pixels, list(marks.values()), colours)
        if progress and done % 10 == 0:
            progress(done, max(film.frames, done))


def _numbered(
    frames: list[int], masks: Iterable[tuple[NDArray[np.int32], NDArray[np.uint8]]]
) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.uint8]]]:
    for frame, (box, mask) in zip(frames, masks, strict=True):
        yield frame, box, mask


def _tinted(
    pixels: NDArray[np.uint8],
    row: int,
    box: NDArray[np.int32],
    mask: NDArray[np.uint8],
    shape: tuple[int, int],
) -> Mark:
    """Tint a mask; what is to be drawn around it."""
    scale = pixels.shape[0] / shape[0]
    left, top, columns, rows = (round(int(value) * scale) for value in box)
    part = pixels[top : top + rows, left : left + columns]
    if part.size:
        small = cv2.resize(mask, part.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        colour = np.array(colour_of(row), np.float32)
        part[small] = (0.45 * part[small] + 0.55 * colour).astype(np.uint8)
    return Mark((left, top, columns, rows), str(row + 1))
