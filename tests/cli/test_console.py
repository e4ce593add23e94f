"""What goes to the terminal: lists that fit it, notices that are not repeated."""

import io
import logging

import pytest

from gaitkit.cli import console


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


PROTOCOLS = [
    ("short", "who trains"),
    ("longest", "nobody trains; all takes against all: each walk is searched among the others"),
]


def test_on_a_terminal_a_list_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    console.print_entries(PROTOCOLS, "  ")
    assert screen.getvalue().splitlines() == [
        "  short    who trains",
        "  longest  nobody trains; all takes against all: each walk is searched among the",
        "           others",
    ]


def test_a_script_gets_one_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_entries(PROTOCOLS)
    assert capsys.readouterr().out.splitlines() == [
        "short    who trains",
        "longest  nobody trains; all takes against all: each walk is searched among the others",
    ]


def test_what_is_the_same_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_verbosity(0)
    log = logging.getLogger("gaitkit.tested")
    with console.said_once():
        for name in ("one", "other"):
            log.info("protocol halves")
            log.info("reading %s", name)
    log.info("protocol halves")
    assert capsys.readouterr().err.splitlines() == [
        "protocol halves",
        "reading one",
        "reading other",
        "protocol halves",
    ]
