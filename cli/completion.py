"""`gaitkit completion`: the script that makes the shell complete commands and options."""

import click

from gaitkit.cli import console, options


@click.command("completion", short_help="Print a script for shell completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.verbosity
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: echo 'eval "$(gaitkit completion bash)"' >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"This version of click has no completion for {shell}.", ctx)
    root = ctx.find_root().command
    console.print_text(completion(root, {}, "gaitkit", "_GAITKIT_COMPLETE").source())
