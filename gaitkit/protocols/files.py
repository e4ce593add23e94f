"""Protocols in TOML: read and checked key by key, and written in the same form to copy and edit."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from gaitkit.arguments import as_path
from gaitkit.documents import read_toml
from gaitkit.errors import OptionError, ProtocolError, did_you_mean
from gaitkit.printable import LETTERS, harmless_in_json, printable, quoted
from gaitkit.protocols.builtin import PROTOCOLS
from gaitkit.protocols.model import ProbeSet, Protocol, SubjectRange, Walks

__all__ = ["get_protocol", "load_protocol", "protocol_toml"]

_REQUIRED = ("train", "test", "gallery", "probes")
_FLAGS = {
    "identical_view": "whether cells whose gallery and probe view are equal count in the mean",
    "covers_everybody": "whether a person who neither trains nor is tested is an error",
    "empty_probes": "whether a probe set without sequences is no error",
}
_VIEWS = ("gallery_views", "probe_views")
_KEYS = ("name", "description", *_REQUIRED, *_FLAGS, *_VIEWS)


def get_protocol(name: Protocol | str | Path) -> Protocol:
    """A built-in protocol by name, or one from a file whose name ends in ``.toml``.

    Parameters
    ----------
    name : Protocol, str or path-like
        Of `PROTOCOLS`, or a file; a protocol is given back as it is.

    Raises
    ------
    OptionError
        There is none of that name.
    ProtocolError
        The file is not a protocol.

    Examples
    --------
    >>> get_protocol("halves").train
    'first-half'
    """
    if isinstance(name, Protocol):
        return name
    if not isinstance(name, str | os.PathLike):
        raise OptionError(
            f"Expected a protocol, its name or its file, found a {type(name).__name__}.",
            hint=f"The names are {', '.join(PROTOCOLS)}.",
        )
    text = str(name)
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    if Path(text).suffix == ".toml":
        return load_protocol(Path(text))
    raise OptionError(
        f"There is no protocol {quoted(text)}.",
        hint=f"{did_you_mean(text, PROTOCOLS)}Choose one of {', '.join(PROTOCOLS)}, or give a "
        "file whose name ends in .toml.",
    )


def load_protocol(path: Path | str) -> Protocol:
    """Read a protocol from a TOML file; `protocol_toml` shows the form.

    Parameters
    ----------
    path : path-like
        The file. Without a key ``name``, the protocol is called by the file's.

    Raises
    ------
    ProtocolError
        It cannot be read, or a key is missing, unknown or has an unusable value; the message names
        the key.
    """
    path = as_path(path)
    data = read_toml(path, what="a protocol", error=ProtocolError)
    label = printable(str(path), 200)
    try:
        protocol = _protocol(data, path.stem)
    except ProtocolError as error:
        raise ProtocolError(f"{label}: {error.message}", hint=error.hint) from error
    if protocol != PROTOCOLS.get(protocol.name, protocol):
        raise ProtocolError(
            f"{label}: name = {protocol.name!r} is that of a protocol of gaitkit, which differs.",
            hint="Give it a name of its own, so that results cannot be mistaken.",
        )
    return protocol


def protocol_toml(protocol: Protocol) -> str:
    """A protocol as TOML text; `load_protocol` reads the same protocol back.

    Returns
    -------
    str
        With comments that say what each key means.
    """
    lines = [
        f"name = {_text(protocol.name)}",
        f"description = {_text(protocol.description)}",
        "# Who trains: names, ranges of numbers, or first-half of the sorted names; [] is nobody.",
        f"train = {_people_out(protocol.train)}",
        "# Who is tested: likewise, or rest.",
        f"test = {_people_out(protocol.test)}",
    ]
    for key, meaning in _FLAGS.items():
        lines += [f"# {meaning[0].upper()}{meaning[1:]}.", f"{key} = {_flag(protocol, key)}"]
    lines.append("# Which views, in degrees; without these keys all are used.")
    for key in _VIEWS:
        views = getattr(protocol, key)
        shown = "# gallery_views = [90]" if key == "gallery_views" else "# probe_views = [0, 18]"
        lines.append(shown if views is None else f"{key} = [{', '.join(map(_number, views))}]")
    lines += ["", "# What is enrolled: takes of each condition, or all.", "[gallery]"]
    lines += _walks_out(protocol.gallery)
    lines += ["", "# What is searched: a table of results for each set of walks."]
    for probe in protocol.probes:
        lines += [f"[probes.{_key(probe.name)}]", *_walks_out(probe.walks), ""]
    return "\n".join(lines)


def _protocol(data: Mapping[str, Any], stem: str) -> Protocol:
    for key in data:
        if key not in _KEYS:
            raise ProtocolError(
                f"there is no key {quoted(key)}.",
                hint=f"{did_you_mean(key, _KEYS)}The keys are {', '.join(_KEYS)}.",
            )
    for key in _REQUIRED:
        if key not in data:
            raise ProtocolError(
                f"the key {key!r} is missing.",
                hint="gaitkit protocol show halves prints a whole protocol to copy and edit.",
            )
    probes = data["probes"]
    if not isinstance(probes, dict):
        raise _wrong("probes", "tables such as [probes.nm]", probes)
    return Protocol(
        name=_string(data, "name", stem),
        description=_string(data, "description", ""),
        train=_people(data["train"], "train", "first-half"),
        test=_people(data["test"], "test", "rest"),
        gallery=_walks(data["gallery"], "gallery"),
        probes=tuple(
            ProbeSet(name, _walks(walks, f"probes.{name}")) for name, walks in probes.items()
        ),
        identical_view=_boolean(data, "identical_view"),
        covers_everybody=_boolean(data, "covers_everybody"),
        empty_probes=_boolean(data, "empty_probes"),
        gallery_views=_views(data, "gallery_views"),
        probe_views=_views(data, "probe_views"),
    )


def _string(data: Mapping[str, Any], key: str, default: str) -> str:
    value = data.get(key, default)
    if not isinstance(value, str) or (key == "name" and not re.fullmatch(r"[\w.+-]{1,80}", value)):
        form = "letters, digits and _ . + -, at most 80" if key == "name" else "text"
        raise _wrong(key, form, value)
    return value


def _boolean(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def _views(data: Mapping[str, Any], key: str) -> tuple[float, ...] | None:
    value = data.get(key)
    if value is None:
        return None
    numbers = isinstance(value, list) and all(
        isinstance(view, int | float) and not isinstance(view, bool) and abs(view) <= 360
        for view in value
    )
    if not numbers or not value:
        raise _wrong(key, "a list of degrees such as [0, 90], or to be left out", value)
    return tuple(float(view) for view in value)


def _people(value: Any, key: str, word: str) -> Any:
    """Subjects, or the word that stands for a rule."""
    if value == word:
        return word
    # What needs no training is tested on everybody; tests on nobody are none.
    if not isinstance(value, list) or not (value or key == "train"):
        raise _wrong(key, f'"{word}" or a list of names and ranges such as ["001-062"]', value)
    return tuple(_range(item, key) for item in value)


def _range(item: Any, key: str) -> SubjectRange:
    if isinstance(item, str) and item:
        numbers = re.fullmatch(r"(\d+)-(\d+)", item)
        if numbers is None:
            return SubjectRange(item, item)
        first, last = numbers.groups()
    elif isinstance(item, list) and len(item) == 2 and all(isinstance(end, str) for end in item):
        first, last = item
    else:
        raise _wrong(key, "names in quotes", item)
    numbered = (first + last).isdecimal() and len(first) == len(last) and first < last
    if first != last and not numbered:
        raise _wrong(key, "a range of numbers of equal length, the lower one first", item)
    return SubjectRange(first, last)


def _walks(value: Any, key: str) -> tuple[Walks, ...]:
    if not isinstance(value, dict) or not value:
        raise _wrong(key, "conditions with takes, such as nm = [1, 2]", value)
    return tuple(Walks(name, _takes(takes, f"{key}.{name}")) for name, takes in value.items())


def _takes(value: Any, key: str) -> tuple[int, ...] | None:
    if value == "all":
        return None
    whole = isinstance(value, list) and all(type(take) is int for take in value)
    if not whole or not value or not all(abs(take) < 2**31 for take in value):
        raise _wrong(key, 'a list of takes such as [1, 2], or "all"', value)
    return tuple(value)


def _wrong(key: str, expected: str, value: Any) -> ProtocolError:
    return ProtocolError(f"{printable(key, LETTERS)}: expected {expected}; found {quoted(value)}.")


def _people_out(people: tuple[SubjectRange, ...] | Literal["first-half", "rest"]) -> str:
    if isinstance(people, str):
        return _text(people)
    return f"[{', '.join(map(_range_out, people))}]"


def _range_out(people: SubjectRange) -> str:
    text = str(people)
    # A single name that looks like a range, and a range that does not, are given by their ends.
    if (people.first != people.last) == bool(re.fullmatch(r"\d+-\d+", text)):
        return _text(text)
    return f"[{_text(people.first)}, {_text(people.last)}]"


def _walks_out(walks: tuple[Walks, ...]) -> list[str]:
    return [
        f"{_key(item.condition)} = "
        + ('"all"' if item.takes is None else f"[{', '.join(map(str, item.takes))}]")
        for item in walks
    ]


def _flag(protocol: Protocol, key: str) -> str:
    return str(getattr(protocol, key)).lower()


def _number(view: float) -> str:
    return f"{view:g}" if f"{view:g}" == f"{int(view)}" else repr(view)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    # A JSON string is a TOML one; TOML wants DEL escaped too.
    return harmless_in_json(json.dumps(value, ensure_ascii=False), astral="long")
