"""Scoring a training as it goes, on training people who are held out of learning.

GaitGAN's discriminators win in the end and its identification rate falls again, so the last
weights are not the best ones. Which are is asked of people *of the training set*, never of the
tested ones: some are held out, and every so often their GEIs are translated and identified across
views, as an evaluation would do with the tested people.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import TrainingError
from gaitkit.identification.crossview import cross_view_rates as mean_rates
from gaitkit.identification.features import pixels
from gaitkit.labels import Labels, format_view
from gaitkit.training.health import not_finite

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.translators.base import Translator

__all__ = ["Score", "Validation", "cross_view_rates", "enrolled_rows", "hold_out"]

_log = logging.getLogger(__name__)

_CASIA_B_GALLERY = (1, 2, 3, 4)


@dataclass(frozen=True)
class Score:
    """How well held-out people are recognised across views by their translated GEIs.

    Attributes
    ----------
    rates : dict of str to float
        Rank-1 identification rate of each condition, per cent: the mean over the non-empty pairs
        of different views. NaN for a condition that has no such pair.
    """

    rates: dict[str, float]

    @property
    def mean(self) -> float:
        """The score: the mean over the conditions that have a rate, per cent."""
        return float(np.nanmean(list(self.rates.values())))


def enrolled_rows(labels: Labels, condition: str) -> NDArray[np.bool_]:
    """Which rows are the gallery: the first takes of the normal walk.

    Takes 1 to 4 where the data have these and later ones, as in the protocols of CASIA-B;
    otherwise the first half of each person's takes, rounded up.

    Parameters
    ----------
    labels : Labels
        Key columns, n rows.
    condition : str
        The normal walk.

    Returns
    -------
    ndarray of bool, shape (n,)
        Rows of an unknown view are never enrolled.
    """
    rows = np.asarray(labels.condition == condition, dtype=bool) & ~np.isnan(labels.view)
    takes = set(labels.take[rows].tolist())
    if takes > set(_CASIA_B_GALLERY):
        first: NDArray[np.bool_] = rows & np.isin(labels.take, _CASIA_B_GALLERY)
        return first
    enrolled = np.zeros(len(labels), dtype=bool)
    for subject in labels.subjects():
        own = rows & np.asarray(labels.subject == subject, dtype=bool)
        walks = np.unique(labels.take[own])
        enrolled |= own & np.isin(labels.take, walks[: (len(walks) + 1) // 2])
    return enrolled


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
    enrolled = enrolled_rows(labels, target_condition)
    views = _views_by_subject(labels, enrolled)
    searched = _views_by_subject(labels, ~enrolled & ~np.isnan(labels.view))
    usable = [
        name
        for name in sorted(with_target)
        if any(g != p for g in views.get(name, ()) for p in searched.get(name, ()))
    ]
    if count > len(usable) or len(with_target) - count < 2:
        raise TrainingError(
            f"{count} people cannot be held out for validation: of {len(labels.subjects())} "
            f"training people {len(with_target)} have a target (a GEI of view "
            f"{format_view(target_view)} and condition {target_condition}), of whom {len(usable)} "
            f"can also be enrolled and searched across views, and at least two must be left to "
            f"learn from.",
            hint="Hold out fewer people, or use a protocol with more training people.",
        )
    chosen = np.random.default_rng(seed).permutation(len(usable))[:count]
    return tuple(sorted(usable[index] for index in chosen))


def _views_by_subject(labels: Labels, rows: NDArray[np.bool_]) -> dict[str, set[float]]:
    views: dict[str, set[float]] = {}
    for subject, view in zip(labels.subject[rows], labels.view[rows], strict=True):
        views.setdefault(str(subject), set()).add(float(view))
    return views


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


def cross_view_rates(
    vectors: NDArray[Any],
    labels: Labels,
    gallery: NDArray[np.bool_],
    *,
    threads: int | None = None,
) -> dict[str, float]:
    """Rank-1 identification rates over different views, Euclidean, of each searched condition.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Features.
    labels : Labels
        Their key columns; all views are known.
    gallery : ndarray of bool, shape (n,)
        Enrolled rows; all others are searched.
    threads : int, optional
        Of the search; does not change the result.

    Returns
    -------
    dict of str to float
        As `Score.rates`.
    """
    conditions = labels.select(~gallery).conditions()
    probes = {
        name: ~gallery & np.asarray(labels.condition == name, dtype=bool) for name in conditions
    }
    return mean_rates(vectors, labels, gallery, probes, threads=threads)
