"""The random states that a training owns beside its sampler's: torch's global generators.

Layers such as dropout draw from them. A training has states of its own, which are in place while it
runs and in its checkpoints; the caller's stay untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

from gaitkit.training.sampling import set_generator_state

__all__ = ["GlobalRandomStates"]


class GlobalRandomStates:
    """States of torch's global generators on the CPU and, with `device` "cuda", on the GPU."""

    def __init__(self, seed: int, device: str) -> None:
        self._states = {
            name: torch.Generator(name).manual_seed(seed).get_state()
            for name in dict.fromkeys(("cpu", device))
        }
        self._active = False

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return [f"random/{name}" for name in self._states]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put them in place of the caller's."""
        on_gpu = "cuda" in self._states
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if on_gpu else []):
            torch.set_rng_state(self._states["cpu"])
            if on_gpu:
                torch.cuda.set_rng_state(self._states["cuda"])
            self._active = True
            try:
                yield
            finally:
                self._active = False
                self._states = self._current()

    def _current(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if "cuda" in self._states:
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The states as they are now, ``random/cpu`` and ``random/cuda``."""
        states = self._current() if self._active else self._states
        return {f"random/{name}": values.numpy().copy() for name, values in states.items()}

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave.

        Raises
        ------
        DamagedArtifactError
            When one is not the state of a generator of its kind.
        """
        for name in self._states:
            generator = torch.Generator(name)
            set_generator_state(generator, arrays[f"random/{name}"])
            self._states[name] = generator.get_state()
