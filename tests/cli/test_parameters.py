"""What the library calls a parameter is an option of the running command."""

import logging
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from gaitkit.cli import console
from gaitkit.cli.command_lines import ALIASES
from gaitkit.cli.main import COMMANDS, cli
from gaitkit.cli.parameters import in_options
from gaitkit.errors import OptionError


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("running", "said", "expected"),
    [
        # A flag has no value, and may have an opposite.
        ("make-gei", "`overwrite`", "--overwrite"),
        ("make-gei", "`overwrite=True`", "--overwrite"),
        ("make-gei", "`overwrite=False`", "no --overwrite"),
        ("train-gan", "`balanced=False`", "--uniform"),
        ("train-gan", "`balanced=True`", "--balanced"),
        ("normalize", "`drop_cut=False`", "--keep-cut"),
        ("normalize", "`drop_cut=True`", "no --keep-cut"),
        # The option may be called otherwise than the parameter of the click command.
        ("train-gan", "`system`", "--model"),
        ("train-gan", '`system="stargan"`', "--model stargan"),
        ("train-gan", '`config={"l1_weight": 30}`', "--set l1_weight=30"),
        ("evaluate", "`metric`", "--metric"),
        ("evaluate", '`metrics=["cosine", "manhattan"]`', "--metric cosine --metric manhattan"),
        ("evaluate", "`features=('pca',)`", "--feature pca"),
        ("evaluate", "`output`", "--output"),
        # Values, and words in the place of values.
        ("train-gan", "`iterations=N`", "--iterations N"),
        ("train-gan", "`iterations=6000`", "--iterations 6000"),
        ("train-gan", "`iterations=more`", "--iterations MORE"),
        ("train-gan", "`iterations=...`", "--iterations …"),
        ("train-gan", "`validation_subjects=12`", "--validation-subjects 12"),
        ("train-gan", "`validation_subjects=number`", "--validation-subjects N"),
        ("train-gan", '`precision="fp32"`', "--precision fp32"),
        ("make-gei", "`size=(64, 64)`", "--size 64 64"),
        ("make-gei", "`size=(height, width)`", "--size H W"),
        ("identify", "`threshold=None`", "no --threshold"),
        ("identify", '`calibration="my results.h5"`', "--calibration 'my results.h5'"),
        ("make-gei", "`manifest=people.csv`", "--manifest people.csv"),
        ("make-gei", "`manifest=/data/my people.csv`", "--manifest '/data/my people.csv'"),
        # Arguments are known by the name that the help has for them.
        ("translate", "`geis`", "GEIS"),
        ("report", "`results`", "RESULTS"),
        # What the running command lacks is another's, where all agree on it.
        ("train-gan", "`size=(64, 64)`", "--size 64 64"),
        ("evaluate", "`validation_subjects`", "--validation-subjects"),
        ("models", "`to_view`", "--to-view"),
        # ... or one that is named.
        ("train-gan", "gaitkit synth with other `subjects`", "gaitkit synth with other --subjects"),
        # A number of walkers is not the people of a training.
        ("train-gan", "`subjects`", "`subjects`"),
        # A setting of a system.
        ("train-gan", "`identity_weight=0`", "--set identity_weight=0"),
        ("train-gan", '`identity_loss="contrastive"`', "--set identity_loss=contrastive"),
        ("train-gan", "`l1_weight`", "--set l1_weight=…"),
        # A command within a group.
        ("protocol", "`name`", "NAME|FILE.toml"),
        # What no command has is left alone, and so is what is not in backticks.
        ("train-gan", "`GaitGAN.load(path)` and `no_such_thing=1`, overwrite=True", None),
        ("train-gan", "`a == b`, `if`, `1`, ``, `", None),
    ],
)
def test_a_parameter_becomes_an_option(running: str, said: str, expected: str | None) -> None:
    assert in_options(said, command_of(running), cli) == (said if expected is None else expected)


def test_all_parameters_of_a_text_become_options() -> None:
    said = "Give `overwrite=True`, or `seed=3` and\nanother `output`."
    expected = "Give --overwrite, or --seed 3 and\nanother --output."
    assert in_options(said, command_of("train-gan"), cli) == expected


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_of_every_command_is_found_by_its_own_name(name: str) -> None:
    command = command_of(name)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.expose_value:
            said = in_options(f"`{parameter.name}`", command, cli)
            assert said in parameter.opts
            assert said.startswith("--")


def test_every_other_name_leads_to_a_parameter() -> None:
    names = {parameter.name for name in COMMANDS for parameter in command_of(name).params}
    assert set(ALIASES.values()) <= names


def test_without_a_running_command_any_command_answers() -> None:
    assert in_options("`overwrite=True`", None, cli) == "--overwrite"


def test_an_error_names_the_option_of_the_command_that_fails(
    gaitkit: Callable, tmp_path: Path, tiny_tree: Path
) -> None:
    (tmp_path / "gei.h5").touch()
    ran = gaitkit("make-gei", tiny_tree, "-o", tmp_path / "gei.h5")
    assert ran.code == 2
    assert "--overwrite" in ran.stderr
    assert "`" not in ran.stderr


def test_so_does_an_error_found_while_the_options_are_read(
    gaitkit: Callable, write_geis: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise OptionError("`protocol` is wrong.", hint='Use `protocol="halves"`.')

    monkeypatch.setattr("gaitkit.protocols.get_protocol", refuse)
    ran = gaitkit("evaluate", write_geis(), "--protocol", "mine")
    assert ran.code == 2
    assert "--protocol is wrong. Use --protocol halves." in " ".join(ran.stderr.split())


def test_so_does_a_warning(
    gaitkit: Callable, monkeypatch: pytest.MonkeyPatch, write_geis: Callable
) -> None:
    def warn(*_: object, **__: object) -> None:
        logging.getLogger("gaitkit.stages").warning("Few people: give `validation_subjects=%d`.", 2)
        raise OptionError("No.")

    monkeypatch.setattr("gaitkit.artifacts.open_artifact", warn)
    ran = gaitkit("inspect", write_geis())
    assert "Warning: Few people: give --validation-subjects 2." in ran.stderr


def test_outside_a_command_a_text_stays_python() -> None:
    assert console.in_options("Give `overwrite=True`.") == "Give `overwrite=True`."
