"""What a training draws from its data: batches of tensors on the device, and a state to go on from.

Each kind of model has batches and a sampler of its own. To the loop, a batch is a dataclass of
tensors, and a sampler is what draws one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.training.state import set_generator_state

__all__ = ["BatchT", "Sampler", "TensorBatch"]


@dataclass(frozen=True)
class TensorBatch:
    """Base of batches: a frozen dataclass that holds nothing but tensors.

    Each has a row for each example, or no rows where it is not asked for; the first one has them.
    """

    def __len__(self) -> int:
        return len(self._tensors()[fields(self)[0].name])

    def part(self, rows: slice) -> Self:
        """Some of the examples."""
        return type(self)(**{name: tensor[rows] for name, tensor in self._tensors().items()})

    def copy(self) -> Self:
        """The same in memory of its own."""
        return type(self)(**{name: tensor.clone() for name, tensor in self._tensors().items()})

    def take(self, other: TensorBatch) -> None:
        """Overwrite these tensors, in place, by those of a batch of the same size."""
        for name, tensor in self._tensors().items():
            tensor.copy_(other._tensors()[name])

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {item.name: vars(self)[item.name] for item in fields(self)}


BatchT = TypeVar("BatchT", bound=TensorBatch)


class Sampler(ABC):
    """Draws the batches of a training.

    Parameters
    ----------
    seed : int
        Of the draws. The same seed draws differently on another kind of device.
    device : str or torch.device
        Where the batches are to lie.

    Attributes
    ----------
    subjects : tuple of str
        The people who are learned from.
    """

    subjects: tuple[str, ...]

    def __init__(self, seed: int, device: str | torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)

    @abstractmethod
    def draw(self, size: int) -> Any:
        """A batch of so many examples, which moves the state on."""

    def state_array(self) -> NDArray[np.uint8]:
        """The state of the draws."""
        return self._generator.get_state().numpy().copy()

    def load_state_array(self, state: NDArray[np.uint8]) -> None:
        """Continue the draws from a state.

        Raises
        ------
        DamagedArtifactError
            When it is not the state of a generator on this kind of device.
        """
        set_generator_state(self._generator, state)
