"""The `gaitkit` command: the group, its configuration and the one place that catches errors."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from gaitkit._version import __version__
from gaitkit.cli import console, options
from gaitkit.cli.helped import HelpContext, HelpedCommand, going_on, warn_of_unknown_variables
from gaitkit.cli.mistakes import plain_message
from gaitkit.cli.parameters import in_options
from gaitkit.cli.streams import standard_streams, write_lines
from gaitkit.cli.variables import PREFIX, name_variables, prefix_of
from gaitkit.errors import MAX_MESSAGE, GaitkitError, StoppedError, did_you_mean
from gaitkit.outputs import scratch_refused
from gaitkit.parallel import process_rank
from gaitkit.printable import cut_inside, fitted, harmless, one_line, quoted

__all__ = ["cli", "main"]

# Command name and the module that defines it; modules are imported when they are needed, and
# import torch, OpenCV and the like only inside the command.
COMMANDS = {
    "demo": "demo",
    "synth": "synth",
    "manifest": "manifest",
    "segment": "segment",
    "normalize": "normalize",
    "make-gei": "make_gei",
    "train-gan": "train_gan",
    "train-embedding": "train_embedding",
    "models": "models",
    "translate": "translate",
    "embed": "embed",
    "evaluate": "evaluate",
    "enroll": "enroll",
    "identify": "identify",
    "who": "who",
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

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gaitkit.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        if not isinstance(command, click.Group):
            command = HelpedCommand.of(command)
        name_variables(command, prefix_of(PREFIX, cmd_name))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; suggest a close one where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            begin = [repr(name) for name in COMMANDS if name.startswith(args[0])]
            guess = f"Did you mean {' or '.join(begin)}?" if begin else ""
            guess = guess or did_you_mean(args[0], COMMANDS)
            text = f"There is no command {quoted(args[0])}. {guess}"
            raise click.UsageError(text.rstrip(), ctx) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; a value in an error of click's is cut and made harmless."""
        try:
            return super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError:
            raise  # Its message is the help.
        except click.ClickException as error:
            told = plain_message(error)
            if not isinstance(error, click.BadParameter):  # Their choices and hints have lines.
                told = one_line(told)
            told = cut_inside(harmless(told), MAX_MESSAGE)
            error.format_message = lambda: told  # type: ignore[method-assign]
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what an error of the library calls a parameter is an option here."""
        warn_of_unknown_variables(self)
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.exceptions.Abort, _Ended) as stop:
            stop.add_note(going_on(self.get_command(ctx, ctx.invoked_subcommand or "")))
            raise
        except GaitkitError as error:
            running = self.get_command(ctx, ctx.invoked_subcommand or "")
            error.message = in_options(error.message, running, self)
            if error.hint:
                error.hint = in_options(error.hint, running, self)
            raise
        except BrokenPipeError as error:
            # Not of stdout or stderr, which never raise; click would end without a word.
            raise GaitkitError("A process that this one writes to has ended.") from error
        except OSError as error:
            # Libraries that have no place for temporary files fail in ways of their own.
            refused = scratch_refused()
            if refused is None:
                raise
            raise refused from error


@click.group(
    cls=Pipeline,
    context_settings={
        "auto_envvar_prefix": PREFIX,
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
    epilog="Every option can also be set in the environment (GAITKIT_MAKE_GEI_MIN_FRAMES=8) or in "
    "a TOML file (--config FILE before or after the command, one table per command: [make-gei] "
    "min-frames = 8).",
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
    with standard_streams() as stdout, _signals_unwind():
        code = _run(args)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        if code == 0 and stdout.reader_left:
            code = 141
        elif code == 0 and stdout.error is not None:
            reason = stdout.error.strerror or type(stdout.error).__name__
            _tell(f"Error: stdout cannot be written: {reason}. All else is done.")
            code = 1
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    """Run a command and report what went wrong; the exit code."""
    try:
        console.set_verbosity(0)
        code = cli.main(args, prog_name="gaitkit", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as stop:
        _tell(f"Stopped. {_advice(stop)}".rstrip())
        return 130
    except _Ended as ended:
        _tell(f"Stopped by {ended.signal.name}. {_advice(ended)}".rstrip())
        return 128 + ended.signal
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            error.show()
        return error.exit_code
    except GaitkitError as error:
        _report(error)
        return error.exit_code
    except SystemExit as stop:  # Of click's shell completion.
        code = 0 if stop.code is None else stop.code
        return code if isinstance(code, int) else 1
    except BrokenPipeError:
        return 141  # Of a stream that is not the system's; those never raise.
    except Exception as error:
        _report_bug(error)
        return 1
    return code if isinstance(code, int) else 0


def _advice(stop: BaseException) -> str:
    """How to go on, as noted on what stopped a command, or on what click made another one of."""
    notes = [getattr(error, "__notes__", []) for error in (stop, stop.__cause__)]
    return " ".join(notes[0] or notes[1])


class _Ended(BaseException):
    """The process was asked to end: like Ctrl-C, but of another name."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def _signals_unwind() -> Iterator[None]:
    """Let what is open be closed, and what is unfinished removed, when the process is to end.

    A signal that is ignored, as under nohup, stays ignored.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise _Ended(number)

    numbers = [
        number
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    passed_over = sys.unraisablehook

    def once_more(lost: sys.UnraisableHookArgs) -> None:
        # Raised within a finaliser, where Python can only pass over it.
        if not issubclass(lost.exc_type, _Ended | KeyboardInterrupt):
            passed_over(lost)
            return
        number = lost.exc_value.signal if isinstance(lost.exc_value, _Ended) else signal.SIGINT
        again = threading.Timer(0.01, signal.raise_signal, [number])
        again.daemon = True
        again.start()

    for number in numbers:
        signal.signal(number, end)
    sys.unraisablehook = once_more
    try:
        yield
    finally:
        sys.unraisablehook = passed_over
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        write_lines(sys.stderr, harmless(text))


def _report(error: GaitkitError) -> None:
    if console.verbosity() >= 2:
        traceback.print_exc()
    rank = process_rank()
    if rank > 0 and isinstance(error, StoppedError):
        return  # The first process has said so.
    # Options are longer than parameters.
    told = GaitkitError(error.message, hint=error.hint)
    _tell(f"Error{f' (process {rank})' if rank else ''}: {told}")


def _report_bug(error: Exception) -> None:
    if console.verbosity() >= 2:
        traceback.print_exc()
    try:
        text = one_line(" ".join(str(error).split()))
    except Exception:
        text = "it cannot be told"
    _tell(
        f"Error: gaitkit failed in a way that it should not: {type(error).__name__}: "
        f"{fitted(text, 300)}\n"
        "Give the command again with -vv to see where, and report it."
    )
