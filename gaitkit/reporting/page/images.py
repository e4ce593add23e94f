"""GEI artefacts that give a page its pictures, recognised by what the results were made from."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import InputRef, open_artifact
from gaitkit.errors import MixtureError
from gaitkit.labels import SequenceKey
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag
from gaitkit.reporting.page.systems import Translation, translation_of

__all__ = ["GeiFile", "grey_image", "read_geis", "true_image"]


@dataclass(frozen=True, eq=False)
class GeiFile:
    """The images of one artefact.

    Attributes
    ----------
    name : str
        File name.
    title : str
        For people: ``measured``, or by which translator, each title once.
    translation : Translation or None
        How they were made from measured ones; `None` where they are measured.
    content_sha256, version : str
        Root attributes.
    inputs : sequence of InputRef
        What they were made from.
    images : ndarray, shape (n, height, width)
        0 to 255.
    rows : dict of SequenceKey to int
        Where each sequence is.
    """

    name: str
    title: str
    translation: Translation | None
    content_sha256: str
    version: str
    inputs: Sequence[InputRef]
    images: NDArray[Any]
    rows: dict[SequenceKey, int]

    @property
    def ref(self) -> InputRef:
        """How artefacts made from this one name it."""
        return InputRef("gei", self.content_sha256)

    def image(self, key: SequenceKey | None) -> NDArray[np.uint8] | None:
        """One sequence's GEI; `None` where there is none."""
        if key is None or key not in self.rows:
            return None
        image = self.images[self.rows[key]]
        grey: NDArray[np.uint8] = np.clip(np.rint(np.nan_to_num(image)), 0, 255).astype(np.uint8)
        return grey


def read_geis(paths: Sequence[Path], entries: Sequence[Entry]) -> list[GeiFile]:
    """Read images and check that the results were made from them.

    Parameters
    ----------
    paths : sequence of Path
        GEI artefacts in any order: what was evaluated, what that was translated from, or
        translations of it.
    entries : sequence of Entry
        The page's results.

    Returns
    -------
    list of GeiFile

    Raises
    ------
    MixtureError
        An artefact has nothing to do with the results.
    ArtifactError
        It cannot be used.
    """
    files = _told_apart([_read(path) for path in paths])
    evaluated = {ref for entry in entries for ref in entry.file.inputs}
    behind = {ref for file in files if file.ref in evaluated for ref in file.inputs}
    for path, file in zip(paths, files, strict=True):
        if file.ref not in evaluated | behind and not evaluated & set(file.inputs):
            raise MixtureError(
                f"{path} is not what these results were made from: its content digest begins "
                f"with {file.content_sha256[:12]}, theirs were made from "
                f"{', '.join(sorted(ref.content_sha256[:12] for ref in evaluated))}.",
                hint="Give the GEI artefacts that were evaluated, and with them the measured ones "
                "behind translated ones, or the other way round.",
            )
    return files


def _read(path: Path) -> GeiFile:
    with open_artifact(path, kind="gei", guarded=True) as artifact:
        images = artifact.read("gei")
        translation = translation_of(artifact.parameters)
        if translation is None and images.dtype.kind == "f":
            translation = Translation("translated")
        return GeiFile(
            name=path.name,
            title="measured" if translation is None else translation.title,
            translation=translation,
            content_sha256=artifact.content_sha256,
            version=artifact.gaitkit_version,
            inputs=artifact.inputs,
            images=images,
            rows={key: row for row, key in enumerate(artifact.labels.keys())},
        )


def _told_apart(files: Sequence[GeiFile]) -> list[GeiFile]:
    """Add the files' names to titles that several of them have."""
    titles = [file.title for file in files]
    return [
        replace(file, title=f"{file.title} ({Path(file.name).stem})")
        if titles.count(file.title) > 1
        else file
        for file in files
    ]


def true_image(
    key: SequenceKey, files: Sequence[GeiFile], view: float, condition: str
) -> NDArray[np.uint8] | None:
    """The person's first other measured walk of a view and condition."""
    for file in files:
        if file.translation is not None:
            continue
        walks = sorted(
            other
            for other in file.rows
            if (other.subject, other.condition, other.view) == (key.subject, condition, view)
            and other != key
        )
        if walks:
            return file.image(walks[0])
    return None


def grey_image(image: NDArray[np.uint8], alt: str) -> Html:
    """An inline picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Grey.
    alt : str
        What it shows, for those who do not see it.
    """
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image).save(out, format="PNG", optimize=True)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    height, width = image.shape
    return tag("img", src=f"data:image/png;base64,{data}", alt=alt, width=width, height=height)
