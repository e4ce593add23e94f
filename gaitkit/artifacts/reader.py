"""Reading an artefact: checked before libhdf5 sees it, bounded before anything is allocated."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import MAX_NAME, as_path
from gaitkit.artifacts.arrays import ArrayFile, ArrayInfo, H5Arrays, MalformedError
from gaitkit.artifacts.embeddings import VECTORS, vectors_problem
from gaitkit.artifacts.envelope import verify
from gaitkit.artifacts.guard import GuardedArrays
from gaitkit.artifacts.schema import (
    KINDS,
    PARAMETERS,
    PARAMETERS_BYTES,
    SCHEMA_VERSION,
    InputRef,
    RunningDigest,
    TrainedOn,
    command_for,
    content_digest,
    read_json,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import (
    ArtifactError,
    DamagedArtifactError,
    NewerSchemaError,
    OptionError,
    WrongKindError,
    did_you_mean,
)
from gaitkit.labels import Labels
from gaitkit.printable import LETTERS, counted, printable, quoted

__all__ = ["Artifact", "open_artifact"]

MAX_READ_BYTES = 8 << 30
"""No single read may ask for more: a hostile shape must not exhaust the memory."""

_COLUMN_KINDS = {"take": "i", "view": "f"}  # The others hold text.


def open_artifact(
    path: Path | str,
    kind: str | tuple[str, ...] | None = None,
    *,
    verified: bool = False,
    guarded: bool = False,
) -> Artifact:
    """Open an artefact for reading.

    Parameters
    ----------
    path : path-like
        The file.
    kind : str or tuple of str, optional
        The kinds that the caller can use.
    verified : bool
        Skip the digest of the file; only for files that the caller's parent process has checked.
    guarded : bool
        Let a child process read the file, so that a hostile one cannot crash this one: for files
        that may be somebody else's (see `gaitkit.artifacts.guard`).

    Returns
    -------
    Artifact
        To be used as a context manager.

    Raises
    ------
    ArtifactError
        One of its kinds: foreign, damaged, of a newer schema, of another kind.
    """
    path = as_path(path)
    kinds = (kind,) if isinstance(kind, str) else kind
    for name in kinds or ():
        if name not in KINDS:
            raise OptionError(
                f"There is no kind of artefact {quoted(name)}.",
                hint=f"{did_you_mean(str(name), KINDS)}There are {', '.join(KINDS)}.",
            )
    verify(path, expected=kinds or (), contents=not verified)
    try:
        arrays: ArrayFile = GuardedArrays(path) if guarded else H5Arrays(path)
    except MalformedError as error:
        raise _malformed(path, str(error)) from error
    try:
        artifact = Artifact(path, arrays)
        artifact.check_kind(kinds)
    except BaseException:
        arrays.close()
        raise
    return artifact


class Artifact:
    """An open artefact; use `open_artifact`.

    Attributes
    ----------
    path : Path
        The file.
    kind, dataset, content_sha256, gaitkit_version : str
        Root attributes.
    parameters : dict
        What changed the content when it was made.
    seed : int or None
        Seed of whatever random was done.
    inputs : tuple of InputRef
        What it was made from.
    ignored : dict
        Counts of stray files that were passed over.
    """

    def __init__(self, path: Path, arrays: ArrayFile) -> None:
        self.path = path
        self._file = arrays
        try:
            self._read_attributes(arrays.attributes())
        except MalformedError as error:
            raise self._malformed(str(error)) from error
        except (KeyError, ValueError, TypeError) as error:
            raise self._malformed("a root attribute is missing or malformed") from error

    def __repr__(self) -> str:
        return f"<Artifact {self.path.name}: {self.kind} of the data set {self.dataset!r:.80}>"

    def _read_attributes(self, attributes: dict[str, str | int]) -> None:
        version = attributes["schema_version"]
        if not isinstance(version, int):
            raise ValueError("the schema is not a number")
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(
                f"{self.path} has schema {version}; this gaitkit reads up to {SCHEMA_VERSION}.",
                hint="Upgrade gaitkit, or make the file again with this version.",
            )
        self.schema_version = version
        self.kind = _name(attributes["kind"])
        self.dataset = _name(attributes["dataset"])
        self.gaitkit_version = _name(attributes["gaitkit_version"])
        self.content_sha256 = _name(attributes["content_sha256"])
        stored = attributes.get("parameters")
        text = self._large_parameters() if stored is None else stored
        self.parameters: dict[str, Any] = _of_type(dict, text)
        self.seed: int | None = _of_type((int, type(None)), attributes["seed"])
        inputs = _of_type(list, attributes["inputs"])
        self.inputs = tuple(InputRef(_name(kind), _name(digest)) for kind, digest in inputs)
        ignored = _of_type(dict, attributes["ignored"])
        self.ignored: dict[str, int] = {name: int(count) for name, count in ignored.items()}

    def _large_parameters(self) -> str:
        """What is too large for an attribute and lies in an array, bounded before it is read."""
        info = self._datasets.get(PARAMETERS)
        if info is None or info.dtype != np.uint8 or len(info.shape) != 1:
            raise KeyError(PARAMETERS)
        if info.nbytes > PARAMETERS_BYTES:
            raise ValueError("they are too large")
        return self._file.read(PARAMETERS, None).tobytes().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def check_kind(self, kinds: tuple[str, ...] | None) -> None:
        """Raise `WrongKindError` unless the artefact is of one of these kinds."""
        if self.kind not in KINDS:
            raise self._malformed(f"its kind {self.kind!r} is unknown")
        if kinds is not None and self.kind not in kinds:
            wanted = " or ".join(KINDS[kind][0] for kind in kinds)
            raise WrongKindError(
                f"{self.path} holds {KINDS[self.kind][0]}; this step reads {wanted}.",
                hint=f"Make one with: {command_for(kinds[0], kinds[0] + '.h5')}",
            )
        if self.kind == "embedding" and (problem := vectors_problem(self._datasets)):
            raise self._malformed(problem)

    def ref(self) -> InputRef:
        """How a later artefact names this one among its inputs."""
        return InputRef(self.kind, self.content_sha256)

    def names(self, prefix: str = "") -> list[str]:
        """Names of all arrays below a group, sorted."""
        return sorted(name for name in self._datasets if name.startswith(prefix))

    def __contains__(self, name: str) -> bool:
        return name in self._datasets

    @cached_property
    def _datasets(self) -> dict[str, ArrayInfo]:
        try:
            return self._file.arrays()
        except MalformedError as error:
            raise self._malformed(str(error)) from error

    def _info(self, name: str) -> ArrayInfo:
        try:
            return self._datasets[name]
        except KeyError:
            raise self._malformed(f"the array {name!r} is missing") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array."""
        return self._info(name).shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of an array (``S…`` for text)."""
        return self._info(name).dtype

    def read(self, name: str) -> NDArray[Any]:
        """A whole array; text as an object array of `str`."""
        return self._read(name, None)

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows ``start:stop`` of an array."""
        return self._read(name, slice(start, stop))

    def _read(self, name: str, rows: slice | None) -> NDArray[Any]:
        info = self._info(name)
        if rows is not None:
            if not info.shape:
                raise self._malformed(f"the array {name!r} is a single value")
            count = len(range(*rows.indices(info.shape[0])))
            info = info._replace(shape=(count, *info.shape[1:]))
        if info.nbytes > MAX_READ_BYTES:
            raise self._malformed(f"the array {name!r} has the unlikely shape {info.shape}")
        try:
            values = self._file.read(name, rows)
            return _decoded(values) if values.dtype.kind == "S" else values
        except MalformedError as error:
            raise self._malformed(str(error)) from error
        except ValueError as error:
            raise self._malformed(f"the array {name!r} cannot be read") from error

    def _columns(self, group: str, names: tuple[str, ...]) -> list[list[Any]]:
        """Columns of a table, as lists of equal length."""
        columns = [self.read(f"{group}/{name}") for name in names]
        kinds = [_COLUMN_KINDS.get(name, "O") for name in names]
        alike = len({column.shape for column in columns}) == 1 and columns[0].ndim == 1
        if not alike or [column.dtype.kind for column in columns] != kinds:
            raise self._malformed(f"the columns of {group!r} do not belong together")
        return [column.tolist() for column in columns]

    @cached_property
    def labels(self) -> Labels:
        """The key columns."""
        columns = [self.read(name) for name in ("subject", "condition", "take", "view")]
        kinds = [column.dtype.kind for column in columns]
        if kinds != ["O", "O", "i", "f"] or any(column.ndim != 1 for column in columns):
            raise self._malformed("its key columns are not columns of text and numbers")
        if np.isinf(columns[3]).any():
            raise self._malformed("a view of it is infinite")
        if self.kind == "embedding" and len(columns[0]) != self.shape(VECTORS)[0]:
            raise self._malformed(
                f"it has {counted(self.shape(VECTORS)[0], 'vector')} and "
                f"{counted(len(columns[0]), 'sequence')}"
            )
        try:
            labels = Labels(*columns)
        except ValueError as error:
            raise self._malformed(str(error)) from error
        # Results are of whatever was evaluated, rows in memory too.
        again = None if self.kind == "identification" else labels.first_again()
        if again is not None:
            first, row = again
            raise self._malformed(
                f"each sequence needs a subject, condition, take and view of its own, and rows "
                f"{first} and {row} are both "
                f"{printable(str(labels.key(row)), 3 * LETTERS)}"
            )
        return labels

    @cached_property
    def dropped(self) -> list[DroppedRow]:
        """What was left out, and why."""
        if not self.names("dropped/"):
            return []
        rows = zip(*self._columns("dropped", DroppedRow._fields), strict=True)
        return [
            DroppedRow(subject, condition, int(take), None if view != view else view, *rest)
            for subject, condition, take, view, *rest in rows
        ]

    @cached_property
    def trained_on(self) -> list[TrainedOn]:
        """Everybody whom the models behind this content have seen."""
        if not self.names("trained_on/"):
            return []
        rows = zip(*self._columns("trained_on", TrainedOn._fields), strict=True)
        return [TrainedOn(*row) for row in rows]

    def recompute_content_sha256(self) -> str:
        """The content digest computed from the arrays, block by block."""
        digests = []
        for name, info in self._datasets.items():
            digest = RunningDigest(name)
            if info.dtype.kind == "S":
                digest.update_text([str(value).encode() for value in self.read(name)])
            elif not info.shape:
                digest.update(self.read(name))
            else:
                rows = max(1, info.shape[0])
                step = max(1, (64 << 20) * rows // max(1, info.nbytes))
                for start in range(0, rows, step):
                    digest.update(self.read_rows(name, start, start + step))
            digests.append(digest)
        return content_digest(digests)

    def malformed(self, what: str) -> ArtifactError:
        """The error for arrays that do not belong together."""
        return self._malformed(what)

    def _malformed(self, what: str) -> ArtifactError:
        return _malformed(self.path, what)


def _malformed(path: Path, what: str) -> DamagedArtifactError:
    return DamagedArtifactError(
        f"{path} is not a well-formed artefact: {what}.",
        hint="Make it again with gaitkit, or get it from a source that you trust.",
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError("a name is no text, or a very long one")
    return value


def _of_type(kind: type | tuple[type, ...], text: object) -> Any:
    value = read_json(text) if isinstance(text, str) else text
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind}, got {type(value)}")
    return value


def _decoded(values: NDArray[np.bytes_]) -> NDArray[np.object_]:
    texts = [value.decode() for value in values.ravel().tolist()]
    return np.array(texts, dtype=object).reshape(values.shape)
