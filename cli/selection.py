"""The options of `show` and `export` that choose sequences, and how they choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gaitkit.cli import options
from gaitkit.errors import OptionError
from gaitkit.printable import LETTERS, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gaitkit.labels import Labels

__all__ = ["choose", "selection"]


def selection(command: options.Function) -> options.Function:
    """``--subject``, ``--condition`` and ``--view``, each repeatable."""
    for decorate in (
        click.option(
            "--view", "views", type=float, multiple=True, help="Only these views, degrees."
        ),
        click.option("--condition", "conditions", multiple=True, help="Only these conditions."),
        click.option("--subject", "subjects", multiple=True, help="Only these subjects."),
    ):
        command = decorate(command)
    return command


def choose(
    labels: Labels,
    subjects: Sequence[str],
    conditions: Sequence[str],
    views: Sequence[float],
) -> NDArray[np.intp]:
    """Rows of the chosen sequences.

    Raises
    ------
    OptionError
        A name that the artefact does not have, or a combination that leaves nothing.
    """
    import numpy as np

    mask = np.ones(len(labels), dtype=bool)
    for option, wanted, column, known in (
        ("--subject", subjects, labels.subject, labels.subjects()),
        ("--condition", conditions, labels.condition, labels.conditions()),
        ("--view", views, labels.view, labels.views()),
    ):
        missing = [_as_typed(name) for name in wanted if name not in known]
        if missing:
            names = [_as_typed(name) for name in known]
            if len(names) > 12:
                names = [*names[:5], "…", *names[-2:]]
            there = ", ".join(names) or "none"
            raise OptionError(
                f"There is no {option.removeprefix('--')} {missing[0]}; the artefact has {there}.",
                hint=f"Give one of these to {option}, or leave it out for all."
                if names
                else f"Leave {option} out: no {option.removeprefix('--')} is known.",
            )
        if wanted:
            mask &= np.isin(column, np.array(list(wanted), dtype=column.dtype))
    if not mask.any():
        raise OptionError("No sequence has this combination of subject, condition and view.")
    return np.flatnonzero(mask)


def _as_typed(name: object) -> str:
    """A name or a view as one types it: 91, not 91.0."""
    return f"{name:g}" if isinstance(name, float) else printable(str(name), LETTERS)
