"""What is measured: every system's iteration at its published size beside its plain loop.

A new one, an embedder for instance, is one entry in `CONTENDERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import train_gaitgan
from small_settings import SMALL
from train_gaitgan import PlainLoop, from_disk, from_memory, gaitkit_loop
from train_translators import LENGTH, drawn_geis

from gaitkit.translators import translator_class
from gaitkit.translators.networks.blocks import Critic
from gaitkit.translators.sampling import TripleSampler
from gpu_parts.task import Task

PLAIN, DISK, EAGER, RECORDED = "plain", "plain, from disk", "gaitkit, eager", "gaitkit"
APART = "gaitkit, passes apart"
"""With a pass of each critic for each batch, as on the processor."""


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
        gaitkit's translator, where it is gaitkit's loop.
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
        Images or triples of a batch.
    told : str
        In words.
    """

    config: Mapping[str, Any]
    batch_size: int
    told: str


@dataclass(frozen=True)
class Contender:
    """A system whose iteration is measured.

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
}
