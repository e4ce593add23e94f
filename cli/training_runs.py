"""How a command trains a model of any kind: progress, Ctrl-C, and what is told in the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from gaitkit.cli import console
from gaitkit.printable import counted, wrapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gaitkit.cli.training_options import TrainingChoice
    from gaitkit.stages.train import TrainingPlan

    OnSamples = Callable[[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]], None]

__all__ = ["stop_on_signal", "train_and_tell"]

_PLANNED = ("protocol", "also", "resume", "restart", "overwrite")
"""What a plan takes as it was given."""


def train_and_tell(
    plan: Callable[..., TrainingPlan],
    source: Path,
    output: Path,
    chosen: TrainingChoice,
    values: Mapping[str, Any],
    *,
    on_samples: OnSamples | None = None,
) -> None:
    """Carry out a training, with a progress bar; say or print how it went.

    The first Ctrl-C or SIGTERM ends it with a checkpoint.

    Parameters
    ----------
    plan : callable
        `gaitkit.stages.train.plan_training`, or its like of another kind of model.
    source, output : Path
        What is learned from, and the model's artefact.
    chosen : TrainingChoice
        What was given of the training's options.
    values : mapping
        The command's other parameters: protocol, also, and `training_options.GOING_ON`.
    on_samples : callable, optional
        See `gaitkit.training.callbacks.Callbacks`.
    """
    from gaitkit.stages.train import carry_out, summary_of
    from gaitkit.training.callbacks import Callbacks

    wrote = console.writing(output)
    with stop_on_signal() as stop_requested, console.progress("train", "iterations") as progress:
        callbacks = Callbacks(
            on_samples=on_samples,
            checkpoint_every=values["checkpoint_every"],
            stop_requested=stop_requested,
        )
        planned = plan(
            source,
            output,
            system=chosen.system,
            recipe=chosen.recipe,
            config=chosen.config,
            training=chosen.training,
            **{name: values[name] for name in _PLANNED},
            **chosen.how,
        )
        summary = summary_of(planned, carry_out(planned, callbacks.moving(progress)))
    if values["as_json"]:
        console.print_json({"output": str(output), **summary})
        return
    first, *others = _told(summary)
    wrote(first)
    for line in others:
        console.say(line)


def _told(summary: dict[str, Any]) -> list[str]:
    """How the training went, in a few lines."""
    from gaitkit.training.health import panel_of

    people = len(summary["subjects"])
    validation, refit = summary["validation"], summary["refit"]
    learned = people - (len(validation["subjects"]) if validation else 0)
    lines = [f": {counted(summary['iterations'], 'iteration')} on {counted(learned, 'person')}."]
    panels: dict[str, list[str]] = {}
    for name, value in summary["last"].items():
        panel = panel_of(name)
        shown = "none" if value is None else f"{value:.3g}"
        panels.setdefault(panel, []).append(f"{name.removeprefix(panel + '.')} {shown}")
    for panel, values in panels.items():
        # A name and its value stay together where the line is broken.
        listed = "  ".join(value.replace(" ", "\u00a0") for value in values)
        lines += wrapped(f"  last {panel:<10} {listed}", 100, " " * 18)
    if validation:
        rates = "  ".join(
            f"{name} {_rate(rate)}" for name, rate in validation["best_rates"].items()
        )
        lines.append(
            f"  validation      rank-1 {_rate(validation['best_score'])} % after "
            f"{counted(validation['best_step'], 'iteration')}, best ({rates}); "
            f"{_rate(validation['last_score'])} % at the end; held out: "
            f"{', '.join(validation['subjects'])}"
        )
    if refit:
        lines.append(
            f"  refit           for the {counted(refit['best_step'], 'iteration')} that gave "
            f"rank-1 {_rate(refit['best_score'])} % on {', '.join(refit['held_out'])}"
        )
    return [line.replace("\u00a0", " ") for line in lines]


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request; the second one acts as usual."""
    stopped = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        console.say("Stopping after this step; once more stops at once.")
        for other, handler in before.items():
            signal.signal(other, handler)

    for number in before:
        signal.signal(number, request)
    try:
        yield lambda: stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
