"""What a model file says of its own training: how it was asked for, and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import DamagedArtifactError
from gaitkit.training.history import History
from gaitkit.training.options import TrainingOptions
from gaitkit.training.store import load_history

__all__ = ["RecordedTraining", "recorded_training", "training_summary"]


@dataclass(frozen=True)
class RecordedTraining:
    """How a finished training was asked for.

    Attributes
    ----------
    system : str
        A name of `gaitkit.translators.registry`.
    config, options : dict
        Fields of the system's config, and of `TrainingOptions`.
    subjects : tuple of str
        The training people, those held out among them.
    """

    system: str
    config: dict[str, Any]
    options: dict[str, Any]
    subjects: tuple[str, ...]


def recorded_training(path: Path) -> RecordedTraining:
    """Read how a model was trained, to train it on in the same way.

    Raises
    ------
    ArtifactError
        The file is damaged, of another kind, or does not say.
    """
    with open_artifact(path, "translator", guarded=True) as artifact:
        translator = _table(artifact, artifact.parameters.get("translator"))
        training = _table(artifact, artifact.parameters.get("training"))
        config = _table(artifact, translator.get("config"))
        names = {item.name for item in fields(TrainingOptions)}
        people = training.get("subjects")
        if not isinstance(people, list):
            raise _silent(artifact)
        return RecordedTraining(
            str(translator.get("name")),
            config,
            {name: value for name, value in training.items() if name in names},
            tuple(map(str, people)),
        )


def _table(artifact: Artifact, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _silent(artifact)
    return dict(value)


def _silent(artifact: Artifact) -> DamagedArtifactError:
    return DamagedArtifactError(f"{artifact.path} does not say how it was trained.")


def training_summary(path: Path) -> dict[str, Any]:
    """How a training went.

    Parameters
    ----------
    path : Path
        A translator artefact.

    Returns
    -------
    dict
        JSON-able: ``iterations``; ``last``, the last losses and health by name (`None` where a
        value is no number); ``validation``, `None` or the people held out, the step, score and
        rates of the best weights and the score of the last ones, per cent; ``refit``, `None` or
        what the training on everybody that followed was decided by.
    """
    with open_artifact(path, "translator", guarded=True) as artifact:
        training = _table(artifact, artifact.parameters.get("training"))
        refit = artifact.parameters.get("refit")
    history = load_history(path)
    return {
        "iterations": training.get("iterations"),
        "last": {name: _number(value) for name, value in _last_values(history).items()},
        "validation": _validation(history, training.get("held_out")),
        "refit": refit,
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
