"""A folder in which several steps leave their outputs, each made only when missing or out of date.

A step is up to date when its output is there, unchanged since it was made, and was made under the
same plan: the same parameters, input digests and version. The plans are kept in ``run.json``, which
saves the work of asking each output. What it does not say, each output says of itself: one that was
finished just before the command was killed is found to be so by the stage that made it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gaitkit._version import __version__
from gaitkit.artifacts import open_artifact
from gaitkit.artifacts.schema import as_json, read_json
from gaitkit.errors import ArtifactError, OutputError, OutputExistsError, StoppedError
from gaitkit.outputs import claimed_folder, file_identity, write_whole

__all__ = ["Workshop", "content_of"]

_log = logging.getLogger(__name__)

_RECORD_BYTES = 4 << 20


def content_of(path: Path) -> str:
    """Digest of an output: an artefact's content digest, another file's SHA-256."""
    if path.suffix == ".h5":
        with open_artifact(path) as artifact:
            return artifact.content_sha256
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Workshop:
    """The folder and what is known of its outputs; as a context manager, it keeps others out.

    Parameters
    ----------
    folder : str or Path
        Made when missing.
    overwrite : bool
        Replace files of the same names that this workshop has not made.

    Attributes
    ----------
    made, kept : list of str
        Names of the outputs that were made, and that were up to date.
    stop_requested : callable or None
        Asked before each step.

    Raises
    ------
    OutputError
        The folder cannot be made.
    """

    def __init__(self, folder: Path | str, *, overwrite: bool = False) -> None:
        self.folder = folder = Path(folder)
        self.made: list[str] = []
        self.kept: list[str] = []
        self._overwrite = overwrite
        self._record_file = folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise OutputError(
                f"The folder {folder} cannot be made: {getattr(error, 'strerror', error)}.",
                hint="Give another folder.",
            ) from error
        self._record = self._read_record()
        self._claim: AbstractContextManager[None] | None = None
        self.stop_requested: Callable[[], bool] | None = None

    def __enter__(self) -> Self:
        self._claim = claimed_folder(self.folder)
        self._claim.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._claim is not None:
            self._claim.__exit__(kind, error, traceback)

    def _read_record(self) -> dict[str, dict[str, Any]]:
        """What is known of the outputs; nothing where it cannot be told."""
        if not self._record_file.exists():
            return {}
        try:
            with self._record_file.open("rb") as file:
                record = read_json(file.read(_RECORD_BYTES).decode())
            entries = dict(record).items()
            return {str(name): {"plan": e["plan"], "content": e["content"]} for name, e in entries}
        except (OSError, LookupError, ValueError, TypeError):
            _log.warning(
                "%s is damaged and is written anew; what is finished in the folder is found by "
                "itself",
                self._record_file,
            )
            return {}

    def __repr__(self) -> str:
        return f"Workshop({str(self.folder)!r})"

    def path(self, name: str) -> Path:
        """Where an output is."""
        return self.folder / name

    def is_current(self, name: str, plan: Mapping[str, Any]) -> bool:
        """Whether an output is there, unchanged, and was made under this plan."""
        known = self._record.get(name)
        path = self.path(name)
        if known is None or not path.exists() or known["plan"] != as_json(_with_version(plan)):
            return False
        try:
            return bool(content_of(path) == known["content"])
        except ArtifactError:
            return False

    def step(
        self, name: str, plan: Mapping[str, Any], make: Callable[[Path, bool], object], *, say: str
    ) -> Path:
        """Make an output unless it is up to date.

        Parameters
        ----------
        name : str
            File name in the folder.
        plan : mapping
            What determines the output, JSON-able.
        make : callable
            Gets a path, and whether to replace what is there. Writes the output under the path;
            one that is the same finished work is left, and another one refused by an
            `OutputExistsError`.
        say : str
            What is being done, for the notice.

        Returns
        -------
        Path
            The output.

        Raises
        ------
        OutputExistsError
            A file of that name is there that this workshop has not made.
        StoppedError
            A stop was requested.
        """
        path = self.path(name)
        if self.stop_requested is not None and self.stop_requested():
            raise StoppedError(
                f"Stopped before {path}.", hint="Give the same command again to continue."
            )
        if self.is_current(name, plan):
            _log.info("%s is up to date", path)
            self.kept.append(name)
            return path
        _log.info("%s", say)
        before = file_identity(path)
        try:
            make(path, False)
        except OutputExistsError as error:
            if name not in self._record and not self._overwrite:
                raise OutputExistsError(
                    f"{path} exists and was not made by this command.",
                    hint="Add `overwrite=True` to replace it, or give another folder.",
                ) from error
            # Ours, and out of date.
            make(path, True)
        same = before is not None and before == file_identity(path)
        (self.kept if same else self.made).append(name)
        self._record[name] = {"plan": as_json(_with_version(plan)), "content": content_of(path)}
        self._save()
        return path

    def _save(self) -> None:
        text = json.dumps(self._record, indent=1, sort_keys=True, ensure_ascii=False)
        try:
            write_whole(self._record_file, f"{text}\n".encode())
        except OSError as error:
            raise OutputError(
                f"{self._record_file} cannot be written: {error.strerror}.",
                hint="What is finished stays. Check the free space and the permissions of its "
                "folder; the same command goes on.",
            ) from error


def _with_version(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {**plan, "gaitkit_version": __version__}
