"""Several artefacts of the same sequences matched together: the sum of their normalised distances.

Distances are added in the metric's comparing scale (squares, for Euclid), each divided by its mean
over pairs of different training people and multiplied by a weight. Such a sum is itself a distance
of the same metric between the scaled vectors laid end to end, so the exact search needs nothing
new. Where each artefact has a metric of its own, an embedding beside images, the sum is a metric
(`gaitkit.identification.metrics.sum_of_metrics`). The weights are those with which the training
people are told apart best; nobody else has an influence on them. A translator or embedder has seen
the training people, so that its share tends to be flattered; and LDA has learned to tell just them
apart, so that its parts get equal weights. Weights that were found on other people can be given.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import number
from gaitkit.artifacts import Artifact
from gaitkit.errors import MixtureError, OptionError, ProtocolError
from gaitkit.identification.crossview import mean_rank1
from gaitkit.identification.metrics import METRICS, Metric, sum_of_metrics
from gaitkit.labels import Labels, SequenceKey
from gaitkit.printable import counted, quoted
from gaitkit.protocols import Split

__all__ = ["Fusion", "fit_fusion", "for_metric", "fuse", "shared_rows", "shares"]

_log = logging.getLogger(__name__)

_PAIRS = 5000
_STEPS = 4
_PROBES = 1000


@dataclass(frozen=True)
class Fusion:
    """How artefacts are put together.

    Attributes
    ----------
    weights : tuple of float
        One per artefact, adding up to 1.
    scales : tuple of float
        Mean distance of different training people, in the metric's comparing scale.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]


def shared_rows(artifacts: Sequence[Artifact]) -> list[NDArray[np.intp] | None]:
    """Rows of the sequences that several artefacts have in common.

    A walk that one of them says it has left out, and why, is left out of all: what is fused fails
    with it, which `gaitkit.identification.figures.numbers.failed_probes` counts. Any other walk
    that one lacks makes it an artefact of other sequences.

    Parameters
    ----------
    artifacts : sequence of Artifact
        At least one.

    Returns
    -------
    list of ndarray of intp, shape (n,), or None
        For each artefact its rows, in the order of the first one; None where they are all of it, as
        they lie.

    Raises
    ------
    MixtureError
        They are of different data sets, one lacks a sequence without saying why, or they have none
        in common. The message counts the sequences and names one.
    """
    for other in artifacts[1:]:
        if other.dataset != artifacts[0].dataset:
            raise _of_other_data(artifacts[0], other)
    if len(artifacts) == 1:
        return [None]
    keys = [artifact.labels.keys() for artifact in artifacts]
    if all(mine == keys[0] for mine in keys):
        return [None] * len(keys)
    places = [{key: row for row, key in enumerate(mine)} for mine in keys]
    everything = set().union(*places)
    for artifact, mine in zip(artifacts, places, strict=True):
        told = {row.key for row in artifact.dropped if row.sequence_failed}
        if lacking := everything - mine.keys() - told:
            other = next(
                a for a, has in zip(artifacts, places, strict=True) if lacking & has.keys()
            )
            raise _lacking(artifact, other, lacking)
    common = [key for key in keys[0] if all(key in mine for mine in places)]
    if not common:
        raise MixtureError(
            f"{_together(artifacts)} have no sequence in common: each has left out those of the "
            "others.",
            hint="Fuse a GEI artefact with its own translations and embeddings.",
        )
    if left := everything.difference(common):
        _log.warning(
            "%s left out of the fusion: not in all of %s, such as %s",
            counted(len(left), "sequence"),
            _together(artifacts),
            min(left, key=lambda key: key.order),
        )
    return [
        None if mine == common else np.array([place[key] for key in common], dtype=np.intp)
        for mine, place in zip(keys, places, strict=True)
    ]


def _together(artifacts: Sequence[Artifact]) -> str:
    *before, last = (str(artifact.path) for artifact in artifacts)
    return f"{', '.join(before)} and {last}"


def _of_other_data(one: Artifact, other: Artifact) -> MixtureError:
    named = quoted(one.dataset)
    return MixtureError(
        f"{one.path} and {other.path} do not hold the same sequences: the data set of the one is "
        f"{named}, of the other {quoted(other.dataset)}.",
        hint="The same name in another data set is another person. Where they are the same walks, "
        f"make the second file again: gaitkit make-gei with `name={named}`, or gaitkit embed of "
        f"somebody else's vectors with `dataset={named}`.",
    )


def _lacking(one: Artifact, other: Artifact, lacking: set[SequenceKey]) -> MixtureError:
    example = min(lacking, key=lambda key: key.order)
    return MixtureError(
        f"{one.path} and {other.path} do not hold the same sequences: "
        f"{counted(len(lacking), 'sequence')} of {other.dataset}, such as {example}, "
        f"{'is' if len(lacking) == 1 else 'are'} not in {one.path}, which does not say why.",
        hint="Fuse a GEI artefact with its own translations and embeddings, or with vectors of all "
        "its walks.",
    )


def fit_fusion(
    parts: Sequence[NDArray[Any]],
    labels: Labels,
    gallery: NDArray[np.bool_],
    *,
    metric: Metric | Sequence[Metric],
    weights: Sequence[float] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Fusion:
    """Scales and weights from the training people.

    Weights in steps of a quarter are tried; the best mean rank-1 over different views wins, and
    among equals the most even ones.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (n, d1), (n, d2), …
        Rows of the training people in each artefact.
    labels : Labels
        Their key columns.
    gallery : ndarray of bool, shape (n,)
        Rows that are enrolled for the comparison; the others are searched.
    metric : Metric or sequence of Metric
        How distance is measured; of several, that of each artefact.
    weights : sequence of float, optional
        These, divided by their sum, instead of chosen ones.
    seed : int
        Of the pairs behind the scales, and of the probes where there are very many.
    threads : int, optional
        Does not change the result.

    Returns
    -------
    Fusion

    Raises
    ------
    ProtocolError
        Fewer than two training people, or an artefact in which they are all equal.
    """
    metrics = _each(metric, len(parts))
    random = np.random.default_rng(seed)
    if len(labels.subjects()) < 2:
        raise ProtocolError(
            "Fused distances are normalised on the training people; the artefacts have fewer than "
            "two of them.",
            hint="Keep the training people in the artefacts.",
        )
    one, other = random.integers(0, len(labels), (2, 4 * _PAIRS))
    different = np.flatnonzero(labels.subject[one] != labels.subject[other])[:_PAIRS]
    one, other = one[different], other[different]
    scales = tuple(
        float(measured.direct(part[one], part[other]).mean())
        for measured, part in zip(metrics, parts, strict=True)
    )
    if not all(np.isfinite(scale) and scale > 0 for scale in scales):
        raise ProtocolError("The training people are all equal in one of the fused artefacts.")
    count = len(parts)
    if weights is not None:
        return Fusion(shares(weights, count), scales)
    even = Fusion((1.0 / count,) * count, scales)
    probe = np.flatnonzero(~gallery & ~np.isnan(labels.view))
    probe = np.sort(random.permutation(probe)[:_PROBES])
    searched = np.zeros(len(labels), dtype=bool)
    searched[probe] = True
    gallery = gallery & ~np.isnan(labels.view)
    if not gallery.any() or not len(probe):
        return even
    best, best_rate = even, _rate(parts, even, labels, gallery, searched, metrics, threads)
    for weights in _candidates(count):
        fusion = Fusion(weights, scales)
        rate = _rate(parts, fusion, labels, gallery, searched, metrics, threads)
        if rate > best_rate:
            best, best_rate = fusion, rate
    return best


def shares(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Weights that add up to 1.

    Raises
    ------
    OptionError
        They are not as many as the artefacts, not numbers from 0 on, or all 0.

    Examples
    --------
    >>> shares([3, 1], 2)
    (0.75, 0.25)
    >>> shares([-0.0, 1], 2)
    (0.0, 1.0)
    """
    # A negative zero, which would be shown as one, is made a zero.
    given = [number(weight, "weights") + 0.0 for weight in weights]
    if len(given) != count:
        raise OptionError(
            f"`weights` must be one for each of the {counted(count, 'fused artefact')}, got "
            f"{len(given)}.",
            hint="Give them in the order of the artefacts, such as 0.75 and 0.25 for two.",
        )
    total = sum(given)
    if min(given) < 0 or not 0 < total < np.inf:
        raise OptionError(
            f"`weights` must be 0 or more, and one of them above 0, got "
            f"{', '.join(f'{weight:g}' for weight in given)}."
        )
    # Those that add up to 1 already stay what they are, to the last bit.
    return tuple(given) if abs(total - 1.0) < 1e-9 else tuple(weight / total for weight in given)


def fuse(parts: Sequence[NDArray[Any]], fusion: Fusion, metric: Metric) -> NDArray[Any]:
    """Vectors whose distance is the weighted sum of the parts' normalised distances.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (n, d1), (n, d2), …
        Rows of the same sequences.
    fusion : Fusion
        Scales and weights.
    metric : Metric
        The metric that will be used.

    Returns
    -------
    ndarray, shape (n, d1 + d2 + …)
        float32 of images, float64 of anything else.

    Raises
    ------
    OptionError
        The metric does not say how its distances are weighted.
    """
    weighted = metric.weighted
    if weighted is None:
        able = ", ".join(name for name, item in METRICS.items() if item.weighted is not None)
        raise OptionError(
            f"Distances of the metric {metric.name} cannot be added up: it has no `weighted`.",
            hint=f"Fuse with one of {able}, or evaluate the artefacts side by side.",
        )
    dtype = np.result_type(np.float32, *(part.dtype for part in parts))
    scaled = []
    for part, weight, scale in zip(parts, fusion.weights, fusion.scales, strict=True):
        if weight:
            scaled.append(weighted(part, weight / scale, dtype))
    return np.concatenate(scaled, axis=1)


def _each(metric: Metric | Sequence[Metric], count: int) -> list[Metric]:
    return [metric] * count if isinstance(metric, Metric) else list(metric)


def _joined(
    parts: Sequence[NDArray[Any]], fusion: Fusion, metrics: Sequence[Metric]
) -> tuple[NDArray[Any], Metric]:
    """Vectors and the metric that measures the fused distance between them.

    One metric for all stays what it is. Metrics that differ, or depend on what a vector is made up
    of, become a sum, and the vectors stay what they are.
    """
    if len({metric.name for metric in metrics}) == 1 and metrics[0].of_parts is None:
        return fuse(parts, fusion, metrics[0]), metrics[0]
    kept = [place for place, weight in enumerate(fusion.weights) if weight]
    edges = np.cumsum([0, *(parts[place].shape[1] for place in kept)]).tolist()
    summed = sum_of_metrics(
        [metrics[place] for place in kept],
        [fusion.weights[place] / fusion.scales[place] for place in kept],
        [slice(*span) for span in pairwise(edges)],
    )
    names = "+".join(dict.fromkeys(metric.name for metric in metrics))
    return np.concatenate([parts[place] for place in kept], axis=1), replace(summed, name=names)


def for_metric(
    parts: Sequence[NDArray[Any]],
    labels: Labels,
    split: Split,
    metric: Metric | Sequence[Metric],
    *,
    used: NDArray[np.bool_],
    weights: Sequence[float] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[NDArray[Any], Fusion | None, Metric]:
    """One artefact's vectors as they are; those of several fused for a metric.

    Parameters
    ----------
    parts : sequence of ndarray, shapes (n, d1), (n, d2), …
        Vectors of the same sequences.
    labels : Labels
        Their key columns.
    split : Split
        Scales and weights come from its training people.
    metric : Metric or sequence of Metric
        How distance will be measured; of several, that of each artefact.
    used : ndarray of bool, shape (n,)
        Rows that are compared or fitted on.
    weights, seed, threads
        As for `fit_fusion`.

    Returns
    -------
    vectors : ndarray, shape (n, d)
    fusion : Fusion or None
        How they were fused.
    metric : Metric
        That which measures the fused distance.
    """
    metrics = _each(metric, len(parts))
    if len(parts) == 1:
        return parts[0], None, metrics[0]
    learned = labels.select(split.train)
    gallery = np.logical_or.reduce([walks.mask(learned) for walks in split.protocol.gallery])
    fusion = fit_fusion(
        [part[split.train] for part in parts],
        learned,
        np.asarray(gallery, dtype=bool),
        metric=metrics,
        weights=weights,
        seed=seed,
        threads=threads,
    )
    told = ", ".join(f"{weight:g}" for weight in fusion.weights)
    chosen = ", chosen on the training people" if weights is None else ""
    _log.info("fused with the weights %s%s", told, chosen)
    fused, measured = _joined([part[used] for part in parts], fusion, metrics)
    out = np.zeros((len(labels), fused.shape[1]), dtype=fused.dtype)
    out[used] = fused
    return out, fusion, measured


def _candidates(count: int) -> list[tuple[float, ...]]:
    """All weights in quarters that add up to 1, the most even ones first."""
    quarters = product(range(_STEPS + 1), repeat=count)
    found = [weights for weights in quarters if sum(weights) == _STEPS]
    found.sort(key=lambda weights: (sum(quarter**2 for quarter in weights), weights))
    return [tuple(quarter / _STEPS for quarter in weights) for weights in found]


def _rate(
    parts: Sequence[NDArray[Any]],
    fusion: Fusion,
    labels: Labels,
    gallery: NDArray[np.bool_],
    probe: NDArray[np.bool_],
    metrics: Sequence[Metric],
    threads: int | None,
) -> float:
    fused, metric = _joined(parts, fusion, metrics)
    rate = mean_rank1(fused, labels, gallery, probe, metric=metric, threads=threads)
    return -1.0 if np.isnan(rate) else rate
