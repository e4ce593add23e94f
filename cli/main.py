"""The `gaitkit` command: the group, its configuration and the one place that catches errors."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from gaitkit._version import __version__
from gaitkit.cli import console, options
from gaitkit.cli.parameters import in_options
from gaitkit.errors import GaitkitError, StoppedError, did_you_mean
from gaitkit.parallel import process_rank

__all__ = ["cli", "main"]

# Command name and the module that defines it; modules are imported when they are needed, and
# import torch, OpenCV and the like only inside the command.
COMMANDS = {
    "demo": "demo",
    "synth": "synth",
    "normalize": "normalize",
    "make-gei": "make_gei",
    "train-gan": "train_gan",
    "models": "models",
    "translate": "translate",
    "evaluate": "evaluate",
    "enroll": "enroll",
    "identify": "identify",
    "report": "report",
    "protocol": "protocol",
    "run": "run",
    "inspect": "inspect",
    "show": "show",
    "export": "export",
    "completion": "completion",
}


class Pipeline(click.Group):
    """A group that lists its commands in the order of the pipeline and loads them lazily."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gaitkit.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; suggest a close one where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            text = f"There is no command {args[0]!r}. {did_you_mean(args[0], COMMANDS)}"
            raise click.UsageError(text.rstrip(), ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what an error of the library calls a parameter is an option here."""
        try:
            return super().invoke(ctx)
        except GaitkitError as error:
            running = self.get_command(ctx, ctx.invoked_subcommand or "")
            error.message = in_options(error.message, running, self)
            if error.hint:
                error.hint = in_options(error.hint, running, self)
            raise


@click.group(
    cls=Pipeline,
    context_settings={
        "auto_envvar_prefix": "GAITKIT",
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
    epilog="Every option can also be set in the environment (GAITKIT_MAKE_GEI_MIN_FRAMES=8) or in "
    "a TOML file (--config FILE, one table per command: [make-gei] min-frames = 8).",
)
@click.version_option(__version__, prog_name="gaitkit", message="%(prog)s %(version)s")
@options.config
@options.verbosity
def cli() -> None:
    """Recognise people by the way they walk.

    Silhouettes of a walk are normalised; their average is a gait energy image (GEI); a GAN turns a
    GEI of any view into the 90° one of the same person; nearest neighbours say who it is. Each
    step writes an HDF5 file that the next one reads. Begin with: gaitkit demo
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line; the console script's entry point."""
    console.set_verbosity(0)
    try:
        code = cli.main(args, prog_name="gaitkit", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GaitkitError as error:
        _report(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) went away: not an error, but Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        _report_bug(error)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: GaitkitError) -> None:
    if console.verbosity() >= 2:
        traceback.print_exc()
    rank = process_rank()
    if rank > 0 and isinstance(error, StoppedError):
        return  # The first process has said so.
    click.echo(f"Error{f' (process {rank})' if rank else ''}: {error.message}", err=True)
    if error.hint:
        click.echo(error.hint, err=True)


def _report_bug(error: Exception) -> None:
    if console.verbosity() >= 2:
        traceback.print_exc()
    text = " ".join(str(error).split())[:300]
    click.echo(
        f"Error: gaitkit failed in a way that it should not: {type(error).__name__}: {text}\n"
        "Give the command again with -vv to see where, and report it.",
        err=True,
    )
