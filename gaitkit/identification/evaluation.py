"""One evaluation: from vectors and a protocol to the tables and figures of a result.

`EvaluationResult` is what was found, in memory; `gaitkit.identification.results` puts it into a
file, `gaitkit.identification.tables` and `.formats` into text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import whole_number
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.dropped import DroppedRow
from gaitkit.errors import OptionError
from gaitkit.identification.comparison_scores import ScoreKeeper
from gaitkit.identification.crossview import (
    RANKED,
    ROUNDINGS,
    CrossViewTable,
    ViewMatches,
    at_view,
    counts_identical,
    cross_view_table,
    in_views,
    match_views,
)
from gaitkit.identification.features import LinearProjection, row_blocks
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.numbers import Numbers, all_numbers, failed_probes
from gaitkit.identification.fusion import Fusion
from gaitkit.identification.metrics import DEFAULT_METRIC, Metric, get_metric
from gaitkit.identification.quality import QualityTable
from gaitkit.labels import Labels, format_view
from gaitkit.printable import counted, printable, quoted
from gaitkit.protocols import Protocol, Split, default_protocol, get_protocol, resolve
from gaitkit.protocols.splitting import absent_people, walk_numbers

__all__ = [
    "NEIGHBOURS",
    "EvaluationResult",
    "EvaluationResults",
    "ProtocolSearch",
    "apply_protocol",
    "as_vectors",
    "check_search_options",
    "evaluate_vectors",
    "name_of",
    "rank1_of",
    "table_views",
    "warn_of_no_direction",
]

_log = logging.getLogger(__name__)

_CAMERA = re.compile(r"camid\d+")

NEIGHBOURS = 5
"""Nearest gallery rows that are kept of each search, to be looked at."""


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationResult:
    """One artefact, one feature, one metric, under one protocol.

    Attributes
    ----------
    source : str
        What was evaluated, for people: a file name. Not part of an artefact.
    dataset : str
        Name of the data set.
    feature, metric : str
        How rows were compared.
    split : Split
        The protocol, and which rows of the artefact trained, were enrolled, were searched.
    labels : Labels
        Key columns of all rows of the artefact; the indices in `matches` point into them.
    matches : ViewMatches
        Every probe's outcome against the gallery of each view.
    tables : mapping of str to CrossViewTable
        Rank-1 identification rates per probe set, in the protocol's order.
    projection : LinearProjection or None
        The fitted feature, where there is one.
    quality : QualityTable or None
        Comparison with the true images, where it was asked for.
    numbers : mapping of str to Numbers
        All figures with their intervals per probe set, in the protocol's order.
    k : int
        Neighbours that vote; 1 is the nearest neighbour.
    fusion : Fusion or None
        How several artefacts were put together.
    failed : mapping of str to Labels
        Key columns of the failures to acquire per probe set.
    rounding : str
        ``none``, or ``opengait`` where each cell of `tables` was rounded to two decimals before
        averaging.
    rank_by : str
        What ranks count: ``people``, or gallery ``rows``.
    embedders : tuple of EmbedderInfo
        Those that made the vectors, each once; none where images were compared.
    """

    source: str
    dataset: str
    feature: str
    metric: str
    split: Split
    labels: Labels
    matches: ViewMatches
    tables: Mapping[str, CrossViewTable]
    projection: LinearProjection | None = None
    quality: QualityTable | None = None
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    k: int = 1
    fusion: Fusion | None = None
    failed: Mapping[str, Labels] = field(default_factory=dict)
    rounding: str = "none"
    rank_by: str = "people"
    embedders: tuple[EmbedderInfo, ...] = ()

    @property
    def protocol(self) -> Protocol:
        """The protocol."""
        return self.split.protocol

    @property
    def gallery_views(self) -> NDArray[np.float64]:
        """Rows of the tables, degrees."""
        return self.matches.gallery_views

    @property
    def probe_views(self) -> NDArray[np.float64]:
        """Columns of the tables, degrees."""
        return next(iter(self.tables.values())).probe_views

    def headline(self, probe_set: str) -> float | None:
        """The protocol's mean rank-1 of one probe set, per cent."""
        return self.tables[probe_set].headline(identical_view=self.protocol.identical_view)

    @property
    def over(self) -> str:
        """Over which searches the headline goes, in two words.

        ``different views``, or ``all views`` where the protocol says so; ``all pairs`` where views
        are not known; ``equal views`` where there is one view only.
        """
        if np.isnan(self.gallery_views).any() or np.isnan(self.probe_views).any():
            return "all pairs"
        if self.protocol.identical_view:
            return "all views"
        only = counts_identical(self.gallery_views, self.probe_views, identical_view=False)
        return "equal views" if only else "different views"

    def remarks(self) -> list[str]:
        """What one must know to read the figures; one sentence each.

        Why there is no mean over different views, where there is none; which probes are in no rate;
        by whom the vectors were embedded.
        """
        if self.over == "all pairs":
            used = self.split.gallery | self.split.probe
            unknown = int(np.isnan(self.labels.view[used]).sum())
            told = [
                f"The view of {unknown:,} of {counted(int(used.sum()), 'sequence')} is unknown: "
                "one rank-1 over all pairs of probe and gallery, no mean over different views."
            ]
            return told + self._left_out()
        if self.over == "equal views":
            view = format_view(float(self.probe_views[0]))
            return [
                f"There is one view only, {view}: rank-1 is that of equal views, no mean over "
                "different ones.",
                *self._left_out(),
            ]
        return self._left_out()

    def _left_out(self) -> list[str]:
        """Probes that are in no rate."""
        if self.protocol.leave_one_out:
            told = [
                f"Protocol {printable(self.protocol.name)}: each walk is searched among all the "
                "others, itself left out."
            ]
            told += [
                f"{_without_second(self.split, self.labels, count)[0].upper()}"
                f"{_without_second(self.split, self.labels, count)[1:]}."
                for count in self.split.skipped.values()
                if count
            ]
        else:
            told = [
                f"{counted(count, 'probe')} of {name} "
                f"{'has' if count == 1 else 'have'} no mate in the gallery and "
                f"{'is' if count == 1 else 'are'} not counted."
                for name, count in self.split.skipped.items()
                if count
            ]
        nameless = 0 if self.split.nameless is None else int(self.split.nameless.sum())
        if nameless:
            told.append(
                f"{counted(nameless, 'probe')} of people nobody knows "
                f"{'is' if nameless == 1 else 'are'} not counted."
            )
        return [*told, *(embedder.remark for embedder in self.embedders)]

    def by_camera(self, probe_set: str) -> dict[str, tuple[float, int]]:
        """Rank-1 of the probes of each camera, where walks are called after cameras.

        Parameters
        ----------
        probe_set : str
            Name of the probe set.

        Returns
        -------
        dict of str to (float, int)
            Per cent, and the number of probes, by condition (``camid0``); empty where conditions
            are no cameras or views are known.
        """
        member = self.split.probes[probe_set][self.matches.probe_rows]
        cameras = self.labels.condition[self.matches.probe_rows].astype(str)
        names = sorted(set(cameras[member].tolist()), key=_natural)
        if self.over != "all pairs" or not all(map(_CAMERA.fullmatch, names)):
            return {}
        found = {}
        for name in names:
            rows = member & (cameras == name)
            searched = (self.matches.nearest_row >= 0)[rows]
            right = self.matches.correct[rows][searched]
            if right.size:
                found[name] = (100.0 * float(right.mean()), int(right.size))
        return found

    def table(self, *, probe_view: float | None = None, matrices: bool = True) -> str:
        """All figures and matrices as text, as `gaitkit evaluate` prints them with `matrices`.

        Parameters
        ----------
        probe_view : float, optional
            Only this column of the tables, beside published figures; degrees.
        matrices : bool
            Without them the headline alone, in 80 columns.
        """
        return EvaluationResults([self]).table(probe_view=probe_view, matrices=matrices)

    def __repr__(self) -> str:
        people = len(set(self.labels.subject[self.split.gallery].tolist()))
        rates = ", ".join(f"{name} {_rate_text(self, name)}" for name in self.tables)
        return (
            f"<EvaluationResult {_cut(name_of(self), 60)}; {_cut(self.protocol.name, 24)}, "
            f"{counted(people, 'person')} enrolled\n"
            f" rank-1 over {self.over}, per cent: {_cut(rates, 160)}\n"
            f" all figures: .table(), .numbers, .tables>"
        )

    def _repr_html_(self) -> str:
        return EvaluationResults([self])._repr_html_()


class EvaluationResults(list[EvaluationResult]):
    """Some results: a list that shows itself in three lines, and as a table."""

    def table(self, *, probe_view: float | None = None, matrices: bool = True) -> str:
        """All results as text, as `gaitkit evaluate` prints them: each, then side by side.

        Parameters
        ----------
        probe_view : float, optional
            Only this column of the tables, beside published figures; degrees.
        matrices : bool
            All figures and matrices of each; without them the headlines alone, in 80 columns.
        """
        # Text is made of results, and results need no text.
        from gaitkit.identification.tables import evaluation_text

        return evaluation_text(self, probe_view=probe_view, matrices=matrices)

    def __repr__(self) -> str:
        if len(self) < 2:
            return repr(self[0]) if self else "<EvaluationResults: none>"
        shown = "; ".join(
            f"{result.feature}, {result.metric}: "
            + ", ".join(f"{name} {_rate_text(result, name)}" for name in result.tables)
            for result in self[:3]
        )
        more = "; …" if len(self) > 3 else ""
        return (
            f"<EvaluationResults: {len(self)} of {_cut(self[0].source, 60)}, "
            f"{_cut(self[0].protocol.name, 24)}\n"
            f" rank-1, per cent: {_cut(shown + more, 200)}\n"
            " all figures: .table(); each result: [0], [1], …>"
        )

    def _repr_html_(self) -> str:
        from gaitkit.identification.formats import html_text

        return html_text(self)


@dataclass(frozen=True, eq=False)
class ProtocolSearch:
    """Everything about an evaluation but the vectors and the metric.

    Attributes
    ----------
    labels : Labels
        Key columns of all rows.
    split : Split
        Who is enrolled and searched.
    gallery_views, probe_views : ndarray of float64
        Rows and columns of the tables, degrees.
    dropped : list of DroppedRow
        What was left out before.
    k : int
        Neighbours that vote.
    count_failures : bool
        Whether dropped probes are errors.
    rounding : str
        Of `ROUNDINGS`.
    seed : int
        Of draws and folds.
    rank_by : str
        Of `RANKED`.
    """

    labels: Labels
    split: Split
    gallery_views: NDArray[np.float64]
    probe_views: NDArray[np.float64]
    dropped: list[DroppedRow]
    k: int
    count_failures: bool
    rounding: str
    seed: int
    rank_by: str = "people"

    @property
    def searched(self) -> NDArray[np.bool_]:
        """Rows that are searched, shape (n,)."""
        return self.split.probe & in_views(self.labels.view, self.probe_views)

    def __call__(
        self, vectors: NDArray[Any], metric: Metric, threads: int | None
    ) -> dict[str, Any]:
        """The fields of an `EvaluationResult` that come from searching some vectors."""
        labels, split, probe = self.labels, self.split, self.searched
        walks = walk_numbers(labels) if split.protocol.leave_one_out else None
        warn_of_no_direction(vectors, metric, split.gallery | probe)
        keeper = ScoreKeeper(
            labels,
            split.gallery,
            probe,
            metric=metric,
            gallery_views=self.gallery_views,
            walks=walks,
            vectors=vectors,
        )
        matches = match_views(
            vectors,
            labels,
            split.gallery,
            probe,
            metric=metric,
            gallery_views=self.gallery_views,
            top=NEIGHBOURS,
            k=self.k,
            rank_by=self.rank_by,
            walks=walks,
            observe=keeper,
            threads=threads,
        )
        scores = keeper.scores
        matches = replace(
            matches,
            average_precision=scores.average_precision,
            inverse_negative_penalty=scores.inverse_negative_penalty,
        )
        enrolled = labels.view[split.gallery]
        most = max((int(at_view(enrolled, view).sum()) for view in self.gallery_views), default=0)
        failed = failed_probes(split, self.dropped, labels, self.probe_views)
        return {
            "split": split,
            "labels": labels,
            "matches": matches,
            "tables": {
                name: cross_view_table(
                    matches,
                    rows,
                    self.probe_views,
                    failed_views=failed[name].view if self.count_failures else None,
                    rounding=self.rounding,
                )
                for name, rows in split.probes.items()
            },
            "numbers": all_numbers(
                matches,
                scores,
                split,
                labels,
                self.probe_views,
                failed,
                count_failures=self.count_failures,
                rounding=self.rounding,
                ranked=most if self.rank_by == "rows" else None,
                seed=self.seed,
            ),
            "k": self.k,
            "failed": failed,
            "rounding": self.rounding,
            "rank_by": self.rank_by,
        }


def evaluate_vectors(
    vectors: NDArray[Any],
    labels: Labels,
    *,
    protocol: Protocol | str | Path | None = None,
    metric: Metric | str = DEFAULT_METRIC,
    gallery_view: float | None = None,
    probe_view: float | None = None,
    k: int = 1,
    rounding: str = "none",
    rank_by: str = "people",
    seed: int = 0,
    threads: int | None = None,
) -> EvaluationResult:
    """Identify the tested people of some vectors across views.

    Parameters
    ----------
    vectors : ndarray of numbers, shape (n, d) or (n, height, width)
        A feature vector or image of each sequence, finite.
    labels : Labels
        Their key columns, n rows; `Labels.from_keys` makes them.
    protocol : Protocol, str, path-like or None
        Who trains, what is enrolled, what is searched: an object, a name, or a TOML file; by
        default `default_protocol` chooses.
    metric : Metric or str
        How distance is measured.
    gallery_view, probe_view : float, optional
        Only this row, or column, of the tables; degrees.
    k : int
        Nearest gallery rows that vote; 1 is the nearest neighbour.
    rounding : {"none", "opengait"}
        ``opengait`` rounds each cell before averaging, as that toolkit does.
    rank_by : {"people", "rows"}
        What ranks count: people by their nearest row (ISO/IEC 19795-1), or gallery rows, as
        torchreid and OpenGait do. Rank 1 is the same.
    seed : int
        Of the draws behind the intervals and the folds of the open set.
    threads : int, optional
        By default one per core; does not change the result.

    Returns
    -------
    EvaluationResult

    Raises
    ------
    OptionError
        Vectors that are no finite numbers or of another length than the labels, an unknown name,
        or a view that the data does not have.
    ProtocolError
        The protocol does not fit the data.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> keys = [SequenceKey(who, "nm", take, view)
    ...         for who in "abcd" for take in (1, 5) for view in (0.0, 90.0)]
    >>> vectors = np.array([[ord(key.subject), key.take] for key in keys])
    >>> evaluate_vectors(vectors, Labels.from_keys(keys), protocol="halves").headline("nm")
    100.0
    """
    check_search_options(k, rounding, rank_by)
    vectors = as_vectors(vectors, "`vectors`")
    if len(vectors) != len(labels):
        raise OptionError(
            f"There are {len(vectors):,} `vectors` and {counted(len(labels), 'row')} of `labels`; "
            "each vector needs a row.",
            hint="Give one row of labels for each vector.",
        )
    split = apply_protocol(labels, protocol)
    gallery_views, probe_views = table_views(labels, split, gallery_view, probe_view)
    search = ProtocolSearch(
        labels, split, gallery_views, probe_views, [], k, False, rounding, seed, rank_by
    )
    chosen = get_metric(metric)
    return EvaluationResult(
        source="arrays",
        dataset="arrays",
        feature="vectors",
        metric=chosen.name,
        **search(vectors, chosen, threads),
    )


def as_vectors(values: Any, what: str) -> NDArray[Any]:
    """Rows of finite numbers, checked.

    Parameters
    ----------
    values : array-like, shape (n, d) or (n, height, width)
        Numbers, at least one row.
    what : str
        What to call them in a message.

    Returns
    -------
    ndarray, shape (n, d)
        Of the same dtype; masks become bytes.

    Raises
    ------
    OptionError
        They are no such array, empty, or not all finite.

    Examples
    --------
    >>> as_vectors([[[1, 2], [3, 4]]], "`probes`").tolist()
    [[1, 2, 3, 4]]
    """
    form = "an array of numbers with a row for each sequence, (n, d) or (n, height, width)"
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"{what}: expected {form}; found rows of different lengths.",
            hint="Bring all rows to one length.",
        ) from error
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind not in "uif":
        raise OptionError(f"{what}: expected {form}; found values of type {array.dtype}.")
    if array.ndim < 2 or 0 in array.shape:
        raise OptionError(
            f"{what}: expected {form}, none of them 0; found the shape {array.shape}.",
            hint="A single image is an array of one row: image[None].",
        )
    array = array.reshape(len(array), -1)
    bad = int(np.count_nonzero(~np.isfinite(array).all(axis=1)))
    if bad:
        raise OptionError(
            f"{what}: expected finite numbers; {bad:,} of {counted(len(array), 'row')} hold NaN or "
            "infinity.",
            hint="Leave these rows out.",
        )
    return array


def warn_of_no_direction(
    vectors: NDArray[Any], metric: Metric, used: NDArray[np.bool_], *, fused_of: str = ""
) -> None:
    """Say how many vectors have no direction, where only that is compared.

    Parameters
    ----------
    vectors : ndarray, shape (n, values)
        All rows.
    metric : Metric
        By which they are compared.
    used : ndarray of bool, shape (n,)
        Those that are.
    fused_of : str
        The artefact that they are from, where they are matched together with others.
    """
    if not metric.of_directions:
        return
    count = sum(
        int(np.count_nonzero(used[rows] & ~vectors[rows].any(axis=1)))
        for rows in row_blocks(len(vectors))
    )
    if count:
        vectors_used = int(used.sum())
        total = counted(vectors_used, "vector")
        _log.warning(
            "%s of %s %s all zero and without a direction: by %s %s equally far from everybody%s",
            f"{count:,}",
            f"{total} of {fused_of}" if fused_of else total,
            "is" if vectors_used == 1 else "are",
            metric.name,
            "it is" if count == 1 else "they are",
            ", and only what they are fused with tells whose they are" if fused_of else "",
        )


def check_search_options(k: int, rounding: str, rank_by: str = "people") -> None:
    """Refuse a number of voting neighbours that is not from 1 to 1000, or an unknown name.

    Raises
    ------
    OptionError
        One of them is outside its range.
    """
    whole_number(k, "k", 1, 1000)
    if rounding not in ROUNDINGS:
        raise OptionError(
            f"There is no rounding {quoted(rounding)}.",
            hint=f"Choose one of {', '.join(ROUNDINGS)}.",
        )
    if rank_by not in RANKED:
        raise OptionError(
            f"There are no ranks by {quoted(rank_by)}.",
            hint=f"Choose one of {', '.join(RANKED)}.",
        )
    if rank_by == "rows" and k > 1:
        raise OptionError(
            f"With {k} neighbours that vote, people are ranked and not rows.",
            hint="Give `k=1`, or `rank_by='people'`.",
        )


def apply_protocol(labels: Labels, protocol: Protocol | str | Path | None) -> Split:
    """The rows that train, are enrolled and are searched; what is odd about them is remarked.

    Parameters
    ----------
    labels : Labels
        Key columns.
    protocol : Protocol, str, path-like or None
        An object, a name, or a TOML file; by default `default_protocol` chooses.

    Raises
    ------
    OptionError
        There is no protocol of that name.
    ProtocolError
        The protocol does not fit the data.
    """
    if protocol is None:
        protocol = default_protocol(labels)
        _log.info("protocol %s: %s", protocol.name, protocol.description)
    else:
        protocol = get_protocol(protocol)
    split = resolve(protocol, labels)
    absent = absent_people(split.protocol, labels)
    if absent:
        _log.info("protocol %s: not in the data: %s", split.protocol.name, absent)
    for name, count in split.skipped.items():
        if count and split.protocol.leave_one_out:
            _log.warning("%s", _without_second(split, labels, count))
        elif count:
            _log.warning(
                "%s no mate in the gallery: skipped",
                counted(count, f"probe of {name} has", f"probes of {name} have"),
            )
    themselves = 0 if split.protocol.leave_one_out else int((split.gallery & split.probe).sum())
    if themselves:
        _log.warning(
            "%s in the gallery themselves: each finds itself where views are equal",
            counted(themselves, "probe is", "probes are"),
        )
    empty = [name for name, rows in split.probes.items() if not rows.any()]
    if empty and split.probe.any():
        _log.warning("no probes of %s: their tables stay empty", ", ".join(empty))
    return split


def table_views(
    labels: Labels, split: Split, gallery_view: float | None, probe_view: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of the tables: all views of the tested walks, or the chosen ones.

    Where the view of any is unknown, NaN alone: there is one gallery of all, and one table cell.

    Raises
    ------
    OptionError
        The data does not have a chosen view.
    """
    sides = ((split.gallery, gallery_view, "gallery"), (split.probe, probe_view, "probe"))
    # A chosen view leaves out those that are not known to be it.
    if any(view is None and np.isnan(labels.view[rows]).any() for rows, view, _ in sides):
        everything = np.array([np.nan])
        gallery, probe = (
            _chosen_view(everything, labels.view[rows], view, role) for rows, view, role in sides
        )
        return gallery, probe
    used = split.gallery | split.probe
    views = np.unique(labels.view[used])
    rows, columns = (
        views if named is None else views[np.isin(views, named)]
        for named in (split.protocol.gallery_views, split.protocol.probe_views)
    )
    gallery = _chosen_view(rows, labels.view[split.gallery], gallery_view, "gallery")
    return gallery, _chosen_view(columns, labels.view[split.probe], probe_view, "probe")


def _chosen_view(
    views: NDArray[np.float64], available: NDArray[np.float64], view: float | None, role: str
) -> NDArray[np.float64]:
    if view is None:
        return views
    if view not in available:
        there = ", ".join(format_view(other) for other in np.unique(available))
        raise OptionError(
            f"There is no {role} at view {format_view(view)}.",
            hint=f"The {role} views of the tested people are {there}.",
        )
    return np.array([float(view)])


def name_of(result: EvaluationResult) -> str:
    """What to call a result: input, feature and metric."""
    votes = "" if result.k == 1 else f", {result.k}-NN"
    return f"{result.source}, {result.feature}, {result.metric}{votes}"


def rank1_of(result: EvaluationResult, probe_set: str) -> Interval | None:
    """The headline of one probe set, with its interval where it has one; `None` without the set."""
    if probe_set in result.numbers:
        return result.numbers[probe_set].rank1
    if probe_set not in result.tables:
        return None
    rate = result.headline(probe_set)
    return Interval(nan if rate is None else rate, nan, nan)


def _without_second(split: Split, labels: Labels, count: int) -> str:
    """Who is enrolled and not searched, for want of a second walk: how many, and the first few."""
    alone = sorted(set(labels.subject[split.gallery & ~split.probe].tolist()))
    names = ", ".join(printable(name, 40) for name in alone[:3]) + (", …" if alone[3:] else "")
    people = counted(len(alone), "person has", "people have")
    rows = counted(count, "sequence is", "sequences are")
    return f"{people} one walk only and so no mate ({names}): {rows} enrolled and not searched"


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _rate_text(result: EvaluationResult, probe_set: str) -> str:
    figure = rank1_of(result, probe_set)
    if figure is None or isnan(figure.estimate):
        return "-"
    span = "" if isnan(figure.low) else f" ({figure.low:.1f}-{figure.high:.1f})"
    return f"{figure.estimate:.1f}{span}"


def _cut(text: str, width: int) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= width else text[: width - 1] + "…"
