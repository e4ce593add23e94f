"""Names out of somebody's file in what the commands print: escaped, and in their columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.labels import Labels, SequenceKey
from gaitkit.printable import UNPRINTABLE, width_of

PEOPLE = ["\x1b]0;title\x07anna", "b\nError: forged", "c\u202evil", "王小明", "e\u2028", "f\x9b"]
CONDITION = "nm\x1b[31m"
DATASET = "\x1b[2J\r\nwalkers\u2066"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """GEIs whose every name could take over a terminal."""
    keys = [
        SequenceKey(name, condition, take, view)
        for name in PEOPLE
        for condition in ("nm", CONDITION)
        for take in range(1, 7)
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 16, 16), dtype=np.uint8)
    path = tmp_path / "h\x1b[31m\n.h5"
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images, "frames_used": np.full(len(keys), 9)},
        labels=Labels.from_keys(keys),
        dropped=[],
        parameters={"note\x1b": "a\u202eb"},
        dataset=DATASET,
    )
    return path


def refuse_raw(*texts: str) -> None:
    for text in texts:
        found = UNPRINTABLE.findall(text.replace("\n", ""))
        assert not found, (found, text)
        assert not any(line.startswith("Error: forged") for line in text.splitlines())


COMMANDS = [
    ("inspect", "--dropped"),
    ("evaluate", "--protocol", "halves"),
    ("evaluate", "--protocol", "halves", "--probe-view", "90"),
    ("evaluate", "--protocol", "halves", "--format", "csv"),
    ("evaluate", "--protocol", "halves", "--format", "markdown"),
    ("evaluate", "--protocol", "halves", "--format", "latex"),
    ("show", "-o", "sheet.png", "--subject", "\x1bnobody\n"),
    ("show", "-o", "sheet.png"),
    ("export", "-o", "sheets"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_a_name_raw(
    gaitkit: Callable, hostile: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(hostile.parent)
    ran = gaitkit(command[0], hostile, *command[1:])
    assert "should not" not in ran.stderr
    refuse_raw(ran.stdout, ran.stderr)


def test_names_stand_in_columns(gaitkit: Callable, hostile: Path) -> None:
    ran = gaitkit("identify", hostile, "--gallery", hostile, "--top", 6)
    assert ran.code == 0
    refuse_raw(ran.stdout, ran.stderr)
    rows = [line for line in ran.stdout.splitlines() if line.startswith("    1  ")]
    assert len(rows) == 6 * 24
    shown = [row.partition("/nm")[0].rsplit("  ", 1)[0] for row in rows]
    assert len({width_of(row) for row in shown}) == 1
    assert r"\x1b]0;title\x07anna" in ran.stdout
    assert "王小明" in ran.stdout


def test_json_is_escaped_and_keeps_the_names(gaitkit: Callable, hostile: Path) -> None:
    ran = gaitkit("identify", hostile, "--gallery", hostile, "--json")
    refuse_raw(ran.stdout)
    assert {probe["subject"] for probe in json.loads(ran.stdout)["probes"]} == set(PEOPLE)
    ran = gaitkit("inspect", hostile, "--json")
    refuse_raw(ran.stdout)
    assert json.loads(ran.stdout)["dataset"] == DATASET


def test_csv_shows_the_escapes(gaitkit: Callable, hostile: Path) -> None:
    ran = gaitkit("evaluate", hostile, "--protocol", "halves", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.stdout)))
    assert {row["input"] for row in rows} == {r"h\x1b[31m\x0a.h5"}


def test_errors_name_files_and_values_cut_and_harmless(gaitkit: Callable, tmp_path: Path) -> None:
    for arguments in (
        ("inspect", tmp_path / "a\x1b[31m\nError: forged"),
        ("evaluate", tmp_path / ("a" * 300)),
        ("\x1b[31m\nError: forged",),
        ("b" * 100_000,),
        ("models", "b" * 100_000),
        ("make-gei", tmp_path, "-o", tmp_path / "x.h5", "--layout", "\u202e" * 1000),
        ("make-gei", tmp_path, "-o", tmp_path / "x.h5", "--min-frames", "9" * 100_000),
        ("make-gei", tmp_path, "-o", tmp_path / "x.h5", "--name", "n" * 501),
        ("make-gei", tmp_path, "-o", tmp_path / "x.h5", "--name", "n\udcff"),
        ("evaluate", tmp_path / "none.h5", "--unknown\x1b"),
    ):
        ran = gaitkit(*arguments)
        assert ran.code in (1, 2)
        assert "should not" not in ran.stderr
        refuse_raw(ran.stderr)
        message = ran.stderr.partition("Error: ")[2]
        assert 0 < len(message) <= 502


@pytest.mark.parametrize("length", [500, 501])
def test_a_name_that_can_be_written_can_be_read(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, length: int
) -> None:
    output = tmp_path / "gei.h5"
    name = "n" * length
    ran = gaitkit("make-gei", tiny_tree / "..", "-o", output, "--name", name, "--layout", "casia-b")
    assert ran.code == (1 if length == 500 else 2)
    ran = gaitkit("make-gei", tiny_tree, "-o", output, "--name", name, "--workers", 1)
    if length == 500:
        with open_artifact(output) as artifact:
            assert artifact.dataset == name
        assert ran.code == 0
    else:
        assert "--name as text of 1 to 500 letters" in ran.stderr
        assert ran.code == 2


CONFIGURATIONS = [
    ("min-frames = {a = 1}", "min-frames: expected text or a number, found {'a': 1}"),
    ("min-frames = 1979-01-02", "min-frames: expected text or a number, found 1979-01-02"),
    ("min-frames = true", "min-frames: expected text or a number, found True"),
    ("min-frames = 8.5", "'8.5' is not a whole number"),
    ("name = [1]", "name: expected text or a number, found [1]"),
    ('name = "a\\u0000b"', "name: expected text without NUL"),
    ("size = 64", "size: expected a list of 2 values, found 64"),
    ("size = [64, [64]]", "size: expected text or a number, found [64]"),
    ('dry-run = ["x"]', "dry-run: expected true or false, found ['x']"),
    (f'name = "{"n" * 100_000}"', "Expected --name as text of 1 to 500 letters"),
    (f'cycles = "{"n" * 100_000}"', "is not one of 'all', 'whole'"),
    (f'"{"k" * 100_000}" = 1', "has no option 'kkk"),
]


def test_a_second_name_of_a_flag_switches_it_off(tmp_path: Path) -> None:
    import click

    from gaitkit.cli.main import cli

    (tmp_path / "c.toml").write_text("[train-gan]\nuniform = true\n")
    context = cli.make_context("gaitkit", ["--config", str(tmp_path / "c.toml"), "train-gan"])
    assert isinstance(context, click.Context)
    assert context.default_map == {"train-gan": {"balanced": False}}


@pytest.mark.parametrize(("line", "told"), CONFIGURATIONS, ids=[c[1][:30] for c in CONFIGURATIONS])
def test_a_value_of_a_wrong_type_is_a_usage_error(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, line: str, told: str
) -> None:
    config = tmp_path / "gaitkit.toml"
    config.write_text(f"[make-gei]\n{line}\n")
    ran = gaitkit("--config", config, "make-gei", tiny_tree, "-o", tmp_path / "a.h5")
    assert ran.code == 2
    assert told in ran.stderr
    assert len(ran.stderr.partition("Error: ")[2]) <= 502
