"""What every translator is: a model that takes GEIs and gives those of another view and condition.

A system is a subclass: it builds networks from a config, does one training step on a batch, and
translates a batch. The loop, device, precision, checkpoints and history are those of all models
(`gaitkit.training`), and know nothing of any one system.
"""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gaitkit.arguments import names_told, number
from gaitkit.artifacts import Artifact
from gaitkit.errors import OptionError
from gaitkit.parallel import Progress
from gaitkit.training import store
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.geis import GeiSet, grey_values
from gaitkit.training.history import Samples
from gaitkit.training.images import from_network
from gaitkit.training.model import Model
from gaitkit.training.options import TrainingOptions
from gaitkit.training.registry import ModelKind
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.domains import LabelledConfig, check_aim
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.registry import TRANSLATOR
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.validation import Validation, hold_out

__all__ = ["TRANSLATION_BATCH", "ConfigT", "Translator", "load", "load_opened"]

TRANSLATION_BATCH = 64
"""Images translated at once, always; the last batch is filled up with blanks.

A convolution may be computed in another order for another batch size, so a fixed one makes the
bytes of a translation independent of what stands beside it.
"""

_SAMPLES_SEED = 20170721  # Any number: it fixes which GEIs the sample sheets show.

ConfigT = TypeVar("ConfigT", bound=TranslatorConfig)


class Translator(Model[ConfigT]):
    """Base of all translators; see `Model` for the parameters and attributes.

    Examples
    --------
    >>> import numpy as np
    >>> from gaitkit.translators import GaitGAN
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    >>> model = GaitGAN(width=2, device="cpu").fit(
    ...     images, list("aabbccdd"), views=[0, 90] * 4, iterations=2, batch_size=4
    ... )
    >>> model.translate(images).shape
    (8, 32, 32)
    """

    kind: ClassVar[ModelKind] = TRANSLATOR
    config_class: ClassVar[type[TranslatorConfig]]
    options_class: ClassVar[type[TrainingOptions]] = TranslatorOptions
    needs: ClassVar[str] = "training people with GEIs of the target view and condition"
    """What it learns from."""
    adapted: ClassVar[tuple[str, ...]] = ()
    """Where it departs from its paper and the public implementation of that, and why; a line each.
    Empty where it computes the same."""
    offers: ClassVar[frozenset[str]] = frozenset()
    """What it can do beside translating to the target: some of `registry.OFFERS`."""
    wants_positive: ClassVar[bool] = False
    """Whether a batch is to hold any GEI of each source's person beside it."""

    @abstractmethod
    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One iteration: every optimiser's steps on one batch; see `Model.train_step`."""

    @abstractmethod
    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """Translate images of shape (n, 1, height, width) in [-1, 1].

        The networks are in eval mode and no gradient is recorded. `aim` is one that `check_aim`
        has let pass.
        """

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """The system's own feature of images, shape (n, d); only where it offers "embedding"."""
        raise NotImplementedError(f"{self.name} offers no embedding")

    def translating(self) -> tuple[str, ...]:
        """Names of the networks that `translate_batch` uses: those kept of the best state."""
        return tuple(self.networks)

    def needs_targets(self) -> bool:
        """Whether it learns from people with a target only."""
        return True

    @classmethod
    def open_data(cls, path: Path | str) -> GeiSet:
        """Measured GEIs; those that a translator has generated are refused."""
        return GeiSet.open(path)

    def used_networks(self) -> tuple[str, ...]:
        """Those that translate."""
        return self.translating()

    def sampler_for(
        self, learned: GeiSet, everybody: GeiSet, options: TranslatorOptions
    ) -> TripleSampler:
        """Triples of the GEIs of those who are learned from, labelled as everybody's are."""
        return TripleSampler(
            learned.images,
            learned.labels,
            target_view=options.target_view,
            target_condition=options.target_condition,
            balanced=options.balanced,
            shift=options.shift,
            warp=options.warp,
            seed=options.seed,
            device=self.runtime.device,
            dtype=self.runtime.dtype,
            domains=(everybody.labels.views(), everybody.labels.conditions()),
            dataset=learned.dataset_index,
            positives=self.wants_positive,
            need_targets=self.needs_targets(),
        )

    def scorer_for(self, data: GeiSet, options: TranslatorOptions) -> Validation | None:
        """Held-out people, identified by what they are translated to."""
        if not options.validation_subjects:
            return None
        held_out = hold_out(
            data.labels,
            options.validation_subjects,
            target_view=options.target_view,
            target_condition=options.target_condition,
            seed=options.seed,
        )
        return Validation(data, held_out, options.target_condition)

    def samples(self, sampler: TripleSampler, count: int) -> Samples:
        """A few sources, what they are translated to, and true targets of the same people."""
        generator = torch.Generator(self.runtime.device).manual_seed(_SAMPLES_SEED)
        batch = sampler.draw(count, generator, varied=False)
        sources, targets = _grey(batch.source), _grey(batch.target)
        generated = np.rint(self.translate(sources)).astype(np.uint8)
        return Samples(sources, generated, targets)

    @names_told
    def fit(
        self,
        images: GeiSet | Path | str | ArrayLike,
        subjects: Sequence[str] | None = None,
        *,
        views: Sequence[float | None] | None = None,
        conditions: Sequence[str] | None = None,
        takes: Sequence[int] | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        balanced: bool | None = None,
        shift: int | None = None,
        warp: float | None = None,
        target_view: float | None = None,
        target_condition: str | None = None,
        seed: int | None = None,
        log_every: int | None = None,
        sample_every: int | None = None,
        sample_count: int | None = None,
        validation_subjects: int | None = None,
        validate_every: int | None = None,
        callbacks: Callbacks | None = None,
        progress: bool | Progress | None = None,
    ) -> Self:
        """Train on GEIs.

        With `validation_subjects` the translator ends with its last weights; those that scored
        highest are in ``training.best``, are saved as well, and are what `load` takes.

        Parameters
        ----------
        images : array of shape (n, height, width), GeiSet or path
            The training people's GEIs: grey values 0..255, or floats 0..1 (see
            `gaitkit.training.geis.grey_values`); or a GEI artefact. An array needs `subjects`.
        subjects : sequence of str, optional
            Who each GEI shows.
        views : sequence of float, optional
            Degrees; `None` where unknown.
        conditions : sequence of str, optional
            How they walked; by default all normally, ``nm``.
        takes : sequence of int, optional
            Number of each walk; by default they are counted.
        iterations, batch_size, balanced, shift, warp, target_view, target_condition
            See `gaitkit.translators.options.TranslatorOptions`; by default as the system's paper
            trains it.
        seed, log_every, sample_every, sample_count, validation_subjects, validate_every
            Likewise; the seed is by default the model's.
        callbacks : Callbacks, optional
            What the caller wants to be told.
        progress : bool or callable, optional
            Whether there is a progress bar; by default where somebody sees it. A function is
            called with the number of finished iterations and their total.

        Returns
        -------
        Translator
            Itself; the history is in `training`.

        Raises
        ------
        OptionError
            An option is unknown or out of its range, the images are no GEIs, or have another size
            than the networks; the model has learned from other GEIs already.
        TrainingError
            Fewer than two people have a GEI of `target_view` and `target_condition`, or the
            training goes wrong.
        DeviceError
            The device fails.
        """
        labelled = subjects, views, conditions, takes
        if subjects is None or isinstance(images, GeiSet | str | os.PathLike):
            if any(column is not None for column in labelled):
                raise OptionError(
                    "`views`, `conditions` and `takes` label an array of GEIs, beside `subjects`",
                    hint="A GEI set or artefact has labels of its own.",
                )
            data = GeiSet.of(images)
        else:
            data = GeiSet.from_arrays(
                images, subjects, views=views, conditions=conditions, takes=takes
            )
        options = {
            "iterations": iterations,
            "batch_size": batch_size,
            "balanced": balanced,
            "shift": shift,
            "warp": warp,
            "target_view": target_view,
            "target_condition": target_condition,
            "seed": seed,
            "log_every": log_every,
            "sample_every": sample_every,
            "sample_count": sample_count,
            "validation_subjects": validation_subjects,
            "validate_every": validate_every,
        }
        return self.fit_data(data, options, callbacks, progress)

    def check_aim(self, aim: Aim) -> None:
        """Refuse what the system cannot show.

        Raises
        ------
        OptionError
            It offers no such choice, or never saw that view or condition; the strength is not a
            number.
        """
        if not isinstance(aim, Aim):
            raise OptionError(
                f"`aim` must be an Aim, got {aim!r:.60}.",
                hint='For instance `gaitkit.translators.Aim(view=54, condition="nm")`.',
            )
        for name, value in (("strength", aim.strength), ("view", aim.view)):
            if value is not None and not (isinstance(value, float) and not math.isfinite(value)):
                number(value, name)
        if not math.isfinite(aim.strength):
            raise OptionError(
                f"strength must be a number, got {aim.strength}",
                hint="1 is what the system does by itself, 0.5 goes halfway.",
            )
        if aim.view is not None and not math.isfinite(aim.view):
            raise OptionError(f"a view must be a number of degrees, got {aim.view}")
        for offer, asked in (
            ("views", aim.view is not None or aim.condition is not None),
            ("strength", aim.strength != 1.0),
        ):
            if asked and offer not in self.offers:
                what = "a view or condition" if offer == "views" else "another strength"
                raise OptionError(
                    f"The system {self.name!r} cannot be asked for {what}.",
                    hint="gaitkit models says which systems can.",
                )
        if aim.view is not None or aim.condition is not None:
            check_aim(cast(LabelledConfig, self.config), aim)

    @names_told
    def translate(
        self,
        geis: GeiSet | Path | str | ArrayLike,
        aim: Aim | None = None,
        *,
        batch_size: int = TRANSLATION_BATCH,
    ) -> NDArray[np.float32]:
        """Translate GEIs to the 90° normal-walking GEI of the same person, or to another aim.

        Batch normalisation uses the running statistics of training, so an image's translation
        depends on nothing beside it. Always computed in float32 (or fp64 when so built).

        Parameters
        ----------
        geis : array of shape (n, height, width), GeiSet or path
            Grey values 0..255, or floats 0..1 (see `gaitkit.training.geis.grey_values`).
        aim : Aim, optional
            What to show instead, where the system can.
        batch_size : int
            Images translated at once; another one may change a last digit.

        Returns
        -------
        ndarray of float32, shape (n, height, width)
            Grey values 0..255, not rounded.

        Raises
        ------
        OptionError
            When the images have another size than the networks, or the system cannot show `aim`.
        """
        self.check_aim(Aim() if aim is None else aim)
        images = _images(geis)
        result = np.empty(images.shape, dtype=np.float32)
        self._check_size(images)
        for rows, source in self.in_batches(images, batch_size):
            output = from_network(self.translate_batch(source, aim))
            result[rows] = output.cpu().numpy()[: rows.stop - rows.start]
        return result

    def embed(self, geis: GeiSet | Path | str | ArrayLike) -> NDArray[np.float32]:
        """The system's own feature of GEIs, for systems that offer "embedding".

        Parameters
        ----------
        geis : array of shape (n, height, width), GeiSet or path
            Grey values 0..255, or floats 0..1 (see `gaitkit.training.geis.grey_values`).

        Returns
        -------
        ndarray of float32, shape (n, d)
            To be compared by the Euclidean distance.

        Raises
        ------
        OptionError
            When the images have another size than the networks, or the system has no such feature.
        """
        if "embedding" not in self.offers:
            raise OptionError(f"The system {self.name!r} has no feature of its own.")
        images = _images(geis)
        self._check_size(images)
        parts = [
            self.embed_batch(source).float().cpu().numpy()[: rows.stop - rows.start]
            for rows, source in self.in_batches(images, TRANSLATION_BATCH)
        ]
        # Without images there is no part that would tell the length.
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def _check_size(self, images: NDArray[Any]) -> None:
        if images.ndim != 3 or images.shape[1:] != self.config.image_size:
            height, width = self.config.image_size
            raise OptionError(
                f"expected GEIs of shape (n, {height}, {width}), got {images.shape}",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )


def load(
    path: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Translator[Any]:
    """Read a translator of any system; see `gaitkit.training.store.load`."""
    found = store.load(path, TRANSLATOR, device=device, threads=threads, weights=weights)
    return cast(Translator[Any], found)


def load_opened(
    artifact: Artifact,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Translator[Any]:
    """`load`, from an artefact that is open (guarded) because more of it is needed."""
    found = store.load_opened(artifact, TRANSLATOR, device=device, threads=threads, weights=weights)
    return cast(Translator[Any], found)


def _images(geis: GeiSet | Path | str | ArrayLike) -> NDArray[Any]:
    """Grey values 0..255 of whatever GEIs come in."""
    if isinstance(geis, GeiSet | str | os.PathLike):
        return GeiSet.of(geis).images
    return grey_values(geis)


def _grey(images: torch.Tensor) -> NDArray[np.uint8]:
    return from_network(images).round().to(torch.uint8).cpu().numpy()
