"""Layers that translators share: strided 4×4 convolutions down, transposed ones up.

All are without biases: what follows is a batch normalisation with its own shift, or an output
whose constant the data fix.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from gaitkit.translators.convolution import DeepConv2d

__all__ = [
    "DEPTH",
    "LEAKY_SLOPE",
    "Critic",
    "Generator",
    "beside",
    "decoder",
    "encoder",
    "frozen",
    "init_normal",
    "init_uniform",
]

DEPTH = 4
"""Halvings of the image from input to code: 64×64 becomes 4×4."""

LEAKY_SLOPE = 0.2


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
        logits: torch.Tensor = self.layers(image)
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
        code = torch.cat(list(batches))
        for layer in self.layers:
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                code = torch.cat([layer(part) for part in code.chunk(len(batches))])
            else:
                code = layer(code)
        return list(code.flatten().chunk(len(batches)))


def _is_on_gpu(image: torch.Tensor) -> bool:
    return image.is_cuda


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


def init_normal(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the starting weights: convolutions N(0, 0.02), gains N(1, 0.02), shifts 0.

    Drawn on the CPU, in the order of the modules, so that a seed gives the same start on every
    device.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.weight.normal_(0.0, 0.02, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, 0.02, generator=generator)
                module.bias.zero_()


def init_uniform(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the starting weights uniformly, with a variance of 1 / (3 · inputs).

    Gains are 1, shifts and tables 0. What torch does by itself for layers of a classifier, but
    from a generator; see `init_normal`.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                bound = module.weight[0].numel() ** -0.5
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
            elif isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d)) and module.affine:
                module.weight.fill_(1.0)
                module.bias.zero_()
            elif isinstance(module, nn.Embedding):
                module.weight.zero_()
