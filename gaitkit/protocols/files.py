"""Protocols in TOML: read and checked key by key, and written in the same form to copy and edit.

OpenGait's partition files (JSON: ``TRAIN_SET``, ``TEST_SET``, of Gait3D also ``PROBE_SET``) are
read, too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from gaitkit.arguments import as_path, canonical_name
from gaitkit.documents import read_json, read_toml
from gaitkit.errors import OptionError, ProtocolError, did_you_mean
from gaitkit.printable import LETTERS, harmless_in_json, printable, quoted
from gaitkit.protocols.builtin import PROTOCOLS
from gaitkit.protocols.model import (
    ANY,
    ProbeSet,
    Protocol,
    SubjectRange,
    Walks,
    compressed,
    sequence_of,
    sequence_text,
)

__all__ = ["get_protocol", "load_protocol", "protocol_toml"]

_REQUIRED = ("train", "test", "gallery", "probes")
_FLAGS = {
    "identical_view": "whether cells whose gallery and probe view are equal count in the mean",
    "covers_everybody": "whether a person who neither trains nor is tested is an error",
    "empty_probes": "whether a probe set without sequences is no error",
}
_MORE_FLAGS = {
    "absent_people": "whether people who are named one by one may be missing in the data",
    "skip_unmated": "whether probes whose person is not enrolled are left out and counted",
    "leave_one_out": "whether each walk is searched among all the others, itself left out",
    "fits_data": "whether names and walks are fitted to the data set",
}
_VIEWS = ("gallery_views", "probe_views")
_LISTS = ("ranks", "unknown_people", "probe_sequences")
_KEYS = ("name", "description", *_REQUIRED, *_FLAGS, *_VIEWS, *_MORE_FLAGS, *_LISTS)

_PARTITION = ("TRAIN_SET", "TEST_SET", "PROBE_SET")


def get_protocol(name: Protocol | str | Path) -> Protocol:
    """A built-in protocol by name, or one from a file whose name ends in ``.toml`` or ``.json``.

    Parameters
    ----------
    name : Protocol, str or path-like
        Of `PROTOCOLS` (hyphens and capitals do not matter), or a file; a protocol is given back
        as it is.

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
    if Path(text).suffix in (".toml", ".json"):
        return load_protocol(Path(text))
    called = canonical_name(text, PROTOCOLS)
    if called in PROTOCOLS:
        return PROTOCOLS[called]
    raise OptionError(
        f"There is no protocol {quoted(text)}.",
        hint=f"{did_you_mean(text, PROTOCOLS)}Choose one of {', '.join(PROTOCOLS)}, or give a "
        "file whose name ends in .toml, or a partition file in .json.",
    )


_OWN = (
    "gaitkit protocol show halves > mine.toml writes one to edit; gaitkit protocol list names "
    "those that need no file."
)


def load_protocol(path: Path | str) -> Protocol:
    """Read a protocol from a TOML file (`protocol_toml` shows the form) or a partition file.

    A partition file, whose name ends in ``.json``, says who trains and who is tested; what is
    enrolled and what is searched follows from the data, see `fitted`.

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
    if path.suffix == ".json":
        return _partition(path)
    data = read_toml(path, what="a protocol", error=ProtocolError, hint=_OWN)
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
    lines += [
        line
        for key, meaning in _MORE_FLAGS.items()
        if getattr(protocol, key)
        for line in (f"# {meaning[0].upper()}{meaning[1:]}.", f"{key} = true")
    ]
    if protocol.ranks != (1, 5, 10):
        lines += ["# Ranks that are told.", f"ranks = [{', '.join(map(str, protocol.ranks))}]"]
    if protocol.unknown_people:
        names = ", ".join(map(_text, protocol.unknown_people))
        lines += ["# Subjects that stand for people nobody knows.", f"unknown_people = [{names}]"]
    if protocol.probe_sequences is not None:
        names = ", ".join(_text(sequence_text(*key)) for key in protocol.probe_sequences)
        lines += ["# The probes; what else is of the gallery's walks is enrolled."]
        lines += [f"probe_sequences = [{names}]"]
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
        ranks=_ranks(data),
        unknown_people=tuple(_names(data, "unknown_people") or ()),
        probe_sequences=_sequences(data),
        **{key: _boolean(data, key) for key in _MORE_FLAGS},
    )


def _ranks(data: Mapping[str, Any]) -> tuple[int, ...]:
    value = data.get("ranks", [1, 5, 10])
    whole = isinstance(value, list) and all(type(rank) is int for rank in value)
    if not whole or not value or not all(1 <= rank <= 1000 for rank in value):
        raise _wrong("ranks", "whole numbers from 1 to 1000 such as [1, 5, 10, 20]", value)
    return tuple(sorted({1, 5, 10, *value}))


def _names(data: Mapping[str, Any], key: str) -> list[str] | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _wrong(key, "a list of names in quotes", value)
    return value


def _sequences(data: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...] | None:
    names = _names(data, "probe_sequences")
    return None if names is None else tuple(map(sequence_of, names))


def _partition(path: Path) -> Protocol:
    """The protocol that a partition file of OpenGait is.

    Raises
    ------
    ProtocolError
        It cannot be read, or is none.
    """
    label = printable(str(path), 200)
    form = 'a partition file: {"TRAIN_SET": ["001", …], "TEST_SET": ["075", …]}'
    data = read_json(path, what="a partition file", error=ProtocolError, hint=f"It must be {form}.")
    if not isinstance(data, dict) or not {"TRAIN_SET", "TEST_SET"} <= set(data):
        keys = ", ".join(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise ProtocolError(
            f"{label}: expected the keys TRAIN_SET and TEST_SET; found {quoted(keys)}.",
            hint=f"It must be {form}.",
        )
    sets = {
        key: [_partition_name(label, key, one) for one in _listed(label, data, key)]
        for key in _PARTITION
    }
    if not sets["TEST_SET"]:
        raise ProtocolError(
            f"{label}: TEST_SET is empty: nobody is tested.", hint=f"It must be {form}."
        )
    twice = sorted(set(sets["TRAIN_SET"]) & set(sets["TEST_SET"]))
    if twice:
        raise ProtocolError(
            f"{label}: {len(twice):,} are in TRAIN_SET and in TEST_SET: {', '.join(twice[:5])}.",
            hint="Who trains cannot be tested.",
        )
    probes = None
    if "PROBE_SET" in data:
        probes = tuple(_listed_probe(label, name) for name in sets["PROBE_SET"])
    name = re.sub(r"[^\w.+-]", "-", path.stem)[:60] or "partition"
    return Protocol(
        # What a file says is not what a protocol of the same name says.
        name=f"{name}-partition" if name.lower() in PROTOCOLS else name,
        description=f"who trains and who is tested as {path.name[:80]} says",
        train=compressed(sets["TRAIN_SET"]),
        test=compressed(sets["TEST_SET"]),
        gallery=(Walks(ANY),),
        probes=(ProbeSet("probe" if probes else "all", (Walks(ANY),)),),
        absent_people=True,
        identical_view=probes is not None,
        skip_unmated=probes is not None,
        probe_sequences=probes,
        fits_data=True,
    )


def _listed(label: str, data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise ProtocolError(f"{label}: {key}: expected a list of names; found {quoted(value)}.")
    return value


def _partition_name(label: str, key: str, value: Any) -> str:
    # Some write numbers as numbers.
    if type(value) is int and value >= 0:
        return str(value)
    if not isinstance(value, str) or not value or len(value) > 200:
        raise ProtocolError(f"{label}: {key}: expected names in quotes; found {quoted(value)}.")
    return value


def _listed_probe(label: str, name: str) -> tuple[str, str, int]:
    found = re.fullmatch(r"([^/-]+)-(camid\d{1,4})_videoid(\d{1,6})-seq(\d{1,3})", name)
    if found is None:
        raise ProtocolError(
            f"{label}: PROBE_SET: expected names such as 3000-camid0_videoid2-seq0; found "
            f"{quoted(name)}."
        )
    return found[1], found[2], int(found[3]) * 1000 + int(found[4])


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
    by = 1
    if isinstance(item, str) and item:
        numbers = re.fullmatch(r"(\d+)-(\d+)(?:/(\d{1,6}))?", item)
        if numbers is None:
            return SubjectRange(item, item)
        first, last, step = numbers.groups()
        by = int(step or 1)
    elif isinstance(item, list) and len(item) == 2 and all(isinstance(end, str) for end in item):
        first, last = item
    elif (
        isinstance(item, list)
        and len(item) == 3
        and all(isinstance(end, str) for end in item[:2])
        and type(item[2]) is int
    ):
        first, last, by = item
    else:
        raise _wrong(key, "names in quotes", item)
    ends = [re.fullmatch(r"(\d+)(\D*)", end) for end in (first, last)]
    numbered = (
        ends[0] is not None
        and ends[1] is not None
        and len(ends[0][1]) == len(ends[1][1])
        and ends[0][2] == ends[1][2]
        and first < last
    )
    if (first != last and not numbered) or by < 1:
        raise _wrong(key, "a range of numbers of equal length, the lower one first", item)
    return SubjectRange(first, last, by)


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
    if (people.first != people.last) == bool(re.fullmatch(r"\d+-\d+(/\d+)?", text)):
        return _text(text)
    step = "" if people.step == 1 else f", {people.step}"
    return f"[{_text(people.first)}, {_text(people.last)}{step}]"


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
