"""Names drawn on a video: `who` with a picture of what it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.segmented import StoredMasks
from gaitkit.datasets.videos import Film, silhouette_frames
from gaitkit.errors import OptionError, OutputError
from gaitkit.identification.gallery import Answer
from gaitkit.outputs import Output
from gaitkit.printable import printable
from gaitkit.reporting.annotation import Mark, annotated_frames
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.stages.make_gei import GeiInput
from gaitkit.stages.segment import segment

__all__ = ["annotate_masks", "annotate_people", "marks_of", "masks_of", "write_video"]

FRAMES_PER_SECOND = 25.0
"""Where nothing is known of a video's times."""

_CODE = "mp4v"


def marks_of(
    passes: Iterable[tuple[NDArray[np.integer], NDArray[np.integer], Answer]],
) -> dict[int, list[Mark]]:
    """Who is where in each frame.

    Parameters
    ----------
    passes : iterable of (frames, boxes, answer)
        Of each walk the numbers of its frames, counted from 0, shape (n,); left, top, width and
        height in each of them, pixels, shape (n, 4); and who it is.

    Returns
    -------
    dict of int to list of Mark
        For each frame that has somebody.

    Examples
    --------
    >>> from gaitkit.identification.gallery import Candidate
    >>> ann = Answer((Candidate("ann", 8.0, 0),), "ann", 0)
    >>> marks_of([(np.array([3]), np.array([[1, 2, 30, 60]]), ann)])
    {3: [Mark(box=(1, 2, 30, 60), name='ann', distance=8.0)]}
    """
    marks: dict[int, list[Mark]] = {}
    for frames, boxes, answer in passes:
        distance = answer.candidates[0].distance if answer.candidates else None
        for number, box in zip(frames.tolist(), boxes.tolist(), strict=True):
            left, top, width, height = box
            mark = Mark((left, top, width, height), answer.name, distance)
            marks.setdefault(number, []).append(mark)
    return marks


def write_video(
    frames: Iterable[NDArray[np.uint8]],
    marks: Mapping[int, Sequence[Mark]],
    output: Path | str | Output,
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
    overwrite: bool = False,
) -> int:
    """Write a video with its people marked, frame by frame.

    Parameters
    ----------
    frames : iterable of ndarray of uint8, shape (height, width, 3) or (height, width)
        Red, green and blue, or grey; all of one size.
    marks : mapping of int to sequence of Mark
        From `marks_of`.
    output : path-like or Output
        An mp4 file, or the claim on it.
    frames_per_second : float
        Of the video.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    OutputError
        It cannot be written, or there is no frame.
    OptionError
        The name is not that of an mp4 video.
    """
    claim = output if isinstance(output, Output) else Output(output, overwrite=overwrite)
    if claim.path.suffix.lower() != ".mp4":
        raise OptionError(f"The annotated video is an .mp4 file; got {claim.path.name}.")
    with claim, TemporaryDirectory(prefix="gaitkit-video-") as scratch:
        if claim.taken:
            raise claim.exists_already()
        aside = Path(scratch) / "annotated.mp4"
        count = _encode(annotated_frames(frames, marks), aside, frames_per_second)
        if not count or not aside.is_file():
            raise OutputError(f"There is no frame to write into {claim.path}.")
        with aside.open("rb") as made, claim.writing() as file:
            shutil.copyfileobj(made, file)
    return count


def _encode(frames: Iterable[NDArray[np.uint8]], path: Path, rate: float) -> int:
    writer, count = None, 0
    try:
        for frame in frames:
            height, width = frame.shape[:2]
            if writer is None:
                code = cv2.VideoWriter.fourcc(*_CODE)
                writer = cv2.VideoWriter(str(path), code, rate, (width, height))
                if not writer.isOpened():
                    raise OutputError(
                        "OpenCV on this machine writes no mp4 video.",
                        hint="Leave the annotated video out; the names are told all the same.",
                    )
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def masks_of(given: GeiInput, scratch: Path, segmenter: str) -> Path | None:
    """The masks of a video of people, segmented into a folder; `None` where it is one of masks."""
    if given.source is None or not given.source.segments:
        return None
    masks = scratch / "masks.h5"
    segment(given.path, masks, SegmentOptions(segmenter=segmenter))
    return masks


def annotate_people(
    video: Path,
    masks: Path,
    answers: Sequence[Answer],
    output: Path | str | Output,
    *,
    overwrite: bool = False,
) -> int:
    """Draw names on a video of people.

    Parameters
    ----------
    video : Path
        Of people.
    masks : Path
        Its masks artefact.
    answers : sequence of Answer
        Who its passes are, by their keys.
    output, overwrite
        As for `write_video`.

    Returns
    -------
    int
        Frames written.
    """
    told = {answer.probe[:3]: answer for answer in answers}
    with open_artifact(masks, "masks") as artifact:
        stored, numbers = StoredMasks(artifact), artifact.read("frame")
        labels = artifact.labels
        keys = [labels.key(row)[:3] for row in range(len(labels))]
        marks = marks_of(
            (numbers[slice(*stored.span(row))], stored.boxes(row), told[key])
            for row, key in enumerate(keys)
            if key in told
        )
    with Film(video) as film:
        pictures = (np.ascontiguousarray(one.pixels[..., ::-1]) for one in film)
        return write_video(
            pictures, marks, output, frames_per_second=film.rate, overwrite=overwrite
        )


def annotate_masks(
    video: Path, answers: Sequence[Answer], output: Path | str | Output, *, overwrite: bool = False
) -> int:
    """Draw the name on a video of masks, which shows one person.

    Parameters
    ----------
    video : Path
        Masks of one person.
    answers : sequence of Answer
        Who it is: one.
    output, overwrite
        As for `write_video`.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    OptionError
        It is not said of one person who it is.
    """
    if len(answers) != 1:
        raise OptionError(
            f"{printable(str(video), 120)} shows {len(answers)} walks, and masks do not say who is "
            "where."
        )
    marks = marks_of([(*_boxes(frame for _, frame in silhouette_frames(video)), answers[0])])
    frames = (frame for _, frame in silhouette_frames(video))
    return write_video(frames, marks, output, overwrite=overwrite)


def _boxes(
    frames: Iterator[NDArray[np.uint8]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the foreground is, in the frames that have some."""
    numbers, boxes = [], []
    for number, frame in enumerate(frames):
        there = frame > 127
        rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        if len(rows):
            top, left = int(rows[0]), int(columns[0])
            boxes.append([left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top])
            numbers.append(number)
    return np.array(numbers, np.int64), np.array(boxes, np.int64).reshape(-1, 4)
