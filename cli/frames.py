"""What the commands that read frames share: choosing a source and saying what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gaitkit.cli import console, options

if TYPE_CHECKING:
    from gaitkit.datasets.sources import FrameSource
    from gaitkit.silhouettes.options import SilhouetteOptions
    from gaitkit.stages.normalize import StageSummary

__all__ = ["describe_source", "manifest_option", "one_source", "report_stage", "silhouette_choice"]

manifest_option = click.option(
    "--manifest",
    type=options.INPUT_FILE,
    help="Read own people from a CSV file: path, subject, condition, take, view.",
)


def one_source(frames: Path | None, manifest: Path | None, name: str | None) -> FrameSource:
    """The source that the arguments name; exactly one of folder or archive and manifest."""
    if (frames is None) == (manifest is None):
        raise click.UsageError("Give either FRAMES or --manifest.")
    if manifest is not None:
        from gaitkit.datasets.manifest import ManifestSource

        return ManifestSource(manifest, name=name)
    from gaitkit.datasets.sources import open_source

    assert frames is not None
    return open_source(frames, name=name)


def describe_source(source: FrameSource, output: Path, *, as_json: bool) -> None:
    """Say what a run would read and write, for ``--dry-run``."""
    units = source.units()
    if as_json:
        console.print_json(
            {"source": source.description, "dataset": source.name, "units": len(units)}
        )
        return
    click.echo(f"Would read {source.description} (data set {source.name}) in {len(units):,} units")
    click.echo(f"Would write {output}")


def report_stage(
    output: Path,
    summary: StageSummary,
    noun: str,
    *,
    as_json: bool,
) -> None:
    """Say what a stage kept, dropped and passed over."""
    from gaitkit.artifacts.summary import count_reasons

    reasons = count_reasons(summary.dropped)
    if as_json:
        console.print_json(
            {
                "output": str(output),
                "sequences": summary.sequences,
                "kept": summary.kept,
                "frames": summary.frames,
                "dropped": reasons,
                "ignored": dict(summary.ignored),
                "content_sha256": summary.content_sha256,
            }
        )
        return
    frames = f" from {summary.frames:,} frames" if summary.frames else ""
    console.say(
        f"Wrote {output}: {noun} of {summary.kept:,} of {summary.sequences:,} sequences{frames}."
    )
    for what, counts in reasons.items():
        if counts:
            text = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
            console.say(f"Dropped {what}: {text}. See: gaitkit inspect --dropped {output}")
    if summary.ignored:
        text = ", ".join(f"{count:,} {what}" for what, count in summary.ignored.items())
        console.say(f"Ignored files: {text}.")


def silhouette_choice(alignment: str, size: tuple[int, int], keep_cut: bool) -> SilhouetteOptions:
    """The options of the normalisation, from those of the command."""
    from gaitkit.silhouettes.options import SilhouetteOptions

    return SilhouetteOptions.from_parameters(
        {
            "alignment": alignment,
            "height": size[0],
            "width": size[1],
            "drop_cut": not keep_cut,
        }
    )
