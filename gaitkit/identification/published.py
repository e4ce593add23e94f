"""Published cross-view results on CASIA-B, to be printed beside one's own.

They belong to CASIA-B and to their papers' preprocessing: `MARK` goes wherever they are shown, so
that nobody takes them for results on the data at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError

__all__ = [
    "MARK",
    "SETS",
    "PublishedMeans",
    "PublishedSystem",
    "means_told",
    "published_means",
    "published_system",
    "published_systems",
]

MARK = "published, CASIA-B"
"""How published figures are labelled everywhere."""

SETS = "embeddings of silhouette sets"
"""What the systems of `published_means` compare; those of `published_systems` compare GEIs."""


@dataclass(frozen=True, eq=False)
class PublishedSystem:
    """One system's rank-1 identification rates on CASIA-B.

    Attributes
    ----------
    key, label, title, note : str
        A short name for options, one for table heads, the paper, and where the numbers are from.
    kind : str
        ``published`` by its authors, or an independent ``reproduction``.
    protocol : str
        ``casia-b-62-62``.
    views : tuple of float
        The 11 views, degrees; rows and columns of the tables.
    rank1 : mapping of str to ndarray of float64, shape (11, 11)
        Per condition (nm, bg, cl): per cent, row = gallery view, column = probe view. Read-only.
    suspect : mapping of str to frozenset of (float, float)
        Per condition the cells (gallery view, probe view) whose transcription is in doubt.
    """

    key: str
    label: str
    title: str
    note: str
    kind: str
    protocol: str
    views: tuple[float, ...]
    rank1: Mapping[str, NDArray[np.float64]]
    suspect: Mapping[str, frozenset[tuple[float, float]]]

    def cell(self, condition: str, gallery_view: float, probe_view: float) -> float | None:
        """Rank-1 of one cell, per cent; `None` where nothing was published."""
        if condition not in self.rank1 or not {gallery_view, probe_view} <= set(self.views):
            return None
        row, column = self.views.index(gallery_view), self.views.index(probe_view)
        return float(self.rank1[condition][row, column])

    def is_suspect(self, condition: str, gallery_view: float, probe_view: float) -> bool:
        """Whether the transcription of this cell is in doubt."""
        return (gallery_view, probe_view) in self.suspect.get(condition, frozenset())

    def mean_at_probe_view(self, condition: str, probe_view: float) -> float | None:
        """Mean over the gallery views other than `probe_view`, per cent.

        Suspect cells count with the value that was transcribed; their errors are below 0.5.
        """
        if condition not in self.rank1 or probe_view not in self.views:
            return None
        column = self.views.index(probe_view)
        others = np.arange(len(self.views)) != column
        return float(self.rank1[condition][others, column].mean())

    def mean_excluding_identical(self, condition: str) -> float | None:
        """Mean over all cells with different gallery and probe view, per cent."""
        if condition not in self.rank1:
            return None
        different = ~np.eye(len(self.views), dtype=bool)
        return float(self.rank1[condition][different].mean())


@dataclass(frozen=True)
class PublishedMeans:
    """A system of which only the means are known.

    Attributes
    ----------
    label, title : str
        A short name, and the paper.
    kind : str
        What is compared, `SETS`.
    protocol : str
        ``casia-b-74-50``: other and fewer people than those of `PublishedSystem`.
    rank1 : mapping of str to float
        Per condition (nm, bg, cl): per cent, mean over different views.
    source : str
        Where the numbers are from: the paper, or OpenGait's own training where the paper has none.
    """

    label: str
    title: str
    kind: str
    protocol: str
    rank1: Mapping[str, float]
    source: str


@cache
def published_means() -> tuple[PublishedMeans, ...]:
    """What systems that learn identity reach under 74/50, by year.

    They have seen who people are in training, most of them in whole sets of silhouettes, and are
    tested on other people than the systems of `published_systems`: no row of the one table stands
    beside one of the other.

    Examples
    --------
    >>> next(item for item in published_means() if item.label == "GaitSet").rank1["cl"]
    70.4
    """
    text = files("gaitkit.identification").joinpath("published.json").read_text(encoding="utf-8")
    data = json.loads(text)["summaries_74_50"]
    rows = []
    for row in data["rows"]:
        by_paper = row["paper"] is not None
        rates = dict(
            zip(("nm", "bg", "cl"), map(float, row["paper"] or row["model_zoo"]), strict=True)
        )
        rows.append(
            PublishedMeans(
                row["title"].partition(" (")[0],
                row["title"],
                SETS,
                data["protocol"],
                MappingProxyType(rates),
                "the paper" if by_paper else "OpenGait's model zoo",
            )
        )
    return tuple(rows)


def means_told() -> tuple[str, list[str]]:
    """`published_means` for readers: what they are, and one entry for each system.

    Examples
    --------
    >>> means_told()[1][0]
    'GaitSet 95.0 / 87.2 / 70.4'
    """
    rows = published_means()
    head = (
        f"{MARK}: {SETS} under {rows[0].protocol}, which are compared with other people than "
        "those of GEIs; mean over all different views, nm / bg / cl"
    )
    told = [
        f"{row.label} {' / '.join(f'{rate:.1f}' for rate in row.rank1.values())}"
        + ("" if row.source == "the paper" else f" ({row.source})")
        for row in rows
    ]
    return head, told


@cache
def published_systems() -> Mapping[str, PublishedSystem]:
    """All systems whose full matrices are known, by key.

    Returns
    -------
    mapping of str to PublishedSystem
        ``gaitgan``, ``gaitgan-reproduction``, ``gaitganv2``, ``spae``, ``unet-cgan``.
    """
    text = files("gaitkit.identification").joinpath("published.json").read_text(encoding="utf-8")
    data = json.loads(text)
    views = tuple(float(view) for view in data["views"])
    systems = {}
    for key, entry in data["systems"].items():
        rank1 = {name: np.array(rows, dtype=np.float64) for name, rows in entry["rank1"].items()}
        for matrix in rank1.values():
            matrix.setflags(write=False)
        systems[key] = PublishedSystem(
            key=key,
            label=entry["label"],
            title=entry["title"],
            note=entry["note"],
            kind=entry["kind"],
            protocol=data["protocol"],
            views=views,
            rank1=MappingProxyType(rank1),
            suspect=MappingProxyType(
                {
                    name: frozenset((float(gallery), float(probe)) for gallery, probe in cells)
                    for name, cells in entry["suspect_cells"].items()
                }
            ),
        )
    return MappingProxyType(systems)


def published_system(key: str) -> PublishedSystem:
    """One system by key.

    Raises
    ------
    OptionError
        There is none of that key.
    """
    systems = published_systems()
    if key not in systems:
        raise OptionError(
            f"There are no published figures of {key!r}.",
            hint=f"Choose among {', '.join(systems)}.",
        )
    return systems[key]
