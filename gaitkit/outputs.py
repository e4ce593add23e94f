"""Outputs: claimed by one writer, written aside, and under their name only when whole.

An `Output` is the one way in which gaitkit writes a file that somebody asked for. It refuses a
name that is one of the inputs, a folder, a device or a pipe; keeps a second writer out; gives a
private new file to write into; and puts that in place of the name in one step, flushed to the
disk, with the permissions of what it replaces. A killed writer leaves nothing under the name, and
the next one removes what it left beside it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from gaitkit.arguments import as_path
from gaitkit.errors import GaitkitError, OutputError, OutputExistsError
from gaitkit.locks import LOCK_SUFFIX, NameLock

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "ARTEFACT_SUFFIXES",
    "EXPANDED_SUFFIX",
    "FileIdentity",
    "FolderOutput",
    "Output",
    "behind_links",
    "beside",
    "claimed_folder",
    "file_identity",
    "free_to_write",
    "is_beside",
    "scratch_folder",
    "scratch_refused",
    "write_whole",
]

_log = logging.getLogger(__name__)

EXPANDED_SUFFIX = ".expanded"
"""What the name of an output ends in where its input lies expanded, while it is made."""

ARTEFACT_SUFFIXES = (".h5", ".hdf5")
"""What the names of artefacts end in, in small letters."""

_NAME_BYTES = 255
_UNFINISHED = re.compile(r"[^/\\]+\.[0-9a-f]{8}\.(partial|former)")
_FORMER = ".former"
_COMPARED = 1 << 20
_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class FileIdentity(NamedTuple):
    """What tells a file from another one in its place, or from itself before a change.

    Attributes
    ----------
    device, number : int
        As this machine numbers them; `device` is -1 where another machine has seen the file, which
        numbers what both share in its own way: then size and time tell.
    size, changed_ns : int
        Bytes, and when it was changed last.
    """

    device: int
    number: int
    size: int
    changed_ns: int

    def elsewhere(self) -> FileIdentity:
        """The same for another machine.

        Examples
        --------
        >>> FileIdentity(2049, 12, 100, 5).elsewhere() == FileIdentity(64, 3, 100, 5)
        True
        """
        return self._replace(device=-1, number=-1)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FileIdentity) and -1 in (self.device, other.device):
            return self[2:] == other[2:]
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[2:])


def file_identity(path: Path) -> FileIdentity | None:
    """What tells a file from another one that takes its place; `None` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def behind_links(path: Path) -> Path:
    """The file that an output is written to: what a link names, else the path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def beside(path: Path, suffix: str, *, prefix: str = "") -> Path:
    """A name beside an output's, cut where the file system could not bear it.

    Parameters
    ----------
    path : Path
        The output.
    suffix, prefix : str
        Behind and in front of its name.

    Examples
    --------
    >>> beside(Path("gei.h5"), ".parts").name
    'gei.h5.parts'
    >>> len(beside(Path("g" * 250), ".parts").name)
    255
    """
    name = path.name
    room = _NAME_BYTES - len(os.fsencode(prefix + suffix))
    if len(os.fsencode(name)) > room:
        # The digest keeps names apart that begin alike.
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:12]
        kept = os.fsencode(name)[: room - len(digest) - 1].decode("utf-8", "ignore")
        name = f"{kept}-{digest}"
    return path.with_name(f"{prefix}{name}{suffix}")


def is_beside(name: str, output: str) -> bool:
    """Whether a name is an output's, or one of those that gaitkit puts beside it.

    Examples
    --------
    >>> [is_beside(name, "gei.h5") for name in ("gei.h5", "gei.h5.parts", "gei.png")]
    [True, True, False]
    """
    path = Path(output)
    suffixes = (".parts", EXPANDED_SUFFIX)
    if name in (output, *(beside(path, suffix).name for suffix in suffixes)):
        return True
    if name == beside(path, LOCK_SUFFIX, prefix=".").name:
        return True
    return _UNFINISHED.fullmatch(name) is not None and name.startswith(output[:40])


class Output:
    """The claim on the name of one output file; a context manager.

    Parameters
    ----------
    path : path-like
        The file; a link is written through to what it names.
    overwrite : bool
        Whether an existing file may be replaced. Where not, one that turns out to be equal to what
        was written is left, and `unchanged` says so.
    inputs : iterable of Path
        What it is made from, which it must not replace.
    private : bool
        Whether a new file is for its owner's eyes only.
    other_than_artefact : tuple of str, optional
        What the file is and how it is usually called, such as ``("a page", "report.html")``, where
        it is no artefact: an artefact's name is refused then. What took days to make stands there
        as often as not, and `overwrite` is said of the page.

    Attributes
    ----------
    path : Path
        The file itself, behind all links.
    unchanged : bool
        Whether what was there is what would have been written.

    Raises
    ------
    OutputError
        The file cannot be written, is no regular file, is one of the inputs, or has an artefact's
        name without being one.
    OutputBusyError
        Another command is writing it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with Output(f"{folder}/a.txt") as output, output.writing() as file:
    ...         _ = file.write(b"all of it")
    ...         seen_before = output.exists
    ...     seen_before, Path(folder, "a.txt").read_text(), len(os.listdir(folder))
    (False, 'all of it', 1)
    """

    def __init__(
        self,
        path: Path | str,
        *,
        overwrite: bool = False,
        inputs: Iterable[Path | str] = (),
        private: bool = False,
        other_than_artefact: tuple[str, str] | None = None,
    ) -> None:
        given = as_path(path, "output")
        self._given, self._inputs = given, [Path(item) for item in inputs]
        self.overwrite = overwrite
        self.unchanged = False
        self._private = private
        with _said(given):
            _refuse_long_name(given.name)
            self.path = behind_links(given)
            self._check(given, self._inputs)
            if other_than_artefact is not None:
                _refuse_artefacts_name(self.path, given, *other_than_artefact)
        self._lock = NameLock(beside(self.path, LOCK_SUFFIX, prefix="."), self.path)

    def _check(self, given: Path, inputs: list[Path]) -> None:
        found = _stat(self.path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise OutputError(
                f"{given} is a folder; expected the name of a file to write.",
                hint="Give the output the name of a file in it.",
            )
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise OutputError(
                f"{given} is a device, a pipe or a socket; expected the name of a file to write.",
                hint="Give the output the name of a file.",
            )
        for item in inputs:
            there = _stat(item)
            if found is not None and there is not None and os.path.samestat(found, there):
                raise OutputError(
                    f"{given} is what is read; the output would replace it.",
                    hint="Give the output another name.",
                )
        folder = self.path.parent
        if not folder.is_dir():
            _refuse_file_above(self.path, given)
            raise OutputError(
                f"{given} cannot be written: the folder {folder} does not exist.",
                hint=f"Make it first: mkdir -p {shlex.quote(str(folder))}",
            )
        if not os.access(folder, os.W_OK):
            raise _no_permission(given, folder)

    @property
    def exists(self) -> bool:
        """Whether there is a file of that name."""
        return _stat(self.path) is not None

    @property
    def taken(self) -> bool:
        """Whether there is a file of that name, which may not be replaced."""
        return self.exists and not self.overwrite

    def refuse_existing(self) -> None:
        """Raise `OutputExistsError` where a file may not be replaced."""
        if self.taken:
            raise self.exists_already()

    def exists_already(self) -> OutputExistsError:
        """The error of a name that is taken."""
        return OutputExistsError(
            f"{self.path} exists.", hint="Give `overwrite=True` to replace it, or another name."
        )

    def __enter__(self) -> Self:
        left = self._lock.acquire()
        try:
            with _said(self.path):
                for name in left:
                    self._clean_up(name)
                self._lock.note_unfinished([])
                # Again, now that nobody else of us is at it.
                self._check(self._given, self._inputs)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _clean_up(self, name: str) -> None:
        _remove_unfinished(self.path.parent, name)

    @contextmanager
    def writing(self) -> Iterator[FileIO]:
        """A new file, which takes the output's place when the block ends normally.

        Yields
        ------
        FileIO
            Open for reading and writing; it is flushed to the disk before it gets its name, and
            removed when the block raises.
        """
        with _said(self.path):
            before = _stat(self.path)
            mode = 0o600 if self._private else 0o666
            if before is not None:
                mode = stat.S_IMODE(before.st_mode) & 0o666
            aside = self._unfinished()
            file = _NewFile(os.open(aside, _NEW | os.O_RDWR, mode), self.path)
        try:
            yield file
            with _said(self.path):
                os.fsync(file.fileno())
                if before is not None:
                    _keep_owner_and_mode(file, before, self.path)
                file.close()
                self._put(aside)
                _flush_folder(self.path.parent)
        finally:
            file.close()
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def _unfinished(self) -> Path:
        """A private name for what is being written, noted in case that this process is killed."""
        aside = beside(self.path, f".{secrets.token_hex(4)}.partial")
        self._lock.note_unfinished([aside.name])
        return aside

    def _put(self, aside: Path) -> None:
        if self.overwrite:
            os.replace(aside, self.path)
            return
        try:
            # A link is never made over a file that has come to be there in the meantime.
            os.link(aside, self.path)
        except FileExistsError:
            self._compare(aside)
        except OSError:  # A file system without links.
            if self.exists:
                self._compare(aside)
            else:
                os.replace(aside, self.path)

    def _compare(self, aside: Path) -> None:
        if not _equal(aside, self.path):
            raise self.exists_already()
        self.unchanged = True
        _log.info("%s is done already: it is equal to what was made now", self.path)


class _NewFile(FileIO):
    """A file whose writes are whole, or tell of the output that cannot be written."""

    def __init__(self, descriptor: int, output: Path) -> None:
        super().__init__(descriptor, "r+")
        self._output = output

    def write(self, data: Buffer, /) -> int:
        """Write all of it."""
        left = memoryview(data).cast("B")
        size = len(left)
        with _said(self._output):
            while left:
                left = left[super().write(left) or 0 :]
        return size


class FolderOutput(Output):
    """The claim on a folder that appears whole; a context manager.

    It bears a hidden file, the mark, with the names of all that was written into it. Only a folder
    with that mark, and with nothing else in it, is ever replaced.

    Parameters
    ----------
    path : path-like
        The folder; it must not exist, or be empty, or be one that is equal to what is written.
    mark : str
        Name of the hidden file.
    overwrite : bool
        Whether a folder with the mark may be replaced.
    inputs : iterable of Path
        What it is made from; none of it may lie in the folder.

    Raises
    ------
    OutputError
        The folder cannot be written or was not made by gaitkit, or an input lies in it.
    OutputBusyError
        Another command is writing it.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        mark: str,
        overwrite: bool = False,
        inputs: Iterable[Path | str] = (),
    ) -> None:
        self._mark = mark
        super().__init__(path, overwrite=overwrite, inputs=inputs)

    def _check(self, given: Path, inputs: list[Path]) -> None:
        found = _stat(self.path)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            kind = "a file" if stat.S_ISREG(found.st_mode) else "a device, a pipe or a socket"
            raise OutputError(
                f"{given} is {kind}; expected the name of a folder.",
                hint="Give the output the name of a folder, which is made.",
            )
        _refuse_file_above(self.path, given)
        own = os.path.realpath(self.path)
        for item in inputs:
            if Path(os.path.realpath(item)).is_relative_to(own):
                raise OutputError(
                    f"{item} is what is read, and lies in {given}, which would be replaced.",
                    hint="Give the output another name.",
                )
        if not os.access(self._ancestor(), os.W_OK):
            raise _no_permission(given, self._ancestor())
        if found is not None and self.overwrite:
            self._refuse_what_is_not_ours()

    def _ancestor(self) -> Path:
        """The nearest folder above that exists."""
        return next(folder for folder in (*self.path.parents, Path()) if folder.is_dir())

    def _refuse_what_is_not_ours(self) -> None:
        files = {name for name, _ in _files_in(self.path)}
        if not files:
            return
        if self._mark not in files:
            # A wrong name must never cost somebody a folder of their own.
            raise OutputError(
                f"{self.path} was not made by gaitkit; it is not replaced.",
                hint="Give another name, or remove the folder yourself.",
            )
        written = set(os.fsdecode((self.path / self._mark).read_bytes()).split("\0")) - {""}
        # The mark was empty once.
        others = {name for name in files - written - {self._mark} if written or name[-4:] != ".png"}
        if others:
            raise OutputError(
                f"{self.path} holds what gaitkit did not write into it: {min(others)[:80]!r}; it "
                "is not replaced.",
                hint="Give another name, or move that elsewhere.",
            )

    @property
    def exists(self) -> bool:
        """Whether there is something in a folder of that name."""
        return self.path.is_dir() and any(self.path.iterdir())

    def exists_already(self) -> OutputExistsError:
        """The error of a name that is taken."""
        return OutputExistsError(
            f"{self.path} exists and is not empty.",
            hint="Give `overwrite=True` to replace it, or another name.",
        )

    def __enter__(self) -> Self:
        with _said(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        return super().__enter__()

    @contextmanager
    def filling(self) -> Iterator[Path]:
        """A new folder, which takes the output's place when the block ends normally.

        Yields
        ------
        Path
            The folder, empty. It is removed when the block raises.
        """
        with _said(self.path):
            aside = self._unfinished()
            aside.mkdir()
        try:
            yield aside
            with _said(self.path):
                names = sorted(name for name, _ in _files_in(aside))
                (aside / self._mark).write_bytes(os.fsencode("\0".join(names)))
                if hasattr(os, "sync"):
                    os.sync()  # Once, and not for each of perhaps a hundred thousand files.
                self._put(aside)
                _flush_folder(self.path.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _put(self, aside: Path) -> None:
        if not self.exists:
            if self.path.is_dir():
                self.path.rmdir()
            os.rename(aside, self.path)
            return
        if not self.overwrite:
            self._compare(aside)
            return
        self._refuse_what_is_not_ours()
        aside.chmod(stat.S_IMODE(self.path.stat().st_mode))
        former = beside(self.path, f".{secrets.token_hex(4)}{_FORMER}")
        self._lock.note_unfinished([aside.name, former.name])
        os.rename(self.path, former)
        try:
            os.rename(aside, self.path)
        except OSError:
            os.rename(former, self.path)
            raise
        shutil.rmtree(former)

    def _clean_up(self, name: str) -> None:
        former = self.path.parent / name
        if not name.endswith(_FORMER):
            super()._clean_up(name)
        elif _UNFINISHED.fullmatch(name) and former.is_dir() and not former.is_symlink():
            # Killed between the two renamings, or after them.
            if self.path.exists():
                shutil.rmtree(former)
            else:
                os.rename(former, self.path)

    def _compare(self, aside: Path) -> None:
        new, old = dict(_files_in(aside)), dict(_files_in(self.path))
        same = {*new} - {self._mark} == {*old} - {self._mark}
        if not (same and all(_equal(new[name], old[name]) for name in new if name != self._mark)):
            raise self.exists_already()
        self.unchanged = True
        _log.info("%s is done already: it is equal to what was made now", self.path)


def _files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file in a folder and its folders: its name below the folder, and its path."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*files, *links):
            path = Path(place, name)
            yield path.relative_to(folder).as_posix(), path


def free_to_write(
    path: Path | str,
    *,
    overwrite: bool,
    inputs: Iterable[Path] = (),
    other_than_artefact: tuple[str, str] | None = None,
) -> None:
    """Check, before any work is done, that an output can be written.

    Parameters
    ----------
    path : path-like
        The output.
    overwrite : bool
        Whether it may exist.
    inputs : iterable of Path
        What it is made from, which it must not replace.
    other_than_artefact : tuple of str, optional
        As for `Output`.

    Raises
    ------
    OutputExistsError
        It exists and `overwrite` is false.
    OutputError
        Its folder is missing or not writable, it is no regular file, or it is one of the inputs.
    """
    Output(
        path, overwrite=overwrite, inputs=inputs, other_than_artefact=other_than_artefact
    ).refuse_existing()


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """Keep other writers out of a folder of ours, which exists.

    Raises
    ------
    OutputBusyError
        Another command is writing into it.
    """
    lock = NameLock(folder / LOCK_SUFFIX, folder)
    for name in lock.acquire():
        _remove_unfinished(folder, name)
    lock.note_unfinished([])
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, content: bytes) -> None:
    """Replace a small file of ours in one step, in a folder that nobody else writes into.

    Raises
    ------
    OSError
        It cannot be written.
    """
    aside = beside(path, f".{secrets.token_hex(4)}.partial")
    try:
        with open(os.open(aside, _NEW | os.O_WRONLY, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


@contextmanager
def scratch_folder(what: str) -> Iterator[Path]:
    """A folder of its own where the system keeps temporary files; removed in the end.

    Parameters
    ----------
    what : str
        A part of its name that tells what it is for.

    Yields
    ------
    Path
        The folder, empty.

    Raises
    ------
    OutputError
        There is no folder for temporary files that can be written, or something in it cannot be.
    """
    try:
        scratch = tempfile.TemporaryDirectory(prefix=f"gaitkit-{what}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _no_scratch(error) from error
    with scratch as name:
        try:
            yield Path(name)
        except OutputError as error:
            if name not in error.message:
                raise
            raise OutputError(
                error.message,
                hint="Temporary files are kept there, and are removed again. Make room, or set the "
                "environment variable TMPDIR to a folder on another disk.",
            ) from error


def scratch_refused() -> OutputError | None:
    """Why this system has no place for temporary files; `None` where it has one.

    Libraries that need one (torch, matplotlib) fail in ways of their own.
    """
    try:
        tempfile.gettempdir()
    except OSError as error:
        return _no_scratch(error)
    return None


def _no_scratch(error: OSError) -> OutputError:
    return OutputError(
        f"A folder for temporary files cannot be made: {error.strerror or error}.",
        hint="Set the environment variable TMPDIR to a folder that you can write into.",
    )


def _no_permission(given: Path, folder: Path) -> OutputError:
    return OutputError(
        f"{given} cannot be written: no permission to write into {folder}.",
        hint="Give the output a name in a folder of yours, or ask for the permission.",
    )


def _refuse_file_above(path: Path, given: Path) -> None:
    for above in path.parents:
        if above.is_dir():
            return
        if os.path.lexists(above):
            kind = "a link to nothing" if above.is_symlink() else "a file"
            raise OutputError(
                f"{given} cannot be written: {above} is {kind}, and no folder.",
                hint="Give the output a name in a folder.",
            )


def _refuse_artefacts_name(path: Path, given: Path, what: str, usual: str) -> None:
    if path.suffix.lower() in ARTEFACT_SUFFIXES:
        leads = "is" if given.suffix.lower() in ARTEFACT_SUFFIXES else "leads to"
        raise OutputError(
            f"{given} {leads} an artefact's name, and what is written is {what}.",
            hint=f"Give the output another name, such as {usual}.",
        )


def _refuse_long_name(name: str) -> None:
    size = len(os.fsencode(name))
    if size > _NAME_BYTES:
        raise OutputError(
            f"{name[:40]}… is too long a name: it has {size} bytes, and a file's may have "
            f"{_NAME_BYTES}.",
            hint="Give the output a shorter name.",
        )


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Tell what the system refuses as an `OutputError`."""
    try:
        yield
    except GaitkitError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        name = str(path)
        if len(name) > 200:
            name = f"{name[:100]}…{name[-60:]}"
        raise OutputError(
            f"{name} cannot be written: {reason}.",
            hint="What was there before is as it was. Check the free space and the permissions of "
            "its folder, then give the same command again.",
        ) from error


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _keep_owner_and_mode(file: FileIO, before: os.stat_result, path: Path) -> None:
    if os.name != "posix":
        return
    mine = os.fstat(file.fileno())
    if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
        except OSError:
            with suppress(OSError):
                os.fchown(file.fileno(), -1, before.st_gid)
            if before.st_uid != mine.st_uid:
                _log.warning("%s belonged to somebody else; the new file is yours", path)
    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))


def _equal(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            blocks = first.read(_COMPARED), second.read(_COMPARED)
            if blocks[0] != blocks[1]:
                return False
            if not blocks[0]:
                return True


def _remove_unfinished(folder: Path, name: str) -> None:
    """Remove what a killed writer left, which is recognised by its name."""
    if _UNFINISHED.fullmatch(name) is None:
        return
    path = folder / name
    with suppress(OSError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode):
            path.unlink()
        elif stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network disks cannot flush a folder; the file itself is on the disk.
        _log.debug("the folder %s cannot be flushed: %s", folder, error)
    finally:
        os.close(descriptor)
