"""`gaitkit train-gan`: teach a translator to show people from the side, walking normally."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.training_options import training_choice, training_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gaitkit.protocols import Protocol


@click.command("train-gan", short_help="Train GaitGAN or another translator.")
@click.argument("geis", metavar="GEIS", type=options.INPUT_FILE)
@options.output("The translator artefact to write.")
@options.protocol
@training_options
@click.option(
    "--also",
    type=options.INPUT_FILE,
    multiple=True,
    help="GEIs of another data set, all of whose people are learned from as well; may be repeated. "
    "For systems that learn from several data sets.",
)
@click.option(
    "--samples",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for sheets of samples while training: source, generated, true.",
)
@click.option(
    "--sample-every",
    type=click.IntRange(min=1),
    help="Steps between sample sheets.  [default: 1000]",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    default=200,
    help="Steps between checkpoints; the result does not depend on it.",
)
@options.seed
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the finished OUTPUT to more --iterations; options that are not given stay as "
    "they were. What grows or falls over a training goes by the new length.",
)
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    geis: Path,
    output: Path,
    protocol: Protocol | str | None,
    samples: Path | None,
    sample_every: int | None,
    checkpoint_every: int,
    resume: bool,
    also: tuple[Path, ...],
    restart: bool,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Train a translator on the training people of a protocol: GaitGAN, or another --model.

    The defaults are the papers': on a GPU, minutes to hours; on two CPU cores, days. For a quick
    try: --width 24 --batch-size 32 --iterations 1000. Ctrl-C writes a checkpoint; the same command
    again continues, also after a crash, and gives the same weights as if it had not been stopped.

    The last weights are not the best ones. With --validation-subjects 12 the training holds out
    people of its own, never the tested ones, and keeps the weights that identify them best.

    Several GPUs share each batch under torchrun --nproc-per-node=2 -m gaitkit train-gan … (or
    several processes on CPUs).
    """
    from gaitkit.stages.train import carry_out, plan_training, summary_of
    from gaitkit.training.callbacks import Callbacks
    from gaitkit.training.record import recorded_training

    if resume and output.exists() and values["system"] is None and values["recipe"] is None:
        # Settings are those of the system that is trained on.
        values["system"] = recorded_training(output, "translator").name
    chosen = training_choice(values)
    every = {} if sample_every is None else {"sample_every": sample_every}
    wrote = console.writing(output)
    with stop_on_signal() as stop_requested, console.progress("train", "iterations") as progress:
        callbacks = Callbacks(
            on_samples=None if samples is None else _sheets(samples),
            checkpoint_every=checkpoint_every,
            stop_requested=stop_requested,
        )
        plan = plan_training(
            geis,
            output,
            protocol=protocol,
            system=chosen.system,
            recipe=chosen.recipe,
            also=also,
            config=chosen.config,
            training=chosen.training | every,
            resume=resume,
            restart=restart,
            overwrite=overwrite,
            **chosen.how,
        )
        summary = summary_of(plan, carry_out(plan, callbacks.moving(progress)))
    if as_json:
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
    lines = [f": {summary['iterations']:,} iterations on {learned:,} people."]
    panels: dict[str, list[str]] = {}
    for name, value in summary["last"].items():
        panel = panel_of(name)
        shown = "none" if value is None else f"{value:.3g}"
        panels.setdefault(panel, []).append(f"{name.removeprefix(panel + '.')} {shown}")
    for panel, values in panels.items():
        # A name and its value stay together where the line is broken.
        listed = "  ".join(value.replace(" ", "\u00a0") for value in values)
        lines += textwrap.wrap(
            f"  last {panel:<10} {listed}",
            width=100,
            subsequent_indent=" " * 18,
            break_on_hyphens=False,
        )
    if validation:
        rates = "  ".join(
            f"{name} {_rate(rate)}" for name, rate in validation["best_rates"].items()
        )
        lines.append(
            f"  validation      rank-1 {_rate(validation['best_score'])} % after "
            f"{validation['best_step']:,} iterations, best ({rates}); "
            f"{_rate(validation['last_score'])} % at the end; held out: "
            f"{', '.join(validation['subjects'])}"
        )
    if refit:
        lines.append(
            f"  refit           for the {refit['best_step']:,} iterations that gave rank-1 "
            f"{_rate(refit['best_score'])} % on {', '.join(refit['held_out'])}"
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


def _sheets(
    folder: Path,
) -> Callable[[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]], None]:
    from gaitkit.errors import OutputError
    from gaitkit.reporting.sheet import contact_sheet, save_png

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}.") from error

    def write(
        step: int,
        sources: NDArray[np.uint8],
        generated: NDArray[np.uint8],
        targets: NDArray[np.uint8],
    ) -> None:
        sheet = contact_sheet(
            [list(sources), list(generated), list(targets)],
            rows=["source", "generated", "true"],
            columns=[""] * len(sources),
            title=f"after {step:,} iterations",
        )
        save_png(folder / f"step-{step:06d}.png", sheet)

    return write
