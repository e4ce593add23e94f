"""How GEIs were made: what travels with a model, and what must agree before it translates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaitkit.artifacts.schema import brief, differences
from gaitkit.errors import MixtureError

__all__ = [
    "PREPROCESSING",
    "brief",
    "first_difference",
    "preprocessing_of",
    "refuse_other_preprocessing",
]

PREPROCESSING = ("silhouettes", "gei")
"""Sections of a GEI artefact's parameters that say how its GEIs were made."""


def preprocessing_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of an artefact's parameters that say how its GEIs were made."""
    return {name: parameters[name] for name in PREPROCESSING if name in parameters}


def refuse_other_preprocessing(
    path: Path,
    found: Mapping[str, Any],
    found_size: tuple[int, int],
    learned: Mapping[str, Any],
    learned_size: tuple[int, int],
) -> None:
    """Raise unless GEIs were made in the same way as those that a model learned from.

    Parameters
    ----------
    path : Path
        The GEIs' file, for the message.
    found, learned : mapping
        What `preprocessing_of` gives for the GEIs and for the model's.
    found_size, learned_size : tuple of int
        Height and width, pixels.

    Raises
    ------
    MixtureError
        Naming the first parameter that differs, with both values.
    """
    difference = first_difference(found, found_size, learned, learned_size)
    if difference is not None:
        raise MixtureError(
            f"{path} was made differently from what the model learned: {difference}.",
            hint="Make the GEIs again with the model's options (gaitkit inspect shows them), or "
            "train a model on these GEIs.",
        )


def first_difference(
    found: Mapping[str, Any],
    found_size: tuple[int, int],
    other: Mapping[str, Any],
    other_size: tuple[int, int],
) -> str | None:
    """In what two sets of GEIs were made differently, for a message; `None` where in nothing.

    Parameters
    ----------
    found, other : mapping
        What `preprocessing_of` gives.
    found_size, other_size : tuple of int
        Height and width, pixels.
    """
    differing = []
    if found_size != other_size:
        differing.append(("size", "{}×{}".format(*found_size), "{}×{}".format(*other_size)))
    differing += differences(found, other)
    if not differing:
        return None
    name, here, there = differing[0]
    more = f" ({len(differing) - 1} more differ)" if len(differing) > 1 else ""
    return f"{name} is {here} here, {there} there{more}"
