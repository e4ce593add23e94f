"""What the commands that read frames share: choosing a source and saying what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from gaitkit.cli import console, options
from gaitkit.printable import counted

if TYPE_CHECKING:
    from gaitkit.datasets.segmented import VideoReading
    from gaitkit.datasets.sources import FrameSource, Layout
    from gaitkit.dropped import DroppedRow
    from gaitkit.segmentation.options import SegmentOptions
    from gaitkit.stages.normalize import StageSummary

__all__ = [
    "average_fields",
    "describe_source",
    "layout_option",
    "manifest_option",
    "one_input",
    "reading_of",
    "refuse_unused_reading",
    "report_stage",
    "segmentation_of",
    "silhouette_fields",
    "telling_dropped",
]

_SEGMENTATION = (
    "segmenter",
    "from_s",
    "to_s",
    "max_frames",
    "rotate",
    "min_height_px",
    "input_size",
    "input_range",
    "channel",
)

manifest_option = click.option(
    "--manifest",
    type=options.INPUT_FILE,
    help="Read own people from a CSV file: path, subject, condition, take, view.",
)


class _LayoutName(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """The name of a data set layout, looked up in the registry when it is asked for."""

    name = "layout"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from gaitkit.arguments import canonical_name
        from gaitkit.datasets.layouts import LAYOUTS, get_layout
        from gaitkit.errors import OptionError

        try:
            get_layout(value)
        except OptionError as error:
            self.fail(str(error), param, ctx)
        return canonical_name(str(value), LAYOUTS)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from gaitkit.datasets.layouts import layout_names

        return [CompletionItem(name) for name in layout_names() if name.startswith(incomplete)]


class _LayoutOption(click.Option):
    """Lists the names in its help; as a metavar they would make one long line."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from gaitkit.datasets.layouts import layout_names

        names = ", ".join(layout_names())
        self.help = f"How the input is laid out: {names}.  [default: told by what is there]"
        return super().get_help_record(ctx)


layout_option = click.option(
    "--layout", cls=_LayoutOption, type=_LayoutName(), help="How the input is laid out."
)


def _argument() -> str:
    """What the running command calls the argument that it reads."""
    params = click.get_current_context().command.params
    return next(one.human_readable_name for one in params if isinstance(one, click.Argument))


def one_input(
    given: Path | None, manifest: Path | None, layout: str | None
) -> tuple[Path, str | None]:
    """The path to read and its layout; exactly one of folder or archive and manifest is given."""
    if (given is None) == (manifest is None):
        raise click.UsageError(f"Give either {_argument()} or --manifest.")
    if given is not None:
        return given, layout
    assert manifest is not None
    if layout not in (None, "manifest", "gei-manifest"):
        raise click.UsageError(f"--manifest is not of the layout {layout}.")
    from gaitkit.datasets.manifest import manifest_holds

    return manifest, layout or (
        "manifest" if manifest_holds(manifest) == "frames" else "gei-manifest"
    )


def describe_source(source: FrameSource, output: Path, *, as_json: bool) -> None:
    """Say what a run would read and write, for ``--dry-run``."""
    from gaitkit.datasets.sources import Layout

    units = source.units()
    recognised = source.recognised if isinstance(source, Layout) else ""
    if as_json:
        console.print_json(
            {
                "source": source.description,
                "dataset": source.name,
                "units": len(units),
                "recognised": recognised,
            }
        )
        return
    console.say(recognised)
    console.print_line(
        f"Would read {source.description} (data set {source.name}) in "
        f"{counted(len(units), 'piece')}"
    )
    console.print_line(f"Would write {output}")


def report_stage(
    output: Path,
    summary: StageSummary,
    noun: str,
    *,
    as_json: bool,
) -> None:
    """Say what a stage kept, dropped and passed over."""
    from gaitkit.artifacts.summary import count_reasons
    from gaitkit.datasets.strays import told_strays

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
    frames = f" from {counted(summary.frames, 'frame')}" if summary.frames else ""
    wrote = "" if summary.done_before else "Wrote "
    console.say(
        f"{wrote}{output}: {noun} of {summary.kept:,} of "
        f"{counted(summary.sequences, 'sequence')}{frames}."
    )
    for what, counts in reasons.items():
        if counts:
            text = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
            console.say(f"Dropped {what}: {text}. See: gaitkit inspect --dropped {output}")
    if summary.ignored:
        console.say(f"Ignored: {', '.join(told_strays(summary.ignored))}.")


@contextmanager
def telling_dropped(
    report: Path | None, output: Path, inputs: Iterable[Path], *, overwrite: bool
) -> Iterator[Callable[[StageSummary], None]]:
    """Tell what was dropped and why: into ``--report``, and where nothing is left, on the screen.

    Yields
    ------
    callable
        To be called with the summary of the stage.
    """
    from gaitkit.errors import GaitkitError, OptionError
    from gaitkit.outputs import Output, free_to_write
    from gaitkit.stages.advice import NothingUsableError, examples, write_dropped

    if report is not None:
        if os.path.realpath(report) == os.path.realpath(output):
            raise OptionError("The report and the `output` are the same file.")
        # The same command once more is to find everything done.
        free_to_write(
            report,
            overwrite=overwrite or output.exists(),
            inputs=inputs,
            other_than_artefact=("a table in CSV", "dropped.csv"),
        )

    def write(dropped: list[DroppedRow]) -> None:
        if report is not None:
            with Output(report, overwrite=overwrite) as claim:
                write_dropped(dropped, claim)
            console.say(f"Wrote {report}: {counted(len(dropped), 'row')} of what was dropped.")

    def done(summary: StageSummary) -> None:
        write(summary.dropped)

    try:
        yield done
    except NothingUsableError as error:
        for line in examples(error.dropped):
            console.say(console.in_options(f"Dropped {line}"))
        try:
            write(error.dropped)
        except GaitkitError as other:
            console.say(f"No report: {other.message}")
        raise


def silhouette_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Fields of `SilhouetteOptions`, taken out of a command's values (`silhouette_options`).

    What is not said on the command line, in the environment or in a configuration is left for the
    source to say: its frames may be aligned already.
    """
    ctx = click.get_current_context()
    said = {
        name
        for name in ("alignment", "size")
        if ctx.get_parameter_source(name) != ParameterSource.DEFAULT
    }
    alignment, size = values.pop("alignment"), values.pop("size")
    fields: dict[str, Any] = {"drop_cut": not values.pop("keep_cut")}
    # Only where they are said: the steps of a pipeline are known by what they were told.
    if values.pop("keep_off_trend"):
        fields["drop_off_trend"] = False
    if values.pop("invert"):
        fields["invert"] = True
    if "alignment" in said:
        fields["alignment"] = alignment
    if "size" in said:
        fields["height"], fields["width"] = size
    return fields


def average_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Fields of `GeiOptions`, taken out of a command's values (`gei_options`)."""
    min_frames, mirror = values.pop("min_frames"), values.pop("mirror")
    fields = {"cycles": values.pop("cycles")}
    # What is not said is left for the input to say: people in videos walk to either side.
    ctx = click.get_current_context()
    if ctx.get_parameter_source("mirror") != ParameterSource.DEFAULT:
        fields["mirror"] = mirror
    return fields if min_frames is None else fields | {"min_frames": min_frames}


def segmentation_of(values: dict[str, Any]) -> SegmentOptions:
    """How videos are segmented, taken out of a command's values (`segmentation_options`)."""
    from gaitkit.segmentation.options import SegmentOptions

    taken = {name: values.pop(name) for name in _SEGMENTATION}
    return SegmentOptions(**{**taken, "rotate": int(taken["rotate"])})


def reading_of(values: dict[str, Any]) -> VideoReading:
    """How videos are read, taken out of a command's values (`video_options`)."""
    from gaitkit.datasets.segmented import VideoReading

    options = segmentation_of(values)
    return VideoReading(options, values.pop("subject"), values.pop("view")).checked()


def refuse_unused_reading(source: Layout | None) -> None:
    """Raise where something was said about videos of people, and there is none to segment."""
    if source is not None and source.first_video() is not None:
        return
    ctx = click.get_current_context()
    spelled = {option.name: max(option.opts, key=len) for option in ctx.command.params}
    said = [
        spelled[name]
        for name in (*_SEGMENTATION, "subject", "view")
        if ctx.get_parameter_source(name)
        in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    ]
    if said:
        raise click.UsageError(
            f"{' and '.join(said)} {'is' if len(said) == 1 else 'are'} about videos, and this "
            "input is none.",
            ctx,
        )
