"""A network that segments people, out of a file, run by OpenCV in a child process.

The file is a stranger's: it is loaded and run in a process of its own, with bounds on memory and
time (`gaitkit.child`), and only masks come back. The network is shown crops around what differs
from the background, since on whole frames such networks, made for one large person, are unreliable.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.child import Child, ChildEndedError, limit_answer, serving
from gaitkit.errors import DatasetError, OptionError
from gaitkit.outputs import FileIdentity, file_identity
from gaitkit.printable import printable
from gaitkit.segmentation.background import VERSION, Background, foreground
from gaitkit.segmentation.model_files import input_size_of
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.segmentation.people import Box, people_in
from gaitkit.segmentation.segmenters import Segmenter

__all__ = ["MAX_MODEL_BYTES", "NetworkSegmenter", "serve"]

MAX_MODEL_BYTES = 256 << 20
"""A larger file is refused: segmenters of people have a thousandth of it, or a tenth."""

SECONDS = 60.0
"""Loading, and each crop, may take so long."""

CHILD_BYTES = 3 << 30
"""Address space of the process that runs a network, where the system can limit it."""

_CHILD_SECONDS = 24 * 3600
_START = "from gaitkit.segmentation.network import serve; serve()"
_QUESTION = Struct("<II")
_GOOD, _UNREADABLE, _SIZE, _SHAPE = b"GUSO"
_MAX_CROP_PIXELS = 16_000_000
# Of a box: what is shown around it, and how far from it a mask may reach.
_AROUND, _REACH = 0.25, 0.12
_RANGES = {"0..1": (1 / 255, 0.0), "-1..1": (2 / 255, -1.0), "0..255": (1.0, 0.0)}
_USUAL = {".tflite": "0..1", ".onnx": "-1..1"}


class NetworkSegmenter(Segmenter):
    """A network by file. See `Segmenter` for the parameters."""

    name = "network"
    summary = "a network that segments people, .tflite or .onnx"

    def __init__(self, options: SegmentOptions) -> None:
        super().__init__(options)
        self.path = Path(options.segmenter)
        self._digest = _digest(self.path)
        self._child = Child(
            _START,
            str(self.path.resolve()),
            does="runs networks",
            needs="cv2",
            seconds=SECONDS,
        )
        asked = {
            "sha256": self._digest,
            "size": options.input_size,
            "range": _range(options),
            "channel": options.channel,
        }
        try:
            self._child.ask(json.dumps(asked).encode() + b"\n")
            self._answer()
        except BaseException as error:
            self._child.close()
            if isinstance(error, ChildEndedError):
                raise self._unusable(f"the process that loads it {error.ending.text}") from None
            raise

    @classmethod
    def described(cls, options: SegmentOptions) -> dict[str, Any]:
        """The digest of its file, and what was said of its input and output."""
        told: dict[str, Any] = {
            "segmenter": cls.name,
            "version": VERSION,
            "model_sha256": _digest(Path(options.segmenter)),
            "input_range": _range(options),
        }
        if options.input_size is not None:
            told["input_size"] = list(options.input_size)
        if options.channel is not None:
            told["channel"] = options.channel
        return told

    def close(self) -> None:
        """End the process that runs it."""
        self._child.close()

    def mask(self, picture: NDArray[np.uint8], background: Background) -> NDArray[np.uint8]:
        """What the network takes for people, where something differs from the background."""
        moved = foreground(picture, background)
        height, width = moved.shape
        mask = np.zeros_like(moved)
        least = max(8, self.options.min_height_px // 2)
        for box in _joined([person.box for person in people_in(moved, min_height_px=least)]):
            seen, kept = _grown(box, _AROUND, height, width), _grown(box, _REACH, height, width)
            if seen.rows * seen.columns > _MAX_CROP_PIXELS:
                continue
            crop = picture[seen.top : seen.top + seen.rows, seen.left : seen.left + seen.columns]
            found = self._people(np.ascontiguousarray(crop))
            down, across = kept.top - seen.top, kept.left - seen.left
            inner = found[down : down + kept.rows, across : across + kept.columns]
            place = mask[kept.top : kept.top + kept.rows, kept.left : kept.left + kept.columns]
            np.maximum(place, np.where(inner > 127, 255, 0).astype(np.uint8), out=place)
        return mask

    def _people(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """How surely each pixel of a crop is of a person: 0 to 255."""
        try:
            self._child.ask(_QUESTION.pack(*crop.shape[:2]) + crop.tobytes())
            self._answer()
            found = np.empty(crop.shape[:2], np.uint8)
            self._child.fill(found.reshape(-1).data)
        except ChildEndedError as error:
            raise self._unusable(f"the process that runs it {error.ending.text}") from None
        return found

    def _answer(self) -> None:
        code = bytearray(1)
        self._child.fill(code)
        if code[0] == _GOOD:
            return
        if code[0] == _UNREADABLE:
            raise self._unusable("OpenCV cannot load it, or run it")
        if code[0] == _SIZE:
            raise OptionError(
                f"The network {printable(str(self.path), 200)} does not say how large its pictures "
                "are.",
                hint="Give `input_size=(256, 256)`, or what its description says.",
            )
        if code[0] == _SHAPE:
            raise self._unusable("its output is no map of people")
        raise self._child.gone()

    def _unusable(self, why: str) -> DatasetError:
        return DatasetError(
            f"The network {printable(str(self.path), 200)} cannot be used: {why}.",
            hint="Networks that segment people have one picture as input and a map of the same "
            "shape as output, such as MediaPipe's selfie_segmentation.tflite.",
        )


def _range(options: SegmentOptions) -> str:
    return options.input_range or _USUAL.get(Path(options.segmenter).suffix.lower(), "0..1")


def _digest(path: Path) -> str:
    """SHA-256 of a network's file.

    Raises
    ------
    OptionError
        There is no such file, or a very large one.
    """
    identity = file_identity(path)
    if identity is None or not path.is_file():
        raise OptionError(f"There is no network {printable(str(path), 200)}.")
    return _digest_of(path, identity)


@lru_cache(maxsize=4)
def _digest_of(path: Path, identity: FileIdentity) -> str:
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise OptionError(
            f"{printable(str(path), 200)} has more than {MAX_MODEL_BYTES >> 20} MiB: that is no "
            "network that segments people."
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _grown(box: Box, part: float, height: int, width: int) -> Box:
    """A box with a margin, within the picture."""
    margin = round(part * max(box.rows, box.columns))
    left, top = max(0, box.left - margin), max(0, box.top - margin)
    right = min(width, box.left + box.columns + margin)
    bottom = min(height, box.top + box.rows + margin)
    return Box(left, top, right - left, bottom - top)


def _joined(boxes: list[Box]) -> list[Box]:
    """Boxes, those that overlap made one."""
    left = list(boxes)
    done: list[Box] = []
    while left:
        box = left.pop(0)
        near = next((other for other in left if _margined(box).share_in(other) > 0), None)
        if near is None:
            done.append(box)
        else:
            left.remove(near)
            left.append(box.around(near))
    return done


def _margined(box: Box) -> Box:
    margin = round(_REACH * box.rows)
    return Box(box.left - margin, box.top - margin, box.columns + 2 * margin, box.rows + 2 * margin)


def serve() -> None:
    """Be the child: load the network ``sys.argv[1]`` and run it on one crop after another."""
    with serving(memory_bytes=CHILD_BYTES, cpu_seconds=_CHILD_SECONDS) as (source, sink):
        _run(sys.argv[1], json.loads(source.readline()), source, sink)


def _run(path: str, asked: dict[str, Any], source: IO[bytes], sink: IO[bytes]) -> None:
    def tell(code: int) -> None:
        sink.write(bytes([code]))
        sink.flush()

    limit_answer(SECONDS)
    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != asked["sha256"]:
        return tell(_UNREADABLE)
    size: Sequence[int] | None = asked["size"] or input_size_of(data)
    if size is None:
        return tell(_SIZE)
    try:
        net = _loaded(data)
        shape = (*size, 3)
        first = _output(net, np.zeros(shape, np.uint8), size, asked)
    except (cv2.error, ValueError):
        return tell(_UNREADABLE)
    if first is None:
        return tell(_SHAPE)
    tell(_GOOD)
    while True:
        limit_answer(0)
        question = source.read(_QUESTION.size)
        if len(question) < _QUESTION.size:
            return None
        height, width = _QUESTION.unpack(question)
        crop = np.frombuffer(source.read(height * width * 3), np.uint8)
        limit_answer(SECONDS)
        found = _output(net, crop.reshape(height, width, 3), size, asked)
        if found is None:
            return tell(_SHAPE)
        tell(_GOOD)
        sink.write(np.ascontiguousarray(found).data)
        sink.flush()


def _loaded(data: bytes) -> Any:
    buffer = np.frombuffer(data, np.uint8)
    if data[4:8] == b"TFL3":
        return cv2.dnn.readNetFromTFLite(buffer)
    return cv2.dnn.readNetFromONNX(buffer)


def _output(
    net: Any, crop: NDArray[np.uint8], size: Sequence[int], asked: dict[str, Any]
) -> NDArray[np.uint8] | None:
    """How surely each pixel is a person's, 0 to 255; `None` where the output is no such map."""
    scale, offset = _RANGES[asked["range"]]
    small = _boxed(crop, size)
    values = cv2.cvtColor(small[0], cv2.COLOR_BGR2RGB).astype(np.float32) * scale + offset
    net.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
    found = np.asarray(net.forward(), np.float32)
    if found.ndim == 4:
        found = found[0]
    if found.ndim == 3 and found.shape[2] <= 2 < found.shape[0]:
        found = found.transpose(2, 0, 1)
    if found.ndim == 2:
        found = found[None]
    if found.ndim != 3 or min(found.shape[1:]) < 8 or not np.isfinite(found).all():
        return None
    chosen = asked["channel"]
    if chosen is not None and not 0 <= chosen < len(found):
        return None
    if float(found.min()) < -1e-3 or float(found.max()) > 1 + 1e-3:  # Before the last function.
        if len(found) > 1:
            powers = np.exp(found - found.max(axis=0))
            found = powers / powers.sum(axis=0)
        else:
            found = np.asarray(1 / (1 + np.exp(-np.clip(found, -60, 60))), np.float32)
    surely = np.asarray(found[-1 if chosen is None else chosen], np.float32)
    top, left, rows, columns = small[1]
    whole = cv2.resize(surely, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    inner = whole[top : top + rows, left : left + columns]
    grown = cv2.resize(inner, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(np.rint(grown * 255), 0, 255), np.uint8)


def _boxed(
    crop: NDArray[np.uint8], size: Sequence[int]
) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """A crop made to fit the input without being stretched; and where it lies in it."""
    height, width = crop.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(crop, (columns, rows), interpolation=shrink)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    edges = (top, size[0] - rows - top, left, size[1] - columns - left)
    filled = cv2.copyMakeBorder(small, *edges, cv2.BORDER_REPLICATE)
    return np.asarray(filled, np.uint8), (top, left, rows, columns)
