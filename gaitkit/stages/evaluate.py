"""The stage `evaluate`: a GEI artefact, measured or translated, becomes identification results."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, free_to_write, open_artifact
from gaitkit.errors import MixtureError, OptionError, ProtocolError, SeenPeopleError
from gaitkit.identification.crossview import ROUNDINGS
from gaitkit.identification.features import FITTED
from gaitkit.identification.fusion import check_same_sequences
from gaitkit.identification.inputs import feature_vectors, for_metric
from gaitkit.identification.metrics import get_metric
from gaitkit.identification.quality import QualityTable, translation_quality
from gaitkit.identification.results import EvaluationResult, ResultsProvenance, write_results
from gaitkit.identification.searching import ProtocolSearch
from gaitkit.labels import Labels, format_view
from gaitkit.protocols import (
    Protocol,
    Split,
    default_protocol,
    get_protocol,
    resolve,
)

__all__ = ["evaluate"]

_log = logging.getLogger(__name__)


def evaluate(
    path: Path | str,
    *,
    protocol: Protocol | str | None = None,
    features: Sequence[str] = ("pixels",),
    metrics: Sequence[str] = ("euclidean",),
    probe_view: float | None = None,
    gallery_view: float | None = None,
    truth: Path | str | None = None,
    fuse_with: Sequence[Path | str] = (),
    k: int = 1,
    count_failures: bool = False,
    rounding: str = "none",
    output: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    threads: int | None = None,
) -> list[EvaluationResult]:
    """Identify the tested people of a GEI artefact across views.

    Parameters
    ----------
    path : path-like
        A `gei` artefact.
    protocol : Protocol, str or None
        Who trains, what is enrolled, what is searched; by default `default_protocol` chooses.
    features : sequence of str
        Of `FEATURES`, or vector columns that the artefact has. ``pca`` and ``lda`` are fitted on
        the protocol's training people, who must be in the artefact.
    metrics : sequence of str
        Of `METRICS`.
    probe_view, gallery_view : float, optional
        Only this column, or row, of the tables; degrees.
    truth : path-like, optional
        The measured GEIs from which `path` was translated (or `path` itself): adds the comparison
        with each tested person's true normal 90° GEIs.
    fuse_with : sequence of path-like
        Artefacts of the same sequences, whose normalised distances are added, see
        `gaitkit.identification.fusion`.
    k : int
        Nearest gallery rows that vote; 1 is the nearest neighbour.
    count_failures : bool
        Count probes that were dropped before matching as errors in the identification rates.
    rounding : {"none", "opengait"}
        ``opengait`` rounds each cell before averaging, as that toolkit does.
    output : path-like, optional
        Write an `identification` artefact there.
    overwrite : bool
        Replace an existing output.
    seed : int
        Of the draws behind the intervals, the folds of the open set, and the randomised PCA.
    threads : int, optional
        By default one per core; does not change the result.

    Returns
    -------
    list of EvaluationResult
        One per feature and metric, features outermost.

    Raises
    ------
    SeenPeopleError
        A model behind the artefact has seen people who are enrolled or searched.
    ProtocolError
        The protocol does not fit the data.
    MixtureError
        `truth` is not what the artefact was translated from, or artefacts to be fused are not of
        the same sequences.
    ArtifactError
        The artefact is damaged, of another kind, or contains NaN.
    OptionError
        An unknown name, or a view that the data does not have.
    """
    paths = [Path(path), *map(Path, fuse_with)]
    if output is not None:
        free_to_write(Path(output), overwrite=overwrite)
    chosen_features = _distinct(features, "feature")
    chosen_metrics = [get_metric(name) for name in _distinct(metrics, "metric")]
    _check_options(k, rounding)
    with ExitStack() as stack:
        artifacts = [stack.enter_context(open_artifact(item, kind="gei")) for item in paths]
        artifact, labels = artifacts[0], artifacts[0].labels
        split = _split(labels, protocol)
        for other in artifacts[1:]:
            check_same_sequences(artifact, other)
        for item in artifacts:
            _check_unseen(item, split)
        gallery_views, probe_views = _views(labels, split, gallery_view, probe_view)
        dropped = list(dict.fromkeys(row for item in artifacts for row in item.dropped))
        search = ProtocolSearch(
            labels, split, gallery_views, probe_views, dropped, k, count_failures, rounding, seed
        )
        quality = None if truth is None else _quality(artifact, Path(truth), split)
        results = []
        for feature in chosen_features:
            used = split.gallery | split.probe
            if feature in FITTED or len(artifacts) > 1:
                used = used | split.train
            loaded = [
                feature_vectors(item, feature, split, used=used, seed=seed, threads=threads)
                for item in artifacts
            ]
            parts = [vectors for vectors, _ in loaded]
            for metric in chosen_metrics:
                vectors, fusion = for_metric(
                    parts,
                    labels,
                    split,
                    metric,
                    used=used,
                    weigh=feature != "lda",
                    seed=seed,
                    threads=threads,
                )
                found = search(vectors, metric, threads)
                result = EvaluationResult(
                    source=" + ".join(item.name for item in paths),
                    dataset=artifact.dataset,
                    feature=feature,
                    metric=metric.name,
                    projection=loaded[0][1] if len(loaded) == 1 else None,
                    quality=quality,
                    fusion=fusion,
                    **found,
                )
                results.append(result)
        if output is not None:
            provenance = ResultsProvenance(
                inputs=[item.ref() for item in artifacts],
                input_parameters=artifact.parameters,
                dropped=dropped,
                trained_on=list(dict.fromkeys(row for a in artifacts for row in a.trained_on)),
                seed=seed,
                ignored=artifact.ignored,
            )
            write_results(Path(output), results, provenance, overwrite=overwrite)
    return results


def _check_options(k: int, rounding: str) -> None:
    if k < 1:
        raise OptionError(f"At least one neighbour must vote, got k = {k}.")
    if rounding not in ROUNDINGS:
        raise OptionError(
            f"There is no rounding {rounding!r}.", hint=f"Choose one of {', '.join(ROUNDINGS)}."
        )


def _distinct(names: Sequence[str], what: str) -> list[str]:
    if not names:
        raise OptionError(f"At least one {what} is needed.")
    return list(dict.fromkeys(names))


def _split(labels: Labels, protocol: Protocol | str | None) -> Split:
    if protocol is None:
        protocol = default_protocol(labels)
        _log.info("protocol %s: %s", protocol.name, protocol.description)
    elif isinstance(protocol, str):
        protocol = get_protocol(protocol)
    split = resolve(protocol, labels)
    empty = [name for name, rows in split.probes.items() if not rows.any()]
    if empty:
        _log.warning("no probes of %s: their tables stay empty", ", ".join(empty))
    return split


def _check_unseen(artifact: Artifact, split: Split) -> None:
    """Refuse to test a model on people of the same data set whom it has seen."""
    seen = {row.subject for row in artifact.trained_on if row.dataset == artifact.dataset}
    tested = set(artifact.labels.subject[split.gallery | split.probe].tolist())
    both = sorted(seen & tested)
    if both:
        names = ", ".join(both[:5]) + (", …" if len(both) > 5 else "")
        raise SeenPeopleError(
            f"{artifact.path} comes from a model that has seen {len(both)} of the {len(tested)} "
            f"people whom protocol {split.protocol.name} tests: {names}.",
            hint="Evaluate with the protocol with which the model was trained, or train one with "
            f"--protocol {split.protocol.name}.",
        )


def _views(
    labels: Labels, split: Split, gallery_view: float | None, probe_view: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of the tables: all views of the tested walks, or the chosen ones."""
    used = split.gallery | split.probe
    unknown = int(np.isnan(labels.view[used]).sum())
    if unknown:
        raise ProtocolError(
            f"{unknown} of the {int(used.sum())} enrolled or searched sequences have an unknown "
            f"view; a cross-view table needs the view of each.",
            hint="Add the views to the manifest from which the artefact was made.",
        )
    views = np.unique(labels.view[used])
    rows, columns = (
        views if named is None else views[np.isin(views, named)]
        for named in (split.protocol.gallery_views, split.protocol.probe_views)
    )
    gallery = _chosen(rows, labels.view[split.gallery], gallery_view, "gallery")
    return gallery, _chosen(columns, labels.view[split.probe], probe_view, "probe")


def _chosen(
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


def _quality(artifact: Artifact, truth: Path, split: Split) -> QualityTable:
    with open_artifact(truth, kind="gei") as measured:
        itself = measured.content_sha256 == artifact.content_sha256
        if not itself and measured.ref() not in artifact.inputs:
            raise MixtureError(
                f"{truth} is not what {artifact.path} was translated from.",
                hint="Give the GEI artefact that was the input of gaitkit translate.",
            )
        return translation_quality(
            artifact.read("gei"),
            artifact.labels,
            measured.read("gei"),
            measured.labels,
            subjects=split.subjects.test,
            measured=itself,
        )
