"""How an embedder is trained: what every model can be told, and what its batches show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from gaitkit.errors import OptionError
from gaitkit.training.options import TrainingOptions

__all__ = ["EmbedderOptions"]

_LIMITS = {
    "shear": 1.0,
    "stretch": 1.0,
    "shift": 64.0,
    "rotate": 180.0,
    "rotate_chance": 1.0,
    "erase": 1.0,
    "erase_area": 1.0,
    "warp": 3.0,
}


@dataclass(frozen=True)
class EmbedderOptions(TrainingOptions):
    """How long and on what to train an embedder.

    Attributes
    ----------
    iterations, seed, log_every, sample_every, sample_count, validation_subjects, validate_every
        See `TrainingOptions`. How an embedder is scored on people who are held out is told in
        `gaitkit.embedders.validation`; it makes no samples.
    batch_size : int
        Sequences in a batch, a multiple of `people`: so many of each person.
    people : int
        Different people in a batch, at most: where there are fewer, all of them.
    balanced : bool
        Draw every condition of a person equally often.
    bodies : int
        Learn each person as so many different people: as they are, and warped to so many other
        proportions less one, always the same ones. A body keeps them in all views and clothes.
    frames : int
        Frames drawn of each sequence, for what embeds sets of silhouettes.
    normal_condition : str
        The normal walk, by which held-out people are enrolled.
    shear, stretch, shift, rotate, rotate_chance, erase, erase_area, warp : float
        How examples are varied; see `gaitkit.embedders.augmentation.Augmentation`.

    Raises
    ------
    OptionError
        When a number is out of its range.
    """

    iterations: int = 3_000
    batch_size: int = 96
    people: int = 12
    balanced: bool = False
    bodies: int = 1
    frames: int = 30
    normal_condition: str = "nm"
    shear: float = 0.0
    stretch: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    rotate_chance: float = 1.0
    erase: float = 0.0
    erase_area: float = 0.0
    warp: float = 0.0

    BOUNDS: ClassVar[Mapping[str, tuple[int, int]]] = {
        **TrainingOptions.BOUNDS,
        "batch_size": (4, 2**16),
        "people": (2, 2**15),
        "bodies": (1, 256),
        "frames": (1, 1024),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % self.people or self.batch_size < 2 * self.people:
            raise OptionError(
                f"batch_size must be a multiple of people, at least twice as many: so many "
                f"sequences of each; got batch_size {self.batch_size} and people {self.people}",
                hint=f"Give `batch_size={max(2, self.batch_size // self.people) * self.people}`, "
                "or another number of people.",
            )
        if not isinstance(self.balanced, bool):
            raise OptionError(f"balanced must be True or False, got {self.balanced!r}")
        if not isinstance(self.normal_condition, str):
            raise OptionError(f"normal_condition must be text, got {self.normal_condition!r}")
        for name, largest in _LIMITS.items():
            value = vars(self)[name]
            if not isinstance(value, Real) or isinstance(value, bool):
                raise OptionError(f"{name} must be a number, got {value!r}")
            number = float(value)  # JSON has no numbers of numpy's.
            if not 0.0 <= number <= largest:
                raise OptionError(f"{name} must be in [0, {largest:g}], got {number:g}")
            object.__setattr__(self, name, number)
