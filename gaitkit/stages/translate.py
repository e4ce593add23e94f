"""The stage `translate`, over artefacts; `gaitkit.stages.train` is `train-gan`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

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
from gaitkit.errors import ArtifactError
from gaitkit.labels import Labels
from gaitkit.outputs import Output
from gaitkit.parallel import Progress
from gaitkit.stages.finished import finished_artifact
from gaitkit.training.geis import (
    preprocessing_of,
    refuse_other_preprocessing,
    refuse_translated,
)
from gaitkit.training.store import choose_weights
from gaitkit.translators.aim import USUAL_TARGET, Aim, trained_target
from gaitkit.translators.base import load_opened
from gaitkit.translators.recipes import recipe_of

__all__ = ["translate"]

_GEIS_PER_PIECE = 1024
_EMBEDDING = "features/embedding"


def translate(
    geis: Path | str,
    model: Path | str,
    output: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
    aim: Aim | None = None,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """Translate every GEI of an artefact, those of the target view included.

    Parameters
    ----------
    geis : path-like
        Measured GEIs, made as those that the model learned from.
    model : path-like
        A translator artefact.
    output : path-like
        The artefact of translated GEIs: float32, 0 to 255, not rounded. It carries the key columns
        and the dropped table of its input, and the names of everybody whom the model has seen. A
        system's own feature of each GEI is its column ``features/embedding``.
    device, threads
        Where to compute.
    weights : {"best", "last"}, optional
        Of the model; by default the best ones where its training was validated.
    aim : Aim, optional
        What to show instead of the target's view and condition, where the system can.
    restart, overwrite : bool
        Discard finished pieces; replace a finished output.
    progress : callable, optional
        Called with the number of finished GEIs and their total.

    Returns
    -------
    str
        The content digest.

    Raises
    ------
    MixtureError
        The GEIs are translated ones, or were made in another way than those the model learned.
    OptionError
        The best weights are asked for, and the model has none, or it cannot show `aim`.
    ArtifactError, OutputError
        A file cannot be used.
    """
    geis, model = as_path(geis, "geis"), as_path(model, "model")
    with Output(output, overwrite=overwrite, inputs=[geis, model]) as claim:
        return _translate(
            geis,
            model,
            claim,
            device=device,
            threads=threads,
            weights=weights,
            aim=aim or Aim(),
            restart=restart,
            progress=progress,
        )


def _translate(
    geis: Path,
    model: Path,
    claim: Output,
    *,
    device: str,
    threads: int | None,
    weights: str | None,
    aim: Aim,
    restart: bool,
    progress: Progress | None,
) -> str:
    with open_artifact(model, "translator", guarded=True) as artifact:
        translator = load_opened(artifact, device=device, threads=threads, weights=weights)
        model_ref: InputRef = artifact.ref()
        seen = artifact.trained_on
        target = trained_target(artifact.parameters)
        chosen = choose_weights(artifact, weights)
    translator.check_aim(aim)
    # What is asked for, and for the rest what the model was trained to show.
    shown = Aim(
        target[0] if aim.view is None else aim.view,
        target[1] if aim.condition is None else aim.condition,
        aim.strength,
    )
    embeds = "embedding" in translator.offers
    with open_artifact(geis, "gei") as source:
        refuse_translated(geis, source.parameters, source.dtype("gei"))
        total, height, width = source.shape("gei")
        refuse_other_preprocessing(
            geis,
            preprocessing_of(source.parameters),
            (height, width),
            translator.preprocessing,
            translator.config.image_size,
        )
        described = {
            "name": translator.name,
            "mode": translator.config.mode,
            "content_sha256": model_ref.content_sha256,
            "weights": chosen,
        }
        recipe = recipe_of(translator.name, translator.config)
        described |= {"recipe": recipe} if recipe else {}
        described |= {} if target == USUAL_TARGET else {"target": list(target)}
        described |= {} if shown == Aim(*USUAL_TARGET) else {"aim": vars(shown)}
        parameters = {**source.parameters, "translator": described}
        refs = [source.ref(), model_ref]
        if claim.taken:
            with finished_artifact(
                claim, "gei", parameters, refs, dataset=source.dataset
            ) as artifact:
                return artifact.content_sha256
        plan = {
            "stage": "translate",
            "version": __version__,
            "inputs": [source.content_sha256, model_ref.content_sha256],
            "weights": chosen,
            "aim": vars(shown),
            "runtime": translator.runtime.as_parameters(),
        }
        pieces = Pieces.of(claim.path, plan, restart=restart)
        starts = range(0, total, _GEIS_PER_PIECE)
        for index, start in enumerate(starts):
            if not pieces.has(index):
                block = source.read_rows("gei", start, start + _GEIS_PER_PIECE)
                made = {"gei": translator.translate(block, aim)}
                pieces.save(index, made | ({_EMBEDDING: translator.embed(block)} if embeds else {}))
            if progress:
                progress(min(start + _GEIS_PER_PIECE, total), total)
        provenance = Provenance("gei", parameters, source.dataset, None, refs, source.ignored)
        with ArtifactWriter(claim, provenance) as writer:
            for index in range(len(starts)):
                for name, block in pieces.load(index).items():
                    if not np.isfinite(block).all():
                        raise ArtifactError(
                            f"{model} gives values that are not numbers.",
                            hint="Train it again; its weights are spoilt.",
                        )
                    writer.append(name, block)
            for name in _columns_of(source):
                writer.write(name, source.read(name))
            writer.append_labels(source.labels)
            writer.append_dropped(source.dropped)
            writer.write_trained_on([*source.trained_on, *seen])
    pieces.discard()
    return writer.content_sha256


def _columns_of(source: Artifact) -> list[str]:
    """What a GEI artefact says of each sequence beside its image and its key."""
    others = {"gei", *(item.name for item in fields(Labels))}
    return [name for name in source.names() if "/" not in name and name not in others]
