"""Decoding: equal to OpenCV on whole images, a typed error on damaged ones."""

import struct
import zlib
from contextlib import suppress
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gaitkit._opencv import cv2
from gaitkit.errors import GaitkitError
from gaitkit.png import (
    MAX_PIXELS,
    MOST_OPEN,
    DecodeError,
    TooLargeImageError,
    UndecodableImageError,
    as_bytes,
    decode,
    decode_grey,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
NONE, SUB, UP, AVERAGE, PAETH = range(5)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = GREY, interlace: int = 0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def filtered(rows: np.ndarray, filters: list[int], step: int) -> bytes:
    """Filter bytes row by row, as the PNG specification words it."""
    out = bytearray()
    before = [0] * rows.shape[1]
    for row, kind in zip(rows.tolist(), filters, strict=True):
        out.append(kind)
        for i, value in enumerate(row):
            left = row[i - step] if i >= step else 0
            corner = before[i - step] if i >= step else 0
            above = before[i]
            guess = (0, left, above, (left + above) // 2, paeth(left, above, corner))[kind]
            out.append((value - guess) % 256)
        before = row
    return bytes(out)


def hand_made(
    image: np.ndarray, filters: list[int], *, depth: int = 8, colour: int = GREY, parts: int = 1
) -> bytes:
    """A PNG of packed rows; `image` is (height, bytes per row)."""
    height, row_bytes = image.shape
    width = row_bytes * 8 // (depth * SAMPLES[colour])
    step = max(1, depth * SAMPLES[colour] // 8)
    stream = zlib.compress(filtered(image, filters, step))
    cuts = np.linspace(0, len(stream), parts + 1).astype(int)
    data = [chunk(b"IDAT", stream[a:b]) for a, b in pairwise(cuts)]
    return png(header(width, height, depth, colour), *data)


def opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def test_a_small_png_written_out():
    # Row 1 with Sub: differences to the left; row 2 with Sub again.
    stream = zlib.compress(bytes([SUB, 0, 255, 0, 1, SUB, 7, 0, 249, 0]))
    data = png(header(4, 2), chunk(b"IDAT", stream))
    assert decode_grey(data).tolist() == [[0, 255, 255, 0], [7, 7, 0, 0]]


@pytest.mark.parametrize("kind", [NONE, SUB, UP])
def test_one_filter_throughout_a_person_that_touches_every_border(kind):
    image = np.zeros((6, 9), np.uint8)
    image[:, 4:] = 255
    image[2:, 1] = 1
    image[5] = 9
    assert np.array_equal(decode_grey(hand_made(image, [kind] * 6)), image)


def test_an_empty_frame():
    for kind in (NONE, SUB, UP):
        assert not decode_grey(hand_made(np.zeros((3, 5), np.uint8), [kind] * 3)).any()


images = arrays(
    np.uint8,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from([0, 0, 0, 1, 127, 128, 254, 255]),
)


@given(images, st.data())
def test_grey_with_any_filters_is_exact(image, data):
    same = st.integers(0, 4).map(lambda kind: [kind] * len(image))
    mixed = st.lists(st.integers(0, 4), min_size=len(image), max_size=len(image))
    filters = data.draw(st.one_of(same, mixed))
    parts = data.draw(st.integers(1, 3))
    assert np.array_equal(decode_grey(hand_made(image, filters, parts=parts)), image)


@settings(max_examples=150)
@given(st.data())
def test_every_depth_and_colour_equals_opencv(data):
    colour, depth = data.draw(
        st.sampled_from(
            [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16)]
            + [(GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGBA, 8), (RGBA, 16)]
        )
    )
    pixel = max(1, depth * SAMPLES[colour] // 8)
    shape = (data.draw(st.integers(1, 6)), pixel * data.draw(st.integers(1, 6)))
    image = data.draw(arrays(np.uint8, shape))
    filters = data.draw(st.lists(st.integers(0, 4), min_size=shape[0], max_size=shape[0]))
    encoded = hand_made(image, filters, depth=depth, colour=colour)
    expected = opencv(encoded)
    if colour in (GREY_ALPHA, RGBA):
        alpha = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3]
        if alpha.min() <= alpha.max() // 2 < alpha.max():
            expected = alpha if depth == 8 else (alpha >> 8).astype(np.uint8)
            assume(depth == 8 or alpha.max() > MOST_OPEN)
        else:
            assume(alpha.any())
    assume(depth == 8 or depth < 8 or expected.max() > MOST_OPEN >> 8)
    assert np.array_equal(decode_grey(encoded), expected)


def cut_out(alpha: np.ndarray, colour: int = 0) -> np.ndarray:
    """Blue, green, red and alpha: one colour throughout."""
    return np.dstack([np.full_like(alpha, colour)] * 3 + [alpha])


ALPHA = np.zeros((20, 12), np.uint8)
ALPHA[4:16, 4:8] = 255
ALPHA[4:16, 3] = 100


def encoded(image: np.ndarray, kind: str = ".png", *how: int) -> bytes:
    done, data = cv2.imencode(kind, image, list(how))
    assert done
    return data.tobytes()


@pytest.mark.parametrize("colour", [0, 90, 255])
@pytest.mark.parametrize("kind", [".png", ".webp", ".tif"])
def test_the_mask_is_the_transparency_where_it_varies(kind, colour):
    how = (cv2.IMWRITE_WEBP_QUALITY, 101) if kind == ".webp" else ()
    assert np.array_equal(decode_grey(encoded(cut_out(ALPHA, colour), kind, *how)), ALPHA)


@pytest.mark.parametrize("opacity", [0, 200, 255])
def test_transparency_that_is_everywhere_the_same_is_passed_over(opacity):
    image = np.dstack([ALPHA, ALPHA, ALPHA, np.full_like(ALPHA, opacity)])
    assert np.array_equal(decode_grey(encoded(image)), ALPHA)


def test_a_cut_out_of_nobody_is_empty_whatever_its_colours():
    shades = np.tile(np.arange(40, 220, 3, dtype=np.uint8), (40, 1))
    assert not decode_grey(encoded(np.dstack([shades] * 3 + [shades * 0]))).any()
    assert decode_grey(encoded(np.dstack([shades] * 3 + [shades * 0 + 255]))).any()


def test_transparency_in_a_palette_or_of_one_grey_or_colour():
    rows = filtered(np.array([[0, 1, 2]], np.uint8), [NONE], 1)
    data = chunk(b"IDAT", zlib.compress(rows))
    palette = chunk(b"PLTE", bytes([9, 9, 9, 200, 0, 0, 0, 0, 0]))
    some, none, long = (chunk(b"tRNS", bytes(of)) for of in ([0, 255], [255], [0, 255, 255, 0]))
    in_palette = [png(header(3, 1, colour=PALETTE), palette, what, data) for what in (some, none)]
    assert decode_grey(in_palette[0]).tolist() == [[0, 255, 255]]
    assert decode_grey(in_palette[1]).tolist() == opencv(in_palette[1]).tolist()
    too_long = png(header(3, 1, colour=PALETTE), palette, long, data)
    assert decode_grey(too_long).tolist() == opencv(in_palette[1]).tolist()
    key = chunk(b"tRNS", bytes([0, 1]))
    assert decode_grey(png(header(3, 1), key, data)).tolist() == [[255, 0, 255]]
    absent = chunk(b"tRNS", bytes([0, 7]))
    assert decode_grey(png(header(3, 1), absent, data)).tolist() == [[0, 1, 2]]
    colours = chunk(b"IDAT", zlib.compress(bytes([NONE, 1, 2, 3, 9, 9, 9])))
    key = chunk(b"tRNS", bytes([0, 1, 0, 2, 0, 3]))
    assert decode_grey(png(header(2, 1, colour=RGB), key, colours)).tolist() == [[0, 255]]


@pytest.mark.parametrize("kind", [".png", ".tif", ".pgm"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([0, 1, 1], [0, 1, 1]),
        ([0, 128, 255], [0, 128, 255]),
        ([0, 1000, 1], [0, 249, 0]),
        ([0, 2048, 4095], [0, 128, 255]),
        ([0, 32768, 65535], [0, 128, 255]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_sixteen_bits_are_scaled_by_what_they_hold(kind, words, expected):
    image = np.tile(np.array(words, np.uint16), (4, 1))
    assert decode_grey(encoded(image, kind))[0].tolist() == expected
    if kind == ".png":
        transparent = np.dstack([image * 0, image * 0, image * 0, image])
        assert decode_grey(encoded(transparent))[0].tolist() == expected


def test_only_dark_words_are_left_to_the_sequence():
    dark, bright = (encoded(np.full((2, 2), value, np.uint16)) for value in (300, 60000))
    assert (decode(dark).greys.dtype, decode(dark).brightest) == (np.uint16, 300)
    assert (decode(bright).greys.dtype, decode(bright).brightest) == (np.uint8, 234 << 8)
    assert as_bytes(decode(dark).greys, 60000).tolist() == [[1, 1], [1, 1]]


def tiff(*pages: dict[int, int], order: str = "<") -> bytes:
    """The fields of pages, and nothing else."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    for number, page in enumerate(pages, start=1):
        after = len(out) + 2 + 12 * len(page) + 4
        out += struct.pack(order + "H", len(page))
        for tag, value in sorted(page.items()):
            out += struct.pack(order + "HHII", tag, 4, 1, value)
        out += struct.pack(order + "I", after if number < len(pages) else 0)
    return out


def page(width=20, height=10, bits=8, **more: int) -> dict[int, int]:
    extra = {int(tag[1:]): value for tag, value in more.items()}
    return {256: width, 257: height, 258: bits, 262: 1, 277: 1} | extra


NAMED = {
    "a TIFF of 2 pages": tiff(page(), page()),
    "a TIFF of floating-point numbers": tiff(page(bits=32, t339=3), order=">"),
    "a TIFF of signed numbers": tiff(page(bits=16, t339=2)),
    "a TIFF of 32 bits": tiff(page(bits=32)),
    "a TIFF of compression 50000": tiff(page(t259=50000)),
    "a TIFF of 2 channels": tiff(page(t277=2)),
    "a BigTIFF": b"II+\0" + bytes(40),
    "an animated WebP": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(9),
    "a GIF": b"GIF89a" + bytes(20),
    "a HEIC picture": b"\0\0\0\x18ftypheic" + bytes(20),
    "an AVIF": b"\0\0\0\x18ftypavif" + bytes(20),
    "a JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_read_is_called_by_its_name(name):
    with pytest.raises(UndecodableImageError, match=rf"^{name}\b"):
        decode_grey(NAMED[name])


def test_a_small_copy_beside_a_page_is_no_second_page():
    with pytest.raises(UndecodableImageError, match="cannot decode"):
        decode_grey(tiff(page(), page(t254=1)))


@pytest.mark.parametrize("kind", [".webp", ".tif"])
@pytest.mark.parametrize("shape", [(60, 40), (60, 40, 3), (60, 40, 4)])
def test_webp_and_tiff_as_opencv_reads_them(kind, shape):
    image = np.zeros(shape, np.uint8)
    image[10:50, 12:30] = 255
    if len(shape) == 3:
        image[..., 3:] = 255
    data = encoded(image, kind)
    assert np.array_equal(decode_grey(data), opencv(data))


def test_tiffs_of_other_programs():
    """One bit, palettes and the usual compressions, as Pillow writes them."""
    for mode in ("1", "L", "P"):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            out = BytesIO()
            picture = Image.fromarray(ALPHA * (ALPHA > 100)).convert(mode)
            picture.save(out, "TIFF", compression=compression)
            assert np.array_equal(decode_grey(out.getvalue()), ALPHA * (ALPHA > 100))


@pytest.mark.parametrize("kind", [".webp", ".tif"])
def test_damaged_webp_and_tiff_are_read_or_told_and_print_nothing(kind, capfd):
    rng = np.random.default_rng(4)
    good = encoded(np.pad(np.full((20, 10), 255, np.uint8), 5), kind)
    for _ in range(300):
        bad = np.frombuffer(good, np.uint8).copy()
        places = rng.integers(0, len(bad), rng.integers(1, 4))
        bad[places] = rng.integers(0, 256, len(places))
        cut = len(bad) if rng.random() < 0.7 else rng.integers(1, len(bad))
        with suppress(DecodeError):
            assert decode_grey(bad[:cut].tobytes()).ndim == 2
    assert capfd.readouterr().err == ""


def test_one_bit_with_a_width_that_is_no_multiple_of_eight():
    stream = zlib.compress(bytes([NONE, 0b10100000, 0b01000000, NONE, 0, 0b11000000]))
    data = png(header(10, 2, depth=1), chunk(b"IDAT", stream))
    expected = [[255, 0, 255, 0, 0, 0, 0, 0, 0, 255], [0, 0, 0, 0, 0, 0, 0, 0, 255, 255]]
    assert decode_grey(data).tolist() == expected


def test_a_palette_shorter_than_its_indices(capfd):
    stream = zlib.compress(bytes([NONE, 0, 1, 2]))
    palette = chunk(b"PLTE", bytes([0, 0, 0, 255, 255, 255]))
    data = png(header(3, 1, colour=PALETTE), palette, chunk(b"IDAT", stream))
    assert decode_grey(data).tolist() == [[0, 255, 0]]
    assert capfd.readouterr().err == ""


def test_interlaced():
    # 1x1: only the first of Adam7's passes has a pixel. 3x1: passes 1, 4 and 6.
    assert decode_grey(
        png(header(1, 1, interlace=1), chunk(b"IDAT", zlib.compress(bytes([NONE, 77]))))
    ).tolist() == [[77]]
    passes = bytes([NONE, 10, NONE, 30, NONE, 20])
    data = png(header(3, 1, interlace=1), chunk(b"IDAT", zlib.compress(passes)))
    assert decode_grey(data).tolist() == opencv(data).tolist() == [[10, 20, 30]]


@pytest.mark.parametrize(
    ("kind", "colour"),
    [(".png", 0), (".png", 1), (".bmp", 0), (".bmp", 1), (".jpg", 0), (".jpg", 1)]
    + [(".pgm", 0), (".ppm", 1)],
)
def test_what_opencv_writes(kind, colour):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    encoded, data = cv2.imencode(kind, image if colour else image[..., 0])
    assert encoded
    assert np.array_equal(decode_grey(data.tobytes()), opencv(data.tobytes()))


def test_unknown_ancillary_chunks_do_no_harm(capfd):
    stream = zlib.compress(filtered(np.array([[1, 2]], np.uint8), [PAETH], 1))
    extra = [chunk(b"iCCP", b"junk"), chunk(b"gAMA", b""), chunk(b"abCd", b"?")]
    data = png(header(2, 1), *extra, chunk(b"IDAT", stream + b"tail"))
    assert decode_grey(data).tolist() == [[1, 2]]
    assert capfd.readouterr().err == ""


def whole() -> bytes:
    image = np.zeros((40, 30), np.uint8)
    image[5:35, 10:20] = 255
    return cv2.imencode(".png", image)[1].tobytes()


@settings(max_examples=200)
@given(st.data())
def test_damage_is_never_a_wrong_image(data):
    good = whole()
    expected = decode_grey(good)
    position = data.draw(st.integers(0, len(good) - 1))
    if data.draw(st.booleans()):
        bad = good[:position]
    else:
        flipped = good[position] ^ (1 << data.draw(st.integers(0, 7)))
        bad = good[:position] + bytes([flipped]) + good[position + 1 :]
    try:
        decoded = decode_grey(bad)
    except DecodeError:
        return
    assert np.array_equal(decoded, expected)


def short_stream(rows: int, total: int = 4) -> bytes:
    raw = filtered(np.ones((rows, 5), np.uint8), [NONE] * rows, 1)
    return png(header(5, total), chunk(b"IDAT", zlib.compress(raw)))


BAD = {
    "empty": b"",
    "text": b"not an image at all",
    "only the signature": SIGNATURE,
    "no data": png(header(5, 4)),
    "too few rows": short_stream(3),
    "too many rows": short_stream(5),
    "cut stream": png(header(5, 4), chunk(b"IDAT", zlib.compress(bytes(24))[:-3])),
    "unknown filter": png(header(2, 1), chunk(b"IDAT", zlib.compress(bytes([7, 1, 2])))),
    "no header": png(chunk(b"IDAT", zlib.compress(bytes(24)))),
    "zero width": png(header(0, 4), chunk(b"IDAT", zlib.compress(bytes(4)))),
    "depth 3": png(header(5, 4, depth=3), chunk(b"IDAT", zlib.compress(bytes(24)))),
    "interlace 2": png(header(5, 4, interlace=2), chunk(b"IDAT", zlib.compress(bytes(24)))),
    "palette missing": png(
        header(2, 1, colour=PALETTE), chunk(b"IDAT", zlib.compress(bytes([0, 0, 1])))
    ),
    "unknown critical chunk": png(header(5, 4), chunk(b"ABCD", b"")),
    "half a bitmap": cv2.imencode(".bmp", np.ones((20, 20), np.uint8))[1].tobytes()[:-200],
    "half a photo": cv2.imencode(".jpg", np.ones((20, 20), np.uint8))[1].tobytes()[:200],
    "bitmap of zero": b"BM" + bytes(60),
    "any-map without size": b"P5\n# nothing\n",
    "another format": b"GIF89a" + bytes(20),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_input_raises_and_prints_nothing(name, capfd):
    with pytest.raises(UndecodableImageError) as caught:
        decode_grey(BAD[name])
    assert isinstance(caught.value, GaitkitError)
    assert caught.value.reason == "undecodable"
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


SIDE = int(MAX_PIXELS**0.5) + 1


@pytest.mark.parametrize(
    "data",
    [
        png(header(SIDE, SIDE), chunk(b"IDAT", b"")),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, SIDE, -SIDE) + bytes(30),
        b"P5 %d # columns\n %d 255\n" % (SIDE, SIDE),
        b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08"
        + struct.pack(">HH", SIDE, SIDE)
        + b"\1" * 9,
    ],
    ids=["png", "bmp", "pgm", "jpg"],
)
def test_too_large_is_refused_before_decoding(data):
    with pytest.raises(TooLargeImageError) as caught:
        decode_grey(data)
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize("colour", SAMPLES)
def test_a_bomb_is_not_inflated(colour):
    """Sixteen megabytes under a header of four pixels: inflating stops after the last of them."""
    bomb = zlib.compressobj(9)
    stream = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(16)) + bomb.flush()
    palette = [chunk(b"PLTE", bytes(3))] if colour == PALETTE else []
    with pytest.raises(UndecodableImageError, match="found more"):
        decode_grey(png(header(2, 2, colour=colour), *palette, chunk(b"IDAT", stream)))


def jpeg(frame: int, width: int, height: int, *, densities=(0x11,) * 3, before=b"", in_scan=3):
    """The headers of a JPEG: marker code of its frame, sampling of each component."""
    parts = b"".join(bytes([number, both, 0]) for number, both in enumerate(densities))
    size = struct.pack(">BHHB", 8, height, width, len(densities))
    scan = bytes([in_scan]) + bytes(2 * in_scan + 3)
    segments = [(frame, size + parts), (0xDA, scan)]
    return (
        b"\xff\xd8\xff\xe0\x00\x02"
        + before
        + b"".join(
            bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body for code, body in segments
        )
    )


WEBP_CANVAS = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
LOSSLESS = b"VP8L\x06\0\0\0\x2f" + struct.pack("<I", 16000 | 16000 << 14) + b"\0"
HOSTILE = {
    "WebP": b"RIFF\x12\0\0\0WEBP" + LOSSLESS,
    "WebP on a large canvas": b"RIFF\x24\0\0\0"
    + WEBP_CANVAS[8:]
    + b"\xff\xff\0\xff\xff\0"
    + LOSSLESS.replace(struct.pack("<I", 16000 | 16000 << 14), bytes(4)),
    "TIFF": tiff(page(9000, 9000)),
    "TIFF of 16 bits": tiff(page(7000, 7000, 16)),
    "TIFF of one large tile": tiff(page(t322=60000, t323=60000)),
    "16 bits, 4 channels": png(header(7000, 7000, 16, RGBA)),
    "16 bits, 3 channels, interlaced": png(header(7000, 7000, 16, RGB, interlace=1)),
    "progressive photo": jpeg(0xC2, 7000, 7000),
    "photo in separate scans": jpeg(0xC0, 7000, 7000, in_scan=1),
    "photo behind a marker without length": jpeg(0xC0, 60000, 60000, before=b"\xff\xd0"),
    "any-map behind a comment that ends early": b"P5\n#\r60000 60000 255\n9 9 255\n" + bytes(99),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_small_files_of_large_pictures_are_refused_by_their_headers(name):
    with pytest.raises(TooLargeImageError) as caught:
        decode_grey(HOSTILE[name])
    assert caught.value.reason == "too-large"


def test_a_photo_of_no_component_is_refused():
    with pytest.raises(UndecodableImageError, match="header"):
        decode_grey(jpeg(0xC0, 40, 30, densities=()))


PHOTO = np.arange(48 * 40 * 3, dtype=np.uint8).reshape(48, 40, 3)
FORMATS = (".png", ".jpg", ".bmp", ".pgm", ".webp", ".tif")
WRITTEN = {suffix: cv2.imencode(suffix, PHOTO[..., 0])[1].tobytes() for suffix in FORMATS}
COLOURED = {
    suffix: cv2.imencode(suffix, PHOTO)[1].tobytes() for suffix in FORMATS if suffix != ".pgm"
}


@settings(max_examples=600)
@given(st.data())
def test_damage_in_any_format_is_told_as_damage(data):
    suffix = data.draw(st.sampled_from(FORMATS))
    good = data.draw(
        st.sampled_from([kind[suffix] for kind in (WRITTEN, COLOURED) if suffix in kind])
    )
    bad = bytearray(good)
    # Mostly in the headers, where sizes and counts stand.
    places = st.one_of(st.integers(0, min(len(good), 700) - 1), st.integers(0, len(good) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        bad[place] = data.draw(st.sampled_from([0, 1, 127, 255, bad[place] ^ 1, bad[place] ^ 128]))
    cut = data.draw(st.one_of(st.just(len(bad)), st.integers(0, len(bad))))
    try:
        image = decode_grey(bytes(bad[:cut]))
    except DecodeError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 2


def test_a_photo_of_endless_scans_is_refused():
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    with pytest.raises(UndecodableImageError, match="header"):
        decode_grey(jpeg(0xC2, 4000, 4000, densities=(0x11,), in_scan=1) + scan * 200)


@pytest.mark.parametrize(("depth", "colour"), [(8, GREY), (1, GREY), (8, RGBA), (8, PALETTE)])
def test_a_large_picture_of_an_ordinary_kind_is_decoded(depth, colour):
    width, height = 3840, 2160
    row = bytes(1 + width * depth * SAMPLES[colour] // 8)
    palette = [chunk(b"PLTE", bytes(range(9)))] if colour == PALETTE else []
    stream = chunk(b"IDAT", zlib.compress(row * height, 1))
    assert decode_grey(png(header(width, height, depth, colour), *palette, stream)).shape == (
        height,
        width,
    )


def test_a_stream_of_many_blocks_is_checked_to_its_last_row(monkeypatch):
    """Rows that lie across the ends of blocks, and a wrong filter in the last one."""
    monkeypatch.setattr("gaitkit.png._BLOCK_BYTES", 100)
    monkeypatch.setattr("gaitkit.png._FED_BYTES", 70)
    rows = np.random.default_rng(0).integers(0, 256, (70, 3 * 99), np.uint8)
    filters = [PAETH if row % 7 else UP for row in range(len(rows))]
    data = hand_made(rows, filters, colour=RGB, parts=5)
    assert np.array_equal(decode_grey(data), opencv(data))
    raw = bytearray(b"".join(b"\0" + row.tobytes() for row in rows))
    raw[-rows.shape[1] - 1] = 9
    broken = png(header(99, 70, colour=RGB), chunk(b"IDAT", zlib.compress(bytes(raw), 1)))
    with pytest.raises(UndecodableImageError, match="row filter"):
        decode_grey(broken)


@pytest.mark.parametrize("pictures", [1, 9])
def test_an_animation_is_refused_and_one_picture_is_none(capfd, pictures):
    stream = zlib.compress(filtered(np.array([[1, 2]], np.uint8), [PAETH], 1))
    control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 60000, 60000, 0, 0, 1, 1, 0, 0))
    more = chunk(b"fdAT", bytes(4) + stream)
    animated = png(
        header(2, 1),
        chunk(b"acTL", struct.pack(">II", pictures, 0)),
        control,
        chunk(b"IDAT", stream),
        more,
    )
    if pictures == 1:
        assert decode_grey(animated).tolist() == [[1, 2]]
    else:
        with pytest.raises(UndecodableImageError, match="an animated PNG is not read: save its"):
            decode_grey(animated)
    assert capfd.readouterr().err == ""


def test_a_tiff_whose_pages_share_their_fields_is_not_read_for_ever():
    fields = 5_000
    data = bytearray(12 * fields + 100)
    data[:8] = b"II*\0" + struct.pack("<I", 8)
    for page in range(20):
        struct.pack_into("<H", data, 8 + 2 * page, fields)
    for page in range(20):
        struct.pack_into("<I", data, 8 + 2 * page + 2 + 12 * fields, 10 + 2 * page)
    with pytest.raises(DecodeError):
        decode_grey(bytes(data))
