"""Layers that systems share: GaitGAN's encoder and decoder, and what is done with any network.

The encoder halves the image by strided 4×4 convolutions, the decoder doubles it by transposed
ones. All are without biases: what follows is a batch normalisation with its own shift, or an
output whose constant the data fix.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = [
    "DEPTH",
    "LEAKY_SLOPE",
    "STRIPES",
    "Critic",
    "DeepConv2d",
    "Generator",
    "beside",
    "decoder",
    "encoder",
    "frozen",
    "judging",
    "striped",
]

DEPTH = 4
"""Halvings of the image from input to code: 64×64 becomes 4×4."""

LEAKY_SLOPE = 0.2

STRIPES = 4
"""Horizontal parts of a GEI's feature map: head, trunk, thighs and shanks."""


def encoder(in_channels: int, width: int, *, momentum: float = 0.1) -> OrderedDict[str, nn.Module]:
    """Four layers that each halve the image: w, 2w, 4w, 8w channels.

    Convolution 4×4, stride 2, padding 1; batch normalisation (not after the first); leaky ReLU.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    width : int
        Channels of the first layer.
    momentum : float
        Weight of the newest batch in the running statistics.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for level in range(DEPTH):
        out = width * 2**level
        kind = DeepConv2d if level == DEPTH - 1 else nn.Conv2d
        layers[f"conv{level + 1}"] = kind(channels, out, 4, 2, 1, bias=False)
        if level > 0:
            layers[f"norm{level + 1}"] = nn.BatchNorm2d(out, momentum=momentum)
        layers[f"act{level + 1}"] = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        channels = out
    return layers


def decoder(
    out_channels: int, width: int, *, momentum: float = 0.1, skips: int = 0
) -> OrderedDict[str, nn.Module]:
    """The mirror image of `encoder`: 8w channels to 4w, 2w, w and the image.

    Parameters
    ----------
    out_channels : int
        Channels of the image, which comes without a last nonlinearity.
    width : int
        Channels of the encoder's first layer.
    momentum : float
        Weight of the newest batch in the running statistics.
    skips : int
        How many layers after the first take the encoder's layer of their size as well.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = width * 2 ** (DEPTH - 1)
    for level in reversed(range(DEPTH)):
        if DEPTH - 1 - skips <= level < DEPTH - 1:
            channels *= 2
        out = width * 2 ** (level - 1) if level > 0 else out_channels
        layers[f"up{level + 1}"] = nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False)
        if level > 0:
            layers[f"upnorm{level + 1}"] = nn.BatchNorm2d(out, momentum=momentum)
            layers[f"upact{level + 1}"] = nn.ReLU(inplace=True)
        channels = out
    return layers


class Generator(nn.Module):
    """The encoder-decoder; (n, 1, height, width) in [-1, 1] to the same.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    momentum : float
        Weight of the newest batch in the running statistics.
    skips : int
        Layers of the decoder, from the inside out, that also see the encoder's layer of their size
        (Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015).
    matte : bool
        Also give an alpha matte, and show the source where it is 0: what need not change, stays.
    """

    def __init__(
        self, width: int, *, momentum: float = 0.1, skips: int = 0, matte: bool = False
    ) -> None:
        super().__init__()
        self.skips = skips
        self.matte = matte
        self.encoder = nn.Sequential(encoder(1, width, momentum=momentum))
        self.decoder = nn.Sequential(
            decoder(2 if matte else 1, width, momentum=momentum, skips=skips)
        )

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        """Generated images."""
        source = _channels_last(source)
        code = source
        by_size: list[torch.Tensor] = []
        for name, layer in self.encoder.named_children():
            code = layer(code)
            if name.startswith("act"):
                by_size.append(code)
        decoder_layers = dict(self.decoder.named_children())
        for level in reversed(range(DEPTH)):
            if DEPTH - 1 - self.skips <= level < DEPTH - 1:
                code = torch.cat([code, by_size[level]], dim=1)
            for kind in ("up", "upnorm", "upact"):
                if f"{kind}{level + 1}" in decoder_layers:
                    code = decoder_layers[f"{kind}{level + 1}"](code)
        if not self.matte:
            return torch.tanh(code)
        image, alpha = torch.tanh(code[:, :1]), torch.sigmoid(code[:, 1:])
        return alpha * image + (1.0 - alpha) * source


class Critic(nn.Module):
    """A discriminator: the encoder, then one convolution over all that remains, giving a logit.

    Parameters
    ----------
    in_channels : int
        Channels of the image: 1, or 2 for a pair.
    width : int
        Channels of the first layer.
    image_size : tuple of int
        Height and width, multiples of 16; the last kernel covers a sixteenth of each.

    Attributes
    ----------
    at_once : bool
        Whether `each` takes all batches in one pass where that is faster.
    """

    def __init__(self, in_channels: int, width: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        kernel = (image_size[0] // 2**DEPTH, image_size[1] // 2**DEPTH)
        top = nn.Conv2d(width * 2 ** (DEPTH - 1), 1, kernel, bias=False)
        self.layers = nn.Sequential(OrderedDict(encoder(in_channels, width), logit=top))
        self.at_once = True

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n,) for images of shape (n, in_channels, height, width)."""
        logits: torch.Tensor = self.layers(_channels_last(image))
        return logits.flatten()

    def each(self, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Logits of several batches of one size, each normalised by itself.

        The same as calling it with one after the other, running statistics included. On a GPU every
        convolution is computed once for all of them: three of the deepest layer's, with a few
        thousand pixels each, occupy two thirds of a large one, and their weights' gradients need
        not be added up.
        """
        if not self.at_once or not _is_on_gpu(batches[0]):
            return [self(batch) for batch in batches]
        code = _channels_last(torch.cat(list(batches)))
        for layer in self.layers:
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                code = torch.cat([layer(part) for part in code.chunk(len(batches))])
            else:
                code = layer(code)
        return list(code.flatten().chunk(len(batches)))


def _is_on_gpu(image: torch.Tensor) -> bool:
    return image.is_cuda


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    """The same image with strides that say so.

    With one channel both orders look alike, and a GPU's library takes it for channels first: it
    would turn the first layer's output round before the second.
    """
    if not _is_on_gpu(image) or image.shape[1] != 1:
        return image
    return image.squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)


def beside(source: torch.Tensor, candidate: torch.Tensor) -> torch.Tensor:
    """Source and candidate as the two channels of one image: what a critic of pairs sees."""
    return torch.cat([source, candidate.to(source.dtype)], dim=1)


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Pass gradients through networks, during a forward pass, without asking for their weights'."""
    weights = [weight for network in networks for weight in network.parameters()]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@contextmanager
def judging(
    network: nn.Module, *, own_statistics: bool = False, as_copy: bool = False
) -> Iterator[None]:
    """Judge with a network that is in training as it is after training.

    Without dropout, and with running statistics instead of the batch's, unless `own_statistics`;
    those of the batch move the running ones, unless they are used `as_copy` of the network would.
    """
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms if own_statistics else ():
        norm.train()
        norm.track_running_stats = not as_copy
    try:
        yield
    finally:
        network.train()
        for norm in norms:
            norm.track_running_stats = True


def striped(features: torch.Tensor) -> torch.Tensor:
    """Feature maps (n, channels, height, width) cut into `STRIPES` from top to bottom.

    Returns
    -------
    Tensor, shape (n, channels, 4, height · width / 4)
        What lies in each stripe.

    Examples
    --------
    >>> striped(torch.arange(8.0).reshape(1, 1, 4, 2)).mean(dim=3)
    tensor([[[0.5000, 2.5000, 4.5000, 6.5000]]])
    """
    return features.reshape(*features.shape[:2], STRIPES, -1)


class DeepConv2d(nn.Conv2d):
    """A convolution for few pixels and many weights, as in the deepest layer of an encoder.

    No bias, groups or dilation. For bfloat16 on a processor, the library behind torch (oneDNN)
    takes three times as long for the gradient of the weights there as for either of the other two
    products of the same size; written as a product of matrices, it takes as long as those. The
    same numbers as of `torch.nn.Conv2d` but for the order of summation, and on GPUs, in float32
    and without gradients the very same.
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
