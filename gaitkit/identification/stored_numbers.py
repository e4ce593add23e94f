"""The figures of a probe set as arrays of an artefact, and as JSON-able data."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.closed_set import FIGURES
from gaitkit.identification.figures.numbers import (
    FMR_POINTS,
    FPIR_POINTS,
    Failures,
    Numbers,
    OpenSet,
    Verification,
)

__all__ = ["numbers_arrays", "numbers_json", "read_numbers"]

_CURVES = ("fmr", "fnmr", "edges", "genuine", "impostor")


def numbers_arrays(numbers: Numbers, place: str) -> dict[str, NDArray[Any]]:
    """Arrays below `place` from which `read_numbers` makes the same figures."""
    failures = numbers.failures_to_acquire
    arrays: dict[str, NDArray[Any]] = {
        "closed_set": _rows(*(getattr(numbers, name) for name in FIGURES)),
        "pooled": np.array([getattr(numbers, f"pooled_{name}") for name in FIGURES]),
        "cmc": numbers.cmc,
        "pooled_cmc": numbers.pooled_cmc,
        "failures_to_acquire": np.array([failures.count, failures.of, failures.counted], dtype=int),
    }
    found = numbers.verification
    if found is not None:
        arrays |= {
            "verification/rates": _rows(found.eer, *(found.fnmr_at[p] for p in FMR_POINTS)),
            "verification/pooled": np.array(
                [found.pooled_eer, *(found.pooled_fnmr_at[p] for p in FMR_POINTS)]
            ),
            **{f"verification/{name}": getattr(found, name) for name in _CURVES},
        }
    opened = numbers.open_set
    if opened is not None:
        arrays |= {
            "open_set/rates": _rows(*(opened.tpir_at[p] for p in FPIR_POINTS)),
            "open_set/thresholds": np.array([opened.threshold_at[p] for p in FPIR_POINTS]),
            "open_set/fpir": opened.fpir,
            "open_set/tpir": opened.tpir,
            "open_set/searches": np.array([opened.mated, opened.non_mated]),
        }
    return {f"{place}/{name}": values for name, values in arrays.items()}


def read_numbers(artifact: Artifact, place: str) -> Numbers:
    """The figures that `numbers_arrays` wrote.

    Raises
    ------
    ArtifactError
        An array is missing or cannot be read.
    ValueError, IndexError, TypeError
        One has another shape than it should; the caller says so in its own words.
    """

    def read(name: str) -> NDArray[Any]:
        return artifact.read(f"{place}/{name}")

    verification = None
    if f"{place}/verification/rates" in artifact:
        eer, *fnmr = _intervals(read("verification/rates"), 1 + len(FMR_POINTS))
        pooled_eer, *pooled_fnmr = read("verification/pooled").tolist()
        verification = Verification(
            eer=eer,
            fnmr_at=dict(zip(FMR_POINTS, fnmr, strict=True)),
            pooled_eer=float(pooled_eer),
            pooled_fnmr_at=dict(zip(FMR_POINTS, map(float, pooled_fnmr), strict=True)),
            **{name: read(f"verification/{name}") for name in _CURVES},
        )
        _same_length(verification.fmr, verification.fnmr)
        _same_length(verification.edges[1:], verification.genuine, verification.impostor)
    open_set = None
    if f"{place}/open_set/rates" in artifact:
        rates = _intervals(read("open_set/rates"), len(FPIR_POINTS))
        thresholds = map(float, read("open_set/thresholds").tolist())
        mated, non_mated = map(int, read("open_set/searches").tolist())
        open_set = OpenSet(
            tpir_at=dict(zip(FPIR_POINTS, rates, strict=True)),
            threshold_at=dict(zip(FPIR_POINTS, thresholds, strict=True)),
            fpir=read("open_set/fpir"),
            tpir=read("open_set/tpir"),
            mated=mated,
            non_mated=non_mated,
        )
        _same_length(open_set.fpir, open_set.tpir)
    rank1, rank5, rank10, mean_ap = _intervals(read("closed_set"), len(FIGURES))
    pooled = [float(value) for value in read("pooled").tolist()]
    count, of, counted = map(int, read("failures_to_acquire").tolist())
    cmc, pooled_cmc = read("cmc"), read("pooled_cmc")
    _same_length(cmc, pooled_cmc)
    return Numbers(
        rank1=rank1,
        rank5=rank5,
        rank10=rank10,
        mean_ap=mean_ap,
        pooled_rank1=pooled[0],
        pooled_rank5=pooled[1],
        pooled_rank10=pooled[2],
        pooled_mean_ap=pooled[3],
        cmc=cmc,
        pooled_cmc=pooled_cmc,
        verification=verification,
        open_set=open_set,
        failures_to_acquire=Failures(count, of, bool(counted)),
    )


def numbers_json(numbers: Numbers) -> dict[str, Any]:
    """The figures as JSON-able data; per cent, what cannot be computed is `None`."""
    data: dict[str, Any] = {name: _interval(getattr(numbers, name)) for name in FIGURES}
    data["pooled"] = {name: _plain(getattr(numbers, f"pooled_{name}")) for name in FIGURES}
    data["cmc"] = _list(numbers.cmc)
    found, opened = numbers.verification, numbers.open_set
    data["verification"] = None
    if found is not None:
        data["verification"] = {
            "eer": _interval(found.eer),
            "fnmr_at_fmr": {f"{p:g}": _interval(found.fnmr_at[p]) for p in FMR_POINTS},
            "pooled_eer": _plain(found.pooled_eer),
            "pooled_fnmr_at_fmr": {f"{p:g}": _plain(found.pooled_fnmr_at[p]) for p in FMR_POINTS},
            "det": {"fmr": _list(found.fmr), "fnmr": _list(found.fnmr)},
        }
    data["open_set"] = None
    if opened is not None:
        data["open_set"] = {
            "tpir_at_fpir": {f"{p:g}": _interval(opened.tpir_at[p]) for p in FPIR_POINTS},
            "threshold_at_fpir": {f"{p:g}": _plain(opened.threshold_at[p]) for p in FPIR_POINTS},
            "mated_searches": opened.mated,
            "non_mated_searches": opened.non_mated,
        }
    failures = numbers.failures_to_acquire
    data["failures_to_acquire"] = {
        "count": failures.count,
        "of": failures.of,
        "counted_as_errors": failures.counted,
    }
    return data


def _rows(*intervals: Interval) -> NDArray[np.float64]:
    return np.array(intervals, dtype=np.float64)


def _intervals(rows: NDArray[Any], count: int) -> list[Interval]:
    if rows.shape != (count, 3) or rows.dtype.kind != "f":
        raise ValueError(f"expected {count} intervals, got an array of shape {rows.shape}")
    return [Interval(float(row[0]), float(row[1]), float(row[2])) for row in rows]


def _same_length(*columns: NDArray[Any]) -> None:
    shapes = {column.shape for column in columns}
    kinds = {column.dtype.kind for column in columns}
    if len(shapes) != 1 or columns[0].ndim != 1 or not kinds <= set("if"):
        raise ValueError(f"expected columns of numbers of one length, got {sorted(shapes)}")


def _interval(interval: Interval) -> dict[str, float | None]:
    return {name: _plain(getattr(interval, name)) for name in Interval._fields}


def _plain(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _list(values: NDArray[np.float64] | Sequence[float]) -> list[float | None]:
    return [_plain(float(value)) for value in values]
