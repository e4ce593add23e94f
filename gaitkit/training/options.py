"""How a model is trained: the options that all kinds of models share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, ClassVar, Self

from gaitkit.errors import OptionError, did_you_mean

__all__ = ["TrainingOptions"]


@dataclass(frozen=True)
class TrainingOptions:
    """How long to train and how often to look; a kind of model may add options of its own.

    Attributes
    ----------
    iterations : int
        Training steps in all. More may be added to a finished training.
    batch_size : int
        Examples in a batch.
    seed : int
        Of the starting weights and of the draws.
    log_every : int
        Steps between rows of the history, each the mean loss over them.
    sample_every : int
        Steps between samples of what the model makes.
    sample_count : int
        Examples among the samples.
    validation_subjects : int
        Training people who are held out of learning, and on whom the training is scored as it
        goes; 0 for none, otherwise at least two.
    validate_every : int
        Steps between scores.

    Raises
    ------
    OptionError
        When a number is out of its range.

    Examples
    --------
    >>> TrainingOptions.from_parameters({"iterations": 10, "batch_size": 4}).iterations
    10
    """

    iterations: int = 24_000
    batch_size: int = 128
    seed: int = 0
    log_every: int = 100
    sample_every: int = 1_000
    sample_count: int = 8
    validation_subjects: int = 0
    validate_every: int = 500

    BOUNDS: ClassVar[Mapping[str, tuple[int, int]]] = {
        "iterations": (1, 10**9),
        "batch_size": (2, 2**16),
        "seed": (0, 2**63 - 1),
        "log_every": (1, 10**9),
        "sample_every": (1, 10**9),
        "sample_count": (1, 64),
        "validation_subjects": (0, 10**6),
        "validate_every": (1, 10**9),
    }
    """Smallest and largest value of every whole number."""

    def __post_init__(self) -> None:
        for name, (low, high) in self.BOUNDS.items():
            value = vars(self)[name]
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or not low <= value <= high:
                raise OptionError(
                    f"{name} must be a whole number in [{low}, {high}], got {value!r}"
                )
            object.__setattr__(self, name, int(value))  # JSON has no numbers of numpy's.
        if self.validation_subjects == 1:
            raise OptionError(
                "validation_subjects must be 0 or at least 2: one person is always recognised."
            )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the options."""
        return tuple(item.name for item in fields(cls))

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Options by name; missing ones take their defaults.

        Raises
        ------
        OptionError
            When a name is unknown, or a value out of its range.
        """
        for name in parameters:
            if name not in cls.names():
                raise OptionError(
                    f"there is no option {name!r} of a training",
                    hint=f"{did_you_mean(name, cls.names())}The options are "
                    f"{', '.join(cls.names())}.",
                )
        return cls(**parameters)

    @classmethod
    def taking(cls, options: TrainingOptions) -> Self:
        """These options, with the defaults of what `options` of another class do not have."""
        if not isinstance(options, TrainingOptions):
            raise OptionError(f"Expected the options of a training, found {options!r:.60}.")
        return options if isinstance(options, cls) else cls.from_parameters(vars(options))

    def as_parameters(self) -> dict[str, Any]:
        """The options as JSON-able values."""
        return dict(vars(self))
