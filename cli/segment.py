"""`gaitkit segment`: a video of people to masks of each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaitkit.cli import console, options
from gaitkit.cli.frames import reading_of, report_stage, telling_dropped


@click.command("segment", short_help="Cut the people who walk out of a video.")
@click.argument("video", type=options.INPUT_FILE)
@options.output("The masks artefact to write.")
@options.video_options
@click.option("--from", "from_s", type=float, default=0.0, help="Where to begin, seconds.")
@click.option("--to", "to_s", type=float, help="Where to end, seconds.  [default: the end]")
@click.option(
    "--max-frames", type=click.IntRange(min=1), help="End after so many frames.  [default: all]"
)
@click.option(
    "--min-frames", type=click.IntRange(min=1), default=10, help="Drop passes of fewer frames."
)
@click.option(
    "--min-height",
    "min_height_px",
    type=click.IntRange(min=8),
    default=20,
    help="Pass over people who are lower, pixels.",
)
@click.option(
    "--input-size",
    type=(click.IntRange(16, 2048), click.IntRange(16, 2048)),
    metavar="H W",
    help="Size of a network's input, where its file does not say it.",
)
@click.option(
    "--input-range",
    type=click.Choice(["0..1", "-1..1", "0..255"]),
    help="What a network takes for black and white.  [default: 0..1; -1..1 for ONNX]",
)
@click.option(
    "--channel",
    type=click.IntRange(min=0),
    help="Which channel of a network's output is the person.  [default: the last]",
)
@click.option(
    "--preview",
    type=options.FILE,
    help="Also write a video with masks and boxes drawn on it (.mp4 or .avi).",
)
@click.option("--name", help="Name of the data set.  [default: the video's name]")
@options.dropped_report
@options.overwrite
@options.json_output
@options.verbosity
def command(
    video: Path,
    output: Path,
    preview: Path | None,
    name: str | None,
    report: Path | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Cut the people who walk through VIDEO out of it, one sequence for each pass.

    The camera stands still; the background is learned from the whole video, and whoever walks is
    followed. A pass is one person in one direction: it ends where somebody leaves, turns round,
    stands, is hidden or meets another. normalize and make-gei read the output, and segment videos
    of people themselves in the same way. Look at what --preview draws before you believe it.
    """
    from dataclasses import replace

    from gaitkit.stages.segment import free_preview, segment, write_preview

    reading = reading_of(values)
    chosen = replace(reading.options, **values)
    if preview is not None:
        free_preview(preview, video, output, overwrite=overwrite or output.exists())
    with telling_dropped(report, output, [video], overwrite=overwrite) as told:
        with console.progress("segment", "frames") as progress:
            summary = segment(
                video,
                output,
                chosen,
                subject=reading.subject,
                view=reading.view,
                name=name,
                overwrite=overwrite,
                progress=progress,
            )
        told(summary)
    report_stage(output, summary, "masks", as_json=as_json)
    if preview is not None:
        with console.progress("preview", "frames") as progress:
            write_preview(video, output, preview, chosen, overwrite=overwrite, progress=progress)
        console.say(f"Wrote {preview}: look at it.")
