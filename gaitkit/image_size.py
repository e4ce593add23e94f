"""Width and height that an image file declares, read from its first bytes without decoding it."""

from __future__ import annotations

from struct import Struct, error

__all__ = ["declared_size"]


def declared_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, BMP or portable any-map, as its header declares them.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    width, height : int
        Pixels; may be zero in a damaged file.

    Raises
    ------
    ValueError
        The bytes are of none of these formats, or the header is damaged.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg_size(data)
        if data[:2] == b"BM":
            return _bmp_size(data)
        if data[:1] == b"P" and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6"):
            return _pnm_size(data)
    except (error, ValueError, IndexError) as problem:
        raise ValueError("the image's header is cut short or damaged") from problem
    found = f"a file that begins with {data[:4]!r}" if data else "an empty file"
    raise ValueError(f"a PNG, JPEG, BMP or PBM/PGM/PPM image expected, found {found}")


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = Struct("<I").unpack_from(data, 14)
    width, height = Struct("<HH" if header == 12 else "<ii").unpack_from(data, 18)
    return abs(width), abs(height)


def _pnm_size(data: bytes) -> tuple[int, int]:
    lines = data[2:1024].split(b"\n")
    words = b" ".join(line.partition(b"#")[0] for line in lines).split()
    return int(words[0]), int(words[1])


def _jpeg_size(data: bytes) -> tuple[int, int]:
    offset = 2
    while True:
        marker, code, length = Struct(">BBH").unpack_from(data, offset)
        if marker != 0xFF:
            raise ValueError("no marker where a JPEG segment should begin")
        if code == 0xFF:  # A fill byte before the marker.
            offset += 1
        elif 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = Struct(">HH").unpack_from(data, offset + 5)
            return width, height
        else:
            offset += 2 + length
