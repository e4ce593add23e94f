"""The one reader of text documents: TOML, JSON and CSV out of somebody's file.

A document is read into memory only up to a stated size, out of a regular file, never out of a
pipe or device that would block. Numbers are finite and have at most 64 bits, nothing is nested
more than 32 levels deep, text can be encoded in UTF-8, and no key stands twice.
Whatever else is found is told by the caller's kind of `GaitkitError`, with the file, the line
where it is known, and the value cut.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gaitkit.errors import DatasetError, GaitkitError
from gaitkit.printable import LETTERS, fitted, harmless, printable, quoted

__all__ = [
    "MAX_BYTES",
    "MAX_LEVELS",
    "MAX_ROWS",
    "parse_csv",
    "parse_json",
    "read_csv",
    "read_json",
    "read_text",
    "read_toml",
]

MAX_BYTES = 1 << 20
"""Size of a document unless the caller allows another. In bytes."""

MAX_LEVELS = 32
"""Levels of lists and tables in each other, and parts of a dotted key."""

MAX_ROWS = 2_000_000
"""Rows of a table."""

_TOO_DEEP = f"it is nested more than {MAX_LEVELS} levels deep"
_OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Files that the process has been given open, such as a shell's ``<(command)``: these are read."""

# tomllib takes time that grows with the square of the parts of a dotted key.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}\.[ \t]*+){{{MAX_LEVELS}}}")
_LONG_INTEGER = re.compile(r"[0-9][0-9_]{4000,}")
_SEPARATOR = re.compile(r'"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
"""The line with which a table tells Excel what separates its values."""
_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def read_text(
    path: Path | str,
    *,
    what: str,
    error: type[GaitkitError] = DatasetError,
    most_bytes: int = MAX_BYTES,
    hint: str | None = None,
) -> str:
    """The text of a document; a byte order mark is passed over.

    Parameters
    ----------
    path : path-like
        A regular file.
    what : str
        What the file should be, for messages: ``a protocol``.
    error : type
        The kind of `GaitkitError` to raise.
    most_bytes : int
        At most one byte more is read.
    hint : str, optional
        How to repair whatever is wrong with it.

    Raises
    ------
    GaitkitError
        Of the kind `error`: it cannot be read, is too large, or is not UTF-8.
    """
    return _decoded(_read(Path(path), what, error, most_bytes, hint), _shown(path), what, error)


def read_toml(
    path: Path | str,
    *,
    what: str,
    error: type[GaitkitError] = DatasetError,
    most_bytes: int = MAX_BYTES,
    hint: str | None = None,
) -> dict[str, Any]:
    """A TOML document.

    Parameters
    ----------
    path, what, error, most_bytes, hint
        As for `read_text`.

    Returns
    -------
    dict
        Of text, booleans, bounded numbers, dates, lists and dicts.

    Raises
    ------
    GaitkitError
        Of the kind `error`.
    """
    label = _shown(path)
    text = read_text(path, what=what, error=error, most_bytes=most_bytes, hint=hint)
    try:
        long = _LONG_KEY.search(text)
        if long is not None:
            raise ValueError(f"a key has more than {MAX_LEVELS} parts {_at(text, long.start())}")
        data = _toml(text)
        _check(data)
    except (ValueError, RecursionError, OverflowError) as found:
        raise _not(label, what, "TOML", found, error, hint) from None
    return data


def read_json(
    source: Path | str | bytes,
    *,
    what: str,
    error: type[GaitkitError] = DatasetError,
    most_bytes: int = MAX_BYTES,
    label: str = "",
    hint: str | None = None,
) -> Any:
    """A JSON document.

    Parameters
    ----------
    source : path-like or bytes
        The file, or what was read of it.
    what, error, most_bytes, hint
        As for `read_text`.
    label : str
        Where bytes come from, for messages.

    Returns
    -------
    Any
        Of `None`, text, booleans, bounded numbers, lists and dicts.

    Raises
    ------
    GaitkitError
        Of the kind `error`.

    Examples
    --------
    >>> read_json(b'{"dataset": "walkers"}', what="a description", label="synth.json")
    {'dataset': 'walkers'}
    """
    if isinstance(source, bytes):
        label, data = printable(label, 200) or what, source
        if len(data) > most_bytes:
            raise error(_too_large(label, what, most_bytes), hint=hint)
    else:
        label, data = _shown(source), _read(Path(source), what, error, most_bytes, hint)
    text = _decoded(data, label, what, error, hint)
    try:
        return parse_json(text)
    except ValueError as found:
        raise _not(label, what, "JSON", found, error, hint) from None


def parse_json(text: str) -> Any:
    """The value of a JSON text, harmless to what prints, compares or stores it.

    Raises
    ------
    ValueError
        With a short message, when it is no JSON or breaks one of the bounds of this module.

    Examples
    --------
    >>> parse_json('[1e999]')
    Traceback (most recent call last):
        ...
    ValueError: 1e999 is not a finite number
    """
    try:
        value = json.loads(
            text,
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_without_repetition,
        )
        _check(value)
    except json.JSONDecodeError as found:
        where = f"(at line {found.lineno}, column {found.colno})"
        raise ValueError(f"{fitted(found.msg, LETTERS)} {where}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return value


def read_csv(
    path: Path | str,
    *,
    what: str,
    error: type[GaitkitError] = DatasetError,
    most_bytes: int = MAX_BYTES,
    hint: str | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file; commas, semicolons or tabs separate values.

    Parameters
    ----------
    path, what, error, most_bytes, hint
        As for `read_text`.

    Yields
    ------
    tuple of int and list of str
        The line on which the row ends, from 1, and its values without the spaces around them. Rows
        without any value are passed over.

    Raises
    ------
    GaitkitError
        Of the kind `error`.
    """
    text = read_text(path, what=what, error=error, most_bytes=most_bytes, hint=hint)
    yield from parse_csv(text, label=_shown(path), error=error)


_NUL = "it contains NUL"


def parse_csv(
    text: str, *, label: str, error: type[GaitkitError] = DatasetError
) -> Iterator[tuple[int, list[str]]]:
    r"""The rows of a CSV text, as `read_csv` yields them.

    Examples
    --------
    >>> list(parse_csv("path,subject\n\nwalks/1, anna", label="list.csv"))
    [(1, ['path', 'subject']), (3, ['walks/1', 'anna'])]
    """
    text = text.removeprefix("\ufeff")
    separator = _SEPARATOR.match(text)
    first = re.search(r"\S", text)
    # Its line, without a pattern that would look at a long line again and again.
    sample = "" if first is None else text[first.start() :].partition("\n")[0].partition("\r")[0]
    delimiter = separator[1] if separator else max(",;\t", key=lambda mark: sample.count(mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for count, row in enumerate(reader):
            if count > MAX_ROWS:
                raise ValueError(f"there are more than {MAX_ROWS:,} rows")
            cells = [cell.strip() for cell in row]
            if not any(cells) or (separator and not count):
                continue
            if any("\0" in cell for cell in cells):
                raise ValueError(_NUL)
            yield reader.line_num, cells
    except (csv.Error, ValueError) as found:
        told = fitted(str(found), 2 * LETTERS)
        raise error(
            f"line {reader.line_num} of {label} is not CSV: {told}",
            hint="Save it as CSV UTF-8: a spreadsheet of another kind is no text."
            if told == _NUL
            else "Mend that line, or save the table again as CSV UTF-8.",
        ) from None


def _read(
    path: Path, what: str, error: type[GaitkitError], most_bytes: int, hint: str | None
) -> bytes:
    label = _shown(path)
    waits = os.name != "posix" or str(path).startswith(_OPEN_ALREADY)
    # Opening a pipe waits for whoever writes into it, unless told not to.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    flags |= 0 if waits else getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
        try:
            if not waits and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise error(f"{label} is not a regular file; expected {what}.", hint=hint)
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(most_bytes + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as found:
        reason = found.strerror if isinstance(found, OSError) and found.strerror else str(found)
        raise error(f"{label} cannot be read: {fitted(reason, LETTERS)}.", hint=hint) from None
    if len(data) > most_bytes:
        raise error(_too_large(label, what, most_bytes), hint=hint)
    return data


def _too_large(label: str, what: str, most_bytes: int) -> str:
    return f"{label} is not {what}: it has more than {most_bytes / (1 << 20):g} MiB."


def _decoded(
    data: bytes, label: str, what: str, error: type[GaitkitError], hint: str | None = None
) -> str:
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")  # "Unicode text" of spreadsheets.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as found:
        line = data.count(b"\n", 0, found.start) + 1
        raise error(
            f"line {line} of {label} is not UTF-8 text; expected {what}.",
            hint=hint or "Save it as UTF-8.",
        ) from None


def _not(
    label: str, what: str, form: str, found: Exception, error: type[GaitkitError], hint: str | None
) -> GaitkitError:
    """The error for a document that cannot be parsed."""
    if isinstance(found, RecursionError):
        told = _TOO_DEEP
    else:
        told = harmless(str(found)).replace("\n", " ")
    line = _LINE.search(told)
    where = label if line is None else f"line {line[1]} of {label}"
    told = fitted(_LINE.sub("", told).strip(), 2 * LETTERS)
    return error(f"{where} is not valid {form} for {what}: {told}.", hint=hint)


def _shown(path: Path | str) -> str:
    return printable(os.fspath(path), 200)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=_finite)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        # Python refuses to read integers of very many digits, and does not say where.
        digits = _LONG_INTEGER.search(text)
        if digits is None:
            raise
        where = _at(text, digits.start())
        raise ValueError(f"an integer has more than 64 bits {where}") from None


def _at(text: str, place: int) -> str:
    return f"(at line {text.count(chr(10), 0, place) + 1}, column 1)"


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(f"{fitted(literal, LETTERS)} is not a finite number")
    return value


def _whole(literal: str) -> int:
    if len(literal) > 20 or abs(int(literal)) >= 1 << 64:
        raise ValueError(f"{fitted(literal, LETTERS)} is an integer of more than 64 bits")
    return int(literal)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        again = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {quoted(again)} stands twice")
    return found


def _check(value: Any) -> None:
    """Refuse what is too deep, too large for a number, or not to be written as UTF-8."""
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                for name in item:
                    _check_text(name)
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str):
                _check_text(item)
            elif isinstance(item, int):
                if abs(item) >= 1 << 64:
                    raise ValueError("there is an integer of more than 64 bits")
            elif isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"{item} is not a finite number")
        if depth >= MAX_LEVELS and any(isinstance(item, dict | list) for item in level):
            raise ValueError(_TOO_DEEP)
        level, depth = inner, depth + 1


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the text {quoted(text)} contains half a character") from None
