"""What every command has: options in groups, an example, ``--config``, and how to go on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

import click

from gaitkit.cli import options
from gaitkit.cli.variables import PREFIX, all_variables
from gaitkit.errors import did_you_mean
from gaitkit.printable import printable

__all__ = ["EXAMPLES", "HelpContext", "HelpedCommand", "going_on", "warn_of_unknown_variables"]

_log = logging.getLogger("gaitkit.cli")

EXAMPLES = {
    "demo": "gaitkit demo -o gaitkit-demo/",
    "synth": "gaitkit synth walkers/ --subjects 20",
    "manifest": "gaitkit manifest colleagues/ -o people.csv",
    "segment": "gaitkit segment door.mp4 -o masks.h5",
    "normalize": "gaitkit normalize walkers/ -o silhouettes.h5",
    "make-gei": "gaitkit make-gei silhouettes.h5 -o gei.h5",
    "train-gan": "gaitkit train-gan gei.h5 -o gaitgan.h5 --recipe best --width 32 "
    "--iterations 3000",
    "train-embedding": "gaitkit train-embedding gei.h5 -o parts.h5",
    "models": "gaitkit models gaitgan",
    "translate": "gaitkit translate gei.h5 --model gaitgan.h5 -o translated.h5",
    "embed": "gaitkit embed gei.h5 --model parts.h5 -o embedded.h5",
    "evaluate": "gaitkit evaluate gei.h5 --feature lda --metric cosine -o results.h5",
    "enroll": "gaitkit enroll colleagues.h5 colleagues/\n"
    "gaitkit enroll colleagues.h5 alice-1.mp4 alice-2.mp4 --subject alice\n"
    "gaitkit enroll colleagues.h5 --remove alice",
    "identify": "gaitkit identify probe.h5 --gallery gallery.h5",
    "who": "gaitkit who door.mp4 --gallery colleagues.h5\n"
    "gaitkit who door.mp4 --gallery colleagues.h5 --fpir 0.2",
    "report": "gaitkit report results.h5 --geis gei.h5 -o report.html",
    "run": "gaitkit run walkers/ -o work/ --recipe best --width 24 --iterations 1000",
    "inspect": "gaitkit inspect gei.h5 --dropped",
    "show": "gaitkit show gei.h5 -o sheet.png",
    "export": "gaitkit export gei.h5 -o folder/",
    "completion": "gaitkit completion bash",
}
"""A line of each command, or a few, as one types them."""

_GROUPS = {
    "Input": "manifest layout input_kind name source array axes dataset also protocol geis models "
    "gallery calibration truth subjects frames views noise equal_bodies",
    "Videos": "segmenter any_segmenter view subject from_s to_s max_frames rotate min_height_px "
    "input_size input_range channel",
    "Silhouettes": "alignment size keep_cut keep_off_trend invert",
    "Average": "mirror cycles min_frames",
    "Comparison": "feature features metric metrics k fuse count_failures rounding rank_by "
    "probe_view threshold fpir top",
    "Model": "system recipe paired settings width model weights to_view to_condition strength",
    "Training": "iterations people batch_size balanced target_view target_condition "
    "normal_condition resume checkpoint_every samples sample_every",
    "Augmentation": "bodies shear stretch shift rotate_chance erase erase_area warp",
    "Validation": "validation_subjects validate_every refit",
    "Computing": "device precision threads seed workers cluster cluster_tls",
    "Output": "output matrices form as_json answers report labels date dropped dry_run restart "
    "overwrite",
    "Every command": "config quiet verbose help",
}
"""Headings of the help, and the parameters below each; others stand first, below Options."""

_HEADINGS = {name: heading for heading, names in _GROUPS.items() for name in names.split()}

_HEADINGS_OF = {
    ("evaluate", "weights"): "Comparison",
    ("train-embedding", "frames"): "Training",
    ("train-embedding", "rotate"): "Augmentation",
}
"""Where a command means another thing by a parameter."""

_CONTINUED = {"demo", "run", "synth"}
"""Commands that continue without a ``--restart``."""


_HYPHEN = "\ue000"  # of the area for private use: no help has it


class _HelpFormatter(click.HelpFormatter):
    """Lines of help that never end within a name such as ``casia-b-silhouettes``.

    click breaks lines at hyphens and has no switch for it; what is written here has another
    character in their place until all lines are made.
    """

    def write_text(self, text: str) -> None:
        """A paragraph."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """A list of names and what they mean."""
        kept = [(name, text.replace("-", _HYPHEN)) for name, text in rows]
        super().write_dl(kept, col_max, col_spacing)

    def getvalue(self) -> str:
        """Everything written."""
        return super().getvalue().replace(_HYPHEN, "-")


class HelpContext(click.Context):
    """A context whose help keeps names whole."""

    formatter_class = _HelpFormatter


class HelpedCommand(click.Command):
    """A command whose help has groups and an example, and which takes ``--config``."""

    context_class = HelpContext

    @classmethod
    def of(cls, command: click.Command) -> HelpedCommand:
        """The same command with all of that."""
        return cls(
            command.name,
            context_settings=command.context_settings,
            callback=command.callback,
            params=[*command.params, _config()],
            help=command.help,
            epilog=command.epilog,
            short_help=command.short_help,
            no_args_is_help=command.no_args_is_help,
            hidden=command.hidden,
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below their headings."""
        found: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            # The usage shows the arguments, and the text above tells what they are.
            if record is not None and isinstance(parameter, click.Option):
                is_help = "--help" in parameter.opts
                name = "help" if is_help else parameter.name or ""
                heading = _HEADINGS.get(name, "Options")
                heading = _HEADINGS_OF.get((self.name or "", name), heading)
                found.setdefault(heading, []).append(record)
        for heading in ("Options", *_GROUPS):
            if heading in found:
                with formatter.section(heading):
                    formatter.write_dl(found[heading])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        super().format_epilog(ctx, formatter)
        examples = EXAMPLES.get(self.name or "", "").splitlines()
        if examples:
            with formatter.section("Example" if len(examples) == 1 else "Examples"):
                for example in examples:
                    formatter.write_text(example)


def _config() -> click.Option:
    """``--config`` after the command's name, where many type it."""

    def holder() -> None: ...

    options.config(holder)
    (option,) = holder.__click_params__  # type: ignore[attr-defined]
    assert isinstance(option, click.Option)
    return option


def going_on(command: click.Command | None) -> str:
    """What somebody is told who has stopped a command.

    Parameters
    ----------
    command : click.Command or None
        The one that ran.
    """
    if command is None:
        return ""
    names = {parameter.name for parameter in command.params}
    if "restart" in names or command.name in _CONTINUED:
        return "Give the same command again: it continues."
    return "Nothing is left half written: give the same command again."


def warn_of_unknown_variables(group: click.Group) -> None:
    """Name the variables of the environment that look like options and are none."""
    given = sorted(name for name in os.environ if name.startswith("GAITKIT_"))
    if not given:
        return
    known = set(all_variables(group, PREFIX))
    for name in given:
        if name not in known:
            _log.warning(
                "There is no option for the variable %s. %s",
                printable(name, 80),
                did_you_mean(name, known).rstrip(),
            )
