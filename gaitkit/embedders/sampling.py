"""What an embedder learns from: batches of several people, each with several sequences.

All draws are made on the CPU, so that a seed draws the same on every device.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.analysis.discriminants import UNKNOWN_VIEW
from gaitkit.embedders.augmentation import Augmentation, augmented
from gaitkit.embedders.silhouette_sets import MeanFrame, SilhouetteSet
from gaitkit.errors import TrainingError
from gaitkit.labels import Labels
from gaitkit.printable import counted
from gaitkit.training.images import warp_draws, with_channels
from gaitkit.training.sampling import Sampler, TensorBatch

__all__ = ["DrawnRows", "GeiSampler", "PeopleSampler", "SetBatch", "SetSampler", "other_bodies"]

_log = logging.getLogger(__name__)


_BODIES_SEED = 20_260_000  # Any number: it fixes who else there is.


@dataclass(frozen=True)
class SetBatch(TensorBatch):
    """Sequences of several people, equally many of each, person by person.

    Attributes
    ----------
    images : Tensor, shape (n, frames, height, width)
        In [0, 1], varied at random; a GEI is a set of one frame.
    subject : Tensor of int64, shape (n,)
        Who it is: a number for each of all training people, or for each of their bodies.
    view : Tensor of int64, shape (n,)
        From where: a number for each of all views of the training people, or `UNKNOWN_VIEW`.
    """

    images: torch.Tensor
    subject: torch.Tensor
    view: torch.Tensor


class DrawnRows(NamedTuple):
    """Sequences of several people, equally many of each, person by person.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Rows of the labels.
    subject : Tensor of int64, shape (n,)
        Whose they are.
    proportions : Tensor, shape (n, 7), or None
        To what bodies they are warped, as `gaitkit.training.images.warp_draws` has them.
    """

    rows: NDArray[np.int64]
    subject: torch.Tensor
    proportions: torch.Tensor | None


def other_bodies(count: int) -> torch.Tensor:
    """Proportions of so many bodies, always the same ones; the first is one's own.

    Few people teach a network, and each of them is one body only. Warped alike in every view and
    in all clothes, somebody is another person, who has to be told from the first by nothing but
    the body.

    Returns
    -------
    Tensor, shape (count, 7)
        As `gaitkit.training.images.warp_draws` has them, none beyond two standard deviations.
    """
    drawn = warp_draws(count, torch.Generator().manual_seed(_BODIES_SEED)).clamp(-2.0, 2.0)
    drawn[0] = 0.0
    return drawn


class PeopleSampler(Sampler):
    """Draws people, and sequences of each.

    Parameters
    ----------
    labels : Labels
        Key columns of the sequences of those who are learned from.
    everybody : sequence of str
        All training people, those who are held out as well: what `SetBatch.subject` counts.
    people, each : int
        Different people in a batch, at most, and sequences of each.
    balanced : bool
        Draw every condition of a person equally often, otherwise every sequence.
    bodies : int
        As how many different people each person is shown; see `other_bodies`.
    views : sequence of float, optional
        What `SetBatch.view` counts, degrees: those of all training people. By default those of
        `labels`.
    seed : int
        Of the draws.

    Attributes
    ----------
    subjects : tuple of str
        Who is drawn.
    people, each : int
        Of a batch.

    Raises
    ------
    TrainingError
        There are fewer than two people with two sequences each.
    """

    def __init__(
        self,
        labels: Labels,
        everybody: Sequence[str],
        *,
        people: int,
        each: int,
        balanced: bool = False,
        bodies: int = 1,
        views: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed, "cpu")
        self._view = torch.from_numpy(
            _numbers_of(labels.views() if views is None else views, labels)
        )
        self.people, self.each = people, each
        self._bodies = other_bodies(bodies)
        named = labels.subject.astype(str)
        rows = {name: np.flatnonzero(named == name) for name in labels.subjects()}
        self.subjects = tuple(rows)
        several = sum(len(its) > 1 for its in rows.values())
        if several < 2:
            raise TrainingError(
                f"An embedding learns from pairs: at least two people with two sequences each. "
                f"Found {counted(len(rows), 'person')}, {several} of whom have two.",
                hint="Check who is trained on; a protocol with more training people, or fewer "
                "`validation_subjects`, leaves more to learn from.",
            )
        if len(rows) < people:
            _log.info(
                "batches of %s instead of %s: there are no more",
                counted(len(rows), "person"),
                f"{people:,}",
            )
            self.people = len(rows)
        number = {name: index for index, name in enumerate(everybody)}
        self._number = torch.tensor([number[name] for name in self.subjects])
        self._person = np.array([number[name] for name in named], dtype=np.int64)
        condition = labels.condition.astype(str)
        # Of each person the rows in groups, of which each is equally likely.
        self._groups = [
            [its[condition[its] == name] for name in np.unique(condition[its])]
            if balanced
            else [its]
            for its in rows.values()
        ]

    @abstractmethod
    def mean_images(self) -> NDArray[np.uint8]:
        """The GEIs of every sequence that is learned from, shape (n, [channels,] height, width)."""

    def examples(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """The GEIs of all that is learned from; whose they are, and from where, as numbers.

        Returns
        -------
        ndarray of uint8, shape (n, [channels,] height, width)
        ndarray of int64, shape (n,)
            A number for each person who is drawn.
        ndarray of int64, shape (n,)
            A number for each view, or `UNKNOWN_VIEW`.
        """
        return self.mean_images(), self._person, self._view.numpy()

    def draw_rows(self) -> DrawnRows:
        """Which sequences the next batch shows, person by person."""
        chosen = torch.randperm(len(self.subjects), generator=self._generator)[: self.people]
        drawn = [self._of_person(self._groups[person], self.each) for person in chosen.tolist()]
        number, proportions = self._number[chosen], None
        if len(self._bodies) > 1:
            body = torch.randint(len(self._bodies), (self.people,), generator=self._generator)
            number = number * len(self._bodies) + body
            proportions = self._bodies[body].repeat_interleave(self.each, dim=0)
        return DrawnRows(np.concatenate(drawn), number.repeat_interleave(self.each), proportions)

    def _of_person(self, groups: list[NDArray[np.int64]], count: int) -> NDArray[np.int64]:
        """Rows of one person; none twice before all of its group have been drawn."""
        random = self._generator
        turns = torch.randperm(len(groups), generator=random).tolist()
        wanted = [len(range(turn, count, len(groups))) for turn in range(len(groups))]
        found = []
        for group, some in zip(turns, wanted, strict=True):
            rows = groups[group]
            rounds = [
                torch.randperm(len(rows), generator=random) for _ in range(0, some, len(rows))
            ]
            if rounds:
                found.append(rows[torch.cat(rounds)[:some].numpy()])
        return np.concatenate(found)


def _numbers_of(views: Sequence[float], labels: Labels) -> NDArray[np.int64]:
    """The place of each row's view among some, or `UNKNOWN_VIEW`."""
    place = {view: number for number, view in enumerate(views)}
    return np.array([place.get(float(view), UNKNOWN_VIEW) for view in labels.view], dtype=np.int64)


class GeiSampler(PeopleSampler):
    """Draws GEIs.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, [channels,] height, width)
        The GEIs of those who are learned from, one of each sequence or several.
    labels, everybody, people, each, balanced, bodies, views, seed
        See `PeopleSampler`.
    augmentation : Augmentation
        How they are varied.
    device : str or torch.device
        Where the batches are to lie.
    dtype : torch.dtype
        Of the images in a batch.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: Labels,
        everybody: Sequence[str],
        *,
        people: int,
        each: int,
        balanced: bool = False,
        bodies: int = 1,
        views: Sequence[float] | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(
            labels,
            everybody,
            people=people,
            each=each,
            balanced=balanced,
            bodies=bodies,
            views=views,
            seed=seed,
        )
        self._images = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        self._augmentation = augmentation or Augmentation()
        self._dtype = dtype

    def mean_images(self) -> NDArray[np.uint8]:
        """The GEIs themselves."""
        return self._images.cpu().numpy()

    def draw(self, size: int) -> SetBatch:
        """A batch of GEIs, which moves the state on; its size is `people` times `each`."""
        rows, subject, proportions = self.draw_rows()
        device = self._images.device
        images = self._images[torch.from_numpy(rows).to(device)].to(self._dtype) / 255.0
        images = augmented(with_channels(images), self._augmentation, self._generator, proportions)
        return SetBatch(images, subject.to(device), self._view[rows].to(device))


class SetSampler(PeopleSampler):
    """Draws sequences, and frames of each: a set, whose order means nothing.

    Parameters
    ----------
    silhouettes : SilhouetteSet
        The sequences of those who are learned from.
    everybody, people, each, balanced, bodies, views, seed
        See `PeopleSampler`.
    frames : int
        Frames of each sequence, no frame twice but of sequences that have fewer.
    augmentation : Augmentation
        How they are varied, all frames of a set alike.
    device : str or torch.device
        Where the batches are to lie.
    dtype : torch.dtype
        Of the images in a batch.
    """

    def __init__(
        self,
        silhouettes: SilhouetteSet,
        everybody: Sequence[str],
        *,
        people: int,
        each: int,
        frames: int,
        balanced: bool = False,
        bodies: int = 1,
        views: Sequence[float] | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(
            silhouettes.labels,
            everybody,
            people=people,
            each=each,
            balanced=balanced,
            bodies=bodies,
            views=views,
            seed=seed,
        )
        self._silhouettes, self._lengths = silhouettes, silhouettes.lengths
        self._frames = frames
        self._augmentation = augmentation or Augmentation()
        self._device, self._dtype = device, dtype

    def draw(self, size: int) -> SetBatch:
        """A batch of sets, which moves the state on; its size is `people` times `each`."""
        rows, subject, proportions = self.draw_rows()
        sets = [self._silhouettes.some(row, self._drawn(row)) for row in rows.tolist()]
        grey = torch.from_numpy(np.stack(sets)).to(self._device)
        images = augmented(
            grey.to(self._dtype) / 255.0, self._augmentation, self._generator, proportions
        )
        return SetBatch(images, subject.to(self._device), self._view[rows].to(self._device))

    def mean_images(self) -> NDArray[np.uint8]:
        """The means of all frames of each sequence, as whole grey values."""
        return np.stack([self._mean(row) for row in range(len(self._lengths))])

    def _mean(self, row: int) -> NDArray[np.uint8]:
        mean = MeanFrame()
        for frames in self._silhouettes.blocks(row, int(self._lengths[row])):
            mean.add(frames)
        return np.asarray(np.rint(255.0 * mean.value), dtype=np.uint8)

    def _drawn(self, row: int) -> NDArray[np.int64]:
        """Which frames of a sequence."""
        length, random = int(self._lengths[row]), self._generator
        if length < self._frames:
            return torch.randint(length, (self._frames,), generator=random).numpy()
        return torch.randperm(length, generator=random)[: self._frames].numpy()
