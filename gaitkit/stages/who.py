"""The stage `who`: from a video or folder to names, as the gallery was made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gaitkit.arguments import as_path
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.recordings import Recordings
from gaitkit.identification.gallery import Answer, Identification
from gaitkit.identification.metrics import Metric
from gaitkit.parallel import Progress
from gaitkit.stages.alike import Making, how_made, input_of, made_alike
from gaitkit.stages.evaluate import COMPARED, artifact_path
from gaitkit.stages.identify import identify

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
    workers : int
        Processes that read frames; no influence on the result.
    device : str
        Where the model computes.
    progress : callable, optional
        Called with the number of finished units and their total.

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
    model = None if model is None else artifact_path(model, "who")
    with TemporaryDirectory(prefix="gaitkit-who-") as scratch:
        with open_artifact(gallery, COMPARED) as known:
            given = input_of(source, name="searched")
            how = how_made(known, model)
            made = made_alike(given, how, Path(scratch), Making(workers, device, progress))
        found = identify(
            made,
            gallery,
            top=top,
            metric=metric,
            threshold=threshold,
            fpir=fpir,
            calibration=calibration,
            explained=True,
            threads=threads,
        )
    files = isinstance(given.source, Recordings)
    return Found(found, labels_of(found.answers, files=files))


def labels_of(answers: tuple[Answer, ...], *, files: bool) -> tuple[str, ...]:
    """What to call each answer: of recordings that have no names the file, and which walk in it."""
    if not files:
        return tuple(answer.label for answer in answers)
    walks = Counter(answer.probe.subject for answer in answers)
    met: Counter[str] = Counter()
    labels = []
    for answer in answers:
        name = answer.probe.subject
        met[name] += 1
        labels.append(name if walks[name] == 1 else f"{name}, walk {met[name]}")
    return tuple(labels)
