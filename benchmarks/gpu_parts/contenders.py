"""What is measured: every model's iteration at its published size beside its plain loop.

A new one is one entry in `CONTENDERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import train_gaitgan
from plain.embedders import arrays_of
from plain.embedders import plain_steps as plain_embedder_steps
from small_settings import SMALL
from train_embeddings import drawn_walks
from train_gaitgan import PlainLoop, from_disk, from_memory, gaitkit_loop
from train_translators import LENGTH, drawn_geis

from gaitkit.embedders import GeiSet, SilhouetteSet, embedder_class
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.translators import translator_class
from gaitkit.translators.networks.blocks import Critic
from gaitkit.translators.sampling import TripleSampler
from gpu_parts.task import Task

PLAIN, DISK, EAGER, RECORDED = "plain", "plain, from disk", "gaitkit, eager", "gaitkit"
APART = "gaitkit, passes apart"
"""With a pass of each critic for each batch, as on the processor."""
DRAWING = "gaitkit, drawing"
"""An embedder that draws and varies its batches, as in a training."""


@dataclass
class Loop:
    """One way to do an iteration.

    Attributes
    ----------
    step : callable
        Does one.
    active : callable
        The context in which it is done.
    model : Any
        gaitkit's model, where it is gaitkit's loop.
    """

    step: Callable[[], None]
    active: Callable[[], AbstractContextManager[Any]] = nullcontext
    model: Any = None


@dataclass(frozen=True)
class Size:
    """How large it was run.

    Attributes
    ----------
    config : mapping
        Fields of the system's config that are not the published ones.
    batch_size : int
        Images, triples or sequences of a batch.
    told : str
        In words.
    """

    config: Mapping[str, Any]
    batch_size: int
    told: str


@dataclass(frozen=True)
class Contender:
    """A model whose iteration is measured.

    Attributes
    ----------
    size : callable
        Of a task: how large it is run.
    loops : callable
        Of a task, a size and a folder: what builds each loop, by name; ours are called
        "gaitkit, eager" and "gaitkit" (recorded, on a GPU).
    bars : mapping
        How many times as fast as another loop "gaitkit" is to be.
    full_run : tuple of (int, float), optional
        Iterations of a whole training, and the minutes that it may take.
    peak_share : float, optional
        The share of the peak that is aimed at.
    weight : float
        Of the time.
    """

    size: Callable[[Task], Size]
    loops: Callable[[Task, Size, Path], dict[str, Callable[[], Loop]]]
    bars: Mapping[str, float] = field(default_factory=dict)
    full_run: tuple[int, float] | None = None
    peak_share: float | None = None
    weight: float = 1.0


def translator_size(system: str, task: Task) -> Size:
    """The published size on a GPU, a very small one on a processor."""
    found = translator_class(system)
    if task.on_gpu:
        batch_size = {"gaitgan": 128}.get(system) or found.default_training["batch_size"]
        return Size({}, int(batch_size), f"published size, batch {batch_size}")
    config = {"width": SMALL[system]["faithful"][0]["width"]}
    told = ", ".join(f"{name} {value}" for name, value in config.items())
    return Size(config, 4, f"SMALL: {told}, batch 4 (the published size is for a GPU)")


def translator_loops(
    system: str, task: Task, size: Size, folder: Path
) -> dict[str, Callable[[], Loop]]:
    """The plain loop, and ours eager and recorded."""
    found = translator_class(system)
    config = found.config_class.from_parameters(dict(size.config))
    images, labels = drawn_geis()

    def sampler() -> TripleSampler:
        return TripleSampler(
            images,
            labels,
            device=task.device,
            dtype=torch.float32,
            positives=found.wants_positive,
            need_targets=system in ("gaitgan", "deformable"),
        )

    def ours(mode: str, *, at_once: bool = True) -> Loop:
        model = found(config, device=task.device, mode=mode)
        for network in model.networks.values():
            if isinstance(network, Critic):
                network.at_once = at_once
        drawn = sampler()
        model.meet(drawn, LENGTH)
        # Every term has its full weight by then.
        model.steps_done = LENGTH * 4 // 5
        step = gaitkit_loop(model, drawn, size.batch_size)
        return Loop(step, partial(model.runtime.active, training=True), model)

    def plain() -> Loop:
        if system == "gaitgan":
            draw = from_memory(sampler(), size.batch_size)
            return Loop(PlainLoop(config.width, task.device, draw))
        module = importlib.import_module(f"plain.{system}")
        return Loop(module.plain_steps(config, images, labels, size.batch_size, task.device))

    def reading() -> Loop:
        draw = from_disk(folder, images, sampler(), size.batch_size, task.device)
        return Loop(PlainLoop(config.width, task.device, draw))

    loops: dict[str, Callable[[], Loop]] = {PLAIN: plain}
    if system == "gaitgan":
        loops[DISK] = reading
    if task.on_gpu:
        loops[EAGER] = partial(ours, "eager")
    if task.on_gpu and system == "gaitgan":
        loops[APART] = partial(ours, "auto", at_once=False)
    return loops | {RECORDED: partial(ours, "auto")}


def _translator(system: str, **fields: Any) -> Contender:
    return Contender(partial(translator_size, system), partial(translator_loops, system), **fields)


def embedder_size(system: str, task: Task) -> Size:
    """The published size on a GPU; the recipe for a processor, made smaller still, on one."""
    if task.on_gpu:
        batch_size = embedder_training(system, task).batch_size
        return Size({}, batch_size, f"published size, batch {batch_size}")
    recipe = EMBEDDER_RECIPES.get(f"{system}-small")
    config = {**(recipe.config if recipe is not None else {}), "width": 4, "values": 8}
    return Size(config, 4, "SMALL: width 4, values 8, batch 4 (the published size is for a GPU)")


def embedder_training(system: str, task: Task) -> EmbedderOptions:
    """As published, or the smallest batch that there is."""
    small = {} if task.on_gpu else {"people": 2, "batch_size": 4, "frames": 3}
    return EmbedderOptions(**{**embedder_class(system).default_training, **small})


def embedder_loops(
    system: str, task: Task, size: Size, folder: Path
) -> dict[str, Callable[[], Loop]]:
    """The plain loop and ours on batches in memory; ours as it draws them, too."""
    found, training = embedder_class(system), embedder_training(system, task)
    images, labels, lengths = drawn_walks(max(12, training.people), 40)
    starts = np.cumsum(lengths) - lengths
    data: GeiSet | SilhouetteSet
    if found.reads == "gei":
        data = GeiSet(images[starts], labels, "drawn")
    else:
        people, views = labels.subject.tolist(), labels.view.tolist()
        data = SilhouetteSet.from_arrays(
            np.split(images, starts[1:]), people, views=views, dataset="drawn"
        )
    decided = found.config_class.of_data(data, training)
    config = found.config_class.from_parameters({**size.config, **decided})

    def ours(mode: str, *, draws: bool = False) -> Loop:
        model = found(config, device=task.device, mode=mode)
        sampler = model.sampler_for(data, data, training)
        model.meet(sampler, training.iterations)
        model.steps_done = training.iterations // 2
        source = sampler if draws else InMemory(sampler, size.batch_size)
        step = gaitkit_loop(model, source, size.batch_size)
        return Loop(step, partial(model.runtime.active, training=True), model)

    def plain() -> Loop:
        sampler = found(config, device="cpu").sampler_for(data, data, training)
        drawn = InMemory(sampler, size.batch_size).batches
        batches = [arrays_of(one) for one in drawn]
        return Loop(plain_embedder_steps(system, config, batches, task.device))

    loops: dict[str, Callable[[], Loop]] = {PLAIN: plain}
    if task.on_gpu:
        loops[EAGER] = partial(ours, "eager")
    loops[DRAWING] = partial(ours, "auto", draws=True)
    return loops | {RECORDED: partial(ours, "auto")}


class InMemory:
    """A few batches of a sampler, in turn."""

    def __init__(self, sampler: Any, size: int) -> None:
        self.batches = [sampler.draw(size) for _ in range(4)]
        self._given = 0

    def draw(self, size: int) -> Any:
        """The next one."""
        self._given += 1
        return self.batches[self._given % len(self.batches)]


def _embedder(system: str, **fields: Any) -> Contender:
    return Contender(partial(embedder_size, system), partial(embedder_loops, system), **fields)


CONTENDERS: dict[str, Contender] = {
    "gaitgan": _translator(
        "gaitgan",
        bars={PLAIN: 3.0, DISK: 8.0},
        full_run=(train_gaitgan.FULL_RUN, 6.0),
        peak_share=0.3,
        weight=2.5,
    ),
    "stargan": _translator("stargan", bars={PLAIN: 2.0}, weight=2.0),
    "attgan": _translator("attgan", bars={PLAIN: 2.0}),
    "dgnet": _translator("dgnet", bars={PLAIN: 2.0}, weight=1.3),
    "deformable": _translator("deformable", bars={PLAIN: 2.0}),
    "gei-parts": _embedder("gei-parts", bars={PLAIN: 1.5}),
    "gait-phases": _embedder("gait-phases", bars={PLAIN: 1.5}),
    "gaitset": _embedder("gaitset", bars={PLAIN: 1.0}),
    "gaitbase": _embedder("gaitbase", bars={PLAIN: 1.0}),
}
