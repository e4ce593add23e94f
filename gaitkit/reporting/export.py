"""Images and vectors for other programs: PNGs by CASIA-B name, OpenGait's pickles, npz, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import KINDS, Artifact
from gaitkit.artifacts.embeddings import VECTORS
from gaitkit.datasets.pickled import pickled_array
from gaitkit.errors import OptionError, OutputError
from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.outputs import FolderOutput, Output
from gaitkit.printable import printable
from gaitkit.reporting.sheet import grey_picture

__all__ = ["FORMATS", "FolderFormat", "export_csv", "export_folder", "export_npz"]

FolderFormat = Literal["png", "opengait"]
FORMATS: tuple[FolderFormat, ...] = ("png", "opengait")
"""What a folder is written as: an image in each file, or all silhouettes of a sequence in one."""


class _File(NamedTuple):
    path: Path
    content: NDArray[np.uint8]
    images: int


def export_npz(
    artifact: Artifact, chosen: NDArray[np.intp], output: str | Path, *, overwrite: bool
) -> None:
    """Write images or vectors and key columns as one compressed npz, readable without pickle.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``gei``, ``silhouettes`` or ``embedding``.
    chosen : ndarray of int, shape (n,)
        Rows to write.
    output : str or Path
        The file.
    overwrite : bool
        Replace another file of that name; an equal one is left in any case.

    Raises
    ------
    OutputError
        The file exists or cannot be written.
    """
    claim = Output(
        output,
        overwrite=overwrite,
        inputs=[artifact.path],
        other_than_artefact=("arrays", "arrays.npz"),
    )
    labels = artifact.labels.select(chosen)
    columns: dict[str, NDArray[Any]] = {
        "subject": labels.subject.astype(np.str_),
        "condition": labels.condition.astype(np.str_),
        "take": labels.take,
        "view": labels.view,
    }
    if artifact.kind == "embedding":
        # How they lie is said, for whoever reads them back.
        columns |= {VECTORS: artifact.read(VECTORS)[chosen], "axes": np.array("npc")}
    elif artifact.kind == "gei":
        columns["gei"] = artifact.read("gei")[chosen]
    else:
        lengths = artifact.read("length")[chosen]
        starts = artifact.read("start")[chosen]
        spans = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        columns["frames"] = np.concatenate([artifact.read_rows("frames", *span) for span in spans])
        columns["length"] = lengths
        columns["start"] = np.cumsum(lengths) - lengths
    with claim, claim.writing() as file:
        np.savez_compressed(file, allow_pickle=False, **columns)


def export_csv(
    artifact: Artifact, chosen: NDArray[np.intp], output: str | Path, *, overwrite: bool
) -> None:
    """Write vectors as a table: a line per sequence, its key and then its values, part after part.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``embedding``.
    chosen, output, overwrite
        As in `export_npz`.

    Raises
    ------
    OutputError
        The file exists or cannot be written.
    """
    claim = Output(
        output,
        overwrite=overwrite,
        inputs=[artifact.path],
        other_than_artefact=("a table in CSV", "vectors.csv"),
    )
    _, parts, values = artifact.shape(VECTORS)
    names = [f"part{part}_{value}" for part in range(parts) for value in range(values)]
    with claim, claim.writing() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["subject", "condition", "take", "view", *names])
        for row in chosen.tolist():
            key = artifact.labels.key(row)
            view = "" if key.view is None else f"{key.view:g}"
            vector = artifact.read_rows(VECTORS, row, row + 1).ravel()
            # As float32 writes itself, shortest: reading it back gives the same number.
            numbers = [str(value) for value in vector]
            writer.writerow(
                [printable(key.subject), printable(key.condition), key.take, view, *numbers]
            )
        text.detach()


def export_folder(
    artifact: Artifact,
    chosen: NDArray[np.intp],
    output: str | Path,
    *,
    overwrite: bool,
    format: FolderFormat = "png",
) -> int:
    """Write images by CASIA-B name into a new folder, which appears when it is complete.

    Parameters
    ----------
    artifact, chosen
        As in `export_npz`.
    output : str or Path
        The folder; it must not exist, be empty, or hold the same images, unless `overwrite`.
    overwrite : bool
        Replace a folder that an export made, with nothing else in it.
    format : {"png", "opengait"}
        ``001/nm-01/090/001-nm-01-090-001.png``, or all silhouettes of a sequence as one pickled
        array of uint8 (frames, height, width), ``001/nm-01/090/090.pkl``, which OpenGait reads.

    Returns
    -------
    int
        The number of images.

    Raises
    ------
    OptionError
        GEIs as OpenGait's pickles, which are of silhouettes.
    OutputError
        The folder exists or cannot be written, or a label cannot be a folder's name.
    """
    if format == "opengait" and artifact.kind != "silhouettes":
        raise OptionError(
            f"OpenGait's pickles are of silhouettes; {artifact.path} holds "
            f"{KINDS[artifact.kind][0]}.",
            hint="gaitkit normalize makes silhouettes of frames.",
        )
    files, write = (_images, _write_png) if format == "png" else (_arrays, _write_pickle)
    claim = FolderOutput(
        output, mark=".gaitkit-export", overwrite=overwrite, inputs=[artifact.path]
    )
    count = 0
    with claim, claim.filling() as folder:
        for file in files(artifact, chosen):
            target = folder / file.path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                write(target, file.content)
            except OSError as error:
                raise OutputError(
                    f"{claim.path} cannot be written: {error.strerror or error}.",
                    hint="What was there before is as it was. Check the free space of its disk, "
                    "then give the same command again.",
                ) from error
            count += file.images
    return count


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, format="PNG")


def _write_pickle(path: Path, frames: NDArray[np.uint8]) -> None:
    with path.open("wb") as file:
        file.writelines(pickled_array(frames))


def _arrays(artifact: Artifact, chosen: NDArray[np.intp]) -> Iterator[_File]:
    labels, starts, lengths = artifact.labels, artifact.read("start"), artifact.read("length")
    for row in chosen:
        key = labels.key(int(row))
        start, length = int(starts[row]), int(lengths[row])
        view = format_view(key.view)
        frames = artifact.read_rows("frames", start, start + length)
        yield _File(_name(key)[0] / view / f"{view}.pkl", frames, length)


def _images(artifact: Artifact, chosen: NDArray[np.intp]) -> Iterator[_File]:
    labels = artifact.labels
    silhouettes = artifact.kind == "silhouettes"
    starts = artifact.read("start") if silhouettes else None
    lengths = artifact.read("length") if silhouettes else None
    for row in chosen:
        key = labels.key(int(row))
        folder, stem = _name(key)
        if starts is None or lengths is None:
            image = artifact.read_rows("gei", int(row), int(row) + 1)[0]
            yield _File(folder / f"{stem}.png", grey_picture(image), 1)
            continue
        start = int(starts[row])
        frames = artifact.read_rows("frames", start, start + int(lengths[row]))
        for number, frame in enumerate(frames, start=1):
            path = folder / format_view(key.view) / f"{stem}-{number:03d}.png"
            yield _File(path, frame, 1)


def _name(key: SequenceKey) -> tuple[Path, str]:
    sequence = sequence_name(key.condition, key.take)
    for text in (key.subject, sequence):
        if text in ("", ".", "..") or any(mark in text for mark in "/\\\0"):
            raise OutputError(f"{text!r} cannot be the name of a folder; choose other sequences.")
    return Path(key.subject) / sequence, f"{key.subject}-{sequence}-{format_view(key.view)}"
