"""New walks, made as those of a gallery were: from a video or folder to what can be compared.

A gallery remembers how its GEIs were made, and by which model they were translated or embedded. So
whoever enrols or searches a video need not say it again. A model is given as a file and known by
its content digest, computed here: another model of the same name is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.artifacts.summary import count_reasons
from gaitkit.datasets.recordings import Recordings, is_video, recordings_in
from gaitkit.datasets.segmented import VideoReading, not_of_videos
from gaitkit.datasets.sources import Layout
from gaitkit.dropped import REASONS, DroppedRow
from gaitkit.embedders.registry import describe_embedder
from gaitkit.errors import MixtureError, OptionError
from gaitkit.gei.making import are_ready_made
from gaitkit.gei.options import GeiOptions, Mirror
from gaitkit.parallel import Progress
from gaitkit.printable import printable
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.advice import NothingUsableError
from gaitkit.stages.make_gei import GeiInput, make_gei, open_input
from gaitkit.stages.normalize import normalize, silhouettes_of
from gaitkit.training.record import TrainingRecord

__all__ = ["HowMade", "Making", "how_made", "input_of", "made_alike", "model_of", "segment_options"]

_log = logging.getLogger(__name__)


class HowMade(NamedTuple):
    """How the walks of a gallery were made, and new ones have to be.

    Attributes
    ----------
    parameters : mapping
        Sections ``silhouettes`` and ``gei``; empty where nothing is said.
    kind : str
        Of the artefact that is compared: ``gei`` or ``embedding``.
    model : Path or None
        The file of the model that makes it of GEIs or silhouettes.
    model_kind : str
        ``embedder``, ``translator``, or empty.
    weights : str or None
        Which of the model's.
    reads : str
        What the model reads: ``gei`` or ``silhouettes``.
    is_new : bool
        Whether the gallery is still to be made, and nobody but `mirror` says how.
    """

    parameters: Mapping[str, Any]
    kind: str
    model: Path | None = None
    model_kind: str = ""
    weights: str | None = None
    reads: str = "gei"
    is_new: bool = False


class Making(NamedTuple):
    """How new walks are worked through; no influence on the result.

    Attributes
    ----------
    workers : int
        Processes.
    device : str
        Where a model computes.
    progress : callable or None
        Called with the number of finished sequences and their total.
    """

    workers: int = 1
    device: str = "auto"
    progress: Progress | None = None


def how_made(gallery: Artifact | None, model: Path | None, mirror: Mirror = "track") -> HowMade:
    """How new walks have to be made for a gallery.

    Parameters
    ----------
    gallery : Artifact or None
        An open gallery; `None` for one that is still to be made.
    model : Path or None
        The file of a model. For a gallery that was made with one it must be that one.
    mirror : {"none", "view", "track"}
        Of a new gallery without a model.

    Raises
    ------
    MixtureError
        Another model than the gallery's, or the gallery was made without one.
    OptionError
        It is no model, or nobody knows by what the gallery's vectors were made.
    """
    if gallery is None:
        if model is None:
            gei = GeiOptions(mirror=mirror).as_parameters()
            return HowMade({"gei": gei}, "gei", is_new=True)
        found = model_of(model)
        kind = "embedding" if found.kind == "embedder" else "gei"
        return HowMade(found.preprocessing, kind, model, found.kind, None, found.reads)
    made = {name: gallery.parameters.get(name) for name in ("silhouettes", "gei")}
    if model is None:
        return HowMade(made, gallery.kind)
    found = model_of(model)
    section = gallery.parameters.get(found.kind)
    shown = printable(str(model), 120)
    if not isinstance(section, Mapping):
        raise MixtureError(
            f"{gallery.path} was made without a model such as {shown}, {_a(found.kind)}.",
            hint="Leave out the `model`, or make a gallery of its own with it.",
        )
    digest = section.get("content_sha256")
    if digest != found.content_sha256:
        raise MixtureError(
            f"{shown} is another model than the one that {gallery.path} was made with: "
            f"{_named(found.name, found.content_sha256)} and "
            f"{_named(str(section.get('name')), str(digest))}.",
            hint="Give the very file that the gallery was made with, or make a new gallery.",
        )
    weights = section.get("weights")
    chosen = weights if weights in ("best", "last") else None
    return HowMade(made, gallery.kind, model, found.kind, chosen, found.reads)


class _Model(NamedTuple):
    kind: str
    name: str
    content_sha256: str
    preprocessing: Mapping[str, Any]
    reads: str


def model_of(path: Path) -> _Model:
    """What a model's file holds; its digest is computed from the weights themselves.

    Raises
    ------
    ArtifactError
        It is damaged, or no model.
    """
    with open_artifact(path, ("embedder", "translator"), guarded=True) as artifact:
        told = TrainingRecord.from_parameters(artifact.parameters, artifact.kind)
        is_embedder = artifact.kind == "embedder"
        reads = describe_embedder(told.name).reads if is_embedder else "gei"
        digest = artifact.recompute_content_sha256()
        return _Model(artifact.kind, told.name, digest, told.preprocessing or {}, reads)


def _a(kind: str) -> str:
    return {"embedder": "an embedder", "translator": "a translator"}[kind]


def _named(name: str, digest: str) -> str:
    return f"{printable(name, 40)} ({printable(digest, 12)})"


def input_of(
    source: Path,
    *,
    name: str,
    subject: str | None = None,
    view: float | None = None,
    segmenter: str | SegmentOptions = "background",
) -> GeiInput:
    """What somebody gives for new walks: a video, a folder, an archive, a manifest, an artefact.

    Parameters
    ----------
    source : Path
        Where it is.
    name : str
        Name of the data set of recordings that have none: videos, and folders of one's own.
    subject : str, optional
        Who all of them are.
    view : float, optional
        Of all of them, where they are recordings of one person.
    segmenter : str or SegmentOptions
        Of videos of people.

    Raises
    ------
    OptionError
        It is said which part of a video is looked at, and there is none.
    """
    reading = VideoReading(segment_options(segmenter))
    given = _input_of(source, name, subject, view, reading)
    if given.source is None and reading.options.selection():
        raise not_of_videos(reading.options, printable(str(source), 200))
    return given


def segment_options(segmenter: str | SegmentOptions) -> SegmentOptions:
    """How videos of people are segmented.

    Examples
    --------
    >>> segment_options("background") == SegmentOptions()
    True
    """
    return segmenter if isinstance(segmenter, SegmentOptions) else SegmentOptions(segmenter)


def _input_of(
    source: Path, name: str, subject: str | None, view: float | None, reading: VideoReading
) -> GeiInput:
    if subject is None and is_video(source):
        # Several people may walk through it.
        return open_input(source, name=name, reading=reading)
    alone: list[Path] = [source] if is_video(source) else []
    if source.is_dir():
        alone = recordings_in(source)
        # A folder of a data set, or of people, has folders in it that hold no frames.
        if subject is None and alone != [source] and not any(map(is_video, alone)):
            alone = []
    if alone:
        found = Recordings(alone, name=name, subject=subject, view=view)
        found.reading = reading
        return GeiInput("frames", source, found)
    given = open_input(source, reading=reading)
    return open_input(source, name=name, reading=reading) if is_own(given) else given


def is_own(given: GeiInput) -> bool:
    """Whether takes are only counted and names are one's own: nobody else has given them."""
    from gaitkit.datasets.manifest import ManifestSource
    from gaitkit.datasets.own_folders import OwnFolders

    return isinstance(given.source, ManifestSource | OwnFolders)


def made_alike(given: GeiInput, how: HowMade, scratch: Path, making: Making) -> Path:
    """Make of what was given what can be compared with a gallery.

    Parameters
    ----------
    given : GeiInput
        From `input_of`.
    how : HowMade
        From `how_made`.
    scratch : Path
        An empty folder for what is made on the way.
    making : Making
        Workers, device, progress.

    Returns
    -------
    Path
        An artefact: one in `scratch`, or `given` itself where it can be compared as it is.

    Raises
    ------
    OptionError
        The gallery was made with a model, and `how` has none.
    GaitkitError
        What the stages on the way raise.
    """
    try:
        return _made_alike(given, how, scratch, making)
    except NothingUsableError as error:
        raise error.made_alike(is_new=how.is_new) from None


def _made_alike(given: GeiInput, how: HowMade, scratch: Path, making: Making) -> Path:
    kind, path = _kind_of(given), given.path
    if kind == "embedding" or (kind == how.kind == "gei" and how.model is None):
        return path
    if how.kind == "embedding" and how.model is None:
        raise OptionError(
            f"The gallery holds identity embeddings; of {printable(str(path), 120)} they are made "
            "by the model that made those.",
            hint="Give its file as `model`; gaitkit inspect names it.",
        )
    if how.model_kind == "embedder" and how.reads == "silhouettes":
        if kind != "silhouettes":
            path = _silhouettes(given, how, scratch, making)
    elif kind != "gei":
        path = _geis(given, how, scratch, making)
    if how.model is None:
        return path
    made = scratch / f"{how.kind}.h5"
    if made == path:
        made = scratch / "translated.h5"
    if how.model_kind == "embedder":
        # Loads torch, which pixels do not need.
        from gaitkit.stages.embed import embed

        embed(path, how.model, made, device=making.device, weights=how.weights)
    else:
        from gaitkit.stages.translate import translate

        translate(path, how.model, made, device=making.device, weights=how.weights)
    return made


def _kind_of(given: GeiInput) -> str:
    if given.source is not None:
        return "geis" if given.kind == "geis" else "frames"
    with open_artifact(given.path) as artifact:
        return artifact.kind


def _options_of(given: GeiInput, how: HowMade) -> SilhouetteOptions | None:
    """How the silhouettes of a gallery were made; those of a new one as its source suggests."""
    if given.source is None or given.kind != "frames":
        return None
    said = how.parameters.get("silhouettes")
    if isinstance(said, Mapping) and not are_ready_made(how.parameters):
        return SilhouetteOptions.from_parameters(said)
    return silhouettes_of(given.source)


def _silhouettes(given: GeiInput, how: HowMade, scratch: Path, making: Making) -> Path:
    out = scratch / "silhouettes.h5"
    options = _options_of(given, how)
    assert given.source is not None
    summary = normalize(
        given.source, out, options, workers=making.workers, progress=making.progress
    )
    _tell_dropped(given.path, summary.dropped)
    return out


def _geis(given: GeiInput, how: HowMade, scratch: Path, making: Making) -> Path:
    out = scratch / "gei.h5"
    said, section = how.parameters.get("gei"), how.parameters.get("silhouettes")
    average = GeiOptions()
    if isinstance(said, Mapping) and "source" not in said:
        average = GeiOptions.from_parameters(said)
    aligned = isinstance(given.source, Layout) and given.source.aligned
    if section is None and aligned and average.mirror == "track":
        # Silhouettes that are cut out and centred have no way across a picture.
        average = GeiOptions(mirror="none")
    if section is None and given.kind != "geis" and average.mirror == "track":
        _log.info(
            "Everybody is turned to walk to the right, here and where this gallery is searched "
            '(`mirror="track"`).'
        )
    size = None
    if given.kind == "geis" and isinstance(section, Mapping):
        height, width = section.get("height"), section.get("width")
        if isinstance(height, int) and isinstance(width, int):
            size = (height, width)
    summary = make_gei(
        given,
        out,
        _options_of(given, how),
        average,
        size=size,
        workers=making.workers,
        progress=making.progress,
    )
    _tell_dropped(given.path, summary.dropped)
    return out


def _tell_dropped(source: Path, dropped: Sequence[DroppedRow]) -> None:
    """Say which walks there is no answer for, or no place in the gallery, and why.

    What is made on the way is thrown away, and its table of what was dropped with it.
    """
    walks = [row for row in dropped if not row.frame]
    if not walks:
        return
    reasons = count_reasons(walks)["sequences"]
    first = walks[0]
    why = first.detail or REASONS[first.reason]
    _log.info(
        "%s: dropped sequences: %s. The first: %s, %s",
        printable(str(source), 200),
        ", ".join(f"{reason} {count:,}" for reason, count in reasons.items()),
        printable(str(first.key), 200),
        printable(why, 200),
    )
