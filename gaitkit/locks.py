"""One writer of a name at a time: a lock that no dead process holds, and that names its holder.

The lock is the operating system's, on a small file beside the output (``flock``, which Linux
carries over NFS, and its like on Windows): it goes when its process goes, however that ends. The
file says who holds it, and which unfinished files are to be removed should the holder be killed.
It is removed with the lock; what a killed process leaves is taken over by the next one.

A lock library would leave its file behind, and would not say who is at work.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from gaitkit.errors import OutputBusyError, OutputError
from gaitkit.printable import printable

__all__ = ["LOCK_SUFFIX", "NameLock"]

_log = logging.getLogger(__name__)

LOCK_SUFFIX = ".gaitkit-lock"
_RECORD_BYTES = 1 << 16
_ATTEMPTS = 1000
_COMMAND_LETTERS = 120
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
_held: set[str] = set()
_guard = threading.Lock()


class NameLock:
    """A lock on one name, held from `acquire` to `release`.

    Parameters
    ----------
    path : Path
        The lock's own file.
    what : Path
        What is locked, for messages.
    """

    def __init__(self, path: Path, what: Path) -> None:
        self._path = path
        self._what = what
        self._file = -1
        self._locked = False
        self._record: dict[str, Any] = {}

    def acquire(self) -> list[str]:
        """Take the lock, or say who has it.

        Returns
        -------
        list of str
            Names of the unfinished files of a holder that was killed.

        Raises
        ------
        OutputBusyError
            Another command, or this one, holds it.
        OutputError
            Its file cannot be written.
        """
        name = os.path.realpath(self._path)
        with _guard:
            # Where locks belong to processes, as on some network disks, a second one in the same
            # process would be given.
            if name in _held:
                raise self._busy({"process": os.getpid()})
            _held.add(name)
        try:
            self._open_and_lock()
            return self._begin_record()
        except OSError as error:
            self.release()
            raise OutputError(
                f"{self._what} cannot be written: {error.strerror}.",
                hint=f"The file {self._path.name} beside it keeps others from writing at the same "
                "time. Check the free space and the permissions of its folder, then give the same "
                "command again.",
            ) from error
        except BaseException:
            self.release()
            raise

    def _open_and_lock(self) -> None:
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        for _ in range(_ATTEMPTS):
            try:
                self._file, created = (
                    os.open(self._path, flags | os.O_CREAT | os.O_EXCL, 0o666),
                    True,
                )
            except FileExistsError:
                try:
                    self._file, created = os.open(self._path, flags), False
                except FileNotFoundError:
                    continue  # Released in this moment.
            if not self._lock(created=created):
                raise self._busy(self._read())
            if _is_named(self._file, self._path):
                self._locked = True
                return
            os.close(self._file)  # Removed by the one who held it: that lock guards nothing.
            self._file = -1
        raise OSError(errno.EAGAIN, "its lock comes and goes")

    def _begin_record(self) -> list[str]:
        found = self._read()
        host = found.get("host")
        if host not in (None, socket.gethostname()):
            _log.warning(
                "%s was begun on the machine %s, which left no lock: if it still runs there, this "
                "disk does not carry locks between machines, and only one of the two may go on",
                self._what,
                host,
            )
        left = found.get("unfinished")
        names = [name for name in left if isinstance(name, str)] if isinstance(left, list) else []
        self._record = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "command": _command(),
            # Until they are removed: this process can be killed as well.
            "unfinished": names,
        }
        self._write()
        return names

    def note_unfinished(self, names: list[str]) -> None:
        """Note the files that are to be removed should this process be killed.

        To be called, with none, when those that `acquire` named have been removed.
        """
        self._record["unfinished"] = names
        self._write()

    def release(self) -> None:
        """Give the lock back; its file goes with it, unless it says what is to be removed."""
        file, locked = self._file, self._locked
        self._file, self._locked = -1, False
        if file >= 0:
            # A second Ctrl-C can stop the removal of what the first one left.
            left = any(
                os.path.lexists(self._path.with_name(name))
                for name in self._record.get("unfinished", ())
            )
            with suppress(OSError):
                # Where an open file can be removed, that is done while the lock is held: whoever
                # opens the name from now on finds another file.
                if locked and not left and os.name == "posix" and _is_named(file, self._path):
                    self._path.unlink()
            os.close(file)
            if locked and not left and os.name != "posix":
                with suppress(OSError):
                    self._path.unlink()
        with _guard:
            _held.discard(os.path.realpath(self._path))

    def _lock(self, *, created: bool) -> bool:
        try:
            return _lock_file(self._file)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        _log.warning(
            "the disk of %s has no locks: never let two commands write it at a time", self._what
        )
        if created:
            return True
        found = self._read()
        return found.get("host") == socket.gethostname() and not _alive(found.get("process"))

    def _read(self) -> dict[str, Any]:
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            found = json.loads(os.read(self._file, _RECORD_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        text = json.dumps(self._record).encode()[:_RECORD_BYTES]
        # On a full disk the lock is held as well, and what is written next says what is wrong.
        with suppress(OSError):
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, text)
            os.ftruncate(self._file, len(text))

    def _busy(self, holder: dict[str, Any]) -> OutputBusyError:
        told = []
        if isinstance(holder.get("command"), str) and holder["command"]:
            told.append(printable(holder["command"], _COMMAND_LETTERS))
        if isinstance(holder.get("process"), int):
            told.append(f"process {holder['process']}")
        if isinstance(holder.get("host"), str) and holder["host"] != socket.gethostname():
            told.append(f"on {printable(holder['host'], 60)}")
        who = f" ({', '.join(told)})" if told else ""
        return OutputBusyError(
            f"{self._what} is being written by another command{who}.",
            hint="Wait until that has ended, stop it, or give the output another name.",
        )


def _is_named(file: int, path: Path) -> bool:
    """Whether a file that is open is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except OSError:
        return False


def _command() -> str:
    words = [os.path.basename(sys.argv[0]), *sys.argv[1:]] if sys.argv else []
    return " ".join(words)[:_COMMAND_LETTERS]


def _alive(process: Any) -> bool:
    if not isinstance(process, int) or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: int) -> bool:
        # Windows keeps others from reading what is locked: so a byte far behind the text.
        os.lseek(file, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock_file(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True
