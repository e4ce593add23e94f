"""Silhouettes that were saved as a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.datasets.naming import clean_text
from gaitkit.errors import DatasetError

__all__ = ["is_silhouette_like", "silhouette_frames"]

_MAX_COLOUR = 8.0
_MAX_BETWEEN = 0.25
_FRAMES_JUDGED = 10
_SEGMENT = (
    "gaitkit starts from silhouettes, a white person on black: segment the person first and save "
    "the masks."
)


def is_silhouette_like(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame can be a mask: hardly any colour, and hardly any middle grey.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width, channels)
        Compression may have softened the edges of the mask.

    Returns
    -------
    bool
        False where the channels differ by more than 8 grey values on average, or more than a
        quarter of the pixels lie between 48 and 208.
    """
    spread = frame.max(axis=2) - frame.min(axis=2)
    between = (frame[..., 0] >= 48) & (frame[..., 0] < 208)
    return bool(spread.mean() <= _MAX_COLOUR and between.mean() <= _MAX_BETWEEN)


def silhouette_frames(path: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The frames of a video of silhouettes.

    Parameters
    ----------
    path : Path
        The video.

    Yields
    ------
    name : str
        ``walk-000001`` for the first frame of ``walk.mp4``.
    frame : ndarray of uint8, shape (height, width)
        Grey values.

    Raises
    ------
    DatasetError
        The video cannot be read, or shows something else than silhouettes.
    """
    stem = clean_text(path.stem)
    video = cv2.VideoCapture(str(path))
    try:
        count = 0
        while True:
            read, frame = video.read()
            if not read:
                break
            count += 1
            colour = np.atleast_3d(np.asarray(frame, dtype=np.uint8))
            if count <= _FRAMES_JUDGED and not is_silhouette_like(colour):
                raise DatasetError(f"{path} is not a video of silhouettes.", hint=_SEGMENT)
            yield f"{stem}-{count:06d}", _grey(colour)
    finally:
        video.release()
    if not count:
        raise DatasetError(
            f"Not one frame of the video {path} can be read.",
            hint="Convert it: ffmpeg -i VIDEO -c:v png frames/%06d.png, and list the folder.",
        )


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.shape[2] == 1:
        return frame[..., 0]
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
