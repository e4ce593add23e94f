"""What a model file records of its making: written and read here, keys included, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gaitkit.artifacts import Artifact
from gaitkit.errors import DamagedArtifactError

__all__ = ["Refit", "TrainingRecord", "recorded_options", "told_record"]


@dataclass(frozen=True)
class Refit:
    """What a second training, on everybody, was decided by.

    Attributes
    ----------
    held_out : list of str
        Whom the first one was scored on.
    iterations, validate_every : int
        How long the first one went on, and how often it was scored.
    best_step : int
        The iterations that scored highest, for which the second one went on.
    best_score : float
        Their score.
    """

    held_out: list[str]
    iterations: int
    validate_every: int
    best_step: int
    best_score: float


@dataclass(frozen=True)
class TrainingRecord:
    """How a model was made.

    What a file does not say, or says in a way that makes no sense, is `None`, or empty where a
    model can be used without it.

    Attributes
    ----------
    kind : str
        Kind of model, such as ``translator``.
    name : str
        Name of the model's class in the registry of its kind.
    config, options : dict or None
        Fields of its config, and of its options of training.
    subjects, held_out : list of str or None
        The training people, and those of them who were held out of learning.
    runtime : dict
        Device, precision, threads, mode and processes.
    preprocessing : dict or None
        How its input was made.
    refit : dict or None
        The fields of `Refit`, where the training was a second one.
    """

    kind: str
    name: str
    config: dict[str, Any] | None
    options: dict[str, Any] | None
    subjects: list[str] | None
    held_out: list[str] | None
    runtime: dict[str, Any]
    preprocessing: dict[str, Any] | None
    refit: dict[str, Any] | None = None

    def as_parameters(self) -> dict[str, Any]:
        """The parameters of the model's artefact."""
        parameters = {
            self.kind: {"name": self.name, "config": self.config},
            "training": {
                **(self.options or {}),
                "subjects": self.subjects,
                "held_out": self.held_out,
            },
            "runtime": self.runtime,
            "preprocessing": self.preprocessing,
        }
        return parameters if self.refit is None else {**parameters, "refit": self.refit}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], kind: str) -> Self:
        """The reverse of `as_parameters`, for the parameters of somebody's file."""
        model = _table(parameters.get(kind)) or {}
        training = recorded_options(parameters)
        refit = parameters.get("refit")
        return cls(
            kind,
            str(model.get("name", "")),
            _table(model.get("config")),
            training,
            _names(None if training is None else training.pop("subjects", None)),
            _names(None if training is None else training.pop("held_out", None)),
            _table(parameters.get("runtime")) or {},
            _table(parameters.get("preprocessing", {})),
            refit if isinstance(refit, dict) else None,
        )


def recorded_options(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the parameters of a model's artefact say of its options of training."""
    return _table(parameters.get("training"))


def told_record(artifact: Artifact, kind: str) -> TrainingRecord:
    """The record of a model that is open; raises `DamagedArtifactError` where it does not say."""
    record = TrainingRecord.from_parameters(artifact.parameters, kind)
    if record.config is None or record.options is None or record.subjects is None:
        raise DamagedArtifactError(f"{artifact.path} does not say how it was trained.")
    return record


def _table(value: object) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _names(value: object) -> list[str] | None:
    return [str(name) for name in value] if isinstance(value, list) else None
