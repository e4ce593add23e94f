"""`gaitkit export`: an artefact for other programs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gaitkit.cli import console, options
from gaitkit.cli.selection import selection
from gaitkit.errors import OptionError
from gaitkit.printable import counted

if TYPE_CHECKING:
    from gaitkit.artifacts import Artifact

_MODELS = {"translator": "gaitkit.translators.onnx", "embedder": "gaitkit.embedders.onnx"}
"""Kinds of models, and where each becomes an ONNX file."""

_FILES = {".csv", ".h5", ".hdf5", ".jpeg", ".jpg", ".npy", ".pkl", ".png", ".tar", ".zip"}
"""What a folder is not called, unless by mistake."""


@click.command("export", short_help="Write images, vectors or a model for other programs.")
@click.argument("artifact", type=options.INPUT_FILE)
@click.option(
    "-o",
    "--output",
    type=options.FILE_OR_FOLDER,
    required=True,
    help="Of images: a folder for PNGs by CASIA-B name, or a file that ends in .npz. Of an "
    "embedding: a file that ends in .npz or .csv. Of a model: a file that ends in .onnx.",
)
@selection
@click.option(
    "--format",
    "folder_format",
    type=click.Choice(["png", "opengait"]),
    help="What a folder of silhouettes is written as: a PNG for each, or OpenGait's pickles, "
    "001/nm-01/090/090.pkl.  [default: png]",
)
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    help="Which weights of a model.  [default: the best, where its training was validated]",
)
@options.overwrite
@options.verbosity
def command(
    artifact: Path,
    output: Path,
    subjects: tuple[str, ...],
    conditions: tuple[str, ...],
    views: tuple[float, ...],
    folder_format: Literal["png", "opengait"] | None,
    weights: str | None,
    overwrite: bool,
) -> None:
    """Write GEIs or silhouettes as PNGs or .npz, vectors as .npz or CSV, a model as ONNX.

    GEIs become OUTPUT/001/nm-01/001-nm-01-090.png, silhouettes
    OUTPUT/001/nm-01/090/001-nm-01-090-001.png: folders that gaitkit make-gei reads again. So are
    OpenGait's pickles, which OpenGait reads, too: OUTPUT/001/nm-01/090/090.pkl.

    The vectors of an embedding become one array (n, parts, values) beside its key columns, which
    gaitkit embed --from reads again, or a line of CSV each.

    A translator's ONNX file takes and gives GEIs as float32 of shape (n, height, width), grey
    values 0..255. An embedder's takes those, or silhouettes of shape (n, frames, height, width),
    and gives vectors of shape (n, parts, values). How the images must be made is in its metadata.
    """
    from gaitkit.artifacts import open_artifact

    chosen, wrote = (subjects, conditions, views), console.writing(output)
    kinds = ("gei", "silhouettes", "embedding", *_MODELS)
    with open_artifact(artifact, kinds, guarded=True) as opened:
        kind = opened.kind
        _refuse_what_does_not_fit(kind, output, any(chosen), weights)
        if kind == "embedding":
            if folder_format is not None:
                raise OptionError("--format is that of images; these are vectors.")
            _export_vectors(opened, output, chosen, overwrite=overwrite)
            return
        if folder_format is not None and output.suffix in (".npz", ".onnx"):
            raise OptionError(f"--format is that of a folder; {output} is a file.")
        if kind not in _MODELS:
            _export_images(
                opened, output, chosen, format=folder_format or "png", overwrite=overwrite
            )
            return
    export_onnx = importlib.import_module(_MODELS[kind]).export_onnx
    export_onnx(artifact, output, weights=weights, overwrite=overwrite)
    wrote(".")


def _refuse_what_does_not_fit(kind: str, output: Path, chosen: bool, weights: str | None) -> None:
    if kind in _MODELS:
        if chosen:
            raise OptionError("--subject, --condition and --view choose images; this is a model.")
        if output.suffix != ".onnx":
            raise OptionError(f"A model becomes a file that ends in .onnx, not {output}.")
    elif weights is not None:
        what = "vectors" if kind == "embedding" else "images"
        raise OptionError(f"--weights chooses those of a model; these are {what}.")
    elif kind == "embedding" and output.suffix not in (".npz", ".csv"):
        raise OptionError(f"Vectors become a file that ends in .npz or .csv, not {output}.")
    elif kind != "embedding" and output.suffix.lower() in _FILES:
        raise OptionError(
            f"Images become a folder or a file that ends in .npz, not {output}.",
            hint=f"Name the folder otherwise, such as {output.with_suffix('')}/.",
        )
    elif output.suffix == ".onnx":
        from gaitkit.artifacts.schema import KINDS

        raise OptionError(
            f"The artefact holds {KINDS[kind][0]}, and only a model can be written as ONNX.",
            hint="Type -o FOLDER/ to have its images as PNGs, or -o FILE.npz as one array.",
        )


def _export_vectors(
    opened: Artifact,
    output: Path,
    chosen: tuple[tuple[str, ...], tuple[str, ...], tuple[float, ...]],
    *,
    overwrite: bool,
) -> None:
    from gaitkit.cli.selection import choose
    from gaitkit.reporting.export import export_csv, export_npz

    wrote = console.writing(output)
    rows = choose(opened.labels, *chosen)
    write = export_npz if output.suffix == ".npz" else export_csv
    write(opened, rows, output, overwrite=overwrite)
    wrote(f": {counted(len(rows), 'sequence')}.")


def _export_images(
    opened: Artifact,
    output: Path,
    chosen: tuple[tuple[str, ...], tuple[str, ...], tuple[float, ...]],
    *,
    format: Literal["png", "opengait"],
    overwrite: bool,
) -> None:
    from gaitkit.cli.selection import choose
    from gaitkit.reporting.export import export_folder, export_npz

    wrote = console.writing(output)
    rows = choose(opened.labels, *chosen)
    if output.suffix == ".npz":
        export_npz(opened, rows, output, overwrite=overwrite)
        wrote(f": {counted(len(rows), 'sequence')}.")
    else:
        count = export_folder(opened, rows, output, format=format, overwrite=overwrite)
        wrote(f": {counted(count, 'image')}.")
