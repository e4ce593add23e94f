"""The stage `import_embedding`: somebody else's vectors become an `embedding` artefact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from gaitkit.arguments import as_path, check_name
from gaitkit.artifacts import ArtifactWriter, Provenance
from gaitkit.artifacts.embeddings import ELSEWHERE, VECTORS, EmbedderInfo
from gaitkit.datasets.naming import clean_text
from gaitkit.datasets.vectors import AXES, read_vectors
from gaitkit.identification.metrics import get_metric
from gaitkit.outputs import Output
from gaitkit.stages.finished import refuse_unlike

__all__ = ["import_embedding"]

_log = logging.getLogger(__name__)

_ROWS = 1024
_LONGEST_NAME = 40


def import_embedding(
    path: Path | str,
    output: Path | str,
    *,
    array: str | None = None,
    axes: str | None = None,
    metric: str | None = None,
    name: str = ELSEWHERE,
    dataset: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make an `embedding` artefact of vectors in an npz.

    Nobody knows whom the model behind them was trained on; results say so.

    Parameters
    ----------
    path : path-like
        The npz; see `gaitkit.datasets.vectors`.
    output : path-like
        The artefact.
    array, axes : str, optional
        Where the vectors are and how they lie, see `gaitkit.datasets.vectors.read_vectors`.
    metric : str, optional
        By which the vectors are compared; by default ``parts`` where they have three axes, else
        Euclid's.
    name : str
        What to call the embedder.
    dataset : str, optional
        Name of the data set; by default that of the file. People of one name in one data set are
        the same.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    dict
        ``sequences``, ``subjects``, ``parts``, ``values``, ``metric``, ``array``, ``axes``,
        ``trained_on`` (``unknown``) and ``content_sha256``.

    Raises
    ------
    DatasetError
        The file lacks something, or holds what no embedding can hold.
    OptionError
        An unknown name, or `axes` must be given.
    OutputError
        The artefact cannot be written, or there is one of other vectors; one of these very vectors
        is left as it is.
    """
    path = as_path(path)
    check_name(name, "the name of an embedder")
    chosen = None if metric is None else get_metric(metric).name
    called = dataset or clean_text(path.stem)
    check_name(called, "the name of a data set")
    with Output(output, overwrite=overwrite, inputs=[path]) as claim:
        if claim.taken:
            refuse_unlike(claim, "embedding", [])  # Of vectors from elsewhere.
        given = read_vectors(path, array=array, axes=axes)
        count, parts, values = given.vectors.shape
        chosen = chosen or ("parts" if given.axes else "euclidean")
        if given.axes and axes is None:
            _log.info(
                "%s: %s is read as %s, %d parts of %d values; `axes=%r` reads it the other way",
                path,
                given.array,
                AXES[given.axes],
                parts,
                values,
                "ncp" if given.axes == "npc" else "npc",
            )
        embedder = EmbedderInfo(name[:_LONGEST_NAME], metric=chosen, known=False)
        provenance = Provenance("embedding", {"embedder": embedder.as_parameters()}, called)
        with ArtifactWriter(claim, provenance) as writer:
            for start in range(0, count, _ROWS):
                writer.append(VECTORS, given.vectors[start : start + _ROWS])
            writer.append_labels(given.labels)
            writer.append_dropped([])
            writer.write_trained_on([])
    return {
        "sequences": count,
        "subjects": len(given.labels.subjects()),
        "parts": parts,
        "values": values,
        "metric": chosen,
        "array": given.array,
        "axes": given.axes,
        "trained_on": "unknown",
        "content_sha256": writer.content_sha256,
    }
