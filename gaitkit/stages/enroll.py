"""A gallery of one's own: people and their walks put into one artefact, and taken out of it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import check_name, number
from gaitkit.artifacts import (
    KINDS,
    Artifact,
    ArtifactWriter,
    InputRef,
    Provenance,
    TrainedOn,
    open_artifact,
)
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.datasets.recordings import is_video
from gaitkit.dropped import DroppedRow
from gaitkit.errors import MixtureError, OptionError, ProtocolError, called_as, did_you_mean
from gaitkit.gei.making import SEGMENTATION, are_ready_made, making_differences
from gaitkit.gei.options import Mirror
from gaitkit.identification.features import check_finite, main_column
from gaitkit.labels import Labels, SequenceKey, is_direction
from gaitkit.outputs import Output, scratch_folder
from gaitkit.parallel import Progress
from gaitkit.printable import LETTERS, counted, printable, quoted
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.stages.evaluate import COMPARED, artifact_path

__all__ = ["enrol", "refuse_mixture"]

_log = logging.getLogger(__name__)

_ROWS = 4096
_KEYS = {"subject", "condition", "take", "view"}


class _Part(NamedTuple):
    """Some rows of an artefact, as they are to be called.

    `own` says that their takes are only counted: where one is taken, the walk gets the next.
    """

    artifact: Artifact
    rows: NDArray[np.int64]
    labels: Labels
    dropped: list[DroppedRow]
    own: bool = False

    @classmethod
    def whole(cls, artifact: Artifact, *, own: bool = False) -> _Part:
        """All of one."""
        rows = np.arange(len(artifact.labels))
        return cls(artifact, rows, artifact.labels, artifact.dropped, own)

    def only(self, kept: NDArray[np.bool_]) -> _Part:
        """Some of the rows."""
        return self._replace(rows=self.rows[kept], labels=self.labels.select(kept))


def enrol(
    gallery: Path | str,
    *new: Path | str,
    subject: str | None = None,
    remove: Collection[str] = (),
    view: float | None = None,
    model: Path | str | None = None,
    mirror: Mirror = "track",
    segmenter: str | SegmentOptions = "background",
    any_segmenter: bool = False,
    workers: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Put walks into a gallery, which is replaced when all is written, or take people out of it.

    A gallery that does not exist is made, for its owner's eyes only. Otherwise its rows come first,
    in their order. What was dropped, whom the models behind the GEIs have seen, and the digests of
    all artefacts go along. Enrolling the same once more changes nothing.

    Parameters
    ----------
    gallery : path-like
        A `gei` artefact, measured or translated, or an `embedding`; it keeps its name and its data
        set's.
    *new : path-like
        Artefacts of that kind, made by the same options and the same model. Or whatever `make_gei`
        takes: videos, folders, archives, manifests, silhouettes; GEIs are made of it as those of
        the gallery were. Names are those of the folders; walks whose takes are only counted get
        the next ones that are free, and a walk that is there already is left out.
    subject : str, optional
        Who all new walks are, whatever they are called.
    remove : collection of str
        Who is taken out first, with all walks and with what was dropped of them.
    view : float, optional
        Camera angle of videos and folders of frames, degrees.
    model : path-like, optional
        The embedder, or the translator, that the gallery is made with.
    mirror : {"none", "view", "track"}
        Of a new gallery that is made of videos or frames: by default everybody is turned to walk
        to the right.
    segmenter : str or SegmentOptions
        How people are found in videos that are not of masks: ``background``, or the file of a
        network; or that, and which part of the videos is looked at, and how they are turned.
    any_segmenter : bool
        Take walks whose masks another segmenter made; the gallery then says that it is mixed.
    workers, device, progress
        How what is no artefact is worked through; no influence on the result.

    Returns
    -------
    dict
        ``sequences`` and ``subjects`` of the gallery now, ``added`` sequences, ``new_subjects``
        (names, sorted), ``removed`` sequences, ``made`` (whether there was none),
        ``content_sha256``, and ``dropped``: a `DroppedRow` for each new walk that was left out.

    Raises
    ------
    MixtureError
        They were made in different ways, or a name is in both and they are of different data sets.
    ProtocolError
        A sequence (subject, condition, take, view) is in both; a walk is enrolled as somebody else;
        nobody would be left.
    OptionError
        Nothing is to be done, a name is missing or unknown, or the model is.
    ArtifactError
        One is damaged, of another kind, or contains NaN.
    DatasetError
        A source cannot be read, or has no walk that can be used.
    """
    gallery = artifact_path(gallery, "enrol")
    sources = [artifact_path(one, "enrol") for one in new]
    model = None if model is None else artifact_path(model, "enrol")
    remove = [remove] if isinstance(remove, str) else list(remove)
    if not sources and not remove:
        raise OptionError("Say who is to be enrolled, or whom to `remove`.")
    if subject is not None and "/" in check_name(subject, "`subject`"):
        raise OptionError(f"`subject` is a name without /; got {quoted(subject)}.")
    if view is not None and not is_direction(number(view, "view")):
        raise OptionError(f"`view` is at most a full circle, in degrees; got {view:g}.")
    inputs = [path for path in [*sources, model] if path is not None and path.is_file()]
    # From before the gallery is read until it is replaced nobody else enrols.
    with (
        Output(gallery, overwrite=True, inputs=inputs, private=True) as claim,
        ExitStack() as stack,
    ):
        old = stack.enter_context(open_artifact(claim.path, COMPARED)) if claim.exists else None
        if old is None and remove:
            raise OptionError(f"There is no gallery {printable(str(gallery), 200)} to `remove` of.")
        scratch = stack.enter_context(scratch_folder("enrol"))
        how = _Given(subject, view, model, mirror, segmenter)
        made = _prepared(sources, old, how, gallery, scratch, (workers, device, progress))
        with called_as(dict(zip((path for path, _ in made), sources, strict=True))):
            parts = [_opened(stack, path, own, subject) for path, own in made]
            left_out = [row for part in parts for row in part.dropped if not row.frame]
            if old is None:
                done = _made(claim, parts, any_segmenter=any_segmenter)
            else:
                done = _added(claim, old, parts, remove, any_segmenter=any_segmenter)
            return done | {"dropped": left_out}


class _Given(NamedTuple):
    """What was said about new walks."""

    subject: str | None
    view: float | None
    model: Path | None
    mirror: Mirror
    segmenter: str | SegmentOptions


def _prepared(
    sources: Sequence[Path],
    old: Artifact | None,
    said: _Given,
    gallery: Path,
    scratch: Path,
    making: tuple[int, str, Progress | None],
) -> list[tuple[Path, bool]]:
    """Artefacts of all sources, and whether their takes are only counted."""
    # Reading video and silhouettes is nothing that two artefacts need.
    from gaitkit.stages.alike import Making, how_made, input_of, is_own, made_alike

    name = (gallery.stem or "gallery") if old is None else old.dataset
    made: list[tuple[Path, bool]] = []
    how = None
    for place, source in enumerate(sources):
        if said.subject is None and is_video(source):
            raise OptionError(
                f"{printable(str(source), 200)} does not say who it shows.",
                hint="Give the name as `subject`, or a folder with a folder for each person.",
            )
        given = input_of(
            source, name=name, subject=said.subject, view=said.view, segmenter=said.segmenter
        )
        if how is None:
            how = how_made(old, said.model, said.mirror)
        folder = scratch / str(place)
        folder.mkdir()
        path = made_alike(given, how, folder, Making(*making))
        made.append((path, is_own(given) or said.subject is not None))
        if old is None and place == 0:
            with open_artifact(path, COMPARED) as first:
                how = how_made(first, said.model, said.mirror)
    return made


def _opened(stack: ExitStack, path: Path, own: bool, subject: str | None) -> _Part:
    part = _Part.whole(stack.enter_context(open_artifact(path, COMPARED)), own=own)
    if subject is None:
        return part
    found = part.labels.subjects()
    if len(found) > 1:
        names = ", ".join(printable(name, LETTERS) for name in found[:3])
        raise OptionError(
            f"{part.artifact.path} shows {counted(len(found), 'person')} "
            f"({names}{', …' * (len(found) > 3)}), and `subject` names one.",
            hint="Leave it out, or give the walks of one person.",
        )
    column = np.full(len(part.labels), subject, dtype=object)
    labels = Labels(column, part.labels.condition, part.labels.take, part.labels.view)
    dropped = [row._replace(subject=subject) for row in part.dropped]
    return part._replace(labels=labels, dropped=dropped)


def _made(claim: Output, parts: Sequence[_Part], *, any_segmenter: bool) -> dict[str, Any]:
    """A new gallery."""
    first, *others = parts
    kept = [_renumbered(first, [])]
    for part in others:
        refuse_mixture(first.artifact, part.artifact, any_segmenter=any_segmenter)
        before = [one.labels for one in kept]
        kept.append(_without_known(kept, _checked(kept, part, before)))
    return _written(claim, None, kept)


def _added(
    claim: Output,
    old: Artifact,
    parts: Sequence[_Part],
    remove: Sequence[str],
    *,
    any_segmenter: bool,
) -> dict[str, Any]:
    """A gallery with other sequences than it had."""
    before = _without_people(old, remove)
    kept = [before]
    for part in parts:
        refuse_mixture(old, part.artifact, any_segmenter=any_segmenter)
        if not part.own and _enrolled_before(old, part.artifact) and not remove:
            _log.info("%s is done already: %s was enrolled before", claim.path, part.artifact.path)
            continue
        checked = _checked(kept, part, [one.labels for one in kept])
        fresh = _without_known(kept, checked)
        if len(fresh.rows):
            kept.append(fresh)
        else:
            _log.info("%s is done already: all these walks were enrolled before", claim.path)
    if len(kept) == 1 and not remove:
        return _summary(old.labels, old.labels, 0, 0, old.content_sha256)
    return _written(claim, old, kept)


def _without_people(old: Artifact, remove: Sequence[str]) -> _Part:
    """The gallery without some people."""
    there = old.labels.subjects()
    for name in remove:
        if name not in there:
            raise OptionError(
                f"Nobody in {old.path} is called {quoted(name)}; it holds "
                f"{counted(len(there), 'person')}.",
                hint=f"{did_you_mean(name, there)}gaitkit inspect lists them.",
            )
    gone = set(remove)
    if gone >= set(there) and remove:
        raise ProtocolError(
            f"Nobody would be left in {old.path}.", hint="Then remove the file itself."
        )
    kept = np.array([name not in gone for name in old.labels.subject], dtype=bool)
    dropped = [row for row in old.dropped if row.subject not in gone]
    seen = sorted(gone & {row.subject for row in old.trained_on if row.dataset == old.dataset})
    if seen:
        _log.warning(
            "the model that this gallery was made with has learned from %s, and still has: only "
            "another training would change that",
            ", ".join(printable(name, LETTERS) for name in seen[:3]),
        )
    return _Part.whole(old).only(kept)._replace(dropped=dropped)


def _checked(kept: Sequence[_Part], part: _Part, before: Sequence[Labels]) -> _Part:
    """The part as it can be enrolled beside what there is."""
    if part.own:
        return _renumbered(part, before)
    first = kept[0].artifact
    known = set().union(*(labels.keys() for labels in before))
    both = {name for labels in before for name in labels.subjects()} & set(part.labels.subjects())
    # First: of another data set even the same walk of the same name is another person's.
    _refuse_namesakes(first, part.artifact, sorted(both))
    _refuse_duplicates(first.path, known, part)
    return part


def _renumbered(part: _Part, before: Sequence[Labels]) -> _Part:
    """Walks whose key is taken get the next take of their subject and condition."""
    taken: dict[tuple[str, str], set[int]] = defaultdict(set)
    for one in before:
        for subject, condition, take in zip(one.subject, one.condition, one.take, strict=True):
            taken[subject, condition].add(int(take))
    given: dict[tuple[str, str, int], int] = {}

    def settled(subject: str, condition: str, take: int) -> int:
        walk, used = (subject, condition, take), taken[subject, condition]
        if walk not in given:
            given[walk] = 1 + max(used) if take in used else take
            used.add(given[walk])
        return given[walk]

    sequences = part.labels.keys()
    keys = [key._replace(take=settled(*key[:3])) for key in sequences]
    dropped = [row._replace(take=settled(*row[:3])) for row in part.dropped]
    return part._replace(labels=Labels.from_keys(keys), dropped=dropped)


def _without_known(kept: Sequence[_Part], part: _Part) -> _Part:
    """Without the walks that are enrolled already, by their very content.

    Raises
    ------
    ProtocolError
        One is enrolled as somebody else.
    """
    if not part.own:
        return part
    known: dict[bytes, str] = {}
    for one in kept:
        known |= dict(zip(_contents(one), one.labels.subject.tolist(), strict=True))
    fresh = np.ones(len(part.rows), dtype=bool)
    for row, (digest, name) in enumerate(
        zip(_contents(part), part.labels.subject.tolist(), strict=True)
    ):
        if digest not in known:
            known[digest] = name
        elif known[digest] == name:
            fresh[row] = False
        else:
            other, called = (printable(one, LETTERS) for one in (known[digest], name))
            raise ProtocolError(
                f"A walk that is to be enrolled as {called} is the very walk of {other}.",
                hint=f"Look at the recordings; whoever was enrolled by mistake is taken out again "
                f"by `remove={known[digest]!r}`."
                if len(known[digest]) < LETTERS
                else None,
            )
    if not fresh.all():
        count = int((~fresh).sum())
        _log.info("%s left out: enrolled before", counted(count, "walk was", "walks were"))
    return part.only(fresh)


def _contents(part: _Part) -> list[bytes]:
    """What tells the image or vectors of each row from any other."""
    column = main_column(part.artifact)
    found = []
    for start in range(0, len(part.artifact.labels), _ROWS):
        block = part.artifact.read_rows(column, start, start + _ROWS)
        some = part.rows[(part.rows >= start) & (part.rows < start + _ROWS)] - start
        found += [sha256(np.ascontiguousarray(block[row]).data).digest() for row in some.tolist()]
    return found


def _written(claim: Output, old: Artifact | None, kept: Sequence[_Part]) -> dict[str, Any]:
    first = kept[0].artifact
    refs = [InputRef(*part.artifact.ref()) for part in kept]
    names = sorted({name for part in kept for name in part.artifact.ignored})
    ignored = {name: sum(part.artifact.ignored.get(name, 0) for part in kept) for name in names}
    parameters = first.parameters
    sections = [part.artifact.parameters.get(SEGMENTATION) for part in kept]
    if any(section != sections[0] for section in sections):
        parameters = {**parameters, SEGMENTATION: {"segmenter": "several"}}
    provenance = Provenance(first.kind, parameters, first.dataset, first.seed, refs, ignored)
    before = None if old is None else old.labels
    with ArtifactWriter(claim, provenance) as writer:
        _copy(writer, kept)
        # Not every system replaces a file that is open.
        for part in kept:
            part.artifact.close()
    now = [part.labels for part in kept]
    labels = Labels(
        *(
            np.concatenate([vars(one)[column] for one in now])
            for column in ("subject", "condition", "take", "view")
        )
    )
    removed = 0 if before is None else len(before) - len(now[0])
    added = len(labels) if before is None else len(labels) - len(now[0])
    return _summary(before, labels, added, removed, writer.content_sha256)


def _summary(
    before: Labels | None, now: Labels, added: int, removed: int, content_sha256: str
) -> dict[str, Any]:
    known = set() if before is None else set(before.subjects())
    subjects = now.subjects()
    return {
        "sequences": len(now),
        "subjects": len(subjects),
        "added": added,
        "new_subjects": [name for name in subjects if name not in known],
        "removed": removed,
        "made": before is None,
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
        by = [_masks_made_by(artifact.parameters.get(SEGMENTATION)) for artifact in (one, other)]
        told = f"{name} is {here} in the one and {there} in the other{more}"
        if by[0] != by[1]:
            told = f"those of the one by {by[0]}, those of the other by {by[1]}"
        raise MixtureError(
            f"The masks behind {one.path} and {other.path} were made differently: {told}.",
            hint="Segment both videos alike: with one version of gaitkit, and `segmenter` says by "
            "what. With `any_segmenter=True` they are compared all the same, and fewer people are "
            "found.",
        )
    raise MixtureError(
        f"{one.path} and {other.path} were made differently: {name} is {here} in the one and "
        f"{there} in the other{more}.",
        hint="Make both by the same options, and embed both with the same model and weights."
        if one.kind == "embedding"
        else "Make both by the same options, and translate both with the same model or neither.",
    )


def _masks_made_by(section: Any) -> str:
    """How the masks of a video were made, in words."""
    if not isinstance(section, Mapping):
        return "somebody else"
    name = printable(str(section.get("segmenter")), 40)
    if name == "network":
        return f"the network {printable(str(section.get('model_sha256')), 12)}"
    return f"the {name}" if name == "background" else f"{name} segmenters"


def _how_made(artifact: Artifact) -> dict[str, Any]:
    column = main_column(artifact)
    _, *size = artifact.shape(column)
    return {
        **artifact.parameters,
        "size": "×".join(map(str, size)),
        "values": str(artifact.dtype(column)),
    }


def _refuse_duplicates(old: Path, known: set[SequenceKey], part: _Part) -> None:
    added = part.labels.keys()
    twice = [str(key) for key in added if key in known]
    if twice:
        names = ", ".join(twice[:3]) + (", …" if len(twice) > 3 else "")
        raise ProtocolError(
            f"{len(twice):,} of the {counted(len(added), 'sequence')} of {part.artifact.path} are "
            f"in {old} already: {names}.",
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


def _copy(writer: ArtifactWriter, parts: Sequence[_Part]) -> None:
    """Write everything of some artefacts, which go by the data set of the first."""
    first = parts[0].artifact
    column = main_column(first)
    for part in parts:
        for start in range(0, len(part.artifact.labels), _ROWS):
            some = part.rows[(part.rows >= start) & (part.rows < start + _ROWS)]
            if len(some):
                block = part.artifact.read_rows(column, start, start + _ROWS)[some - start]
                check_finite(block, str(part.artifact.path))
                writer.append(column, block)
    for name, values in _other_columns(parts).items():
        writer.write(name, values)
    for part in parts:
        writer.append_labels(part.labels)
    dropped = {row for part in parts for row in part.dropped}
    writer.append_dropped(sorted(dropped, key=lambda row: row.order))
    seen = [row for part in parts for row in part.artifact.trained_on]
    # Here the new people go by the gallery's data set, and must be found under that name.
    moved = [
        TrainedOn(first.dataset, row.subject, row.role)
        for part in parts[1:]
        for row in part.artifact.trained_on
        if row.dataset == part.artifact.dataset and row.subject in set(part.labels.subjects())
    ]
    writer.write_trained_on([*seen, *moved])


def _other_columns(parts: Sequence[_Part]) -> dict[str, NDArray[Any]]:
    """What is said of each sequence beside its image and its key: the same of all."""

    def columns(artifact: Artifact) -> list[str]:
        names = (name for name in artifact.names() if "/" not in name)
        return [name for name in names if name != main_column(artifact) and name not in _KEYS]

    first, *others = (part.artifact for part in parts)
    for other in others:
        if columns(first) != columns(other):
            raise MixtureError(
                f"{first.path} has the columns {', '.join(columns(first)) or 'none'} beside its "
                f"images or vectors, and {other.path} has {', '.join(columns(other)) or 'none'}.",
                hint="Make both with the same version of gaitkit.",
            )
    found = {
        name: [part.artifact.read(name)[part.rows] for part in parts] for name in columns(first)
    }
    for other, index in zip(others, range(1, len(parts)), strict=True):
        if any(values[0].shape[1:] != values[index].shape[1:] for values in found.values()):
            raise MixtureError(f"A column has another shape in {first.path} than in {other.path}.")
    return {name: np.concatenate(values) for name, values in found.items()}
