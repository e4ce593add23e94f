"""What every translator is to the training loop and to the stages: one class with four verbs.

Build networks from a config; do one training step on a batch; translate a batch; give its state as
arrays and take it back. Device, precision, sampling, checkpoints and history live elsewhere, and
know nothing of any one system.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.translators import state
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.distributed import World
from gaitkit.translators.domains import LabelledConfig, check_aim
from gaitkit.translators.images import from_network, to_network
from gaitkit.translators.runtime import Runtime
from gaitkit.translators.sampling import Batch, TripleSampler

if TYPE_CHECKING:
    from gaitkit.translators.geis import GeiSet
    from gaitkit.translators.training import Training

__all__ = ["OFFERS", "TRANSLATION_BATCH", "Translator"]

TRANSLATION_BATCH = 64
"""Images translated at once, always; the last batch is filled up with blanks.

A convolution may be computed in another order for another batch size, so a fixed one makes the
bytes of a translation independent of what stands beside it.
"""

OFFERS = {
    "views": "any view and condition that it has learned (--to-view, --to-condition)",
    "strength": "how strongly (--strength)",
    "embedding": "a feature of its own (evaluate --feature embedding)",
    "data sets": "several data sets with different labels (--also)",
}
"""What a system may offer, and where a user meets it."""

ConfigT = TypeVar("ConfigT", bound=TranslatorConfig)


class Translator(ABC, Generic[ConfigT]):
    """Base of all translators.

    Parameters
    ----------
    config : TranslatorConfig
        The system's settings; its defaults when left out.
    seed : int
        Fixes the starting weights, whatever the device.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    precision : {"auto", "fp32", "tf32", "bf16", "fp64"}
        How precisely to train: see `gaitkit.translators.runtime.Runtime.choose`.
    threads : int, optional
        Threads of one operation on the CPU; torch's own number when left out.
    mode : {"auto", "eager", "cuda-graph"}
        Whether to replay training steps from a recording.

    Attributes
    ----------
    networks : dict of str to Module
        Every network, by its name in the paper; all of them are in the artefact.
    optimizers : dict of str to Optimizer
        Every optimiser; each parameter belongs to at most one.
    preprocessing : dict
        How the GEIs that it learned from were made (the artefact's parameters).
    steps_done : int
        Training steps done; advanced by the loop, after `train_step`.
    schedules : dict of str to Tensor
        Numbers that change from step to step, 0-d on the device; see `schedule`.
    training : Training or None
        The training so far, when `fit` was called.
    people : int
        How many people a training's batches show; `Batch.subject` is below it.
    iterations : int
        Length of the training, for what changes in its course.
    world : World
        The processes that train it together; see `join`.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[TranslatorConfig]]
    summary: ClassVar[str] = ""
    """What it is, in one line."""
    source: ClassVar[str] = ""
    """Where it was published."""
    needs: ClassVar[str] = "training people with GEIs of the target view and condition"
    """What it learns from."""
    offers: ClassVar[frozenset[str]] = frozenset()
    """What it can do beside translating to the target: some of `OFFERS`."""
    default_training: ClassVar[Mapping[str, Any]] = {}
    """Fields of `TrainingOptions` whose defaults are others than GaitGAN's."""
    wants_positive: ClassVar[bool] = False
    """Whether a batch is to hold another GEI of each source's person."""

    def __init__(
        self,
        config: ConfigT | None = None,
        *,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        mode: str = "auto",
    ) -> None:
        self.config: ConfigT = self._default_config() if config is None else config
        self.runtime = Runtime.choose(device, precision, threads, mode)
        self.preprocessing: dict[str, Any] = {}
        self.training: Training | None = None
        # torch's layers draw weights when they are made, which are replaced below.
        with torch.random.fork_rng(devices=[]):
            self.networks = self.build_networks(self.config)
        generator = torch.Generator().manual_seed(seed)
        self.init_weights(generator)
        for network in self.networks.values():
            network.to(device=self.runtime.device, dtype=self.runtime.dtype)
            # The type stubs of torch 2.13 do not know this overload.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizers = self.build_optimizers()
        self.seed = seed
        self.steps_done = 0
        self.schedules: dict[str, torch.Tensor] = {}
        self.people = 0
        self.iterations = 0
        self.world = World()

    @classmethod
    def _default_config(cls) -> Any:
        return cls.config_class()

    @staticmethod
    @abstractmethod
    def build_networks(config: Any) -> dict[str, nn.Module]:
        """Every network with arbitrary weights, on torch's default device."""

    @abstractmethod
    def init_weights(self, generator: torch.Generator) -> None:
        """Draw the starting weights from a generator on the CPU."""

    @abstractmethod
    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimisers over the networks' parameters."""

    @abstractmethod
    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One iteration: every optimiser's steps on one batch.

        It may be recorded once and replayed: nothing in it may depend on a number on the host that
        changes from step to step, such as `steps_done`, nor wait for the device.

        Returns
        -------
        dict of str to Tensor
            The terms of the losses and the health of the training, detached scalars on the device;
            in steps of one kind always the same names.
        """

    def needs_targets(self) -> bool:
        """Whether it learns from people with a target only."""
        return True

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Called once before a training: look at the people and images that it shows.

        What is kept of them belongs into the networks, as buffers: it is then in every file.

        Parameters
        ----------
        sampler : TripleSampler
            Draws the training's batches.
        iterations : int
            How long it will go on.

        Raises
        ------
        TrainingError
            The system cannot learn from them.
        """
        self.people = len(sampler.subjects)
        self.iterations = iterations

    def before_step(self) -> None:
        """Called before every `train_step`: set what changes from step to step by `schedule`."""

    def step_kind(self) -> Hashable:
        """Which of several programs the next `train_step` runs.

        A system whose steps differ, for instance one that updates its generator every fifth time,
        returns another value for each kind of step. Steps of one kind do the same operations.
        """
        return None

    def schedule(self, name: str, value: float) -> None:
        """Set a number that changes from step to step where `train_step` reads it.

        It becomes the 0-d tensor ``schedules[name]`` on the device, changed in place, so that a
        replayed step sees the new value.
        """
        if name not in self.schedules:
            self.schedules[name] = torch.zeros(
                (), dtype=self.runtime.dtype, device=self.runtime.device
            )
        self.schedules[name].fill_(value)

    def set_learning_rate(self, optimizer: str, value: float) -> None:
        """Change an optimiser's step size, from `before_step`.

        Where steps are recorded it is a tensor on the device, changed in place, as a recording
        holds the number that it was made with.
        """
        for group in self.optimizers[optimizer].param_groups:
            if self.runtime.mode == "eager":
                group["lr"] = value
            elif isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = torch.tensor(value, device=self.runtime.device)

    def translating(self) -> tuple[str, ...]:
        """Names of the networks that `translate_batch` uses: those kept of the best state."""
        return tuple(self.networks)

    @abstractmethod
    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """Translate images of shape (n, 1, height, width) in [-1, 1].

        The networks are in eval mode and no gradient is recorded. `aim` is one that `check_aim`
        has let pass.
        """

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """The system's own feature of images, shape (n, d); only where it offers "embedding"."""
        raise NotImplementedError(f"{self.name} offers no embedding")

    def check_aim(self, aim: Aim) -> None:
        """Refuse what the system cannot show.

        Raises
        ------
        OptionError
            It offers no such choice, or never saw that view or condition.
        """
        for offer, asked in (
            ("views", aim.view is not None or aim.condition is not None),
            ("strength", aim.strength != 1.0),
        ):
            if asked and offer not in self.offers:
                what = "another view or condition" if offer == "views" else "another strength"
                raise OptionError(
                    f"The system {self.name!r} cannot be asked for {what}.",
                    hint="gaitkit models says which systems can.",
                )
        if aim.view is not None or aim.condition is not None:
            check_aim(cast(LabelledConfig, self.config), aim)

    def translate(
        self,
        geis: GeiSet | NDArray[Any],
        aim: Aim | None = None,
        *,
        batch_size: int = TRANSLATION_BATCH,
    ) -> NDArray[np.float32]:
        """Translate GEIs to the 90° normal-walking GEI of the same person, or to another aim.

        Batch normalisation uses the running statistics of training, so an image's translation
        depends on nothing beside it. Always computed in float32 (or fp64 when so built).

        Parameters
        ----------
        geis : GeiSet, or ndarray of uint8 or float32 of shape (n, height, width)
            Grey values 0..255.
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
        self.check_aim(aim or Aim())
        images = geis if isinstance(geis, np.ndarray) else geis.images
        result = np.empty(images.shape, dtype=np.float32)
        for rows, source in self._in_batches(images, batch_size):
            output = from_network(self.translate_batch(source, aim))
            result[rows] = output.cpu().numpy()[: rows.stop - rows.start]
        return result

    def embed(self, geis: GeiSet | NDArray[Any]) -> NDArray[np.float32]:
        """The system's own feature of GEIs, for systems that offer "embedding".

        Parameters
        ----------
        geis : GeiSet, or ndarray of uint8 or float32 of shape (n, height, width)
            Grey values 0..255.

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
        images = geis if isinstance(geis, np.ndarray) else geis.images
        parts = [
            self.embed_batch(source).float().cpu().numpy()[: rows.stop - rows.start]
            for rows, source in self._in_batches(images)
        ]
        # Without images there is no part that would tell the length.
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def _in_batches(
        self, images: NDArray[Any], batch_size: int = TRANSLATION_BATCH
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Batches of one size, the last one filled up, for the networks in eval mode."""
        self._check_size(images)
        blank = np.zeros((batch_size, *self.config.image_size), dtype=images.dtype)
        with self.runtime.active(), self._evaluating():
            for start in range(0, len(images), batch_size):
                part = images[start : start + batch_size]
                blank[: len(part)] = part
                source = to_network(torch.from_numpy(blank).to(self.runtime.device))
                yield slice(start, start + len(part)), source.to(self.runtime.dtype)

    def _check_size(self, images: NDArray[Any]) -> None:
        if images.ndim != 3 or images.shape[1:] != self.config.image_size:
            height, width = self.config.image_size
            raise OptionError(
                f"expected GEIs of shape (n, {height}, {width}), got {images.shape}",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        modes = {name: network.training for name, network in self.networks.items()}
        for network in self.networks.values():
            network.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            for name, network in self.networks.items():
                network.train(modes[name])

    def join(self, world: World) -> None:
        """Train together with other processes, each on its part of a batch.

        On GPUs, batch normalisation then sees the whole batch (SyncBatchNorm, which exists there
        only); on CPUs each process normalises its part, and running statistics are averaged. Steps
        are not recorded: no process could record a step that another one fails to.
        """
        self.world = world
        if world.size == 1:
            return
        self.runtime = replace(self.runtime, mode="eager", processes=world.size)
        if self.runtime.device == "cuda":
            convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
            for name, network in self.networks.items():
                self.networks[name] = convert(network)

    def agree(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """After a step: average what it returned, and running statistics, over all processes.

        Running statistics move linearly, so that averaging them after every step or once at the
        end gives the same; after every step, the state is the same in all processes at any time.
        """
        if self.world.size == 1:
            return values
        values = {name: value.to(self.runtime.dtype, copy=True) for name, value in values.items()}
        buffers = [buffer for network in self.networks.values() for buffer in network.buffers()]
        statistics = [buffer for buffer in buffers if buffer.is_floating_point()]
        self.world.average_([*values.values(), *statistics])
        return values

    def update(self, optimizer: str, loss: torch.Tensor) -> torch.Tensor:
        """One step of one optimiser down the gradient of a loss.

        The gradient is taken with respect to that optimiser's parameters only: nothing leaks into
        the networks that merely pass it on, which need no freezing.

        Returns
        -------
        Tensor
            The gradient's L2 norm over all parameters, a detached scalar on the device; with
            several processes, that of the gradient averaged over them.
        """
        (norm,) = self.update_together((optimizer,), loss)
        return norm

    def update_together(self, optimizers: Sequence[str], loss: torch.Tensor) -> list[torch.Tensor]:
        """One step of each of several optimisers down one loss; the norm of each's gradient."""
        steppers = [self.optimizers[name] for name in optimizers]
        parameters = [
            [weight for group in stepper.param_groups for weight in group["params"]]
            for stepper in steppers
        ]
        gradients = list(torch.autograd.grad(loss, list(chain(*parameters))))
        self.world.average_(gradients)
        norms = []
        for stepper, weights in zip(steppers, parameters, strict=True):
            own, gradients = gradients[: len(weights)], gradients[len(weights) :]
            for weight, gradient in zip(weights, own, strict=True):
                # Fused optimisers walk a weight and its gradient as they lie in memory, and a
                # second derivative may lie otherwise.
                same = gradient.stride() == weight.stride()
                weight.grad = gradient if same else torch.empty_like(weight).copy_(gradient)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
            with torch.no_grad():
                norms.append(torch.linalg.vector_norm(torch.stack(list(torch._foreach_norm(own)))))
        return norms

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, running statistics and optimiser states as arrays.

        Returns
        -------
        dict of str to ndarray
            ``weights/NETWORK/…`` and ``optimizer/NAME/…``, copies in host memory.
        """
        return state.network_arrays(self.networks) | state.optimizer_arrays(
            self.optimizers, self.networks
        )

    def load_state_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state_arrays` gave; without optimiser states they start anew.

        Raises
        ------
        ArtifactError
            When an array is missing, left over, or has another shape or type.
        """
        state.load_networks(self.networks, arrays)
        state.load_optimizers(self.optimizers, self.networks, arrays)

    @classmethod
    def expected_shapes(cls, config: TranslatorConfig) -> dict[str, tuple[int, ...]]:
        """Shape of every weight array for a config, found without allocating any."""
        with torch.device("meta"):
            networks = cls.build_networks(config)
        return {name: tuple(tensor.shape) for name, tensor in state.named_tensors(networks).items()}

    def fit(self, geis: GeiSet, **options: Any) -> Self:
        """Train on GEIs; see `gaitkit.translators.training.fit` for the options."""
        # Imported late: the loop is built on this class, not this class on the loop.
        from gaitkit.translators.training import fit

        fit(self, geis, **options)
        return self

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write a translator artefact; see `gaitkit.translators.store.save`."""
        from gaitkit.translators.store import save

        save(self, Path(path), overwrite=overwrite)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: str = "auto",
        threads: int | None = None,
        weights: str | None = None,
    ) -> Self:
        """Read a translator artefact; see `gaitkit.translators.store.load`."""
        from gaitkit.errors import WrongKindError
        from gaitkit.translators.store import load

        translator = load(Path(path), device=device, threads=threads, weights=weights)
        if not isinstance(translator, cls):
            raise WrongKindError(
                f"{path} holds a translator of the system {translator.name!r}, not {cls.name!r}.",
                hint="Use gaitkit.translators.load, which takes any.",
            )
        return translator

    def parameter_counts(self) -> dict[str, int]:
        """Number of learned values of every network."""
        return {
            name: sum(weight.numel() for weight in network.parameters())
            for name, network in self.networks.items()
        }
