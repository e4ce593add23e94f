"""How a training varies what it shows: few people teach a network, and it soon knows them by heart.

Every variation is drawn once for an example and is the same for all frames of a set, as a body does
not change while it walks by. Images are resampled once, whatever is asked for. All numbers are
drawn on the CPU from the generator that draws the batch: a seed draws the same on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from gaitkit.training.images import warp_grid, warp_grid_of

__all__ = ["Augmentation", "augmented"]

_BOX_HEIGHT, _BOX_WIDTH = (0.1, 0.4), (0.2, 0.7)
_BOX_SHAPE = 0.3
"""Least height of a box of `erase_area`, as a share of its width, and the reverse."""


@dataclass(frozen=True)
class Augmentation:
    """What is varied, and how far; 0 leaves a thing as it is.

    Attributes
    ----------
    shear : float
        Lean sideways by up to this share of the height, as a camera that is not level shows it.
    stretch : float
        Widths by a factor of up to exp(±stretch), heights by one of up to exp(±stretch / 2): a
        body cut out less well.
    shift : float
        Move both ways by up to so many pixels.
    rotate : float
        Turn by up to so many degrees.
    rotate_chance : float
        Probability that an example is turned at all.
    erase : float
        Probability that a box is blanked: a tenth to four tenths of the height, a fifth to seven
        tenths of the width (random erasing: Zhong et al., AAAI 2020).
    erase_area : float
        Above 0, the box is as in that paper instead: a quarter of this share of the image to all
        of it, up to ten thirds as high as wide, or as wide as high.
    warp : float
        Strength of other proportions of the body; see `gaitkit.training.images.warp_grid`.
    """

    shear: float = 0.0
    stretch: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    rotate_chance: float = 1.0
    erase: float = 0.0
    erase_area: float = 0.0
    warp: float = 0.0


def augmented(
    images: torch.Tensor,
    how: Augmentation,
    generator: torch.Generator | None = None,
    proportions: torch.Tensor | None = None,
) -> torch.Tensor:
    """Images varied at random.

    Parameters
    ----------
    images : Tensor, shape (n, frames, height, width)
        In [0, 1], 0 the background; on any device.
    how : Augmentation
        What to vary.
    generator : torch.Generator, optional
        On the CPU.
    proportions : Tensor, shape (n, 7), optional
        To what body each is warped beside, as `gaitkit.training.images.warp_draws` has them.

    Returns
    -------
    Tensor
        Of the same shape.

    Examples
    --------
    >>> images = torch.zeros(2, 1, 8, 8)
    >>> images[:, :, 2:6, 3:5] = 1.0
    >>> torch.equal(augmented(images, Augmentation()), images)
    True
    >>> varied = augmented(images, Augmentation(shear=0.2), torch.Generator().manual_seed(0))
    >>> torch.equal(varied[0], varied[1])
    False
    """
    count, _, height, width = images.shape
    moved = proportions is not None or any((how.shear, how.stretch, how.shift, how.warp))
    if moved or (how.rotate and how.rotate_chance):
        grid, turned = _grid(count, (height, width), how, generator, proportions)
        rows = slice(None) if moved or how.rotate_chance == 1.0 else torch.nonzero(turned)[:, 0]
        images = _resampled(images, grid, rows)
    if how.erase:
        kept = _kept(count, (height, width), how, generator).to(images.device, images.dtype)
        images = images * kept[:, None]
    return images


def _resampled(
    images: torch.Tensor, grid: torch.Tensor, rows: slice | torch.Tensor
) -> torch.Tensor:
    """Images of which some, or all, are taken from a grid; the others stay as they are."""
    grid = grid[rows].to(images.device, images.dtype)
    if isinstance(rows, slice):
        return functional.grid_sample(images, grid, mode="bilinear", align_corners=True)
    if not len(rows):
        return images
    rows = rows.to(images.device)
    taken = functional.grid_sample(images[rows], grid, mode="bilinear", align_corners=True)
    return images.index_copy(0, rows, taken)


def _grid(
    count: int,
    size: tuple[int, int],
    how: Augmentation,
    generator: torch.Generator | None,
    proportions: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each pixel is taken from, shape (count, height, width, 2), and who is turned."""
    height, width = size

    def between(limit: float) -> torch.Tensor:
        drawn = torch.rand(count, generator=generator)
        return ((2.0 * drawn - 1.0) * limit)[:, None, None]

    # Always the same draws, so that one variation does not change what another one draws.
    lean, wide, tall = between(how.shear), between(how.stretch), between(how.stretch / 2)
    across, along, turn = between(how.shift), between(how.shift), between(how.rotate)
    if how.warp:
        grid = warp_grid(count, size, how.warp, generator=generator)
        x, y = grid[..., 0], grid[..., 1]
    else:
        y = torch.linspace(-1.0, 1.0, height)[None, :, None].expand(count, height, width)
        x = torch.linspace(-1.0, 1.0, width)[None, None, :].expand(count, height, width)
    if proportions is not None:
        # One after the other would be right; for bodies as near as these the sum is as good.
        other = warp_grid_of(proportions, size, 1.0)
        straight = warp_grid_of(torch.zeros_like(proportions), size, 1.0)
        x, y = x + other[..., 0] - straight[..., 0], y + other[..., 1] - straight[..., 1]
    turned = torch.ones(count, dtype=torch.bool)
    if how.rotate_chance < 1.0:
        turned = torch.rand(count, generator=generator) < how.rotate_chance
        turn = turn * turned[:, None, None]
    # In pixels from the middle, where turning does not bend what is not square.
    x, y = x * torch.exp(wide) * (width - 1) / 2, y * torch.exp(tall) * (height - 1) / 2
    angle = turn * (math.pi / 180.0)
    x, y = x * torch.cos(angle) - y * torch.sin(angle), x * torch.sin(angle) + y * torch.cos(angle)
    x, y = x + lean * y + across, y + along
    grid = torch.stack([x / max(1.0, (width - 1) / 2), y / max(1.0, (height - 1) / 2)], dim=-1)
    return grid, turned


def _kept(
    count: int, size: tuple[int, int], how: Augmentation, generator: torch.Generator | None
) -> torch.Tensor:
    """1 where a pixel stays and 0 where it is blanked, shape (count, height, width)."""
    drawn = torch.rand((5, count), generator=generator)
    if how.erase_area:
        area = how.erase_area * (0.25 + 0.75 * drawn[0]) * (size[0] * size[1])
        shape = _BOX_SHAPE + (1.0 / _BOX_SHAPE - _BOX_SHAPE) * drawn[1]
        sides = [(area * shape).sqrt(), (area / shape).sqrt()]
    else:
        sides = [
            side * (low + (high - low) * share)
            for side, (low, high), share in zip(
                size, (_BOX_HEIGHT, _BOX_WIDTH), drawn[:2], strict=True
            )
        ]
    inside = []
    for side, long, place in zip(size, sides, drawn[2:4], strict=True):
        long = long.clamp_max(side)
        start = (place * (side - long))[:, None]
        at = torch.arange(side)
        inside.append((at >= start) & (at < start + long[:, None]))
    blank: torch.Tensor = (
        inside[0][:, :, None] & inside[1][:, None, :] & (drawn[4] < how.erase)[:, None, None]
    )
    kept: torch.Tensor = (~blank).float()
    return kept
