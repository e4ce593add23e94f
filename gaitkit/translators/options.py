"""How a translator is trained: what every model can be told, and what its batches show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import ClassVar

from gaitkit.errors import OptionError
from gaitkit.training.options import TrainingOptions

__all__ = ["TranslatorOptions"]


@dataclass(frozen=True)
class TranslatorOptions(TrainingOptions):
    """How long and on what to train a translator; the defaults are GaitGAN's.

    Attributes
    ----------
    iterations, seed, log_every, sample_every, sample_count, validation_subjects, validate_every
        See `TrainingOptions`. How a translator is scored on people who are held out is told in
        `gaitkit.translators.validation`.
    batch_size : int
        Triples in a batch.
    balanced : bool
        Draw every condition equally often.
    shift : int
        Move every source by up to so many pixels, at random.
    warp : float
        Strength of random changes of body proportions; see `gaitkit.training.images`.
    target_view : float
        View of the targets, degrees.
    target_condition : str
        Condition of the targets.

    Raises
    ------
    OptionError
        When a number is out of its range.
    """

    balanced: bool = False
    shift: int = 0
    warp: float = 0.0
    target_view: float = 90.0
    target_condition: str = "nm"

    BOUNDS: ClassVar[Mapping[str, tuple[int, int]]] = {**TrainingOptions.BOUNDS, "shift": (0, 64)}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kind, word in (
            ("warp", Real, "a number"),
            ("target_view", Real, "a number of degrees"),
            ("target_condition", str, "text"),
            ("balanced", bool, "True or False"),
        ):
            value = vars(self)[name]
            if not isinstance(value, kind) or (kind is Real and isinstance(value, bool)):
                raise OptionError(f"{name} must be {word}, got {value!r}")
            if hasattr(value, "item"):  # JSON has no numbers of numpy's.
                object.__setattr__(self, name, value.item())
        if not 0.0 <= self.warp <= 3.0:
            raise OptionError(f"warp must be in [0, 3], got {self.warp}")
        if not isfinite(self.target_view):
            raise OptionError(f"target_view must be a number of degrees, got {self.target_view}")
