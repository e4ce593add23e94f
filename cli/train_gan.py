"""`gaitkit train-gan`: teach a translator to show people from the side, walking normally."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from gaitkit.cli import console, options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def model_options(command: options.Function) -> options.Function:
    """The settings of network and training, shared with `gaitkit run`."""
    for decorate in (
        click.option(
            "--threads",
            type=click.IntRange(1, 1024),
            help="CPU threads; the last bits of the weights depend on it, and more than the free "
            "cores are many times slower.  [default: the number of cores]",
        ),
        click.option(
            "--precision",
            type=click.Choice(["fp32", "bf16"]),
            default="fp32",
            help="Of the convolutions; weights, losses and optimiser are always float32.",
        ),
        options.device,
        click.option(
            "--balanced", is_flag=True, help="Draw every condition equally often (GaitGANv2)."
        ),
        click.option(
            "--ema-decay",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.0,
            help="Translate with a moving average of the generator; 0 is off, as in the paper.",
        ),
        click.option(
            "--l1-weight",
            type=click.FloatRange(0, 10_000),
            default=0.0,
            help="Weight of |generated - target| in the generator's loss; the paper has none.",
        ),
        click.option(
            "--betas",
            type=(click.FloatRange(0, 1, max_open=True), click.FloatRange(0, 1, max_open=True)),
            default=(0.9, 0.999),
            metavar="B1 B2",
            help="Adam's decay of its two moments.",
        ),
        click.option(
            "--batch-size", type=click.IntRange(2, 4096), default=128, help="Triples in a batch."
        ),
        click.option(
            "--width",
            type=click.IntRange(1, 512),
            default=96,
            help="Channels of the first layer; time grows with its square.",
        ),
        click.option(
            "--iterations", type=click.IntRange(min=1), default=24_000, help="Training steps."
        ),
    ):
        command = decorate(command)
    return command


@click.command("train-gan", short_help="Train GaitGAN.")
@click.argument("geis", metavar="GEIS", type=options.INPUT_FILE)
@options.output("The translator artefact to write.")
@options.protocol
@model_options
@click.option(
    "--samples",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for sheets of samples while training: source, generated, true.",
)
@click.option(
    "--sample-every",
    type=click.IntRange(min=1),
    default=1000,
    help="Steps between sample sheets.",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    default=200,
    help="Steps between checkpoints; the result does not depend on it.",
)
@options.seed
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    geis: Path,
    output: Path,
    protocol: str | None,
    iterations: int,
    width: int,
    batch_size: int,
    betas: tuple[float, float],
    l1_weight: float,
    ema_decay: float,
    balanced: bool,
    device: str,
    precision: str,
    threads: int | None,
    samples: Path | None,
    sample_every: int,
    checkpoint_every: int,
    seed: int,
    restart: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train GaitGAN on the training people of a protocol.

    The defaults are the paper's: on a GPU, minutes to hours; on two CPU cores, days. For a quick
    try: --width 24 --batch-size 32 --iterations 1000. Ctrl-C writes a checkpoint; the same command
    again continues, also after a crash, and gives the same weights as if it had not been stopped.
    """
    from gaitkit.translators.training import Callbacks
    from gaitkit.workflow import train_gaitgan

    with stop_on_signal() as stop_requested, console.progress("train", "iterations") as progress:
        callbacks = Callbacks(
            on_progress=None
            if progress is None
            else (lambda step, total, _: progress(step, total)),
            on_samples=None if samples is None else _sheets(samples),
            checkpoint_every=checkpoint_every,
            stop_requested=stop_requested,
        )
        summary = train_gaitgan(
            geis,
            output,
            protocol=protocol,
            config={
                "width": width,
                "betas": betas,
                "l1_weight": l1_weight,
                "ema_decay": ema_decay,
            },
            training={
                "iterations": iterations,
                "batch_size": batch_size,
                "balanced": balanced,
                "seed": seed,
                "sample_every": sample_every,
            },
            device=device,
            precision=precision,
            threads=threads,
            callbacks=callbacks,
            restart=restart,
            overwrite=overwrite,
        )
    if as_json:
        console.print_json({"output": str(output), **summary})
        return
    console.say(f"Wrote {output}: trained on {len(summary['subjects']):,} people.")


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
