"""Where values come from that nobody types: variables of the environment, configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_variable_is_called_as_the_option_is_spelled(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITKIT_SYNTH_VIEW", "0 90")
    ran = gaitkit("synth", tmp_path / "w", "--subjects", 1, "--dry-run", "--json")
    told = json.loads(ran.stdout)
    assert (told["sequences"], told["parameters"]["views"]) == (20, [0, 90])
    assert ran.stderr == ""


def test_a_variable_by_the_former_name_is_taken_as_well(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITKIT_SYNTH_VIEWS", "18")
    ran = gaitkit("synth", tmp_path / "w", "--subjects", 1, "--dry-run", "--json")
    assert json.loads(ran.stdout)["parameters"]["views"] == [18]
    assert ran.stderr == ""


def test_a_variable_sets_an_option_of_a_command_in_a_group(
    gaitkit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITKIT_PROTOCOL_LIST_JSON", "1")
    ran = gaitkit("protocol", "list")
    assert json.loads(ran.stdout)
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GAITKIT_SYNTH_SUBJECTS", "abc", "'abc' is not a whole number in the range 1<=x<=9999."),
        ("GAITKIT_SYNTH_SUBJECTS", "3.5", "'3.5' is not a whole number in the range 1<=x<=9999."),
        ("GAITKIT_SYNTH_NOISE", "much", "'much' is not a number in the range 0<=x<=5."),
        ("GAITKIT_SYNTH_SUBJECTS", "0", "0 is not in the range 1<=x<=9999."),
        ("GAITKIT_SYNTH_OVERWRITE", "maybe", "'maybe' is neither true nor false."),
    ],
)
def test_a_wrong_value_is_blamed_on_the_variable_that_holds_it(
    name: str,
    value: str,
    told: str,
    gaitkit: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    ran = gaitkit("synth", tmp_path / "w")
    assert ran.code == 2
    option = name.rpartition("_")[2].lower()
    wanted = f"Error: Invalid value for '--{option}', from the variable {name}: {told}"
    assert ran.stderr.splitlines()[-1] == wanted


def test_a_wrong_value_of_a_configuration_is_blamed_on_its_table(
    gaitkit: Callable, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[synth]\nsubjects = "many"\n')
    told = (
        f"Error: Invalid value for '--subjects', from [synth] of {config}: 'many' is not a whole "
        "number in the range 1<=x<=9999."
    )
    for given in (
        ["--config", config, "synth", tmp_path / "w"],
        ["synth", tmp_path / "w", "--config", config],
    ):
        assert gaitkit(*given).stderr.splitlines()[-1] == told


def test_a_typed_value_is_not_blamed_on_anything_else(gaitkit: Callable, tmp_path: Path) -> None:
    ran = gaitkit("synth", tmp_path / "w", "--subjects", "some")
    told = "Error: Invalid value for '--subjects': 'some' is not a whole number in the range "
    assert ran.stderr.splitlines()[-1] == f"{told}1<=x<=9999."


def test_a_mistyped_option_has_the_one_that_it_begins(gaitkit: Callable, tmp_path: Path) -> None:
    ran = gaitkit("synth", tmp_path / "w", "--subject", 3)
    assert ran.stderr.splitlines()[-1].endswith("Did you mean '--subjects'?")


def test_a_mistyped_table_is_a_usage_error_with_a_guess(gaitkit: Callable, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("[snyth]\nsubjects = 2\n")
    ran = gaitkit("synth", tmp_path / "w", "--config", config)
    assert ran.code == 2
    assert ran.stderr.startswith("Usage: gaitkit synth ")
    assert ran.stderr.endswith("found 'snyth'. Did you mean 'synth'?\n")


@pytest.mark.parametrize(
    "given",
    [["synth", ""], ["demo", "-o", ""], ["run", "x", "-o", ""], ["export", "x.h5", "-o", ""]],
)
def test_an_empty_name_is_not_the_folder_one_is_in(
    given: list[str], gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x", "x.h5"):
        (tmp_path / name).touch()
    ran = gaitkit(*given)
    assert ran.code == 2
    assert "the name is empty" in ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.h5"]
