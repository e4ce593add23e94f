"""What an evaluation found as JSON, and in an `identification` artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import InputRef, TrainedOn, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.identification.crossview import ViewMatches
from gaitkit.identification.reading import read_results
from gaitkit.identification.result import EvaluationResult
from gaitkit.identification.stored_numbers import numbers_arrays, numbers_json
from gaitkit.labels import Labels

__all__ = ["EvaluationResult", "ResultsProvenance", "read_results", "to_json", "write_results"]


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


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[int | float]:
    return [_number(float(value)) for value in values]


def _matrix(values: NDArray[np.float64]) -> Any:
    if values.ndim > 1:
        return [_matrix(row) for row in values]
    return [None if isnan(value) else float(value) for value in values]
