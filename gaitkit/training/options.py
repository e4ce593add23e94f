"""How long and on what to train: the options that every system shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gaitkit.errors import OptionError

__all__ = ["TrainingOptions"]


@dataclass(frozen=True)
class TrainingOptions:
    """How long and on what to train; the defaults are GaitGAN's.

    Attributes
    ----------
    iterations : int
        Training steps in all. More may be added to a finished training.
    batch_size : int
        Triples in a batch.
    balanced : bool
        Draw every condition equally often.
    shift : int
        Move every source by up to so many pixels, at random.
    warp : float
        Strength of random changes of body proportions; see `gaitkit.training.augment`.
    target_view : float
        View of the targets, degrees.
    target_condition : str
        Condition of the targets.
    seed : int
        Of the starting weights and of the draws.
    log_every : int
        Steps between rows of the history, each the mean loss over them.
    sample_every : int
        Steps between sample sheets.
    sample_count : int
        GEIs on a sample sheet.
    validation_subjects : int
        Training people who are held out of learning, and on whom the training is scored as it
        goes; 0 for none, otherwise at least two. See `gaitkit.translators.validation`.
    validate_every : int
        Steps between scores.

    Raises
    ------
    OptionError
        When a number is out of its range.
    """

    iterations: int = 24_000
    batch_size: int = 128
    balanced: bool = False
    shift: int = 0
    warp: float = 0.0
    target_view: float = 90.0
    target_condition: str = "nm"
    seed: int = 0
    log_every: int = 100
    sample_every: int = 1_000
    sample_count: int = 8
    validation_subjects: int = 0
    validate_every: int = 500

    def __post_init__(self) -> None:
        bounds = {
            "iterations": (1, 10**9),
            "batch_size": (2, 2**16),
            "shift": (0, 64),
            "seed": (0, 2**63 - 1),
            "log_every": (1, 10**9),
            "sample_every": (1, 10**9),
            "sample_count": (1, 64),
            "validation_subjects": (0, 10**6),
            "validate_every": (1, 10**9),
        }
        for name, (low, high) in bounds.items():
            value = vars(self)[name]
            if type(value) is not int or not low <= value <= high:
                raise OptionError(f"{name} must be a whole number in [{low}, {high}], got {value}")
        if not 0.0 <= self.warp <= 3.0:
            raise OptionError(f"warp must be in [0, 3], got {self.warp}")
        if self.validation_subjects == 1:
            raise OptionError(
                "validation_subjects must be 0 or at least 2: one person is always recognised."
            )

    def as_parameters(self) -> dict[str, Any]:
        """The options as JSON-able values."""
        return dict(vars(self))
