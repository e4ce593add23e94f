"""What the README shows runs."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from gaitkit.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_examples_run(
    gaitkit: Callable,
    tiny_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert gaitkit("make-gei", tiny_tree, "-o", tmp_path / "gei.h5", "--workers", 1).code == 0
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, object] = {}
    first, second = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(first, "README.md", "exec"), notebook)
    assert capsys.readouterr().out == "(120, 64, 64) uint8 2 2\n"

    # As it stands there, it trains for a minute.
    small = second
    for setting, less in (("width=32", 2), ("iterations=1000", 4), ("batch_size=32", 4)):
        assert small.count(setting) == 1
        small = small.replace(setting, f"{setting.split('=')[0]}={less}")
    exec(compile(small, "README.md", "exec"), notebook)
    told = re.fullmatch(
        r"\(60, 64, 64\) float32 \{'bg': ([\d.]+), 'cl': ([\d.]+), 'nm': ([\d.]+)\}\n",
        capsys.readouterr().out,
    )
    assert told is not None
    assert all(0 <= float(rate) <= 100 for rate in told.groups())


def test_every_command_line_names_commands_and_options_that_exist() -> None:
    lines = re.findall("(gaitkit (?:" + "|".join(COMMANDS) + r")[^`\n&]*)", README)
    assert len(lines) > 10
    for line in lines:
        _, name, *words = shlex.split(line.split("  #")[0])
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known = {spelling for option in command.params for spelling in option.opts}
        unknown = [word for word in words if word.startswith("-") and word not in known]
        assert unknown in ([], ["--help"]), line


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\.images/\w+\.png", README)
    assert pictures
    assert [name for name in pictures if not (ROOT / name).is_file()] == []
