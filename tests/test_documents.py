"""The one reader of TOML, JSON and CSV: whatever somebody's file holds is read, or told."""

from __future__ import annotations

import os
import random
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gaitkit.datasets.layouts import open_source
from gaitkit.datasets.manifest import ManifestSource
from gaitkit.documents import MAX_LEVELS, parse_csv, parse_json, read_csv, read_json, read_toml
from gaitkit.errors import GaitkitError, OptionError, ProtocolError
from gaitkit.printable import UNPRINTABLE
from gaitkit.protocols import get_protocol, load_protocol, protocol_toml

DIGITS = "9" * 5000


def told(read: Callable[..., Any], *args: Any, **how: Any) -> str:
    """The error of a reader, which is short and harmless."""
    with pytest.raises(ProtocolError) as caught:
        result = read(*args, what="a list", error=ProtocolError, **how)
        list(result)
    text = str(caught.value)
    assert len(text) <= 480
    assert UNPRINTABLE.search(text.replace("\n", "")) is None
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = [", r"not valid TOML for a list"),
        ("\n\na = 1\na = 2\n", r"line 4 of .*list\.toml"),
        (f"\n\na = {DIGITS}", r"line 3 of .*: an integer has more than 64 bits\.$"),
        (f"a = 0x{'f' * 5000}", "integer of more than 64 bits"),
        ("a = 18446744073709551616", "integer of more than 64 bits"),
        ("a = 1e999", "1e999 is not a finite number"),
        ("a = nan", "nan is not a finite number"),
        ("a = 1979-13-45", "TOML"),
        ("a = " + "[" * 5000, "nested more than 32 levels"),
        ("a = " + "[" * 33 + "]" * 33, "nested more than 32 levels"),
        ("a" + ".a" * 100_000 + " = 1", "a key has more than 32 parts"),
        ("[" + "a . " * 100_000 + "a]", "a key has more than 32 parts"),
        (f'"{"k" * 100_000}" = 1\n' * 2, "Cannot overwrite a value"),
        ("a = '\x1b]0;title\x07'", r"character '\\x1b'"),
        (r'a = "\ud800"', "TOML"),
    ],
)
def test_toml_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(text)
    assert re.search(expected, told(read_toml, path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1 of"),
        ('{\n"a": }', "line 2 of"),
        (DIGITS, "integer of more than 64 bits"),
        ("-1e400", "-1e400 is not a finite number"),
        ("NaN", "NaN is not a finite number"),
        ("[" * 100_000, "nested more than 32 levels"),
        ('{"a":' * 100_000, "nested more than 32 levels"),
        (r'["\ud800"]', r"the text '\\ud800' contains half a character"),
        (r'{"\udfff": 1}', "half a character"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        (f'{{"{"k" * 100_000}": 1, "{"k" * 100_000}": 1}}', "the key 'kkk"),
    ],
)
def test_json_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    assert re.search(expected, told(read_json, path))
    assert re.search(expected, told(read_json, text.encode(), label="list.json"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,b\n"a,b\n', "line 2 of .* is not CSV"),
        ("a,b\nx\0y,z\n", "line 2 of .* NUL"),
        ("a,b\n" + "x" * 200_000 + ",z\n", "line 2 of .* larger than field limit"),
        (" " * 500_000, "larger than field limit"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    assert re.search(expected, told(read_csv, path))


def test_csv_is_told_apart_by_its_delimiter_and_keeps_its_lines() -> None:
    rows = list(parse_csv('\ufeff\n a; b \n"1\n2";3\n;\n\n4;5', label="list.csv"))
    assert rows == [(2, ["a", "b"]), (4, ["1\n2", "3"]), (7, ["4", "5"])]


def test_levels_are_counted() -> None:
    inside = "[" * MAX_LEVELS + "]" * MAX_LEVELS
    assert parse_json(inside)
    with pytest.raises(ValueError, match="levels"):
        parse_json(f"[{inside}]")


@pytest.mark.parametrize("read", [read_toml, read_json, read_csv])
def test_files_that_are_no_documents(tmp_path: Path, read: Callable[..., Any]) -> None:
    assert "No such file" in told(read, tmp_path / "none")
    told(read, tmp_path)
    told(read, tmp_path / ("n" * 300))
    told(read, "a\0b")
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"a = 1\n\xff\xfe")
    assert "line 2 of" in told(read, wrong)
    large = tmp_path / "large"
    large.write_bytes(b"#" * 101)
    assert "it has more than" in told(read, large, most_bytes=100)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_that_nobody_writes_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is not a regular file" in told(read_toml, pipe)
    assert "is not a regular file" in told(read_json, "/dev/zero")


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/fd")
def test_a_pipe_that_the_shell_has_opened_is_read() -> None:
    source, sink = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(sink, b"a = 1\n"), os.close(sink)))
    writer.start()
    assert read_toml(f"/dev/fd/{source}", what="a list") == {"a": 1}
    writer.join()
    os.close(source)


TOKENS = [
    *("[" * 3000, DIGITS, "1e999", "nan", "0x" + "f" * 5000, f'"{"a" * 100_000}"', "'", '"""'),
    *("{", "}", "[[", "=", ".", "\0", r"\ud800", "1979-01-02", "true", "[]", "{}", "\n", "a.b=1"),
    *("# ", "\x1b[2J", "\u202e", "-0", "1_0", "99999999999999999999", ",", ";", "\t", "\r", "💥"),
]
MANIFEST = 'path,subject,condition,take,view\nt/1,anna,nm,1,0\nt/1,"b ""x""",bg,2,\n'
MARKER = '{"kind": "gaitkit-walkers", "dataset": "synthetic-1", "parameters": {"seed": 1}}'


def mutant(text: str, rng: random.Random) -> bytes:
    """A text with a few tokens put in, pieces cut out, words replaced or bytes flipped."""
    for _ in range(rng.randrange(1, 4)):
        start, stop = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:start] + rng.choice(TOKENS) + text[start:]
        elif kind == 1:
            text = text[:start] + text[min(stop, start + 20) :]
        elif words := list(re.finditer(r"[\w.+-]+", text)):
            word = rng.choice(words)
            text = text[: word.start()] + rng.choice(TOKENS) + text[word.end() :]
    data = bytearray(text.encode())
    if data and rng.random() < 0.2:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def use_protocol(folder: Path, data: bytes) -> None:
    (folder / "p.toml").write_bytes(data)
    load_protocol(folder / "p.toml")


def use_manifest(folder: Path, data: bytes) -> None:
    (folder / "m.csv").write_bytes(data)
    for unit in ManifestSource(folder / "m.csv").units():
        unit.label.encode()


def use_marker(folder: Path, data: bytes) -> None:
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t/synth.json").write_bytes(data)
    name = open_source(folder / "t").name
    assert 0 < len(name.encode()) <= 2000


def use_configuration(folder: Path, data: bytes) -> None:
    import click

    from gaitkit.cli.main import cli

    (folder / "c.toml").write_bytes(data)
    arguments = ["--config", str(folder / "c.toml"), "make-gei", str(folder / "none")]
    try:
        cli.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        raise OptionError(error.format_message()) from error


CONFIGURATION = (
    '[make-gei]\nmin-frames = 8\nsize = [64, 64]\n[evaluate]\nfeature = ["pixels"]\nk = 1\n'
)
DOCUMENTS: dict[str, tuple[str, Callable[[Path, bytes], None]]] = {
    "protocol": (protocol_toml(get_protocol("casia-b-62-62")), use_protocol),
    "manifest": (MANIFEST, use_manifest),
    "marker": (MARKER, use_marker),
    "configuration": (CONFIGURATION, use_configuration),
}


def try_mutants(kind: str, count: int, seed: int, folder: Path) -> int:
    """Read mutants of a document; how many were refused, each by a short and harmless error."""
    text, use = DOCUMENTS[kind]
    (folder / "t/1").mkdir(parents=True, exist_ok=True)
    errors = []
    for number in range(count):
        data = mutant(text, random.Random(f"{seed}-{kind}-{number}"))
        try:
            use(folder, data)
        except GaitkitError as error:
            errors.append(str(error))
    assert [text for text in errors if len(text) > 500] == []
    assert [text for text in errors if UNPRINTABLE.search(text.replace("\n", ""))] == []
    return len(errors)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_mutated_document_is_read_or_told(kind: str, tmp_path: Path) -> None:
    refused = try_mutants(kind, 150, 1, tmp_path)
    assert refused > 75 or kind == "marker"


@pytest.mark.slow
@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_mutated_documents_are_read_or_told(kind: str, seed: int, tmp_path: Path) -> None:
    try_mutants(kind, 2500, seed, tmp_path)


def test_a_spreadsheet_under_the_name_of_a_csv_file_says_what_to_do():
    with pytest.raises(GaitkitError, match="contains NUL") as caught:
        list(parse_csv("PK\3\4\0\0\0", label="people.csv"))
    assert "Save it as CSV UTF-8" in caught.value.hint
