"""The state of a training as plain named arrays, and back, checked before it is used.

Weights and optimisers, the weights that scored highest so far, and the states of torch's global
random generators, from which layers such as dropout draw: a training has states of its own, which
are in place while it runs and in its checkpoints; the caller's stay untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.errors import DamagedArtifactError

__all__ = [
    "BEST",
    "Best",
    "GlobalRandomStates",
    "check_weights",
    "is_step",
    "load_networks",
    "load_optimizers",
    "named_tensors",
    "network_arrays",
    "optimizer_arrays",
    "set_generator_state",
]

BEST = "best/"
"""Where a training keeps its best weights."""

_TYPES = {torch.float32: ("f4", "f8"), torch.float64: ("f4", "f8"), torch.int64: ("i8",)}


def named_tensors(networks: Mapping[str, nn.Module]) -> dict[str, torch.Tensor]:
    """Weights and running statistics by array name, ``weights/G/decoder.up1.weight``."""
    return {
        f"weights/{name}/{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }


def network_arrays(networks: Mapping[str, nn.Module]) -> dict[str, NDArray[Any]]:
    """Copies of all weights and running statistics in host memory."""
    return {name: _to_array(tensor) for name, tensor in named_tensors(networks).items()}


def is_step(found: NDArray[Any]) -> bool:
    """Whether an array is how many iterations were done: one whole number of 0 or more.

    Examples
    --------
    >>> is_step(np.array(7)), is_step(np.array(-7)), is_step(np.array([7])), is_step(np.array(7.0))
    (True, False, False, False)
    """
    return found.shape == () and found.dtype.kind in "iu" and bool(found >= 0)


def check_weights(
    shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare the names and shapes that a config asks for with those of a file.

    Raises
    ------
    DamagedArtifactError
        When a name is missing or left over, or a shape differs.
    """
    for name in sorted(set(shapes) ^ set(found)):
        what = "is missing" if name in shapes else "belongs to no network"
        raise _wrong(f"the array {name} {what}")
    for name, shape in shapes.items():
        if found[name] != shape:
            raise _wrong(f"the array {name} has shape {found[name]}, expected {shape}")


def load_networks(networks: Mapping[str, nn.Module], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Copy arrays into the networks.

    Raises
    ------
    DamagedArtifactError
        When they do not fit, or a value is not finite.
    """
    tensors = named_tensors(networks)
    found = {name: array.shape for name, array in arrays.items() if name.startswith("weights/")}
    check_weights({name: tuple(tensor.shape) for name, tensor in tensors.items()}, found)
    for name, tensor in tensors.items():
        _copy(name, arrays[name], tensor)


def optimizer_arrays(
    optimizers: Mapping[str, torch.optim.Optimizer], networks: Mapping[str, nn.Module]
) -> dict[str, NDArray[Any]]:
    """Copies of all optimiser states, ``optimizer/G/exp_avg/G/decoder.up1.weight``."""
    arrays = {}
    for name, optimizer in optimizers.items():
        for weight, path in _parameter_paths(optimizer, networks).items():
            for key, value in optimizer.state.get(weight, {}).items():
                arrays[f"optimizer/{name}/{key}/{path}"] = _to_array(value)
    return arrays


def load_optimizers(
    optimizers: Mapping[str, torch.optim.Optimizer],
    networks: Mapping[str, nn.Module],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Copy arrays into the optimisers; one without any arrays starts anew.

    Raises
    ------
    DamagedArtifactError
        When an array belongs to no parameter, or is neither a number nor of its shape.
    """
    left = {name for name in arrays if name.startswith("optimizer/")}
    for name, optimizer in optimizers.items():
        prefix = f"optimizer/{name}/"
        keys = {item.removeprefix(prefix).split("/")[0] for item in left if item.startswith(prefix)}
        optimizer.state.clear()
        for weight, path in _parameter_paths(optimizer, networks).items():
            for key in sorted(keys):
                item = f"{prefix}{key}/{path}"
                if item not in arrays:
                    raise _wrong(f"the array {item} is missing")
                left.discard(item)
                optimizer.state[weight][key] = _state_tensor(item, arrays[item], weight)
    if left:
        raise _wrong(f"the array {min(left)} belongs to no optimiser")


def _parameter_paths(
    optimizer: torch.optim.Optimizer, networks: Mapping[str, nn.Module]
) -> dict[torch.Tensor, str]:
    paths = {
        weight: f"{name}/{key}"
        for name, network in networks.items()
        for key, weight in network.named_parameters()
    }
    members = [weight for group in optimizer.param_groups for weight in group["params"]]
    return {weight: paths[weight] for weight in members}


def _state_tensor(name: str, array: NDArray[Any], weight: torch.Tensor) -> torch.Tensor:
    if name.split("/")[2] == "step":
        if array.shape != ():
            raise _wrong(f"the array {name} must be one number, got shape {array.shape}")
        if array < 0:
            raise _wrong(f"the array {name} must be 0 or more, got {array.item():g}")
        # Adam counts its steps in a float32 of its own, whatever the weights' type.
        tensor = torch.zeros((), dtype=torch.float32, device=weight.device)
    elif array.shape == tuple(weight.shape):
        # The same strides as the weight's: fused optimisers walk both in memory order.
        tensor = torch.zeros_like(weight, memory_format=torch.preserve_format)
    else:
        raise _wrong(f"the array {name} has shape {array.shape}, expected {tuple(weight.shape)}")
    _copy(name, array, tensor)
    return tensor


def _copy(name: str, array: NDArray[Any], tensor: torch.Tensor) -> None:
    if array.dtype.str[1:] not in _TYPES[tensor.dtype]:
        raise _wrong(f"the array {name} has type {array.dtype}, expected {tensor.dtype}")
    if array.dtype.kind == "f":
        largest = min(torch.finfo(tensor.dtype).max, float(np.finfo(array.dtype).max))
        # Not a number and too large for the network's type fail the same comparison.
        if not (np.abs(array) <= largest).all():
            raise _wrong(f"the array {name} holds values that are not numbers")
    if name.endswith("running_var") and (array < 0).any():
        raise _wrong(f"the array {name} holds negative variances")
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with torch.no_grad():
        # np.ascontiguousarray makes a 0-d array 1-d.
        tensor.copy_(torch.from_numpy(native).reshape(tensor.shape))


def _to_array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy(), order="C", copy=True)


def _wrong(what: str) -> DamagedArtifactError:
    return DamagedArtifactError(
        f"The model is not well-formed: {what}.",
        hint="Train it again, or get it from a source that you trust.",
    )


@dataclass(frozen=True, eq=False)
class Best:
    """When a training scored highest, and the weights that the model then had.

    Attributes
    ----------
    step : int
        Iterations done.
    score : float
        Mean rank-1 identification rate, per cent.
    weights : dict of str to ndarray
        ``weights/NETWORK/…`` of the networks that are used in the end.
    """

    step: int
    score: float
    weights: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, step: int, score: float, networks: Mapping[str, nn.Module]) -> Self:
        """The networks as they stand."""
        return cls(step, score, network_arrays(networks))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays: ``best/step``, ``best/score`` and ``best/weights/…``."""
        numbers: dict[str, NDArray[Any]] = {
            f"{BEST}step": np.array(self.step, dtype=np.int64),
            f"{BEST}score": np.array(self.score, dtype=np.float64),
        }
        return numbers | {f"{BEST}{name}": array for name, array in self.weights.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self | None:
        """The reverse of `arrays`; `None` when there are none.

        Raises
        ------
        DamagedArtifactError
            When they do not belong together.
        """
        own = {
            name.removeprefix(BEST): array
            for name, array in arrays.items()
            if name.startswith(BEST)
        }
        if not own:
            return None
        step, score = (own.pop(name, np.empty(0)) for name in ("step", "score"))
        if not is_step(step) or score.shape != () or score.dtype.kind != "f" or not own:
            raise DamagedArtifactError(
                "The model is not well-formed: its best weights have no step of 0 or more, no "
                "score or no arrays.",
                hint="Train it again.",
            )
        return cls(int(step), float(score), own)


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


def set_generator_state(generator: torch.Generator, state: NDArray[np.uint8]) -> None:
    """Set a random generator from an array, refusing what is not a state of its kind."""
    expected = generator.get_state().shape
    if state.dtype != np.uint8 or state.shape != tuple(expected):
        raise DamagedArtifactError(
            f"The checkpoint's random state has {state.shape} bytes, expected {tuple(expected)}.",
            hint="Add `restart=True` to train from the start.",
        )
    try:
        generator.set_state(torch.from_numpy(state.copy()))
    except RuntimeError as error:
        raise DamagedArtifactError(
            "The checkpoint's random state is not one of this kind of device.",
            hint="Add `restart=True` to train from the start.",
        ) from error
