"""What the README shows runs."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from gaitkit.cli.main import COMMANDS, cli
from gaitkit.protocols import get_protocol, split_subjects
from gaitkit.training.options import TrainingOptions
from gaitkit.training.store import load_history
from gaitkit.translators import GeiSet, registry, train

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


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
    first, second = (text for text in PYTHON if not text.startswith("# gaitkit/"))
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


def test_a_sixth_system_is_one_file_and_one_line(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, line = (text for text in PYTHON if text.startswith("# gaitkit/translators/"))
    assert len([text for text in module.splitlines() if text.strip()]) <= 28
    monkeypatch.setitem(sys.modules, "gaitkit.translators.linear", ModuleType("linear"))
    exec(compile(module, "linear.py", "exec"), vars(sys.modules["gaitkit.translators.linear"]))
    monkeypatch.setattr(registry, "TRANSLATORS", dict(registry.TRANSLATORS))
    exec(compile(line, "registry.py", "exec"), vars(registry))
    geis, model, translated = (tmp_path / f"{name}.h5" for name in ("gei", "linear", "t"))
    assert gaitkit("make-gei", tiny_tree, "-o", geis, "--workers", 1).code == 0
    subjects = split_subjects(get_protocol("halves"), GeiSet.open(geis).labels).train
    # The command's choices were made before the line was added; what it calls was not.
    train(
        geis,
        model,
        subjects=subjects,
        system="linear",
        options=TrainingOptions(iterations=30, batch_size=4, log_every=10),
    )
    losses = [row[0] for row in load_history(model).losses]
    assert losses[-1] < losses[0]
    assert "a toy" in gaitkit("models").stdout
    assert gaitkit("translate", geis, "--model", model, "-o", translated).code == 0
    assert gaitkit("evaluate", translated, "--protocol", "halves").code == 0


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
