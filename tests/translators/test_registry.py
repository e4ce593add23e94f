"""What systems say of themselves is read without importing them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields

import pytest

from gaitkit.errors import OptionError
from gaitkit.training.registry import told_by_class
from gaitkit.translators.registry import (
    Description,
    describe_translator,
    translator_class,
    translator_names,
)


@pytest.mark.parametrize("name", translator_names())
def test_a_description_is_what_the_class_says(name: str) -> None:
    described, found = describe_translator(name), translator_class(name)
    for item in fields(Description):
        assert getattr(described, item.name) == getattr(found, item.name), item.name


def test_models_are_listed_without_torch() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from gaitkit.cli.main import cli\n"
            "cli.main(['models'], standalone_mode=False)\n"
            "sys.exit('torch' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "stargan" in done.stdout


class Plain:
    """Says one thing by a literal, another one by a computation."""

    summary, source = "a toy", "nowhere"
    needs = "".join(["no", "thing"])


def test_what_is_no_literal_is_imported() -> None:
    registry = {"plain": f"{__name__}:Plain"}
    told = told_by_class(registry, "plain", "toy", ["summary", "source", "needs"])
    assert told == {"summary": "a toy", "source": "nowhere", "needs": "nothing"}


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(OptionError, match="there is no translator 'gaitgam'; known") as caught:
        translator_class("gaitgam")
    assert caught.value.hint == "Did you mean 'gaitgan'?"


def test_what_is_adapted_is_told_with_the_settings(gaitkit: Callable) -> None:
    told = gaitkit("models", "attgan").stdout
    lines = [line.strip() for line in told.splitlines() if line.strip().startswith("adapted: ")]
    assert lines == [f"adapted: {line}" for line in describe_translator("attgan").adapted]
    assert any("intensity multiplies all attributes" in line for line in lines)
    assert "adapted" not in gaitkit("models").stdout
