"""Commands and options are spelled as the command objects say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from gaitkit.cli.command_lines import ALIASES, command_line, option_of, parameter_of
from gaitkit.cli.main import COMMANDS, cli


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "parameter", "expected"),
    [
        ("make-gei", "drop_cut", "--keep-cut"),
        ("make-gei", "source", "INPUT"),
        ("make-gei", "min_frames", "--min-frames"),
        ("evaluate", "features", "--feature"),
        ("evaluate", "fuse_with", "--fuse"),
        ("evaluate", "output", "--output"),
        ("train-gan", "system", "--model"),
        ("train-gan", "config", "--set"),
        ("train-gan", "balanced", "--balanced"),
        ("translate", "view", "--to-view"),
        ("show", "views", "--view"),
        ("report", "people", "--person"),
        ("report", "threads", None),
    ],
)
def test_a_parameter_of_the_library_has_an_option(
    name: str, parameter: str, expected: str | None
) -> None:
    assert option_of(command(name), parameter) == expected


def test_every_alias_is_needed_and_leads_somewhere() -> None:
    commands = [command(name) for name in COMMANDS]
    for name, called in ALIASES.items():
        found = [parameter_of(one, name) for one in commands]
        assert any(one is not None and one.name == called for one in found), name


@pytest.mark.parametrize(
    ("stage", "parameters", "expected"),
    [
        ("evaluate", {"path": "-x.h5", "k": 2}, "evaluate --k 2 -- -x.h5"),
        ("evaluate", {"path": "a b.h5", "k": 1, "seed": 0}, "evaluate 'a b.h5'"),
        (
            "evaluate",
            {"path": "a.h5", "fuse_with": ["b.h5"], "metrics": ["cosine", "manhattan"]},
            "evaluate a.h5 b.h5 --fuse --metric cosine --metric manhattan",
        ),
        (
            "evaluate",
            {"path": "a.h5", "fuse_with": ["b.h5"], "weights": [0.75, 0.25]},
            "evaluate a.h5 b.h5 --fuse --weights 0.75,0.25",
        ),
        ("evaluate", {"path": "a.h5", "probe_view": 54.0}, "evaluate a.h5 --probe-view 54"),
        ("make_gei", {"source": "F", "drop_cut": True, "size": (64, 64)}, "make-gei F"),
        (
            "make_gei",
            {"source": "F", "drop_cut": False, "size": (128, 88)},
            "make-gei F --keep-cut --size 128 88",
        ),
        ("train", {"geis": "g.h5", "balanced": True}, "train-gan g.h5 --balanced"),
        (
            "train",
            {"geis": "g.h5", "config": {"betas": (0.5, 0.9), "matte": True, "l1_weight": 3.0}},
            "train-gan g.h5 --set betas=0.5,0.9 --set matte=true --set l1_weight=3",
        ),
        (
            "train",
            {"geis": "g.h5", "system": "own", "log_every": 5},
            "train-gan g.h5   # in Python also system='own', log_every=5",
        ),
    ],
)
def test_a_step_becomes_the_command_that_does_it(
    stage: str, parameters: dict[str, Any], expected: str
) -> None:
    assert command_line(stage, parameters) == f"gaitkit {expected}"


def test_a_stage_without_a_command_is_a_bug() -> None:
    with pytest.raises(LookupError, match="no command 'dream'"):
        command_line("dream", {})


@pytest.mark.parametrize(
    "words", ["inspect", "evaluate", "show -o sheet.png", "segment -o masks.h5", "report -o a.html"]
)
def test_a_folder_where_one_file_is_read(
    gaitkit: Callable[..., Any], tmp_path: Path, words: str
) -> None:
    name, *options = words.split()
    ran = gaitkit(name, tmp_path, *options)
    told = " ".join(ran.stderr.split())
    assert ran.code == 2
    assert "is a folder, and one file is read here" in told
    assert "gaitkit make-gei FOLDER -o gei.h5 makes one" in told
