"""What the header of a picture declares, read before anything is allocated for it.

References
----------
ITU-T T.81 (JPEG), annex B: B.1.1.3 (markers), B.2.2 (frame header), B.2.3 (scan header).
RFC 9649, WebP Image Format, 2024: sections 2.3 to 2.7 (chunks), 3.4 (the lossless header).
RFC 6386, VP8, 2011: section 9.1 (frame header).
TIFF, revision 6.0, 1992: section 2 (file structure), 8 (baseline fields), 15 (tiles).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct, error
from typing import NamedTuple

from gaitkit.errors import DatasetError
from gaitkit.printable import counted

__all__ = [
    "MAX_DECODED_BYTES",
    "MAX_PIXELS",
    "Declared",
    "DecodeError",
    "TooLargeImageError",
    "UndecodableImageError",
    "check_size",
    "declared",
]

MAX_PIXELS = 64_000_000
"""Images with more pixels are refused before anything is inflated."""

MAX_DECODED_BYTES = 256 << 20
"""So are images whose pixels take more memory in their own depth and number of channels.

A progressive JPEG takes the coefficients of all its pixels at once, two bytes each.
"""

_MAX_SCANS = 100  # Of a JPEG; each goes over the whole picture, and some ten are usual.
_MAX_PAGES = 1000  # Of a TIFF; they are only counted.
_MAX_FIELDS = 50_000  # Of all of them; pages may share the bytes of their fields.

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

_WEBP_ANIMATED, _WEBP_ALPHA = 0x02, 0x10
_WEBP_LOSSLESS = 0x2F

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Fields that decide about the pixels, and what holds where one is missing.
_TIFF_FIELDS = {
    254: 0,  # Bit 0: a smaller copy of another page.
    256: 0,  # Columns.
    257: 0,  # Rows.
    258: 1,  # Bits per sample.
    259: 1,  # Compression.
    262: 1,  # What the numbers mean.
    277: 1,  # Samples per pixel.
    322: 0,  # Columns of a tile.
    323: 0,  # Rows of a tile.
    339: 1,  # Whole numbers, signed ones, or floats.
}
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I"}
_TIFF_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
_TIFF_GREY_ALPHA, _TIFF_INK = 2, 5

_NOT_READ = (
    (0, b"GIF8", "a GIF"),
    (4, b"ftypavi", "an AVIF"),
    (4, b"ftyp", "a HEIC picture or a video"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (4, b"JXL ", "a JPEG XL"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"8BPS", "a Photoshop picture"),
)


class DecodeError(DatasetError):
    """An image cannot be used; `reason` is a word of `gaitkit.dropped.REASONS`."""

    reason = "undecodable"


class UndecodableImageError(DecodeError):
    """The bytes are not an image that gaitkit reads, or they are damaged."""


class TooLargeImageError(DecodeError):
    """The image declares more than `MAX_PIXELS` pixels, or takes over `MAX_DECODED_BYTES`."""

    reason = "too-large"


class Declared(NamedTuple):
    """What a header says.

    Attributes
    ----------
    width, height : int
        Pixels; may be zero in a damaged file.
    pixel_bytes : float
        What one pixel takes while it is decoded.
    alpha : bool
        Whether the pixels may be transparent.
    """

    width: int
    height: int
    pixel_bytes: float
    alpha: bool = False


def check_size(width: int, height: int, pixel_bytes: float) -> None:
    """Refuse a picture that is too large, or has no pixel.

    Raises
    ------
    UndecodableImageError
        It has no pixel.
    TooLargeImageError
        It has more than `MAX_PIXELS` pixels, or takes over `MAX_DECODED_BYTES`.
    """
    if width < 1 or height < 1:
        raise UndecodableImageError(f"an image of {width:.6g}x{height:.6g} pixels")
    if width * height > MAX_PIXELS:
        raise TooLargeImageError(f"{width}x{height} pixels, at most {MAX_PIXELS} are decoded")
    if width * height * pixel_bytes > MAX_DECODED_BYTES:
        raise TooLargeImageError(
            f"{width}x{height} pixels of {pixel_bytes:g} bytes, at most {MAX_DECODED_BYTES >> 20} "
            "MiB are decoded"
        )


def declared(data: bytes) -> Declared:
    """Read the header of a JPEG, BMP, portable any-map, WebP or TIFF.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    Declared
        Not checked against the bounds.

    Raises
    ------
    UndecodableImageError
        The bytes are of none of these formats, of a kind that is not read (an animation, several
        pages, floating-point numbers), or the header is damaged.
    TooLargeImageError
        A JPEG or TIFF is too large.

    Examples
    --------
    >>> declared(b"P5 64 128 255 ...")
    Declared(width=64, height=128, pixel_bytes=1, alpha=False)
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return Declared(*_jpeg_size(data))
        if data[:2] == b"BM":
            return Declared(*_bmp_size(data), 1)
        if data[:1] == b"P" and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6"):
            return Declared(*_pnm_size(data), 1)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in _TIFF_STARTS:
            return _tiff(data)
    except (error, ValueError, IndexError) as problem:
        if isinstance(problem, DecodeError):
            raise
        raise UndecodableImageError("the image's header is cut short or damaged") from problem
    for offset, start, name in _NOT_READ:
        if data[offset : offset + len(start)] == start:
            raise UndecodableImageError(f"{name} is not read: convert it to PNG")
    found = f"a file that begins with {data[:4]!r}" if data else "an empty file"
    raise UndecodableImageError(
        f"a PNG, JPEG, BMP, PBM/PGM/PPM, WebP or TIFF image expected, found {found}"
    )


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
            check_size(width, height, 1)
            size, progressive = (width, height), code in _JPEG_PROGRESSIVE
            # Two numbers of four bits: how densely a component is sampled.
            densities = [(both >> 4) * (both & 15) for both in data[offset + 7 :: 3][:components]]
            if not densities:
                raise ValueError("no component")
            samples = sum(densities) / max(1, max(densities))
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


def _webp(data: bytes) -> Declared:
    """The largest size that a chunk of a WebP declares: its canvas, or its picture."""
    end = 8 + Struct("<I").unpack_from(data, 4)[0]
    if end > len(data):
        raise UndecodableImageError("the WebP ends before its last chunk")
    width = height = flags = 0
    alpha = False
    offset, pictures = 12, 0
    while offset + 8 <= end:
        kind, length = Struct("<4sI").unpack_from(data, offset)
        body = offset + 8
        if body + length > end:
            raise UndecodableImageError(f"the WebP ends inside its chunk {kind!r}")
        size = (0, 0)
        if kind == b"VP8X":
            flags = data[body]
            (lower, upper), second = Struct("<HB").unpack_from(data, body + 4), body + 7
            size = (
                lower + (upper << 16) + 1,
                int.from_bytes(data[second : second + 3], "little") + 1,
            )
        elif kind == b"VP8L":
            if data[body] != _WEBP_LOSSLESS:
                raise ValueError("no lossless header")
            (bits,) = Struct("<I").unpack_from(data, body + 1)
            size = ((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
            alpha, pictures = alpha or bool(bits >> 28 & 1), pictures + 1
        elif kind == b"VP8 ":
            if data[body + 3 : body + 6] != b"\x9d\x01\x2a":
                raise ValueError("no key frame")
            across, down = Struct("<HH").unpack_from(data, body + 6)
            size, pictures = (across & 0x3FFF, down & 0x3FFF), pictures + 1
        width, height = max(width, size[0]), max(height, size[1])
        offset = body + length + (length & 1)
    if flags & _WEBP_ANIMATED:
        raise UndecodableImageError("an animated WebP is not read: save its frames as PNG")
    if pictures != 1:
        raise ValueError("not one picture")
    # Decoded to four bytes a pixel, and to planes of luma, chroma and alpha before that.
    return Declared(width, height, 4, alpha or bool(flags & _WEBP_ALPHA))


def _tiff(data: bytes) -> Declared:
    """What the first page of a TIFF declares; refused unless that is a picture of whole numbers."""
    order = "<" if data[:1] == b"I" else ">"
    if data[2:4] in (b"+\0", b"\0+"):
        raise UndecodableImageError("a BigTIFF is not read: convert it to PNG")
    pages = list(_tiff_pages(data, order))
    if not pages:
        raise ValueError("no page")
    whole = [page for page in pages if not page[254] & 1]
    if len(whole) > 1:
        raise UndecodableImageError(
            f"a TIFF of {counted(len(whole), 'page')}: save each page as a file of its own"
        )
    page = pages[0]
    width, height, bits, samples = page[256], page[257], page[258], page[277]
    check_size(width, height, 1)
    if page[339] != 1:
        kind = {2: "signed numbers", 3: "floating-point numbers"}.get(page[339], "odd numbers")
        raise UndecodableImageError(f"a TIFF of {kind} is not read: save masks of 8 bits")
    if bits not in (1, 8, 16):
        raise UndecodableImageError(f"a TIFF of {bits} bits is not read: save masks of 8 bits")
    if page[259] not in _TIFF_COMPRESSIONS:
        raise UndecodableImageError(
            f"a TIFF of compression {page[259]} is not read: convert it to PNG"
        )
    if samples == _TIFF_GREY_ALPHA or samples > 4 or page[262] == _TIFF_INK:
        raise UndecodableImageError(
            f"a TIFF of {samples} channels that are no red, green and blue is not read: convert "
            "it to PNG"
        )
    # A tile is held whole, even one that is larger than the picture.
    check_size(max(width, page[322]), max(height, page[323]), 4 * max(1, bits // 8))
    return Declared(width, height, 4 * max(1, bits // 8), samples == 4)


def _tiff_pages(data: bytes, order: str) -> Iterator[dict[int, int]]:
    number, entry = Struct(f"{order}I"), Struct(f"{order}HHI")
    (offset,) = number.unpack_from(data, 4)
    seen: set[int] = set()
    fields = 0
    while offset:
        if offset in seen or len(seen) > _MAX_PAGES:
            raise ValueError("pages without end")
        seen.add(offset)
        (count,) = Struct(f"{order}H").unpack_from(data, offset)
        fields += count
        if fields > _MAX_FIELDS:
            raise ValueError("fields without end")
        page = dict(_TIFF_FIELDS)
        for place in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, length = entry.unpack_from(data, place)
            if tag not in page:
                continue
            if kind not in _TIFF_NUMBERS or not length:
                raise ValueError("a field that is no number")
            value = Struct(order + _TIFF_NUMBERS[kind])
            at = place + 8
            if length * value.size > 4:  # The same for each channel.
                (at,) = number.unpack_from(data, at)
            (page[tag],) = value.unpack_from(data, at)
        yield page
        (offset,) = number.unpack_from(data, offset + 2 + 12 * count)
