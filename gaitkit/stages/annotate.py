"""Names drawn on a video: `who` with a picture of what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.segmented import StoredMasks
from gaitkit.datasets.videos import Film
from gaitkit.errors import OptionError
from gaitkit.identification.gallery import Answer
from gaitkit.outputs import Output
from gaitkit.printable import counted, printable
from gaitkit.reporting.annotation import Mark, annotated, colours_of
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.stages.drawn import AS_VIDEO, write_drawn
from gaitkit.stages.make_gei import GeiInput
from gaitkit.stages.segment import segment

__all__ = ["annotate_masks", "annotate_people", "marks_of", "masks_of"]


def marks_of(
    passes: Iterable[tuple[NDArray[np.integer], NDArray[np.integer], Answer]],
) -> dict[int, list[Mark]]:
    """Who is where in each frame.

    Parameters
    ----------
    passes : iterable of (frames, boxes, answer)
        Of each walk the numbers of its frames in the video, from 0, shape (n,); left, top, width
        and height in each of them, pixels, shape (n, 4); and who it is.

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
        for number, box in zip(frames.tolist(), boxes.tolist(), strict=True):
            marks.setdefault(number, []).append(_mark(box, answer))
    return marks


def _mark(box: Sequence[int], answer: Answer) -> Mark:
    left, top, width, height = box
    distance = answer.candidates[0].distance if answer.candidates else None
    return Mark((left, top, width, height), answer.name, distance)


def masks_of(given: GeiInput, scratch: Path) -> Path | None:
    """The masks of a video of people, segmented into a folder; `None` where it is one of masks."""
    if given.source is None or not given.source.segments:
        return None
    masks = scratch / "masks.h5"
    segment(given.path, masks, given.source.reading.options)
    return masks


def annotate_people(
    video: Path,
    masks: Path,
    answers: Sequence[Answer],
    output: Path,
    options: SegmentOptions,
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
    output : Path
        The video to write, ``.mp4`` or ``.avi``.
    options : SegmentOptions
        How it was segmented: which part of it, and how it is turned.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    DatasetError
        The video cannot be read.
    OutputError
        The output exists or cannot be written.
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
    colours = colours_of(answer.name for answer in answers)
    # At its full size, and the part only that was segmented.
    with (
        Output(output, overwrite=overwrite, inputs=[video], other_than_artefact=AS_VIDEO) as claim,
        Film(
            video,
            from_s=options.from_s,
            to_s=options.to_s,
            max_frames=options.max_frames,
            rotate=options.rotate,
        ) as film,
    ):
        drawn = (
            annotated(one.pixels[..., ::-1], marks.get(one.number, ()), colours) for one in film
        )
        return write_drawn(drawn, claim, film.rate)


def annotate_masks(
    video: Path, answers: Sequence[Answer], output: Path, *, overwrite: bool = False
) -> int:
    """Draw the name on a video of masks, which shows one person.

    Parameters
    ----------
    video : Path
        Masks of one person.
    answers : sequence of Answer
        Who it is: one.
    output, overwrite
        As for `annotate_people`.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    OptionError
        It is not said of one person who it is.
    DatasetError, OutputError
        As for `annotate_people`.
    """
    if len(answers) != 1:
        raise OptionError(
            f"{printable(str(video), 120)} shows {counted(len(answers), 'walk')}, and masks do not "
            "say who is where."
        )
    (answer,) = answers
    colours = colours_of([answer.name])
    with (
        Output(output, overwrite=overwrite, inputs=[video], other_than_artefact=AS_VIDEO) as claim,
        Film(video) as film,
    ):
        drawn = (
            annotated(one.pixels[..., ::-1], _marks_in(one.pixels, answer), colours) for one in film
        )
        return write_drawn(drawn, claim, film.rate)


def _marks_in(mask: NDArray[np.uint8], answer: Answer) -> list[Mark]:
    """The mark around the foreground of a frame, if there is some."""
    bright = np.asarray(mask.max(axis=2) > 127, np.uint8)
    left, top, columns, rows = cv2.boundingRect(bright)
    return [_mark((left, top, columns, rows), answer)] if rows else []
