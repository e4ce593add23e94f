"""A protocol applied to the rows of an artefact: masks, or an error that says what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError, ProtocolError
from gaitkit.labels import Labels, format_view, sequence_name
from gaitkit.printable import counted
from gaitkit.protocols.builtin import PROTOCOLS, fitted, looks_like, of_these_walks
from gaitkit.protocols.files import get_protocol
from gaitkit.protocols.model import ANY, Protocol, SubjectRange, Walks, sequence_text

__all__ = [
    "Split",
    "SubjectSplit",
    "absent_people",
    "advised",
    "describe_labels",
    "resolve",
    "split_subjects",
    "walk_numbers",
]

_log = logging.getLogger(__name__)

_FOR_ANY = {
    "halves": "which divides whatever subjects there are",
    "everybody": "which tests everybody: for what needs no training (raw GEIs, compared by pixels)",
    "leave-one-out": "all walks against all: for what needs no training (raw GEIs, compared by "
    "pixels)",
}
"""Protocols that are advised, the first one that works, and what is said of them."""

_Advice = Callable[[str], str]
"""A hint that works for the data, or else the one that is given."""

_SECOND_WALK = (
    "Add people: at least two, and a second recording of one of them: whoever is searched must be "
    "enrolled with another walk."
)


class SubjectSplit(NamedTuple):
    """The people of a data set, divided by a protocol; both sorted, never overlapping."""

    train: tuple[str, ...]
    test: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"<SubjectSplit: {len(self.train):,} train, {len(self.test):,} are tested\n"
            f" train: {_brief(self.train)}\n"
            f" test: {_brief(self.test)}>"
        )


def _brief(names: Sequence[str], longest: int = 100) -> str:
    """The first and the last of many names."""
    text = ", ".join(names)
    if len(text) <= longest:
        return text or "nobody"
    ends = f"{names[0]}, {names[1]}, … {names[-1]}"
    return ends if len(ends) <= longest else ends[: longest - 1] + "…"


@dataclass(frozen=True, eq=False, repr=False)
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
    nameless : ndarray of bool, shape (n,), or None
        Searched rows whose people nobody knows; then all sets may be empty.
    skipped : mapping of str to int
        Probes of each set that were left out because their person is not enrolled, where the
        protocol says so.
    """

    protocol: Protocol
    subjects: SubjectSplit
    train: NDArray[np.bool_]
    gallery: NDArray[np.bool_]
    probes: Mapping[str, NDArray[np.bool_]]
    nameless: NDArray[np.bool_] | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        probes = ", ".join(f"{name} {int(rows.sum()):,}" for name, rows in self.probes.items())
        return (
            f"<Split by {self.protocol.name}: {counted(len(self.train), 'row')} of "
            f"{counted(len(self.subjects.train), 'person')} who train and "
            f"{len(self.subjects.test):,} who are tested\n train {int(self.train.sum()):,}, "
            f"gallery {int(self.gallery.sum()):,}; probes {probes:.100}>"
        )

    @property
    def probe(self) -> NDArray[np.bool_]:
        """Rows that are in any probe set, shape (n,)."""
        rows: NDArray[np.bool_] = np.logical_or.reduce(list(self.probes.values()))
        return rows


def _checked(protocol: Any, labels: Any) -> tuple[Protocol, Labels]:
    """A protocol by name, file or object, and the labels of whatever has some."""
    labels = getattr(labels, "labels", labels)
    if not isinstance(labels, Labels):
        raise OptionError(
            f"Expected the Labels of a data set, found a {type(labels).__name__}.",
            hint="An artefact and a GeiSet have some: `.labels`.",
        )
    chosen = get_protocol(protocol)
    if chosen.fits_data:
        return fitted(chosen, labels), labels
    definite = of_these_walks(chosen, labels)
    if definite is not chosen:
        _log.info("protocol %s: %s", definite.name, definite.description)
    return definite, labels


def advised(labels: Labels, otherwise: str, *, trains: bool = False) -> str:
    """A hint that names a protocol which works for some data.

    Parameters
    ----------
    labels : Labels
        Key columns of the data.
    otherwise : str
        The hint where no protocol of gaitkit works.
    trains : bool
        Whether somebody has to train; what is tested does not matter then.
    """
    kind = looks_like(labels)
    for name in dict.fromkeys([*([kind] if kind in PROTOCOLS else []), *_FOR_ANY]):
        protocol = of_these_walks(PROTOCOLS[name], labels)
        try:
            if trains:
                works = bool(_subjects(protocol, labels, _as_it_is).train)
            else:
                works = _resolved(protocol, labels, _as_it_is).nameless is None
        except ProtocolError:
            continue
        if works:
            about = _FOR_ANY.get(name, "the protocol of this data set")
            return f"Use `protocol={name!r}`, {about}."
    return otherwise


def _as_it_is(otherwise: str) -> str:
    return otherwise


def split_subjects(protocol: Protocol | Path | str, labels: Labels | Any) -> SubjectSplit:
    """Divide the people of a data set.

    Parameters
    ----------
    protocol : Protocol, str or path-like
        Who trains and who is tested: an object, a name, or a TOML file.
    labels : Labels
        Key columns of the data set, or what has them: a `GeiSet`, an open artefact.

    Returns
    -------
    SubjectSplit
        Either part may be empty: whether that matters is for the caller to say.

    Raises
    ------
    OptionError
        There is no such protocol, or these are no labels.
    ProtocolError
        A subject is on both sides, on neither where the protocol is for everybody, or in the
        protocol by name and not in the artefact.
    """
    protocol, labels = _checked(protocol, labels)
    return _subjects(protocol, labels, partial(advised, labels))


def _subjects(protocol: Protocol, labels: Labels, advice: _Advice) -> SubjectSplit:
    subjects = labels.subjects()
    _refuse_absent(protocol, labels)
    if protocol.train == "first-half":
        train = subjects[: len(subjects) // 2]
    else:
        train = _members(protocol.train, subjects)
    if protocol.test == "rest":
        test = sorted(set(subjects) - set(train))
    else:
        test = _members(protocol.test, subjects)
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
            f"{len(strangers):,} of {counted(len(subjects), 'subject')} outside them: "
            f"{_listed(strangers)}.",
            hint=advice("Leave those people out, or write a protocol of your own."),
        )
    return SubjectSplit(tuple(train), tuple(test))


def _members(people: Sequence[SubjectRange], subjects: Sequence[str]) -> list[str]:
    """Who of some subjects is meant; cheap for thousands, whom few ranges or many names mean."""
    named = {one.first for one in people if one.first == one.last}
    ranges = [one for one in people if one.first != one.last]
    return [who for who in subjects if who in named or any(who in one for one in ranges)]


def absent_people(protocol: Protocol, labels: Labels) -> str:
    """Whom a protocol names or counts and the data lack, in one phrase; empty where nobody is."""
    there, phrases = set(labels.subjects()), []
    for key, people in (("train", protocol.train), ("test", protocol.test)):
        if isinstance(people, str):
            continue
        total = sum(map(len, people))
        if total - sum(who in one for who in there for one in people) <= 0:
            continue
        absent = sorted({who for one in people for who in one.names()} - there)
        phrases.append(f"{len(absent):,} of {total:,} in {key} ({_listed(absent)})")
    return "; ".join(phrases)


def _refuse_absent(protocol: Protocol, labels: Labels) -> None:
    """Raise for people who are named one by one and are not there: mostly a misspelt name."""
    if protocol.absent_people:
        return
    there = set(labels.subjects())
    for key, people in (("train", protocol.train), ("test", protocol.test)):
        if isinstance(people, str):
            continue
        absent = [one.first for one in people if one.first == one.last and one.first not in there]
        if absent:
            raise ProtocolError(
                f"Protocol {protocol.name}, {key}: the artefact has no subject {_listed(absent)}. "
                f"It has {describe_labels(labels)}.",
                hint=f"Correct the names in {key}, or leave them out.",
            )


def resolve(protocol: Protocol | Path | str, labels: Labels | Any) -> Split:
    """Apply a protocol to the rows of an artefact.

    Parameters
    ----------
    protocol : Protocol, str or path-like
        Who trains, what is enrolled and what is searched: an object, a name, or a TOML file.
    labels : Labels
        Key columns of the artefact, n rows, or what has them.

    Returns
    -------
    Split
        Masks over the rows. Where the protocol allows it, a probe set without rows stays, empty.

    Raises
    ------
    OptionError
        There is no such protocol, or these are no labels.
    ProtocolError
        Nobody is tested, the gallery is empty or has one subject only, a probe set is empty that
        may not be, or every one is; the message says which condition, take or view left nothing,
        and what the artefact has.
    """
    protocol, labels = _checked(protocol, labels)
    return _resolved(protocol, labels, partial(advised, labels))


def _resolved(protocol: Protocol, labels: Labels, advice: _Advice) -> Split:
    people = _subjects(protocol, labels, advice)
    if not people.test:
        raise ProtocolError(
            f"Protocol {protocol.name} tests subjects {_people_text(protocol.test)}, and the "
            f"artefact has none of them. It has {describe_labels(labels)}.",
            hint=advice(_SECOND_WALK),
        )
    if protocol.probe_sequences == ():
        raise ProtocolError(
            f"Protocol {protocol.name} needs its list of probes, which is not part of gaitkit.",
            hint="Give the data set's partition file as `protocol`: Gait3D.json of OpenGait or of "
            "the Gait3D benchmark, with the keys TRAIN_SET, TEST_SET and PROBE_SET. "
            + advice("").replace("Use", "Or", 1),
        )
    train = np.isin(labels.subject.astype(str), people.train)
    test = np.isin(labels.subject.astype(str), people.test)
    listed = _listed_probes(protocol, labels)
    unknown = test & np.isin(labels.subject.astype(str), protocol.unknown_people)
    known = test & ~unknown
    if unknown.any() and not known.any():
        raise ProtocolError(
            f"Protocol {protocol.name}: everybody who is tested is of unknown_people; nobody can "
            "be enrolled.",
            hint="Let unknown_people name those alone whom nobody knows.",
        )
    gallery = _chosen(known, protocol.gallery, protocol.gallery_views, labels)
    if listed is not None:
        gallery &= ~listed
    if not gallery.any():
        walks = ", ".join(map(str, protocol.gallery))
        why = _what_emptied(known, protocol.gallery, protocol.gallery_views, labels)
        raise ProtocolError(
            f"Protocol {protocol.name} enrols {walks} of the tested people, and the gallery is "
            f"empty: {why}.",
            hint=advice("Add these walks."),
        )
    if len(set(labels.subject[gallery])) < 2:
        raise ProtocolError(
            f"Protocol {protocol.name}: the gallery holds one subject only, "
            f"{labels.subject[gallery][0]}; identification needs at least two. Of the tested "
            f"people the artefact has {describe_labels(labels.select(test))}.",
            hint=advice("Add people.") if people.train else "Add people.",
        )
    probes = {
        probe.name: _chosen(test, probe.walks, protocol.probe_views, labels)
        for probe in protocol.probes
    }
    if listed is not None:
        probes = {name: rows & listed for name, rows in probes.items()}
        if not np.logical_or.reduce(list(probes.values())).any():
            raise ProtocolError(
                f"Protocol {protocol.name} lists "
                f"{counted(len(protocol.probe_sequences or ()), 'probe')}, and the artefact has "
                f"none of them: {sequence_text(*(protocol.probe_sequences or [('', '', 0)])[0])}, "
                f"… It has {describe_labels(labels.select(test))}.",
                hint="Give the partition file of this data set.",
            )
    # Nobody knows who these are: they are answered, and no part of any rate.
    nameless: NDArray[np.bool_] = np.logical_or.reduce(list(probes.values())) & unknown
    probes = {name: rows & ~unknown for name, rows in probes.items()}
    skipped = {}
    if protocol.skip_unmated:
        mated = _mated(protocol, gallery, labels)
        skipped = {name: int((rows & ~mated).sum()) for name, rows in probes.items()}
        probes = {name: rows & mated for name, rows in probes.items()}
    if protocol.leave_one_out and skipped and not any(rows.any() for rows in probes.values()):
        raise ProtocolError(
            f"Protocol {protocol.name} searches each walk among the others, and nobody of the "
            f"{counted(len(people.test), 'tested person')} has a second one. There are "
            f"{describe_labels(labels.select(test))}.",
            hint="Add a second recording of somebody: whoever is searched must be enrolled with "
            "another walk. Several views of one walk count as one.",
        )
    if not nameless.any():
        _refuse_empty_probes(protocol, probes, known, labels, advice)
    answered = nameless if nameless.any() else None
    return Split(protocol, people, train, gallery, probes, answered, skipped)


def walk_numbers(labels: Labels) -> NDArray[np.int64]:
    """A number for each walk: rows of several views that show the same one have the same.

    Parameters
    ----------
    labels : Labels
        Key columns, n rows.

    Returns
    -------
    ndarray of int64, shape (n,)
        Counted from 0 in the order of the rows.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> keys = [SequenceKey("ann", "nm", take, view) for take in (1, 2) for view in (0.0, 90.0)]
    >>> walk_numbers(Labels.from_keys(keys)).tolist()
    [0, 0, 1, 1]
    """
    numbers: dict[tuple[str, str, int], int] = {}
    keys = zip(labels.subject, labels.condition, labels.take.tolist(), strict=True)
    return np.fromiter(
        (numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.int64, count=len(labels)
    )


def _mated(protocol: Protocol, gallery: NDArray[np.bool_], labels: Labels) -> NDArray[np.bool_]:
    """Rows whose person is enrolled (with another walk, where each is left out), shape (n,)."""
    subjects = labels.subject.astype(str)
    if not protocol.leave_one_out:
        return np.isin(subjects, subjects[gallery])
    walks = walk_numbers(labels)
    enrolled = np.unique(walks[gallery], return_index=True)[1]
    people, counts = np.unique(subjects[gallery][enrolled], return_counts=True)
    own = np.isin(walks, walks[gallery])
    once = np.isin(subjects, people[counts == 1])
    return np.isin(subjects, people) & ~(own & once)


def _listed_probes(protocol: Protocol, labels: Labels) -> NDArray[np.bool_] | None:
    """Rows that the protocol's list names, shape (n,); `None` where it has none."""
    if protocol.probe_sequences is None:
        return None
    names = set(protocol.probe_sequences)
    keys = zip(labels.subject, labels.condition, labels.take.tolist(), strict=True)
    return np.fromiter((key in names for key in keys), dtype=bool, count=len(labels))


def _refuse_empty_probes(
    protocol: Protocol,
    probes: Mapping[str, NDArray[np.bool_]],
    test: NDArray[np.bool_],
    labels: Labels,
    advice: _Advice,
) -> None:
    empty = [probe for probe in protocol.probes if not probes[probe.name].any()]
    if not empty or (protocol.empty_probes and len(empty) < len(probes)):
        return
    first = empty[0]
    why = _what_emptied(test, first.walks, protocol.probe_views, labels)
    others = [probe.name for probe in empty[1:]]
    sets = f"{counted(len(others), 'other probe set is', 'other probe sets are')} empty, too"
    too = f" {sets}: {_listed(others)}." if others else ""
    walks = ", ".join(map(str, first.walks))
    raise ProtocolError(
        f"Protocol {protocol.name}: probe set {first.name} is empty. It is {walks} of the tested "
        f"people, and {why}.{too}",
        hint=advice("Add these walks: a walk cannot be its own probe."),
    )


def _chosen(
    test: NDArray[np.bool_],
    walks: Sequence[Walks],
    views: tuple[float, ...] | None,
    labels: Labels,
) -> NDArray[np.bool_]:
    """Rows that pass every filter, shape (n,)."""
    rows: NDArray[np.bool_] = np.logical_and.reduce(
        [test, *(mask for _, mask in _filters(walks, views, labels))]
    )
    return rows


def _filters(
    walks: Sequence[Walks], views: tuple[float, ...] | None, labels: Labels
) -> list[tuple[str, NDArray[np.bool_]]]:
    """What a row must be, one after the other, with the rows that are."""
    conditions = list(dict.fromkeys(item.condition for item in walks))
    named = "conditions" if len(conditions) > 1 else "condition"
    some = [item.mask(labels) for item in walks]
    of_these = np.isin(labels.condition.astype(str), conditions) | (ANY in conditions)
    filters = [
        (f"of {named} {', '.join(conditions)}", of_these),
        (f"take {', '.join(map(str, walks))}", np.logical_or.reduce(some)),
    ]
    if views is not None:
        names = ", ".join(map(format_view, views))
        filters.append((f"seen from {names}", np.isin(labels.view, views)))
    return filters


def _what_emptied(
    test: NDArray[np.bool_],
    walks: Sequence[Walks],
    views: tuple[float, ...] | None,
    labels: Labels,
) -> str:
    """The first filter that nothing passes, and what there was before it."""
    rows = test
    passed: list[str] = []
    for name, mask in _filters(walks, views, labels):
        if not np.any(rows & mask):
            kind = f" {', '.join(passed)}" if passed else ""
            there = describe_labels(labels.select(rows))
            return (
                f"of their {counted(int(rows.sum()), 'sequence')}{kind} none is {name}; there are "
                f"{there}"
            )
        rows = rows & mask
        passed.append(name)
    # What no filter says: a list of probes takes them from the gallery, or does not name them.
    return f"{counted(int(rows.sum()), 'such sequence is', 'such sequences are')} used otherwise"


def describe_labels(labels: Labels) -> str:
    """What the rows hold, in one phrase: subjects, walks with their takes, views."""
    subjects = labels.subjects()
    walks = []
    for condition in labels.conditions():
        takes = np.unique(labels.take[labels.condition == condition]).tolist()
        walks.append(_takes_text(condition, takes))
    views = [format_view(view) for view in labels.views()]
    unknown = int(np.isnan(labels.view).sum())
    parts = [f"{counted(len(subjects), 'subject')} ({_listed(subjects, ends=True)})"]
    parts.append(f"the walks {', '.join(walks)}" if walks else "no walks")
    parts.append(
        f"{counted(len(views), 'view')} ({', '.join(views)})" if views else "views unknown"
    )
    if unknown and views:
        parts.append(f"{counted(unknown, 'sequence')} of unknown view")
    return "; ".join(parts)


def _takes_text(condition: str, takes: list[int]) -> str:
    """Different takes, ascending."""
    names = [sequence_name(condition, take) for take in takes]
    if len(takes) > 2 and takes[-1] - takes[0] == len(takes) - 1:
        return f"{names[0]} to {names[-1]}"
    return _listed(names)


def _listed(names: Sequence[str], *, ends: bool = False) -> str:
    """Some names: all of a few, else the first five, or the first and the last."""
    if len(names) <= 6 and not (ends and len(names) > 3):
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}" if ends else f"{', '.join(names[:5])}, …"


def _people_text(people: tuple[SubjectRange, ...] | str) -> str:
    """Subjects as a protocol gives them."""
    return people if isinstance(people, str) else ", ".join(map(str, people)) or "nobody"
