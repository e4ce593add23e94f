"""An `identification` artefact back into results, whatever somebody has put into the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import DamagedArtifactError, ProtocolError
from gaitkit.identification.crossview import CrossViewTable, ViewMatches
from gaitkit.identification.features import LinearProjection
from gaitkit.identification.fusion import Fusion
from gaitkit.identification.quality import QualityTable
from gaitkit.identification.result import EvaluationResult
from gaitkit.identification.stored_numbers import read_numbers
from gaitkit.labels import Labels
from gaitkit.protocols import Protocol, Split, split_subjects

__all__ = ["read_results"]


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
