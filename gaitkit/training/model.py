"""What every model is to the engine: one class with four verbs.

Build networks from a config; do one training step on a batch; apply the networks to a batch; give
its state as arrays and take it back. A kind of model (translators, for instance) adds what only
its models have: what a batch holds, how held-out people are scored, what it is applied to.
"""

from __future__ import annotations

import inspect
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.arguments import as_path, whole_number
from gaitkit.display import html_table
from gaitkit.errors import OptionError, WrongKindError, did_you_mean
from gaitkit.parallel import Progress
from gaitkit.printable import counted
from gaitkit.training import state, store
from gaitkit.training.callbacks import Callbacks, with_progress
from gaitkit.training.config import Config
from gaitkit.training.data import TrainingData
from gaitkit.training.distributed import World
from gaitkit.training.health import check_spread, warn_of_equal_images
from gaitkit.training.history import History, Samples
from gaitkit.training.images import to_network
from gaitkit.training.loop import Training
from gaitkit.training.options import TrainingOptions
from gaitkit.training.registry import ModelKind
from gaitkit.training.runtime import Runtime
from gaitkit.training.sampling import Sampler

__all__ = ["ConfigT", "Model", "Scorer", "lay_out"]

ConfigT = TypeVar("ConfigT", bound=Config)

_log = logging.getLogger(__name__)


class Score(Protocol):
    """How well held-out people are recognised, per cent."""

    @property
    def mean(self) -> float:
        """What decides which weights are the best."""

    @property
    def rates(self) -> dict[str, float]:
        """By condition."""


class Scorer(Protocol):
    """Scores a model on people who are held out of learning."""

    subjects: tuple[str, ...]

    def score(self, model: Any) -> Score:
        """Their score as the model stands."""


class Model(ABC, Generic[ConfigT]):
    """Base of all models.

    Parameters
    ----------
    config : Config
        The model's settings; its defaults when left out.
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
    **settings
        Fields of the config, to be changed. Without `config`, what the training's data decide
        (such as the size of the images) and is not given here, `fit` takes from the data.

    Attributes
    ----------
    networks : dict of str to Module
        Every network, by its name in the paper; all of them are in the artefact.
    optimizers : dict of str to Optimizer
        Every optimiser; each parameter belongs to at most one.
    preprocessing : dict
        How the images that it learned from were made (the artefact's parameters).
    steps_done : int
        Training steps done; advanced by the loop, after `train_step`.
    schedules : dict of str to Tensor
        Numbers that change from step to step, 0-d on the device; see `schedule`.
    training : Training or None
        The training so far, when `fit` was called.
    people : int
        How many people a training's batches show.
    iterations : int
        Length of the training, for what changes in its course.
    world : World
        The processes that train it together; see `join`.

    Raises
    ------
    OptionError
        When a setting is unknown or out of its bounds, or the machine cannot compute as asked.
    """

    kind: ClassVar[ModelKind]
    """What kind of model it is."""
    name: ClassVar[str]
    """Its name in the registry of its kind."""
    config_class: ClassVar[type[Any]]
    options_class: ClassVar[type[TrainingOptions]] = TrainingOptions
    """How its trainings are described."""
    default_training: ClassVar[Mapping[str, Any]] = {}
    """Fields of `options_class` whose defaults are others than that class's."""
    summary: ClassVar[str] = ""
    """What it is, in one line."""
    source: ClassVar[str] = ""
    """Where it was published."""
    offers: ClassVar[frozenset[str]] = frozenset()
    """What it can do beside what every model of its kind does."""

    def __init__(
        self,
        config: ConfigT | None = None,
        *,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        mode: str = "auto",
        **settings: Any,
    ) -> None:
        self._refuse_unknown(settings)
        self._check_config(config)
        seed = whole_number(seed, "seed", *self.options_class.BOUNDS["seed"])
        self._by_data = frozenset() if config else self.config_class.by_data() - set(settings)
        self.runtime = Runtime.choose(device, precision, threads, mode)
        self.seed = seed
        self.preprocessing: dict[str, Any] = {}
        self.training: Training | None = None
        self.steps_done = 0
        self.schedules: dict[str, torch.Tensor] = {}
        self.people = 0
        self.iterations = 0
        self.world = World()
        self._build((config or self.config_class()).with_settings(settings))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Show the settings among the parameters, to `help` and to completion."""
        super().__init_subclass__(**kwargs)
        if "config_class" in vars(cls):
            own = [*inspect.signature(Model.__init__).parameters.values()][1:-1]
            settings = [
                inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default)
                for item in fields(cls.config_class)
            ]
            cls.__signature__ = inspect.Signature([*own, *settings])  # type: ignore[attr-defined]

    @classmethod
    def _refuse_unknown(cls, settings: Mapping[str, Any]) -> None:
        known = [*inspect.signature(cls).parameters]
        for name in settings:
            if name in cls.options_class.names():
                raise OptionError(
                    f"{name} is an option of fit, not a setting of {cls.__name__}",
                    hint=f"Give it to fit(…, {name}=…).",
                )
            if name not in known:
                raise OptionError(
                    f"{cls.__name__} has no setting {name!r}",
                    hint=f"{did_you_mean(name, known)}It takes {', '.join(known)}.",
                )

    @classmethod
    def _check_config(cls, config: Any) -> None:
        if config is not None and not isinstance(config, cls.config_class):
            raise OptionError(
                f"`config` must be a {cls.config_class.__name__}, got {config!r:.60}.",
                hint=f"Settings go by name: {cls.__name__}(NAME=VALUE).",
            )

    def _build(self, config: ConfigT) -> None:
        self.config: ConfigT = config
        # torch's layers draw weights when they are made, which are replaced below.
        with torch.random.fork_rng(devices=[]):
            self.networks = self.build_networks(config)
        generator = torch.Generator().manual_seed(self.seed)
        self.init_weights(generator)
        for network in self.networks.values():
            network.to(device=self.runtime.device, dtype=self.runtime.dtype)
            lay_out(network, self.runtime.device)
        self._optimizers: dict[str, torch.optim.Optimizer] | None = None

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By name; made when they are first used.

        The first one of a process makes torch import its compiler, which takes seconds: who only
        computes with a model does not wait for it.
        """
        if self._optimizers is None:
            self._optimizers = self.build_optimizers()
        return self._optimizers

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
    def train_step(self, batch: Any) -> dict[str, torch.Tensor]:
        """One iteration: every optimiser's steps on one batch.

        It may be recorded once and replayed: nothing in it may depend on a number on the host that
        changes from step to step, such as `steps_done`, nor wait for the device.

        Returns
        -------
        dict of str to Tensor
            The terms of the losses and the health of the training, detached scalars on the device;
            in steps of one kind always the same names.
        """

    @classmethod
    @abstractmethod
    def open_data(cls, path: Path | str) -> TrainingData:
        """Read what it learns from.

        Raises
        ------
        ArtifactError
            The file is damaged, or of another kind.
        """

    @abstractmethod
    def sampler_for(self, learned: Any, everybody: Any, options: Any) -> Sampler:
        """What draws a training's batches.

        Parameters
        ----------
        learned : TrainingData
            Of the people who are learned from.
        everybody : TrainingData
            Of those who are held out as well: the networks were built for their labels too.
        options : TrainingOptions
            Of `options_class`.
        """

    def scorer_for(self, data: Any, options: Any) -> Scorer | None:
        """Choose people to be held out, and how to score them; `None` where nobody is.

        Parameters
        ----------
        data : TrainingData
            Of all training people.
        options : TrainingOptions
            Of `options_class`.
        """
        return None

    def samples(self, sampler: Any, count: int) -> Samples | None:
        """What it makes of a few examples, always the same ones; `None` where it makes no images.

        Parameters
        ----------
        sampler : Sampler
            The training's, whose state does not move.
        count : int
            How many.
        """
        return None

    def check_course(self, history: History) -> None:
        """Called after every row of the history: stop a training that has gone wrong for good.

        Raises
        ------
        TrainingError
            It has.
        """
        check_spread(history.names, history.steps, history.losses)

    def warn_at_end(self, values: Mapping[str, float]) -> None:
        """Called at the end with the last means: say so when what was learned is of no use."""
        warn_of_equal_images(values)

    def used_networks(self) -> tuple[str, ...]:
        """Names of the networks that are used in the end: those kept of the best state."""
        return tuple(self.networks)

    def meet(self, sampler: Any, iterations: int) -> None:
        """Called once before a training: look at the people and images that it shows.

        What is kept of them belongs into the networks, as buffers: it is then in every file.

        Parameters
        ----------
        sampler : Sampler
            Draws the training's batches.
        iterations : int
            How long it will go on.

        Raises
        ------
        TrainingError
            The model cannot learn from them.
        """
        self.people = len(sampler.subjects)
        self.iterations = iterations

    def fit_fixed(self, sampler: Any) -> None:
        """Compute what no step moves, from the examples of a training: before its first step.

        It can take longer than reading a checkpoint, which has it: a training that goes on does
        not come here.

        Parameters
        ----------
        sampler : Sampler
            Draws the training's batches.

        Raises
        ------
        TrainingError
            The model cannot learn from them.
        """

    def before_step(self) -> None:
        """Called before every `train_step`: set what changes from step to step by `schedule`."""

    def step_kind(self) -> Hashable:
        """Which of several programs the next `train_step` runs.

        A model whose steps differ, for instance one that updates its generator every fifth time,
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
        buffers = [
            buffer
            for network in self.networks.values()
            for part in network.modules()
            # Of what no step moves, all processes have the same.
            if not getattr(part, "fixed", False)
            for buffer in part.buffers(recurse=False)
        ]
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
        weights_of_all = list(itertools.chain(*parameters))
        gradients = list(torch.autograd.grad(loss, weights_of_all))
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

    def in_batches(self, images: NDArray[Any], size: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Images in batches of one size, for the networks in eval mode.

        Parameters
        ----------
        images : ndarray of uint8 or floats, shape (n, height, width)
            Grey values 0..255.
        size : int
            Images in a batch; the last one is filled up with blanks.

        Raises
        ------
        OptionError
            `size` is no whole number from 1 to 65536.

        Yields
        ------
        slice, Tensor of shape (size, 1, height, width)
            Which images these are, and they in [-1, 1] on the device.
        """
        size = whole_number(size, "batch_size", 1, 2**16)
        blank = np.zeros((size, *images.shape[1:]), dtype=images.dtype)
        with self.runtime.active(), self._evaluating():
            for start in range(0, len(images), size):
                part = images[start : start + size]
                blank[: len(part)] = part
                source = to_network(torch.from_numpy(blank).to(self.runtime.device))
                yield slice(start, start + len(part)), source.to(self.runtime.dtype)

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
        with_states = any(name.startswith("optimizer/") for name in arrays)
        if with_states or self._optimizers is not None:
            state.load_optimizers(self.optimizers, self.networks, arrays)

    @classmethod
    def expected_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        """Shape of every weight array for a config, found without allocating any."""
        with torch.device("meta"):
            networks = cls.build_networks(config)
        return {name: tuple(tensor.shape) for name, tensor in state.named_tensors(networks).items()}

    def fit_data(
        self,
        data: TrainingData,
        options: Mapping[str, Any],
        callbacks: Callbacks | None = None,
        progress: bool | Progress | None = None,
    ) -> Self:
        """Train on data in memory: the end of the `fit` of every kind of model.

        Parameters
        ----------
        data : TrainingData
            The training people's.
        options : mapping
            Fields of `options_class` by name. The seed is the model's, and what is `None` is the
            model's default.
        callbacks : Callbacks, optional
            What the caller wants to be told.
        progress : bool or callable, optional
            As for `gaitkit.training.callbacks.with_progress`.

        Raises
        ------
        OptionError
            The model has learned from other GEIs already: it would be said to have seen these
            people only.
        """
        self._refuse_other_people(data)
        given = {name: value for name, value in options.items() if value is not None}
        chosen = self.options_class.from_parameters(
            {"seed": self.seed, **self.default_training, **given}
        )
        self._suit(data, chosen)
        if self.steps_done >= chosen.iterations:
            _log.warning(
                "the model has been trained for %s; `iterations` counts from the "
                "beginning, and %s are no more",
                counted(self.steps_done, "iteration"),
                f"{chosen.iterations:,}",
            )
        training = Training(self, data, chosen)
        with with_progress(callbacks, progress) as calls:
            training.run(calls)
        return self

    def _refuse_other_people(self, data: TrainingData) -> None:
        """What a model records of its making is one training; who was seen must not be lost."""
        if not self.steps_done:
            return
        if self.training is None:
            raise OptionError(
                f"This {type(self).__name__} was read from a file, which holds no training that "
                "could go on here.",
                hint="Go on with the file: `gaitkit.stages.train.train(…, resume=True)`; or "
                "begin with a new model.",
            )
        before = self.training.data
        if data is not before and not data.same_as(before):
            raise OptionError(
                f"This {type(self).__name__} has learned from other images; a model is of one "
                "training.",
                hint="Begin with a new model.",
            )

    def _suit(self, data: TrainingData, options: TrainingOptions) -> None:
        """Before a first training, let the data decide what was left to them."""
        if self.training is not None or not self._by_data:
            return
        decided = self.config_class.of_data(data, options)
        wanted = {name: value for name, value in decided.items() if name in self._by_data}
        config = self.config.with_settings(wanted)
        if config != self.config:
            self._build(config)

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the model that `fit` has trained; see `gaitkit.training.store.save`."""
        store.save(self, as_path(path), overwrite=overwrite)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: str = "auto",
        threads: int | None = None,
        weights: str | None = None,
    ) -> Self:
        """Read a model of this class; see `gaitkit.training.store.load`."""
        model = store.load(as_path(path), cls.kind, device=device, threads=threads, weights=weights)
        if not isinstance(model, cls):
            raise WrongKindError(
                f"{path} holds a {cls.kind.name} of the system {model.name!r}, not {cls.name!r}.",
                hint=f"Use gaitkit.{cls.kind.name}s.load, which takes any.",
            )
        return model

    def parameter_counts(self) -> dict[str, int]:
        """Number of learned values of every network."""
        return {
            name: sum(weight.numel() for weight in network.parameters())
            for name, network in self.networks.items()
        }

    def _told(self) -> list[tuple[str, str]]:
        changed = ", ".join(f"{name} {value}" for name, value in self.config.changed().items())
        counts = self.parameter_counts().items()
        return [
            ("trained for", counted(self.steps_done, "iteration")),
            ("settings", _cut(changed) or "as published"),
            ("learned values", _cut(", ".join(f"{name} {count:,}" for name, count in counts))),
        ]

    def __repr__(self) -> str:
        (trained, iterations), (_, settings), (learned, counts) = self._told()
        return (
            f"{type(self).__name__} ({settings}), {trained} {iterations} on "
            f"{self.runtime.device}\n{learned}: {counts}"
        )

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._told())


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def lay_out(network: nn.Module, device: str) -> None:
    """Lay weights in memory as convolutions read them fastest there; no value changes.

    Channels last; but on a GPU a network with instance normalisation, which is computed there with
    channels first only, stays as it is.

    Parameters
    ----------
    network : Module
        Changed in place.
    device : {"cpu", "cuda"}
        Where it will be used.

    Examples
    --------
    >>> layer = nn.Conv2d(2, 8, 4)
    >>> lay_out(layer, "cuda")
    >>> layer.weight.stride()
    (32, 1, 8, 2)
    """
    if device == "cuda" and any(isinstance(part, nn.InstanceNorm2d) for part in network.modules()):
        return
    for part in network.modules():
        # Other arrays of four axes have no channels: they would be copied back at every use.
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            # The type stubs of torch 2.13 do not know this overload.
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
