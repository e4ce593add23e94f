"""What every translator is to the training loop and to the stages: one class with four verbs.

Build networks from a config; do one training step on a batch; translate a batch; give its state as
arrays and take it back. Device, precision, sampling, checkpoints and history live elsewhere, and
know nothing of any one system.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.training import state
from gaitkit.training.distributed import World
from gaitkit.training.runtime import Runtime
from gaitkit.training.sampling import Batch, TripleSampler
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.translating import ConfigT, Translating

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.training.loop import Training

__all__ = ["Translator"]


class Translator(Translating[ConfigT]):
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
        How precisely to train: see `gaitkit.training.runtime.Runtime.choose`.
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

    default_training: ClassVar[Mapping[str, Any]] = {}
    """Fields of `TrainingOptions` whose defaults are others than GaitGAN's."""
    wants_positive: ClassVar[bool] = False
    """Whether a batch is to hold any GEI of each source's person beside it."""

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
        """Train on GEIs; see `gaitkit.training.loop.fit` for the options."""
        # Imported late: the loop is built on this class, not this class on the loop.
        from gaitkit.training.loop import fit

        fit(self, geis, **options)
        return self

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write a translator artefact; see `gaitkit.training.store.save`."""
        from gaitkit.training.store import save

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
        """Read a translator artefact; see `gaitkit.training.store.load`."""
        from gaitkit.errors import WrongKindError
        from gaitkit.training.store import load

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
