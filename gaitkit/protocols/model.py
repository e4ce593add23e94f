"""A protocol as plain data: who trains, who is tested, what is enrolled, what is searched."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ProtocolError
from gaitkit.labels import Labels, sequence_name

__all__ = ["ProbeSet", "Protocol", "SubjectRange", "Walks"]


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
            "empty_probes": self.empty_probes,
            "gallery_views": _views_out(self.gallery_views),
            "probe_views": _views_out(self.probe_views),
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
            empty_probes=bool(data.get("empty_probes", True)),
            gallery_views=_views_in(data.get("gallery_views")),
            probe_views=_views_in(data.get("probe_views")),
        )


def _brief_people(people: tuple[SubjectRange, ...] | str) -> str:
    return people if isinstance(people, str) else _brief(", ".join(map(str, people))) or "nobody"


def _brief(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"


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


def _views_out(views: tuple[float, ...] | None) -> list[float] | None:
    return None if views is None else list(views)


def _views_in(views: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if views is None else tuple(map(float, views))
