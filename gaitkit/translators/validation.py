"""Scoring a training as it goes, on training people who are held out of learning.

GaitGAN's discriminators win in the end and its identification rate falls again, so the last
weights are not the best ones. Which are is asked of people *of the training set*, never of the
tested ones: some are held out, and every so often their GEIs are translated and identified across
views, as an evaluation would do with the tested people.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import TrainingError
from gaitkit.identification.features import pixels
from gaitkit.identification.held_out import (
    Score,
    chosen_people,
    cross_view_rates,
    enrolled_rows,
    searchable_people,
)
from gaitkit.labels import Labels, format_view
from gaitkit.printable import counted
from gaitkit.training.health import not_finite

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.translators.base import Translator

__all__ = ["Score", "Validation", "cross_view_rates", "enrolled_rows", "hold_out"]

_log = logging.getLogger(__name__)


def hold_out(
    labels: Labels, count: int, *, target_view: float, target_condition: str, seed: int
) -> tuple[str, ...]:
    """Choose the people to be held out of learning.

    Only those are chosen who have a target and can be both enrolled and searched in another view.

    Parameters
    ----------
    labels : Labels
        Key columns of the training people's GEIs.
    count : int
        How many.
    target_view, target_condition
        What a target is.
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
    is_target = (labels.view == target_view) & (labels.condition == target_condition)
    with_target = set(labels.subject[is_target].tolist())
    usable = sorted(with_target & set(searchable_people(labels, target_condition)))
    if count > len(usable) or len(with_target) - count < 2:
        raise TrainingError(
            f"{counted(count, 'person')} cannot be held out for validation: of "
            f"{counted(len(labels.subjects()), 'training person')} {len(with_target):,} have a "
            f"target (a GEI of view {format_view(target_view)} and condition {target_condition}), "
            f"of whom {len(usable):,} can also be enrolled and searched across views, and at least "
            "two must be left to learn from.",
            hint="Hold out fewer people, or use a protocol with more training people.",
        )
    return chosen_people(usable, count, seed)


class Validation:
    """The held-out people: their GEIs, who is enrolled and who is searched.

    Parameters
    ----------
    geis : GeiSet
        The training people's GEIs, those of the held-out ones among them.
    subjects : sequence of str
        The held-out people, as from `hold_out`.
    target_condition : str
        The normal walk.

    Attributes
    ----------
    subjects : tuple of str
        Their names.
    conditions : tuple of str
        Conditions that are searched, sorted: the names of a score's rates.
    """

    def __init__(self, geis: GeiSet, subjects: Sequence[str], target_condition: str) -> None:
        rows = np.isin(geis.labels.subject.astype(str), subjects) & ~np.isnan(geis.labels.view)
        self._images: NDArray[Any] = geis.images[rows]
        self._labels = geis.labels.select(rows)
        self._gallery = enrolled_rows(geis.labels, target_condition)[rows]
        self.subjects = tuple(subjects)
        self.conditions = tuple(self._labels.select(~self._gallery).conditions())
        _log.info("held out for validation: %s", ", ".join(self.subjects))

    def score(self, translator: Translator[Any]) -> Score:
        """Translate everything and identify by nearest neighbour (pixels, Euclidean).

        Raises
        ------
        TrainingError
            A translation holds values that are not numbers.
        """
        translated = translator.translate(self._images)
        if not np.isfinite(translated).all():
            raise not_finite("a translated image", "not a number", translator.steps_done)
        return Score(
            cross_view_rates(
                pixels(translated),
                self._labels,
                self._gallery,
                threads=translator.runtime.threads,
            )
        )
