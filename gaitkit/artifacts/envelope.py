"""The 512 bytes before the HDF5 data: a magic, the file's size and its SHA-256.

libhdf5 is not safe against a mutated file: flipped header bytes can crash the process, and flipped
data bytes mostly pass unnoticed. So every artefact begins with an HDF5 user block that holds the
size and the SHA-256 of everything behind it, and both are checked before libhdf5 sees the file.
The block is plain text: ``head -c 512 gei.h5`` shows it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from io import BufferedReader, FileIO
from pathlib import Path

from gaitkit.artifacts.schema import KINDS, command_for
from gaitkit.errors import ArtifactError, DamagedArtifactError, ForeignFileError
from gaitkit.outputs import ARTEFACT_SUFFIXES
from gaitkit.printable import typed
from gaitkit.regular import is_special
from gaitkit.suffixes import may_be_read

__all__ = ["BLOCK_BYTES", "seal", "verify"]

BLOCK_BYTES = 512
_MAGIC = b"gaitkit artefact\n"
_BLOCK = re.compile(rb"gaitkit artefact\nsize (\d{1,19})\nsha256 ([0-9a-f]{64})\n\0*")
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def _sha256_behind_block(file: BufferedReader | FileIO) -> str:
    file.seek(BLOCK_BYTES)
    return hashlib.file_digest(file, "sha256").hexdigest()


def seal(file: FileIO | Path) -> None:
    """Write the user block of a finished HDF5 file: one that is open for both, or a path."""
    if isinstance(file, Path):
        with FileIO(file, "r+") as opened:
            seal(opened)
        return
    sha256 = _sha256_behind_block(file)
    size = file.seek(0, os.SEEK_END)
    block = _MAGIC + f"size {size}\nsha256 {sha256}\n".encode()
    file.seek(0)
    left = memoryview(block.ljust(BLOCK_BYTES, b"\0"))
    while left:
        left = left[file.write(left) or 0 :]


def _make(path: Path, expected: Sequence[str], start: bytes = b"") -> str:
    kind = expected[0] if expected else "gei"
    written = path
    if path.suffix.lower() not in ("", *ARTEFACT_SUFFIXES):
        # Nothing should be written there. Of a video, an archive or a table GEIs are made.
        written = path.with_suffix(".h5")
        if kind == "gei" and not may_be_read(path.name, start):
            wanted = f"holds {KINDS[kind][0]}" if expected else "gaitkit has written"
            return (
                f"Give a file that {wanted}. Of a folder of frames, a video or an archive one is "
                "made with: gaitkit make-gei INPUT -o gei.h5"
            )
    command = command_for(kind, typed(written))
    if kind == "gei" and written != path:
        command = f"gaitkit make-gei {typed(path)} -o {typed(written)}"
    return f"Make {KINDS[kind][0]} with: {command}"


def _again(path: Path, expected: Sequence[str]) -> str:
    # What is in a damaged file is known only where nothing else could be.
    if len(expected) == 1:
        return f"Copy it again. {_make(path, expected)}"
    return "Copy it again, or make it again with the command that wrote it."


def verify(path: Path, *, expected: Sequence[str], contents: bool = True) -> None:
    """Check that a file is a whole artefact before libhdf5 opens it.

    Parameters
    ----------
    path : Path
        The file.
    expected : sequence of str
        The kinds that the caller takes, for the message; none where it takes any.
    contents : bool
        Also check the digest, which reads the whole file (about 2 GB/s); `False` only for files
        that this process or its parent has just checked.

    Raises
    ------
    ForeignFileError
        The file was not written by gaitkit.
    DamagedArtifactError
        The file was cut short or changed.
    ArtifactError
        The file cannot be read at all.
    """
    if is_special(path):
        raise ForeignFileError(
            f"{path} is not a regular file; expected an artefact of gaitkit.",
            hint="Give the name of a file that gaitkit has written.",
        )
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK_BYTES)
            if not block.startswith(_MAGIC[: len(block)]) or not block:
                what = "an HDF5 file" if block.startswith(_HDF5_SIGNATURE) else "a file"
                raise ForeignFileError(
                    f"{path} is {what} that gaitkit did not write: an artefact begins with "
                    f"'gaitkit artefact'.",
                    hint=_make(path, expected, block),
                )
            match = _BLOCK.fullmatch(block)
            if len(block) < BLOCK_BYTES or match is None:
                raise DamagedArtifactError(
                    f"{path} is damaged: its first {BLOCK_BYTES} bytes are not those of a whole "
                    f"artefact.",
                    hint=_again(path, expected),
                )
            size, expected_size = file.seek(0, os.SEEK_END), int(match[1])
            if size != expected_size:
                change = "cut short" if size < expected_size else "longer than it was written"
                raise DamagedArtifactError(
                    f"{path} is {change}: expected {expected_size:,} bytes, found {size:,}.",
                    hint=_again(path, expected),
                )
            if contents and _sha256_behind_block(file) != match[2].decode():
                raise DamagedArtifactError(
                    f"{path} was changed after it was written: its SHA-256 is not the one in its "
                    f"first {BLOCK_BYTES} bytes.",
                    hint=_again(path, expected),
                )
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist.", hint=_make(path, expected)) from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}.") from error
