"""Videos that are written: pictures with something drawn on them, one after another."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.errors import OptionError, OutputError
from gaitkit.outputs import Output, behind_links, free_to_write, scratch_folder
from gaitkit.printable import printable

__all__ = ["AS_VIDEO", "free_video", "write_drawn"]

AS_VIDEO = ("a video", "drawn.mp4")
"""What such an output is, and how it is usually called, for `Output`."""

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


def free_video(path: Path, name: str, inputs: Iterable[Path], *, overwrite: bool = False) -> None:
    """Raise where a video cannot be written, before there is any work.

    Parameters
    ----------
    path : Path
        The video to write, ``.mp4`` or ``.avi``.
    name : str
        Of the parameter that it is.
    inputs : iterable of Path
        What it must not replace.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    OptionError
        Its name ends otherwise.
    OutputError
        It exists or cannot be written, or is one of the inputs; or there is no place for the
        temporary file that it is first.
    """
    # A link has a name of its own, and what it leads to is written.
    if not {path.suffix.lower(), behind_links(path).suffix.lower()} <= set(_CODECS):
        raise OptionError(
            f"`{name}` is a video, {' or '.join(_CODECS)}; got {printable(str(path), 200)}."
        )
    free_to_write(path, overwrite=overwrite, inputs=list(inputs), other_than_artefact=AS_VIDEO)
    with scratch_folder("video"):
        pass


def write_drawn(frames: Iterable[NDArray[np.uint8]], output: Output, rate: float) -> int:
    """Write pictures as a video, at the side, and then in its place.

    Parameters
    ----------
    frames : iterable of ndarray of uint8, shape (height, width, 3)
        Red, green and blue; all of one size. Of an odd one the last row or column is left out,
        which codecs cannot take.
    output : Output
        The claim on the file, entered.
    rate : float
        Frames per second.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    OutputError
        OpenCV writes no such video here, there is no frame, or the disk is full.
    """
    suffix = output.path.suffix.lower()
    with scratch_folder("video") as scratch:
        aside = scratch / f"drawn{suffix}"
        writer: Any = None
        count = 0
        try:
            for frame in frames:
                height, width = (side & ~1 for side in frame.shape[:2])
                if writer is None:
                    code = cv2.VideoWriter.fourcc(*_CODECS[suffix])
                    writer = cv2.VideoWriter(str(aside), code, rate, (width, height))
                    if not writer.isOpened():
                        _refuse_full(aside, output)
                        raise OutputError(
                            f"OpenCV on this machine writes no {suffix} video.",
                            hint="Give the file the other ending, .mp4 or .avi, or leave it out.",
                        )
                writer.write(np.ascontiguousarray(frame[:height, :width, ::-1]))
                count += 1
        finally:
            if writer is not None:
                writer.release()
        if not count:
            raise OutputError(f"There is no frame to write into {output.path}.")
        if _frames_in(aside) < count:
            # OpenCV is told of a full disk, and passes over it.
            raise _unwritten(aside, output)
        with aside.open("rb") as made, output.writing() as file:
            shutil.copyfileobj(made, file)
    return count


def _frames_in(video: Path) -> int:
    """How many frames are in a video, whatever it says of itself; 0 where it cannot be read."""
    reader = cv2.VideoCapture(str(video))
    count = 0
    while reader.grab():
        count += 1
    reader.release()
    return count


def _refuse_full(aside: Path, output: Output) -> None:
    """Raise where not even a little can be written."""
    try:
        aside.write_bytes(bytes(4096))
    except OSError as error:
        raise _unwritten(aside, output) from error


def _unwritten(aside: Path, output: Output) -> OutputError:
    return OutputError(f"{aside}, a video on its way to {output.path}, cannot be written in full.")
