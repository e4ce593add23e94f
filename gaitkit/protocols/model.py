"""A protocol as plain data: who trains, who is tested, what is enrolled, what is searched."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ProtocolError
from gaitkit.labels import Labels, sequence_name
from gaitkit.printable import quoted

__all__ = [
    "ANY",
    "ProbeSet",
    "Protocol",
    "SubjectRange",
    "Walks",
    "compressed",
    "sequence_of",
    "sequence_text",
]


@dataclass(frozen=True)
class SubjectRange:
    """Subjects from `first` to `last`, both included; a single one when they are equal.

    Numbered subjects (``001`` to ``062``, ``00001train`` to ``20000train``) are compared as numbers
    of the same length; any other name only matches itself. With a `step` of 2 every second number
    from the first one on belongs.

    Examples
    --------
    >>> "00003" in SubjectRange("00001", "10305", 2), "00004" in SubjectRange("00001", "10305", 2)
    (True, False)
    """

    first: str
    last: str
    step: int = 1

    def __contains__(self, subject: object) -> bool:
        if subject == self.first or (self.step == 1 and subject == self.last):
            return True
        own = _numbered(subject)
        ends = _numbered(self.first), _numbered(self.last)
        if own is None or ends[0] is None or ends[1] is None:
            return False
        # Their lengths and what stands behind the digits are the same.
        if not own[1:] == ends[0][1:] == ends[1][1:]:
            return False
        return ends[0][0] <= own[0] <= ends[1][0] and (own[0] - ends[0][0]) % self.step == 0

    def __len__(self) -> int:
        first, last = _numbered(self.first), _numbered(self.last)
        if first is None or last is None or first[1:] != last[1:]:
            return len({self.first, self.last})
        return (last[0] - first[0]) // self.step + 1

    def names(self) -> Iterator[str]:
        """Everybody in the range."""
        first, last = _numbered(self.first), _numbered(self.last)
        if first is None or last is None or first[1:] != last[1:]:
            yield from dict.fromkeys((self.first, self.last))
            return
        for number in range(first[0], last[0] + 1, self.step):
            yield f"{number:0{first[1]}d}{first[2]}"

    def __str__(self) -> str:
        if self.first == self.last:
            return self.first
        return f"{self.first}-{self.last}" + ("" if self.step == 1 else f"/{self.step}")


def _numbered(name: object) -> tuple[int, int, str] | None:
    """A numbered name's number, how many digits it has, and what stands behind them."""
    found = re.fullmatch(r"([0-9]{1,18})([^0-9]*)", name) if isinstance(name, str) else None
    return None if found is None else (int(found[1]), len(found[1]), found[2])


def compressed(names: Iterable[str]) -> tuple[SubjectRange, ...]:
    """Names as few ranges, which hold exactly these.

    Examples
    --------
    >>> [str(people) for people in compressed(["001", "002", "003", "011", "013", "015", "ann"])]
    ['001-003', '011-015/2', 'ann']
    """
    rest = sorted(set(names), key=lambda name: (_numbered(name) or (0, 0, name))[::-1])
    ranges: list[SubjectRange] = []
    while rest:
        run = 1
        numbers = [_numbered(name) for name in rest[:2]]
        if len(rest) > 2 and numbers[0] and numbers[1] and numbers[0][1:] == numbers[1][1:]:
            start, width, suffix = numbers[0]
            step = numbers[1][0] - start
            while run < len(rest) and rest[run] == f"{start + run * step:0{width}d}{suffix}":
                run += 1
        if run > 2:
            ranges.append(SubjectRange(rest[0], rest[run - 1], step))
        else:
            run = 1
            ranges.append(SubjectRange(rest[0], rest[0]))
        rest = rest[run:]
    return tuple(ranges)


ANY = "*"
"""The condition of `Walks` that are of any condition."""


@dataclass(frozen=True)
class Walks:
    """Some takes of one condition, or of any (``*``); all of them when `takes` is `None`."""

    condition: str
    takes: tuple[int, ...] | None = None

    def mask(self, labels: Labels) -> NDArray[np.bool_]:
        """Rows that belong, shape (n,)."""
        rows: NDArray[np.bool_] = np.ones(len(labels), dtype=bool)
        if self.condition != ANY:
            rows = np.asarray(labels.condition == self.condition, dtype=bool)
        if self.takes is not None:
            rows = rows & np.isin(labels.take, self.takes)
        return rows

    def __str__(self) -> str:
        if self.takes is None:
            return "all walks" if self.condition == ANY else f"{self.condition} (all takes)"
        if self.condition == ANY:
            return f"take {' and '.join(map(str, self.takes))} of any condition"
        return ", ".join(sequence_name(self.condition, take) for take in self.takes)


@dataclass(frozen=True)
class ProbeSet:
    """Walks that are searched together and get a table of their own."""

    name: str
    walks: tuple[Walks, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.walks))


@dataclass(frozen=True, repr=False)
class Protocol:
    """One evaluation protocol.

    Attributes
    ----------
    name, description : str
        The name is what the command line takes and what results are called by.
    train : tuple of SubjectRange, or "first-half"
        Whom models may see. ``first-half``: of n sorted subjects the first ⌊n/2⌋. Empty where
        nobody trains: what is compared then needs no training.
    test : tuple of SubjectRange, or "rest"
        Who is enrolled and searched. ``rest``: everybody who does not train.
    gallery : tuple of Walks
        What is enrolled.
    probes : tuple of ProbeSet
        What is searched; one table each.
    identical_view : bool
        Whether the cell whose gallery and probe view are equal counts in the headline mean.
    covers_everybody : bool
        Whether a subject that is in neither `train` nor `test` is an error rather than left out.
    empty_probes : bool
        Whether a probe set without sequences stays empty rather than being an error.
    gallery_views, probe_views : tuple of float, or None
        Degrees that are enrolled, or searched; all when `None`.
    ranks : tuple of int
        Ranks whose identification rates are told; 1, 5 and 10 always are.
    absent_people : bool
        Whether people who are named one by one may be missing in the data.
    skip_unmated : bool
        Whether a probe whose person is not enrolled is left out and counted, not an error.
    unknown_people : tuple of str
        Subjects that stand for people whom nobody knows: they are searched and answered, and no
        part of any rate.
    probe_sequences : tuple of (str, str, int), or None
        Subject, condition and take of each probe; what else passes `gallery` is enrolled. `None`
        where the walks alone say it. Empty where a list is needed that is not here.
    leave_one_out : bool
        Whether each walk is searched among all the others: what is both enrolled and searched is
        left out of its own search, with the same walk as other views show it.
    fits_data : bool
        Whether names are matched with or without leading zeros, and the walks are those of the data
        set that the labels look like; `gallery` and `probes` are for data that look like none.
    """

    name: str
    description: str
    train: tuple[SubjectRange, ...] | Literal["first-half"]
    test: tuple[SubjectRange, ...] | Literal["rest"]
    gallery: tuple[Walks, ...]
    probes: tuple[ProbeSet, ...]
    identical_view: bool = False
    covers_everybody: bool = False
    empty_probes: bool = False
    gallery_views: tuple[float, ...] | None = None
    probe_views: tuple[float, ...] | None = None
    ranks: tuple[int, ...] = (1, 5, 10)
    absent_people: bool = False
    skip_unmated: bool = False
    unknown_people: tuple[str, ...] = ()
    probe_sequences: tuple[tuple[str, str, int], ...] | None = None
    fits_data: bool = False
    leave_one_out: bool = False

    def __post_init__(self) -> None:
        names = [probe.name for probe in self.probes]
        bad = [name for name in names if not re.fullmatch(r"[\w.+-]+", name)]
        if bad:
            raise ProtocolError(
                f"protocol {self.name}: a probe set's name is made of letters, digits and "
                f"_ . + -, got {bad[0]!r}."
            )
        if not names or len(set(names)) != len(names):
            raise ProtocolError(
                f"protocol {self.name}: probe sets need distinct names, got {names}."
            )
        if not self.gallery:
            raise ProtocolError(f"protocol {self.name}: the gallery names no walks.")

    def __repr__(self) -> str:
        name = self.description if len(self.description) <= 100 else self.description[:99] + "…"
        people = f"{_brief_people(self.train)} train, {_brief_people(self.test)} are tested"
        gallery = ", ".join(map(str, self.gallery))
        probes = "; ".join(f"{probe.name}: {probe}" for probe in self.probes)
        return (
            f"<Protocol {self.name}: {' '.join(name.split())}\n"
            f" {people}\n"
            f" gallery {_brief(gallery)}; probes {_brief(probes)}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("trains", _brief_people(self.train)),
            ("is tested", _brief_people(self.test)),
            ("gallery", ", ".join(map(str, self.gallery))),
            *((f"probe set {probe.name}", str(probe)) for probe in self.probes),
            ("headline", "all views" if self.identical_view else "different views"),
        ]
        lines = "".join(
            f"<tr><th>{html.escape(what)}</th><td>{html.escape(value)}</td></tr>"
            for what, value in rows
        )
        title = html.escape(f"{self.name}: {self.description}")
        return f"<p>{title}</p><table>{lines}</table>"

    def as_parameters(self, *, whole: bool = False) -> dict[str, Any]:
        """The protocol as JSON-able data; `Protocol.from_parameters` reads it back.

        Parameters
        ----------
        whole : bool
            With every key. Without it those that most protocols do not use stand only where they
            are used, as they always have in artefacts.
        """
        told: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "train": _people_out(self.train),
            "test": _people_out(self.test),
            "gallery": [_walks_out(walks) for walks in self.gallery],
            "probes": {p.name: [_walks_out(walks) for walks in p.walks] for p in self.probes},
            "probe_order": [probe.name for probe in self.probes],
            "identical_view": self.identical_view,
            "covers_everybody": self.covers_everybody,
            "empty_probes": self.empty_probes,
            "gallery_views": _views_out(self.gallery_views),
            "probe_views": _views_out(self.probe_views),
        }
        if whole or self.ranks != (1, 5, 10):
            told["ranks"] = list(self.ranks)
        if whole or self.unknown_people:
            told["unknown_people"] = list(self.unknown_people)
        if self.probe_sequences is not None:
            told["probe_sequences"] = [sequence_text(*key) for key in self.probe_sequences]
        elif whole:
            told["probe_sequences"] = None
        flags = {flag: getattr(self, flag) for flag in _MORE_FLAGS}
        return told | {flag: value for flag, value in flags.items() if whole or value}

    @classmethod
    def from_parameters(cls, data: Mapping[str, Any]) -> Protocol:
        """The protocol that `as_parameters` described."""
        return cls(
            name=str(data["name"]),
            description=str(data["description"]),
            train="first-half" if data["train"] == "first-half" else _people_in(data["train"]),
            test="rest" if data["test"] == "rest" else _people_in(data["test"]),
            gallery=tuple(map(_walks_in, data["gallery"])),
            probes=tuple(
                ProbeSet(name, tuple(map(_walks_in, data["probes"][name])))
                for name in data["probe_order"]
            ),
            identical_view=bool(data["identical_view"]),
            covers_everybody=bool(data["covers_everybody"]),
            empty_probes=bool(data.get("empty_probes", True)),
            gallery_views=_views_in(data.get("gallery_views")),
            probe_views=_views_in(data.get("probe_views")),
            ranks=tuple(int(rank) for rank in data.get("ranks", (1, 5, 10))),
            unknown_people=tuple(str(name) for name in data.get("unknown_people", ())),
            probe_sequences=None
            if data.get("probe_sequences") is None
            else tuple(sequence_of(str(text)) for text in data["probe_sequences"]),
            **{flag: bool(data.get(flag, False)) for flag in _MORE_FLAGS},
        )


_MORE_FLAGS = ("absent_people", "skip_unmated", "leave_one_out", "fits_data")


def sequence_text(subject: str, condition: str, take: int) -> str:
    """A sequence of whatever view: ``3000/camid0-2000``."""
    return f"{subject}/{sequence_name(condition, take)}"


def sequence_of(text: str) -> tuple[str, str, int]:
    """The sequence that `sequence_text` named.

    Raises
    ------
    ProtocolError
        It is no such name.

    Examples
    --------
    >>> sequence_of("3000/camid0-2000")
    ('3000', 'camid0', 2000)
    """
    found = re.fullmatch(r"([^/]+)/([^/]+)-([0-9]{1,10})", text)
    if found is None:
        raise ProtocolError(
            f"probe_sequences: expected subject/condition-take such as 3000/camid0-02; found "
            f"{quoted(text)}."
        )
    return found[1], found[2], int(found[3])


def _brief_people(people: tuple[SubjectRange, ...] | str) -> str:
    return people if isinstance(people, str) else _brief(", ".join(map(str, people))) or "nobody"


def _brief(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"


def _people_out(people: tuple[SubjectRange, ...] | str) -> str | list[list[Any]]:
    if isinstance(people, str):
        return people
    # The step stands there only where there is one.
    steps = [[] if item.step == 1 else [item.step] for item in people]
    return [[one.first, one.last, *more] for one, more in zip(people, steps, strict=True)]


def _people_in(people: Sequence[Sequence[Any]]) -> tuple[SubjectRange, ...]:
    ranges = []
    for first, last, *step in people:
        ranges.append(SubjectRange(str(first), str(last), *(max(1, int(by)) for by in step)))
    return tuple(ranges)


def _walks_out(walks: Walks) -> dict[str, Any]:
    takes = None if walks.takes is None else list(walks.takes)
    return {"condition": walks.condition, "takes": takes}


def _walks_in(walks: Mapping[str, Any]) -> Walks:
    takes = walks["takes"]
    return Walks(str(walks["condition"]), None if takes is None else tuple(map(int, takes)))


def _views_out(views: tuple[float, ...] | None) -> list[float] | None:
    return None if views is None else list(views)


def _views_in(views: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if views is None else tuple(map(float, views))
