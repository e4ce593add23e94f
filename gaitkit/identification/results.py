"""The `identification` artefact: the one place where results are written and read.

`write_results` and `read_results` stand side by side, and so do the two halves for the figures of a
probe set (`_numbers_out`, `_numbers_in`): the names of all arrays are in this file. A reader checks
every shape, kind and row number, whatever somebody has put into the file.

=====================================  ==========================================================
``split/train``, ``split/gallery``,    masks over the rows of the artefact that was evaluated
``split/probes/SET``
``gallery_views``, ``probe_views``     rows and columns of the tables, degrees
``failed/SET/…``                       key columns of the failures to acquire
``matches/FEATURE/METRIC/…``           the fields of `ViewMatches`
``tables/FEATURE/METRIC/SET/…``        ``rate`` and ``probes`` of a `CrossViewTable`
``numbers/FEATURE/METRIC/SET/…``       the figures with their intervals
``features/FEATURE/…``                 ``mean`` and ``matrix`` of a fitted feature
``quality/…``                          comparison with the true images
=====================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import as_path
from gaitkit.artifacts import Artifact, InputRef, TrainedOn, open_artifact, write_artifact
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DamagedArtifactError, OptionError, ProtocolError
from gaitkit.identification.crossview import RANKED, CrossViewTable, ViewMatches
from gaitkit.identification.evaluation import EvaluationResult, EvaluationResults
from gaitkit.identification.features import LinearProjection
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.closed_set import FIGURES
from gaitkit.identification.figures.numbers import Failures, Numbers
from gaitkit.identification.figures.open_set import FPIR_POINTS, OpenSet
from gaitkit.identification.figures.verification import FMR_POINTS, Verification
from gaitkit.identification.fusion import Fusion
from gaitkit.identification.quality import QualityTable
from gaitkit.labels import Labels
from gaitkit.outputs import Output
from gaitkit.printable import counted
from gaitkit.protocols import Protocol, Split, resolve, split_subjects

__all__ = ["EvaluationResult", "ResultsProvenance", "read_results", "write_results"]

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OptionError, ProtocolError)
"""What reading raises where a file is whole and what stands in it does not belong together."""

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
    "inverse_negative_penalty": "f",
}
_CURVES = ("fmr", "fnmr", "edges", "genuine", "impostor")
_QUALITY = ("views", "ssim", "mae", "sequences", "conditions", "without_truth")


@dataclass(frozen=True)
class ResultsProvenance:
    """What a results artefact says about its making; `behind` are the inputs of embeddings."""

    inputs: Sequence[InputRef]
    input_parameters: Mapping[str, Any]
    dropped: Sequence[DroppedRow] = ()
    trained_on: Sequence[TrainedOn] = ()
    seed: int | None = None
    ignored: Mapping[str, int] = field(default_factory=dict)
    behind: Sequence[InputRef] = ()


def write_results(
    path: Path | Output,
    results: Sequence[EvaluationResult],
    provenance: ResultsProvenance,
    *,
    overwrite: bool = False,
) -> str:
    """Write the results of one input as an `identification` artefact.

    Parameters
    ----------
    path : Path or Output
        Final name, or the claim on it that the caller holds.
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
            arrays |= _numbers_out(numbers, f"numbers/{place}/{name}")
        if result.projection is not None:
            arrays[f"features/{result.feature}/mean"] = result.projection.mean
            arrays[f"features/{result.feature}/matrix"] = result.projection.matrix
    if first.quality is not None:
        arrays |= {f"quality/{name}": getattr(first.quality, name) for name in _QUALITY}
    parameters: dict[str, Any] = {
        "protocol": first.protocol.as_parameters(),
        "results": [[result.feature, result.metric] for result in results],
        "input": dict(provenance.input_parameters),
        "k": first.k,
        "rounding": first.rounding,
        "fusion": [None if item.fusion is None else asdict(item.fusion) for item in results],
    }
    if first.embedders:
        parameters["embedders"] = [item.as_parameters() for item in first.embedders]
        parameters["behind"] = [list(ref) for ref in dict.fromkeys(provenance.behind)]
    if first.rank_by != "people":
        parameters["rank_by"] = first.rank_by
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


def read_results(path: Path | str) -> EvaluationResults:
    """Read an `identification` artefact back.

    Parameters
    ----------
    path : path-like
        The file.

    Raises
    ------
    ArtifactError
        It is damaged, foreign, or of another kind.
    """
    path = as_path(path)
    with open_artifact(path, kind="identification", guarded=True) as artifact:
        try:
            return _read_all(artifact)
        # What somebody wrote with a consistent digest can lack anything or hold anything.
        except _MALFORMED as error:
            raise DamagedArtifactError(
                f"{path} is not a well-formed artefact: its results do not belong together "
                f"({error}).",
                hint="Make it again with gaitkit evaluate.",
            ) from error


def _read_all(artifact: Artifact) -> EvaluationResults:
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
    split = _with_left_out(split, artifact.labels)
    quality = _read_quality(artifact)
    names = artifact.parameters["results"]
    fusions = artifact.parameters.get("fusion", [None] * len(names))
    return EvaluationResults(
        _read_result(artifact, str(feature), str(metric), split, quality, fusion)
        for (feature, metric), fusion in zip(names, fusions, strict=True)
    )


def _with_left_out(split: Split, labels: Labels) -> Split:
    """The probes that are in no rate, which follow from the protocol."""
    protocol = split.protocol
    if not (protocol.unknown_people or protocol.skip_unmated):
        return split
    again = resolve(protocol, labels)
    return replace(split, nameless=again.nameless, skipped=again.skipped)


def _array(artifact: Artifact, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array that must have this kind of dtype and this shape, -1 for any length."""
    values = artifact.read(name)
    fits = len(values.shape) == len(shape) and all(
        wanted in (-1, found) for wanted, found in zip(shape, values.shape, strict=True)
    )
    if not fits or values.dtype.kind != kind:
        raise ValueError(f"{name} is {values.dtype} of shape {values.shape}")
    return values


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
    if np.isinf(gallery_views).any() or np.isinf(probe_views).any():
        raise ValueError("a view is infinite")
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
                _per_cent(_array(artifact, f"tables/{place}/{name}/rate", "f", shape)),
                _array(artifact, f"tables/{place}/{name}/probes", "i", shape),
            )
            for name in split.probes
        },
        projection=projection,
        quality=quality,
        numbers={
            name: _numbers_in(artifact, f"numbers/{place}/{name}")
            for name in split.probes
            if f"numbers/{place}/{name}/closed_set" in artifact
        },
        k=int(artifact.parameters.get("k", 1)),
        fusion=None
        if fusion is None
        else Fusion(tuple(map(float, fusion["weights"])), tuple(map(float, fusion["scales"]))),
        failed={name: _read_failed(artifact, f"failed/{name}") for name in split.probes},
        rounding=str(artifact.parameters.get("rounding", "none")),
        rank_by=_ranked(artifact),
        embedders=_embedders(artifact),
    )


def _ranked(artifact: Artifact) -> str:
    rank_by = artifact.parameters.get("rank_by", "people")
    if rank_by not in RANKED:
        raise ValueError(f"ranks by {rank_by!r:.40}")
    return str(rank_by)


def _embedders(artifact: Artifact) -> tuple[EmbedderInfo, ...]:
    described = artifact.parameters.get("embedders", [])
    found = (EmbedderInfo.of({"embedder": item}) for item in described)
    return tuple(item for item in found if item is not None)


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


def _numbers_out(numbers: Numbers, place: str) -> dict[str, NDArray[Any]]:
    """Arrays below `place` from which `_numbers_in` makes the same figures."""
    failures = numbers.failures_to_acquire
    arrays: dict[str, NDArray[Any]] = {
        "closed_set": _rows(*(getattr(numbers, name) for name in FIGURES)),
        "pooled": np.array([getattr(numbers, f"pooled_{name}") for name in FIGURES]),
        "cmc": numbers.cmc,
        "pooled_cmc": numbers.pooled_cmc,
        "failures_to_acquire": np.array([failures.count, failures.of, failures.counted], dtype=int),
    }
    for name, figure in numbers.more.items():
        arrays[f"more/{name}"] = _rows(figure)
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


def _numbers_in(artifact: Artifact, place: str) -> Numbers:
    """The figures that `_numbers_out` wrote.

    Raises
    ------
    ArtifactError
        An array is missing or cannot be read.
    ValueError, IndexError, TypeError
        One has another shape than it should; the caller says so in its own words.
    """

    def read(name: str) -> NDArray[Any]:
        return artifact.read(f"{place}/{name}")

    # In the order in which they are shown: by rank, then the rest.
    further = sorted(
        (name.removeprefix(f"{place}/more/") for name in artifact.names(f"{place}/more/")),
        key=lambda name: (len(name), name),
    )

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
    pooled = [float(value) for value in _per_cent(read("pooled")).tolist()]
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
        cmc=_per_cent(cmc),
        pooled_cmc=_per_cent(pooled_cmc),
        verification=verification,
        open_set=open_set,
        failures_to_acquire=Failures(count, of, bool(counted)),
        more={name: _intervals(read(f"more/{name}"), 1)[0] for name in further},
    )


def _rows(*intervals: Interval) -> NDArray[np.float64]:
    return np.array(intervals, dtype=np.float64)


def _intervals(rows: NDArray[Any], count: int) -> list[Interval]:
    if rows.shape != (count, 3) or rows.dtype.kind != "f":
        raise ValueError(
            f"expected {counted(count, 'interval')}, got an array of shape {rows.shape}"
        )
    return [Interval(float(row[0]), float(row[1]), float(row[2])) for row in _per_cent(rows)]


def _per_cent(rates: NDArray[Any]) -> NDArray[Any]:
    """Rates that are some; NaN where there is none."""
    known = rates[~np.isnan(rates)]
    # A mean of hundreds may be a last bit above.
    if known.size and (known.min() < 0 or known.max() > 100 + 1e-6):
        raise ValueError("a rate is outside [0, 100] per cent")
    return rates


def _same_length(*columns: NDArray[Any]) -> None:
    shapes = {column.shape for column in columns}
    kinds = {column.dtype.kind for column in columns}
    if len(shapes) != 1 or columns[0].ndim != 1 or not kinds <= set("if"):
        raise ValueError(f"expected columns of numbers of one length, got {sorted(shapes)}")
