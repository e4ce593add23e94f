"""Silhouettes that were saved as a video, decoded in a child process.

A video comes from somebody else as often as not, and its decoder is a large library in C. So it
runs in a process of its own, with bounds on size, length, memory and time, and sends grey frames
through a pipe (see `gaitkit.child`). It costs the start of a Python with OpenCV, some 0.3 s for
each video; decoding then goes on while the frames are used here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import IO

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.child import (
    Child,
    ChildEndedError,
    limit_answer,
    memory_is_short,
    serving,
)
from gaitkit.datasets.naming import clean_text
from gaitkit.errors import DatasetError
from gaitkit.likeness import likeness

__all__ = ["MAX_FRAMES", "MAX_FRAME_PIXELS", "is_silhouette_like", "serve", "silhouette_frames"]

MAX_FRAME_PIXELS = 16_000_000
"""A video with larger frames is refused: twice what a 4K camera gives."""

MAX_FRAMES = 1_000_000
"""So is a longer one: eleven hours at 25 frames a second."""

SECONDS = 60.0
"""Decoding one frame takes milliseconds; even a loaded machine does it in this time."""

CHILD_BYTES = 3 << 30
"""Address space of the process that decodes, where the system can limit it."""

_CHILD_SECONDS = 24 * 3600
_SPARE_BYTES = 128 << 20
_THREADS = 4
_START = "from gaitkit.datasets.videos import serve; serve()"

# Before each frame and at the end: what follows, height and width.
_HEADER = Struct("<cII")
_FRAME, _END, _COLOURED, _LARGE, _LONG, _BROKEN, _SHORT = (bytes([code]) for code in b"FECLTBS")

_MAX_COLOUR, _COLOURFUL, _MAX_HUES = 8.0, 32, 0.2
_FRAMES_JUDGED, _MOST_OTHERS = 10, 0.4
_SEGMENT = (
    "gaitkit starts from silhouettes, a white person on black: segment the person first and save "
    "the masks."
)
_CONVERT = "Convert it: ffmpeg -i VIDEO -c:v png frames/%06d.png, and list the folder."


def is_silhouette_like(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame can be a mask: of two greys, or of one colour on black, with soft edges.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width, channels)
        Blue, green and red, or grey. Compression may have softened the edges of the mask.

    Returns
    -------
    bool
        False where the greys are those of a photo (`gaitkit.likeness`), or where there is much
        colour, and of several hues.
    """
    return likeness(_grey(frame)) != "photo" and not _has_hues(frame)


def _has_hues(frame: NDArray[np.uint8]) -> bool:
    brightest = frame.max(axis=2)
    spread = brightest - frame.min(axis=2)
    if spread.mean() <= _MAX_COLOUR:
        return False
    colourful = spread > _COLOURFUL
    hues = frame[colourful] / brightest[colourful][:, None]
    return bool(len(hues) and hues.std(axis=0).max() > _MAX_HUES)


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
        The video cannot be read, shows something else than silhouettes in many frames, has more
        than `MAX_FRAMES` frames or more than `MAX_FRAME_PIXELS` in one, or its decoder crashes
        on it or takes too long.
    LibraryError
        The process that decodes cannot be started, or was killed from outside.
    """
    stem = clean_text(path.stem)
    child = Child(
        _START,
        str(path.resolve()),
        does="decodes videos",
        needs="cv2",
        seconds=SECONDS,
        # A video may be a list of others, or of addresses; nothing but files is opened.
        environment={"OPENCV_FFMPEG_CAPTURE_OPTIONS": "protocol_whitelist;file"},
    )
    try:
        for number in range(1, MAX_FRAMES + 2):
            frame = _received(child, str(path))
            if frame is None:
                break
            yield f"{stem}-{number:06d}", frame
    except ChildEndedError as error:
        raise DatasetError(
            f"The video {path} cannot be read: its decoder {error.ending.text}.",
            hint=_CONVERT,
        ) from None
    finally:
        child.close()


def _received(child: Child, name: str) -> NDArray[np.uint8] | None:
    """The next frame of the child's; `None` after the last one."""
    header = bytearray(_HEADER.size)
    child.fill(header)
    kind, height, width = _HEADER.unpack(header)
    if kind == _END:
        return None
    if kind == _COLOURED:
        raise DatasetError(f"{name} is not a video of silhouettes.", hint=_SEGMENT)
    if kind == _SHORT:
        raise child.too_little_memory()
    if kind == _BROKEN:
        raise DatasetError(f"Not one frame of the video {name} can be read.", hint=_CONVERT)
    if kind == _LONG:
        raise DatasetError(
            f"The video {name} has more than {MAX_FRAMES:,} frames.",
            hint="Cut it into sequences of one walk each.",
        )
    if kind == _LARGE:
        raise DatasetError(
            f"The frames of the video {name} have {width}x{height} pixels; at most "
            f"{MAX_FRAME_PIXELS:,} are decoded.",
            hint="Make it smaller: ffmpeg -i VIDEO -vf scale=1280:-2 SMALLER",
        )
    if kind != _FRAME or not 0 < height * width <= MAX_FRAME_PIXELS:
        raise child.gone()
    frame = np.empty((height, width), np.uint8)
    child.fill(frame.reshape(-1).data)
    return frame


def serve() -> None:
    """Be the child: send the frames of the video ``sys.argv[1]`` until they end."""
    with serving(memory_bytes=CHILD_BYTES, cpu_seconds=_CHILD_SECONDS) as (source, sink):
        with suppress(RuntimeError):  # No thread: it ends when it cannot send the next frame.
            threading.Thread(target=_end_with, args=(source,), daemon=True).start()
        _send_frames(sys.argv[1], sink)


def _end_with(source: IO[bytes]) -> None:
    # Nothing is ever asked: it ends when the parent is gone. OpenCV lets threads run meanwhile.
    os.read(source.fileno(), 1)
    os._exit(0)


def _send_frames(path: str, sink: IO[bytes]) -> None:
    def tell(kind: bytes, height: int = 0, width: int = 0) -> None:
        sink.write(_HEADER.pack(kind, height, width))
        sink.flush()

    limit_answer(SECONDS)
    # Each thread holds frames of its own: a machine of many cores would want much memory.
    threads = min(_THREADS, cv2.getNumberOfCPUs())
    video = cv2.VideoCapture(path, cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, threads])
    if not video.isOpened():  # Not every decoder lets itself be told.
        video = cv2.VideoCapture(path)
    height, width = (
        int(max(0, min(2**31, video.get(which))))
        for which in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    )
    if height * width > MAX_FRAME_PIXELS:
        return tell(_LARGE, height, width)
    count = others = 0
    while True:
        limit_answer(SECONDS)
        read, frame = video.read()
        if not read:
            # A decoder that gets no memory ends as at the end of the video.
            short = memory_is_short(_SPARE_BYTES)
            if others > _MOST_OTHERS * count:
                return tell(_COLOURED)
            return tell(_SHORT if short else _END if count else _BROKEN)
        count += 1
        if count > MAX_FRAMES:
            return tell(_LONG)
        colour = np.atleast_3d(np.asarray(frame, dtype=np.uint8))
        height, width = colour.shape[:2]
        if height * width > MAX_FRAME_PIXELS:
            return tell(_LARGE, height, width)
        # The few of a video of masks are left out by who reads it.
        others += not is_silhouette_like(colour)
        if count >= _FRAMES_JUDGED and others > _MOST_OTHERS * count:
            return tell(_COLOURED)
        sink.write(_HEADER.pack(_FRAME, height, width))
        sink.write(np.ascontiguousarray(_grey(colour)).data)
        sink.flush()


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.shape[2] == 1:
        return frame[..., 0]
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
