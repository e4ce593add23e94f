"""Reading an artefact: checked before libhdf5 sees it, bounded before anything is allocated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts.envelope import verify
from gaitkit.artifacts.schema import (
    KINDS,
    SCHEMA_VERSION,
    InputRef,
    RunningDigest,
    TrainedOn,
    command_for,
    content_digest,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import (
    ArtifactError,
    DamagedArtifactError,
    NewerSchemaError,
    WrongKindError,
)
from gaitkit.labels import Labels

__all__ = ["Artifact", "open_artifact"]

MAX_READ_BYTES = 8 << 30
"""No single read may ask for more: a hostile shape must not exhaust the memory."""

_ATTRIBUTES = (
    "kind",
    "gaitkit_version",
    "parameters",
    "dataset",
    "seed",
    "content_sha256",
    "inputs",
)
_FILTERS = {"gzip", "lzf", None}


def open_artifact(
    path: Path | str, kind: str | tuple[str, ...] | None = None, *, verified: bool = False
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

    Returns
    -------
    Artifact
        To be used as a context manager.

    Raises
    ------
    ArtifactError
        One of its kinds: foreign, damaged, of a newer schema, of another kind.
    """
    path = Path(path)
    kinds = (kind,) if isinstance(kind, str) else kind
    verify(path, expected=kinds[0] if kinds else None, contents=not verified)
    artifact = Artifact(path)
    try:
        artifact.check_kind(kinds)
    except BaseException:
        artifact.close()
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

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except (OSError, RuntimeError) as error:
            raise self._malformed("libhdf5 cannot open it") from error
        try:
            self._read_attributes()
        except BaseException:
            self.close()
            raise

    def _read_attributes(self) -> None:
        attributes = self._file.attrs
        try:
            self.schema_version = int(attributes["schema_version"])
            if self.schema_version > SCHEMA_VERSION:
                raise NewerSchemaError(
                    f"{self.path} has schema {self.schema_version}; this gaitkit reads up to "
                    f"{SCHEMA_VERSION}.",
                    hint="Upgrade gaitkit, or make the file again with this version.",
                )
            text = {name: _text(attributes[name]) for name in _ATTRIBUTES}
            self.kind = text["kind"]
            self.dataset = text["dataset"]
            self.gaitkit_version = text["gaitkit_version"]
            self.content_sha256 = text["content_sha256"]
            self.parameters: dict[str, Any] = dict(json.loads(text["parameters"]))
            seed = json.loads(text["seed"])
            self.seed = None if seed is None else int(seed)
            self.inputs = tuple(InputRef(str(k), str(d)) for k, d in json.loads(text["inputs"]))
            self.ignored: dict[str, int] = dict(json.loads(_text(attributes["ignored"])))
        except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
            raise self._malformed("a root attribute is missing or malformed") from error

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

    def ref(self) -> InputRef:
        """How a later artefact names this one among its inputs."""
        return InputRef(self.kind, self.content_sha256)

    def names(self, prefix: str = "") -> list[str]:
        """Names of all arrays below a group, sorted."""
        return sorted(name for name in self._datasets if name.startswith(prefix))

    def __contains__(self, name: str) -> bool:
        return name in self._datasets

    @cached_property
    def _datasets(self) -> dict[str, h5py.Dataset]:
        # Links and external storage could make libhdf5 read other files of the user's.
        return dict(_plain_datasets(self._file, "", self))

    def _dataset(self, name: str) -> h5py.Dataset:
        try:
            return self._datasets[name]
        except KeyError:
            raise self._malformed(f"the array {name!r} is missing") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array."""
        return tuple(int(length) for length in self._dataset(name).shape)

    def dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of an array (``S…`` for text)."""
        dtype: np.dtype[Any] = self._dataset(name).dtype
        return dtype

    def read(self, name: str) -> NDArray[Any]:
        """A whole array; text as an object array of `str`."""
        return self._read(name, ())

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows ``start:stop`` of an array."""
        return self._read(name, slice(start, stop))

    def _read(self, name: str, rows: slice | tuple[()]) -> NDArray[Any]:
        dataset = self._dataset(name)
        shape = list(dataset.shape)
        if isinstance(rows, slice):
            shape[0] = len(range(*rows.indices(shape[0])))
        if int(np.prod(shape, dtype=object)) * dataset.dtype.itemsize > MAX_READ_BYTES:
            raise self._malformed(f"the array {name!r} has the unlikely shape {dataset.shape}")
        try:
            if h5py.check_string_dtype(dataset.dtype) is not None:
                values = np.asarray(dataset[rows])
                return np.array([_text(value) for value in values.ravel()], dtype=object).reshape(
                    values.shape
                )
            return np.asarray(dataset[rows])
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise self._malformed(f"the array {name!r} cannot be read") from error

    @cached_property
    def labels(self) -> Labels:
        """The key columns."""
        try:
            return Labels(
                self.read("subject"), self.read("condition"), self.read("take"), self.read("view")
            )
        except ValueError as error:
            raise self._malformed(str(error)) from error

    @cached_property
    def dropped(self) -> list[DroppedRow]:
        """What was left out, and why."""
        if "dropped/reason" not in self:
            return []
        columns = {name: self.read(f"dropped/{name}").tolist() for name in DroppedRow._fields}
        return [
            DroppedRow(subject, condition, int(take), None if view != view else view, *rest)
            for subject, condition, take, view, *rest in zip(*columns.values(), strict=True)
        ]

    @cached_property
    def trained_on(self) -> list[TrainedOn]:
        """Everybody whom the models behind this content have seen."""
        if "trained_on/subject" not in self:
            return []
        columns = [self.read(f"trained_on/{name}").tolist() for name in TrainedOn._fields]
        return [TrainedOn(*row) for row in zip(*columns, strict=True)]

    def recompute_content_sha256(self) -> str:
        """The content digest computed from the arrays, block by block."""
        digests = []
        for name, dataset in self._datasets.items():
            digest = RunningDigest(name)
            if h5py.check_string_dtype(dataset.dtype) is not None:
                digest.update_text([str(value).encode() for value in self.read(name)])
            elif dataset.ndim == 0:
                digest.update(self.read(name))
            else:
                step = max(
                    1,
                    (64 << 20) // max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))),
                )
                for start in range(0, max(1, len(dataset)), step):
                    digest.update(self.read_rows(name, start, start + step))
            digests.append(digest)
        return content_digest(digests)

    def _malformed(self, what: str) -> ArtifactError:
        return DamagedArtifactError(
            f"{self.path} is not a well-formed artefact: {what}.",
            hint="Make it again with gaitkit, or get it from a source that you trust.",
        )


def _plain_datasets(
    group: h5py.Group, prefix: str, artifact: Artifact, depth: int = 0
) -> Iterator[tuple[str, h5py.Dataset]]:
    for name in group:
        if depth > 8 or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise artifact._malformed(f"{prefix}{name} is a link or nested too deep")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _plain_datasets(item, f"{prefix}{name}/", artifact, depth + 1)
        elif isinstance(item, h5py.Dataset):
            plain = item.dtype.kind in "biufS" and item.shape is not None
            if not plain or item.is_virtual or item.external or item.compression not in _FILTERS:
                raise artifact._malformed(f"{prefix}{name} is not a plain array")
            yield f"{prefix}{name}", item
        else:
            raise artifact._malformed(f"{prefix}{name} is neither group nor array")


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        value = value[()]
    return value.decode() if isinstance(value, bytes) else str(value)
