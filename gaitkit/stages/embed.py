"""The stage `embed`: every GEI, or every sequence of silhouettes, becomes a vector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit._version import __version__
from gaitkit.arguments import as_path
from gaitkit.artifacts import (
    Artifact,
    ArtifactWriter,
    InputRef,
    Pieces,
    Provenance,
    open_artifact,
)
from gaitkit.embedders.base import Embedder, load_opened
from gaitkit.errors import ArtifactError
from gaitkit.outputs import Output
from gaitkit.parallel import Progress
from gaitkit.stages.finished import finished_artifact
from gaitkit.stages.train_embedding import refuse_other_input
from gaitkit.training.geis import preprocessing_of, refuse_other_preprocessing
from gaitkit.training.store import choose_weights

__all__ = ["embed"]


def embed(
    source: Path | str,
    model: Path | str,
    output: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """Embed every GEI of an artefact, or every sequence of silhouettes.

    Parameters
    ----------
    source : path-like
        GEIs or silhouettes, made as those that the model learned from.
    model : path-like
        An embedder artefact.
    output : path-like
        The artefact of embeddings. It carries the key columns and the dropped table of its input,
        and the names of everybody whom the model, or the translator that made its input, has seen.
    device, threads
        Where to compute.
    weights : {"best", "last"}, optional
        Of the model; by default the best ones where its training was validated.
    restart, overwrite : bool
        Discard finished pieces; replace a finished output.
    progress : callable, optional
        Called with the number of finished sequences and their total.

    Returns
    -------
    str
        The content digest.

    Raises
    ------
    MixtureError
        The input was made in another way than what the model learned.
    WrongKindError
        The model embeds another kind of artefact.
    OptionError
        The best weights are asked for, and the model has none.
    ArtifactError, OutputError
        A file cannot be used.
    """
    source, model = as_path(source, "source"), as_path(model, "model")
    with Output(output, overwrite=overwrite, inputs=[source, model]) as claim:
        with open_artifact(model, "embedder", guarded=True) as artifact:
            embedder = load_opened(artifact, device=device, threads=threads, weights=weights)
            model_ref: InputRef = artifact.ref()
            seen = artifact.trained_on
            chosen = choose_weights(artifact, weights)
        with open_artifact(source, ("gei", "silhouettes")) as opened:
            # The loaded class says what it reads; to have it read from the source takes longer.
            if opened.kind != embedder.reads:
                refuse_other_input(source, opened.kind, embedder.name)
            refuse_other_preprocessing(
                source,
                preprocessing_of(opened.parameters, translated=True),
                _image_size(opened),
                embedder.preprocessing,
                embedder.config.image_size,
            )
            described = {
                "name": embedder.name,
                "content_sha256": model_ref.content_sha256,
                "weights": chosen,
                "metric": embedder.config.metric,
            }
            parameters = {**opened.parameters, "embedder": described}
            refs = [opened.ref(), model_ref]
            if claim.taken:
                with finished_artifact(
                    claim, "embedding", parameters, refs, dataset=opened.dataset
                ) as found:
                    return found.content_sha256
            plan = {
                "stage": "embed",
                "version": __version__,
                "inputs": [opened.content_sha256, model_ref.content_sha256],
                "weights": chosen,
                "runtime": embedder.runtime.as_parameters(),
            }
            pieces = Pieces.of(claim.path, plan, restart=restart)
            count = 0
            total = len(opened.labels)
            for index, rows in enumerate(embedder.pieces_of(opened)):
                if not pieces.has(index):
                    pieces.save(index, {"vectors": embedder.embed_rows(opened, rows)})
                count += 1
                if progress:
                    progress(rows.stop, total)
            provenance = Provenance(
                "embedding", parameters, opened.dataset, None, refs, opened.ignored
            )
            with ArtifactWriter(claim, provenance) as writer:
                for block in _blocks(pieces, count, embedder):
                    if not np.isfinite(block).all():
                        raise ArtifactError(
                            f"{model} gives values that are not numbers.",
                            hint="Train it again; its weights are spoilt.",
                        )
                    writer.append("vectors", block)
                writer.append_labels(opened.labels)
                writer.append_dropped(opened.dropped)
                writer.write_trained_on(list(dict.fromkeys([*opened.trained_on, *seen])))
            pieces.discard()
            return writer.content_sha256


def _blocks(pieces: Pieces, count: int, embedder: Embedder[Any]) -> Iterator[NDArray[np.float32]]:
    if not count:
        yield np.empty((0, embedder.parts, embedder.config.values), dtype=np.float32)
    for index in range(count):
        yield pieces.load(index)["vectors"]


def _image_size(source: Artifact) -> tuple[int, int]:
    shape = source.shape("gei" if source.kind == "gei" else "frames")
    return shape[1], shape[2]
