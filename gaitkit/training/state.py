"""Networks and optimisers as plain named arrays, and back, checked before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.errors import DamagedArtifactError

__all__ = [
    "check_weights",
    "load_networks",
    "load_optimizers",
    "named_tensors",
    "network_arrays",
    "optimizer_arrays",
]

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
        f"The model is not a well-formed one: {what}.",
        hint="Train it again with gaitkit train-gan, or get it from a source that you trust.",
    )
