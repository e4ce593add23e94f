"""`gaitkit protocol`: the protocols that come with gaitkit, in the form of a file of one's own."""

from __future__ import annotations

import click

from gaitkit.cli import console, options


@click.group("protocol", short_help="Show the evaluation protocols; write your own.")
def command() -> None:
    """Who trains, what is enrolled, what is searched.

    To make a protocol of your own, print one, edit it, and give the file to any --protocol:
    gaitkit protocol show halves > mine.toml
    """


@command.command("list", short_help="The protocols that come with gaitkit.")
@options.json_output
@options.verbosity
def list_command(as_json: bool) -> None:
    """Name and purpose of each protocol."""
    from gaitkit.protocols import PROTOCOLS

    if as_json:
        console.print_json(
            {name: item.as_parameters(whole=True) for name, item in PROTOCOLS.items()}
        )
        return
    console.print_entries([(name, item.description) for name, item in PROTOCOLS.items()])


@command.command("show", short_help="One protocol as TOML.")
@click.argument("name", metavar="NAME|FILE.toml")
@options.json_output
@options.verbosity
def show_command(name: str, as_json: bool) -> None:
    """Print a protocol as TOML, ready to copy and edit; a file is checked and printed whole."""
    from gaitkit.protocols import get_protocol, protocol_toml

    protocol = get_protocol(name)
    if as_json:
        console.print_json(protocol.as_parameters(whole=True))
        return
    console.print_text(protocol_toml(protocol).rstrip())
