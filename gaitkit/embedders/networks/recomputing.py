"""Maps between and behind convolutions are computed a second time on the way back, and not kept.

The maps of hundreds of frames are most of the memory of a training. Of a convolution, the batch
normalisation behind it, and the ReLU behind that, PyTorch keeps two maps, or three. One is enough,
from which the others are computed again, to the last bit: what the convolution gave, by passes that
take little time beside a convolution; or, where the convolution is a small one, what it took.

In half precision PyTorch keeps what it likes, as that takes half the memory by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["behind_convolution", "bent", "between_convolutions"]

_aten = torch.ops.aten


def bent(maps: torch.Tensor, slope: float) -> torch.Tensor:
    """Maps behind a ReLU, in their place: what they were before is not needed on the way back.

    Parameters
    ----------
    maps : Tensor
    slope : float
        Below 0.

    Examples
    --------
    >>> bent(torch.tensor([-2.0, 3.0]), 0.5).tolist()
    [-1.0, 3.0]
    """
    return functional.leaky_relu_(maps, slope) if slope else functional.relu_(maps)


def between_convolutions(
    maps: torch.Tensor, norm: nn.Module, slope: float, second: nn.Conv2d | None
) -> torch.Tensor:
    """What a second convolution makes of a first one's maps, normalised and behind a ReLU.

    Only what the first one gave is kept for the way back.

    Parameters
    ----------
    maps : Tensor, shape (n, channels, rows, columns)
        What the first convolution gave; they may be overwritten unless there is a normalisation.
    norm : BatchNorm2d or Identity
        Of these maps.
    slope : float
        Of the ReLU, below 0.
    second : Conv2d, optional
        Without a bias, and padded by zeros. By default there is none.

    Examples
    --------
    >>> maps = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).requires_grad_()
    >>> second = nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = nn.init.constant_(second.weight, 3)
    >>> found = between_convolutions(maps, nn.BatchNorm2d(1), 0.5, second)
    >>> found.flatten().round(decimals=2).tolist()
    [-1.5, 3.0]
    """
    if isinstance(norm, nn.BatchNorm2d) and _worthwhile(norm, maps):
        weight = None if second is None else second.weight
        found: torch.Tensor = _Between.apply(  # type: ignore[no-untyped-call]
            maps, norm.weight, norm.bias, weight, norm, slope, second
        )
        return found
    seen = bent(norm(maps), slope)
    return seen if second is None else second(seen)


def behind_convolution(maps: torch.Tensor, convolution: nn.Conv2d, norm: nn.Module) -> torch.Tensor:
    """What a small convolution makes of maps, normalised.

    Only the maps are kept for the way back, which are not the convolution's own.

    Parameters
    ----------
    maps : Tensor, shape (n, channels, rows, columns)
    convolution : Conv2d
        Without a bias, and padded by zeros.
    norm : BatchNorm2d or Identity
        Of what it gives.

    Examples
    --------
    >>> maps = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    >>> convolution = nn.Conv2d(1, 1, 1, bias=False)
    >>> behind_convolution(maps, convolution, nn.BatchNorm2d(1)).max().round().item()
    1.0
    """
    if isinstance(norm, nn.BatchNorm2d) and _worthwhile(norm, maps):
        found: torch.Tensor = _Behind.apply(  # type: ignore[no-untyped-call]
            maps, convolution.weight, norm.weight, norm.bias, convolution, norm
        )
        return found
    given: torch.Tensor = norm(convolution(maps))
    return given


def _worthwhile(norm: nn.BatchNorm2d, maps: torch.Tensor) -> bool:
    half = torch.is_autocast_enabled(maps.device.type)
    return norm.training and torch.is_grad_enabled() and not half


def _normed_again(
    maps: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, eps: float
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Maps, normalised by themselves, and by what; running statistics have moved before."""
    found, mean, deviation = _aten.native_batch_norm(maps, scale, shift, None, None, True, 0.0, eps)
    return found, (mean, deviation)


def _bent_back(slopes: torch.Tensor, seen: torch.Tensor, slope: float, out: torch.Tensor) -> None:
    """The gradient before a ReLU, of which the sign of what it gave decides."""
    if slope:
        _aten.leaky_relu_backward.grad_input(slopes, seen, slope, True, grad_input=out)
    else:
        _aten.threshold_backward.grad_input(slopes, seen, 0, grad_input=out)


def _normed_back(
    slopes: torch.Tensor,
    maps: torch.Tensor,
    scale: torch.Tensor,
    by: tuple[torch.Tensor, torch.Tensor],
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of what is normalised, of scale and of shift."""
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = _aten.native_batch_norm_backward(
        slopes, maps, scale, None, None, *by, True, eps, [True, True, True]
    )
    return found


def _convolved_back(
    slopes: torch.Tensor,
    maps: torch.Tensor,
    weight: torch.Tensor,
    how: tuple[list[int], list[int]],
    *,
    to_maps: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of maps, where they are wanted, and of the weights."""
    of_maps, of_weight, _ = _aten.convolution_backward(
        slopes, maps, weight, None, *how, [1, 1], False, [0, 0], 1, [to_maps, True, False]
    )
    return of_maps, of_weight


class _Between(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: torch.Tensor,
        scale: torch.Tensor,
        shift: torch.Tensor,
        weight: torch.Tensor | None,
        norm: nn.BatchNorm2d,
        slope: float,
        second: nn.Conv2d | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(maps, scale, shift, weight)
        ctx.eps, ctx.slope = norm.eps, slope
        seen = bent(norm(maps), slope)
        if second is None:
            return seen
        ctx.how = list(second.stride), list(second.padding)
        result: torch.Tensor = second(seen)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        maps, scale, shift, weight = ctx.saved_tensors
        (slopes,) = gradients
        seen, by = _normed_again(maps, scale, shift, ctx.eps)
        seen = bent(seen, ctx.slope)
        of_weight = None
        if weight is None:
            _bent_back(slopes, seen, ctx.slope, out=seen)
            slopes = seen
        else:
            slopes, of_weight = _convolved_back(slopes, seen, weight, ctx.how, to_maps=True)
            _bent_back(slopes, seen, ctx.slope, out=slopes)
        del seen
        of_norm = _normed_back(slopes, maps, scale, by, ctx.eps)
        return *of_norm, of_weight, None, None, None


class _Behind(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: torch.Tensor,
        weight: torch.Tensor,
        scale: torch.Tensor,
        shift: torch.Tensor,
        convolution: nn.Conv2d,
        norm: nn.BatchNorm2d,
    ) -> torch.Tensor:
        ctx.save_for_backward(maps, weight, scale, shift)
        ctx.eps = norm.eps
        ctx.how = list(convolution.stride), list(convolution.padding)
        found: torch.Tensor = norm(convolution(maps))
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        maps, weight, scale, shift = ctx.saved_tensors
        given = functional.conv2d(maps, weight, None, *ctx.how)
        by = _normed_again(given, scale, shift, ctx.eps)[1]
        slopes, of_scale, of_shift = _normed_back(gradients[0], given, scale, by, ctx.eps)
        del given
        of_maps, of_weight = _convolved_back(
            slopes, maps, weight, ctx.how, to_maps=ctx.needs_input_grad[0]
        )
        return of_maps, of_weight, of_scale, of_shift, None, None
