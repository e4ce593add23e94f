"""What was left out and why, and what the results were made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from gaitkit.artifacts.summary import count_reasons
from gaitkit.dropped import REASONS, DroppedRow
from gaitkit.labels import SequenceKey
from gaitkit.printable import counted
from gaitkit.reporting.page.inputs import Entry, GeiFile, ModelFile, ResultsFile, SourceFile

__all__ = ["Facts", "LeftOut", "left_out", "provenance"]

_MOST = 50


class LeftOut(NamedTuple):
    """What was dropped on the way to some files.

    Attributes
    ----------
    files : str
        Their names; empty where it is the same for all.
    counts : list of (str, str, str)
        Reason, what it means, and how many frames or sequences.
    missing : list of str
        The first of the sequences that are missing altogether.
    missing_count : int
        How many these are.
    """

    files: str
    counts: list[tuple[str, str, str]]
    missing: list[str]
    missing_count: int


def left_out(entries: Sequence[Entry]) -> list[LeftOut]:
    """What was dropped, by reason; files with the same table of it stand together.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    """
    found: dict[tuple[DroppedRow, ...], list[str]] = {}
    for file in _files(entries):
        found.setdefault(tuple(file.dropped), []).append(file.title)
    return [
        _left_out(rows, ", ".join(names) if len(found) > 1 else "") for rows, names in found.items()
    ]


def _left_out(rows: Sequence[DroppedRow], files: str) -> LeftOut:
    counts = [
        (reason, REASONS.get(reason, ""), f"{count:,} {noun if count > 1 else noun[:-1]}")
        for noun, reasons in count_reasons(rows).items()
        for reason, count in reasons.items()
    ]
    lost = [row for row in rows if not row.frame]
    return LeftOut(files, counts, list(map(_told, lost[:_MOST])), len(lost))


def _told(row: DroppedRow) -> str:
    key = SequenceKey(row.subject, row.condition, row.take, row.view)
    return f"{key}: {row.reason}" + (f" ({row.detail})" if row.detail else "")


def _files(entries: Sequence[Entry]) -> list[ResultsFile]:
    return list({id(entry.file): entry.file for entry in entries}.values())


class Facts(NamedTuple):
    """What is known of a file, and all its parameters where they are shown; empty is unknown."""

    title: str
    facts: dict[str, str]
    parameters: str = ""


def provenance(
    entries: Sequence[Entry], geis: Sequence[GeiFile], models: Sequence[ModelFile]
) -> list[Facts]:
    """Digests, versions, seeds and parameters of every file.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.
    geis : sequence of GeiFile
        The images.
    models : sequence of ModelFile
        The models.
    """
    told = [Facts(file.title, _results(file), _parameters(file)) for file in _files(entries)]
    told += [Facts(f"{file.name} ({file.title})", _origin(file)) for file in geis]
    told += [Facts(file.name, _origin(file), _parameters(file)) for file in models]
    return told


def _results(file: ResultsFile) -> dict[str, str]:
    pairs = [f"{feature}, {metric}" for feature, metric in file.parameters["results"]]
    origin = _origin(file)
    version = origin.pop("gaitkit")
    return {
        "data set": file.dataset,
        "results": "; ".join(pairs),
        **origin,
        "models have seen": _seen(file),
        "seed": "none needed" if file.seed is None else str(file.seed),
        "gaitkit": version,
    }


def _origin(file: SourceFile) -> dict[str, str]:
    return {
        "content SHA-256": file.ref.content_sha256,
        "made from": ", ".join(f"{ref.kind} {ref.content_sha256}" for ref in file.inputs),
        "gaitkit": file.version,
    }


def _parameters(file: SourceFile) -> str:
    return json.dumps(file.parameters, indent=1, sort_keys=True, ensure_ascii=False)


def _seen(file: ResultsFile) -> str:
    if any(item.get("trained_on") == "unknown" for item in _embedders(file)):
        return "unknown: nobody knows whom the model behind the vectors was trained on"
    if not file.trained_on:
        return "nobody: no model is behind this input"
    roles = [row.role for row in file.trained_on]
    counts = {role: roles.count(role) for role in sorted(set(roles))}
    return ", ".join(f"{counted(count, 'person')} for {role}" for role, count in counts.items())


def _embedders(file: ResultsFile) -> list[dict[str, Any]]:
    described = file.parameters.get("embedders")
    several = described if isinstance(described, list) else []
    return [item for item in several if isinstance(item, dict)]
