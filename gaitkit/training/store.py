"""Translators in files: plain arrays and numbers, checked before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, TrainedOn, open_artifact, write_artifact
from gaitkit.artifacts.schema import InputRef
from gaitkit.errors import DamagedArtifactError, OptionError, TrainingError
from gaitkit.training.history import History
from gaitkit.training.loop import Training
from gaitkit.training.state import check_weights
from gaitkit.translators.base import Translator
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.registry import translator_class

__all__ = [
    "STATE_GROUPS",
    "check_shapes",
    "choose_weights",
    "config_of",
    "load",
    "load_history",
    "load_opened",
    "parameters_of",
    "read_arrays",
    "save",
    "save_training",
]

HISTORY_GROUPS = ("history/", "validation/", "samples/")
"""Where a translator keeps how it was trained."""

STATE_GROUPS = ("weights/", "optimizer/", "random/", "best/", "step", *HISTORY_GROUPS)
"""Where a checkpoint keeps what a training goes on from."""

BEST_WEIGHTS = "best/weights/"


def parameters_of(training: Training) -> dict[str, Any]:
    """The parameters of a translator artefact: system, config, options, arithmetic, input."""
    translator = training.translator
    return {
        "translator": {"name": translator.name, "config": translator.config.as_parameters()},
        "training": training.options.as_parameters()
        | {"subjects": training.geis.labels.subjects(), "held_out": list(training.held_out)},
        "runtime": translator.runtime.as_parameters(),
        "preprocessing": dict(translator.preprocessing),
    }


def save_training(
    training: Training,
    path: Path,
    *,
    kind: str,
    parameters: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> str:
    """Write a training: finished as kind ``translator``, unfinished as ``checkpoint``.

    Parameters
    ----------
    training : Training
        Running or not.
    path : Path
        The file.
    kind : {"translator", "checkpoint"}
        What it is.
    parameters : mapping, optional
        Parameters beside those of `parameters_of`.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    str
        The content digest.
    """
    geis = training.geis
    inputs = [InputRef("gei", sha) for sha in geis.digests() if sha]
    return write_artifact(
        path,
        kind=kind,
        # In a fixed order: a continued training's optimisers list their states in another one.
        arrays=dict(sorted(training.arrays().items())),
        parameters=parameters_of(training) | dict(parameters or {}),
        dataset=geis.dataset,
        seed=training.options.seed,
        inputs=inputs,
        trained_on=[
            TrainedOn(*geis.origin_of(name), role)
            for role, names in (
                ("training", training.sampler.subjects),
                ("validation", training.held_out),
            )
            for name in names
        ],
        overwrite=overwrite,
    )


def save(translator: Translator[Any], path: Path, *, overwrite: bool = False) -> None:
    """Write a translator that `fit` has trained.

    Raises
    ------
    TrainingError
        When it has not been trained.
    OutputError
        When the file exists or cannot be written.
    """
    if translator.training is None:
        raise TrainingError(
            "Only a trained translator can be saved.", hint="Call fit(geis) before save(path)."
        )
    save_training(translator.training, path, kind="translator", overwrite=overwrite)


def config_of(artifact: Artifact) -> tuple[type[Translator[Any]], TranslatorConfig]:
    """The system and the settings that a model file names, bounded and checked.

    Raises
    ------
    DamagedArtifactError
        When they are missing, unknown or out of bounds.
    """
    try:
        described = artifact.parameters["translator"]
        system = translator_class(str(described["name"]))
        return system, system.config_class.from_parameters(dict(described["config"]))
    except (KeyError, TypeError, ValueError, OptionError) as error:
        reason = error.message if isinstance(error, OptionError) else "its settings are malformed"
        raise DamagedArtifactError(
            f"{artifact.path} is not a model that this gaitkit can use: {reason[:300]}.",
            hint="Train it again, or use the version of gaitkit that made it.",
        ) from error


def check_shapes(
    artifact: Artifact, system: type[Translator[Any]], config: TranslatorConfig
) -> None:
    """Compare the file's weights with the config's networks before either is allocated."""
    found = {name: artifact.shape(name) for name in artifact.names("weights/")}
    check_weights(system.expected_shapes(config), found)
    for name in artifact.names(BEST_WEIGHTS):
        if found.get(name.removeprefix("best/")) != artifact.shape(name):
            raise _malformed(artifact, f"the array {name} has the shape of no weight")


def read_arrays(artifact: Artifact, prefixes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Arrays of some groups; each is at most as large as the weights that were checked."""
    weights = {artifact.shape(name) for name in artifact.names("weights/")}
    arrays = {}
    for name in artifact.names():
        if not name.startswith(prefixes):
            continue
        if name.startswith("optimizer/") and artifact.shape(name) not in weights | {()}:
            raise _malformed(artifact, f"the array {name} has the shape of no weight")
        arrays[name] = artifact.read(name)
    return arrays


def choose_weights(artifact: Artifact, weights: str | None) -> str:
    """Which weights of a model are to be used: ``best`` or ``last``.

    Parameters
    ----------
    artifact : Artifact
        The model.
    weights : {"best", "last"} or None
        What is asked for; `None` takes the best ones where the training was validated.

    Raises
    ------
    OptionError
        The best ones are asked for, and the model has none.
    """
    if weights not in (None, "best", "last"):
        raise OptionError(f"weights must be best or last, got {weights!r}")
    if artifact.names(BEST_WEIGHTS):
        return weights or "best"
    if weights == "best":
        raise OptionError(
            f"{artifact.path} has no best weights: its training was not validated.",
            hint="Use its last ones, or train with --validation-subjects.",
        )
    return "last"


def load(
    path: Path | str,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Translator[Any]:
    """Read a translator for translating.

    Parameters
    ----------
    path : path-like
        A translator artefact, one's own or somebody else's: only arrays and numbers are read, in
        a child process (see `gaitkit.artifacts.guard`).
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    threads : int, optional
        Threads of one operation on the CPU.
    weights : {"best", "last"}, optional
        Those that scored highest on held-out people, or those at the end; by default the best
        ones where the training was validated. Only the networks that translate have best ones.

    Raises
    ------
    ArtifactError
        When the file is damaged, of another kind, or no model of this gaitkit.
    OptionError
        When the best weights are asked for, and there are none.
    """
    with open_artifact(path, kind="translator", guarded=True) as artifact:
        return load_opened(artifact, device=device, threads=threads, weights=weights)


def load_opened(
    artifact: Artifact,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Translator[Any]:
    """`load`, from an artefact that is open (guarded) because more of it is needed."""
    system, config = config_of(artifact)
    check_shapes(artifact, system, config)
    best = choose_weights(artifact, weights) == "best"
    translator = system(config, device=device, threads=threads)
    arrays = read_arrays(artifact, ("weights/", BEST_WEIGHTS) if best else ("weights/",))
    for name in [name for name in arrays if name.startswith(BEST_WEIGHTS)]:
        arrays[name.removeprefix("best/")] = arrays.pop(name)
    translator.load_state_arrays(arrays)
    translator.steps_done = _whole_number(artifact, "best/step" if best else "step")
    preprocessing = artifact.parameters.get("preprocessing", {})
    if not isinstance(preprocessing, Mapping):
        raise DamagedArtifactError(f"{artifact.path} does not say how its GEIs were made.")
    translator.preprocessing = dict(preprocessing)
    return translator


def load_history(path: Path | str) -> History:
    """Read the losses, scores and samples of a translator or of a checkpoint."""
    with open_artifact(path, kind=("translator", "checkpoint"), guarded=True) as artifact:
        return History.from_arrays(read_arrays(artifact, HISTORY_GROUPS))


def _whole_number(artifact: Artifact, name: str) -> int:
    if artifact.shape(name) != () or artifact.dtype(name).kind not in "iu":
        raise DamagedArtifactError(f"{artifact.path}: the array {name} must be one number.")
    return int(np.asarray(artifact.read(name)))


def _malformed(artifact: Artifact, what: str) -> DamagedArtifactError:
    return DamagedArtifactError(
        f"{artifact.path} is not a well-formed model: {what}.",
        hint="Train it again with gaitkit train-gan.",
    )
