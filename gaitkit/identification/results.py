"""What an evaluation found: in memory, as JSON, and in an `identification` artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, InputRef, TrainedOn, open_artifact, write_artifact
from gaitkit.datasets.protocols import Protocol, Split, split_subjects
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DamagedArtifactError, ProtocolError
from gaitkit.identification.crossview import CrossViewTable, ViewMatches
from gaitkit.identification.features import LinearProjection
from gaitkit.identification.fusion import Fusion
from gaitkit.identification.numbers import Numbers
from gaitkit.identification.quality import QualityTable
from gaitkit.identification.stored_numbers import numbers_arrays, numbers_json, read_numbers
from gaitkit.labels import Labels

__all__ = ["EvaluationResult", "read_results", "to_json", "write_results"]


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True)
class ResultsProvenance:
    """What a results artefact says about its making."""

    inputs: Sequence[InputRef]
    input_parameters: Mapping[str, Any]
    dropped: Sequence[DroppedRow] = ()
    trained_on: Sequence[TrainedOn] = ()
    seed: int | None = None
    ignored: Mapping[str, int] = field(default_factory=dict)


def to_json(results: Sequence[EvaluationResult]) -> dict[str, Any]:
    """Results as JSON-able data.

    One result gives its object, several give ``{"results": [...]}``. Per cent, unrounded; empty
    cells, and means over none, are `None`.
    """
    objects = [_result_json(result) for result in results]
    return objects[0] if len(objects) == 1 else {"results": objects}


def _result_json(result: EvaluationResult) -> dict[str, Any]:
    identical = result.protocol.identical_view
    data: dict[str, Any] = {
        "protocol": result.protocol.name,
        "dataset": result.dataset,
        "input": result.source,
        "feature": result.feature,
        "metric": result.metric,
        "k": result.k,
        "rounding": result.rounding,
        "gallery_views": _numbers(result.gallery_views),
        "probe_views": _numbers(result.probe_views),
        "conditions": {
            name: {
                "matrix": _matrix(table.rate),
                "probes": table.probes.tolist(),
                "mean_excluding_identical": table.mean_excluding_identical,
                "mean_identical": table.mean_identical,
                "per_probe_view": {
                    f"{view:g}": mean
                    for view, mean in table.per_probe_view(identical_view=identical).items()
                },
                "empty_cells": [_numbers(cell) for cell in table.empty_cells],
                **(
                    {"numbers": numbers_json(result.numbers[name])}
                    if name in result.numbers
                    else {}
                ),
            }
            for name, table in result.tables.items()
        },
    }
    if result.fusion is not None:
        data["fusion"] = asdict(result.fusion)
    if result.quality is not None:
        quality = result.quality
        data["quality"] = {
            "target_view": _number(quality.target_view),
            "target_condition": quality.target_condition,
            "views": _numbers(quality.views),
            "without_truth": list(quality.without_truth),
            "conditions": {
                name: {
                    "ssim": _matrix(quality.ssim[row]),
                    "mae": _matrix(quality.mae[row]),
                    "sequences": quality.sequences[row].tolist(),
                }
                for row, name in enumerate(quality.conditions)
            },
        }
    return data


def write_results(
    path: Path,
    results: Sequence[EvaluationResult],
    provenance: ResultsProvenance,
    *,
    overwrite: bool = False,
) -> str:
    """Write the results of one input as an `identification` artefact.

    Parameters
    ----------
    path : Path
        Final name.
    results : sequence of EvaluationResult
        Of one artefact, protocol and choice of views; several features and metrics.
    provenance : ResultsProvenance
        What it was made from.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    str
        The content digest.
    """
    first = results[0]
    arrays: dict[str, NDArray[Any] | Sequence[str]] = {
        "split/train": first.split.train,
        "split/gallery": first.split.gallery,
        "gallery_views": first.gallery_views,
        "probe_views": first.probe_views,
    }
    for name, rows in first.split.probes.items():
        arrays[f"split/probes/{name}"] = rows
    for name, failed in first.failed.items():
        for item in fields(Labels) if len(failed) else ():
            arrays[f"failed/{name}/{item.name}"] = getattr(failed, item.name)
    for result in results:
        place = f"{result.feature}/{result.metric}"
        for item in fields(ViewMatches):
            if item.name != "gallery_views" and getattr(result.matches, item.name) is not None:
                arrays[f"matches/{place}/{item.name}"] = getattr(result.matches, item.name)
        for name, table in result.tables.items():
            arrays[f"tables/{place}/{name}/rate"] = table.rate
            arrays[f"tables/{place}/{name}/probes"] = table.probes
        for name, numbers in result.numbers.items():
            arrays |= numbers_arrays(numbers, f"numbers/{place}/{name}")
        if result.projection is not None:
            arrays[f"features/{result.feature}/mean"] = result.projection.mean
            arrays[f"features/{result.feature}/matrix"] = result.projection.matrix
    if first.quality is not None:
        arrays |= {
            f"quality/{name}": getattr(first.quality, name)
            for name in ("views", "ssim", "mae", "sequences", "conditions", "without_truth")
        }
    parameters: dict[str, Any] = {
        "protocol": first.protocol.as_parameters(),
        "results": [[result.feature, result.metric] for result in results],
        "input": dict(provenance.input_parameters),
        "k": first.k,
        "rounding": first.rounding,
        "fusion": [None if item.fusion is None else asdict(item.fusion) for item in results],
    }
    if first.quality is not None:
        parameters["quality"] = {
            "target_view": first.quality.target_view,
            "target_condition": first.quality.target_condition,
        }
    return write_artifact(
        path,
        kind="identification",
        arrays=arrays,
        labels=first.labels,
        dropped=provenance.dropped,
        parameters=parameters,
        dataset=first.dataset,
        seed=provenance.seed,
        inputs=provenance.inputs,
        trained_on=provenance.trained_on,
        ignored=provenance.ignored,
        overwrite=overwrite,
    )


def read_results(path: Path) -> list[EvaluationResult]:
    """Read an `identification` artefact back.

    Raises
    ------
    ArtifactError
        It is damaged, foreign, or of another kind.
    """
    with open_artifact(path, kind="identification", guarded=True) as artifact:
        try:
            return _read_all(artifact)
        # What somebody wrote with a consistent digest can lack anything or hold anything.
        except (LookupError, TypeError, ValueError, AttributeError, ProtocolError) as error:
            raise DamagedArtifactError(
                f"{path} is not a well-formed artefact: its results do not belong together "
                f"({error}).",
                hint="Make it again with gaitkit evaluate.",
            ) from error


def _read_all(artifact: Artifact) -> list[EvaluationResult]:
    protocol = Protocol.from_parameters(artifact.parameters["protocol"])
    rows = (len(artifact.labels),)
    split = Split(
        protocol,
        split_subjects(protocol, artifact.labels),
        _array(artifact, "split/train", "b", rows),
        _array(artifact, "split/gallery", "b", rows),
        {
            item.name: _array(artifact, f"split/probes/{item.name}", "b", rows)
            for item in protocol.probes
        },
    )
    quality = _read_quality(artifact)
    names = artifact.parameters["results"]
    fusions = artifact.parameters.get("fusion", [None] * len(names))
    return [
        _read_result(artifact, str(feature), str(metric), split, quality, fusion)
        for (feature, metric), fusion in zip(names, fusions, strict=True)
    ]


def _array(artifact: Artifact, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array that must have this kind of dtype and this shape, -1 for any length."""
    values = artifact.read(name)
    fits = len(values.shape) == len(shape) and all(
        wanted in (-1, found) for wanted, found in zip(shape, values.shape, strict=True)
    )
    if not fits or values.dtype.kind != kind:
        raise ValueError(f"{name} is {values.dtype} of shape {values.shape}")
    return values


_MATCHES = {
    "probe_rows": "i",
    "probe_views": "f",
    "nearest_row": "i",
    "distance": "f",
    "mate_distance": "f",
    "rank": "i",
    "average_precision": "f",
    "neighbours": "i",
    "neighbour_distances": "f",
}


def _read_matches(
    artifact: Artifact, place: str, gallery_views: NDArray[np.float64]
) -> ViewMatches:
    probes = len(artifact.read(f"{place}/probe_rows"))
    shapes = {"probe_rows": (probes,), "probe_views": (probes,)}
    found = {}
    for item in fields(ViewMatches):
        name = f"{place}/{item.name}"
        if item.name in _MATCHES and (item.default is MISSING or name in artifact):
            shape = (probes, len(gallery_views), -1)[: 3 if "neighbour" in item.name else 2]
            shape = shapes.get(item.name, shape)
            found[item.name] = _array(artifact, name, _MATCHES[item.name], shape)
    for name, lowest in (("probe_rows", 0), ("nearest_row", -1), ("neighbours", -1)):
        rows = found.get(name)
        if rows is None or not rows.size:
            continue
        if rows.min() < lowest or rows.max() >= len(artifact.labels):
            raise ValueError(f"{name} points outside the sequences")
    return ViewMatches(gallery_views=gallery_views, **found)


def _read_result(
    artifact: Artifact,
    feature: str,
    metric: str,
    split: Split,
    quality: QualityTable | None,
    fusion: Mapping[str, Any] | None,
) -> EvaluationResult:
    place = f"{feature}/{metric}"
    gallery_views = _array(artifact, "gallery_views", "f", (-1,))
    probe_views = _array(artifact, "probe_views", "f", (-1,))
    shape = (len(gallery_views), len(probe_views))
    projection = None
    if f"features/{feature}/matrix" in artifact:
        mean = _array(artifact, f"features/{feature}/mean", "f", (-1,))
        matrix = _array(artifact, f"features/{feature}/matrix", "f", (len(mean), -1))
        projection = LinearProjection(mean, matrix)
    return EvaluationResult(
        source=artifact.path.name,
        dataset=artifact.dataset,
        feature=feature,
        metric=metric,
        split=split,
        labels=artifact.labels,
        matches=_read_matches(artifact, f"matches/{place}", gallery_views),
        tables={
            name: CrossViewTable(
                gallery_views,
                probe_views,
                _array(artifact, f"tables/{place}/{name}/rate", "f", shape),
                _array(artifact, f"tables/{place}/{name}/probes", "i", shape),
            )
            for name in split.probes
        },
        projection=projection,
        quality=quality,
        numbers={
            name: read_numbers(artifact, f"numbers/{place}/{name}")
            for name in split.probes
            if f"numbers/{place}/{name}/closed_set" in artifact
        },
        k=int(artifact.parameters.get("k", 1)),
        fusion=None
        if fusion is None
        else Fusion(tuple(map(float, fusion["weights"])), tuple(map(float, fusion["scales"]))),
        failed={name: _read_failed(artifact, f"failed/{name}") for name in split.probes},
        rounding=str(artifact.parameters.get("rounding", "none")),
    )


def _read_failed(artifact: Artifact, place: str) -> Labels:
    if f"{place}/take" not in artifact:
        return Labels.from_keys([])
    return Labels(
        _array(artifact, f"{place}/subject", "O", (-1,)),
        _array(artifact, f"{place}/condition", "O", (-1,)),
        _array(artifact, f"{place}/take", "i", (-1,)),
        _array(artifact, f"{place}/view", "f", (-1,)),
    )


def _read_quality(artifact: Artifact) -> QualityTable | None:
    if "quality" not in artifact.parameters:
        return None
    conditions = tuple(artifact.read("quality/conditions").tolist())
    views = _array(artifact, "quality/views", "f", (-1,))
    shape = (len(conditions), len(views))
    return QualityTable(
        conditions=conditions,
        views=views,
        ssim=_array(artifact, "quality/ssim", "f", shape),
        mae=_array(artifact, "quality/mae", "f", shape),
        sequences=_array(artifact, "quality/sequences", "i", shape),
        target_view=float(artifact.parameters["quality"]["target_view"]),
        target_condition=str(artifact.parameters["quality"]["target_condition"]),
        without_truth=tuple(artifact.read("quality/without_truth").tolist()),
    )


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[int | float]:
    return [_number(float(value)) for value in values]


def _matrix(values: NDArray[np.float64]) -> Any:
    if values.ndim > 1:
        return [_matrix(row) for row in values]
    return [None if isnan(value) else float(value) for value in values]
