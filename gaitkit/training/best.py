"""The best weights of a training so far, by its score on held-out people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import DamagedArtifactError
from gaitkit.training.state import network_arrays

if TYPE_CHECKING:
    from gaitkit.translators.base import Translator

__all__ = ["Best"]

_PREFIX = "best/"


@dataclass(frozen=True, eq=False)
class Best:
    """When a training scored highest, and the weights that it then translated with.

    Attributes
    ----------
    step : int
        Iterations done.
    score : float
        Mean rank-1 identification rate, per cent.
    weights : dict of str to ndarray
        ``weights/NETWORK/…`` of the networks that translate.
    """

    step: int
    score: float
    weights: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, translator: Translator[Any], score: float) -> Self:
        """The translator as it stands."""
        networks = {name: translator.networks[name] for name in translator.translating()}
        return cls(translator.steps_done, score, network_arrays(networks))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays: ``best/step``, ``best/score`` and ``best/weights/…``."""
        numbers: dict[str, NDArray[Any]] = {
            f"{_PREFIX}step": np.array(self.step, dtype=np.int64),
            f"{_PREFIX}score": np.array(self.score, dtype=np.float64),
        }
        return numbers | {f"{_PREFIX}{name}": array for name, array in self.weights.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self | None:
        """The reverse of `arrays`; `None` when there are none.

        Raises
        ------
        DamagedArtifactError
            When they do not belong together.
        """
        own = {
            name.removeprefix(_PREFIX): array
            for name, array in arrays.items()
            if name.startswith(_PREFIX)
        }
        if not own:
            return None
        step, score = (own.pop(name, np.empty(0)) for name in ("step", "score"))
        whole = step.shape == () and step.dtype.kind in "iu"
        if not whole or score.shape != () or score.dtype.kind != "f" or not own:
            raise DamagedArtifactError(
                "The model is not a well-formed one: its best weights have no step, score or "
                "arrays.",
                hint="Train it again with gaitkit train-gan.",
            )
        return cls(int(step), float(score), own)
