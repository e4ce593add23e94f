"""Images for other programs: PNGs by CASIA-B name, or one npz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.errors import OutputError
from gaitkit.labels import SequenceKey, format_view, sequence_name
from gaitkit.outputs import FolderOutput, Output
from gaitkit.reporting.sheet import grey_picture

__all__ = ["export_folder", "export_npz"]


def export_npz(
    artifact: Artifact, chosen: NDArray[np.intp], output: str | Path, *, overwrite: bool
) -> None:
    """Write images and key columns as one compressed npz, readable without pickle.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``gei`` or ``silhouettes``.
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
    claim = Output(output, overwrite=overwrite, inputs=[artifact.path])
    labels = artifact.labels.select(chosen)
    columns: dict[str, NDArray[Any]] = {
        "subject": labels.subject.astype(np.str_),
        "condition": labels.condition.astype(np.str_),
        "take": labels.take,
        "view": labels.view,
    }
    if artifact.kind == "gei":
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


def export_folder(
    artifact: Artifact, chosen: NDArray[np.intp], output: str | Path, *, overwrite: bool
) -> int:
    """Write PNGs by CASIA-B name into a new folder, which appears when it is complete.

    Parameters
    ----------
    artifact, chosen
        As in `export_npz`.
    output : str or Path
        The folder; it must not exist, be empty, or hold the same images, unless `overwrite`.
    overwrite : bool
        Replace a folder that an export made, with nothing else in it.

    Returns
    -------
    int
        The number of images.

    Raises
    ------
    OutputError
        The folder exists or cannot be written, or a label cannot be a folder's name.
    """
    claim = FolderOutput(
        output, mark=".gaitkit-export", overwrite=overwrite, inputs=[artifact.path]
    )
    count = 0
    with claim, claim.filling() as folder:
        for path, image in _images(artifact, chosen):
            target = folder / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write_png(target, image)
            except OSError as error:
                raise OutputError(
                    f"{claim.path} cannot be written: {error.strerror or error}."
                ) from error
            count += 1
    return count


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, format="PNG")


def _images(
    artifact: Artifact, chosen: NDArray[np.intp]
) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    labels = artifact.labels
    silhouettes = artifact.kind == "silhouettes"
    starts = artifact.read("start") if silhouettes else None
    lengths = artifact.read("length") if silhouettes else None
    for row in chosen:
        key = labels.key(int(row))
        folder, stem = _name(key)
        if starts is None or lengths is None:
            image = artifact.read_rows("gei", int(row), int(row) + 1)[0]
            yield folder / f"{stem}.png", grey_picture(image)
            continue
        start = int(starts[row])
        frames = artifact.read_rows("frames", start, start + int(lengths[row]))
        for number, frame in enumerate(frames, start=1):
            yield folder / format_view(key.view) / f"{stem}-{number:03d}.png", frame


def _name(key: SequenceKey) -> tuple[Path, str]:
    sequence = sequence_name(key.condition, key.take)
    for text in (key.subject, sequence):
        if text in ("", ".", "..") or any(mark in text for mark in "/\\\0"):
            raise OutputError(f"{text!r} cannot be the name of a folder; choose other sequences.")
    return Path(key.subject) / sequence, f"{key.subject}-{sequence}-{format_view(key.view)}"
