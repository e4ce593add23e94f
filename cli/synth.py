"""`gaitkit synth`: a CASIA-B-shaped tree of 3-D walkers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.printable import counted

if TYPE_CHECKING:
    from gaitkit.walkers import WalkerOptions


@click.command("synth", short_help="Write a data set of synthetic walkers.")
@click.argument("folder", type=options.FOLDER)
@click.option("--subjects", type=click.IntRange(1, 9999), default=124, help="How many people.")
@click.option(
    "--frames", type=click.IntRange(1, 120), default=48, help="Frames of a sequence, 25 a second."
)
@click.option(
    "--view",
    "views",
    type=click.FloatRange(0, 360, max_open=True),
    multiple=True,
    help="Camera angle in degrees; may be repeated.  [default: 0, 18, ... 180]",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 5),
    default=1.0,
    help="Strength of the segmentation noise; 0 switches it off.",
)
@click.option("--equal-bodies", is_flag=True, help="Give everybody the same body and clothes.")
@click.option(
    "--archives",
    is_flag=True,
    help="One zip for each person instead of a file for each frame: a quarter of the room.",
)
@options.seed
@options.workers
@options.dry_run
@click.option("--overwrite", is_flag=True, help="Replace walkers made with other options.")
@options.json_output
@options.verbosity
def command(
    folder: Path,
    subjects: int,
    frames: int,
    views: tuple[float, ...],
    noise: float,
    equal_bodies: bool,
    archives: bool,
    seed: int,
    workers: int,
    dry_run: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a data set of synthetic walkers into FOLDER, laid out as CASIA-B's silhouettes.

    3-D bodies of human proportions walk past a ring of cameras, normally (nm), with a bag (bg)
    and in a coat (cl), and are drawn as noisy silhouettes. The same seed gives the same bytes; a
    stopped run continues when the same command is given again.
    """
    from gaitkit.walkers import WalkerOptions, sequence_keys, write_tree
    from gaitkit.walkers.options import CASIA_B_VIEWS

    chosen = WalkerOptions(
        subjects=subjects,
        seed=seed,
        frames=frames,
        noise=noise,
        equal_bodies=equal_bodies,
        views=views or CASIA_B_VIEWS,
    )
    sequences = len(sequence_keys(chosen))
    if dry_run:
        if as_json:
            console.print_json(_told(folder, chosen, sequences))
            return
        text = f"{counted(sequences, 'sequence')} of {counted(frames, 'frame')}"
        console.print_line(f"Would write {text} (data set {chosen.dataset_name}) into {folder}")
        return
    with console.progress("synth", "sequences") as progress:
        write_tree(
            folder,
            chosen,
            workers=workers,
            overwrite=overwrite,
            archives=archives,
            progress=progress,
        )
    if as_json:
        console.print_json(_told(folder, chosen, sequences))
        return
    console.say(
        f"Wrote {folder}: {counted(subjects, 'person')}, {counted(sequences, 'sequence')}, "
        f"{counted(sequences * frames, 'frame')} (data set {chosen.dataset_name})."
    )


def _told(folder: Path, chosen: WalkerOptions, sequences: int) -> dict[str, Any]:
    return {
        "output": str(folder),
        "dataset": chosen.dataset_name,
        "sequences": sequences,
        "frames": sequences * chosen.frames,
        "parameters": chosen.as_parameters(),
    }
