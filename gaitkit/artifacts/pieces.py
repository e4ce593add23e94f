"""Finished pieces of a long stage, kept beside its output until the output is whole.

An HDF5 file that is closed and reopened between appends is not byte-equal to one written in one
go, and a killed writer can leave one unreadable. So a stage that may be stopped keeps what it has
finished as small files in ``name.h5.parts/``, each renamed when whole, and writes the artefact
from them in one ordered pass. The same command again continues from the pieces.
"""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import as_path
from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import ArtifactError, OutputError, OutputExistsError

__all__ = ["Pieces", "free_to_write"]

_log = logging.getLogger(__name__)


def free_to_write(path: Path | str, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Check, before any work is done, that an output can be written.

    Parameters
    ----------
    path : path-like
        The output.
    overwrite : bool
        Whether it may exist.
    inputs : iterable of Path
        What it is made from, which it must not replace.

    Raises
    ------
    OutputExistsError
        It exists and `overwrite` is false.
    OutputError
        Its folder is missing or not writable, or a folder has its name; or it is one of the
        inputs.
    """
    path = as_path(path, "output")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; expected the name of a file to write.")
    for item in inputs:
        if path.exists() and item.exists() and path.samefile(item):
            raise OutputError(
                f"{path} is what is read; the output would replace it.",
                hint="Give the output another name.",
            )
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path} exists.", hint="Give `overwrite=True` to replace it, or another name."
        )
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(
            f"{path} cannot be written: the folder {folder} does not exist.",
            hint=f"Make it first: mkdir -p {folder}",
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path} cannot be written: no permission to write into {folder}.")


@dataclass(frozen=True)
class Pieces:
    """The pieces of one output; picklable, so that worker processes can save into it.

    Attributes
    ----------
    folder : Path
        ``name.h5.parts`` beside the output.
    """

    folder: Path

    @classmethod
    def of(cls, output: Path, plan: Mapping[str, Any], *, restart: bool = False) -> Pieces:
        """Open the pieces of an output, discarding those of another plan.

        Parameters
        ----------
        output : Path
            The artefact that the pieces are for.
        plan : mapping
            What determines the pieces, JSON-able: stage, parameters, input digest, version.
        restart : bool
            Discard finished pieces in any case.
        """
        pieces = cls(output.with_name(output.name + ".parts"))
        plan_file = pieces.folder / "plan.json"
        text = canonical_json(plan)
        if pieces.folder.exists():
            same = plan_file.is_file() and plan_file.read_text(encoding="utf-8") == text
            if restart or not same:
                if not restart:
                    _log.warning(
                        "%s holds pieces of another input or of other options: starting anew",
                        pieces.folder,
                    )
                pieces.discard()
            else:
                done = sum(1 for _ in pieces.folder.glob("[0-9]*.npz"))
                if done:
                    _log.info("continuing: %d pieces in %s are done", done, pieces.folder)
        try:
            pieces.folder.mkdir(exist_ok=True)
            if not plan_file.exists():
                aside = plan_file.with_suffix(".tmp")
                aside.write_text(text, encoding="utf-8")
                os.replace(aside, plan_file)
        except OSError as error:
            raise OutputError(f"{pieces.folder} cannot be written: {error.strerror}.") from error
        return pieces

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npz"

    def has(self, index: int) -> bool:
        """Whether a piece is finished and readable."""
        return zipfile.is_zipfile(self._path(index))

    def save(self, index: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Save one finished piece: written aside, then renamed."""
        aside = self.folder / f".{index:06d}.{os.getpid()}.tmp"
        try:
            with aside.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
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
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile, KeyError) as error:
            path.unlink(missing_ok=True)
            raise ArtifactError(
                f"{path} was damaged on the disk and has been removed.",
                hint="Give the same command again: it continues and makes this piece anew.",
            ) from error

    def discard(self) -> None:
        """Remove all pieces."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be removed: {error.strerror}.") from error
