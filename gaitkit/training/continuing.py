"""Going on with a training from a checkpoint or a finished model, and what is refused by name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import DeviceError, OptionError, OutputError
from gaitkit.training.loop import Training
from gaitkit.training.preprocessing import brief
from gaitkit.training.store import STATE_GROUPS, check_shapes, parameters_of, read_arrays

__all__ = [
    "CHECKPOINT",
    "REFIT_CHECKPOINT",
    "continue_from",
    "last_checkpoint_stays",
    "open_training",
    "resumable",
]

_log = logging.getLogger(__name__)

CHECKPOINT, REFIT_CHECKPOINT = "checkpoint.h5", "refit.h5"
"""Where a stopped training, and the refit that follows a validated one, stand."""


def resumable(output: Path, iterations: int, *, refit: bool) -> Path:
    """Check that a finished model can be trained on.

    Parameters
    ----------
    output : Path
        The model.
    iterations : int
        To reach in all.
    refit : bool
        Whether a refit is asked for.

    Returns
    -------
    Path
        The model.

    Raises
    ------
    OptionError
        It does not exist, has as many iterations already, or comes from a refit.
    """
    if not output.exists():
        raise OptionError(
            f"{output} does not exist: there is no finished training to resume.",
            hint="Leave --resume away; a stopped training continues by itself.",
        )
    with open_training(output) as artifact:
        training = artifact.parameters.get("training")
        done = training.get("iterations") if isinstance(training, Mapping) else None
        if refit or "refit" in artifact.parameters:
            raise OptionError(
                "A refit cannot be resumed: validation has chosen its number of iterations.",
                hint="Train anew with more --iterations, --refit and another output.",
            )
    if not isinstance(done, int) or iterations <= done:
        raise OptionError(
            f"{output} has been trained for {done} iterations, and {iterations} were asked for.",
            hint="Give the number to reach in all: --iterations MORE.",
        )
    return output


def open_training(source: Path) -> Artifact:
    """Open a checkpoint, or a finished model, which may be somebody else's."""
    return open_artifact(
        source,
        ("translator", "checkpoint"),
        guarded=source.name not in (CHECKPOINT, REFIT_CHECKPOINT),
    )


def continue_from(training: Training, source: Path, recorded: Mapping[str, Any]) -> None:
    """Take up a training where a file of it stands.

    Parameters
    ----------
    training : Training
        Not yet begun; its state is replaced.
    source : Path
        A checkpoint, or a finished model.
    recorded : mapping
        What its files record beside `parameters_of`.

    Raises
    ------
    OptionError
        The file is of another training; the message names the first option that differs.
    ArtifactError
        The file cannot be used.
    """
    with open_training(source) as artifact:
        wanted = _computation(parameters_of(training) | dict(recorded))
        found = _computation(artifact.parameters)
        wanted["input"] = ", ".join(filter(None, training.geis.digests()))
        found["input"] = ", ".join(given.content_sha256 for given in artifact.inputs)
        different = [name for name in wanted | found if wanted.get(name) != found.get(name)]
        if different:
            # An option before what follows from it.
            name = min(different, key=lambda name: (name == "training.held_out", name))
            raise OptionError(
                f"{source} is of another training: {name} was {brief(found.get(name))}, now "
                f"it is {brief(wanted.get(name))}.",
                hint="Give the options of that training to continue it, or train anew (--restart, "
                "or another output).",
            )
        check_shapes(artifact, type(training.translator), training.translator.config)
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


@contextmanager
def last_checkpoint_stays(checkpoint: Path) -> Iterator[None]:
    """Say, when the disk or the device fails, what is left and how to go on."""
    try:
        yield
    except (DeviceError, OutputError) as error:
        if checkpoint.exists():
            left = f"The last checkpoint, {checkpoint}, is whole: the same command continues."
        else:
            left = "There is no checkpoint yet: the same command begins again."
        cause = error.hint if isinstance(error, DeviceError) else "Free some space on its disk."
        raise type(error)(error.message, hint=f"{cause} {left}") from error
