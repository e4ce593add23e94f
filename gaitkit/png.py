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
9 (filtering), 11.2.1 (IHDR), 11.3.1 (transparency).
"""

from __future__ import annotations

from struct import Struct, error
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from gaitkit._opencv import cv2
from gaitkit.likeness import is_mask
from gaitkit.picture_headers import (
    MAX_DECODED_BYTES,
    MAX_PIXELS,
    DecodeError,
    TooLargeImageError,
    UndecodableImageError,
    check_size,
    declared,
)

__all__ = [
    "MAX_DECODED_BYTES",
    "MAX_PIXELS",
    "MOST_OPEN",
    "DecodeError",
    "Decoded",
    "TooLargeImageError",
    "UndecodableImageError",
    "as_bytes",
    "decode",
    "decode_grey",
]

_BLOCK_BYTES = 1 << 20
_FED_BYTES = 1 << 16

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = Struct(">I4s")
_HEADER = Struct(">IIBBBBB")
_CHECKSUM = Struct(">I")
# The type stubs of zlib-ng declare the class as an instance.
_InflateError: type[Exception] = cast(type[Exception], zlib_ng.error)

_NONE, _SUB, _UP, _LAST_FILTER = 0, 1, 2, 4
_GREY, _PALETTE = 0, 3
_WITH_ALPHA = (4, 6)
# Colour type -> (samples per pixel, allowed bit depths).
_COLOURS = {
    _GREY: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    _PALETTE: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}
# Bytes of the one transparent grey, or colour.
_KEY_BYTES = {_GREY: 2, 2: 6}
# White in pictures of 16 bits that hold fewer; above the last one it is 65535.
_SCALES = (255, 1023, 4095, 16383)
MOST_OPEN = _SCALES[-1]
"""The brightest word of 16 bits that leaves it open what is white."""

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


class _Png(NamedTuple):
    """What the critical chunks of a PNG say."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes
    orientation: bytes
    transparency: bytes
    data: bytes | memoryview


class Decoded(NamedTuple):
    """The greys of a picture, as far as it alone says what they mean.

    Attributes
    ----------
    greys : ndarray of uint8 or uint16, shape (height, width)
        Bytes are final. Words are of a picture of 16 bits that uses only their lower quarter: what
        is white in them, all pictures of a sequence say together (`as_bytes`).
    bits : {8, 16}
        Of the picture; more than one bit and less than 16 count as 8.
    """

    greys: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int = 8

    @property
    def is_open(self) -> bool:
        """Whether it takes the other pictures to know what is white."""
        return self.greys.dtype != np.uint8

    @property
    def brightest(self) -> int:
        """The brightest of the words; 0 for a picture of bytes."""
        if self.bits == 8:
            return 0
        brightest = int(self.greys.max())
        return brightest if self.is_open else brightest << 8


def decode_grey(data: bytes) -> NDArray[np.uint8]:
    """Decode an image to 8-bit grey.

    Colour becomes luma. Where some of the picture is transparent and some is not, the mask is the
    transparency: 0 where nothing is seen. Otherwise transparency is ignored. Pictures of 16 bits
    are scaled by what they hold: values up to 255 stay as they are, larger ones are brought to
    bytes from 10, 12, 14 or 16 bits.

    Parameters
    ----------
    data : bytes
        A PNG (any depth, colour type and interlacing), JPEG, BMP, portable any-map (PBM, PGM, PPM),
        WebP or TIFF (one page of 1, 8 or 16 bits). JPEG, WebP and TIFF have no checksum: damage
        inside their pixels can go unnoticed.

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
    greys = decode(data).greys
    return as_bytes(greys, int(greys.max()))


def decode(data: bytes) -> Decoded:
    """Decode an image to greys; one of 16 bits is left to its sequence where it is dark.

    Parameters
    ----------
    data : bytes
        As for `decode_grey`.

    Returns
    -------
    Decoded
        Bytes, or dark words.

    Raises
    ------
    UndecodableImageError, TooLargeImageError
        As for `decode_grey`.
    """
    if data[:8] == _SIGNATURE:
        return _decode_png(data)
    found = declared(data)
    check_size(found.width, found.height, found.pixel_bytes)
    if found.alpha:
        return _decode_with_alpha(data)
    return _scaled(data, _decode_with_opencv(data))


def as_bytes(greys: NDArray[np.uint8] | NDArray[np.uint16], brightest: int) -> NDArray[np.uint8]:
    """Words as bytes, scaled by the brightest one of all pictures that belong together.

    Parameters
    ----------
    greys : ndarray of uint8 or uint16
        Bytes are returned as they are.
    brightest : int
        What is white follows from it: the first of 255, 1023, 4095, 16383 and 65535 that is not
        below it.

    Returns
    -------
    ndarray of uint8, the shape of `greys`

    Examples
    --------
    >>> words = np.array([[0, 1, 255]], np.uint16)
    >>> as_bytes(words, 255).tolist(), as_bytes(words, 60000).tolist()
    ([[0, 1, 255]], [[0, 0, 0]])
    """
    if greys.dtype == np.uint8:
        return cast("NDArray[np.uint8]", greys)
    if brightest <= _SCALES[0]:
        return greys.astype(np.uint8)
    if brightest > MOST_OPEN:
        return (greys >> 8).astype(np.uint8)
    white = next(scale for scale in _SCALES if scale >= brightest)
    return ((greys.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def _scaled(data: bytes, greys: NDArray[np.uint8]) -> Decoded:
    """Greys that OpenCV has brought to bytes, or the words that it made them of."""
    if int(greys.max()) << 8 > MOST_OPEN:
        return Decoded(greys, 16)
    return _deep(_decode_with_opencv(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH))


def _deep(greys: NDArray[Any]) -> Decoded:
    if greys.dtype == np.uint8:
        return Decoded(greys)
    brightest = int(greys.max())
    if not 0 < brightest <= MOST_OPEN:
        return Decoded((greys >> 8).astype(np.uint8), 16)
    return Decoded(greys, 16)


def _decode_with_alpha(data: bytes, *, deep: bool = True) -> Decoded:
    """The transparency where it is a mask, the greys otherwise."""
    image = _decode_with_opencv(data, cv2.IMREAD_UNCHANGED)
    alpha = image[..., 3] if image.ndim == 3 and image.shape[2] == 4 else None
    if alpha is not None and _varies(alpha):
        return _deep(np.ascontiguousarray(alpha))
    unseen = alpha is not None and not alpha.any()
    del image, alpha
    greys = _decode_with_opencv(data)
    if unseen and not is_mask(greys):
        return Decoded(np.zeros_like(greys))  # A cut-out of nobody: the colours mean nothing.
    return _scaled(data, greys) if deep else Decoded(greys)


def _varies(alpha: NDArray[Any]) -> bool:
    """Whether half of the most opaque parts foreground from background."""
    return bool(int(alpha.min()) <= int(alpha.max()) // 2 < int(alpha.max()))


def _decode_with_opencv(data: bytes, how: int = cv2.IMREAD_GRAYSCALE) -> NDArray[Any]:
    # OpenCV logs damaged input to standard error on its own; the caller reports it instead.
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error as problem:
        raise UndecodableImageError(f"OpenCV: {problem.err}") from problem
    finally:
        cv2.utils.logging.setLogLevel(level)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise UndecodableImageError(f"OpenCV cannot decode the image{_way_out(data)}")
    return np.asarray(image)


def _way_out(data: bytes) -> str:
    """What may help with formats that not every OpenCV reads, and none in all their kinds."""
    return ": convert it to PNG" if data[:4] in (b"RIFF", b"II*\0", b"MM\0*") else ""


def _decode_png(data: bytes) -> Decoded:
    png = _parse(data)
    row_bytes = _row_bytes(png, png.width)
    if (
        png.colour != _GREY
        or png.interlaced
        or png.depth not in (1, 8)
        or png.orientation
        or png.transparency
    ):
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
    return Decoded(pixels)


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
        elif kind == b"acTL" and length >= 4 and int.from_bytes(body[:4], "big") > 1:
            raise UndecodableImageError("an animated PNG is not read: save its pictures one by one")
        elif kind in (b"IHDR", b"PLTE", b"eXIf", b"tRNS"):
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
    check_size(width, height, _COLOURS[colour][0] * depth / 8)
    if method or filtering or interlace > 1:
        raise UndecodableImageError("PNG with an unknown compression, filter or interlace method")
    palette = found.get(b"PLTE", b"") if colour == _PALETTE else b""
    if colour == _PALETTE and (not palette or len(palette) % 3 or len(palette) > 3 << depth):
        raise UndecodableImageError(f"PNG palette of {len(palette)} bytes")
    return _Png(
        width,
        height,
        depth,
        colour,
        interlace == 1,
        palette,
        found.get(b"eXIf", b""),
        _transparency(found.get(b"tRNS", b""), colour, len(palette) // 3),
        data,
    )


def _transparency(chunk: bytes, colour: int, entries: int) -> bytes:
    """What a tRNS chunk says; nothing where it has no meaning."""
    if colour == _PALETTE:
        return chunk if len(chunk) <= entries else b""
    return chunk if len(chunk) == _KEY_BYTES.get(colour) else b""


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


def _decode_rare_png(png: _Png, stream: bytes | memoryview = b"") -> Decoded:
    """Give OpenCV a PNG that is known to be whole: only the chunks that decide about pixels."""
    header = _HEADER.pack(
        png.width, png.height, png.depth, png.colour, 0, 0, 1 if png.interlaced else 0
    )
    chunks = [_SIGNATURE, *_chunk(b"IHDR", header)]
    if png.palette:
        # A full palette, because libpng complains about indices beyond a short one.
        chunks += _chunk(b"PLTE", png.palette.ljust(3 << png.depth, b"\0"))
    if png.transparency and png.colour != _GREY:
        chunks += _chunk(b"tRNS", png.transparency)
    if png.orientation:
        chunks += _chunk(b"eXIf", png.orientation)
    chunks += [*_chunk(b"IDAT", stream or _checked_stream(png)), *_chunk(b"IEND", b"")]
    whole = b"".join(chunks)
    if png.colour in _WITH_ALPHA or (png.transparency and png.colour != _GREY):
        return _decode_with_alpha(whole, deep=png.depth == 16)
    greys = _decode_with_opencv(whole)
    found = _scaled(whole, greys) if png.depth == 16 else Decoded(greys)
    if png.transparency:
        return _without_key(whole, png, found)
    return found


def _without_key(whole: bytes, png: _Png, found: Decoded) -> Decoded:
    """The mask of a grey PNG with one transparent grey, which OpenCV passes over."""
    key = int.from_bytes(png.transparency, "big")
    if png.depth < 8:
        key *= 255 // ((1 << png.depth) - 1)
    words = _decode_with_opencv(whole, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    seen = words != key
    if not seen.any():
        return found if is_mask(found.greys) else Decoded(np.zeros(words.shape, np.uint8))
    return found if seen.all() else Decoded(seen.astype(np.uint8) * np.uint8(255))


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
