"""`gaitkit train-gan`: teach a translator to show people from the side, walking normally."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import options, training_options
from gaitkit.cli.training_runs import train_and_tell
from gaitkit.cli.translator_options import translator_choice, translator_options
from gaitkit.printable import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command("train-gan", short_help="Train GaitGAN or another translator.")
@click.argument("geis", metavar="GEIS", type=options.INPUT_FILE)
@options.output("The translator artefact to write.")
@options.protocol
@translator_options
@training_options.also(
    "GEIs of another data set, all of whose people are learned from as well; may be repeated. "
    "For systems that learn from several data sets."
)
@click.option(
    "--samples",
    type=options.FOLDER,
    help="A folder for sheets of samples while training: source, generated, true.",
)
@click.option(
    "--sample-every",
    type=click.IntRange(min=1),
    help="Steps between sample sheets.  [default: 1000]",
)
@training_options.decorated(*training_options.GOING_ON)
def command(
    geis: Path,
    output: Path,
    samples: Path | None,
    sample_every: int | None,
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
    from gaitkit.stages.train import plan_training
    from gaitkit.translators.registry import TRANSLATOR

    training_options.take_up(values, output, TRANSLATOR)
    chosen = translator_choice(values)
    if sample_every is not None:
        chosen.training["sample_every"] = sample_every
    sheets = None if samples is None else _sheets(samples)
    train_and_tell(plan_training, geis, output, chosen, values, on_samples=sheets)


def _sheets(
    folder: Path,
) -> Callable[[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]], None]:
    from gaitkit.errors import OutputError
    from gaitkit.outputs import free_to_write
    from gaitkit.reporting.sheet import contact_sheet, save_png

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder of `samples`, {folder}, cannot be made: {error.strerror}.",
            hint="Give a folder of yours, or a new name.",
        ) from error
    # Not after the hours that it can take to the first one.
    free_to_write(folder / "step-000000.png", overwrite=True)

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
            title=f"after {counted(step, 'iteration')}",
        )
        save_png(folder / f"step-{step:06d}.png", sheet)

    return write
