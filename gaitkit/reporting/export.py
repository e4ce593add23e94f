"""Images for other programs: PNGs by CASIA-B name, or one npz."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, free_to_write
from gaitkit.aside import written_aside
from gaitkit.errors import OutputError, OutputExistsError
from gaitkit.labels import SequenceKey, format_view, sequence_name
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
        Replace an existing file.

    Raises
    ------
    OutputError
        The file exists or cannot be written.
    """
    output = Path(output)
    free_to_write(output, overwrite=overwrite)
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
    with written_aside(output) as aside, aside.open("wb") as file:
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
        The folder; it must not exist, or be empty, unless `overwrite`.
    overwrite : bool
        Replace an existing folder that an export made.

    Returns
    -------
    int
        The number of images.

    Raises
    ------
    OutputError
        The folder exists or cannot be written, or a label cannot be a folder's name.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; expected a folder, or a name that ends in .npz.")
    marker = ".gaitkit-export"
    if output.is_dir() and any(output.iterdir()):
        if not overwrite:
            raise OutputExistsError(
                f"{output} exists and is not empty.",
                hint="Add `overwrite=True` to replace it, or give another name.",
            )
        if not (output / marker).is_file():
            # A wrong -o must never cost somebody a folder of their own.
            raise OutputError(
                f"{output} was not made by gaitkit export; it is not replaced.",
                hint="Give another name, or remove the folder yourself.",
            )
    aside = output.with_name(f".{output.name}.partial")
    count = 0
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        (aside / marker).touch()
        for path, image in _images(artifact, chosen):
            target = aside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_png(target, image)
            count += 1
        if output.is_dir():
            shutil.rmtree(output)
        os.replace(aside, output)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from error
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
