"""A folder in which several steps leave their outputs, each made only when missing or out of date.

A step is up to date when its output is there, unchanged since it was made, and was made under the
same plan: the same parameters, input digests and version. The plans are kept in ``run.json``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gaitkit._version import __version__
from gaitkit.artifacts import open_artifact
from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import OutputError, OutputExistsError

__all__ = ["Workshop", "content_of"]

_log = logging.getLogger(__name__)


def content_of(path: Path) -> str:
    """Digest of an output: an artefact's content digest, another file's SHA-256."""
    if path.suffix == ".h5":
        with open_artifact(path) as artifact:
            return artifact.content_sha256
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Workshop:
    """The folder and what is known of its outputs.

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

    Raises
    ------
    OutputError
        The folder cannot be made, or its ``run.json`` cannot be read.
    """

    def __init__(self, folder: Path | str, *, overwrite: bool = False) -> None:
        self.folder = folder = Path(folder)
        self.made: list[str] = []
        self.kept: list[str] = []
        self._overwrite = overwrite
        self._record_file = folder / "run.json"
        self._record: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._record_file.exists():
                self._record = dict(json.loads(self._record_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise OutputError(
                f"{folder} cannot be used: {error}.",
                hint="Give another folder; a damaged run.json may be removed.",
            ) from error

    def __repr__(self) -> str:
        return f"Workshop({str(self.folder)!r})"

    def path(self, name: str) -> Path:
        """Where an output is."""
        return self.folder / name

    def is_current(self, name: str, plan: Mapping[str, Any]) -> bool:
        """Whether an output is there, unchanged, and was made under this plan."""
        known = self._record.get(name)
        path = self.path(name)
        if known is None or not path.exists():
            return False
        if known["plan"] != _normal(plan):
            return False
        return bool(content_of(path) == known["content"])

    def step(
        self, name: str, plan: Mapping[str, Any], make: Callable[[Path], object], *, say: str
    ) -> Path:
        """Make an output unless it is up to date.

        Parameters
        ----------
        name : str
            File name in the folder.
        plan : mapping
            What determines the output, JSON-able.
        make : callable
            Writes the output under the path that it gets, replacing what is there.
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
        """
        path = self.path(name)
        if self.is_current(name, plan):
            _log.info("%s is up to date", path)
            self.kept.append(name)
            return path
        if path.exists() and name not in self._record and not self._overwrite:
            raise OutputExistsError(
                f"{path} exists and was not made by this command.",
                hint="Add `overwrite=True` to replace it, or give another folder.",
            )
        _log.info("%s", say)
        make(path)
        self._record[name] = {"plan": _normal(plan), "content": content_of(path)}
        self._save()
        self.made.append(name)
        return path

    def _save(self) -> None:
        aside = self._record_file.with_suffix(".json.partial")
        text = json.dumps(self._record, indent=1, sort_keys=True, ensure_ascii=False)
        aside.write_text(text + "\n", encoding="utf-8")
        os.replace(aside, self._record_file)


def _normal(plan: Mapping[str, Any]) -> Any:
    # Through JSON and back: a tuple read back is a list, and must compare equal.
    return json.loads(canonical_json({**plan, "gaitkit_version": __version__}))
