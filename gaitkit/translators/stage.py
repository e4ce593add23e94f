"""The stages `train-gan` and `translate`, over artefacts."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from gaitkit._version import __version__
from gaitkit.artifacts import (
    Artifact,
    ArtifactWriter,
    InputRef,
    Pieces,
    Provenance,
    free_to_write,
    open_artifact,
)
from gaitkit.errors import ArtifactError, OptionError, StoppedError, TrainingError
from gaitkit.labels import Labels
from gaitkit.parallel import Progress
from gaitkit.translators.geis import GeiSet, refuse_translated
from gaitkit.translators.preprocessing import preprocessing_of, refuse_other_preprocessing
from gaitkit.translators.registry import translator_class
from gaitkit.translators.store import STATE_GROUPS, load, parameters_of, read_arrays, save_training
from gaitkit.translators.training import Callbacks, Training, TrainingOptions

__all__ = ["train", "translate"]

_log = logging.getLogger(__name__)

_GEIS_PER_PIECE = 1024


def train(
    geis: Path,
    output: Path,
    *,
    subjects: Sequence[str],
    system: str = "gaitgan",
    config: Mapping[str, Any] | None = None,
    options: TrainingOptions | None = None,
    device: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
    callbacks: Callbacks | None = None,
    restart: bool = False,
    overwrite: bool = False,
) -> str:
    """Train a translator; continue where an earlier run of the same training stopped.

    Parameters
    ----------
    geis : Path
        Measured GEIs.
    output : Path
        The translator artefact. Checkpoints are kept in ``name.h5.parts/`` until it is whole.
    subjects : sequence of str
        The training people; nobody else is seen.
    system : str
        A name of `gaitkit.translators.registry`.
    config : mapping, optional
        Settings of the networks and optimisers; the image size comes from the GEIs.
    options : TrainingOptions, optional
        How long and on what to train.
    device, precision, threads
        See `gaitkit.translators.runtime.Runtime`. Without `threads`, a continued training takes
        those of its checkpoint.
    callbacks : Callbacks, optional
        Progress, samples, and the request to stop; its `on_checkpoint` is set here.
    restart, overwrite : bool
        Discard a checkpoint; replace a finished output.

    Returns
    -------
    str
        The content digest.

    Raises
    ------
    StoppedError
        A stop was requested; the checkpoint is written.
    OptionError
        An option that changes the computation differs from the checkpoint's.
    TrainingError
        Nobody can be trained on, or a loss is not a finite number.
    ArtifactError, OutputError
        The input, the checkpoint or the output cannot be used.
    """
    free_to_write(output, overwrite=overwrite)
    options = options or TrainingOptions()
    learned = GeiSet.open(geis).of_subjects(subjects)
    if not len(learned):
        raise TrainingError(f"None of the training people is in {geis}.")
    folder = output.with_name(output.name + ".parts")
    checkpoint = folder / "checkpoint.h5"
    if restart:
        shutil.rmtree(folder, ignore_errors=True)
    if threads is None and checkpoint.exists():
        threads = _threads_of(checkpoint)
    chosen = translator_class(system)
    settings = chosen.config_class.from_parameters(
        {**(config or {}), "image_size": learned.image_size}
    )
    translator = chosen(
        settings, seed=options.seed, device=device, precision=precision, threads=threads
    )
    training = Training(translator, learned, options)
    if checkpoint.exists():
        _continue(training, checkpoint)
    folder.mkdir(exist_ok=True)

    def save(running: Training) -> None:
        save_training(running, checkpoint, kind="checkpoint", overwrite=True)

    if not training.run(replace(callbacks or Callbacks(), on_checkpoint=save)):
        raise StoppedError(
            f"Stopped after {training.step:,} of {options.iterations:,} iterations; the "
            f"checkpoint is {checkpoint}.",
            hint="Give the same command again to continue.",
        )
    digest = save_training(training, output, kind="translator", overwrite=overwrite)
    shutil.rmtree(folder, ignore_errors=True)
    return digest


def _threads_of(checkpoint: Path) -> int | None:
    with open_artifact(checkpoint, "checkpoint") as artifact:
        found = artifact.parameters.get("runtime", {}).get("threads")
        return found if isinstance(found, int) else None


def _continue(training: Training, checkpoint: Path) -> None:
    """Take up a checkpoint of the same training; refuse one of another by name."""
    with open_artifact(checkpoint, "checkpoint") as artifact:
        wanted = _computation(parameters_of(training))
        found = _computation(artifact.parameters)
        wanted["input"] = training.geis.content_sha256
        found["input"] = artifact.inputs[0].content_sha256 if artifact.inputs else ""
        different = [name for name in sorted(wanted | found) if wanted.get(name) != found.get(name)]
        if different:
            name = different[0]
            raise OptionError(
                f"{checkpoint} is of another training: {name} was {_brief(found.get(name))}, now "
                f"it is {_brief(wanted.get(name))}.",
                hint="Give the options of that training to continue it, or add --restart.",
            )
        training.load_arrays(read_arrays(artifact, STATE_GROUPS))
    _log.info("continuing after iteration %d", training.step)


def _computation(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters that change the computation, flattened; more iterations may be asked for."""
    flat: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= _computation(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "training.iterations":
            flat[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def translate(
    geis: Path,
    model: Path,
    output: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """Translate every GEI of an artefact, those of the target view included.

    Parameters
    ----------
    geis : Path
        Measured GEIs, made as those that the model learned from.
    model : Path
        A translator artefact.
    output : Path
        The artefact of translated GEIs: float32, 0 to 255, not rounded. It carries the key columns
        and the dropped table of its input, and the names of everybody whom the model has seen.
    device, threads
        Where to compute.
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
    ArtifactError, OutputError
        A file cannot be used.
    """
    free_to_write(output, overwrite=overwrite)
    translator = load(model, device=device, threads=threads)
    with open_artifact(model, "translator", verified=True) as artifact:
        model_ref: InputRef = artifact.ref()
        seen = artifact.trained_on
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
        described = {"name": translator.name, "content_sha256": model_ref.content_sha256}
        parameters = {**source.parameters, "translator": described}
        plan = {
            "stage": "translate",
            "version": __version__,
            "inputs": [source.content_sha256, model_ref.content_sha256],
            "runtime": translator.runtime.as_parameters(),
        }
        pieces = Pieces.of(output, plan, restart=restart)
        starts = range(0, total, _GEIS_PER_PIECE)
        for index, start in enumerate(starts):
            if not pieces.has(index):
                block = source.read_rows("gei", start, start + _GEIS_PER_PIECE)
                pieces.save(index, {"gei": translator.translate(block)})
            if progress:
                progress(min(start + _GEIS_PER_PIECE, total), total)
        provenance = Provenance(
            "gei", parameters, source.dataset, None, [source.ref(), model_ref], source.ignored
        )
        with ArtifactWriter(output, provenance, overwrite=overwrite) as writer:
            for index in range(len(starts)):
                block = pieces.load(index)["gei"]
                if not np.isfinite(block).all():
                    raise ArtifactError(
                        f"{model} gives values that are not numbers.",
                        hint="Train it again; its weights are spoilt.",
                    )
                writer.append("gei", block)
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
