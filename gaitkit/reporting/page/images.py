"""GEI artefacts that give a page its pictures, recognised by what the results were made from."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import InputRef, open_artifact
from gaitkit.errors import MixtureError
from gaitkit.labels import SequenceKey
from gaitkit.reporting.page.entries import Entry
from gaitkit.reporting.page.html import Html, tag

__all__ = ["GeiFile", "grey_image", "read_geis"]


@dataclass(frozen=True, eq=False)
class GeiFile:
    """The images of one artefact.

    Attributes
    ----------
    name : str
        File name.
    role : str
        ``measured`` or ``translated``.
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
    role: str
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
    files = [_read(path) for path in paths]
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
        return GeiFile(
            name=path.name,
            role="translated" if images.dtype.kind == "f" else "measured",
            content_sha256=artifact.content_sha256,
            version=artifact.gaitkit_version,
            inputs=artifact.inputs,
            images=images,
            rows={key: row for row, key in enumerate(artifact.labels.keys())},
        )


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
