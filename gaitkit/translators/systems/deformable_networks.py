"""The deformable GAN's networks: an encoder-decoder with warped skips, and a patch critic.

Siarohin, Sangineto, Lathuilière, Sebe, "Deformable GANs for Pose-Based Human Image Generation",
CVPR 2018, section 3, with the layers of its public implementation. Adapted to 64×64 pixels is the
number of halvings, one fewer than there. As the target's pose is the same for all images of a
batch, what it adds to a convolution is computed once.

What the paper calls instance normalisation is there one of all values of a layer, channels and
places together: `WholeNorm`. Models that were trained before have the *former* networks: normalised
channel by channel, and with a bias at the critic's end.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gaitkit.translators.networks.blocks import LEAKY_SLOPE, DeepConv2d
from gaitkit.translators.networks.losses import precise
from gaitkit.translators.systems.deformable_parts import PARTS, Layout, PartWarp

__all__ = ["LEVELS", "WARPED", "DeformableGenerator", "PoseCritic", "WholeNorm"]

LEVELS = 5
"""Feature maps of an encoder, the first of the image's size: 64×64 becomes 4×4."""

WARPED = 4
"""Levels whose maps are warped, the finest ones."""

_WIDENING = (1, 2, 4, 8, 8)


class WholeNorm(nn.Module):
    """All values of an image's layer brought to mean 0 and deviation 1; one gain and one shift.

    The deviation is that of the values themselves, not an estimate, and 0.001 is added to it.

    Examples
    --------
    >>> WholeNorm()(torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)).flatten().tolist()
    [-0.9990009665489197, 0.9990009665489197]
    """

    EPSILON = 1e-3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Layers of shape (n, channels, height, width), each by itself."""
        flat = precise(values).flatten(1)
        spread, mean = torch.var_mean(flat, dim=1, correction=0)
        # The root has no slope at 0.
        gain = self.weight / (spread.clamp_min(1e-12).sqrt() + self.EPSILON)
        shift = self.bias - mean * gain
        normalised = torch.addcmul(
            shift[:, None, None, None], precise(values), gain[:, None, None, None]
        )
        return normalised.to(values.dtype)


def _norm(channels: int, *, former: bool) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True) if former else WholeNorm()


class _Encoder(nn.Module):
    """w, 2w, 4w, 8w, 8w channels; maps as they are before the activation of the next layer."""

    def __init__(self, in_channels: int, width: int, *, former: bool) -> None:
        super().__init__()
        channels = [width * times for times in _WIDENING]
        self.conv0 = nn.Conv2d(in_channels, width, 3, 1, 1)
        self.convs = nn.ModuleList(
            (DeepConv2d if level == LEVELS - 1 else nn.Conv2d)(
                channels[level - 1], channels[level], 4, 2, 1, bias=False
            )
            for level in range(1, LEVELS)
        )
        self.norms = nn.ModuleList(
            _norm(channels[level], former=former) for level in range(1, LEVELS - 1)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Maps of all levels, from fine to coarse."""
        maps = [self.conv0(image)]
        for level, conv in enumerate(self.convs):
            code = conv(functional.leaky_relu(maps[-1], LEAKY_SLOPE))
            maps.append(self.norms[level](code) if level < len(self.norms) else code)
        return maps


class _Decoder(nn.Module):
    """8w, 8w, 4w, 2w channels and the image; each layer sees the maps of its size as well.

    The maps of the target's pose are the same for all images of a batch. A convolution of maps side
    by side is the sum of convolutions of each, so that what the target's pose adds to it is
    computed once.
    """

    def __init__(self, width: int, streams: int, dropout: float, *, former: bool) -> None:
        super().__init__()
        channels = [width * times for times in _WIDENING]
        # From below comes what is as wide as the encoder's map there; beside it, the skips.
        below = [*channels[1:], 0]
        inside = [below[level] + channels[level] * streams for level in range(LEVELS)]
        self._shared = [count if streams == 2 else 0 for count in channels]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(inside[level], channels[level], 4, 2, 1, bias=False)
            for level in reversed(range(1, LEVELS))
        )
        self.norms = nn.ModuleList(
            _norm(channels[level], former=former) for level in reversed(range(1, LEVELS))
        )
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for _ in range(2))
        self.out = nn.Conv2d(inside[0], 1, 3, 1, 1)

    def forward(self, skips: list[torch.Tensor], pose: list[torch.Tensor]) -> torch.Tensor:
        """Images before the last nonlinearity.

        Parameters
        ----------
        skips : list of Tensor, shapes (n, channels, …)
            Maps of the source, from fine to coarse, the finer ones warped.
        pose : list of Tensor, shapes (1, channels, …)
            Maps of the target's pose; empty when the source's encoder saw it.
        """
        code = skips[-1]
        for step, (up, norm) in enumerate(zip(self.ups, self.norms, strict=True)):
            level = LEVELS - 1 - step
            seen = code if step == 0 else torch.cat([code, skips[level]], dim=1)
            own, shared = self._split(up.weight, level, dim=0)
            code = functional.conv_transpose2d(functional.relu(seen), own, None, 2, 1)
            if pose:
                there = functional.relu(pose[level])
                code = code + functional.conv_transpose2d(there, shared, None, 2, 1)
            code = norm(code)
            if step < len(self.dropouts):
                code = self.dropouts[step](code)
        own, shared = self._split(self.out.weight, 0, dim=1)
        seen = functional.relu(torch.cat([code, skips[0]], dim=1))
        image = functional.conv2d(seen, own, self.out.bias, 1, 1)
        if pose:
            image = image + functional.conv2d(functional.relu(pose[0]), shared, None, 1, 1)
        return image

    def _split(self, weight: Any, level: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
        shared = self._shared[level]
        own = weight.shape[dim] - shared
        return weight.narrow(dim, 0, own), weight.narrow(dim, own, shared)


class DeformableGenerator(nn.Module):
    """A GEI and where its parts are, to the GEI with its parts where the target's are.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    image_size : tuple of int
        Height and width, multiples of 16.
    deformable : bool
        With two encoders, of the source and its pose and of the target's pose, and warped skips;
        otherwise a plain U-Net that is given all of them at once (the paper's baseline, section 4).
    dropout : float
        Share of the two coarsest decoder layers' values that are dropped in training: the noise.
    former : bool
        Normalised as before `WholeNorm`.
    """

    def __init__(
        self,
        width: int,
        image_size: tuple[int, int],
        *,
        deformable: bool,
        dropout: float,
        former: bool = False,
    ) -> None:
        super().__init__()
        parts = len(PARTS)
        self.deformable = deformable
        seen = 1 + parts if deformable else 1 + 2 * parts
        self.source = _Encoder(seen, width, former=former)
        if deformable:
            self.pose = _Encoder(parts, width, former=former)
            self.warps = nn.ModuleList(
                PartWarp(image_size[0], image_size[0] // 2**level) for level in range(WARPED)
            )
        self.decoder = _Decoder(width, 2 if deformable else 1, dropout, former=former)

    def encode(self, source: torch.Tensor, layout: Layout) -> list[torch.Tensor]:
        """Maps of sources of shape (n, 1, height, width), from fine to coarse, not warped."""
        seen = [source, layout.own.to(source.dtype)]
        if not self.deformable:
            count = source.shape[0]  # len() would fix the number of images in an exported graph.
            seen.append(layout.target.to(source.dtype).expand(count, -1, -1, -1))
        maps: list[torch.Tensor] = self.source(torch.cat(seen, dim=1))
        return maps

    def forward(self, source: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Generated images in [-1, 1], shape (n, 1, height, width)."""
        maps = self.encode(source, layout)
        pose: list[torch.Tensor] = []
        if self.deformable:
            pose = self.pose(layout.target.to(source.dtype))
            for level, warp in enumerate(self.warps):
                matrices = layout.matrices[level].to(maps[level].dtype)
                maps[level] = warp(maps[level], matrices)
        return torch.tanh(self.decoder(maps, pose))


class PoseCritic(nn.Module):
    """Judges, patch by patch, whether a candidate truly shows the source in the target's pose.

    Source, its pose, candidate and the target's pose go in side by side. Four layers of w, 2w, 4w,
    8w channels halve the image, the first one without padding, and one more gives the logits.
    Images of fewer than 64 pixels take fewer layers; of 64 pixels a single patch is left, which
    sees nearly all of the image.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    image_size : tuple of int
        Height and width, at least 16.
    former : bool
        Normalised as before `WholeNorm`, and with a last bias.
    """

    def __init__(self, width: int, image_size: tuple[int, int], *, former: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * (1 + len(PARTS)), width, 4, 2)
        depth = min(4, int(math.log2(min(image_size))) - 2)
        layers: list[nn.Module] = [nn.LeakyReLU(LEAKY_SLOPE)]
        for level in range(1, depth):
            out = width * 2**level
            layers.append(nn.Conv2d(out // 2, out, 4, 2, 1, bias=False))
            layers += [_norm(out, former=former), nn.LeakyReLU(LEAKY_SLOPE)]
        layers.append(nn.Conv2d(width * 2 ** (depth - 1), 1, 4, 2, 1, bias=former))
        self.rest = nn.Sequential(*layers)

    def forward(
        self, source: torch.Tensor, candidate: torch.Tensor, layout: Layout
    ) -> torch.Tensor:
        """Logits of candidates.

        Parameters
        ----------
        source : Tensor, shape (n, 1, height, width)
        candidate : Tensor, shape (k · n, 1, height, width)
            k times as many, those of each time in the order of the sources.
        layout : Layout
            Of the sources.

        Returns
        -------
        Tensor, shape (k · n, 1, rows, columns)
        """
        # The first layer is a sum over what goes in: what candidates share is computed once.
        weight, parts = self.first.weight, len(PARTS)
        own = torch.cat([source, layout.own.to(source.dtype)], dim=1)
        seen = _valid(own, weight[:, : parts + 1], self.first.bias)
        seen = seen + _valid(layout.target.to(source.dtype), weight[:, parts + 2 :])
        seen = seen.repeat(len(candidate) // len(source), 1, 1, 1)
        seen = seen + _valid(candidate.to(source.dtype), weight[:, parts + 1 : parts + 2])
        logits: torch.Tensor = self.rest(seen)
        return logits


def _valid(
    image: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    return functional.conv2d(image, weight, bias, stride=2)
