"""Changes to files: of their bytes, of text, of pictures and archives; each follows from a seed."""

from __future__ import annotations

import io
import random
import re
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Sequence

_EDGES = (
    *(0, 1, 2, 127, 128, 255, 1 << 15, (1 << 16) - 1, 1 << 31, (1 << 31) - 1, (1 << 32) - 1),
    *(1 << 40, 1 << 62, (1 << 63) - 1, (1 << 64) - 1),
)

_FRAGMENTS = (
    *("[" * 4000, "{" * 4000, '{"a":' * 4000, "a." * 4000 + "a = 1", "8" * 6000, "-" + "7" * 400),
    *("1e999", "-inf", "NaN", "0x" + "e" * 5000, "1_0", "007", "1.5", "-1", str(1 << 63), "2**8"),
    *("true", "null", "[]", "{}", '""', "[1, 2", "2026-02-30", "25:61:00", "[[x]]", "a = ", "="),
    *('"' + "name" * 25_000 + '"', '"""', "'", "\\", "\\ud800", "\\u0000", "\\x1b", ",", ";", "#"),
    *("\x00", "\x07", "\x1b[31m", "\x9b2J", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028"),
    *("\udcff", "💥", "\t", "\r", "\n", "a" * 300, "../../../x", "/etc/passwd", "~", "..", "$HOME"),
)
_NAMES = (
    *("../../outside.png", "/tmp/outside.png", "a/../../b/001-nm-01-090-001.png", "C:\\x.png", ""),
    *("x" * 300 + ".png", "\x1b[2J.png", "001/nm-01/090/\u202egnp.png", "a/" * 200 + "b.png"),
    *("001/nm-01/090", "001/nm-01/900/001-nm-01-900-001.png", "001//nm-01/./090/x.png"),
    *("nul\x00.png", "001/nm-01/09\n0/x.png", "001/nm-01/-0/x.png", "001/nm-99999999/090/x.png"),
)


def changed_bytes(
    data: bytes, rng: random.Random, places: Sequence[int] = (), first: int = 0
) -> bytes:
    """One change of the bytes of a file.

    Parameters
    ----------
    data : bytes
        At least one byte behind `first`.
    rng : random.Random
        Decides.
    places : sequence of int
        Offsets near which most changes are made, where there are any.
    first : int
        Nothing before this offset is changed.

    Returns
    -------
    bytes
        Not always another text.
    """
    found = bytearray(data)

    def place() -> int:
        if places and rng.random() < 0.75:
            near = rng.choice(places) + rng.randint(-24, 512)
            return min(max(first, near), len(found) - 1)
        return rng.randrange(first, len(found))

    def length(most: int) -> int:
        return 1 + int(most ** rng.random())

    start = place()
    match rng.randrange(9):
        case 0:
            found[start] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(length(30)):
                found[place()] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        case 2 | 3:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_EDGES) % (1 << 8 * width)
            little = number.to_bytes(width, "little")
            found[start : start + width] = rng.choice((little, little[::-1]))
        case 4:
            del found[start:]
        case 5:
            del found[start : start + length(200)]
        case 6:
            found[start:start] = found[start : start + length(200)]
        case 7:
            size, other = length(400), place()
            here, there = found[start : start + size], found[other : other + size]
            found[start : start + size] = there
            found[other : other + size] = here
        case _:
            size = length(300)
            found[start : start + size] = bytes(size)
    return bytes(found)


def changed_text(text: str, rng: random.Random) -> str:
    """Up to three changes of a text, with what parsers and terminals are not fond of."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        words = list(re.finditer(r'"[^"\n]*"|[\w.+-]+', text))
        match rng.randrange(6):
            case 0:
                text = text[:at] + rng.choice(_FRAGMENTS) + text[at:]
            case 1 | 2 if words:
                word = rng.choice(words)
                text = text[: word.start()] + rng.choice(_FRAGMENTS) + text[word.end() :]
            case 3 if words:
                one, two = rng.choice(words), rng.choice(words)
                text = text[: one.start()] + two[0] + text[one.end() :]
            case 4:
                lines = text.splitlines(keepends=True) or [""]
                lines.insert(rng.randrange(len(lines)), rng.choice(lines) * rng.randint(1, 9))
                text = "".join(lines)
            case _:
                other = rng.randint(0, len(text))
                text = text[: min(at, other)] + text[max(at, other) :]
    return text


def changed_document(data: bytes, rng: random.Random) -> bytes:
    """A change of a document: mostly of its text, sometimes of its bytes."""
    if rng.random() < 0.15:
        return changed_bytes(data, rng)
    return changed_text(data.decode(), rng).encode("utf-8", "surrogatepass")


def changed_picture(data: bytes, rng: random.Random) -> bytes:
    """A change of a picture; a PNG's checksums are mostly made right again."""
    found = changed_bytes(data, rng)
    return with_right_checksums(found) if rng.random() < 0.7 else found


def with_right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them; anything else as it is.

    Examples
    --------
    >>> head, body = bytes([137]) + b"PNG" + bytes(4), b"abcdXY"
    >>> with_right_checksums(head + (2).to_bytes(4, "big") + body + bytes(4))[-4:].hex()
    '3dc1ca70'
    """
    if data[1:4] != b"PNG":
        return data
    found, at = bytearray(data), 8
    while at + 12 <= len(found):
        end = at + 8 + int.from_bytes(found[at : at + 4], "big")
        if end + 4 > len(found):
            break
        found[end : end + 4] = zlib.crc32(found[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(found)


Entries = list[tuple[str, bytes]]


def changed_zip(entries: Entries, rng: random.Random) -> bytes:
    """A zip of some of these files: its bytes changed, or well-formed with hostile entries."""
    hostile = rng.random() < 0.5
    out = io.BytesIO()
    packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", packing) as zipped:
        warnings.simplefilter("ignore")  # Two of a name are meant.
        for name, data in _with_hostile(entries, rng) if hostile else entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = packing
            if hostile and rng.random() < 0.05:
                info.external_attr = 0o120777 << 16  # A link.
            zipped.writestr(info, data)
    return out.getvalue() if hostile else changed_bytes(out.getvalue(), rng)


def changed_tar(entries: Entries, rng: random.Random, *, packed: bool = False) -> bytes:
    """Likewise a tar, or a tar.gz, which is changed inside as well."""
    hostile = rng.random() < 0.5
    out = io.BytesIO()
    form = rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in _with_hostile(entries, rng) if hostile else entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if hostile and rng.random() < 0.1:
                info.type = rng.choice(
                    (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
                )
                info.linkname, info.size = rng.choice(("/etc/passwd", "../../x", name)), 0
            tar.addfile(info, io.BytesIO(data[: info.size]))
    inside = not hostile and (not packed or rng.random() < 0.7)
    tarred = changed_bytes(out.getvalue(), rng) if inside else out.getvalue()
    if not packed:
        return tarred
    return _gzipped(tarred) if hostile or inside else changed_bytes(_gzipped(tarred), rng)


def _gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)  # Without a date, which gzip's own writer adds.
    return packer.compress(data) + packer.flush()


def changed_packed(entries: Entries, rng: random.Random) -> bytes:
    """A zip of one tar.gz for each person, changed inside or outside."""
    people: dict[str, Entries] = {}
    for name, data in entries:
        people.setdefault(name.partition("/")[0], []).append((name, data))
    inside = rng.random() < 0.6
    packed = []
    for person, files in people.items():
        changed = inside and rng.random() < 0.6
        archive = changed_tar(files, rng, packed=True) if changed else _tar(files)
        packed.append((f"walkers/{person}.tar.gz", archive))
    if not inside:
        return changed_zip(packed, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, data in packed:
            # With the first date that a zip can have, and not the one of now.
            zipped.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def _tar(entries: Entries) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return _gzipped(out.getvalue())


def _with_hostile(entries: Entries, rng: random.Random) -> Entries:
    found = list(entries)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(found))
        name, data = found[at]
        match rng.randrange(6):
            case 0:
                name = rng.choice(_NAMES)
            case 1:
                name = changed_text(name, rng)[:400]
            case 2 if data:
                data = changed_picture(data, rng)
            case 3:
                data = bytes(rng.choice((1 << 16, 1 << 20, 1 << 25)))
            case 4:
                name = rng.choice(entries)[0]
            case _:
                name, data = f"{name}/{rng.choice(_NAMES)}", b""
        found[at] = (name.encode(errors="replace").decode(), data)
    return found
