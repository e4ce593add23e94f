"""Finished pieces of a long stage, kept beside its output until the output is whole.

An HDF5 file that is closed and reopened between appends is not byte-equal to one written in one
go, and a killed writer can leave one unreadable. So a stage that may be stopped keeps what it has
finished as small files in ``name.h5.parts/``, each renamed when whole, and writes the artefact
from them in one ordered pass. The same command again continues from the pieces.
"""

from __future__ import annotations

import io
import logging
import os
import re
import secrets
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import ArtifactError, OutputError
from gaitkit.outputs import beside, write_whole
from gaitkit.printable import counted

__all__ = ["PartsFolder", "PieceRows", "Pieces"]

_log = logging.getLogger(__name__)


_OURS = re.compile(
    r"plan\.(json|tmp)|\d{6}\.npz|\.\d{6}\.\w+\.tmp|(checkpoint|refit)\.h5|.+\.[0-9a-f]{8}\.partial"
    r"|(checkpoint|refit)\.h5\.partial|\..+\.gaitkit-lock"
)
"""Names of what gaitkit puts into such a folder."""


@dataclass(frozen=True)
class PartsFolder:
    """The folder beside an output in which an unfinished work keeps what it has.

    Nobody's own folder of that name is taken over, and nothing that is not ours is removed.

    Attributes
    ----------
    folder : Path
        ``name.h5.parts`` beside the output.
    """

    folder: Path

    @classmethod
    def for_output(cls, output: Path) -> Self:
        """The one of an output."""
        return cls(beside(output, ".parts"))

    def claim(self) -> None:
        """Make the folder, or see that it is one of ours.

        Raises
        ------
        OutputError
            It cannot be made, or is somebody's own.
        """
        self.refuse_foreign()
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be made: {error.strerror}.",
                hint="Unfinished work is kept there, beside the output. Check the free space and "
                "the permissions of its folder, then give the same command again.",
            ) from error

    def refuse_foreign(self) -> None:
        """Raise `OutputError` where what has the folder's name is not ours."""
        if not os.path.lexists(self.folder):
            return
        ours = self.folder.is_dir() and not self.folder.is_symlink()
        if ours:
            names = self._names()
            ours = not names or any(_OURS.fullmatch(name) for name in names)
        if not ours:
            raise OutputError(
                f"{self.folder} is where unfinished work would be kept, and was not made by "
                "gaitkit.",
                hint="Give it another name, or give the output another one.",
            )

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be read: {error.strerror}.") from error

    def discard(self) -> None:
        """Remove the folder with all that is ours in it; nothing happens where there is none."""
        if not os.path.lexists(self.folder):
            return
        self.refuse_foreign()
        try:
            for name in self._names():
                if _OURS.fullmatch(name):
                    (self.folder / name).unlink(missing_ok=True)
            others = self._names()
            if others:
                _log.warning(
                    "%s stays: %r in it was not made by gaitkit", self.folder, others[0][:80]
                )
                return
            self.folder.rmdir()
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be removed: {error.strerror}.") from error


@dataclass(frozen=True)
class Pieces(PartsFolder):
    """The pieces of one output; picklable, so that worker processes can save into it.

    Attributes
    ----------
    sign : str
        Name of a file in the folder without which nothing is saved: see `signed`.
    """

    sign: str = ""

    @classmethod
    def of(cls, output: Path, plan: Mapping[str, Any], *, restart: bool = False) -> Pieces:
        """Open the pieces of an output, discarding those of another plan.

        Parameters
        ----------
        output : Path
            The artefact that the pieces are for; nobody else writes it.
        plan : mapping
            What determines the pieces, JSON-able: stage, parameters, input digest, version.
        restart : bool
            Discard finished pieces in any case.

        Raises
        ------
        OutputError
            The folder cannot be written, or is somebody's own.
        """
        pieces = cls.for_output(output)
        plan_file = pieces.folder / "plan.json"
        # Names of folders that are no UTF-8 may be in it.
        text = canonical_json(plan).encode(errors="surrogatepass")
        if pieces.folder.exists():
            pieces.refuse_foreign()
            if restart or not _says(plan_file, text):
                if not restart and plan_file.exists():
                    _log.warning(
                        "%s holds pieces of another input or of other options: starting anew",
                        pieces.folder,
                    )
                pieces.discard()
            else:
                done = sum(1 for _ in pieces.folder.glob("[0-9]*.npz"))
                if done:
                    _log.info(
                        "continuing: %s of %s done",
                        pieces.folder,
                        counted(done, "piece is", "pieces are"),
                    )
        pieces.claim()
        try:
            # A killed worker's, which it had not finished.
            for name in pieces.folder.glob(".[0-9]*.tmp"):
                name.unlink(missing_ok=True)
            if not plan_file.exists():
                write_whole(plan_file, text)
        except OSError as error:
            raise OutputError(f"{pieces.folder} cannot be written: {error.strerror}.") from error
        return pieces

    @contextmanager
    def signed(self) -> Iterator[Pieces]:
        """The same pieces for machines that this one cannot stop, as long as the work goes on.

        A sign lies in the folder until the end. What sees it sees the same disk; and what is
        finished too late, when pieces of another plan may be there, is not saved.

        Yields
        ------
        Pieces
            With the name of the sign.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        signed = replace(self, sign=f".{0:06d}.{secrets.token_hex(8)}.tmp")
        sign = self.folder / signed.sign
        try:
            sign.touch(exist_ok=False)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror}.") from error
        try:
            yield signed
        finally:
            sign.unlink(missing_ok=True)

    def refuse_unshared(self) -> None:
        """On another machine: raise where it does not see the pieces, or cannot add to them.

        Raises
        ------
        OutputError
            The folder is not there, another one, or may not be written.
        """
        if not self._is_signed():
            raise OutputError(
                f"it does not see the folder {self.folder}.",
                hint="The output's folder has to be the same, under the same path, on all machines "
                "of the cluster.",
            )
        aside = self.folder / f".{0:06d}.{secrets.token_hex(8)}.tmp"
        try:
            aside.touch(exist_ok=False)
            aside.unlink()
        except OSError as error:
            raise OutputError(
                f"it cannot write into {self.folder}: {error.strerror}.",
                hint="The output's folder has to be writable on all machines of the cluster.",
            ) from error

    def _is_signed(self) -> bool:
        if not self.sign:
            return True
        try:
            # Opened, not asked for: a network's file system answers questions from memory.
            (self.folder / self.sign).open("rb").close()
        except OSError:
            return False
        return True

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npz"

    def has(self, index: int) -> bool:
        """Whether a piece is finished and whole: every byte of it is read and checked."""
        return self.find(index) is not None

    def find(self, index: int) -> dict[str, NDArray[Any]] | None:
        """Load a piece; `None` where it is not finished, or damaged and to be made anew."""
        if not self._path(index).exists():
            return None
        try:
            return self.load(index)
        except ArtifactError as error:
            _log.warning("%s It is made anew.", error.message)
            return None

    def save(self, index: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Save one finished piece: written aside, then renamed."""
        aside = self.folder / f".{index:06d}.{secrets.token_hex(4)}.tmp"
        try:
            with aside.open("xb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            if not self._is_signed():
                raise OSError("the work was given up")
            os.replace(aside, self._path(index))
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise OutputError(
                f"{self.folder} cannot be written: {error.strerror or error}.",
                hint="The finished pieces stay; the same command continues from them.",
            ) from error

    def load(self, index: int) -> dict[str, NDArray[Any]]:
        """Load one piece.

        Raises
        ------
        ArtifactError
            The piece is damaged; it is removed, so that the same command makes it again.
        """
        path = self._path(index)
        try:
            with zipfile.ZipFile(path) as archive:
                # What a piece unpacks to is bounded before NumPy allocates it.
                if sum(item.file_size for item in archive.infolist()) > _PIECE_BYTES:
                    raise ValueError("it claims to be very large")
            with np.load(path, allow_pickle=False) as piece:
                return {name: piece[name] for name in piece.files}
        # NumPy and zipfile raise whatever damaged bytes lead them to.
        except Exception as error:
            raise self.damaged(index) from error

    def damaged(self, index: int) -> ArtifactError:
        """Remove a damaged piece; the error that says so."""
        path = self._path(index)
        path.unlink(missing_ok=True)
        return ArtifactError(
            f"{path} was damaged on the disk and has been removed.",
            hint="Give the same command again: it continues and makes this piece anew.",
        )


class _Member(NamedTuple):
    """Where the values of an array are in a piece."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class PieceRows:
    """Single rows of whole pieces, in any order; a context manager.

    Pieces follow the source and rows follow their keys. Where these differ, as for an archive of
    each view, every row may be in another piece than the one before: of a piece no more is read
    than the row.

    Parameters
    ----------
    pieces : Pieces
        Each was read and checked in full before.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._members: OrderedDict[int, dict[str, _Member]] = OrderedDict()
        self._files: OrderedDict[int, io.FileIO] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def read(self, index: int, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows ``start:stop`` of an array of a piece.

        Raises
        ------
        ArtifactError
            The piece is damaged; it is removed, so that the same command makes it again.
        """
        try:
            file = self._file(index)
            member = self._members_of(index, file)[name]
            row = member.dtype.itemsize
            for length in member.shape[1:]:
                row *= length
            if not 0 <= start <= stop <= member.shape[0]:
                raise ValueError("it has fewer rows")
            values = np.empty((stop - start, *member.shape[1:]), member.dtype)
            if values.nbytes:
                file.seek(member.offset + start * row)
                if file.readinto(values.reshape(-1).view(np.uint8).data) != values.nbytes:
                    raise ValueError("it ends too early")
            return values
        # NumPy and zipfile raise whatever damaged bytes lead them to.
        except Exception as error:
            self.__exit__()
            raise self._pieces.damaged(index) from error

    def _file(self, index: int) -> io.FileIO:
        file = self._files.get(index)
        if file is None:
            if len(self._files) >= _OPEN_FILES:
                self._files.popitem(last=False)[1].close()
            file = self._files[index] = io.FileIO(self._pieces._path(index))
        self._files.move_to_end(index)
        return file

    def _members_of(self, index: int, file: io.FileIO) -> dict[str, _Member]:
        members = self._members.get(index)
        if members is None:
            if len(self._members) >= _KNOWN_PIECES:
                self._members.popitem(last=False)
            members = self._members[index] = _members(file)
        self._members.move_to_end(index)
        return members


_OPEN_FILES = 48
"""Pieces that are open at a time: more than there are views."""

_KNOWN_PIECES = 4096
"""Pieces whose arrays are known by place: about 2 KB each."""


def _members(file: io.FileIO) -> dict[str, _Member]:
    members = {}
    with zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            if item.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed")
            with archive.open(item) as member:
                version = np.lib.format.read_magic(member)
                reader = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, fortran, dtype = reader(member)
                header = member.tell()
            if dtype.hasobject or (fortran and len(shape) > 1):
                raise ValueError("its values do not lie row by row")
            file.seek(item.header_offset)
            local = file.read(30)
            names = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
            offset = item.header_offset + 30 + names + header
            members[item.filename.removesuffix(".npy")] = _Member(offset, dtype, shape)
    return members


_PIECE_BYTES = 8 << 30
"""No piece comes near it."""


def _says(path: Path, text: bytes) -> bool:
    """Whether a file says just that."""
    try:
        with path.open("rb") as file:
            return file.read(len(text) + 1) == text
    except OSError:
        return False
