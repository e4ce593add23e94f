"""What a training leaves behind, every so many steps: mean losses and health, scores, samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.errors import DamagedArtifactError

__all__ = ["History", "Samples"]


class Samples(NamedTuple):
    """What a model makes of a few examples: arrays of uint8, shape (k, height, width)."""

    sources: NDArray[np.uint8]
    generated: NDArray[np.uint8]
    targets: NDArray[np.uint8]


class History:
    """Losses, health, validation scores and samples of one training.

    Attributes
    ----------
    names : list of str
        The losses and, by prefix, the health (`gaitkit.training.health`), in the order of the
        columns.
    steps : list of int
        Iteration at the end of each window.
    losses : list of list of float
        Their means over each window, a column for each name; NaN where a name did not occur.
    validation_steps : list of int
        Iterations at which held-out people were identified.
    validation_scores : list of float
        Mean rank-1 identification rate over the conditions at each of them, per cent.
    validation_conditions : list of str
        The conditions.
    validation_rates : list of list of float
        Rank-1 identification rates, per cent, a column for each condition; NaN where it has none.
    sample_steps : list of int
        Iterations of the samples.
    generated : list of ndarray of uint8, shape (k, height, width)
        Samples at each of `sample_steps`.
    sources, targets : ndarray of uint8, shape (k, height, width), or None
        The GEIs that the samples were made from, and the true ones.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.steps: list[int] = []
        self.losses: list[list[float]] = []
        self.validation_steps: list[int] = []
        self.validation_scores: list[float] = []
        self.validation_conditions: list[str] = []
        self.validation_rates: list[list[float]] = []
        self.sample_steps: list[int] = []
        self.generated: list[NDArray[np.uint8]] = []
        self.sources: NDArray[np.uint8] | None = None
        self.targets: NDArray[np.uint8] | None = None
        self._window: dict[tuple[str, ...], tuple[torch.Tensor, int]] = {}

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Add one iteration's losses to the window, without waiting for them.

        Steps of different kinds have different names; each name's mean is over the steps that have
        it.
        """
        self._know([name for name in losses if name not in self.names])
        names = tuple(name for name in self.names if name in losses)
        values = torch.stack([losses[name] for name in names]).double()
        sums, count = self._window.get(names, (torch.zeros_like(values), 0))
        self._window[names] = (sums + values, count + 1)

    def _know(self, new: list[str]) -> None:
        if not new:
            return
        self.names = self.names + new
        self.losses = [row + [math.nan] * len(new) for row in self.losses]

    def window_means(self) -> dict[str, float]:
        """Mean losses since the last closed window; waits for the device."""
        sums: dict[str, float] = {}
        counts: Counter[str] = Counter()
        for names, (values, count) in self._window.items():
            for name, value in zip(names, values.tolist(), strict=True):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] += count
        return {name: sums[name] / counts[name] for name in self.names if name in sums}

    def close_window(self, step: int, means: Mapping[str, float]) -> None:
        """Write a row and begin the next window."""
        self.steps.append(step)
        self.losses.append([means.get(name, math.nan) for name in self.names])
        self._window = {}

    def add_validation(self, step: int, score: float, rates: Mapping[str, float]) -> None:
        """Keep the rank-1 identification rates of the held-out people, per cent, and their mean."""
        self.validation_conditions = list(rates)
        self.validation_steps.append(step)
        self.validation_scores.append(score)
        self.validation_rates.append(list(rates.values()))

    def add_samples(self, step: int, samples: Samples) -> None:
        """Keep samples; sources and targets are the same every time."""
        self.sources, self.targets = samples.sources, samples.targets
        self.sample_steps.append(step)
        self.generated.append(samples.generated)

    def arrays(self) -> dict[str, NDArray[Any] | list[str]]:
        """The history as arrays; what is not there yet is left out."""
        arrays: dict[str, NDArray[Any] | list[str]] = {}
        if self.names:
            arrays["history/names"] = self.names
            arrays["history/step"] = np.array(self.steps, dtype=np.int64)
            shape = (len(self.steps), len(self.names))
            arrays["history/losses"] = np.array(self.losses, dtype=np.float64).reshape(shape)
        if self._window:
            sums = np.zeros((len(self._window), len(self.names)))
            holds = np.zeros(sums.shape, dtype=np.bool_)
            for row, (names, (values, _)) in enumerate(self._window.items()):
                columns = [self.names.index(name) for name in names]
                sums[row, columns], holds[row, columns] = values.cpu().numpy(), True
            arrays["history/window_sums"] = sums
            arrays["history/window_holds"] = holds
            counts = [count for _, count in self._window.values()]
            arrays["history/window_count"] = np.array(counts, dtype=np.int64)
        if self.validation_steps:
            arrays["validation/step"] = np.array(self.validation_steps, dtype=np.int64)
            arrays["validation/score"] = np.array(self.validation_scores, dtype=np.float64)
            arrays["validation/conditions"] = self.validation_conditions
            arrays["validation/rates"] = np.array(self.validation_rates, dtype=np.float64)
        if self.sources is not None and self.targets is not None:
            arrays["samples/step"] = np.array(self.sample_steps, dtype=np.int64)
            arrays["samples/generated"] = np.stack(self.generated)
            arrays["samples/sources"] = self.sources
            arrays["samples/targets"] = self.targets
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], device: str = "cpu") -> History:
        """The reverse of `arrays`.

        Raises
        ------
        DamagedArtifactError
            When arrays are missing or do not belong together.
        """
        history = cls()
        try:
            history._load(arrays, device)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise DamagedArtifactError(
                "The model is not well-formed: its history is incomplete, or has an iteration "
                "below 0.",
                hint="Train it again.",
            ) from error
        return history

    def _load(self, arrays: Mapping[str, NDArray[Any]], device: str) -> None:
        if "history/names" in arrays:
            self.names = [str(name) for name in arrays["history/names"]]
            self.steps = _steps(arrays["history/step"])
            losses = arrays["history/losses"].reshape(len(self.steps), len(self.names))
            self.losses = [[float(value) for value in row] for row in losses]
        if "history/window_sums" in arrays:
            self._load_window(arrays, device)
        if "validation/step" in arrays:
            self._load_validation(arrays)
        if "samples/step" in arrays:
            self.sample_steps = _steps(arrays["samples/step"])
            generated = arrays["samples/generated"]
            self.sources = arrays["samples/sources"]
            self.targets = arrays["samples/targets"]
            if generated.shape != (len(self.sample_steps), *self.sources.shape):
                raise ValueError("samples and steps differ in number")
            self.generated = list(generated)

    def _load_window(self, arrays: Mapping[str, NDArray[Any]], device: str) -> None:
        sums = np.array(arrays["history/window_sums"], dtype=np.float64)
        holds = arrays["history/window_holds"].astype(np.bool_)
        counts = arrays["history/window_count"]
        if sums.shape != (len(counts), len(self.names)) or holds.shape != sums.shape:
            raise ValueError("the window's sums, names and counts differ in number")
        if (counts < 1).any():
            raise ValueError("a mean is of no iteration")
        for row, holding, count in zip(sums, holds, counts, strict=True):
            names = tuple(name for name, held in zip(self.names, holding, strict=True) if held)
            self._window[names] = (torch.from_numpy(row[holding]).to(device), int(count))

    def _load_validation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.validation_steps = _steps(arrays["validation/step"])
        self.validation_conditions = [str(name) for name in arrays["validation/conditions"]]
        shape = (len(self.validation_steps), len(self.validation_conditions))
        scores, rates = arrays["validation/score"], arrays["validation/rates"]
        self.validation_scores = [float(score) for score in scores.reshape(shape[0])]
        self.validation_rates = [[float(rate) for rate in row] for row in rates.reshape(shape)]


def _steps(found: NDArray[Any]) -> list[int]:
    """Iterations after which something was kept."""
    steps = [int(step) for step in found]
    if min(steps, default=0) < 0:
        raise ValueError("an iteration is below 0")
    return steps
