"""`gaitkit protocol`: printed, edited, and given to --protocol."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gaitkit.protocols import PROTOCOLS


def test_the_list_names_what_there_is(gaitkit: Callable) -> None:
    ran = gaitkit("protocol", "list")
    assert [line.split()[0] for line in ran.stdout.splitlines()] == list(PROTOCOLS)
    told = json.loads(gaitkit("protocol", "list", "--json").stdout)
    assert list(told) == list(PROTOCOLS)
    # A script that reads one of them reads them all.
    assert len({tuple(sorted(protocol)) for protocol in told.values()}) == 1
    assert {name for name, protocol in told.items() if protocol["absent_people"]} == {"ou-mvlp"}
    assert told == {
        name: json.loads(gaitkit("protocol", "show", name, "--json").stdout) for name in told
    }


def test_a_printed_protocol_is_one_again(gaitkit: Callable, tmp_path: Path) -> None:
    printed = gaitkit("protocol", "show", "casia-b-74-50").stdout
    copy = tmp_path / "mine.toml"
    copy.write_text(printed.replace('"casia-b-74-50"', '"mine"'))
    again = gaitkit("protocol", "show", str(copy)).stdout
    assert again == copy.read_text()


@pytest.mark.parametrize(
    "command", [["protocol", "show", "casia"], ["evaluate", "--protocol", "casia"]]
)
def test_an_unknown_name_is_a_usage_error(gaitkit: Callable, command: list[str]) -> None:
    ran = gaitkit(*command)
    assert ran.code == 2
    assert ", ".join(PROTOCOLS) in ran.stderr


def test_a_file_that_is_no_protocol(gaitkit: Callable, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("trian = 3")
    ran = gaitkit("evaluate", str(wrong), "--protocol", str(wrong))
    assert ran.code == 1
    assert "there is no key 'trian'" in ran.stderr
    assert "Did you mean 'train'?" in ran.stderr
