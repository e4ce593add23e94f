"""Draws training triples on the device: a source, a target of that person, one of another.

All GEIs lie on the device as uint8. A batch is four integer draws for each triple and a gather; no
loader, no copy from the host.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.analysis.discriminants import UNKNOWN_VIEW
from gaitkit.errors import TrainingError
from gaitkit.labels import Labels, format_view
from gaitkit.printable import counted
from gaitkit.training.images import shift_images, to_network, warp_bodies, warp_grid
from gaitkit.training.sampling import Sampler, TensorBatch

__all__ = ["Batch", "TripleSampler"]

_log = logging.getLogger(__name__)

_DRAW_BELOW = 2**62
"""Draws are reduced modulo small counts; from this range the bias is below 1e-13."""


@dataclass(frozen=True)
class Batch(TensorBatch):
    """Training triples on the device.

    Attributes
    ----------
    source, target, unrelated : Tensor, shape (n, 1, height, width)
        In [-1, 1]: a GEI of person p, a target GEI of p (of somebody else where p has none), a
        target GEI of another person.
    rows, target_rows, unrelated_rows : Tensor of int64, shape (n,)
        Their rows in the sampler's GEIs.
    subject, view, condition : Tensor of int64, shape (n,)
        The source's person, view and condition as indices into the sampler's `subjects`, `views`
        and `conditions`; an unknown view is -1.
    unrelated_subject : Tensor of int64, shape (n,)
        The other person.
    positive : Tensor, shape (n or 0, 1, height, width)
        Where they are asked for: any GEI of p.
    positive_rows : Tensor of int64, shape (n or 0,)
        Likewise.
    dataset : Tensor of int64, shape (n,)
        Which data set p is of.
    """

    source: torch.Tensor
    target: torch.Tensor
    unrelated: torch.Tensor
    rows: torch.Tensor
    target_rows: torch.Tensor
    unrelated_rows: torch.Tensor
    subject: torch.Tensor
    view: torch.Tensor
    condition: torch.Tensor
    unrelated_subject: torch.Tensor
    positive: torch.Tensor
    positive_rows: torch.Tensor
    dataset: torch.Tensor


class TripleSampler(Sampler):
    """Draws triples from the GEIs of training people.

    Sources are all their GEIs, whatever view and condition, the target's own included. Targets are
    a person's GEIs of the target view and condition, any take.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
        The training people's GEIs.
    labels : Labels
        Their key columns.
    target_view : float
        Degrees.
    target_condition : str
        Usually the normal walk.
    balanced : bool
        Draw the source's condition first, each equally often (GaitGANv2's list of training does
        that); otherwise all sources are equally likely.
    shift : int
        Move each source by up to so many pixels both ways.
    warp : float
        Strength of random changes of body proportions, the same for a triple's three images; see
        `gaitkit.training.images.warp_grid`.
    seed : int
        Of the draws. The same seed draws differently on another kind of device.
    device : str or torch.device
        Where the GEIs lie.
    dtype : torch.dtype
        Of the images in a batch.
    domains : tuple of (views, conditions), optional
        The vocabulary of the labels, when it is larger than what these GEIs have.
    dataset : ndarray of int64, shape (n,), optional
        Which data set each GEI is of, from 0.
    positives : bool
        Also draw any GEI of each source's person, which may be the source itself.
    need_targets : bool
        Leave out people who have no target.

    Attributes
    ----------
    images : Tensor of uint8, shape (n, height, width)
        The GEIs, on the device.
    labels : Labels
        Their key columns.
    subjects, conditions : tuple of str
        Vocabulary of the indices in a batch.
    views : tuple of float
        Likewise, degrees ascending.
    shown : ndarray of bool, shape (n,)
        Rows of people who are drawn; the others' are not learned from.
    target_rows : ndarray of int64
        The targets' rows.
    label_known : Tensor of bool, shape (data sets, views + conditions)
        Which labels occur in each data set.
    left_out : tuple of str
        People who have no target GEI and are therefore not drawn.

    Raises
    ------
    TrainingError
        When fewer than two people have a target.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: Labels,
        *,
        target_view: float = 90.0,
        target_condition: str = "nm",
        balanced: bool = False,
        shift: int = 0,
        warp: float = 0.0,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        domains: tuple[Sequence[float], Sequence[str]] | None = None,
        dataset: NDArray[np.int64] | None = None,
        positives: bool = False,
        need_targets: bool = True,
    ) -> None:
        super().__init__(seed, device)
        is_target = (labels.view == target_view) & (labels.condition == target_condition)
        everybody = sorted(set(labels.subject.tolist()))
        with_target = sorted(set(labels.subject[is_target].tolist()))
        usable = with_target if need_targets else everybody
        self.left_out = tuple(sorted(set(everybody) - set(usable)))
        what = f"GEI of view {format_view(target_view)} and condition {target_condition}"
        if self.left_out:
            _log.warning(
                "%s of %s have no %s and are left out: %s",
                f"{len(self.left_out):,}",
                counted(len(self.left_out) + len(usable), "training person"),
                what,
                ", ".join(self.left_out),
            )
        if len(with_target) < 2:
            raise TrainingError(
                f"Training needs at least two people who have a {what}; found {len(with_target):,} "
                f"among {counted(len(labels), 'GEI')} of {counted(len(everybody), 'person')}.",
                hint="Check who is trained on, and their views and conditions; `target_view` and "
                "`target_condition` choose other targets.",
            )
        self.subjects = tuple(usable)
        views, conditions = domains or (labels.views(), labels.conditions())
        self.views, self.conditions = tuple(views), tuple(conditions)
        self.labels = labels
        self._dtype, self._positives = dtype, positives
        self._shift, self._warp = shift, warp
        sets = np.zeros(len(labels), dtype=np.int64) if dataset is None else dataset
        self._tables(images, labels, is_target, balanced, sets, torch.device(device))

    def _tables(
        self,
        images: NDArray[np.uint8],
        labels: Labels,
        is_target: NDArray[np.bool_],
        balanced: bool,
        dataset: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        def on_device(values: NDArray[np.int64]) -> torch.Tensor:
            return torch.from_numpy(values).to(device)

        number = {name: index for index, name in enumerate(self.subjects)}
        subject = np.array([number.get(name, -1) for name in labels.subject], dtype=np.int64)
        kind = {name: index for index, name in enumerate(self.conditions)}
        condition = np.array([kind[name] for name in labels.condition], dtype=np.int64)
        views = np.array(self.views)
        view = np.where(np.isnan(labels.view), UNKNOWN_VIEW, np.searchsorted(views, labels.view))
        # Sources in groups of which each is equally likely: the conditions, or only one group.
        group = condition if balanced else np.zeros(len(labels), dtype=np.int64)
        self.shown = subject >= 0
        sources = np.flatnonzero(self.shown)
        sources = sources[np.argsort(group[sources], kind="stable")]
        _, group_start, group_count = np.unique(
            group[sources], return_index=True, return_counts=True
        )
        # Targets in order of person: a person's are one run, everybody else's are the rest.
        targets = np.flatnonzero(is_target & self.shown)
        targets, start, count = self._runs(targets, subject)
        own, own_start, own_count = self._runs(np.flatnonzero(self.shown), subject)
        self.target_rows = targets
        known = np.zeros((dataset.max(initial=0) + 1, len(self.views) + len(self.conditions)))
        known[dataset[view >= 0], view[view >= 0]] = 1
        known[dataset, len(self.views) + condition] = 1
        self.label_known = torch.from_numpy(known > 0).to(device)
        self._dataset = on_device(dataset.astype(np.int64))
        self._own, self._own_start = on_device(own), on_device(own_start)
        self._own_count = on_device(own_count)
        self.images = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        self._subject, self._condition = on_device(subject), on_device(condition)
        self._view = on_device(view.astype(np.int64))
        self._sources, self._targets = on_device(sources), on_device(targets)
        self._group_start, self._group_count = on_device(group_start), on_device(group_count)
        self._start, self._count = on_device(start), on_device(count)

    def _runs(
        self, rows: NDArray[np.int64], subject: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows in order of person, and where each person's begin and how many they are."""
        rows = rows[np.argsort(subject[rows], kind="stable")]
        people = np.arange(len(self.subjects))
        start = np.searchsorted(subject[rows], people)
        return rows, start, np.searchsorted(subject[rows], people, side="right") - start

    def draw(
        self, size: int, generator: torch.Generator | None = None, *, varied: bool = True
    ) -> Batch:
        """Draw triples.

        Parameters
        ----------
        size : int
            Number of triples.
        generator : torch.Generator, optional
            To be used instead of the sampler's own, which then does not move.
        varied : bool
            Whether to shift and warp, as the sampler was told.
        """
        random = self._generator if generator is None else generator
        draws = torch.randint(_DRAW_BELOW, (4, size), generator=random, device=self.images.device)
        group = draws[0] % len(self._group_count)
        rows = self._sources[self._group_start[group] + draws[1] % self._group_count[group]]
        person = self._subject[rows]
        start, count = self._start[person], self._count[person]
        # Somebody without targets is given anybody's: their start is where theirs would be.
        target_rows = self._targets[(start + draws[2] % count.clamp_min(1)) % len(self._targets)]
        # Draw among the others' targets as if the person's own run were cut out.
        other = draws[3] % (len(self._targets) - count)
        unrelated_rows = self._targets[other + torch.where(other >= start, count, 0)]
        # The high bits of a draw whose low ones are used: another stream of draws would change
        # what systems without positives see.
        own_rows = self._own[self._own_start[person] + (draws[2] >> 31) % self._own_count[person]]
        positive_rows = own_rows if self._positives else own_rows[:0]
        batch = Batch(
            source=self._gather(rows),
            target=self._gather(target_rows),
            unrelated=self._gather(unrelated_rows),
            rows=rows,
            target_rows=target_rows,
            unrelated_rows=unrelated_rows,
            subject=person,
            view=self._view[rows],
            condition=self._condition[rows],
            unrelated_subject=self._subject[unrelated_rows],
            positive=self._gather(positive_rows),
            positive_rows=positive_rows,
            dataset=self._dataset[rows],
        )
        return self._vary(batch, random) if varied else batch

    def _vary(self, batch: Batch, random: torch.Generator) -> Batch:
        if self._warp > 0:
            size = (batch.source.shape[2], batch.source.shape[3])
            grid = warp_grid(
                len(batch.rows), size, self._warp, generator=random, device=self.images.device
            )
            batch = replace(
                batch,
                source=warp_bodies(batch.source, grid),
                target=warp_bodies(batch.target, grid),
                unrelated=warp_bodies(batch.unrelated, grid),
                positive=warp_bodies(batch.positive, grid) if self._positives else batch.positive,
            )
        if self._shift > 0:
            batch = replace(batch, source=shift_images(batch.source, self._shift, random))
        return batch

    def _gather(self, rows: torch.Tensor) -> torch.Tensor:
        return to_network(self.images[rows]).to(self._dtype)

    def examples(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """The GEIs of all who are drawn, not varied; whose they are, and from where, as numbers.

        Returns
        -------
        ndarray of uint8, shape (n, height, width)
        ndarray of int64, shape (n,)
            The place of each one's person in `subjects`.
        ndarray of int64, shape (n,)
            The place of the view in `views`, or `gaitkit.analysis.discriminants.UNKNOWN_VIEW`.
        """
        rows = torch.from_numpy(np.flatnonzero(self.shown)).to(self.images.device)
        found = self.images[rows], self._subject[rows], self._view[rows]
        images, subject, view = (column.cpu().numpy() for column in found)
        return images, subject, view

    def mean_targets(self) -> NDArray[np.float64]:
        """Mean target GEI of each of the `subjects`, in [-1, 1], shape (people, pixels)."""
        images = to_network(self.images[self._targets]).flatten(1).double().cpu().numpy()
        subject = self._subject[self._targets].cpu().numpy()
        sums = np.zeros((len(self.subjects), images.shape[1]))
        np.add.at(sums, subject, images)
        counts = np.bincount(subject, minlength=len(sums))
        means: NDArray[np.float64] = sums / np.maximum(counts, 1)[:, None]
        return means
