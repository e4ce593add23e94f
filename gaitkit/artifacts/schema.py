"""What an artefact is: its kinds, the records in its root attributes, and the content digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import check_name
from gaitkit.documents import parse_json
from gaitkit.errors import OptionError
from gaitkit.printable import LETTERS, fitted, quoted

__all__ = [
    "KINDS",
    "SCHEMA_VERSION",
    "InputRef",
    "Provenance",
    "RunningDigest",
    "TrainedOn",
    "as_json",
    "brief",
    "canonical_json",
    "check_storable",
    "command_for",
    "content_digest",
    "differences",
    "read_json",
]

STORED_BYTES = 65_000
"""The file format that older libraries read has 64 KiB for an attribute and its header."""

PARAMETERS = "provenance/parameters"
"""The array that holds parameters too large for an attribute: the bytes of their JSON, as uint8."""

PARAMETERS_BYTES = 8 << 20
"""A protocol that names 10,000 people takes a fortieth of it."""

SCHEMA_VERSION = 1
"""Raised whenever an older gaitkit could misread a newer file."""

KINDS: dict[str, tuple[str, str]] = {
    "masks": ("masks of the people in a video", "gaitkit segment VIDEO -o {path}"),
    "silhouettes": ("normalised silhouettes", "gaitkit normalize FRAMES -o {path}"),
    "gei": ("gait energy images", "gaitkit make-gei silhouettes.h5 -o {path}"),
    "translator": ("a trained translator", "gaitkit train-gan gei.h5 -o {path}"),
    "embedder": ("a trained embedder", "gaitkit train-embedding gei.h5 -o {path}"),
    "embedding": ("identity embeddings", "gaitkit embed gei.h5 `model='embedder.h5'` -o {path}"),
    "identification": (
        "identification results",
        "gaitkit evaluate gei.h5 -o {path}",
    ),
    "checkpoint": ("an unfinished training", "gaitkit train-gan gei.h5 -o {path}"),
}
"""Kind of artefact, what it holds, and the command that makes one."""


class InputRef(NamedTuple):
    """One input of a stage: what kind it was and its content digest."""

    kind: str
    content_sha256: str


class TrainedOn(NamedTuple):
    """One person whom a model has seen; `role` is ``training`` or ``validation``."""

    dataset: str
    subject: str
    role: str


@dataclass(frozen=True)
class Provenance:
    """Where the content of an artefact comes from; never part of the content digest.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    parameters : mapping
        Everything that changes the content, JSON-able; never paths, worker counts or verbosity.
    dataset : str
        Name of the data set.
    seed : int or None
        `None` where nothing random was done.
    inputs : sequence of InputRef
        What it was made from.
    ignored : mapping of str to int
        Counts of stray files that were passed over, by class.
    """

    kind: str
    parameters: Mapping[str, Any]
    dataset: str
    seed: int | None = None
    inputs: Sequence[InputRef] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError(f"kind must be one of {sorted(KINDS)}, got {quoted(self.kind)}")
        # What is written must be read again, and nobody should hear of it after hours of work.
        check_name(self.dataset, "the name of a data set", empty=True)
        check_storable(dict(self.parameters), "the parameters", most_bytes=PARAMETERS_BYTES)
        check_storable(dict(self.ignored), "the counts of ignored files")


def command_for(kind: str, path: str) -> str:
    """The command that makes an artefact of this kind."""
    return KINDS[kind][1].format(path=path)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def check_storable(value: object, what: str, *, most_bytes: int = STORED_BYTES) -> None:
    """Refuse what an artefact cannot hold, or no reader would take.

    Raises
    ------
    OptionError
        It is no JSON, breaks a bound of `read_json`, or has more than `most_bytes`.

    Examples
    --------
    >>> check_storable({"size": [64, 64]}, "the parameters")
    """
    try:
        text = canonical_json(value)
        read_json(text)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionError(
            f"An artefact cannot hold {what}: {fitted(str(error), 2 * LETTERS)}."
        ) from error
    if size > most_bytes:
        raise OptionError(
            f"An artefact cannot hold {what}: they take {size:,} bytes of at most {most_bytes:,}.",
            hint="A protocol or a list of people may be too long; ranges of numbers are short.",
        )


def as_json(value: object) -> Any:
    """A value as it comes back from a file: a tuple is a list there.

    Examples
    --------
    >>> as_json({"size": (64, 44)})
    {'size': [64, 44]}
    """
    return json.loads(canonical_json(value))


def read_json(text: str) -> Any:
    """A JSON document out of somebody's file, harmless to what prints, compares or stores it.

    Raises
    ------
    ValueError
        When it is no JSON, or holds a number that is not finite or longer than 64 bits, text that
        UTF-8 cannot encode, a key twice, or more than 32 levels.
    """
    return parse_json(text)


class RunningDigest:
    """SHA-256 of one array, fed block by block along its first axis.

    Parameters
    ----------
    name : str
        Name of the array in the artefact.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._bytes = hashlib.sha256()
        self._dtype = ""
        self._rows = 0
        self._row_shape: tuple[int, ...] | None = ()

    def update(self, block: NDArray[Any]) -> None:
        """Add rows; numbers count as little-endian bytes in C order."""
        little = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<"))
        self._dtype = little.dtype.str.replace("|", "<")
        if block.ndim:
            self._rows += len(block)
            self._row_shape = block.shape[1:]
        else:
            self._row_shape = None
        self._bytes.update(little.reshape(-1).view(np.uint8).data)

    def update_text(self, values: Sequence[bytes]) -> None:
        """Add text rows, given as UTF-8."""
        self._dtype = "utf8"
        self._rows += len(values)
        self._bytes.update(b"".join(value + b"\0" for value in values))

    def digest(self) -> bytes:
        """The digest over name, dtype, shape and bytes."""
        shape = None if self._row_shape is None else [self._rows, *self._row_shape]
        header = canonical_json([self.name, self._dtype, shape])
        return hashlib.sha256(header.encode() + b"\0" + self._bytes.digest()).digest()


def content_digest(digests: Sequence[RunningDigest]) -> str:
    """The content digest of an artefact: over the digests of its arrays, in order of name."""
    total = hashlib.sha256()
    for digest in sorted(digests, key=lambda item: item.name):
        total.update(digest.digest())
    return total.hexdigest()


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """In what two sets of parameters differ.

    Parameters
    ----------
    one, other : mapping
        Parameters of two artefacts; mappings in them are compared key by key.
    prefix : str
        In front of every name.

    Yields
    ------
    tuple of str
        The name, ``outer.inner``, and both values, ``nothing`` where there is none.

    Examples
    --------
    >>> list(differences({"gei": {"cycles": "all"}}, {"gei": {"cycles": "whole"}, "size": 64}))
    [('gei.cycles', 'all', 'whole'), ('size', 'nothing', '64')]
    """
    for name in sorted(set(one) | set(other)):
        here, there = one.get(name, "nothing"), other.get(name, "nothing")
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from differences(here, there, f"{prefix}{name}.")
        elif here != there:
            yield f"{prefix}{name}", brief(here), brief(there)


def brief(value: Any) -> str:
    """A parameter's value for a message, cut to 80 characters.

    Of what has a name of its own that, and of a digest as many digits as tell it from others.

    Examples
    --------
    >>> brief({"name": "stargan", "mode": "paired"}), brief("0123456789abcdef" * 4)
    ('stargan', '0123456789ab')
    """
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        value = value["name"]
    text = str(value)
    if re.fullmatch("[0-9a-f]{64}", text):
        text = text[:12]
    return text if len(text) <= 80 else text[:77] + "..."
