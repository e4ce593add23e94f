"""The deepest layer's convolution, with a gradient of its weights that processors compute faster.

Its images have few pixels and its kernels many weights. For bfloat16 on a processor, the library
behind torch (oneDNN) takes three times as long for the weights' gradient there as for either of the
other two products of the same size; written as a product of matrices, it takes as long as those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["DeepConv2d"]


class DeepConv2d(nn.Conv2d):
    """A convolution for few pixels and many weights: no bias, groups or dilation.

    The same numbers as of `torch.nn.Conv2d` but for the order of summation, and on GPUs, in
    float32 and without gradients the very same.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Convolve images of shape (n, in_channels, height, width)."""
        short = image.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not short or not self.weight.requires_grad or not torch.is_grad_enabled():
            return super().forward(image)
        dtype = torch.get_autocast_dtype("cpu")
        convolve: Callable[..., torch.Tensor] = _WeightsByProduct.apply
        return convolve(image.to(dtype), self.weight.to(dtype), self.stride, self.padding)


class _WeightsByProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        image: torch.Tensor,
        weight: torch.Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> torch.Tensor:
        ctx.save_for_backward(image, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(image, weight, None, stride, padding)

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        image, weight = ctx.saved_tensors
        of_image = of_weight = None
        if ctx.needs_input_grad[0]:
            of_image = torch.ops.aten.convolution_backward(
                gradient,
                image,
                weight,
                None,
                ctx.stride,
                ctx.padding,
                (1, 1),
                False,
                (0, 0),
                1,
                (True, False, False),
            )[0]
        if ctx.needs_input_grad[1]:
            # Channels last, as they lie in memory: one row for each place of the kernel.
            places = _places(image, weight.shape[2:], ctx.stride, ctx.padding)
            rows = gradient.permute(0, 2, 3, 1).reshape(len(places), -1)
            flat = rows.t() @ places
            out, inside, height, width = weight.shape
            of_weight = flat.view(out, height, width, inside).permute(0, 3, 1, 2)
        return of_image, of_weight, None, None


def _places(
    image: torch.Tensor, kernel: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> torch.Tensor:
    """What the kernel sees at each place, shape (n · places, kernel height · width · channels)."""
    rows, columns = padding
    padded = functional.pad(image, (columns, columns, rows, rows)).permute(0, 2, 3, 1)
    seen = padded.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])
    n, height, width = seen.shape[:3]
    return seen.permute(0, 1, 2, 4, 5, 3).reshape(n * height * width, -1)
