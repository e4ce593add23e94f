"""What an artefact holds, as plain data: behind `gaitkit inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from gaitkit.artifacts.embeddings import VECTORS, EmbedderInfo
from gaitkit.artifacts.reader import Artifact
from gaitkit.artifacts.schema import KINDS
from gaitkit.dropped import DroppedRow
from gaitkit.labels import Labels

__all__ = ["count_reasons", "describe"]


def count_reasons(rows: Iterable[DroppedRow]) -> dict[str, dict[str, int]]:
    """Count dropped frames and sequences by reason.

    Returns
    -------
    dict
        ``{"frames": {reason: count}, "sequences": {reason: count}}``, most frequent first.
    """
    frames: Counter[str] = Counter()
    sequences: Counter[str] = Counter()
    for row in rows:
        (frames if row.frame else sequences)[row.reason] += 1
    return {"frames": dict(frames.most_common()), "sequences": dict(sequences.most_common())}


def describe(artifact: Artifact) -> dict[str, Any]:
    """Summarise an open artefact as JSON-able data.

    Returns
    -------
    dict
        Kind, provenance, arrays with shape and dtype; for artefacts with key columns also the
        counts of subjects, conditions and views; what was dropped, by reason; who trained. Of
        identity embeddings parts, values, and what is known of their embedder.
    """
    summary: dict[str, Any] = {
        "kind": artifact.kind,
        "holds": KINDS[artifact.kind][0],
        "dataset": artifact.dataset,
        "seed": artifact.seed,
        "gaitkit_version": artifact.gaitkit_version,
        "schema_version": artifact.schema_version,
        "content_sha256": artifact.content_sha256,
        "made_from": [ref._asdict() for ref in artifact.inputs],
        "parameters": artifact.parameters,
        "arrays": {
            name: {"shape": list(artifact.shape(name)), "dtype": _dtype_name(artifact, name)}
            for name in artifact.names()
        },
    }
    if artifact.kind == "embedding":
        _, parts, values = artifact.shape(VECTORS)
        embedder = EmbedderInfo.of(artifact.parameters) or EmbedderInfo("", known=False)
        summary["embedding"] = {
            "parts": parts,
            "values": values,
            "embedder": embedder.name,
            "model": embedder.content_sha256,
            "weights": embedder.weights,
            "metric": embedder.metric,
            "trained_on": "known" if embedder.known else "unknown",
        }
    if "subject" in artifact:
        labels = artifact.labels
        summary["sequences"] = len(labels)
        summary["subjects"] = labels.subjects()
        summary["walks"] = _walks(labels)
        summary["conditions"] = dict(sorted(Counter(labels.condition.tolist()).items()))
        summary["views"] = labels.views()
        summary["unknown_views"] = int(np.isnan(labels.view).sum())
    if "dropped/reason" in artifact:
        summary["dropped"] = count_reasons(artifact.dropped)
        summary["ignored"] = artifact.ignored
    if artifact.trained_on:
        roles: dict[str, list[str]] = {}
        for row in artifact.trained_on:
            roles.setdefault(f"{row.dataset}, {row.role}", []).append(row.subject)
        summary["trained_on"] = roles
    return summary


def _walks(labels: Labels) -> dict[str, int]:
    """How many walks there are of each subject; cameras that see one count once."""
    keys = zip(labels.subject, labels.condition, labels.take.tolist(), strict=True)
    return dict(sorted(Counter(subject for subject, *_ in set(keys)).items()))


def _dtype_name(artifact: Artifact, name: str) -> str:
    dtype = artifact.dtype(name)
    return "text" if dtype.kind == "S" else dtype.name
