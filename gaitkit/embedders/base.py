"""What every embedder is: a model that turns GEIs, or sets of silhouettes, into vectors.

A vector tells who somebody is: those of one person are near each other, whatever the view and the
clothes. It has parts, one for each strip of the body, which are compared strip by strip. The loop,
device, precision, checkpoints and history are those of all models (`gaitkit.training`).
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.analysis.discriminants import LinearPart
from gaitkit.analysis.fitting import fit_linear
from gaitkit.artifacts import Artifact
from gaitkit.embedders.augmentation import Augmentation
from gaitkit.embedders.config import EmbedderConfig
from gaitkit.embedders.losses import (
    batch_all_triplets,
    part_distances,
    softmax_over_people,
    softmax_over_views,
)
from gaitkit.embedders.networks.parts import (
    EmbeddingNet,
    PartMatrices,
    ViewMatrices,
)
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.registry import EMBEDDER
from gaitkit.embedders.sampling import GeiSampler, PeopleSampler, SetBatch
from gaitkit.embedders.validation import Validation, hold_out
from gaitkit.errors import OptionError, TrainingError
from gaitkit.identification.metrics import Metric, get_metric
from gaitkit.labels import Labels
from gaitkit.parallel import Progress
from gaitkit.printable import counted
from gaitkit.training import store
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.data import TrainingData
from gaitkit.training.history import History
from gaitkit.training.images import with_channels
from gaitkit.training.model import Model
from gaitkit.training.options import TrainingOptions
from gaitkit.training.registry import ModelKind
from gaitkit.training.schedules import average_of, average_weight, update_average

__all__ = ["EMBEDDING_BATCH", "ConfigT", "Embedder", "load", "load_opened", "varied_by"]

ConfigT = TypeVar("ConfigT", bound=EmbedderConfig)
Computed = TypeVar("Computed")

EMBEDDING_BATCH = 64
"""Images embedded at once, always; the last batch is filled up with blanks."""

_COLLAPSED_ROWS = 5
_COLLAPSED_SHARE = 0.02
_SETTLING_STEPS = 200


class Embedder(Model[ConfigT]):
    """Base of all embedders; see `Model` for the parameters and attributes.

    Networks: ``E``; with the setting `ema_decay` also ``E_average``, which then embeds.
    """

    kind: ClassVar[ModelKind] = EMBEDDER
    config_class: ClassVar[type[EmbedderConfig]]
    options_class: ClassVar[type[TrainingOptions]] = EmbedderOptions
    reads: ClassVar[str] = "gei"
    """Kind of the artefact that it embeds: ``gei`` or ``silhouettes``."""
    data_class: ClassVar[type[Any]]
    """What holds that in memory: `GeiSet` or `SilhouetteSet`."""
    draws_frames: ClassVar[bool] = False
    """Whether a batch holds frames of each sequence, and not one example of it."""
    each: int = 2
    """Examples of each person in a batch, as the sampler makes them up."""

    @staticmethod
    @abstractmethod
    def build_network(config: Any) -> EmbeddingNet:
        """The network with arbitrary weights, on torch's default device."""

    @classmethod
    @abstractmethod
    def open_data(cls, path: Path | str) -> TrainingData:
        """What it embeds, from an artefact.

        Raises
        ------
        ArtifactError
            The file is damaged, or of another kind.
        """

    def fit(
        self,
        data: Any,
        subjects: Sequence[str] | None = None,
        *,
        views: Sequence[float | None] | None = None,
        conditions: Sequence[str] | None = None,
        takes: Sequence[int] | None = None,
        callbacks: Callbacks | None = None,
        progress: bool | Progress | None = None,
        **options: Any,
    ) -> Self:
        """Train on the images of training people.

        Parameters
        ----------
        data : array, sequence of arrays, GeiSet, SilhouetteSet or path
            GEIs, shape (n, height, width): grey values 0..255, or floats 0..1 (see
            `gaitkit.training.geis.grey_values`); or aligned silhouettes of each sequence, shape
            (frames, height, width) each; or an artefact of what the embedder reads. Arrays need
            `subjects`.
        subjects : sequence of str, optional
            Who each GEI or sequence shows.
        views, conditions, takes : sequence, optional
            See `gaitkit.training.geis.GeiSet.from_arrays`.
        callbacks : Callbacks, optional
            What the caller wants to be told.
        progress : bool or callable, optional
            Whether there is a progress bar; by default where somebody sees it. A function is
            called with the number of finished iterations and their total.
        **options
            Fields of `gaitkit.embedders.options.EmbedderOptions`.

        Returns
        -------
        Embedder
            Itself; the history is in `training`.

        Raises
        ------
        OptionError
            An option is unknown or out of its range, or the images are not what it reads.
        TrainingError
            Too few people or sequences, or the training goes wrong.
        DeviceError
            The device fails.
        """
        columns = {"views": views, "conditions": conditions, "takes": takes}
        if isinstance(data, str | os.PathLike):
            data = self.open_data(Path(data))
        if isinstance(data, self.data_class):
            if subjects is not None or any(column is not None for column in columns.values()):
                raise OptionError(
                    "`subjects`, `views`, `conditions` and `takes` label arrays",
                    hint=f"A {self.data_class.__name__} or an artefact has labels of its own.",
                )
        elif subjects is None:
            raise OptionError(
                "Arrays need to be told whom they show",
                hint="Give `subjects`, and `views` and `conditions` where they are known.",
            )
        else:
            data = self.data_class.from_arrays(data, subjects, **columns)
        return self.fit_data(data, options, callbacks, progress)

    @abstractmethod
    def embed(self, data: Any) -> NDArray[np.float32]:
        """The embeddings of images.

        Returns
        -------
        ndarray of float32, shape (n, parts, values)
        """

    @abstractmethod
    def pieces_of(self, source: Artifact) -> Iterator[slice]:
        """Which rows of an artefact are embedded together, one after the other."""

    @abstractmethod
    def embed_rows(self, source: Artifact, rows: slice) -> NDArray[np.float32]:
        """The embeddings of some rows of an artefact, shape (n, parts, values)."""

    @abstractmethod
    def rate_at(self, step: int, iterations: int) -> float:
        """Step size of the optimiser after so many of all iterations, as a share of the largest."""

    @classmethod
    def build_networks(cls, config: EmbedderConfig) -> dict[str, nn.Module]:
        """E, and its average where the config asks for it."""
        network = cls.build_network(config)
        if config.has_linear:
            part, *of_mean = map(LinearPart, config.linear_sizes)
            network.add_linear(part, config.linear_weight, *of_mean)
        networks: dict[str, nn.Module] = {"E": network}
        if config.ema_decay > 0:
            networks["E_average"] = average_of(network)
        return networks

    def init_weights(self, generator: torch.Generator) -> None:
        """Kaiming's normal numbers for convolutions, Xavier's for the parts' matrices.

        The average starts as the network.
        """
        for module in self.networks["E"].modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, a=0.1, nonlinearity="leaky_relu", generator=generator
                )
            elif isinstance(module, PartMatrices):
                for matrix in module.weight:
                    nn.init.xavier_uniform_(matrix, generator=generator)
            elif isinstance(module, ViewMatrices):
                nn.init.zeros_(module.change)
                nn.init.xavier_uniform_(module.tell.weight, generator=generator)
                nn.init.zeros_(module.tell.bias)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.reset_parameters()
        if "E_average" in self.networks:
            self.networks["E_average"].load_state_dict(self.networks["E"].state_dict())

    def used_networks(self) -> tuple[str, ...]:
        """The one that embeds."""
        return ("E_average" if "E_average" in self.networks else "E",)

    @property
    def network(self) -> EmbeddingNet:
        """The network that embeds."""
        return cast(EmbeddingNet, self.networks[self.used_networks()[0]])

    @property
    def distance(self) -> Metric:
        """How its embeddings, each laid out as one row of values, are compared."""
        return get_metric(self.config.metric).for_parts(self.parts)

    @property
    def parts(self) -> int:
        """Into how many parts its embeddings are divided: its strips, and the linear part's."""
        return self.strips + sum(sizes.vectors for sizes in self.config.linear_sizes)

    @property
    @abstractmethod
    def strips(self) -> int:
        """How many horizontal parts the network has."""

    def before_step(self) -> None:
        """The step size, which changes over a training, and the weight of the newest state."""
        factor = self.rate_at(self.steps_done, self.iterations)
        self.set_learning_rate("E", self.config.learning_rate * factor)
        if self.config.ema_decay > 0:
            self.schedule("average", average_weight(self.config.ema_decay, self.steps_done + 1))

    def train_step(self, batch: SetBatch) -> dict[str, torch.Tensor]:
        """One step down the losses that the config asks for.

        E minimises the batch-all triplet loss of each part, and the cross-entropy of telling the
        training people apart by the batch-normalised embedding, the mean over the parts of each;
        by option also the triplet loss of the mean over the parts, by which people are compared,
        and the cross-entropy of telling the views apart.
        """
        network = cast(EmbeddingNet, self.networks["E"])
        with self.runtime.autocast():
            embedding, views = network.embedding_and_views(network.pooled(batch.images))
        embedding = embedding.to(self.runtime.dtype)
        config, values = self.config, {}
        # A process has its own part of the people, and compares them with each other.
        people = len(batch) // self.each
        distances = part_distances(embedding)
        triplets = batch_all_triplets(distances, people, config.margin)
        loss = torch.zeros((), dtype=self.runtime.dtype, device=embedding.device)
        if config.triplet_weight > 0:
            loss = loss + config.triplet_weight * triplets.loss
            values["E.triplet"] = triplets.loss.detach()
        if config.whole_weight > 0:
            whole = batch_all_triplets(distances.mean(dim=0, keepdim=True), people, config.margin)
            loss = loss + config.whole_weight * whole.loss
            values["E.whole"] = whole.loss.detach()
        if network.neck is not None:
            softmax = softmax_over_people(network.neck(embedding), batch.subject, config.smoothing)
            loss = loss + config.softmax_weight * softmax
            values["E.softmax"] = softmax.detach()
        if views is not None:
            told = softmax_over_views(views.to(self.runtime.dtype), batch.view)
            loss = loss + config.view_weight * told
            values["E.view"] = told.detach()
        values["gradient.E"] = self.update("E", loss)
        values["triplets.nonzero"] = triplets.nonzero
        values["distance.same"], values["distance.others"] = triplets.same, triplets.others
        if config.ema_decay > 0:
            update_average(self.networks["E_average"], network, self.schedules["average"])
        return values

    def meet(self, sampler: PeopleSampler, iterations: int) -> None:
        """Keep how batches are made up.

        Raises
        ------
        TrainingError
            A process's part of a batch would have no two people.
        """
        super().meet(sampler, iterations)
        self.each = sampler.each
        if sampler.people % self.world.size or sampler.people < 2 * self.world.size:
            least, there = 2 * self.world.size, len(sampler.subjects)
            raise TrainingError(
                f"{counted(self.world.size, 'process', 'processes')} cannot share batches of "
                f"{counted(sampler.people, 'person')}: each needs whole people, at least two.",
                # More than there are would be asked for in vain: all of them are shown then.
                hint=f"Give a number of `people` that is a multiple of {self.world.size}, from "
                f"{least} to {there}."
                if there >= least
                else f"There are only {there} people to learn from: train in fewer processes.",
            )

    def fit_fixed(self, sampler: PeopleSampler) -> None:
        """Compute the parts by discriminant analysis, which no gradient teaches."""
        analyses = cast(EmbeddingNet, self.networks["E"]).analyses
        if not analyses:
            return
        images, *labels = sampler.examples()
        for place, part in enumerate(analyses):
            # The second one sees the mean of several images.
            seen = images if place == 0 else np.rint(images.mean(axis=1)).astype(np.uint8)
            fit_linear(part, seen, *labels)
            for network in self.networks.values():
                own = cast(EmbeddingNet, network).analyses[place]
                own.load_state_dict(part.state_dict())

    def check_course(self, history: History) -> None:
        """Stop a training in which all embeddings have become one.

        Raises
        ------
        TrainingError
            In each of the last rows nearly every triplet term was the margin itself, and different
            people lay a small part of it apart.
        """
        steps, names = history.steps, history.names
        if len(steps) < _COLLAPSED_ROWS or steps[-_COLLAPSED_ROWS] <= _SETTLING_STEPS:
            return
        column = names.index("distance.others")
        apart = [row[column] for row in history.losses[-_COLLAPSED_ROWS:]]
        if max(apart) < _COLLAPSED_SHARE * self.config.margin:
            raise TrainingError(
                f"Training has collapsed by iteration {steps[-1]:,}: embeddings of different "
                f"people lie {apart[-1]:.2g} apart, where the margin is {self.config.margin:g}; "
                "all are the same.",
                hint="Train again (`restart=True`) with a lower learning_rate, more people in a "
                "batch (`people`), or softmax_weight above 0; gaitkit models NAME lists the "
                "settings.",
            )

    def warn_at_end(self, values: Mapping[str, float]) -> None:
        """Nothing: a collapse is an error at any time."""

    def scorer_for(self, data: TrainingData, options: EmbedderOptions) -> Validation | None:
        """Held-out people, identified by their embeddings."""
        if not options.validation_subjects:
            return None
        condition = options.normal_condition
        held_out = hold_out(
            data.labels, options.validation_subjects, condition=condition, seed=options.seed
        )
        return Validation(data, held_out, condition)

    def image_sampler(
        self,
        images: NDArray[np.uint8],
        learned: Labels,
        everybody: Labels,
        options: EmbedderOptions,
    ) -> GeiSampler:
        """What draws examples that are one image each, or a few that are seen at once.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, [channels,] height, width)
            Of those who are learned from.
        learned, everybody : Labels
            Their key columns, and those of all training people.
        options : EmbedderOptions
            How batches are made up.
        """
        return GeiSampler(
            images,
            learned,
            everybody.subjects(),
            people=options.people,
            each=options.batch_size // options.people,
            balanced=options.balanced,
            bodies=options.bodies,
            views=everybody.views(),
            augmentation=varied_by(options),
            seed=options.seed,
            device=self.runtime.device,
            dtype=self.runtime.dtype,
        )

    def vectors_of(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings of images, shape (n, [channels,] height, width)."""
        grey = torch.from_numpy(np.ascontiguousarray(images))
        size = EMBEDDING_BATCH
        batches = [grey[start : start + size] for start in range(0, len(grey), size)]
        found = [
            vectors[: len(batch)].float().cpu().numpy()
            for batch, vectors in zip(
                batches, self.batches_through(self.network, batches, size), strict=True
            )
        ]
        return np.concatenate([self.no_vectors(), *found])

    def no_vectors(self) -> NDArray[np.float32]:
        """The embeddings of nothing."""
        return np.empty((0, self.parts, self.config.values), dtype=np.float32)

    def batches_through(
        self,
        compute: Callable[[torch.Tensor], Computed],
        batches: Iterable[torch.Tensor],
        most: int,
    ) -> Iterator[Computed]:
        """What the network, in eval mode, makes of images, on the device.

        Parameters
        ----------
        compute : callable
            The network or a method of it; is given (most, channels, height, width) in [0, 1].
        batches : iterable of Tensor of uint8, shape (n, [channels,] height, width)
            Grey values 0..255 on the host, up to `most` at a time.
        most : int
            Images computed at once, always; a smaller batch is filled up with blanks, so that the
            bytes of an embedding do not depend on what stands beside it.

        Yields
        ------
        object
            What `compute` gives. What blanks give is still there: the bytes of what is computed
            next depend on how many there are, too.
        """
        with self.runtime.active(), self._evaluating():
            for frames in batches:
                seen = with_channels(frames)
                filled = torch.zeros((most, *seen.shape[1:]), dtype=torch.uint8)
                filled[: len(seen)] = seen
                images = filled.to(self.runtime.device).to(self.runtime.dtype) / 255.0
                yield compute(images)


def varied_by(options: EmbedderOptions) -> Augmentation:
    """How a training's examples are varied."""
    return Augmentation(**{item.name: vars(options)[item.name] for item in fields(Augmentation)})


def load(
    path: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Embedder[Any]:
    """Read an embedder of any name; see `gaitkit.training.store.load`."""
    found = store.load(path, EMBEDDER, device=device, threads=threads, weights=weights)
    return cast(Embedder[Any], found)


def load_opened(
    artifact: Artifact,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Embedder[Any]:
    """`load`, from an artefact that is open (guarded) because more of it is needed."""
    found = store.load_opened(artifact, EMBEDDER, device=device, threads=threads, weights=weights)
    return cast(Embedder[Any], found)
