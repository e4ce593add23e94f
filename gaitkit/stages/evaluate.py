"""The stage `evaluate`: GEIs, measured or translated, or embeddings become results."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from gaitkit.arguments import as_path, names_told, number, whole_number
from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.errors import (
    MixtureError,
    OptionError,
    ProtocolError,
    SeenPeopleError,
)
from gaitkit.identification.answers import write_answers
from gaitkit.identification.evaluation import (
    EvaluationResult,
    EvaluationResults,
    ProtocolSearch,
    apply_protocol,
    check_search_options,
    table_views,
    warn_of_no_direction,
)
from gaitkit.identification.features import (
    Feature,
    feature_vectors,
    get_feature,
    metric_of,
    own_feature,
    parts_of,
    vector_columns,
)
from gaitkit.identification.fusion import for_metric, shared_rows, shares
from gaitkit.identification.metrics import Metric, get_metric
from gaitkit.identification.quality import QualityTable, translation_quality
from gaitkit.identification.results import ResultsProvenance, write_results
from gaitkit.labels import Labels
from gaitkit.outputs import Output
from gaitkit.printable import counted
from gaitkit.protocols import Protocol, Split
from gaitkit.stages.finished import refuse_unlike

__all__ = ["COMPARED", "artifact_path", "evaluate"]

_log = logging.getLogger(__name__)

COMPARED = ("gei", "embedding")
"""Kinds of artefact whose sequences can be compared."""

Chosen = TypeVar("Chosen", Feature, Metric)


@names_told
def evaluate(
    path: Path | str,
    *,
    protocol: Protocol | str | Path | None = None,
    features: Sequence[Feature | str] | Feature | str | None = None,
    metrics: Sequence[Metric | str] | Metric | str | None = None,
    probe_view: float | None = None,
    gallery_view: float | None = None,
    truth: Path | str | None = None,
    fuse_with: Sequence[Path | str] | Path | str = (),
    weights: Sequence[float] | None = None,
    k: int = 1,
    count_failures: bool = False,
    rounding: str = "none",
    rank_by: str = "people",
    output: Path | str | None = None,
    answers: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    threads: int | None = None,
) -> EvaluationResults:
    """Identify the tested people of GEIs or embeddings across views.

    Parameters
    ----------
    path : path-like
        A `gei` or `embedding` artefact.
    protocol : Protocol, str, path-like or None
        Who trains, what is enrolled, what is searched: an object, a name, or a TOML file; by
        default `default_protocol` chooses.
    features : sequence of str or Feature, optional
        Of `FEATURES`, or vector columns that the artefact has; by default the images themselves
        (``pixels``), or an embedding's ``vectors``. ``pca`` and ``lda`` are fitted on the
        protocol's training people, who must be in the artefact.
    metrics : sequence of str or Metric, optional
        Of `METRICS`; by default Euclid's, of ``lda`` cosine, and of an embedding the one that its
        embedder names.
    probe_view, gallery_view : float, optional
        Only this column, or row, of the tables; degrees.
    truth : path-like, optional
        The measured GEIs from which `path` was translated (or `path` itself): adds the comparison
        with each tested person's true normal 90° GEIs.
    fuse_with : path-like or sequence of path-like
        Artefacts of the same sequences, in any order, whose normalised distances are added, see
        `gaitkit.identification.fusion`; by default each by its own feature and metric. A walk that
        one of them has left out is left out of all, as a failure to acquire.
    weights : sequence of float, optional
        Of `path` and of those it is fused with, in this order; by default those with which the
        training people are told apart best. A model that was trained on them tells just them apart
        better than anybody else: where one is among the fused, say what it is to weigh.
    k : int
        Nearest gallery rows that vote, 1 to 1000; 1 is the nearest neighbour.
    count_failures : bool
        Count probes that were dropped before matching as errors in the identification rates.
    rounding : {"none", "opengait"}
        ``opengait`` rounds each cell before averaging, as that toolkit does.
    rank_by : {"people", "rows"}
        What ranks count: people by their nearest row (ISO/IEC 19795-1), or gallery rows, as
        torchreid and OpenGait do. Rank 1 is the same.
    output : path-like, optional
        Write an `identification` artefact there; one with these very results is left as it is.
    answers : path-like, optional
        Write there, as CSV (``videoId,rank1,…,rank20``), whom each probe is taken for; also of
        probes whose people nobody knows, which are no part of any rate. With one feature and one
        metric.
    overwrite : bool
        Replace an existing output, and existing answers.
    seed : int
        Of the draws behind the intervals, the folds of the open set, and the pairs behind the
        scales of fused artefacts.
    threads : int, optional
        By default one per core; does not change the result.

    Returns
    -------
    EvaluationResults
        A list of `EvaluationResult`: one per feature and metric, features outermost. Empty where
        nobody knows any probe's person: then there are answers only.

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

    Examples
    --------
    >>> evaluate("translated.h5", protocol="halves", metrics=["cosine"])  # doctest: +SKIP
    <EvaluationResult translated.h5, pixels, cosine; halves, 62 people enrolled
     rank-1 over different views, per cent: nm 97.5 (96.2-98.6), bg 70.3 (66.0-74.5), …
     all figures: .table(), .numbers, .tables>
    """
    # The letters of a single path are never meant.
    fused = fuse_with if isinstance(fuse_with, Iterable) else [fuse_with]
    fused = [fuse_with] if isinstance(fuse_with, str) else list(fused)
    paths = [artifact_path(item, "evaluate") for item in (path, *fused)]
    if weights is not None:
        if not fused:
            raise OptionError("`weights` are of fused artefacts; there is one only.")
        weights = shares(weights, len(paths))
    truth = None if truth is None else artifact_path(truth, "`truth`")
    read = [*paths, *([] if truth is None else [truth])]
    claim = None if output is None else Output(output, overwrite=overwrite, inputs=read)
    sheet = None
    if answers is not None:
        table = ("a table in CSV", "answers.csv")
        sheet = Output(answers, overwrite=overwrite, inputs=read, other_than_artefact=table)
    seed = whole_number(seed, "seed", 0)
    threads = None if threads is None else whole_number(threads, "threads", 0)
    for role, view in (("probe_view", probe_view), ("gallery_view", gallery_view)):
        if view is not None:
            number(view, role)
    chosen_features = [None] if features is None else _distinct(features, "features")
    chosen_metrics = (
        [None] if metrics is None else list(map(get_metric, _distinct(metrics, "metrics")))
    )
    check_search_options(k, rounding, rank_by)
    if sheet is not None and (len(chosen_features) > 1 or len(chosen_metrics) > 1):
        raise OptionError("`answers` are of one feature and one metric; there are several.")
    with ExitStack() as stack:
        if claim is not None:
            stack.enter_context(claim)
        if sheet is not None:
            stack.enter_context(sheet)
        artifacts = [stack.enter_context(open_artifact(item, COMPARED)) for item in paths]
        if claim is not None and claim.taken:
            refuse_unlike(claim, "identification", [item.ref() for item in artifacts])
        artifact, rows = artifacts[0], shared_rows(artifacts)
        labels = artifact.labels if rows[0] is None else artifact.labels.select(rows[0])
        split = apply_protocol(labels, protocol)
        if not split.train.any():
            _refuse_untrained(artifacts, chosen_features, split)
        for item in artifacts:
            _check_unseen(item, labels, split)
        nobody_known = not split.probe.any()
        if nobody_known:
            _refuse_no_rate(claim, sheet, split)
        gallery_views, probe_views = table_views(labels, split, gallery_view, probe_view)
        dropped = list(dict.fromkeys(row for item in artifacts for row in item.dropped))
        search = ProtocolSearch(
            labels,
            split,
            gallery_views,
            probe_views,
            dropped,
            k,
            count_failures,
            rounding,
            seed,
            rank_by,
        )
        quality = None if truth is None else _quality(artifact, truth, split)
        found_embedders = [EmbedderInfo.of(item.parameters) for item in artifacts]
        embedders = tuple(dict.fromkeys(filter(None, found_embedders)))
        results = EvaluationResults()
        even = (1.0,) * len(paths)
        for name in chosen_features:
            columns = [(item, _feature_of(item, name)) for item in artifacts]
            fitted = any(its.fit is not None for _, its in columns)
            learned = any(its.learns_people for _, its in columns)
            used = split.gallery | split.probe
            if split.nameless is not None and sheet is not None:
                used = used | split.nameless
            if fitted or len(artifacts) > 1:
                used = used | split.train
            loaded = [
                feature_vectors(item, its, split, used=used, rows=its_rows, threads=threads)
                for (item, its), its_rows in zip(columns, rows, strict=True)
            ]
            parts = [vectors for vectors, _ in loaded]
            for chosen in chosen_metrics:
                each = [_metric_of(item, its, chosen) for item, its in columns]
                vectors, fusion, metric = for_metric(
                    parts,
                    labels,
                    split,
                    each,
                    used=used,
                    weights=even if weights is None and learned else weights,
                    seed=seed,
                    threads=threads,
                )
                for place, weight in enumerate(() if fusion is None else fusion.weights):
                    if weight:
                        warn_of_no_direction(
                            parts[place],
                            each[place],
                            split.gallery | search.searched,
                            fused_of=str(paths[place]),
                        )
                if sheet is not None:
                    stack.callback(
                        _say_answered, write_answers(sheet, vectors, labels, split, metric), sheet
                    )
                if nobody_known:
                    continue
                found = search(vectors, metric, threads)
                result = EvaluationResult(
                    source=" + ".join(item.name for item in paths),
                    dataset=artifact.dataset,
                    feature="+".join(dict.fromkeys(its.name for _, its in columns)),
                    metric=metric.name,
                    projection=loaded[0][1] if len(loaded) == 1 else None,
                    quality=quality,
                    fusion=fusion,
                    embedders=embedders,
                    **found,
                )
                results.append(result)
        if claim is not None and results:
            provenance = ResultsProvenance(
                inputs=[item.ref() for item in artifacts],
                input_parameters=artifact.parameters,
                dropped=dropped,
                trained_on=list(dict.fromkeys(row for a in artifacts for row in a.trained_on)),
                seed=seed,
                ignored=artifact.ignored,
                behind=[ref for a in artifacts if a.kind == "embedding" for ref in a.inputs],
            )
            write_results(claim, results, provenance)
    return results


def artifact_path(value: Any, function: str) -> Path:
    """A path as `str` or `Path`; anything else is refused.

    Raises
    ------
    OptionError
        It is no path.
    """
    if isinstance(value, str | os.PathLike):
        return as_path(value)
    raise OptionError(
        f"{function} expected the path of a GEI artefact; found a {type(value).__name__}.",
        hint="Give the name of a file that make-gei, translate or embed has written.",
    )


def _feature_of(artifact: Artifact, name: Feature | str | None) -> Feature:
    chosen = own_feature(artifact) if name is None else name
    return get_feature(chosen, vector_columns(artifact), artifact.path)


def _metric_of(artifact: Artifact, feature: Feature, chosen: Metric | None) -> Metric:
    return metric_of(artifact, feature, chosen).for_parts(parts_of(artifact, feature))


def _distinct(names: Iterable[Chosen | str] | Chosen | str, what: str) -> list[Chosen | str]:
    """Each once. A single one needs no list: the letters of its name are never meant."""
    single = isinstance(names, str) or not isinstance(names, Iterable)
    several: Any = names
    wanted: list[Any] = [names] if single else list(several)
    if not wanted:
        raise OptionError(f"At least one of `{what}` is needed.")
    for name in wanted:
        if not isinstance(name, str | Feature | Metric):
            raise OptionError(
                f"`{what}` must be names or objects, found a {type(name).__name__} among them."
            )
    return [name for place, name in enumerate(wanted) if name not in wanted[:place]]


def _refuse_no_rate(claim: Output | None, sheet: Output | None, split: Split) -> None:
    """Where nobody knows any probe's person, there are answers and nothing else.

    Raises
    ------
    ProtocolError
        No answers are asked for, or results are.
    """
    count = 0 if split.nameless is None else int(split.nameless.sum())
    names = ", ".join(split.protocol.unknown_people)
    why = f"Nobody knows the people of the {counted(count, 'probe')} ({names}), so there is no rate"
    if sheet is None:
        raise ProtocolError(
            f"{why}.",
            hint="Give `answers='answers.csv'` to have the answers written, which the data set's "
            "server rates.",
        )
    if claim is not None:
        raise ProtocolError(f"{why} to write to {claim.path}.", hint="Leave `output` out.")
    _log.warning("%s; there are answers only", why[0].lower() + why[1:])


def _say_answered(probes: int, sheet: Output) -> None:
    _log.info("%s: whom each of %s is taken for", sheet.path, counted(probes, "probe"))


def _refuse_untrained(
    artifacts: Sequence[Artifact], features: Iterable[Feature | str | None], split: Split
) -> None:
    """Refuse what is fitted on the training people where there are none.

    Raises
    ------
    ProtocolError
        A feature is fitted, or artefacts are fused.
    """
    name = split.protocol.name
    who = (
        f"Protocol {name} trains nobody"
        if split.protocol.train == ()
        else f"The artefact has none of the training people of protocol {name}"
    )
    for chosen in features:
        feature = _feature_of(artifacts[0], chosen)
        own = own_feature(artifacts[0])
        if feature.fit is not None:
            raise ProtocolError(
                f"{who}, and the feature {feature.name} is fitted on training people.",
                hint=f"Compare {own} (`features=['{own}']`), which need nobody, or use a protocol "
                "whose training people are in the artefact; gaitkit protocol list names some.",
            )
    if len(artifacts) > 1:
        raise ProtocolError(
            f"{who}, and fused distances are scaled and weighed on training people.",
            hint="Evaluate the artefacts side by side, or use a protocol whose training people are "
            "in them; gaitkit protocol list names some.",
        )


def _check_unseen(artifact: Artifact, labels: Labels, split: Split) -> None:
    """Refuse to test a model on people of the same data set whom it has seen."""
    seen = {row.subject for row in artifact.trained_on if row.dataset == artifact.dataset}
    tested = set(labels.subject[split.gallery | split.probe].tolist())
    both = sorted(seen & tested)
    if both:
        names = ", ".join(both[:5]) + (", …" if len(both) > 5 else "")
        hint = (
            "Evaluate with the protocol with which the model was trained, or train one with "
            f"`protocol={split.protocol.name!r}`."
        )
        if split.protocol.leave_one_out:
            hint = (
                "Write a protocol whose train names the people whom the model has seen: gaitkit "
                "protocol show leave-one-out prints one to edit."
            )
        raise SeenPeopleError(
            f"{artifact.path} comes from a model that has seen {len(both):,} of the "
            f"{counted(len(tested), 'person')} whom protocol {split.protocol.name} tests: {names}.",
            hint=hint,
        )


def _quality(artifact: Artifact, truth: Path, split: Split) -> QualityTable:
    if artifact.kind == "embedding":
        raise OptionError(
            f"{artifact.path} holds identity embeddings: there are no images that could be "
            "compared with the `truth`.",
            hint="Evaluate the GEIs with `truth`, and the embeddings without.",
        )
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
