"""Models and trainings in files: written, read, checked first, and gone on from.

A file holds plain arrays and numbers. What it records of its making is in
`gaitkit.training.record`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import (
    KINDS,
    Artifact,
    InputRef,
    TrainedOn,
    open_artifact,
    write_artifact,
)
from gaitkit.artifacts.schema import brief
from gaitkit.errors import (
    DamagedArtifactError,
    DeviceError,
    OptionError,
    OutputError,
    TrainingError,
    WrongKindError,
)
from gaitkit.outputs import Output
from gaitkit.printable import counted
from gaitkit.training.config import FORM, FORMER, FORMER_HINT
from gaitkit.training.history import History
from gaitkit.training.record import Refit, TrainingRecord, told_record
from gaitkit.training.registry import ModelKind
from gaitkit.training.state import BEST, check_weights

if TYPE_CHECKING:
    from gaitkit.training.loop import Training
    from gaitkit.training.model import Model

__all__ = [
    "CHECKPOINT",
    "HISTORY_GROUPS",
    "REFIT_CHECKPOINT",
    "STATE_GROUPS",
    "check_shapes",
    "choose_weights",
    "config_of",
    "continue_from",
    "last_checkpoint_stays",
    "load",
    "load_history",
    "load_opened",
    "open_training",
    "read_arrays",
    "record_of",
    "recorded_model",
    "refuse_resuming",
    "save",
    "save_training",
    "training_summary",
]

_log = logging.getLogger(__name__)

CHECKPOINT, REFIT_CHECKPOINT = "checkpoint.h5", "refit.h5"
"""Where a stopped training, and the refit that follows a validated one, stand."""

HISTORY_GROUPS = ("history/", "validation/", "samples/")
"""Where a model keeps how its training went."""

STATE_GROUPS = ("weights/", "optimizer/", "random/", BEST, "step", *HISTORY_GROUPS)
"""Where a checkpoint keeps what a training goes on from."""

BEST_WEIGHTS = f"{BEST}weights/"

_ROOM = "Check the free space of its disk and the permissions of its folder."


def record_of(training: Training, refit: Refit | None = None) -> TrainingRecord:
    """What the files of a training record of it."""
    model = training.model
    return TrainingRecord(
        model.kind.name,
        model.name,
        model.config.as_parameters(),
        training.options.as_parameters(),
        training.data.labels.subjects(),
        list(training.held_out),
        model.runtime.as_parameters(),
        dict(model.preprocessing),
        None if refit is None else dict(vars(refit)),
    )


def save_training(
    training: Training,
    path: Path | Output,
    *,
    finished: bool,
    refit: Refit | None = None,
    overwrite: bool = False,
) -> str:
    """Write a training: finished as an artefact of its model's kind, else as a checkpoint.

    Parameters
    ----------
    training : Training
        Running or not.
    path : Path or Output
        The file, or the claim on it that the caller holds.
    finished : bool
        Which of the two.
    refit : Refit, optional
        What decided it, where it is a second training.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    str
        The content digest.
    """
    data = training.data
    return write_artifact(
        path,
        kind=training.model.kind.name if finished else "checkpoint",
        # In a fixed order: a continued training's optimisers list their states in another one.
        arrays=dict(sorted(training.arrays().items())),
        parameters=record_of(training, refit).as_parameters(),
        dataset=data.dataset,
        seed=training.options.seed,
        inputs=[InputRef(data.kind, sha) for sha in data.digests() if sha],
        # In this order, and each once: what made the images may have seen the same people.
        trained_on=list(dict.fromkeys([*_seen_by(training), *data.seen])),
        overwrite=overwrite,
    )


def _seen_by(training: Training) -> Iterator[TrainedOn]:
    for role, names in (
        ("training", training.sampler.subjects),
        ("validation", training.held_out),
    ):
        for name in names:
            yield TrainedOn(*training.data.origin_of(name), role)


def save(model: Model[Any], path: Path, *, overwrite: bool = False) -> None:
    """Write a model that `fit` has trained.

    Raises
    ------
    TrainingError
        When it has not been trained.
    OutputError
        When the file exists or cannot be written.
    """
    if model.training is None:
        raise TrainingError(
            f"Only a trained {model.kind.name} can be saved.",
            hint="Call fit(geis) before save(path).",
        )
    save_training(model.training, path, finished=True, overwrite=overwrite)


def config_of(artifact: Artifact, kind: ModelKind) -> tuple[type[Model[Any]], Any]:
    """The class and the settings that a model file names, bounded and checked.

    Raises
    ------
    DamagedArtifactError
        When they are missing, unknown or out of bounds.
    """
    record = TrainingRecord.from_parameters(artifact.parameters, kind.name)
    try:
        if record.config is None:
            raise ValueError("no settings")
        found = kind.class_of(record.name)
        return found, found.config_class.of_file(record.config)
    except (KeyError, TypeError, ValueError, OptionError) as error:
        reason = error.message if isinstance(error, OptionError) else "its settings are malformed"
        raise DamagedArtifactError(
            f"{artifact.path} is not a model that this gaitkit can use: {reason[:300]}.",
            hint="Train it again, or use the version of gaitkit that made it.",
        ) from error


def recorded_model(path: Path | str, kind: ModelKind) -> TrainingRecord:
    """How a model was trained that can be trained on: its settings are those of a system here.

    Raises
    ------
    ArtifactError
        The file is damaged, of another kind, does not say, or is no model of this gaitkit.
    """
    with open_artifact(path, kind.name, guarded=True) as artifact:
        record = told_record(artifact, kind.name)
        config_of(artifact, kind)
    return record


def check_shapes(artifact: Artifact, model: type[Model[Any]], config: Any) -> None:
    """Compare the file's weights with the config's networks before either is allocated."""
    found = {name: artifact.shape(name) for name in artifact.names("weights/")}
    with _file_named(artifact.path):
        check_weights(model.expected_shapes(config), found)
    for name in artifact.names(BEST_WEIGHTS):
        if found.get(name.removeprefix(BEST)) != artifact.shape(name):
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
            hint="Use its last ones, or train with `validation_subjects`.",
        )
    return "last"


def load(
    path: Path | str,
    kind: ModelKind,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Model[Any]:
    """Read a model to apply it.

    Parameters
    ----------
    path : path-like
        A model's artefact, one's own or somebody else's: only arrays and numbers are read, in
        a child process (see `gaitkit.artifacts.guard`).
    kind : ModelKind
        Which kind of model it has to be.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    threads : int, optional
        Threads of one operation on the CPU.
    weights : {"best", "last"}, optional
        Those that scored highest on held-out people, or those at the end; by default the best
        ones where the training was validated. Only the networks that are used in the end have
        best ones.

    Raises
    ------
    ArtifactError
        When the file is damaged, of another kind, or no model of this gaitkit.
    OptionError
        When the best weights are asked for, and there are none.
    """
    with open_artifact(path, kind=kind.name, guarded=True) as artifact:
        return load_opened(artifact, kind, device=device, threads=threads, weights=weights)


def load_opened(
    artifact: Artifact,
    kind: ModelKind,
    *,
    device: str = "auto",
    threads: int | None = None,
    weights: str | None = None,
) -> Model[Any]:
    """`load`, from an artefact that is open (guarded) because more of it is needed."""
    found, config = config_of(artifact, kind)
    check_shapes(artifact, found, config)
    best = choose_weights(artifact, weights) == "best"
    model = found(config, device=device, threads=threads)
    arrays = read_arrays(artifact, ("weights/", BEST_WEIGHTS) if best else ("weights/",))
    for name in [name for name in arrays if name.startswith(BEST_WEIGHTS)]:
        arrays[name.removeprefix(BEST)] = arrays.pop(name)
    with _file_named(artifact.path):
        model.load_state_arrays(arrays)
    model.steps_done = _whole_number(artifact, f"{BEST}step" if best else "step")
    preprocessing = TrainingRecord.from_parameters(artifact.parameters, kind.name).preprocessing
    if preprocessing is None:
        raise DamagedArtifactError(f"{artifact.path} does not say how its input was made.")
    model.preprocessing = preprocessing
    return model


def load_history(path: Path | str) -> History:
    """Read the losses, scores and samples of a model or of a checkpoint.

    Raises
    ------
    ArtifactError
        The file is damaged, or holds no model.
    """
    with open_artifact(path, guarded=True) as artifact:
        if not artifact.names("weights/"):
            raise WrongKindError(
                f"{path} holds {KINDS[artifact.kind][0]}, not a trained model.",
                hint="Only models and checkpoints have a history. gaitkit inspect says what this "
                "file holds.",
            )
        with _file_named(artifact.path):
            return History.from_arrays(read_arrays(artifact, HISTORY_GROUPS))


@contextmanager
def _file_named(path: Path) -> Iterator[None]:
    """Whatever is wrong with arrays is wrong with the file that they were read from."""
    try:
        yield
    except DamagedArtifactError as error:
        for nameless in ("The model", "The checkpoint"):
            if error.message.startswith(nameless):
                told = f"{path}{error.message.removeprefix(nameless)}"
                raise DamagedArtifactError(told, hint=error.hint) from error
        raise


def _whole_number(artifact: Artifact, name: str) -> int:
    if artifact.shape(name) != () or artifact.dtype(name).kind not in "iu":
        raise _malformed(artifact, f"the array {name} must be one whole number")
    number = int(np.asarray(artifact.read(name)))
    if number < 0:
        raise _malformed(artifact, f"the array {name} must be 0 or more, got {number}")
    return number


def _malformed(artifact: Artifact, what: str) -> DamagedArtifactError:
    return DamagedArtifactError(
        f"{artifact.path} is not a well-formed model: {what}.",
        hint="Train it again.",
    )


def refuse_resuming(output: Path, kind: ModelKind, iterations: int, *, refit: bool) -> None:
    """Refuse to train a finished model on where that is not possible.

    Parameters
    ----------
    output : Path
        The model.
    kind : ModelKind
        What it has to be.
    iterations : int
        To reach in all.
    refit : bool
        Whether a refit is asked for.

    Raises
    ------
    OptionError
        It does not exist, has as many iterations already, or comes from a refit.
    """
    if not output.exists():
        raise OptionError(
            f"{output} does not exist: there is no finished training to resume.",
            hint="Leave `resume=True` away; a stopped training continues by itself.",
        )
    with open_training(output, kind) as artifact:
        record = TrainingRecord.from_parameters(artifact.parameters, kind.name)
    done = (record.options or {}).get("iterations")
    if refit or record.refit is not None:
        raise OptionError(
            "A refit cannot be resumed: validation has chosen its number of iterations.",
            hint="Train anew with more `iterations`, `refit=True` and another output.",
        )
    if not isinstance(done, int):
        raise OptionError(
            f"{output} does not tell for how many iterations it has been trained.",
            hint="Train anew, with another output.",
        )
    if iterations <= done:
        raise OptionError(
            f"{output} has been trained for {counted(done, 'iteration')}, and "
            f"{counted(iterations, 'was', 'were')} asked for.",
            hint="Give the number to reach in all: `iterations=MORE`.",
        )


def open_training(source: Path, kind: ModelKind) -> Artifact:
    """Open a checkpoint, or a finished model, which may be somebody else's."""
    return open_artifact(
        source,
        (kind.name, "checkpoint"),
        guarded=source.name not in (CHECKPOINT, REFIT_CHECKPOINT),
    )


def continue_from(training: Training, source: Path, refit: Refit | None) -> None:
    """Take up a training where a file of it stands.

    Parameters
    ----------
    training : Training
        Not yet begun; its state is replaced.
    source : Path
        A checkpoint, or a finished model.
    refit : Refit or None
        What decided the training, where it is a second one.

    Raises
    ------
    OptionError
        The file is of another training; the message names the first option that differs.
    ArtifactError
        The file cannot be used.
    """
    with open_training(source, training.model.kind) as artifact:
        wanted = _computation(record_of(training, refit).as_parameters())
        kind = training.model.kind.name
        record = TrainingRecord.from_parameters(artifact.parameters, kind)
        told = dict(artifact.parameters)
        if record.name == training.model.name and record.config is not None:
            config = training.model.config.told_in_full(record.config)
            told[kind] = {"name": record.name, "config": config}
        found = _computation(told)
        wanted["input"] = ", ".join(filter(None, training.data.digests()))
        found["input"] = ", ".join(given.content_sha256 for given in artifact.inputs)
        different = [name for name in wanted | found if wanted.get(name) != found.get(name)]
        if f"{kind}.config.{FORM}" in different:
            raise OptionError(f"{source}: {FORMER}", hint=FORMER_HINT)
        if different:
            # An option before what follows from it.
            name = min(different, key=lambda name: (name == "training.held_out", name))
            raise OptionError(
                f"{source} is of another training: {name} was {brief(found.get(name))}, now "
                f"it is {brief(wanted.get(name))}.",
                hint="Give the options of that training to continue it, or train anew "
                "(`restart=True`, or another output).",
            )
        check_shapes(artifact, type(training.model), training.model.config)
        with _file_named(artifact.path):
            training.load_arrays(read_arrays(artifact, STATE_GROUPS))
    _log.info("continuing after iteration %s", f"{training.step:,}")


def _computation(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters that change the computation, flattened; more iterations may be asked for."""
    flat: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= _computation(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "training.iterations":
            flat[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return flat


@contextmanager
def last_checkpoint_stays(checkpoint: Path) -> Iterator[None]:
    """Say, when the disk or the device fails, what is left and how to go on.

    The folder of a checkpoint that there is not yet is removed, whatever fails.
    """
    try:
        yield
    except BaseException as error:
        if checkpoint.exists():
            left = f"The last checkpoint, {checkpoint}, is whole: the same command continues."
        else:
            left = "There is no checkpoint yet: the same command begins again."
            with suppress(OSError):
                checkpoint.parent.rmdir()  # Where nothing is kept in it.
        if not isinstance(error, DeviceError | OutputError):
            raise
        cause = error.hint if isinstance(error, DeviceError) else _ROOM
        raise type(error)(error.message, hint=f"{cause} {left}") from error


def training_summary(path: Path, kind: ModelKind) -> dict[str, Any]:
    """How a training went.

    Parameters
    ----------
    path : Path
        A model's artefact.
    kind : ModelKind
        What it has to be.

    Returns
    -------
    dict
        JSON-able: ``iterations``; ``last``, the last losses and health by name (`None` where a
        value is no number); ``validation``, `None` or the people held out, the step, score and
        rates of the best weights and the score of the last ones, per cent; ``refit``, `None` or
        what the training on everybody that followed was decided by.
    """
    with open_artifact(path, kind.name, guarded=True) as artifact:
        record = told_record(artifact, kind.name)
        with _file_named(artifact.path):
            history = History.from_arrays(read_arrays(artifact, HISTORY_GROUPS))
    return {
        "iterations": (record.options or {}).get("iterations"),
        "last": {name: _number(value) for name, value in _last_values(history).items()},
        "validation": _validation(history, record.held_out),
        "refit": record.refit,
    }


def _last_values(history: History) -> dict[str, float]:
    rows = history.losses[-1:] or [[]]
    return history.window_means() or dict(zip(history.names, rows[0], strict=False))


def _validation(history: History, held_out: object) -> dict[str, Any] | None:
    if not history.validation_steps:
        return None
    scores = history.validation_scores
    best = scores.index(max(scores))
    rates = zip(history.validation_conditions, history.validation_rates[best], strict=True)
    return {
        "subjects": held_out,
        "best_step": history.validation_steps[best],
        "best_score": _number(scores[best]),
        "best_rates": {name: _number(rate) for name, rate in rates},
        "last_score": _number(scores[-1]),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
