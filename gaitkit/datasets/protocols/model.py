"""Who trains, who is enrolled, who is searched: evaluation protocols as plain data.

A protocol divides *people* into those whom models may see and those on whom they are tested, and
the tested people's walks into a gallery (enrolled) and one or more probe sets (searched). How the
tables are computed is not its business; see `gaitkit.identification`.

Training people and tested people never overlap. CASIA-B's two splits: 62/62 as in GaitGAN (Yu et
al., CVPRW 2017), 74/50 as in GaitSet (Chao et al., AAAI 2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError, ProtocolError
from gaitkit.labels import Labels, format_view, sequence_name

__all__ = [
    "PROTOCOLS",
    "ProbeSet",
    "Protocol",
    "Split",
    "SubjectRange",
    "SubjectSplit",
    "Walks",
    "default_protocol",
    "describe_labels",
    "get_protocol",
    "resolve",
    "split_subjects",
]


@dataclass(frozen=True)
class SubjectRange:
    """Subjects from `first` to `last`, both included; a single one when they are equal.

    Numbered subjects (``001`` to ``062``) are compared as numbers of the same length; any other
    name only matches itself.
    """

    first: str
    last: str

    def __contains__(self, subject: object) -> bool:
        if subject in (self.first, self.last):
            return True
        if not isinstance(subject, str) or not (subject.isdecimal() and self.first.isdecimal()):
            return False
        same_length = len(subject) == len(self.first) == len(self.last)
        return same_length and self.last.isdecimal() and self.first <= subject <= self.last

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Walks:
    """Some takes of one condition; all of them when `takes` is `None`."""

    condition: str
    takes: tuple[int, ...] | None = None

    def mask(self, labels: Labels) -> NDArray[np.bool_]:
        """Rows that belong, shape (n,)."""
        rows: NDArray[np.bool_] = np.asarray(labels.condition == self.condition, dtype=bool)
        if self.takes is not None:
            rows = rows & np.isin(labels.take, self.takes)
        return rows

    def __str__(self) -> str:
        if self.takes is None:
            return f"{self.condition} (all takes)"
        return ", ".join(sequence_name(self.condition, take) for take in self.takes)


@dataclass(frozen=True)
class ProbeSet:
    """Walks that are searched together and get a table of their own."""

    name: str
    walks: tuple[Walks, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.walks))


@dataclass(frozen=True)
class Protocol:
    """One evaluation protocol.

    Attributes
    ----------
    name, description : str
        The name is what the command line takes.
    train : tuple of SubjectRange, or "first-half"
        Whom models may see. ``first-half``: of n sorted subjects the first ⌊n/2⌋.
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
    """

    name: str
    description: str
    train: tuple[SubjectRange, ...] | Literal["first-half"]
    test: tuple[SubjectRange, ...] | Literal["rest"]
    gallery: tuple[Walks, ...]
    probes: tuple[ProbeSet, ...]
    identical_view: bool = False
    covers_everybody: bool = False

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

    def as_parameters(self) -> dict[str, Any]:
        """The protocol as JSON-able data; `Protocol.from_parameters` reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            "train": _people_out(self.train),
            "test": _people_out(self.test),
            "gallery": [_walks_out(walks) for walks in self.gallery],
            "probes": {p.name: [_walks_out(walks) for walks in p.walks] for p in self.probes},
            "probe_order": [probe.name for probe in self.probes],
            "identical_view": self.identical_view,
            "covers_everybody": self.covers_everybody,
        }

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
        )


class SubjectSplit(NamedTuple):
    """The people of a data set, divided by a protocol; both sorted, never overlapping."""

    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of an artefact, divided by a protocol.

    Attributes
    ----------
    protocol : Protocol
        By which.
    subjects : SubjectSplit
        The people behind the rows.
    train : ndarray of bool, shape (n,)
        All rows of the training people: every condition, take and view.
    gallery : ndarray of bool, shape (n,)
        Enrolled rows.
    probes : mapping of str to ndarray of bool, shape (n,)
        Searched rows of each probe set, in the protocol's order; a set may be empty, not all.
    """

    protocol: Protocol
    subjects: SubjectSplit
    train: NDArray[np.bool_]
    gallery: NDArray[np.bool_]
    probes: Mapping[str, NDArray[np.bool_]]

    @property
    def probe(self) -> NDArray[np.bool_]:
        """Rows that are in any probe set, shape (n,)."""
        rows: NDArray[np.bool_] = np.logical_or.reduce(list(self.probes.values()))
        return rows


_CASIA_B_GALLERY = (Walks("nm", (1, 2, 3, 4)),)
_CASIA_B_PROBES = (
    ProbeSet("nm", (Walks("nm", (5, 6)),)),
    ProbeSet("bg", (Walks("bg", (1, 2)),)),
    ProbeSet("cl", (Walks("cl", (1, 2)),)),
)
_CASIA_B_SUBJECTS = SubjectRange("001", "124")

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                name="casia-b-62-62",
                description="CASIA-B, 001-062 train, 063-124 are tested (GaitGAN, SPAE)",
                train=(SubjectRange("001", "062"),),
                test=(SubjectRange("063", "124"),),
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
                covers_everybody=True,
            ),
            Protocol(
                name="casia-b-74-50",
                description="CASIA-B, 001-074 train, 075-124 are tested (GaitSet and later)",
                train=(SubjectRange("001", "074"),),
                test=(SubjectRange("075", "124"),),
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
                covers_everybody=True,
            ),
            Protocol(
                name="halves",
                description="the first half of the sorted subjects trains, the rest is tested; "
                "takes as in CASIA-B",
                train="first-half",
                test="rest",
                gallery=_CASIA_B_GALLERY,
                probes=_CASIA_B_PROBES,
            ),
        )
    }
)
"""The protocols that come with gaitkit, by name."""


def get_protocol(name: str) -> Protocol:
    """A built-in protocol by name.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise OptionError(
            f"There is no protocol {name!r}.", hint=f"Choose one of {', '.join(PROTOCOLS)}."
        ) from None


def default_protocol(labels: Labels) -> Protocol:
    """`casia-b-62-62` when the subjects are CASIA-B's 001 to 124, `halves` otherwise.

    Up to a tenth of the 124 may be missing; one other name, and it is not CASIA-B.
    """
    subjects = labels.subjects()
    casia_b = all(subject in _CASIA_B_SUBJECTS for subject in subjects)
    return PROTOCOLS["casia-b-62-62" if casia_b and len(subjects) >= 112 else "halves"]


def split_subjects(protocol: Protocol, labels: Labels) -> SubjectSplit:
    """Divide the people of a data set.

    Parameters
    ----------
    protocol : Protocol
        Who trains and who is tested.
    labels : Labels
        Key columns of the artefact.

    Returns
    -------
    SubjectSplit
        Either part may be empty: whether that matters is for the caller to say.

    Raises
    ------
    ProtocolError
        A subject is on both sides, or on neither where the protocol names everybody.
    """
    subjects = labels.subjects()
    if protocol.train == "first-half":
        train = subjects[: len(subjects) // 2]
    else:
        train = [s for s in subjects if any(s in people for people in protocol.train)]
    if protocol.test == "rest":
        test = sorted(set(subjects) - set(train))
    else:
        test = [s for s in subjects if any(s in people for people in protocol.test)]
    both = sorted(set(train) & set(test))
    if both:
        raise ProtocolError(
            f"Protocol {protocol.name} puts {_listed(both)} among the training people and among "
            f"the tested people.",
            hint="Give it ranges that do not overlap.",
        )
    strangers = sorted(set(subjects) - set(train) - set(test))
    if strangers and protocol.covers_everybody:
        raise ProtocolError(
            f"Protocol {protocol.name} is for subjects {_people_text(protocol.train)} and "
            f"{_people_text(protocol.test)}; the artefact has "
            f"{len(strangers)} of {len(subjects)} subjects outside them: {_listed(strangers)}.",
            hint="Use --protocol halves, which takes any subjects.",
        )
    return SubjectSplit(tuple(train), tuple(test))


def resolve(protocol: Protocol, labels: Labels) -> Split:
    """Apply a protocol to the rows of an artefact.

    Parameters
    ----------
    protocol : Protocol
        Who trains, what is enrolled and what is searched.
    labels : Labels
        Key columns of the artefact, n rows.

    Returns
    -------
    Split
        Masks over the rows. A probe set without rows stays, empty.

    Raises
    ------
    ProtocolError
        Nobody is tested, the gallery is empty or has one subject only, or every probe set is
        empty; the message says what was wanted and what the artefact has.
    """
    people = split_subjects(protocol, labels)
    if not people.test:
        raise ProtocolError(
            f"Protocol {protocol.name} tests subjects {_people_text(protocol.test)}, and the "
            f"artefact has none of them. It has {describe_labels(labels)}.",
            hint="Use --protocol halves, which divides whatever subjects there are.",
        )
    train = np.isin(labels.subject.astype(str), people.train)
    test = np.isin(labels.subject.astype(str), people.test)
    tested = labels.select(test)
    gallery = test & _any_of(protocol.gallery, labels)
    if not gallery.any():
        raise ProtocolError(
            f"Protocol {protocol.name} enrols {', '.join(map(str, protocol.gallery))} of the "
            f"tested people, and the artefact has none of these walks. Of the tested people it "
            f"has {describe_labels(tested)}.",
            hint="Add these walks, or use a protocol that enrols what there is.",
        )
    if len(set(labels.subject[gallery])) < 2:
        raise ProtocolError(
            f"Protocol {protocol.name}: the gallery holds one subject only, "
            f"{labels.subject[gallery][0]}; identification needs at least two. Of the tested "
            f"people the artefact has {describe_labels(tested)}.",
            hint="Add people, or use a protocol that tests more of them.",
        )
    probes = {probe.name: test & _any_of(probe.walks, labels) for probe in protocol.probes}
    if not any(rows.any() for rows in probes.values()):
        wanted = "; ".join(f"{probe.name}: {probe}" for probe in protocol.probes)
        raise ProtocolError(
            f"Protocol {protocol.name} has nobody to search for: it wants the probes {wanted}, "
            f"and of its tested people the artefact has only {describe_labels(tested)}.",
            hint="Add these walks (a walk cannot be its own probe), or use a protocol whose "
            "probes are among them.",
        )
    return Split(protocol, people, train, gallery, probes)


def describe_labels(labels: Labels) -> str:
    """What the rows hold, in one phrase: subjects, walks with their takes, views."""
    subjects = labels.subjects()
    walks = []
    for condition in labels.conditions():
        takes = np.unique(labels.take[labels.condition == condition]).tolist()
        walks.append(_takes_text(condition, takes))
    views = [format_view(view) for view in labels.views()]
    unknown = int(np.isnan(labels.view).sum())
    parts = [f"{_count(len(subjects), 'subject')} ({_listed(subjects, ends=True)})"]
    parts.append(f"the walks {', '.join(walks)}" if walks else "no walks")
    parts.append(f"{_count(len(views), 'view')} ({', '.join(views)})" if views else "no known view")
    if unknown:
        parts.append(f"{_count(unknown, 'sequence')} of unknown view")
    return "; ".join(parts)


def _any_of(walks: Sequence[Walks], labels: Labels) -> NDArray[np.bool_]:
    masks = [item.mask(labels) for item in walks]
    return np.logical_or.reduce(masks) if masks else np.zeros(len(labels), dtype=bool)


def _takes_text(condition: str, takes: list[int]) -> str:
    first, last = takes[0], takes[-1]
    if len(takes) > 2 and takes == list(range(first, last + 1)):
        return f"{sequence_name(condition, first)} to {sequence_name(condition, last)}"
    return ", ".join(sequence_name(condition, take) for take in takes)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _listed(names: Sequence[str], *, ends: bool = False) -> str:
    if len(names) <= 6 and not (ends and len(names) > 3):
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}" if ends else f"{', '.join(names[:5])}, …"


def _people_text(people: tuple[SubjectRange, ...] | str) -> str:
    return people if isinstance(people, str) else ", ".join(map(str, people))


def _people_out(people: tuple[SubjectRange, ...] | str) -> str | list[list[str]]:
    return people if isinstance(people, str) else [[item.first, item.last] for item in people]


def _people_in(people: Sequence[Sequence[str]]) -> tuple[SubjectRange, ...]:
    return tuple(SubjectRange(str(first), str(last)) for first, last in people)


def _walks_out(walks: Walks) -> dict[str, Any]:
    takes = None if walks.takes is None else list(walks.takes)
    return {"condition": walks.condition, "takes": takes}


def _walks_in(walks: Mapping[str, Any]) -> Walks:
    takes = walks["takes"]
    return Walks(str(walks["condition"]), None if takes is None else tuple(map(int, takes)))
