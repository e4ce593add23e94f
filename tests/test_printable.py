"""Foreign text made fit for a terminal: visible, on one line, and still one name for each name."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gaitkit.printable import (
    UNPRINTABLE,
    cut_inside,
    fitted,
    harmless,
    harmless_in_json,
    one_line,
    padded,
    printable,
    quoted,
    width_of,
)

HARMFUL = (
    "\x1b\x07\r\n\t\x7f\x9b\u200e\u200f\u2028\u2029\u202e\u2066\u2069\ud800\ufdd0\uffff\U0001ffff"
)
TEXT = st.text(st.one_of(st.sampled_from(HARMFUL + "\\xu1b2028e"), st.characters()), max_size=30)


@given(TEXT)
@example(HARMFUL)
def test_nothing_that_is_shown_could_take_over_a_terminal(text: str) -> None:
    assert UNPRINTABLE.search(printable(text)) is None
    assert UNPRINTABLE.search(one_line(text)) is None
    assert UNPRINTABLE.search(harmless(text).replace("\n", "").replace("\t", "")) is None
    assert UNPRINTABLE.search(quoted(text)) is None
    assert len(printable(text, 7)) <= 7
    printable(text).encode()


@given(TEXT, TEXT)
@example("\x1b", r"\x1b")
@example("\\\x1b", r"\x1b")
@example("\\\x1b", r"\\x1b")
def test_what_is_shown_stands_for_one_name_only(one: str, other: str) -> None:
    assert (printable(one) == printable(other)) == (one == other)


@pytest.mark.parametrize(
    "name",
    ["王小明", "Zoë", "Ångström", "مها", "👩‍👩‍👧", "💥", "O'Brien", r"C:\walks\new", "می‌خواهم"],
)
def test_names_of_people_stay_as_they_are(name: str) -> None:
    assert printable(name) == one_line(name) == harmless(name) == name


@given(TEXT)
def test_text_that_was_made_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(harmless(text)) == harmless(text)
    assert harmless(printable(text)) == printable(text)


@given(st.dictionaries(TEXT, TEXT))
def test_json_has_no_raw_control_characters_and_keeps_its_value(value: dict[str, str]) -> None:
    text = harmless_in_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert UNPRINTABLE.search(text.replace("\n", "")) is None
    assert json.loads(text) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("\U0001ffff\u202e\x9b\x7f")
def test_toml_keeps_its_value_too(value: str) -> None:
    text = harmless_in_json(json.dumps(value, ensure_ascii=False), astral="long")
    assert tomllib.loads(f"name = {text}") == {"name": value}


@given(TEXT, st.integers(1, 40))
def test_a_column_is_as_wide_as_it_says(text: str, width: int) -> None:
    assert width_of(padded(text, width)) == width


def test_values_of_any_type_are_shown_and_cut() -> None:
    assert quoted("a" * 100_000, 8) == "'aaaaaa…"
    assert quoted({"a": "\x1b"}) == r"{'a': '\x1b'}"
    assert quoted(10**5000) == "a int"
    assert quoted(tomllib.loads("day = 1979-01-02")["day"]) == "1979-01-02"


def test_cutting() -> None:
    assert fitted("abc", 3) == "abc"
    assert fitted("abcd", 3) == "ab…"
    message = cut_inside(f"line 3 of {'a' * 5000}: expected 1, found {'b' * 5000}", 480)
    assert message.startswith("line 3 of aaa")
    assert "aaa: expected 1, found bbb" in message
    assert len(message) < 200
