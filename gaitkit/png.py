"""Encoded image to 8-bit grey, the usual silhouette PNG about four times faster than OpenCV.

A silhouette is mostly one grey, so nearly all of OpenCV's time goes into inflating and unfiltering
zeros. Here a grey PNG of 8 or 1 bits is inflated by zlib-ng and unfiltered by NumPy inside the
rectangle where anything happens; every other kind of image goes to OpenCV, and both ways give
equal pixels. Whatever is damaged raises instead of giving a wrong or partly grey picture: chunk
checksums, the checksum and the length of the inflated stream, and the filters are all checked
before OpenCV sees a PNG (libpng would print to the process's standard error). What a foreign
decoder leaves unchecked cannot be checked afterwards: kornia-rs 0.2 needs half the time, but takes
an inflated stream with a wrong checksum, or of a wrong length, for a picture.

A small file can be a large picture: 0.5 MB of PNG hold 8000x8000 pixels of 16 bits and four
channels. So what a picture takes is computed from its header before anything is allocated, and
what is only checked is inflated block by block.

References
----------
Portable Network Graphics (PNG) Specification, third edition, W3C 2025: sections 5 (chunks),
9 (filtering), 11.2.1 (IHDR).
ITU-T T.81 (JPEG), annex B: B.1.1.3 (markers), B.2.2 (frame header), B.2.3 (scan header).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct, error
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from gaitkit._opencv import cv2
from gaitkit.errors import DatasetError

__all__ = [
    "MAX_DECODED_BYTES",
    "MAX_PIXELS",
    "DecodeError",
    "TooLargeImageError",
    "UndecodableImageError",
    "decode_grey",
]

MAX_PIXELS = 64_000_000
"""Images with more pixels are refused before anything is inflated."""

MAX_DECODED_BYTES = 256 << 20
"""So are images whose pixels take more memory in their own depth and number of channels.

A progressive JPEG takes the coefficients of all its pixels at once, two bytes each.
"""

_BLOCK_BYTES = 1 << 20
_FED_BYTES = 1 << 16
_MAX_SCANS = 100  # Of a JPEG; each goes over the whole picture, and some ten are usual.

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = Struct(">I4s")
_HEADER = Struct(">IIBBBBB")
_CHECKSUM = Struct(">I")
# The type stubs of zlib-ng declare the class as an instance.
_InflateError: type[Exception] = cast(type[Exception], zlib_ng.error)

_NONE, _SUB, _UP, _LAST_FILTER = 0, 1, 2, 4
_GREY, _PALETTE = 0, 3
# Colour type -> (samples per pixel, allowed bit depths).
_COLOURS = {
    _GREY: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    _PALETTE: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}
# Marker codes that may come before the first scan of a JPEG.
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_JPEG_ALONE = {0x01, *range(0xD0, 0xD8)}  # Nothing follows them.
_JPEG_KNOWN = (
    _JPEG_FRAMES | _JPEG_ALONE | {0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE, 0xFF}
)
# As OpenCV reads them: a comment ends with either end of a line, a number with whatever follows.
_PNM_GAP = rb"(?:\s|#[^\r\n]*[\r\n])*"
_PNM_SIZE = re.compile(rb"P." + _PNM_GAP + rb"(\d{1,9})\D" + _PNM_GAP + rb"(\d{1,9})\D")
# Column and row steps of Adam7's seven passes: (x start, y start, x step, y step).
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


class DecodeError(DatasetError):
    """An image cannot be used; `reason` is a word of `gaitkit.dropped.REASONS`."""

    reason = "undecodable"


class UndecodableImageError(DecodeError):
    """The bytes are not an image that gaitkit reads, or they are damaged."""


class TooLargeImageError(DecodeError):
    """The image declares more than `MAX_PIXELS` pixels, or takes over `MAX_DECODED_BYTES`."""

    reason = "too-large"


class _Png(NamedTuple):
    """What the critical chunks of a PNG say."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes
    orientation: bytes
    data: bytes | memoryview


def decode_grey(data: bytes) -> NDArray[np.uint8]:
    """Decode an image to 8-bit grey.

    Colour becomes luma, 16 bits are scaled to 8, transparency is ignored, exactly as
    ``cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)`` does.

    Parameters
    ----------
    data : bytes
        A PNG (any depth, colour type and interlacing), JPEG, BMP or portable any-map (PBM, PGM,
        PPM). JPEG has no checksum: damage inside its entropy-coded data can go unnoticed.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Greys 0 to 255.

    Raises
    ------
    UndecodableImageError
        The bytes are of no such format, cut short, or damaged.
    TooLargeImageError
        The image declares more than `MAX_PIXELS` pixels, or takes over `MAX_DECODED_BYTES`.
    """
    if data[:8] == _SIGNATURE:
        return _decode_png(data)
    try:
        width, height, pixel_bytes = _declared_size(data)
    except ValueError as problem:
        raise UndecodableImageError(str(problem)) from problem
    _check_size(width, height, pixel_bytes)
    return _decode_with_opencv(data)


def _check_size(width: int, height: int, pixel_bytes: float) -> None:
    if width < 1 or height < 1:
        raise UndecodableImageError(f"an image of {width:.6g}x{height:.6g} pixels")
    if width * height > MAX_PIXELS:
        raise TooLargeImageError(f"{width}x{height} pixels, at most {MAX_PIXELS} are decoded")
    if width * height * pixel_bytes > MAX_DECODED_BYTES:
        raise TooLargeImageError(
            f"{width}x{height} pixels of {pixel_bytes:g} bytes, at most {MAX_DECODED_BYTES >> 20} "
            "MiB are decoded"
        )


def _decode_with_opencv(data: bytes) -> NDArray[np.uint8]:
    # OpenCV logs damaged input to standard error on its own; the caller reports it instead.
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as problem:
        raise UndecodableImageError(f"OpenCV: {problem.err}") from problem
    finally:
        cv2.utils.logging.setLogLevel(level)
    if image is None or image.dtype != np.uint8:
        raise UndecodableImageError("OpenCV cannot decode the image")
    return np.asarray(image)


def _decode_png(data: bytes) -> NDArray[np.uint8]:
    png = _parse(data)
    row_bytes = _row_bytes(png, png.width)
    if png.colour != _GREY or png.interlaced or png.depth not in (1, 8) or png.orientation:
        return _decode_rare_png(png)
    raw, stream = _inflate(png.data, png.height * (row_bytes + 1))
    filters = raw[:: row_bytes + 1]
    rows = np.frombuffer(raw, np.uint8).reshape(png.height, row_bytes + 1)[:, 1:]
    first = filters[0]
    if first > _UP or filters.count(first) != png.height:
        _check_filters(filters)
        del raw, rows
        return _decode_rare_png(png, stream)
    pixels = _unfilter_alike(rows, first)
    if png.depth == 1:
        pixels = np.unpackbits(pixels, axis=1, count=png.width) * np.uint8(255)
    return pixels


def _parse(data: bytes) -> _Png:
    """Walk the chunks, checking every checksum, and keep what decides about the pixels."""
    found: dict[bytes, bytes] = {}
    parts: list[memoryview] = []
    view = memoryview(data)
    offset, end = 8, len(data)
    while True:
        if offset + 12 > end:
            raise UndecodableImageError("the PNG ends before its last chunk")
        length, kind = _CHUNK.unpack_from(data, offset)
        if offset + 12 + length > end:
            raise UndecodableImageError(f"the PNG ends inside its chunk {kind!r}")
        body = view[offset + 8 : offset + 8 + length]
        (expected,) = _CHECKSUM.unpack_from(data, offset + 8 + length)
        if zlib_ng.crc32(view[offset + 4 : offset + 8 + length]) != expected:
            raise UndecodableImageError(f"wrong checksum in the PNG's chunk {kind!r}")
        offset += 12 + length
        if kind == b"IDAT":
            parts.append(body)
        elif kind == b"IEND":
            break
        elif kind in (b"IHDR", b"PLTE", b"eXIf"):
            found.setdefault(kind, bytes(body))
        elif not kind[0] & 0x20:
            raise UndecodableImageError(f"unknown critical PNG chunk {kind!r}")
    return _checked(found, parts[0] if len(parts) == 1 else b"".join(parts))


def _checked(found: dict[bytes, bytes], data: bytes | memoryview) -> _Png:
    try:
        width, height, depth, colour, method, filtering, interlace = _HEADER.unpack(
            found.get(b"IHDR", b"")
        )
    except error as problem:
        raise UndecodableImageError("the PNG has no readable header") from problem
    if colour not in _COLOURS or depth not in _COLOURS[colour][1]:
        raise UndecodableImageError(f"PNG of colour type {colour} with {depth} bits")
    _check_size(width, height, _COLOURS[colour][0] * depth / 8)
    if method or filtering or interlace > 1:
        raise UndecodableImageError("PNG with an unknown compression, filter or interlace method")
    palette = found.get(b"PLTE", b"") if colour == _PALETTE else b""
    if colour == _PALETTE and (not palette or len(palette) % 3 or len(palette) > 3 << depth):
        raise UndecodableImageError(f"PNG palette of {len(palette)} bytes")
    orientation = found.get(b"eXIf", b"")
    return _Png(width, height, depth, colour, interlace == 1, palette, orientation, data)


def _row_bytes(png: _Png, width: int) -> int:
    return (width * _COLOURS[png.colour][0] * png.depth + 7) // 8


def _inflate(data: bytes | memoryview, size: int) -> tuple[bytes, bytes | memoryview]:
    """Inflate to exactly `size` bytes, never allocating more; give also the stream without tail."""
    stream: Any = zlib_ng.decompressobj()
    try:
        # One byte more than the header promises shows a stream that is too long.
        raw: bytes = stream.decompress(data, size + 1)
    except _InflateError as problem:
        raise UndecodableImageError(f"damaged PNG data: {problem}") from problem
    _check_length(len(raw), size, stream.eof)
    return raw, data[: len(data) - len(stream.unused_data)]


def _check_length(found: int, expected: int, ended: bool) -> None:
    if found != expected or not ended:
        raise UndecodableImageError(
            f"PNG data of {expected} bytes expected, "
            + (f"found {found}" if found < expected else "found more or a stream cut short")
        )


def _check_filters(filters: bytes) -> None:
    if max(filters, default=0) > _LAST_FILTER:
        raise UndecodableImageError("unknown PNG row filter")


def _unfilter_alike(rows: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    """Undo one filter for all rows: None, Sub (difference to the left) or Up (to the row above).

    Both differences vanish where the image is constant, so sums run only over the rectangle that
    bounds the non-zero differences; the last sums continue to the right or downwards.
    """
    if kind == _NONE:
        return rows.copy()
    out = np.zeros(rows.shape, np.uint8)
    left, top, width, height = cv2.boundingRect(rows)
    bottom, right = top + height, left + width
    if width == 0:
        return out
    box = out[top:bottom, left:right]
    if kind == _SUB:
        np.add.accumulate(rows[top:bottom, left:right], axis=1, dtype=np.uint8, out=box)
        if box[:, -1].any():
            out[top:bottom, right:] = box[:, -1:]
    else:
        np.add.accumulate(rows[top:bottom, left:right], axis=0, dtype=np.uint8, out=box)
        if box[-1].any():
            out[bottom:, left:right] = box[-1]
    return out


def _decode_rare_png(png: _Png, stream: bytes | memoryview = b"") -> NDArray[np.uint8]:
    """Give OpenCV a PNG that is known to be whole: only the chunks that decide about pixels."""
    header = _HEADER.pack(
        png.width, png.height, png.depth, png.colour, 0, 0, 1 if png.interlaced else 0
    )
    chunks = [_SIGNATURE, *_chunk(b"IHDR", header)]
    if png.palette:
        # A full palette, because libpng complains about indices beyond a short one.
        chunks += _chunk(b"PLTE", png.palette.ljust(3 << png.depth, b"\0"))
    if png.orientation:
        chunks += _chunk(b"eXIf", png.orientation)
    chunks += [*_chunk(b"IDAT", stream or _checked_stream(png)), *_chunk(b"IEND", b"")]
    return _decode_with_opencv(b"".join(chunks))


def _checked_stream(png: _Png) -> memoryview:
    """The compressed pixels without tail, which inflate to what the header promises."""
    inflated = _Inflated(png.data)
    found = 0
    sizes = _pass_sizes(png)
    for rows, row_bytes in sizes:
        offset, end = 0, rows * (row_bytes + 1)
        while block := inflated.read(min(end - offset, _BLOCK_BYTES)):
            _check_filters(block[-offset % (row_bytes + 1) :: row_bytes + 1])
            offset += len(block)
        found += offset
    found += len(inflated.read(1))
    _check_length(found, sum(rows * (row_bytes + 1) for rows, row_bytes in sizes), inflated.ended)
    return inflated.source


class _Inflated:
    """A compressed stream, inflated block by block: a bomb is never held whole."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._fed = 0
        self._stream: Any = zlib_ng.decompressobj()

    def read(self, most: int) -> bytes:
        """Some bytes, `most` at most; none at the end of the stream or of the data."""
        while most and not self.ended:
            given = self._stream.unconsumed_tail
            if not given:
                given = self._data[self._fed : self._fed + _FED_BYTES]
                self._fed += len(given)
            try:
                block: bytes = self._stream.decompress(given, most)
            except _InflateError as problem:
                raise UndecodableImageError(f"damaged PNG data: {problem}") from problem
            if block or not given:
                return block
        return b""

    @property
    def ended(self) -> bool:
        """Whether the stream has come to its end, its checksum included."""
        return bool(self._stream.eof)

    @property
    def source(self) -> memoryview:
        """The compressed bytes up to the end of the stream."""
        return self._data[: self._fed - len(self._stream.unused_data)]


def _pass_sizes(png: _Png) -> list[tuple[int, int]]:
    """Rows, and bytes per row without the filter byte, of each interlacing pass."""
    if not png.interlaced:
        return [(png.height, _row_bytes(png, png.width))]
    sizes = []
    for x, y, x_step, y_step in _ADAM7:
        columns, rows = -(-(png.width - x) // x_step), -(-(png.height - y) // y_step)
        if columns > 0 and rows > 0:
            sizes.append((rows, _row_bytes(png, columns)))
    return sizes


def _chunk(kind: bytes, body: bytes | memoryview) -> list[bytes | memoryview]:
    checksum = zlib_ng.crc32(body, zlib_ng.crc32(kind))
    return [_CHUNK.pack(len(body), kind), body, _CHECKSUM.pack(checksum)]


def _declared_size(data: bytes) -> tuple[int, int, float]:
    """Size of a JPEG, BMP or portable any-map, as its header declares it.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    width, height : int
        Pixels; may be zero in a damaged file.
    pixel_bytes : float
        What one pixel takes while it is decoded.

    Raises
    ------
    ValueError
        The bytes are of none of these formats, or the header is damaged.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg_size(data)
        if data[:2] == b"BM":
            return (*_bmp_size(data), 1)
        if data[:1] == b"P" and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6"):
            return (*_pnm_size(data), 1)
    except (error, ValueError, IndexError) as problem:
        raise ValueError("the image's header is cut short or damaged") from problem
    found = f"a file that begins with {data[:4]!r}" if data else "an empty file"
    raise ValueError(f"a PNG, JPEG, BMP or PBM/PGM/PPM image expected, found {found}")


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = Struct("<I").unpack_from(data, 14)
    width, height = Struct("<HH" if header == 12 else "<ii").unpack_from(data, 18)
    return abs(width), abs(height)


def _pnm_size(data: bytes) -> tuple[int, int]:
    found = _PNM_SIZE.match(data[:1024])
    if found is None:
        raise ValueError("no width and height")
    return int(found[1]), int(found[2])


def _jpeg_size(data: bytes) -> tuple[int, int, float]:
    """Size and bytes per pixel, from the headers of the frame and of the first scan."""
    size: tuple[int, int] | None = None
    components, samples, progressive = 0, 0.0, False
    for code, offset in _jpeg_segments(data):
        if code in _JPEG_FRAMES and size is None:
            height, width, components = Struct(">HHB").unpack_from(data, offset + 1)
            _check_size(width, height, 1)
            size, progressive = (width, height), code in _JPEG_PROGRESSIVE
            # Two numbers of four bits: how densely a component is sampled.
            densities = [(both >> 4) * (both & 15) for both in data[offset + 7 :: 3][:components]]
            samples = sum(densities) / max(*densities, 1)
        elif code == _JPEG_SCAN and size is not None:
            in_pieces = progressive or data[offset] < components
            if in_pieces and data.count(b"\xff\xda", offset) >= _MAX_SCANS:
                raise ValueError(f"more than {_MAX_SCANS} scans")
            # Only what comes in pieces must be held whole, as coefficients of two bytes.
            return (*size, max(1.0, 2 * samples) if in_pieces else 1.0)
    raise ValueError("no scan")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker code of each segment, and where its content begins."""
    offset = 2
    while True:
        marker, code = data[offset], data[offset + 1]
        if marker != 0xFF or code not in _JPEG_KNOWN:
            raise ValueError("no marker where a JPEG segment should begin")
        if code == 0xFF:  # A fill byte before the marker.
            offset += 1
        elif code in _JPEG_ALONE:
            offset += 2
        else:
            (length,) = Struct(">H").unpack_from(data, offset + 2)
            yield code, offset + 4
            offset += 2 + max(2, length)
