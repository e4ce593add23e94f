"""A gallery of one's own: more people, or more of their walks, put into one artefact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import (
    KINDS,
    Artifact,
    ArtifactWriter,
    Provenance,
    TrainedOn,
    open_artifact,
)
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.errors import MixtureError, ProtocolError
from gaitkit.gei.making import SEGMENTATION, are_ready_made, making_differences
from gaitkit.identification.features import check_finite, main_column
from gaitkit.outputs import Output
from gaitkit.stages.evaluate import COMPARED, artifact_path

__all__ = ["enrol", "refuse_mixture"]

_log = logging.getLogger(__name__)

_ROWS = 4096
_KEYS = {"subject", "condition", "take", "view"}


def enrol(gallery: Path | str, new: Path | str, *, any_segmenter: bool = False) -> dict[str, Any]:
    """Add the sequences of one artefact to another, which is replaced when all is written.

    A gallery that does not exist is made, for its owner's eyes only. Otherwise its rows come first,
    in their order. What was dropped, whom the models behind the GEIs have seen, and the digests of
    both artefacts go along. Enrolling the same artefact once more changes nothing.

    Parameters
    ----------
    gallery : path-like
        A `gei` artefact, measured or translated, or an `embedding`; it keeps its name and its data
        set's.
    new : path-like
        Another of that kind, made by the same options and the same model.
    any_segmenter : bool
        Take walks whose masks another segmenter made; the gallery then says that it is mixed.

    Returns
    -------
    dict
        ``sequences`` and ``subjects`` of the gallery now, ``added`` sequences, ``new_subjects``
        (names, sorted) and ``content_sha256``.

    Raises
    ------
    MixtureError
        They were made in different ways, or a name is in both and they are of different data sets.
    ProtocolError
        A sequence (subject, condition, take, view) is in both.
    ArtifactError
        One is damaged, of another kind, or contains NaN.
    """
    gallery, new = artifact_path(gallery, "enrol"), artifact_path(new, "enrol")
    # From before the gallery is read until it is replaced nobody else enrols.
    with (
        Output(gallery, overwrite=True, inputs=[new], private=True) as claim,
        open_artifact(new, COMPARED) as more,
    ):
        if not claim.exists:
            return _made(claim, more)
        with open_artifact(claim.path, COMPARED) as old:
            return _added(claim, old, more, any_segmenter=any_segmenter)


def _made(claim: Output, new: Artifact) -> dict[str, Any]:
    """A new gallery."""
    provenance = Provenance(
        new.kind, new.parameters, new.dataset, new.seed, [new.ref()], dict(new.ignored)
    )
    with ArtifactWriter(claim, provenance) as writer:
        _copy(writer, new)
    people = list(new.labels.subjects())
    return _summary(len(new.labels), len(people), len(new.labels), people, writer.content_sha256)


def _added(claim: Output, old: Artifact, more: Artifact, *, any_segmenter: bool) -> dict[str, Any]:
    """A gallery with more sequences than it had."""
    refuse_mixture(old, more, any_segmenter=any_segmenter)
    before, added = set(old.labels.subjects()), set(more.labels.subjects())
    if _enrolled_before(old, more):
        _log.info("%s is done already: %s was enrolled before", claim.path, more.path)
        return _summary(len(old.labels), len(before), 0, [], old.content_sha256)
    _refuse_duplicates(old, more)
    _refuse_namesakes(old, more, sorted(before & added))
    ignored = {
        name: old.ignored.get(name, 0) + more.ignored.get(name, 0)
        for name in sorted({**old.ignored, **more.ignored})
    }
    parameters = old.parameters
    if parameters.get(SEGMENTATION) != more.parameters.get(SEGMENTATION):
        parameters = {**parameters, SEGMENTATION: {"segmenter": "several"}}
    provenance = Provenance(
        old.kind, parameters, old.dataset, old.seed, [old.ref(), more.ref()], ignored
    )
    total = len(old.labels) + len(more.labels)
    with ArtifactWriter(claim, provenance) as writer:
        _copy(writer, old, more)
        # Not every system replaces a file that is open.
        old.close()
        more.close()
    return _summary(
        total,
        len(before | added),
        len(more.labels),
        sorted(added - before),
        writer.content_sha256,
    )


def _summary(
    sequences: int, subjects: int, added: int, new: list[str], content_sha256: str
) -> dict[str, Any]:
    return {
        "sequences": sequences,
        "subjects": subjects,
        "added": added,
        "new_subjects": new,
        "content_sha256": content_sha256,
    }


def _enrolled_before(old: Artifact, more: Artifact) -> bool:
    """Whether the last that the gallery was made from are these very sequences."""
    if more.ref() not in old.inputs[1:]:
        return False
    known = set(old.labels.keys())
    return known.issuperset(more.labels.keys())


def refuse_mixture(one: Artifact, other: Artifact, *, any_segmenter: bool = False) -> None:
    """Raise unless two artefacts were made alike, so that distances mean something.

    What alike is, `gaitkit.gei.making` says. Of ready-made GEIs nobody can say it: two such of one
    size pass, with a line of caution; and so do vectors from elsewhere that have one name. Masks of
    different segmenters are different, since part of what identifies is where a mask has holes;
    `any_segmenter` lets them pass.

    Raises
    ------
    MixtureError
        Naming the first parameter that differs, with both values.
    """
    if one.kind != other.kind:
        raise MixtureError(
            f"{one.path} holds {KINDS[one.kind][0]} and {other.path} {KINDS[other.kind][0]}; only "
            "what is of one kind can be compared.",
            hint="Embed the GEIs with the model behind the embeddings: gaitkit embed.",
        )
    made = _how_made(one), _how_made(other)
    differing = making_differences(*made, any_segmenter=any_segmenter)
    if not differing:
        embedder = EmbedderInfo.of(one.parameters)
        if embedder is not None and not embedder.content_sha256:
            _log.warning(
                "%s and %s are vectors from elsewhere, and nobody knows by what they were made: "
                "distances between them mean something only where it was the same model",
                one.path,
                other.path,
            )
        elif are_ready_made(one.parameters):
            _log.warning(
                "%s and %s are ready-made GEIs, and nobody knows how they were aligned: distances "
                "between them mean something only where both were made in the same way",
                one.path,
                other.path,
            )
        return
    name, here, there = differing[0]
    more = f" ({len(differing) - 1} more differ)" if len(differing) > 1 else ""
    if not making_differences(*made, any_segmenter=True):
        raise MixtureError(
            f"The masks behind {one.path} and {other.path} were made differently: {name} is {here} "
            f"in the one and {there} in the other{more}.",
            hint="Segment both videos alike. With `any_segmenter=True` they are compared all the "
            "same, and fewer people are found.",
        )
    raise MixtureError(
        f"{one.path} and {other.path} were made differently: {name} is {here} in the one and "
        f"{there} in the other{more}.",
        hint="Make both by the same options, and embed both with the same model and weights."
        if one.kind == "embedding"
        else "Make both by the same options, and translate both with the same model or neither.",
    )


def _how_made(artifact: Artifact) -> dict[str, Any]:
    column = main_column(artifact)
    _, *size = artifact.shape(column)
    return {
        **artifact.parameters,
        "size": "×".join(map(str, size)),
        "values": str(artifact.dtype(column)),
    }


def _refuse_duplicates(old: Artifact, more: Artifact) -> None:
    known, added = set(old.labels.keys()), more.labels.keys()
    twice = [str(key) for key in added if key in known]
    if twice:
        names = ", ".join(twice[:3]) + (", …" if len(twice) > 3 else "")
        raise ProtocolError(
            f"{len(twice)} of the {len(added)} sequences of {more.path} are in {old.path} "
            f"already: {names}.",
            hint="Give new walks other takes, or leave out what is enrolled.",
        )


def _refuse_namesakes(old: Artifact, more: Artifact, both: list[str]) -> None:
    if both and old.dataset != more.dataset:
        names = ", ".join(both[:5]) + (", …" if len(both) > 5 else "")
        raise MixtureError(
            f"{old.path} is of the data set {old.dataset!r} and {more.path} of {more.dataset!r}, "
            f"and both have {names}: the same name in another data set is another person.",
            hint="Where it is the same person, make the new GEIs with "
            f"`name={old.dataset!r}`; otherwise give the new people other names.",
        )


def _copy(writer: ArtifactWriter, first: Artifact, *others: Artifact) -> None:
    """Write everything of some artefacts, which go by the data set of the first."""
    artifacts, column = (first, *others), main_column(first)
    for artifact in artifacts:
        for start in range(0, len(artifact.labels), _ROWS):
            block = artifact.read_rows(column, start, start + _ROWS)
            check_finite(block, str(artifact.path))
            writer.append(column, block)
    for name, values in _other_columns(*artifacts).items():
        writer.write(name, values)
    for artifact in artifacts:
        writer.append_labels(artifact.labels)
    dropped = {row for artifact in artifacts for row in artifact.dropped}
    writer.append_dropped(sorted(dropped, key=lambda row: row.order))
    seen = [row for artifact in artifacts for row in artifact.trained_on]
    # Here the new people go by the gallery's data set, and must be found under that name.
    moved = [
        TrainedOn(first.dataset, row.subject, row.role)
        for artifact in others
        for row in artifact.trained_on
        if row.dataset == artifact.dataset and row.subject in set(artifact.labels.subjects())
    ]
    writer.write_trained_on([*seen, *moved])


def _other_columns(first: Artifact, *others: Artifact) -> dict[str, NDArray[Any]]:
    """What is said of each sequence beside its image and its key: the same of all."""

    def columns(artifact: Artifact) -> list[str]:
        names = (name for name in artifact.names() if "/" not in name)
        return [name for name in names if name != main_column(artifact) and name not in _KEYS]

    for other in others:
        if columns(first) != columns(other):
            raise MixtureError(
                f"{first.path} has the columns {', '.join(columns(first)) or 'none'} beside its "
                f"images or vectors, and {other.path} has {', '.join(columns(other)) or 'none'}.",
                hint="Make both with the same version of gaitkit.",
            )
    found = {name: [item.read(name) for item in (first, *others)] for name in columns(first)}
    for other, index in zip(others, range(1, len(others) + 1), strict=True):
        if any(parts[0].shape[1:] != parts[index].shape[1:] for parts in found.values()):
            raise MixtureError(f"A column has another shape in {first.path} than in {other.path}.")
    return {name: np.concatenate(parts) for name, parts in found.items()}
