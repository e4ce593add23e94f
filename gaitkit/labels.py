"""Who walked, how, which time, seen from where: the key columns that travel beside the images.

A sequence is one person (`subject`) walking once (`condition` and `take`: ``nm-01`` is take 1 of
condition ``nm``) seen by one camera (`view`, degrees). From the first artefact to the last these
are columns of equal length beside the images; nothing is inferred again from a file name or from
the order of a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.printable import counted

__all__ = [
    "FULL_CIRCLE",
    "Labels",
    "SequenceKey",
    "format_view",
    "is_direction",
    "sequence_name",
]

FULL_CIRCLE = 360.0
"""Degrees. No view is further from 0 than this, to either side."""


class SequenceKey(NamedTuple):
    """The key of one sequence.

    Attributes
    ----------
    subject : str
        The person's name; any text without ``/``.
    condition : str
        How they walked: ``nm``, ``bg``, ``cl`` in CASIA-B, or the user's own.
    take : int
        Counts the walks of one subject and condition.
    view : float or None
        Camera angle in degrees, `None` when unknown.
    """

    subject: str
    condition: str
    take: int
    view: float | None

    @property
    def order(self) -> tuple[str, str, int, float]:
        """A sort key: subject, condition, take, view, an unknown view first."""
        view = -np.inf if self.view is None else self.view
        return (self.subject, self.condition, self.take, view)

    def __str__(self) -> str:
        return f"{self.subject}/{sequence_name(self.condition, self.take)}/{format_view(self.view)}"


def sequence_name(condition: str, take: int) -> str:
    """CASIA-B's name of a walk: ``nm-01``."""
    return f"{condition}-{take:02d}"


def format_view(view: float | None) -> str:
    """CASIA-B's three-digit name of a view; ``unknown`` when there is none.

    Examples
    --------
    >>> format_view(54.0), format_view(22.5), format_view(None)
    ('054', '022.5', 'unknown')
    """
    if view is None or isnan(view):
        return "unknown"
    whole = int(abs(view))
    text = f"{whole:03d}" + f"{abs(view) - whole:.6f}".rstrip("0").rstrip(".")[1:]
    return f"-{text}" if view < 0 else text


def is_direction(view: float) -> bool:
    """Whether a number can be a view in degrees: within a full circle, to either side.

    Examples
    --------
    >>> [is_direction(view) for view in (90.0, -30.0, 360.0, 1000.0, float("nan"))]
    [True, True, True, False, False]
    """
    return isfinite(view) and abs(view) <= FULL_CIRCLE


@dataclass(frozen=True, eq=False, repr=False)
class Labels:
    """The key columns of several sequences.

    Attributes
    ----------
    subject, condition : ndarray of object, shape (n,)
        Text (Python `str`).
    take : ndarray of int64, shape (n,)
        Counts the walks of one subject and condition.
    view : ndarray of float64, shape (n,)
        Degrees; NaN when unknown.
    """

    subject: NDArray[np.object_]
    condition: NDArray[np.object_]
    take: NDArray[np.int64]
    view: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {len(self.subject), len(self.condition), len(self.take), len(self.view)}
        if len(lengths) != 1:
            raise ValueError(f"key columns must have equal lengths, got {sorted(lengths)}")

    @classmethod
    def from_keys(cls, keys: Iterable[SequenceKey]) -> Labels:
        """Columns from a list of keys."""
        rows = list(keys)
        return cls(
            subject=np.array([key.subject for key in rows], dtype=object),
            condition=np.array([key.condition for key in rows], dtype=object),
            take=np.array([key.take for key in rows], dtype=np.int64),
            view=np.array([np.nan if k.view is None else k.view for k in rows], dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.take)

    def __repr__(self) -> str:
        conditions = ", ".join(self.conditions())
        views = ", ".join(map(format_view, self.views())) or "unknown"
        return (
            f"<Labels of {counted(len(self), 'sequence')} of "
            f"{counted(len(self.subjects()), 'person')}\n conditions {conditions:.100}; views "
            f"{views:.100}>"
        )

    def key(self, row: int) -> SequenceKey:
        """The key of one row."""
        view = float(self.view[row])
        return SequenceKey(
            str(self.subject[row]),
            str(self.condition[row]),
            int(self.take[row]),
            None if isnan(view) else view,
        )

    def keys(self) -> list[SequenceKey]:
        """All keys, in row order."""
        return [self.key(row) for row in range(len(self))]

    def first_again(self) -> tuple[int, int] | None:
        """The first row whose key an earlier one has, after that one; `None` where there is none.

        Examples
        --------
        >>> keys = [SequenceKey(name, "nm", 1, None) for name in ("ann", "bob", "bob")]
        >>> Labels.from_keys(keys).first_again()
        (1, 2)
        """
        # No two NaN are equal, and two unknown views are.
        view = np.where(np.isnan(self.view), np.inf, self.view)
        columns = (self.subject, self.condition, self.take, view)
        met: dict[tuple[Any, ...], int] = {}
        for row, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            if met.setdefault(key, row) != row:
                return met[key], row
        return None

    def select(self, rows: NDArray[Any] | Sequence[int] | slice) -> Labels:
        """Rows chosen by a mask, indices or a slice."""
        return Labels(self.subject[rows], self.condition[rows], self.take[rows], self.view[rows])

    def subjects(self) -> list[str]:
        """The distinct subjects, sorted."""
        return sorted(set(self.subject.tolist()))

    def conditions(self) -> list[str]:
        """The distinct conditions, sorted."""
        return sorted(set(self.condition.tolist()))

    def views(self) -> list[float]:
        """The distinct known views, ascending, degrees."""
        known = self.view[~np.isnan(self.view)]
        return [float(view) for view in np.unique(known)]
