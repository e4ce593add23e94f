"""Scoring an embedder as it learns, on training people who are held out of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import TrainingError
from gaitkit.identification.held_out import (
    Score,
    chosen_people,
    cross_view_rates,
    enrolled_rows,
    searchable_people,
)
from gaitkit.labels import Labels
from gaitkit.printable import counted
from gaitkit.training.health import not_finite

if TYPE_CHECKING:
    from gaitkit.embedders.base import Embedder
    from gaitkit.training.data import TrainingData

__all__ = ["Validation", "hold_out"]

_log = logging.getLogger(__name__)


def with_views(labels: Labels) -> Labels:
    """Labels as they are scored: where no view is known, each take counts as one of its own.

    Held-out people are identified across views. Own recordings often have none; then a walk is
    searched among those of the other takes.
    """
    if not np.isnan(labels.view).all():
        return labels
    return replace(labels, view=labels.take.astype(np.float64))


def hold_out(labels: Labels, count: int, *, condition: str, seed: int) -> tuple[str, ...]:
    """Choose the people to be held out of learning: some who can be enrolled and searched.

    Parameters
    ----------
    labels : Labels
        Key columns of the training people's sequences.
    count : int
        How many.
    condition : str
        The normal walk, by which they are enrolled.
    seed : int
        Of the choice.

    Returns
    -------
    tuple of str
        Their names, sorted.

    Raises
    ------
    TrainingError
        Too few people can be held out, or fewer than two would be left to learn from.
    """
    usable = searchable_people(with_views(labels), condition)
    people = len(labels.subjects())
    if count > len(usable) or people - count < 2:
        raise TrainingError(
            f"{counted(count, 'person')} cannot be held out for validation: of "
            f"{counted(people, 'training person')} {len(usable):,} can be enrolled (a sequence of "
            f"the condition {condition}) and searched in another view or take, and at least two "
            "must be left to learn from.",
            hint="Hold out fewer people, or use a protocol with more training people.",
        )
    return chosen_people(usable, count, seed)


class Validation:
    """The held-out people: their sequences, who is enrolled and who is searched.

    Parameters
    ----------
    data : TrainingData
        The training people's, those of the held-out ones among them.
    subjects : sequence of str
        The held-out people, as from `hold_out`.
    condition : str
        The normal walk.

    Attributes
    ----------
    subjects : tuple of str
        Their names.
    conditions : tuple of str
        Conditions that are searched, sorted: the names of a score's rates.
    """

    def __init__(self, data: TrainingData, subjects: Sequence[str], condition: str) -> None:
        self._data = data.of_subjects(subjects)
        self._labels = with_views(self._data.labels)
        # Whether takes are CASIA-B's is seen in everybody's.
        everybody = enrolled_rows(with_views(data.labels), condition)
        named = data.labels.subject.astype(str)
        self._gallery: NDArray[np.bool_] = everybody[np.isin(named, list(subjects))]
        self._used = ~np.isnan(self._labels.view)
        self.subjects = tuple(subjects)
        searched = self._used & ~self._gallery
        self.conditions = tuple(self._labels.select(searched).conditions())
        _log.info("held out for validation: %s", ", ".join(self.subjects))

    def score(self, embedder: Embedder[Any]) -> Score:
        """Embed everything and identify by nearest neighbour.

        Raises
        ------
        TrainingError
            An embedding holds values that are not numbers.
        """
        vectors = embedder.embed(self._data)
        if not np.isfinite(vectors).all():
            raise not_finite("an embedding", "not a number", embedder.steps_done)
        used = self._used
        return Score(
            cross_view_rates(
                vectors.reshape(len(vectors), -1)[used],
                self._labels.select(used),
                self._gallery[used],
                metric=embedder.distance,
                threads=embedder.runtime.threads,
            )
        )
