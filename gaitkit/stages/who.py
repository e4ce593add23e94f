"""The stage `who`: from a video or folder to names, as the gallery was made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from gaitkit.arguments import as_path
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.recordings import Recordings, is_video
from gaitkit.errors import OptionError, called_as
from gaitkit.identification.gallery import Answer, Identification
from gaitkit.identification.metrics import Metric
from gaitkit.outputs import scratch_folder
from gaitkit.parallel import Progress
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.stages.alike import Making, how_made, input_of, made_alike, segment_options
from gaitkit.stages.annotate import annotate_masks, annotate_people, masks_of
from gaitkit.stages.drawn import free_video
from gaitkit.stages.evaluate import COMPARED, artifact_path
from gaitkit.stages.identify import identify, refuse_search

__all__ = ["Found", "who"]


class Found(NamedTuple):
    """Who was seen.

    Attributes
    ----------
    identification : Identification
        An answer for each track or probe.
    labels : tuple of str
        What to call each: the name of its file, or its key.
    """

    identification: Identification
    labels: tuple[str, ...]


def who(
    source: Path | str,
    gallery: Path | str,
    *,
    model: Path | str | None = None,
    top: int = 5,
    metric: Metric | str | None = None,
    threshold: float | None = None,
    fpir: float | None = None,
    calibration: Path | str | None = None,
    segmenter: str | SegmentOptions = "background",
    any_segmenter: bool = False,
    annotate: Path | str | None = None,
    overwrite: bool = False,
    workers: int = 1,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Found:
    """Who is it: make of a recording what the gallery holds, and search it there.

    Nothing is kept of what is made on the way.

    Parameters
    ----------
    source : path-like
        Whatever `make_gei` takes: a video, a folder of videos, a data set, an archive, a manifest,
        silhouettes; or GEIs or embeddings that were made as the gallery's.
    gallery : path-like
        Known people: a `gei` or `embedding` artefact.
    model : path-like, optional
        The embedder or translator that the gallery was made with; its digest is compared.
    top, metric, threshold, fpir, calibration, threads
        As for `gaitkit.stages.identify.identify`.
    segmenter : str or SegmentOptions
        How people are found in videos that are not of masks: ``background``, or the file of a
        network; or that, and which part of the videos is looked at, and how they are turned.
    any_segmenter : bool
        Compare masks of different segmenters, too.
    annotate : path-like, optional
        The video to write, ``.mp4`` or ``.avi``, with a box, a name and a distance at each person.
    overwrite : bool
        Replace an existing `annotate`.
    workers : int
        Processes that read frames; no influence on the result.
    device : str
        Where the model computes.
    progress : callable, optional
        Called with the number of finished sequences and their total.

    Returns
    -------
    Found

    Raises
    ------
    MixtureError
        The recording cannot be made as the gallery was, or the model is another one.
    OptionError
        A value is outside its range; a model is needed; the gallery has too few people for the
        rate.
    DatasetError
        The source cannot be read, or has no walk that can be used.
    ProtocolError, ArtifactError
        As for `identify`.

    Examples
    --------
    >>> who("door.mp4", "colleagues.h5", fpir=0.2).identification.names  # doctest: +SKIP
    ['alice', None]
    """
    source, gallery = as_path(source, "source"), artifact_path(gallery, "who")
    if annotate is not None:
        if not is_video(source):
            raise OptionError("`annotate` draws on a video, and `source` is none.")
        annotate = as_path(annotate, "annotate")
        free_video(annotate, "annotate", [source, gallery], overwrite=overwrite)
    model = None if model is None else artifact_path(model, "who")
    calibration = None if calibration is None else as_path(calibration, "calibration")
    options = segment_options(segmenter)
    with scratch_folder("who") as scratch:
        with open_artifact(gallery, COMPARED) as known:
            refuse_search(
                known,
                top=top,
                metric=metric,
                threshold=threshold,
                fpir=fpir,
                calibration=calibration,
            )
            given = input_of(source, name="searched", segmenter=options)
            masks = None
            if annotate is not None:
                masks = masks_of(given, scratch)
                given = given if masks is None else input_of(masks, name="searched")
            how = how_made(known, model)
            made = made_alike(given, how, scratch, Making(workers, device, progress))
        with called_as({made: source}):
            found = identify(
                made,
                gallery,
                top=top,
                metric=metric,
                threshold=threshold,
                fpir=fpir,
                calibration=calibration,
                explained=True,
                any_segmenter=any_segmenter,
                threads=threads,
            )
        if annotate is not None and masks is not None:
            annotate_people(source, masks, found.answers, annotate, options, overwrite=overwrite)
        elif annotate is not None:
            annotate_masks(source, found.answers, annotate, overwrite=overwrite)
    if is_video(source):
        return Found(found, labels_of(found.answers, called=source.name))
    return Found(found, labels_of(found.answers, files=isinstance(given.source, Recordings)))


def labels_of(
    answers: tuple[Answer, ...], *, files: bool = False, called: str = ""
) -> tuple[str, ...]:
    """What to call each answer: of recordings that have no names the file, and which walk in it."""
    if not files and not called:
        return tuple(answer.label for answer in answers)
    walks = Counter(called or answer.probe.subject for answer in answers)
    met: Counter[str] = Counter()
    labels = []
    for answer in answers:
        name = called or answer.probe.subject
        met[name] += 1
        labels.append(name if walks[name] == 1 else f"{name}, walk {met[name]}")
    return tuple(labels)
