"""The keys of very many sequences in little room: 16 bytes for each, and 32 for a digest.

A list of three hundred thousand `SequenceKey` takes ten times as much. Subjects, conditions, takes
and views are few, so that each is kept once and counted.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.labels import Labels, SequenceKey

__all__ = ["KeyTable"]

_SHA256_BYTES = 32


class _Column:
    """Values of one part of a key: each once, and its number in every row."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.codes = array("i")
        self._numbers: dict[Any, int] = {}

    def append(self, value: Any) -> None:
        # 90 and 90.0 are equal, and yet not the same in JSON, over which a digest goes.
        known = value if isinstance(value, str) else (type(value), repr(value))
        number = self._numbers.get(known)
        if number is None:
            number = self._numbers[known] = len(self.values)
            self.values.append(value)
        self.codes.append(number)

    def __getitem__(self, row: int) -> Any:
        return self.values[self.codes[row]]

    def ranks(self) -> NDArray[np.int32]:
        """For each row the place of its value among all, equal ones having one place."""
        # An unknown view comes first, as in `SequenceKey.order`.
        sortable = [-np.inf if value is None else value for value in self.values]
        places = {value: place for place, value in enumerate(sorted(set(sortable)))}
        of_code = np.array([places[value] for value in sortable], dtype=np.int32)
        codes = np.frombuffer(self.codes, dtype=np.int32) if self.codes else np.empty(0, np.int32)
        return of_code[codes]


class KeyTable:
    """Keys of sequences, and a SHA-256 of each where one is wanted.

    Parameters
    ----------
    digests : bool
        Whether each key comes with a digest.

    Examples
    --------
    >>> table = KeyTable()
    >>> table.append(SequenceKey("002", "nm", 1, 90.0))
    >>> table.append(SequenceKey("001", "nm", 1, None))
    >>> table.order().tolist(), str(table[0])
    ([1, 0], '002/nm-01/090')
    """

    def __init__(self, *, digests: bool = False) -> None:
        self._columns = tuple(_Column() for _ in SequenceKey._fields)
        self._digests = bytearray() if digests else None

    def __len__(self) -> int:
        return len(self._columns[0].codes)

    def __getitem__(self, row: int) -> SequenceKey:
        return SequenceKey(*(column[row] for column in self._columns))

    def append(self, key: SequenceKey, digest: str = "") -> None:
        """Add a key, and the hexadecimal SHA-256 that belongs to it.

        Raises
        ------
        ValueError
            A digest is wanted and this is none.
        """
        if self._digests is not None:
            raw = bytes.fromhex(digest)
            if len(raw) != _SHA256_BYTES:
                raise ValueError(f"expected a SHA-256, found {len(raw)} bytes")
            self._digests += raw
        for column, value in zip(self._columns, key, strict=True):
            column.append(value)

    def digest(self, row: int) -> str:
        """The digest of one row, hexadecimal."""
        assert self._digests is not None
        return self._digests[row * _SHA256_BYTES : (row + 1) * _SHA256_BYTES].hex()

    def order(self) -> NDArray[np.int64]:
        """Rows in order of key; those of one key by digest where there are any, else as they came.

        Returns
        -------
        ndarray of int64, shape (n,)
            Numbers of rows.
        """
        keys: list[NDArray[Any]] = []
        if self._digests:
            # As text is compared, so are bytes: the first one counts most.
            words = np.frombuffer(self._digests, dtype=">u8").reshape(len(self), -1)
            keys += [words[:, word].astype(np.uint64) for word in reversed(range(words.shape[1]))]
        keys += [column.ranks() for column in reversed(self._columns)]
        return np.lexsort(keys).astype(np.int64, copy=False)

    def in_order(self) -> Iterator[tuple[SequenceKey, int]]:
        """Keys in order, with their rows."""
        for row in self.order().tolist():
            yield self[row], row

    def labels(self, rows: Sequence[int] | NDArray[np.int64]) -> Labels:
        """Key columns of some rows, whose texts are shared."""
        chosen = np.asarray(rows, dtype=np.int64)
        subject, condition, take, view = (
            (column.values, np.frombuffer(column.codes, dtype=np.int32)[chosen])
            if len(chosen)
            else (column.values, np.empty(0, np.int32))
            for column in self._columns
        )
        views = np.array([np.nan if value is None else value for value in view[0]], np.float64)
        return Labels(
            np.array([*subject[0], None], dtype=object)[subject[1]],
            np.array([*condition[0], None], dtype=object)[condition[1]],
            np.array(take[0], dtype=np.int64)[take[1]],
            views[view[1]],
        )
