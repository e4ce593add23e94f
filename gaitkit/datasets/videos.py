"""Videos, decoded in a child process: of silhouettes that were saved as one, or of people.

A video comes from somebody else as often as not, and its decoder is a large library in C. So it
runs in a process of its own, with bounds on size, length, memory and time, and sends grey frames
through a pipe (see `gaitkit.child`). It costs the start of a Python with OpenCV, some 0.3 s for
each video; decoding then goes on while the frames are used here.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

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
from gaitkit.printable import counted, printable
from gaitkit.regular import is_special

__all__ = [
    "MAX_FRAMES",
    "MAX_FRAME_PIXELS",
    "Film",
    "Picture",
    "is_silhouette_like",
    "serve",
    "serve_pictures",
    "shows_silhouettes",
    "silhouette_frames",
]

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
_START_PICTURES = "from gaitkit.datasets.videos import serve_pictures; serve_pictures()"
# A video may be a list of others, or of addresses; nothing but files is opened.
_ENVIRONMENT = {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "protocol_whitelist;file"}

# Before each frame and at the end: what follows, height and width.
_HEADER = Struct("<cII")
# Of pictures: what follows, number, time, height and width in the video and as sent. Before all of
# them: frames per second, frames, and every how many-th is sent.
_PICTURE = Struct("<cqdIIII")
_TOLD = Struct("<dqq")
_FRAME, _END, _COLOURED, _LARGE, _LONG, _BROKEN, _SHORT = (bytes([code]) for code in b"FECLTBS")

_MAX_COLOUR, _COLOURFUL, _MAX_HUES = 8.0, 32, 0.2
_FRAMES_JUDGED, _MOST_OTHERS = 10, 0.4
_LOOKED_AT = 12
# A frame or two at the end of a short video are lost to many a decoder, and the rate of so few is
# guessed wrongly.
_READ_AT_LEAST, _FEW_FRAMES, _MOMENT_S = 0.9, 2, 0.1
_SEGMENT = (
    "Masks are a white person on black. A video of people is segmented with: gaitkit segment VIDEO "
    "-o masks.h5. Keep the two apart: what is read together is of one kind."
)
_CONVERT = (
    "If it plays elsewhere, convert it: ffmpeg -i VIDEO -c:v ffv1 NEW.mkv. If not, it was cut "
    "short or is no video: copy it again."
)


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


def ends_early(name: str, read: int, told: int) -> str:
    """A sentence about a video of which less can be read than it says it has.

    Parameters
    ----------
    name : str
        Of the file.
    read, told : int
        Frames. Some containers know how long they are only, and not how many frames that is.

    Examples
    --------
    >>> ends_early("door.avi", 98, 200)
    'door.avi says that it has about 200 frames, and 98 could be read: is it cut off?'
    """
    return (
        f"{printable(name, 100)} says that it has about {counted(told, 'frame')}, and {read:,} "
        "could be read: is it cut off?"
    )


def silhouette_frames(
    path: Path, doubts: list[str] | None = None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The frames of a video of silhouettes.

    Parameters
    ----------
    path : Path
        The video.
    doubts : list of str, optional
        Gets a sentence, after the last frame, where the video ends early.

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
    child = _decoder(_START, path)
    try:
        for number in range(1, MAX_FRAMES + 2):
            frame = _received(child, str(path))
            if isinstance(frame, int):
                if frame and doubts is not None:
                    doubts.append(ends_early(path.name, number - 1, frame))
                break
            yield f"{stem}-{number:06d}", frame
    except ChildEndedError as error:
        raise DatasetError(
            f"The video {path} cannot be read: its decoder {error.ending.text}.",
            hint=_CONVERT,
        ) from None
    finally:
        child.close()


def _decoder(start: str, path: Path) -> Child:
    """The process that decodes a video, from the code that it starts with."""
    if is_special(path):
        raise DatasetError(f"{path} is no file, but a pipe, a socket or a device.")
    with suppress(OSError):  # The decoder says what cannot be opened.
        if path.stat().st_size == 0:
            raise DatasetError(
                f"The video {path} is empty: it has no byte.", hint="Copy or record it again."
            )
    return Child(
        start,
        str(path.resolve()),
        does="decodes videos",
        needs="cv2",
        seconds=SECONDS,
        environment=_ENVIRONMENT,
    )


def _received(child: Child, name: str) -> NDArray[np.uint8] | int:
    """The next frame of the child's; after the last one how many are missed, as `_missed` has."""
    header = bytearray(_HEADER.size)
    child.fill(header)
    kind, height, width = _HEADER.unpack(header)
    if kind == _END:
        return int(height)
    if kind == _COLOURED:
        raise DatasetError(f"{name} is not a video of silhouettes.", hint=_SEGMENT)
    if kind != _FRAME or not 0 < height * width <= MAX_FRAME_PIXELS:
        raise _refused(child, kind, name, (height, width))
    frame = np.empty((height, width), np.uint8)
    child.fill(frame.reshape(-1).data)
    return frame


def _refused(child: Child, kind: bytes, name: str, shape: tuple[int, int]) -> Exception:
    """The error for a video that the child will not or cannot decode."""
    if kind == _SHORT:
        return child.too_little_memory()
    if kind == _BROKEN:
        return DatasetError(f"Not one frame of the video {name} can be read.", hint=_CONVERT)
    if kind == _LONG:
        return DatasetError(
            f"The video {name} has more than {MAX_FRAMES:,} frames.",
            hint="Cut it into sequences of one walk each.",
        )
    if kind == _LARGE:
        return DatasetError(
            f"The frames of the video {name} have {shape[1]}x{shape[0]} pixels; at most "
            f"{MAX_FRAME_PIXELS:,} are decoded.",
            hint="Make it smaller: ffmpeg -i VIDEO -vf scale=1280:-2 SMALLER",
        )
    return child.gone()


class Picture(NamedTuple):
    """One frame of a video in colour.

    Attributes
    ----------
    number : int
        Counted from 0.
    time_s : float
        Seconds from the beginning of the video, as it says.
    shape : tuple of int
        Height and width of the frame in the video, pixels.
    pixels : ndarray of uint8, shape (height, width, 3)
        Blue, green and red; smaller than the frame where that was asked for.
    """

    number: int
    time_s: float
    shape: tuple[int, int]
    pixels: NDArray[np.uint8]


class Film:
    """A video in colour, decoded in a child process; a context manager.

    Rotated recordings are turned as they say. Iterate once.

    Parameters
    ----------
    path : Path
        The video.
    pixels : int
        Larger frames are made smaller until they have so many.
    from_s, to_s : float
        Where to begin and to end, seconds.
    max_frames : int, optional
        After so many it ends.
    stride : int
        Every so-many-th frame is given; ``0`` for some `count` of them.
    count : int
        How many frames are wanted from all over the video, with a stride of 0.
    most : int
        With a stride of 0 the largest one.
    rotate : int
        0, 90, 180 or 270: degrees by which they are turned, clockwise.

    Attributes
    ----------
    rate : float
        Frames per second, as the video says.
    frames : int
        How many frames there are, as the video says; 0 where it does not.
    stride : int
        Every so-many-th frame is given.
    doubts : list of str
        Gets a sentence, after the last frame, where the video ends early.

    Raises
    ------
    DatasetError
        The video cannot be read, or is larger or longer than gaitkit decodes.
    LibraryError
        The process that decodes cannot be started, or was killed from outside.
    """

    def __init__(
        self,
        path: Path,
        *,
        pixels: int = MAX_FRAME_PIXELS,
        from_s: float = 0.0,
        to_s: float | None = None,
        max_frames: int | None = None,
        stride: int = 1,
        count: int = 0,
        most: int = 1,
        rotate: int = 0,
    ) -> None:
        self.path = path
        self.doubts: list[str] = []
        self._pixels = min(pixels, MAX_FRAME_PIXELS)
        asked = {
            "pixels": self._pixels,
            "from_s": from_s,
            "to_s": to_s,
            "max_frames": max_frames,
            "stride": stride,
            "count": count,
            "most": most,
            "rotate": rotate,
        }
        self._child = _decoder(_START_PICTURES, path)
        try:
            self._child.ask(json.dumps(asked).encode() + b"\n")
            told = bytearray(_TOLD.size)
            self._child.fill(told)
            rate, self.frames, self.stride = _TOLD.unpack(told)
            self.rate = rate if 0.1 <= rate <= 1000 else 25.0
        except BaseException as error:
            self._child.close()
            raise self._ended(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that decodes."""
        self._child.close()

    def __iter__(self) -> Iterator[Picture]:
        try:
            while (picture := self._next()) is not None:
                yield picture
        except ChildEndedError as error:
            raise self._ended(error) from None

    def _next(self) -> Picture | None:
        header = bytearray(_PICTURE.size)
        self._child.fill(header)
        kind, number, time_s, *sizes = _PICTURE.unpack(header)
        whole, sent = (sizes[0], sizes[1]), (sizes[2], sizes[3])
        if kind == _END:
            if whole[0]:
                self.doubts.append(ends_early(self.path.name, number, whole[0]))
            return None
        if kind != _FRAME or not (
            0 < whole[0] * whole[1] <= MAX_FRAME_PIXELS and 0 < sent[0] * sent[1] <= self._pixels
        ):
            raise _refused(self._child, kind, str(self.path), whole)
        pixels = np.empty((*sent, 3), np.uint8)
        self._child.fill(pixels.reshape(-1).data)
        return Picture(number, time_s, whole, pixels)

    def _ended(self, error: BaseException) -> BaseException:
        if not isinstance(error, ChildEndedError):
            return error
        return DatasetError(
            f"The video {self.path} cannot be read: its decoder {error.ending.text}.",
            hint=_CONVERT,
        )


def shows_silhouettes(path: Path) -> bool:
    """Whether a video is one of silhouettes, told by some of its frames.

    Parameters
    ----------
    path : Path
        The video.

    Returns
    -------
    bool
        False where many of its frames are shaded or coloured as pictures are.

    Raises
    ------
    DatasetError
        It cannot be read.
    """
    with Film(path, stride=0, count=_LOOKED_AT, most=25) as film:
        seen = others = 0
        for picture in film:
            seen += 1
            others += not is_silhouette_like(picture.pixels)
            if seen == 2 * _LOOKED_AT:
                break
    return others <= _MOST_OTHERS * seen


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


def serve_pictures() -> None:
    """Be the child: send frames of the video ``sys.argv[1]`` in colour, as the first line asks."""
    with serving(memory_bytes=CHILD_BYTES, cpu_seconds=_CHILD_SECONDS) as (source, sink):
        asked = json.loads(source.readline())
        with suppress(RuntimeError):
            threading.Thread(target=_end_with, args=(source,), daemon=True).start()
        _send_pictures(sys.argv[1], asked, sink)


def _opened(path: str) -> Any:
    try:
        path.encode()
    except UnicodeEncodeError:
        # OpenCV crashes on a name that is no UTF-8. By its number the open file has one that is.
        path = f"/dev/fd/{os.open(path, os.O_RDONLY)}"
    # Each thread holds frames of its own: a machine of many cores would want much memory.
    threads = min(_THREADS, cv2.getNumberOfCPUs())
    video = cv2.VideoCapture(path, cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, threads])
    if not video.isOpened():  # Not every decoder lets itself be told.
        video = cv2.VideoCapture(path)
    return video


def _send_pictures(path: str, asked: dict[str, Any], sink: IO[bytes]) -> None:
    def tell(kind: bytes, *numbers: float) -> None:
        sink.write(_PICTURE.pack(kind, *(numbers or (0, 0.0, 0, 0, 0, 0))))
        sink.flush()

    limit_answer(SECONDS)
    video = _opened(path)
    rate, frames = float(video.get(cv2.CAP_PROP_FPS)), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = rate if 0.1 <= rate <= 1000 else 25.0
    frames = max(0, min(frames, MAX_FRAMES))
    stride = int(asked["stride"])
    if not stride:
        first = int(asked["from_s"] * rate)
        last = frames if asked["to_s"] is None else min(frames, int(asked["to_s"] * rate))
        length = min(max(0, last - first), asked["max_frames"] or MAX_FRAMES)
        # Where nobody says how long it is, some seconds have to do.
        wanted = -(-length // int(asked["count"])) or int(asked["most"]) // 4
        stride = max(1, min(int(asked["most"]), wanted))
    sink.write(_TOLD.pack(rate, frames, stride))
    sink.flush()
    height, width = (
        int(max(0, min(2**31, video.get(which))))
        for which in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    )
    if height * width > MAX_FRAME_PIXELS:
        return tell(_LARGE, 0, 0.0, height, width, 0, 0)
    turn = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }.get(asked["rotate"])
    number, before, used, size = -1, -1.0, 0, None
    to_s = float("inf") if asked["to_s"] is None else asked["to_s"]
    most = asked["max_frames"] or MAX_FRAMES
    while True:
        limit_answer(SECONDS)
        if not video.grab():
            # A decoder that gets no memory ends as at the end of the video.
            if memory_is_short(_SPARE_BYTES):
                return tell(_SHORT)
            if number < 0:
                return tell(_BROKEN)
            return tell(_END, number + 1, before, _missed(video, number + 1, before), 0, 0, 0)
        number += 1
        if number >= MAX_FRAMES:
            return tell(_LONG)
        time_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not before < time_s < before + 3600:  # Not every file has times.
            time_s = number / rate if number / rate > before else before + 1 / rate
        before = time_s
        if time_s < asked["from_s"]:
            continue
        if time_s >= to_s or used >= most:
            return tell(_END)
        used += 1
        if (used - 1) % stride:
            continue
        read, frame = video.retrieve()
        if not read:
            continue
        colour = _in_colour(np.asarray(frame, np.uint8))
        if turn is not None:
            colour = np.asarray(cv2.rotate(colour, turn), np.uint8)
        height, width = colour.shape[:2]
        if height * width > MAX_FRAME_PIXELS:
            return tell(_LARGE, 0, 0.0, height, width, 0, 0)
        if size is None:
            scale = min(1.0, (asked["pixels"] / (height * width)) ** 0.5)
            size = (max(1, int(width * scale)), max(1, int(height * scale)))
            shape = (height, width)
        if (width, height) != size:
            colour = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), np.uint8)
        sink.write(_PICTURE.pack(_FRAME, number, time_s, *shape, size[1], size[0]))
        sink.write(np.ascontiguousarray(colour).data)
        sink.flush()


def _missed(video: Any, read: int, last_s: float) -> int:
    """How many frames a video says it has that ended early; 0 for one that has not.

    The number of frames is exact in some containers, and the duration in others, where the number
    is that times a guess of the rate: a video has ended early where both are too small.
    """
    told, rate = float(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
    if not 0 < told < MAX_FRAMES or not 0 < rate < np.inf:  # Nothing is known.
        return 0
    few = read < _READ_AT_LEAST * told - _FEW_FRAMES
    short = last_s < _READ_AT_LEAST * told / rate - _MOMENT_S
    return int(told) if few and short else 0


def _in_colour(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
    return frame[..., :3]


def _send_frames(path: str, sink: IO[bytes]) -> None:
    def tell(kind: bytes, height: int = 0, width: int = 0) -> None:
        sink.write(_HEADER.pack(kind, height, width))
        sink.flush()

    limit_answer(SECONDS)
    video = _opened(path)
    height, width = (
        int(max(0, min(2**31, video.get(which))))
        for which in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    )
    if height * width > MAX_FRAME_PIXELS:
        return tell(_LARGE, height, width)
    count, others, last_s = 0, 0, 0.0
    while True:
        limit_answer(SECONDS)
        read, frame = video.read()
        if not read:
            # A decoder that gets no memory ends as at the end of the video.
            short = memory_is_short(_SPARE_BYTES)
            if others > _MOST_OTHERS * count:
                return tell(_COLOURED)
            if short or not count:
                return tell(_SHORT if short else _BROKEN)
            return tell(_END, _missed(video, count, last_s))
        count += 1
        last_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
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
