"""A gallery of one's own: GEIs of more people, or more walks, put into one artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, ArtifactWriter, Provenance, TrainedOn, open_artifact
from gaitkit.artifacts.schema import differences
from gaitkit.errors import MixtureError, ProtocolError
from gaitkit.identification.features import check_finite
from gaitkit.stages.evaluate import artifact_path

__all__ = ["enrol", "refuse_mixture"]

_ROWS = 4096
_KEYS = {"subject", "condition", "take", "view"}


def enrol(gallery: Path | str, new: Path | str) -> dict[str, Any]:
    """Add the sequences of one GEI artefact to another, which is replaced when all is written.

    The gallery's rows come first, in their order. What was dropped, whom the models behind the
    GEIs have seen, and the digests of both artefacts go along.

    Parameters
    ----------
    gallery : path-like
        A `gei` artefact, measured or translated; it keeps its name and its data set's.
    new : path-like
        Another, made by the same options and the same model.

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
    with open_artifact(gallery, kind="gei") as old, open_artifact(new, kind="gei") as more:
        refuse_mixture(old, more)
        _refuse_duplicates(old, more)
        before, added = set(old.labels.subjects()), set(more.labels.subjects())
        _refuse_namesakes(old, more, sorted(before & added))
        ignored = {
            name: old.ignored.get(name, 0) + more.ignored.get(name, 0)
            for name in sorted({**old.ignored, **more.ignored})
        }
        provenance = Provenance(
            "gei", old.parameters, old.dataset, old.seed, [old.ref(), more.ref()], ignored
        )
        total = len(old.labels) + len(more.labels)
        with ArtifactWriter(gallery, provenance, overwrite=True) as writer:
            _copy(writer, old, more)
            # Not every system replaces a file that is open.
            old.close()
            more.close()
    return {
        "sequences": total,
        "subjects": len(before | added),
        "added": len(more.labels),
        "new_subjects": sorted(added - before),
        "content_sha256": writer.content_sha256,
    }


def refuse_mixture(one: Artifact, other: Artifact) -> None:
    """Raise unless two GEI artefacts were made in the same way, so that distances mean something.

    Raises
    ------
    MixtureError
        Naming the first parameter that differs, with both values.
    """
    differing = list(differences(_made(one), _made(other)))
    if not differing:
        return
    name, here, there = differing[0]
    more = f" ({len(differing) - 1} more differ)" if len(differing) > 1 else ""
    raise MixtureError(
        f"{one.path} and {other.path} were made differently: {name} is {here} in the one and "
        f"{there} in the other{more}.",
        hint="Make both by the same options, and translate both with the same model or neither.",
    )


def _made(artifact: Artifact) -> dict[str, Any]:
    _, *size = artifact.shape("gei")
    return {
        **artifact.parameters,
        "size": "×".join(map(str, size)),
        "values": str(artifact.dtype("gei")),
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


def _copy(writer: ArtifactWriter, old: Artifact, more: Artifact) -> None:
    for artifact in (old, more):
        for start in range(0, len(artifact.labels), _ROWS):
            block = artifact.read_rows("gei", start, start + _ROWS)
            check_finite(block, str(artifact.path))
            writer.append("gei", block)
    for name, values in _other_columns(old, more).items():
        writer.write(name, values)
    for artifact in (old, more):
        writer.append_labels(artifact.labels)
    dropped = {*old.dropped, *more.dropped}
    writer.append_dropped(sorted(dropped, key=lambda row: row.order))
    seen = [*old.trained_on, *more.trained_on]
    # Here the new people go by the gallery's data set, and must be found under that name.
    moved = [
        TrainedOn(old.dataset, row.subject, row.role)
        for row in more.trained_on
        if row.dataset == more.dataset and row.subject in set(more.labels.subjects())
    ]
    writer.write_trained_on([*seen, *moved])


def _other_columns(old: Artifact, more: Artifact) -> dict[str, NDArray[Any]]:
    """What is said of each sequence beside its image and its key: the same of both."""

    def columns(artifact: Artifact) -> list[str]:
        names = (name for name in artifact.names() if "/" not in name)
        return [name for name in names if name != "gei" and name not in _KEYS]

    if columns(old) != columns(more):
        raise MixtureError(
            f"{old.path} has the columns {', '.join(columns(old)) or 'none'} beside its images, "
            f"and {more.path} has {', '.join(columns(more)) or 'none'}.",
            hint="Make both with the same version of gaitkit.",
        )
    both = {name: [old.read(name), more.read(name)] for name in columns(old)}
    if any(a.shape[1:] != b.shape[1:] for a, b in both.values()):
        raise MixtureError(f"A column has another shape in {old.path} than in {more.path}.")
    return {name: np.concatenate(parts) for name, parts in both.items()}
