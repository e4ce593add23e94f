"""Every option that several commands share, defined once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from gaitkit.cli import console
from gaitkit.cli.mistakes import CONFIGURATION
from gaitkit.documents import read_toml
from gaitkit.errors import DatasetError, did_you_mean
from gaitkit.printable import printable, quoted

__all__ = [
    "alignment",
    "any_segmenter",
    "calibration",
    "cluster",
    "config",
    "device",
    "dropped_report",
    "dry_run",
    "feature",
    "fpir",
    "gei_options",
    "json_output",
    "metric",
    "output",
    "overwrite",
    "protocol",
    "restart",
    "seed",
    "segmentation_options",
    "silhouette_options",
    "verbosity",
    "video_options",
    "workers",
]

Function = TypeVar("Function", bound=Callable[..., Any])


class _Named(click.Path):
    """A file or folder; an empty name, as of a variable that is not set, is none.

    As a path it would be the folder that one is in.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if value in ("", b""):
            self.fail("the name is empty.", param, ctx)
        return cast(Path, super().convert(value, param, ctx))


class _InputFile(_Named):
    """One file that is there. Of a folder it is said what makes one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        # Not Path.is_dir, which raises where a name is too long.
        if os.path.isdir(value):
            self.fail(
                f"{quoted(str(value))} is a folder, and one file is read here. Of a folder of "
                "frames or videos gaitkit make-gei FOLDER -o gei.h5 makes one.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


FILE = _Named(dir_okay=False, path_type=Path)
FOLDER = _Named(file_okay=False, path_type=Path)
FILE_OR_FOLDER = _Named(path_type=Path)
INPUT_FILE = _InputFile(exists=True, dir_okay=False, readable=True, path_type=Path)
INPUT = _Named(exists=True, readable=True, path_type=Path)


def _set_verbosity(ctx: click.Context, parameter: click.Parameter, value: int) -> None:
    # Given before or after the command's name, the options add up.
    if value:
        console.set_verbosity(console.verbosity() + (value if parameter.name == "verbose" else -1))


def verbosity(command: Function) -> Function:
    """``-v`` and ``-q``."""
    shared: dict[str, Any] = {
        "expose_value": False,
        "is_eager": True,
        "callback": _set_verbosity,
        "show_default": False,
    }
    for decorate in (
        click.option("-q", "--quiet", count=True, help="Say nothing but errors.", **shared),
        click.option(
            "-v", "--verbose", count=True, help="Say more; -vv also shows tracebacks.", **shared
        ),
    ):
        command = decorate(command)
    return command


def _read_config(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    try:
        content = read_toml(value, what="a configuration")
    except DatasetError as error:
        raise click.BadParameter(error.message, ctx, parameter) from None
    root = ctx.find_root()
    ctx.meta[CONFIGURATION] = value
    group = root.command
    if not isinstance(group, click.Group):
        raise click.BadParameter("there are no commands to configure", ctx, parameter)
    defaults = {name: _checked(value, ctx, group, name, table) for name, table in content.items()}
    if ctx is root:
        ctx.default_map = defaults
    else:
        ctx.default_map = {**(ctx.default_map or {}), **defaults.get(ctx.info_name or "", {})}


def _checked(
    path: Path, ctx: click.Context, group: click.Group, name: str, table: Any
) -> dict[str, Any]:
    """One table of the configuration, its keys and values checked against the command's options."""
    shown = printable(str(path), 200)
    command = group.get_command(ctx.find_root(), name)
    if command is None or not isinstance(table, dict):
        commands = group.list_commands(ctx)
        guess = "" if command is not None else did_you_mean(name, commands)
        raise click.UsageError(
            f"{shown}: expected tables named after commands, found {quoted(name)}. "
            f"{guess or 'Commands: ' + ', '.join(commands) + '.'}".rstrip(),
            ctx,
        )
    options: dict[str, click.Option] = {}
    opposites = set()
    for option in command.params:
        if isinstance(option, click.Option) and option.expose_value and option.name:
            for spelling in (option.name, *option.opts, *option.secondary_opts):
                options[spelling.lstrip("-").replace("-", "_")] = option
            opposites |= {text.lstrip("-").replace("-", "_") for text in option.secondary_opts}
    checked = {}
    for key, value in table.items():
        plain = key.replace("-", "_")
        if plain not in options:
            guess = did_you_mean(plain, options).replace("_", "-")
            text = f"{shown}: [{name}] has no option {quoted(key)}. {guess}"
            raise click.UsageError(text.rstrip(), ctx)
        option = options[plain]
        try:
            if plain in opposites:
                # --uniform is a second name of the flag --balanced, which it switches off.
                value = not _truth(value)
            checked[option.name or ""] = _typed(option, value)
        except ValueError as error:
            raise click.UsageError(f"{shown}: [{name}] {key}: {error}", ctx) from None
    return checked


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {quoted(value)}")
    return value


def _typed(option: click.Option, value: Any) -> Any:
    """A value of a configuration as one would type it, for click to check like any other.

    Raises
    ------
    ValueError
        It is a table, a date, or has another number of values than the option.
    """
    if option.multiple:
        return [_words(option, one) for one in (value if isinstance(value, list) else [value])]
    return _words(option, value)


def _words(option: click.Option, value: Any) -> Any:
    if option.nargs != 1:
        if not isinstance(value, list) or len(value) != option.nargs:
            raise ValueError(f"expected a list of {option.nargs} values, found {quoted(value)}")
        return [_word(option, one) for one in value]
    return _word(option, value)


def _word(option: click.Option, value: Any) -> Any:
    if option.is_flag:
        # As text or a number, click has its say.
        return str(value) if type(value) in (str, int) else _truth(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected text or a number, found {quoted(value)}")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"expected text without NUL, found {quoted(value)}")
    return value if isinstance(value, str) else str(value)


config = click.option(
    "--config",
    type=INPUT_FILE,
    expose_value=False,
    is_eager=True,
    callback=_read_config,
    help="Read option values from a TOML file, one table per command.",
)


def output(help: str) -> Callable[[Function], Function]:
    """``-o``: the file that the command writes."""
    return click.option("-o", "--output", type=FILE, required=True, help=help)


overwrite = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace an existing output. Without it, one that is the same finished work is left, and "
    "another one refused.",
)
restart = click.option(
    "--restart",
    is_flag=True,
    help="Discard unfinished work of an earlier run instead of continuing it.",
)
dry_run = click.option(
    "--dry-run", is_flag=True, help="Check the input and say what would be done; write nothing."
)
json_output = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")
seed = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Seed of everything random."
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Where to compute; auto takes CUDA where there is a GPU.",
)


def _workers(ctx: click.Context, parameter: click.Parameter, value: int | None) -> int:
    if value:
        return value
    from gaitkit.parallel import available_cores

    return available_cores()


workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    callback=_workers,
    help="Number of processes; the result does not depend on it.  [default: the number of cores]",
)


def _cluster(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    files = ctx.params.pop("cluster_tls", None)
    if value is None:
        if files is not None:
            raise click.UsageError("--cluster-tls belongs to --cluster.", ctx)
        return None
    from gaitkit.cluster import Cluster, as_cluster

    return as_cluster(Cluster(value, files))


def cluster(command: Function) -> Function:
    """``--cluster`` and its certificates: a `gaitkit.cluster.Cluster`, or `None`."""
    for decorate in (
        click.option(
            "--cluster-tls",
            type=(INPUT_FILE, INPUT_FILE, INPUT_FILE),
            metavar="CA CERT KEY",
            is_eager=True,  # --cluster, which comes after it, takes it up.
            help="Files (PEM) of a cluster at tls://…: authority, certificate, key.",
        ),
        click.option(
            "--cluster",
            metavar="ADDRESS",
            callback=_cluster,
            help="Do the work on a Dask cluster: the address of its scheduler, tcp://head:8786. "
            "The input and the output's folder have to be on a disk that all machines share. "
            "Whoever reaches that scheduler runs code as you: keep it in a network of your own, "
            "or use --cluster-tls.",
        ),
    ):
        command = decorate(command)
    return command


class _ProtocolName(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """The name of a built-in protocol, or a TOML file."""

    name = "protocol"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | Any:
        if not isinstance(value, str):
            return value
        from gaitkit.errors import OptionError
        from gaitkit.protocols import get_protocol

        try:
            chosen = get_protocol(value)
        except OptionError as error:
            self.fail(console.in_options(str(error)), param, ctx)
        # A built-in one stays a name, a file is read once and is the protocol from here on.
        return value if chosen.name == value else chosen

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "NAME|FILE.toml"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from gaitkit.protocols import PROTOCOLS

        names = [CompletionItem(name) for name in PROTOCOLS if name.startswith(incomplete)]
        return [*names, *click.File().shell_complete(ctx, param, incomplete)]


protocol = click.option(
    "--protocol",
    type=_ProtocolName(),
    help="Who trains, who is tested: a name (gaitkit protocol list), a file as gaitkit protocol "
    "show prints it, or a partition file of OpenGait (.json).  [default: that of the data set "
    "where its names tell it, else halves]",
)


class Registered(click.Choice):  # type: ignore[type-arg]  # generic in the newest click only
    """One of a registry's names; the registry is imported when they are wanted."""

    def __init__(self, names: Callable[[], Sequence[str]]) -> None:
        super().__init__(())
        self._names = names

    @property
    def choices(self) -> tuple[Any, ...]:
        """What can be chosen."""
        return tuple(self._names())

    @choices.setter
    def choices(self, value: Any) -> None:
        """Nothing: what can be chosen is asked of the registry."""


def _metrics() -> Sequence[str]:
    from gaitkit.identification.metrics import metric_names

    return metric_names()


METRIC = Registered(_metrics)


class _FeatureName(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """The name of a feature, or of a vector column of the artefact."""

    name = "feature"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        from gaitkit.identification.features import feature_names

        return f"[{'|'.join(feature_names())}|COLUMN]"


feature = click.option(
    "--feature",
    "features",
    type=_FeatureName(),
    multiple=True,
    help="What is compared: pixels; pca or lda (PCA + LDA), fitted on the training people; or a "
    "vector column of the artefact. May be repeated.  [default: pixels; vectors of an embedding]",
)
metric = click.option(
    "--metric",
    "metrics",
    type=METRIC,
    multiple=True,
    help="Distance of the nearest neighbour; may be repeated.  [default: euclidean; of lda cosine; "
    "of an embedding the one that its embedder names]",
)
fpir = click.option(
    "--fpir",
    type=float,
    metavar="RATE",
    help="Choose the threshold that at most this share of strangers' walks passes, 0.2 for one in "
    "five: found in the gallery itself, each of its people left out in turn, or in --calibration.",
)
calibration = click.option(
    "--calibration",
    type=INPUT_FILE,
    help="Results of gaitkit evaluate on GEIs that were made in the same way: for low rates.",
)
alignment = click.option(
    "--alignment",
    type=click.Choice(["person", "opengait", "given"]),
    default="person",
    show_default=False,
    help="How silhouettes are normalised: gaitkit's way, or OpenGait's frame for frame; given "
    "leaves those as they are that somebody else has aligned.  [default: person; given for "
    "OpenGait's pickles]",
)


def silhouette_options(command: Function) -> Function:
    """What `normalize` and `make-gei` ask about silhouettes."""
    size = click.option(
        "--size",
        type=(click.IntRange(16, 1024), click.IntRange(16, 1024)),
        default=(64, 64),
        metavar="H W",
        show_default=False,
        help="Height and width of a normalised silhouette, pixels.  [default: 64 64; that of the "
        "frames where they are aligned already]",
    )
    keep_cut = click.option(
        "--keep-cut",
        is_flag=True,
        help="Keep frames in which the person touches the image border (tightly cut recordings).",
    )
    keep_off_trend = click.option(
        "--keep-off-trend",
        is_flag=True,
        help="Keep frames whose height or area is far from those before and after.",
    )
    invert = click.option("--invert", is_flag=True, help="The people are dark on bright.")
    return alignment(size(keep_cut(keep_off_trend(invert(command)))))


any_segmenter = click.option(
    "--any-segmenter",
    is_flag=True,
    help="Compare walks whose masks were made by different segmenters: fewer are found.",
)


class _SegmenterName(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """The name of a segmenter, or the file of a network."""

    name = "segmenter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from gaitkit.errors import OptionError
        from gaitkit.segmentation.segmenters import segmenter_class

        try:
            segmenter_class(str(value))
        except OptionError as error:
            self.fail(console.in_options(str(error)), param, ctx)
        return str(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "background|MODEL.tflite|MODEL.onnx"


def segmentation_options(command: Function) -> Function:
    """How people are found in a video, and which part of it is looked at: `SegmentOptions`."""
    for decorate in reversed(_SEGMENTATION):
        command = decorate(command)
    return command


_SEGMENTATION = (
    click.option(
        "--segmenter",
        type=_SegmenterName(),
        default="background",
        help="How people in a video are found: by the background of a fixed camera, or by a "
        "network.",
    ),
    click.option("--from", "from_s", type=float, default=0.0, help="Where to begin, seconds."),
    click.option("--to", "to_s", type=float, help="Where to end, seconds.  [default: the end]"),
    click.option(
        "--max-frames",
        type=click.IntRange(min=1),
        help="End after so many frames.  [default: all]",
    ),
    click.option(
        "--rotate",
        type=click.Choice(["0", "90", "180", "270"]),
        default="0",
        help="Turn the pictures of a video clockwise, beyond what the video itself says.",
    ),
    click.option(
        "--min-height",
        "min_height_px",
        type=click.IntRange(min=8),
        default=20,
        help="Pass over people who are lower, pixels.",
    ),
    click.option(
        "--input-size",
        type=(click.IntRange(16, 2048), click.IntRange(16, 2048)),
        metavar="H W",
        help="Size of a network's input, where its file does not say it.",
    ),
    click.option(
        "--input-range",
        type=click.Choice(["0..1", "-1..1", "0..255"]),
        help="What a network takes for black and white.  [default: 0..1; -1..1 for ONNX]",
    ),
    click.option(
        "--channel",
        type=click.IntRange(min=0),
        help="Which channel of a network's output is the person.  [default: the last]",
    ),
)


def video_options(command: Function) -> Function:
    """What is asked about videos of people."""
    for decorate in (
        segmentation_options,
        click.option(
            "--view",
            type=float,
            help="From where a video was recorded, degrees.  [default: unknown]",
        ),
        click.option("--subject", help="Whom a video shows.  [default: the file's name]"),
    ):
        command = decorate(command)
    return command


dropped_report = click.option(
    "--report",
    type=FILE,
    help="Also write what was dropped, and why, to this CSV file, even where nothing is left.",
)


def gei_options(command: Function) -> Function:
    """What `make-gei` asks about the average."""
    for decorate in (
        click.option(
            "--mirror",
            type=click.Choice(["none", "view", "track"]),
            default="none",
            show_default=False,
            help="Make both walking directions comparable: view turns views above 180° into "
            "360° - v, track uses the body's path across the frame.  [default: none; track for "
            "people in videos]",
        ),
        click.option(
            "--cycles",
            type=click.Choice(["all", "whole"]),
            default="all",
            help="Average all frames, or those of whole gait cycles.",
        ),
        click.option(
            "--min-frames",
            type=click.IntRange(min=1),
            help="Drop sequences with fewer usable frames.  [default: 10]",
        ),
    ):
        command = decorate(command)
    return command
