"""What a page is made from: results, the GEIs behind them, and the models behind those.

Files are recognised by content digest: what an artefact says it was made from.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, InputRef, TrainedOn, open_artifact
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.dropped import DroppedRow
from gaitkit.errors import MixtureError, OptionError
from gaitkit.identification.figures.paired import check_comparable
from gaitkit.identification.results import EvaluationResult, read_results
from gaitkit.labels import SequenceKey, format_view
from gaitkit.printable import counted, printable, quoted
from gaitkit.reporting.sheet import grey_picture
from gaitkit.translators.aim import USUAL_TARGET, told_target

if TYPE_CHECKING:
    from gaitkit.training.record import TrainingRecord

__all__ = [
    "Entry",
    "GeiFile",
    "ModelFile",
    "ResultsFile",
    "SourceFile",
    "Translation",
    "images_behind",
    "model_digest",
    "read_entries",
    "read_geis",
    "read_models",
    "translation_of",
    "true_image",
]

_LONGEST_NAME = 40
_LONGEST_LABEL = 60


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One artefact: what it says about its making.

    Attributes
    ----------
    name : str
        File name.
    ref : InputRef
        Kind and content digest, as artefacts made from this one name it.
    dataset, version : str
        Root attributes.
    inputs : sequence of InputRef
        What it was made from.
    parameters : mapping
        As recorded.
    seed : int or None
        As recorded.
    trained_on : sequence of TrainedOn
        Whom models behind it have seen.
    """

    name: str
    ref: InputRef
    dataset: str
    version: str
    inputs: Sequence[InputRef]
    parameters: Mapping[str, Any]
    seed: int | None
    trained_on: Sequence[TrainedOn]


@dataclass(frozen=True, eq=False)
class ResultsFile(SourceFile):
    """One results artefact.

    Attributes
    ----------
    title : str
        For people: the file's name without its ending, with its folder where two files are called
        the same.
    dropped : sequence of DroppedRow
        What was left out on the way.
    """

    title: str
    dropped: Sequence[DroppedRow]


@dataclass(frozen=True, eq=False)
class ModelFile(SourceFile):
    """A translator's or an embedder's file, with `record`, what it says of its training."""

    record: TrainingRecord


def _source(artifact: Artifact) -> dict[str, Any]:
    """The attributes of a `SourceFile`."""
    return {
        "name": artifact.path.name,
        "ref": artifact.ref(),
        "dataset": artifact.dataset,
        "version": artifact.gaitkit_version,
        "inputs": artifact.inputs,
        "parameters": artifact.parameters,
        "seed": artifact.seed,
        "trained_on": artifact.trained_on,
    }


@dataclass(frozen=True)
class Translation:
    """How translated GEIs were made.

    Attributes
    ----------
    system : str
        Name of the translator's system.
    mode : str
        ``paired`` or ``faithful``; empty where the artefact does not say.
    recipe : str
        Whose settings the model has; empty where it was trained otherwise.
    view : float
        What it shows, degrees.
    condition : str
        Likewise.
    strength : float
        How strongly the change was asked for.
    target : tuple of (float, str)
        View, degrees, and condition that it was trained to show.
    weights : str
        ``best`` or ``last``; empty where the artefact does not say.
    """

    system: str
    mode: str = ""
    recipe: str = ""
    view: float = USUAL_TARGET[0]
    condition: str = USUAL_TARGET[1]
    strength: float = 1.0
    target: tuple[float, str] = USUAL_TARGET
    weights: str = ""

    @property
    def title(self) -> str:
        """System, recipe or mode, and what it was asked for beyond the target.

        Examples
        --------
        >>> Translation("stargan", "paired", view=54.0).title
        'stargan, paired, to 054 nm'
        """
        parts = [self.system, self.recipe or self.mode]
        if (self.view, self.condition) != USUAL_TARGET:
            parts.append(f"to {format_view(self.view)} {self.condition}")
        if self.strength != 1.0:
            parts.append(f"strength {self.strength:g}")
        return ", ".join(filter(None, parts))


def translation_of(parameters: Mapping[str, Any]) -> Translation | None:
    """What the parameters of a GEI artefact say of its translator.

    Returns
    -------
    Translation or None
        `None` for measured GEIs, and where a file by somebody else says nothing that makes sense.
    """
    described = parameters.get("translator")
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        return None
    aim = described.get("aim")
    asked = aim if isinstance(aim, Mapping) else {}
    view, condition = told_target(asked.get("view"), asked.get("condition"))
    strength = asked.get("strength")
    mode, recipe = described.get("mode"), described.get("recipe")
    weights = described.get("weights")
    return Translation(
        described["name"][:_LONGEST_NAME],
        mode if mode in ("paired", "faithful") else "",
        recipe[:_LONGEST_NAME] if isinstance(recipe, str) else "",
        view,
        condition[:_LONGEST_NAME],
        float(strength) if isinstance(strength, int | float) else 1.0,
        _target_of(described),
        weights if weights in ("best", "last") else "",
    )


def _target_of(described: Mapping[str, Any]) -> tuple[float, str]:
    match described.get("target"):
        case [int() | float() as view, str() as condition]:
            return float(view), condition[:_LONGEST_NAME]
    return USUAL_TARGET


@dataclass(frozen=True, eq=False)
class Entry:
    """One result of the page.

    Attributes
    ----------
    key : str
        A letter by which the page refers to it.
    name : str
        The label that was given; else file, and translator where there is one. With feature and
        metric where these tell results apart.
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


def read_entries(paths: Sequence[str | Path], labels: Sequence[str] = ()) -> list[Entry]:
    """Read results that are to stand side by side.

    Parameters
    ----------
    paths : sequence of str or Path
        `identification` artefacts, each with one or several results.
    labels : sequence of str
        What to call them: one for each result, or one for each file.

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
        More than 26 results, a file given twice, or another number of labels.
    """
    given = [Path(path) for path in paths]
    if len({path.resolve() for path in given}) != len(given):
        raise OptionError("The same results file is given twice.", hint="Give each file once.")
    found = [
        (file, result)
        for path, title in zip(given, _titles(given), strict=True)
        for file, results in [(_read_results_file(path, title), read_results(path))]
        for result in results
    ]
    if not found:
        raise OptionError("There are no results to show.", hint="Give at least one results file.")
    if len(found) > len(string.ascii_uppercase):
        raise OptionError(
            f"The files hold {counted(len(found), 'result')}; a page has room for "
            f"{len(string.ascii_uppercase)}.",
            hint="Make several pages.",
        )
    entries = [
        Entry(key, name, result, file)
        for key, name, (file, result) in zip(
            string.ascii_uppercase, _names(found, labels), found, strict=False
        )
    ]
    for entry in entries[1:]:
        check_comparable(entries[0].result, entry.result)
    return entries


def _names(
    found: Sequence[tuple[ResultsFile, EvaluationResult]], labels: Sequence[str]
) -> list[str]:
    """What to call each result; feature and metric stand beside it where they tell some apart."""
    files = list({id(file): file for file, _ in found}.values())
    if labels and len(labels) not in (len(found), len(files)):
        each = (
            ""
            if len(found) == len(files)
            else f", or one for each of {counted(len(files), 'file')}"
        )
        raise OptionError(
            f"There are {len(labels)} `labels` for {counted(len(found), 'result')}.",
            hint=f"Give one `label` for each result{each}, in their order.",
        )
    given = [" ".join(label.split()) for label in labels]
    if not all(0 < len(label) <= _LONGEST_LABEL for label in given):
        raise OptionError(
            f"Expected `labels` of 1 to {_LONGEST_LABEL} letters, found {quoted(list(labels))}."
        )
    if len(given) == len(found):
        return list(map(printable, given))
    called = {id(file): _described(file) for file in files}
    called |= {id(file): printable(label) for file, label in zip(files, given, strict=False)}
    features = {result.feature for _, result in found}
    metrics = {result.metric for _, result in found}
    return [
        ", ".join(
            [
                called[id(file)],
                *([_in_words(result.feature)] if len(features) > 1 else []),
                *([result.metric] if len(metrics) > 1 else []),
            ]
        )
        for file, result in found
    ]


def _in_words(feature: str) -> str:
    """A feature as people write it."""
    return "+".join(part.upper() if part in ("pca", "lda") else part for part in feature.split("+"))


def _described(file: ResultsFile) -> str:
    translation = translation_of(file.parameters.get("input", {}))
    embedder = EmbedderInfo.of(file.parameters.get("input", {}))
    titles = [translation.title] if translation is not None else []
    # By name, as people speak of it; which model it was stands below the table.
    titles += [printable(embedder.name)] if embedder is not None else []
    # With several inputs the parameters are those of the first one alone.
    if not titles or len(file.inputs) != 1:
        return file.title
    return f"{file.title} ({'; '.join(titles)})"


def _titles(paths: Sequence[Path]) -> list[str]:
    names = [path.name for path in paths]
    return [
        path.stem if names.count(path.name) == 1 else f"{path.resolve().parent.name}/{path.stem}"
        for path in paths
    ]


def _read_results_file(path: Path, title: str) -> ResultsFile:
    with open_artifact(path, kind="identification", guarded=True) as artifact:
        return ResultsFile(**_source(artifact), title=title, dropped=artifact.dropped)


@dataclass(frozen=True, eq=False)
class GeiFile(SourceFile):
    """The images of one artefact.

    Attributes
    ----------
    title : str
        For people: ``measured``, or by which translator, each title once.
    translation : Translation or None
        How they were made from measured ones; `None` where they are measured.
    images : ndarray, shape (n, height, width)
        0 to 255.
    rows : dict of SequenceKey to int
        Where each sequence is.
    """

    title: str
    translation: Translation | None
    images: NDArray[Any]
    rows: dict[SequenceKey, int]

    def image(self, key: SequenceKey | None) -> NDArray[np.uint8] | None:
        """One sequence's GEI; `None` where there is none."""
        if key is None or key not in self.rows:
            return None
        return grey_picture(self.images[self.rows[key]])


def read_geis(paths: Sequence[str | Path], entries: Sequence[Entry]) -> list[GeiFile]:
    """Read images and check that the results were made from them.

    Parameters
    ----------
    paths : sequence of str or Path
        GEI artefacts in any order: what was evaluated, what that was translated from, or
        translations of it.
    entries : sequence of Entry
        The page's results.

    Returns
    -------
    list of GeiFile

    Raises
    ------
    MixtureError
        An artefact has nothing to do with the results.
    ArtifactError
        It cannot be used.
    """
    files = _told_apart([_read_geis(Path(path)) for path in paths])
    evaluated = {ref for entry in entries for ref in entry.file.inputs}
    # An embedding has no pictures; the images that it was made of have.
    evaluated |= {ref for entry in entries for ref in images_behind(entry.file)}
    behind = {ref for file in files if file.ref in evaluated for ref in file.inputs}
    for path, file in zip(paths, files, strict=True):
        if file.ref not in evaluated | behind and not evaluated & set(file.inputs):
            raise MixtureError(
                f"{path} is not what these results were made from: its content digest begins "
                f"with {file.ref.content_sha256[:12]}, theirs were made from "
                f"{', '.join(sorted(ref.content_sha256[:12] for ref in evaluated))}.",
                hint="Give the GEI artefacts that were evaluated, and with them the measured ones "
                "behind translated ones, or the other way round.",
            )
    return files


def images_behind(file: ResultsFile) -> list[InputRef]:
    """The GEIs of which evaluated embeddings were made, as far as the results say."""
    found = []
    behind = file.parameters.get("behind")
    for item in behind if isinstance(behind, list) else []:
        match item:
            case ["gei", str() as digest]:
                found.append(InputRef("gei", digest))
    return found


def _read_geis(path: Path) -> GeiFile:
    with open_artifact(path, kind=("gei", "embedding"), guarded=True) as artifact:
        if artifact.kind == "embedding":
            raise MixtureError(
                f"{path} holds identity embeddings, which have no pictures.",
                hint="Give the GEIs that they were made of, or leave the pictures out.",
            )
        images = artifact.read("gei")
        translation = translation_of(artifact.parameters)
        if translation is None and images.dtype.kind == "f":
            translation = Translation("translated")
        return GeiFile(
            **_source(artifact),
            title="measured" if translation is None else translation.title,
            translation=translation,
            images=images,
            rows={key: row for row, key in enumerate(artifact.labels.keys())},
        )


def _told_apart(files: Sequence[GeiFile]) -> list[GeiFile]:
    """Add the files' names to titles that several of them have."""
    titles = [file.title for file in files]
    return [
        replace(file, title=f"{file.title} ({Path(file.name).stem})")
        if titles.count(file.title) > 1
        else file
        for file in files
    ]


def true_image(
    key: SequenceKey, files: Sequence[GeiFile], view: float, condition: str
) -> NDArray[np.uint8] | None:
    """The person's first other measured walk of a view and condition."""
    for file in files:
        if file.translation is not None:
            continue
        walks = sorted(
            other
            for other in file.rows
            if (other.subject, other.condition, other.view) == (key.subject, condition, view)
            and other != key
        )
        if walks:
            return file.image(walks[0])
    return None


def read_models(
    paths: Sequence[str | Path], entries: Sequence[Entry], geis: Sequence[GeiFile]
) -> list[ModelFile]:
    """Read what models record of their training, and check that they are behind the results.

    Parameters
    ----------
    paths : sequence of str or Path
        Translator and embedder artefacts, in any order.
    entries : sequence of Entry
        The page's results.
    geis : sequence of GeiFile
        The page's images.

    Returns
    -------
    list of ModelFile

    Raises
    ------
    MixtureError
        A model is behind none of the results and images.
    ArtifactError
        A file cannot be used, or does not say how it was trained.
    """
    from gaitkit.training.record import told_record

    used = {model_digest(entry.file.parameters.get("input", {})) for entry in entries}
    used |= {model_digest(file.parameters) for file in geis}
    used |= {item.content_sha256 for entry in entries for item in entry.result.embedders}
    models = []
    for path in map(Path, paths):
        with open_artifact(path, kind=("translator", "embedder"), guarded=True) as artifact:
            record = told_record(artifact, artifact.kind)
            models.append(ModelFile(**_source(artifact), record=record))
        if models[-1].ref.content_sha256 not in used:
            raise MixtureError(
                f"{path} is not a model behind these results: its content digest begins with "
                f"{models[-1].ref.content_sha256[:12]}.",
                hint="Give the model that translated the evaluated GEIs, or embedded them, or "
                "none.",
            )
    return models


def model_digest(parameters: Mapping[str, Any]) -> str | None:
    """Content digest of the translator behind GEIs with these parameters, where they say."""
    described = parameters.get("translator")
    digest = described.get("content_sha256") if isinstance(described, Mapping) else None
    return digest if isinstance(digest, str) else None
