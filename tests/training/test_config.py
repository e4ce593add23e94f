"""Settings as text: typed by their field, refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gaitkit.errors import OptionError
from gaitkit.training.config import describe_settings, parse_settings
from gaitkit.translators.config import TranslatorConfig, setting


@dataclass(frozen=True)
class Config(TranslatorConfig):
    width: int = setting(96, 1, 512, "channels")
    rate: float = setting(1e-4, 0, 1, "step size", open_ends=(True, False))
    betas: tuple[float, float] = setting((0.9, 0.999), 0, 1, "decay", open_ends=(False, True))
    skips: bool = setting(False, 0, 1, "whether")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("width=8", "width", 8),
        ("rate=1", "rate", 1.0),
        ("rate=2e-4", "rate", 2e-4),
        ("betas=0.5,0.999", "betas", (0.5, 0.999)),
        ("betas = (0.5, 0.9)", "betas", (0.5, 0.9)),
        ("skips=on", "skips", True),
        ("skips=False", "skips", False),
    ],
)
def test_text_becomes_the_type_of_the_field(text: str, name: str, value: Any) -> None:
    read = parse_settings(Config, [text])
    assert read == {name: value}
    assert type(read[name]) is type(value)
    Config.from_parameters(read)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["width"], "NAME=VALUE, got 'width'"),
        (["widht=8"], "there is no setting 'widht'"),
        (["image_size=64,64"], "there is no setting 'image_size'"),
        (["width=8.5"], "width must be a whole number, got '8.5'"),
        (["rate=fast"], "rate must be a number, got 'fast'"),
        (["betas=0.5"], "betas must be 2 numbers with commas between them, got '0.5'"),
        (["skips=2"], "skips must be true or false, got '2'"),
        (["width=8", "width=9"], "width is set twice"),
    ],
)
def test_anything_else_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_settings(Config, texts)


def test_a_close_name_is_suggested() -> None:
    with pytest.raises(OptionError) as caught:
        parse_settings(Config, ["widht=8"])
    assert caught.value.hint == "Did you mean 'width'? gaitkit models SYSTEM lists the settings."


def test_settings_are_described_as_they_are_typed() -> None:
    described = {item.name: item for item in describe_settings(Config)}
    assert list(described) == ["width", "rate", "betas", "skips"]
    assert (described["betas"].default, described["betas"].allowed) == ("0.9,0.999", "[0, 1)")
    assert (described["rate"].default, described["rate"].allowed) == ("0.0001", "(0, 1]")
    assert (described["skips"].default, described["skips"].allowed) == ("false", "true, false")
    for item in described.values():
        assert Config.from_parameters(parse_settings(Config, [f"{item.name}={item.default}"]))
