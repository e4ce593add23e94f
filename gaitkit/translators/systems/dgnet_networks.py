"""DG-Net's networks: two encoders, the generator that puts together what they see, the critic.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019, section 3 and its supplement. The identity encoder is the paper's
appearance encoder, which here has to see the proportions of the body; the layout encoder is its
structure encoder, which sees view, clothes and what is carried. Layout encoder, generator and
critic follow the supplement and the public implementation. Adapted is the identity encoder, a small
residual network in place of a ResNet-50 that was trained on photographs; and tanh at the end.

Borders are reflected, as there. A reflection cannot reach further than the other side: where a map
is too small for it (for the pyramid below 40 pixels of an image's side, for the critic's smallest
size below 32), its last pixels go on instead.

Models that were trained before these networks were brought in line with the public implementation
have the *former* ones, by `former`: no biases before a normalisation; zeros beyond the borders of
pyramid and generator; activations at the pyramid's end, and no normalisation of what is fused; a
scale of 1 more than what the identity code asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from gaitkit.translators.networks.blocks import LEAKY_SLOPE, STRIPES, striped
from gaitkit.translators.networks.losses import gradient_penalty

__all__ = [
    "LAYOUT_FACTOR",
    "SCALES",
    "Composer",
    "DoublingConv2d",
    "Identity",
    "IdentityEncoder",
    "LayoutEncoder",
    "ScalesCritic",
    "shrink",
]

LAYOUT_FACTOR = 4
"""How many times smaller than the image that the layout is read from, and the layout code, are."""

SCALES = 3
"""Sizes at which the critic looks at an image: whole, half and a quarter."""

_STEEPNESS = 4.0
_STRIDES = (1, 2, 2, 2)
_DROPOUTS = (0.5, 0.75)
_DILATIONS = (3, 6, 9)


class Identity(NamedTuple):
    """What `IdentityEncoder` sees in n images.

    Attributes
    ----------
    code : Tensor, shape (n, 4, 16 · width)
        The identity code, stripe by stripe from the head down; what the generator takes.
    features : list of Tensor, each of shape (n, 16 · width)
        Each head's embedding.
    scores : list of Tensor, each of shape (n, classes)
        Each head's logits.
    """

    code: torch.Tensor
    features: list[torch.Tensor]
    scores: list[torch.Tensor]


class IdentityEncoder(nn.Module):
    """A small residual network that tells people apart.

    Four residual blocks of 2w, 4w, 8w and 16w channels, the last three halving the image; the
    largest value of each channel in each of four stripes; heads on the largest value of all: a
    linear layer, batch normalisation, dropout, and the logits.

    Parameters
    ----------
    width : int
        w; 16 gives the 32 to 256 channels of the default.
    classes : sequence of int
        Logits of each head; one head or two.
    former : bool
        Without biases of the heads' first layers.
    """

    def __init__(self, width: int, classes: Sequence[int], *, former: bool = False) -> None:
        super().__init__()
        channels = [1, *(2 * width * 2**level for level in range(len(_STRIDES)))]
        self.blocks = nn.Sequential(
            *(
                _NormalisedBlock(inside, out, stride)
                for inside, out, stride in zip(channels, channels[1:], _STRIDES)
            )
        )
        self.heads = nn.ModuleList(
            _Head(channels[-1], number, dropout, former)
            for number, dropout in zip(classes, _DROPOUTS)
        )

    def forward(self, images: torch.Tensor) -> Identity:
        """Codes, embeddings and logits of images of shape (n, 1, height, width)."""
        found = self.blocks(images)
        stripes = striped(found).amax(dim=3)
        whole = stripes.amax(dim=2)
        heads = [head(whole) for head in self.heads]
        return Identity(
            stripes.transpose(1, 2), [each[0] for each in heads], [each[1] for each in heads]
        )


class LayoutEncoder(nn.Module):
    """The layout of a body: where the silhouette is, and nothing finer.

    Instance normalisation and leaky ReLU after every convolution: 3×3 to w channels, halving; 3×3
    to 2w, twice; 3×3 to 4w, halving; four residual blocks; a pyramid of dilations, whose branches
    end without activation; 1×1 to 8w, normalised.

    Buffer ``layouts``, shape (views, conditions, height / 4, width / 4): the mean small image of
    each domain of the training data, of which the encoder makes the layout that a translation is
    asked for. Kept as images and not as codes, they fit the encoder's weights at any time.

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    image_size : tuple of int
        Height and width of the images.
    domains : tuple of int
        How many views and conditions there are.
    former : bool
        As before the public implementation was followed; see the module.
    """

    layouts: torch.Tensor

    def __init__(
        self,
        width: int,
        image_size: tuple[int, int],
        domains: tuple[int, int],
        *,
        former: bool = False,
    ) -> None:
        super().__init__()
        side = (image_size[0] // LAYOUT_FACTOR, image_size[1] // LAYOUT_FACTOR)
        self.register_buffer("layouts", torch.zeros(*domains, *side))
        self.layers = nn.Sequential(
            _convolution(1, width, 3, stride=2, biased=not former),
            _convolution(width, 2 * width, 3, biased=not former),
            _convolution(2 * width, 2 * width, 3, biased=not former),
            _convolution(2 * width, 4 * width, 3, stride=2, biased=not former),
            *(_InstanceBlock(4 * width, biased=not former) for _ in range(4)),
            _Pyramid(4 * width, former=former),
            nn.Conv2d(8 * width, 8 * width, 1),
            *([] if former else [nn.InstanceNorm2d(8 * width)]),
        )

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        """Layout codes of small images.

        Parameters
        ----------
        small : Tensor, shape (n, 1, height / 4, width / 4)
            In [-1, 1], from `shrink`. Grey values are pushed towards black and white, so that they
            cannot tell how far an arm swings, then brought to the image's size again.

        Returns
        -------
        Tensor, shape (n, 8 · width, height / 4, width / 4)
        """
        poor = torch.tanh(_STEEPNESS * small)
        wide = functional.interpolate(poor, scale_factor=LAYOUT_FACTOR, mode="bilinear")
        code: torch.Tensor = self.layers(wide)
        return code

    def asked(self, view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Layout codes of domains, given as indices of shape (n,)."""
        images = self.layouts[view, condition].unsqueeze(1)
        count = images.shape[0]
        if count == 1 and torch.is_grad_enabled():
            # For a single map, torch's gradient of an instance normalisation is wrong where what
            # comes back lies channels last (2.13, on a processor).
            images = images.repeat(2, 1, 1, 1)
        code: torch.Tensor = self(images)
        return code[:count]


def shrink(images: torch.Tensor) -> torch.Tensor:
    """Images a quarter as high and wide, each pixel the mean of sixteen."""
    return functional.avg_pool2d(images, LAYOUT_FACTOR)


class _NormalisedBlock(nn.Module):
    """Two 3×3 convolutions with batch normalisation beside a shortcut, 1×1 where sizes differ."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inside, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.stride = stride
        self.shortcut = nn.Sequential(nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        # Pixels are left out here, not by a strided 1×1 convolution: oneDNN's for float32, channels
        # last, writes beyond its memory where there are few channels (torch 2.13, 8 to 16).
        kept = values[:, :, :: self.stride, :: self.stride]
        return functional.relu(self.layers(values) + self.shortcut(kept))


class _Head(nn.Module):
    def __init__(self, channels: int, classes: int, dropout: float, former: bool) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(channels, channels, bias=not former), nn.BatchNorm1d(channels)
        )
        self.score = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedded = self.embed(values)
        return embedded, self.score(embedded)


def _convolution(
    inside: int,
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    biased: bool = True,
    reflected: bool = True,
    active: bool = True,
) -> nn.Sequential:
    """A convolution, instance normalisation, leaky ReLU.

    The normalisation takes the bias away again; the public implementation has it all the same.
    """
    convolution = ReflectedConv2d if reflected else nn.Conv2d
    reach = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        convolution(inside, out, kernel, stride, reach, dilation, bias=biased),
        nn.InstanceNorm2d(out),
    ]
    if active:
        layers.append(nn.LeakyReLU(LEAKY_SLOPE, inplace=True))
    return nn.Sequential(*layers)


class ReflectedConv2d(nn.Conv2d):
    """A convolution whose map is reflected at its borders, the last pixel not repeated.

    Where the map has no more pixels than the kernel reaches beyond it, its last ones go on instead.

    Examples
    --------
    >>> layer = ReflectedConv2d(1, 1, 3, padding=1, bias=False)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]]))
    >>> layer(torch.tensor([[[[5.0, 6.0, 7.0], [0.0, 0.0, 0.0]]]]))[0, 0, 0].tolist()
    [6.0, 5.0, 6.0]
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Convolve maps of shape (n, inside, height, width)."""
        if reach := int(self.padding[0]):
            mode = "reflect" if reach < min(values.shape[2:]) else "replicate"
            values = functional.pad(values, (reach,) * 4, mode=mode)
        return functional.conv2d(values, self.weight, self.bias, self.stride, 0, self.dilation)


class _InstanceBlock(nn.Module):
    def __init__(self, channels: int, *, biased: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(channels, channels, 3, biased=biased),
            *_convolution(channels, channels, 3, biased=biased, active=False),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = values + self.layers(values)
        return result


class _Pyramid(nn.Module):
    """Four views of the map from near to far, each of half its channels, one behind the other.

    Chen, Papandreou, Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image
    Segmentation", 2017.
    """

    def __init__(self, channels: int, *, former: bool) -> None:
        super().__init__()
        half, biased = channels // 2, not former
        self.near = _convolution(channels, half, 1, biased=biased, active=former)
        self.far = nn.ModuleList(
            nn.Sequential(
                _convolution(channels, half, 1, biased=biased),
                *_convolution(
                    half,
                    half,
                    3,
                    dilation=dilation,
                    biased=biased,
                    reflected=not former,
                    active=former,
                ),
            )
            for dilation in _DILATIONS
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.near(values), *(branch(values) for branch in self.far)], dim=1)


class Composer(nn.Module):
    """The generator G: a layout code, coloured block by block by an identity code.

    Four residual blocks of 8w channels, each normalised to the mean and spread that its stripe of
    the identity code asks for (AdaIN); twice doubled, 5×5 to 4w and 2w channels; two 3×3; 1×1 to
    the image, which tanh keeps in [-1, 1] (the original's output is linear).

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    identity_width : int
        v, that of the identity encoder.
    former : bool
        As before the public implementation was followed; see the module.
    """

    def __init__(self, width: int, identity_width: int, *, former: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _DrivenBlock(8 * width, 16 * identity_width, former) for _ in range(STRIPES)
        )
        self.up = nn.Sequential(
            *_doubled(8 * width, 4 * width, reflected=not former),
            *_doubled(4 * width, 2 * width, reflected=not former),
            *_plain(2 * width, 2 * width, 3, reflected=not former),
            *_plain(2 * width, 2 * width, 3, reflected=not former),
            nn.Conv2d(2 * width, 1, 1),
        )

    def forward(self, identity: torch.Tensor, layout: torch.Tensor) -> torch.Tensor:
        """Images of shape (n, 1, height, width).

        Parameters
        ----------
        identity : Tensor, shape (n, 4, 16 · identity_width)
            From `IdentityEncoder`.
        layout : Tensor, shape (n, 8 · width, height / 4, width / 4)
            From `LayoutEncoder`.
        """
        values = layout
        for stripe, block in enumerate(self.blocks):
            values = block(values, identity[:, stripe])
        return torch.tanh(self.up(values))


class ScalesCritic(nn.Module):
    """The critic D: one small network for each of three sizes, each giving a map of scores.

    1×1 to 2w channels; 3×3, at 2w, 2w (halving), 2w and 4w (halving); four residual blocks; 1×1 to
    the scores. No normalisation.

    Parameters
    ----------
    width : int
        w; 16 gives the paper's channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Sequential(
                *_plain(1, 2 * width, 1),
                *_plain(2 * width, 2 * width, 3),
                *_plain(2 * width, 2 * width, 3, stride=2),
                *_plain(2 * width, 2 * width, 3),
                *_plain(2 * width, 4 * width, 3, stride=2),
                *(_PlainBlock(4 * width) for _ in range(4)),
                nn.Conv2d(4 * width, 1, 1),
            )
            for _ in range(SCALES)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """A map of scores for each size."""
        scores = []
        for scale in self.scales:
            scores.append(scale(images))
            images = _halved(images)
        return scores

    def gradient_penalty(self, images: torch.Tensor) -> torch.Tensor:
        """Squared gradient of each scale's summed map at the images, at their full size.

        Its batch mean, summed over the scales. To be called outside autocast.
        """
        penalties = [
            gradient_penalty(_after(k, scale), images) for k, scale in enumerate(self.scales)
        ]
        return torch.stack(penalties).sum()


def _after(halvings: int, scale: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """A scale's scores of images at their full size."""

    def scores(images: torch.Tensor) -> torch.Tensor:
        for _ in range(halvings):
            images = _halved(images)
        found: torch.Tensor = scale(images)
        return found

    return scores


def _halved(images: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(images, 3, 2, 1, count_include_pad=False)


class DoublingConv2d(nn.Conv2d):
    """A 5×5 convolution of an image that is first doubled by repeating its pixels.

    Computed without doubling: a pixel of the result sees each pixel of the small image through
    one, two or four places of the kernel, whose weights are added first. What is left are four
    convolutions 3×3, one for each of the four pixels that one becomes, and 9 products in place of
    25. Beyond the borders the image goes on as its last pixels. A doubled image that is reflected
    there has the same pixels but for its outermost rows and columns, which only the result's
    outermost ones see: what those lack is added to them.

    Parameters
    ----------
    inside, out : int
        Channels.
    reflected : bool
        Whether the doubled image is reflected at its borders; otherwise its last pixels go on.
    """

    places: torch.Tensor

    def __init__(self, inside: int, out: int, *, reflected: bool = True) -> None:
        super().__init__(inside, out, 5)
        self.reflected = reflected
        # Which places of five meet the small image's pixel before, the same, the one behind, for
        # the first and for the second of the two pixels that it becomes.
        first = [[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
        second = [[1.0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
        self.register_buffer("places", torch.tensor([first, second]), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From (n, inside, height, width) to (n, out, 2·height, 2·width)."""
        places = self.places
        weight = torch.einsum("oiab,pxa,qyb->opqixy", self.weight, places, places)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
        convolved = functional.conv2d(padded, weight.flatten(0, 2), bias)
        shuffled: torch.Tensor = functional.pixel_shuffle(convolved, 2)
        if self.reflected and min(images.shape[2:]) > 1:
            shuffled = self._with_borders(shuffled, images)
        return shuffled

    def _with_borders(self, result: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Where replication shows the last pixel, reflection shows the one before: the difference.

        First that of the rows, whose own ends are reflected; then that of the columns, whose ends
        go on.
        """
        for dim, mode in ((2, "reflect"), (3, "replicate")):
            along = (2, 2, 0, 0) if dim == 2 else (0, 0, 2, 2)
            for last, before in ((0, 1), (-1, -2)):
                line = images.narrow(dim, before, 1) - images.narrow(dim, last, 1)
                doubled = functional.pad(line.repeat_interleave(2, 5 - dim), along, mode=mode)
                seen = functional.conv2d(doubled, self.weight.narrow(dim, last, 1))
                result.narrow(dim, last, 1).add_(seen)
        return result


class _DrivenBlock(nn.Module):
    def __init__(self, channels: int, stripe: int, former: bool) -> None:
        super().__init__()
        convolution = nn.Conv2d if former else ReflectedConv2d
        self.first = convolution(channels, channels, 3, 1, 1, bias=not former)
        self.second = convolution(channels, channels, 3, 1, 1, bias=not former)
        # Each gives the values of both convolutions.
        self.scale = _perceptron(stripe, 4 * channels, 2 * channels)
        self.shift = _perceptron(stripe, 4 * channels, 2 * channels)
        self._least = 1.0 if former else 0.0

    def forward(self, values: torch.Tensor, stripe: torch.Tensor) -> torch.Tensor:
        scales = (self._least + self.scale(stripe))[:, :, None, None].chunk(2, dim=1)
        shifts = self.shift(stripe)[:, :, None, None].chunk(2, dim=1)
        inner = functional.instance_norm(self.first(values)) * scales[0] + shifts[0]
        inner = functional.leaky_relu(inner, LEAKY_SLOPE)
        inner = functional.instance_norm(self.second(inner)) * scales[1] + shifts[1]
        result: torch.Tensor = values + inner
        return result


class _PlainBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_plain(channels, channels, 3), ReflectedConv2d(channels, channels, 3, 1, 1)
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = values + self.layers(values)
        return result


def _perceptron(inside: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inside, hidden),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        nn.Linear(hidden, out),
    )


def _doubled(inside: int, out: int, *, reflected: bool) -> list[nn.Module]:
    return [
        DoublingConv2d(inside, out, reflected=reflected),
        # One group: the mean and spread of all of an image's values.
        nn.GroupNorm(1, out),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    ]


def _plain(
    inside: int, out: int, kernel: int, *, stride: int = 1, reflected: bool = True
) -> list[nn.Module]:
    convolution = ReflectedConv2d if reflected else nn.Conv2d
    return [
        convolution(inside, out, kernel, stride, kernel // 2),
        nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    ]
