"""What a page is about: the results of some files, checked to be comparable."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitkit.artifacts import InputRef, TrainedOn, open_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.errors import OptionError
from gaitkit.identification.figures.paired import check_comparable
from gaitkit.identification.results import EvaluationResult, read_results
from gaitkit.reporting.page.systems import translation_of

__all__ = ["Entry", "ResultsFile", "read_entries"]


@dataclass(frozen=True, eq=False)
class ResultsFile:
    """One results artefact: what it says about its making.

    Attributes
    ----------
    name : str
        For people: the file's name, with its folder where two files are called the same.
    content_sha256, dataset, version : str
        Root attributes.
    inputs : sequence of InputRef
        What was evaluated.
    parameters : mapping
        As recorded.
    seed : int or None
        As recorded.
    dropped : sequence of DroppedRow
        What was left out on the way.
    trained_on : sequence of TrainedOn
        Whom models behind the input have seen.
    """

    name: str
    content_sha256: str
    dataset: str
    version: str
    inputs: Sequence[InputRef]
    parameters: Mapping[str, Any]
    seed: int | None
    dropped: Sequence[DroppedRow]
    trained_on: Sequence[TrainedOn]


@dataclass(frozen=True, eq=False)
class Entry:
    """One result of the page.

    Attributes
    ----------
    key : str
        A letter by which the page refers to it.
    name : str
        File, translator where there is one, feature and metric.
    result : EvaluationResult
        The numbers.
    file : ResultsFile
        Where they come from.
    """

    key: str
    name: str
    result: EvaluationResult
    file: ResultsFile

    @property
    def title(self) -> str:
        """Letter and name."""
        return f"{self.key}: {self.name}"


def read_entries(paths: Sequence[Path]) -> list[Entry]:
    """Read results that are to stand side by side.

    Parameters
    ----------
    paths : sequence of Path
        `identification` artefacts, each with one or several results.

    Returns
    -------
    list of Entry
        In the order of the files.

    Raises
    ------
    ArtifactError
        A file cannot be used.
    MixtureError
        They are not of the same searches: see `gaitkit.identification.figures.paired`.
    OptionError
        More than 26 results, or a file given twice.
    """
    if len({path.resolve() for path in paths}) != len(paths):
        raise OptionError("The same results file is given twice.", hint="Give each file once.")
    stems = [path.name for path in paths]
    names = [
        path.stem if stems.count(path.name) == 1 else f"{path.resolve().parent.name}/{path.stem}"
        for path in paths
    ]
    found = [
        (file, result)
        for path, name in zip(paths, names, strict=True)
        for file, results in [(_read_file(path, name), read_results(path))]
        for result in results
    ]
    if len(found) > len(string.ascii_uppercase):
        raise OptionError(
            f"The files hold {len(found)} results; a page has room for "
            f"{len(string.ascii_uppercase)}.",
            hint="Make several pages.",
        )
    entries = [
        Entry(key, f"{_described(file)}, {result.feature}, {result.metric}", result, file)
        for key, (file, result) in zip(string.ascii_uppercase, found, strict=False)
    ]
    for entry in entries[1:]:
        check_comparable(entries[0].result, entry.result)
    return entries


def _described(file: ResultsFile) -> str:
    translation = translation_of(file.parameters.get("input", {}))
    # With several inputs the parameters are those of the first one alone.
    if translation is None or len(file.inputs) != 1:
        return file.name
    return f"{file.name} ({translation.title})"


def _read_file(path: Path, name: str) -> ResultsFile:
    with open_artifact(path, kind="identification", guarded=True) as artifact:
        return ResultsFile(
            name=name,
            content_sha256=artifact.content_sha256,
            dataset=artifact.dataset,
            version=artifact.gaitkit_version,
            inputs=artifact.inputs,
            parameters=artifact.parameters,
            seed=artifact.seed,
            dropped=artifact.dropped,
            trained_on=artifact.trained_on,
        )
