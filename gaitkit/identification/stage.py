"""The stage `evaluate`: a GEI artefact, measured or translated, becomes identification results."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, free_to_write, open_artifact
from gaitkit.datasets.protocols import (
    Protocol,
    Split,
    default_protocol,
    get_protocol,
    resolve,
)
from gaitkit.errors import MixtureError, OptionError, ProtocolError, SeenPeopleError
from gaitkit.identification.components import choose_components
from gaitkit.identification.crossview import cross_view_table, match_views
from gaitkit.identification.features import (
    LinearProjection,
    check_finite,
    fit_lda,
    get_feature,
    pixels,
)
from gaitkit.identification.metrics import get_metric
from gaitkit.identification.quality import QualityTable, translation_quality
from gaitkit.identification.results import EvaluationResult, ResultsProvenance, write_results
from gaitkit.labels import Labels, format_view

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
        Of `FEATURES`. ``lda`` is fitted on the protocol's training people, who must be in the
        artefact.
    metrics : sequence of str
        Of `METRICS`.
    probe_view, gallery_view : float, optional
        Only this column, or row, of the tables; degrees.
    truth : path-like, optional
        The measured GEIs from which `path` was translated (or `path` itself): adds the comparison
        with each tested person's true normal 90° GEIs.
    output : path-like, optional
        Write an `identification` artefact there.
    overwrite : bool
        Replace an existing output.
    seed : int
        Of the randomised PCA behind ``lda``.
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
        `truth` is not what the artefact was translated from.
    ArtifactError
        The artefact is damaged, of another kind, or contains NaN.
    OptionError
        An unknown name, or a view that the data does not have.
    """
    path = Path(path)
    if output is not None:
        free_to_write(Path(output), overwrite=overwrite)
    chosen_features = _distinct([get_feature(name) for name in features], "feature")
    chosen_metrics = [get_metric(name) for name in _distinct(metrics, "metric")]
    with open_artifact(path, kind="gei") as artifact:
        split = _split(artifact.labels, protocol)
        _check_unseen(artifact, split)
        gallery_views, probe_views = _views(artifact.labels, split, gallery_view, probe_view)
        images = artifact.read("gei")
        used = split.gallery | split.probe
        if "lda" in chosen_features:
            used = used | split.train
        check_finite(images[used], str(path))
        quality = None if truth is None else _quality(artifact, images, Path(truth), split)
        results = []
        for feature in chosen_features:
            vectors, projection = _vectors(
                feature, pixels(images), artifact.labels, split, seed, threads
            )
            for metric in chosen_metrics:
                matches = match_views(
                    vectors,
                    artifact.labels,
                    split.gallery,
                    split.probe & np.isin(artifact.labels.view, probe_views),
                    metric=metric,
                    gallery_views=gallery_views,
                    threads=threads,
                )
                result = EvaluationResult(
                    source=path.name,
                    dataset=artifact.dataset,
                    feature=feature,
                    metric=metric.name,
                    split=split,
                    labels=artifact.labels,
                    matches=matches,
                    tables={
                        name: cross_view_table(matches, rows, probe_views)
                        for name, rows in split.probes.items()
                    },
                    projection=projection,
                    quality=quality,
                )
                results.append(result)
        if output is not None:
            provenance = ResultsProvenance(
                inputs=[artifact.ref()],
                input_parameters=artifact.parameters,
                dropped=artifact.dropped,
                trained_on=artifact.trained_on,
                seed=seed if "lda" in chosen_features else None,
                ignored=artifact.ignored,
            )
            write_results(Path(output), results, provenance, overwrite=overwrite)
    return results


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
    gallery = _chosen(views, labels.view[split.gallery], gallery_view, "gallery")
    return gallery, _chosen(views, labels.view[split.probe], probe_view, "probe")


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


def _vectors(
    feature: str,
    vectors: NDArray[Any],
    labels: Labels,
    split: Split,
    seed: int,
    threads: int | None,
) -> tuple[NDArray[Any], LinearProjection | None]:
    if feature == "pixels":
        return vectors, None
    learned = vectors[split.train]
    components = choose_components(learned, labels.select(split.train), seed=seed, threads=threads)
    _log.info("lda: %d principal components, chosen on the training people", components)
    projection = fit_lda(learned, labels.subject[split.train], components=components, seed=seed)
    used = split.gallery | split.probe
    out = np.zeros((len(vectors), projection.matrix.shape[1]))
    out[used] = projection.transform(vectors[used])
    return out, projection


def _quality(artifact: Artifact, images: NDArray[Any], truth: Path, split: Split) -> QualityTable:
    with open_artifact(truth, kind="gei") as measured:
        itself = measured.content_sha256 == artifact.content_sha256
        if not itself and measured.ref() not in artifact.inputs:
            raise MixtureError(
                f"{truth} is not what {artifact.path} was translated from.",
                hint="Give the GEI artefact that was the input of gaitkit translate.",
            )
        return translation_quality(
            images,
            artifact.labels,
            measured.read("gei"),
            measured.labels,
            subjects=split.subjects.test,
            measured=itself,
        )
